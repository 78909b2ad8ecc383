/* evidence.h - what `who` and `report` look at: the policy, the table it names, and the audit's files. */
#ifndef PORTSHIM_TOOLS_EVIDENCE_H
#define PORTSHIM_TOOLS_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/audit_read.h"
#include "tools/policy_file.h"
#include "tools/table_file.h"

/* One of the audit's files. */
struct evidence_file {
	char *path;
	char *shown;             /* the path, fit to be shown */
	int fd;
};

struct evidence {
	struct policy_file policy;
	bool has_policy;         /* else nothing is in `policy` */
	struct table_file table;
	struct evidence_file *file; /* in the order in which they were written */
	size_t files, room;
	uint64_t entries, foreign, bytes; /* of all files, when they were read */
};

/* What the user said; NULL and 0: nothing. */
struct evidence_options {
	const char *config, *table;
	const char **audit;      /* of --audit, each */
	size_t audits, audits_room;
	bool alone;              /* files of --audit, where nothing else is named, are all there is to look at */
};

/* Adds a file of --audit. */
void evidence_name(struct evidence_options *options, const char *path);

/* Finds the table, as table_file_find() does; and opens the files of --audit, or that of the policy and what a rotation has
 * left beside it: PATH.2, PATH.1, PATH, or PATH-20261124, PATH. EXIT_SUCCESS, or the code to exit with, the reason said.
 * A file of the policy's that cannot be opened is warned of; that it is not there (yet) is in order. */
int evidence_find(struct evidence *evidence, const struct evidence_options *options);

typedef void evidence_listener(void *context, const struct audit_entry *entry);

/* Tells the listener of all entries. Where a file cannot be read further, or holds what is no entry, that is said.
 * False if one could not be read to its end. */
bool evidence_read(struct evidence *evidence, evidence_listener *listener, void *context);

void evidence_free(struct evidence *evidence);

#endif
