/* ring.h - io_uring(7) under a supervisor.
 *
 * What a program asks for by a ring is no system call, and no filter is told of it. So a program that some rule concerns is
 * given no ring, as by a kernel without them (ENOSYS); programs that use rings have another way for such kernels. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_RING_H
#define PORTSHIM_TOOLS_SUPERVISE_RING_H

#include "tools/supervise/client.h"

/* io_uring_setup(2): -ENOSYS, and says so once for each program. */
int ring_refuse(struct client *client);

#endif
