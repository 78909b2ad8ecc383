/* locate.h - where the policy of a process is, and how it is read from there.
 *
 * PORTSHIM_PORTS stands for a file of one rule and comes first; then $PORTSHIM_CONF; then
 * $XDG_CONFIG_HOME/portshim/portshim.conf or $HOME/.config/portshim/portshim.conf; then /etc/portshim.conf. A
 * variable that names no readable file is an error, the two usual places may be absent. Where the
 * process is `secure` (AT_SECURE) only /etc/portshim.conf counts. */
#ifndef PORTSHIM_CONFIG_LOCATE_H
#define PORTSHIM_CONFIG_LOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "arena.h"

/* Looks a variable up: facts_variable in the library, getenv in the tools. */
typedef const char *variable_lookup(const char *name);

enum found { FOUND_PORTS, FOUND_FILE, FOUND_NOTHING };

struct location {
	enum found found;
	char path[4096];   /* FOUND_FILE: the file; FOUND_NOTHING: "" */
	const char *ports; /* FOUND_PORTS: the variable's value */
};

/* Decides which; asks the file system only for the two usual places. `lookup` may be NULL: secure. */
void locate_policy(struct location *location, variable_lookup *lookup);

/* The same for a process whose root directory is `root` ("" or without a '/' behind it), and whose working directory is `folder` ("" or
 * with one). */
void locate_policy_from(struct location *location, variable_lookup *lookup, const char *root, const char *folder);

/* Reads a whole file of at most 16 MiB into `arena`, with a NUL behind it. NULL on error, with -errno in *error
 * (-EFBIG if larger, -EISDIR, -ENOMEM, what open(2) and read(2) say). Works on /proc. Opens with O_CLOEXEC and closes. */
char *locate_read(struct arena *arena, const char *path, size_t *length, int *error);

/* The same, but what the open file is, is judged before anything is read. False: it is not read, *error is -EKEYREJECTED. */
typedef bool file_judge(const struct stat *about, void *context);
char *locate_read_judged(struct arena *arena, const char *path, size_t *length, int *error, file_judge *judge, void *context);

/* What such an error means to whoever wrote the policy, and what to do. */
const char *locate_error_words(int error);

#endif
