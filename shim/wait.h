/* wait.h - `exhausted = wait`: a call sleeps until a port of its rule is free again, for so long at most.
 *
 * A signal that is handled meanwhile ends the call with EINTR, as it ends a connect() that sleeps in the kernel. It may
 * come while ports are tried and nobody sleeps; so from the first sleep on signals are held back but in the sleeps
 * themselves, which see them as ppoll(2) does, and in the program's own call. */
#ifndef PORTSHIM_SHIM_WAIT_H
#define PORTSHIM_SHIM_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* A set of signals as the kernel has it: 64 bits. sigset_t is of 1,024, and lies on the stack of a signal handler here. */
struct signals {
	unsigned long word[64 / (8 * sizeof(long))];
};

struct wait {
	uint64_t until;        /* CLOCK_MONOTONIC, ns */
	uint64_t pause;        /* the next sleep, ns */
	struct signals before; /* those that the program blocks, while the others are held back */
	bool holds;
};

/* A wait of at most `limit_ms`, and of no more than SO_SNDTIMEO where the program set that. */
void wait_begin(struct wait *wait, int fd, uint64_t limit_ms);

/* Sleeps a little. 0: try again; -ETIMEDOUT: the time is over; -EINTR: a signal was handled. A cancellation point.
 * Signals are held back from here on. */
int wait_a_little(struct wait *wait);

/* Whether a signal is held back: the next sleep will be none. */
bool wait_has_signal(const struct wait *wait);

/* Lets signals through, around the program's own call and at the end; and holds them back again, if they were. errno is
 * kept. */
bool wait_let(struct wait *wait);
void wait_hold(struct wait *wait);

#endif
