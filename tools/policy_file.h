/* policy_file.h - a policy for a tool: found, read, and its findings shown to the user. */
#ifndef PORTSHIM_TOOLS_POLICY_FILE_H
#define PORTSHIM_TOOLS_POLICY_FILE_H

#include <stdbool.h>

#include "config/locate.h"
#include "config/policy.h"
#include "config/trust.h"
#include "tools/paint.h"

struct policy_file {
	struct policy policy;
	struct location from;     /* .path as it was named; .ports what was given */
	const char *name;         /* what messages call it: the path as it was named, "--ports", "PORTSHIM_PORTS" */
	unsigned errors, warnings;
	const char *text;         /* what was read, of `length` bytes; NULL where PORTSHIM_PORTS or --ports stand for it */
	size_t length;
	struct arena arena;       /* the text */
	policy_listener *listener;
	void *context;
};

/* Loads the policy of `file`, or the one that `ports` stands for; with both NULL the one that the library
 * would find. Findings go to standard error as "NAME:LINE: error: words" and "NAME:LINE: warning: words"
 * (NAME: ... where no line applies). True if there was no error; then policy_file_free() it. False: nothing
 * is kept but `name` (NULL where no policy was found, which is said) and the counts. `file` and `ports` must
 * outlive it. `reader`: who is to be under the policy (config/trust.h); NULL: this process; or
 * its owner, where a `file` is named, which is only shown then. */
bool policy_file_load(struct policy_file *loaded, const char *file, const char *ports, const struct reader *reader);

/* The same, but the findings go to a listener, and with no reader the `file` is looked at for this process. That there is no
 * policy is said on standard error all the same. */
bool policy_file_hear(struct policy_file *loaded, const char *file, const char *ports, const struct reader *reader,
                      policy_listener *listener, void *context);

/* "NAME:LINE: error: words" on standard error, as above; `kind` is painted where that is a terminal. */
void policy_file_print(const char *name, int line, const char *kind, enum paint paint, const char *words);

/* Whether there is a file where the library would look for one. (PORTSHIM_PORTS is none.) */
bool policy_file_is_there(void);

void policy_file_free(struct policy_file *loaded);

#endif
