/* table_file.h - the table that a command shows: which file it is, and a look into it. */
#ifndef PORTSHIM_TOOLS_TABLE_FILE_H
#define PORTSHIM_TOOLS_TABLE_FILE_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>

#include "shim/table.h"
#include "tools/policy_file.h"

struct table_file {
	char path[PATH_MAX];  /* "": the policy has `table = none` */
	bool named;           /* by --table: it must be there */
	char shown[PATH_MAX]; /* the path, fit to be shown */
};

/* The file `table`; or the one that the policy `config` says; or, with both NULL, the one that the policy says that the
 * library would find, if there is one; else the one of this user and network namespace. EXIT_SUCCESS, or the code to
 * exit with, the reason said. */
int table_file_find(struct table_file *file, const char *table, const char *config);

/* The table that the policy in the file `config` says, and the policy, to be freed where it is EXIT_SUCCESS. `rule` must be one of
 * its rules (NULL: any). The same codes; `command` is what messages begin with. */
int table_file_of_config(struct table_file *file, const char *config, const char *rule, const char *command,
                         struct policy_file *loaded);

/* The file that a policy says for a user, in the file system below `root` ("": this process's). The same codes. */
int table_file_of(struct table_file *file, const struct policy *policy, uint32_t user, const char *root);

/* The same where the policy is read already: the file `table`, or the one that the policy says, or with both NULL the one of this
 * user and network namespace. */
int table_file_choose(struct table_file *file, const char *table, const struct policy *policy);

/* Maps it; NULL where there is none yet, or with -errno in *error where it cannot be shown. */
const struct table *table_file_look(const struct table_file *file, int *error);

#define TABLE_FILE_CUT (-EIO) /* table_file_guarded() was false */

/* Says why it cannot be shown. Returns the code to exit with. */
int table_file_failed(const struct table_file *file, int error);

void table_file_leave(const struct table *table);

/* Maps a table in `what`, which can be of another user, who may make its file shorter meanwhile (SIGBUS), and does with it what is to
 * be done. False if so it was: what had been begun is left as it was then. Not in two threads at once. Elsewhere the command
 * ends then, with a word. */
bool table_file_guarded(void (*what)(void *context), void *context);

/* Says on standard error that the table was not held against the kernel's list of sockets, where `error` of a snapshot
 * says so. */
void table_file_warn(const struct table_file *file, int error);

/* What to say where there is no table. */
#define TABLE_FILE_NONE "no table: no program under portshim has used the network here"

#endif
