/* supervise.h - `portshim run` for programs that no library reaches: its parts put together. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_SUPERVISE_H
#define PORTSHIM_TOOLS_SUPERVISE_SUPERVISE_H

#include <stdbool.h>

/* Whether a program of this process's can be supervised here: 0; -EBUSY: it is already, by another portshim or a container's
 * runtime; -ENOSYS, -EINVAL: the kernel cannot; -EPERM: it may not. Tried out in a child. */
int supervise_possible(void);

/* Whether programs that are started so lose what setuid bits and file capabilities would give them (no_new_privs). */
bool supervise_takes_privileges(void);

/* Starts what become() becomes (it returns only if it cannot, with an exit code) and supervises it, by the policy that the
 * environment names. The exit code. */
int supervise_run(int (*become)(void *context), void *context);

#endif
