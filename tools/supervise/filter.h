/* filter.h - the seccomp filter that tells the supervisor of the calls that matter and of no others. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_FILTER_H
#define PORTSHIM_TOOLS_SUPERVISE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "tools/supervise/syscalls.h"

#define FILTER_ROOM 256

/* Which calls are notified: one of them for each kind of enum notified. */
struct filter_wants {
	bool kind[NOTIFIED_KINDS];
};

/* Writes the program, for all tables; a program of a machine that none is for is killed. The number of its instructions. */
size_t filter_make(struct sock_filter program[FILTER_ROOM], const struct filter_wants *wants);

/* Whether this process may install it without giving up (no_new_privs) what setuid programs would gain: CAP_SYS_ADMIN, in
 * its user namespace. */
bool filter_is_admin(void);

/* Installs it for this thread and its children: *listener is where the notifications arrive; an exec closes it. 0 or -errno:
 * -EBUSY: somebody supervises this process already; -EINVAL, -ENOSYS: the kernel cannot. Sets no_new_privs where that is
 * needed. */
int filter_install(const struct filter_wants *wants, int *listener);

/* What such an error means, and what to do. */
const char *filter_words(int error);

#endif
