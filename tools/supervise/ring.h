/* ring.h - io_uring(7) under a supervisor.
 *
 * Theory of operation. What a program asks for by a ring is no system call, and no filter is told of it. So a program that
 * some rule concerns is given no ring, as by a kernel without them (ENOSYS); programs that use rings have another way for
 * such kernels.
 *
 * Where sockets have their range from birth (birth.h) connections may be made by a ring, too; only sockets may not, and
 * bind and listen, which are still asked about. The kernel keeps a ring from that (IORING_REGISTER_RESTRICTIONS), if that is
 * said before the ring is enabled: it is made here, or rather in a short-lived process, since a ring holds on to its maker as
 * one of its users, and handed over as the call's result. Those three operations then fail with EACCES. What a request does
 * it does as who submits it: by his rights, in his memory, with his descriptors.
 *
 * A ring that is bound to its maker's memory or thread (SQPOLL, SINGLE_ISSUER, DEFER_TASKRUN, NO_MMAP, ...) cannot be had so:
 * EINVAL, as from a kernel that does not know the flag. For programs of 32 bits, of another user or with a label of their
 * own, and where sysctl kernel.io_uring_disabled asks for rights, it is ENOSYS again. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_RING_H
#define PORTSHIM_TOOLS_SUPERVISE_RING_H

#include "tools/supervise/birth.h"

/* io_uring_setup(2), as notified. */
struct ring {
	int listener;
	uint64_t id;
	uint32_t entries;
	uint64_t params; /* in the caller's memory: struct io_uring_params */
	bool is_32_bit;
};

/* Carries it out; `caller` is the engine's. 0, or what the call comes to, as -errno. */
int ring_carry(const struct ring *ring, struct client *client, struct verdict *verdict);

#endif
