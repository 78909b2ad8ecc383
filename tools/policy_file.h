/* policy_file.h - a policy for a tool: found, read, and its findings shown to the user. */
#ifndef PORTSHIM_TOOLS_POLICY_FILE_H
#define PORTSHIM_TOOLS_POLICY_FILE_H

#include <stdbool.h>

#include "config/locate.h"
#include "config/policy.h"

struct policy_file {
	struct policy policy;
	struct location from;     /* .path as it was named; .ports what was given */
	const char *name;         /* what messages call it: the path as it was named, "--ports", "PORTSHIM_PORTS" */
	unsigned errors, warnings;
};

/* Loads the policy of `file`, or the one that `ports` stands for; with both NULL the one that the library
 * would find. Findings go to standard error as "NAME:LINE: error: words" and "NAME:LINE: warning: words"
 * (NAME: ... where no line applies). True if there was no error; then policy_file_free() it. False: nothing
 * is kept but `name` (NULL where no policy was found, which is said) and the counts. `file` and `ports` must
 * outlive it. */
bool policy_file_load(struct policy_file *loaded, const char *file, const char *ports);

void policy_file_free(struct policy_file *loaded);

#endif
