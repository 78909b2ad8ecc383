/* clock.h - the time that all processes of the machine agree on. */
#ifndef PORTSHIM_SHIM_CLOCK_H
#define PORTSHIM_SHIM_CLOCK_H

#include <stdint.h>
#include <time.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

/* CLOCK_MONOTONIC, ns; no system call. Async-signal-safe. */
static inline uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

#endif
