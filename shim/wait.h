/* wait.h - `exhausted = wait`: a call sleeps until a port of its rule is free again, for so long at most. */
#ifndef PORTSHIM_SHIM_WAIT_H
#define PORTSHIM_SHIM_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct wait {
	uint64_t until; /* CLOCK_MONOTONIC, ns */
	uint64_t pause; /* the next sleep, ns */
};

/* A wait of at most `limit_ms`, and of no more than SO_SNDTIMEO where the program set that. */
void wait_begin(struct wait *wait, int fd, uint64_t limit_ms);

/* Sleeps a little. 0: try again; -ETIMEDOUT: the time is over; -EINTR: a signal was handled. A cancellation point. */
int wait_a_little(struct wait *wait);

#endif
