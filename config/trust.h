/* trust.h - a policy file that somebody else than its reader can change.
 *
 * Theory of operation. Who writes the policy decides from where programs leave, which calls fail, and which files they write
 * lines to (`log-to`, `audit`). So what runs as root, or with privileges that its user lacks, takes a policy from root alone:
 * a file of another owner, or one that its group or others may write to, is refused, as sudo refuses its sudoers. Other users are told
 * and go on, where the file is neither theirs nor root's, or is open to others. A group's write permission is the user's own
 * where group and user have one number, the private group of Debian and Fedora (as Debian's ssh sees it); an access control
 * list shows in the group's bits, acl(5).
 *
 * What is looked at is the open file that is read, so nothing can be put in its place between; symbolic links have been
 * followed by then. Its folder does not count: who may write there can take the file away, or put another in its place, but not
 * one that is root's own and says what he likes. In a user namespace the owner may be somebody whom it has no number for: such files
 * come from outside of it, from who made it or his betters, and pass. */
#ifndef PORTSHIM_CONFIG_TRUST_H
#define PORTSHIM_CONFIG_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "policy.h"

struct reader {
	uid_t user;
	bool strict; /* root, or with privileges: what is a warning to others is an error to it */
	bool looks;  /* but not where the policy is only looked at, for others maybe */
	bool owner;  /* not `user`, but whoever has the file: it is shown, and nobody starts anything under it */
};

/* This process, as it is now. */
struct reader reader_here(void);

/* locate_read() of a policy. What is the matter with it goes to the listener, without a line: why it cannot be read, that it is
 * refused (*error is -EKEYREJECTED then), or that others can change it. Async-signal-safe. */
char *trust_read(struct arena *arena, const char *path, size_t *length, int *error, const struct reader *reader,
                 policy_listener *listener, void *context);

#endif
