/* clock.h - the time that all processes of the machine agree on.
 *
 * Another library in the process may tell its program another time (libfaketime), one that stands still, runs a
 * thousand times faster or lies in the future. What stands in the table is for all processes, and who waits must come
 * to an end: so the kernel is asked, not libc. */
#ifndef PORTSHIM_SHIM_CLOCK_H
#define PORTSHIM_SHIM_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

/* In ns. No system call where the kernel lends its clock. Async-signal-safe; errno may change. */
uint64_t clock_read(clockid_t clock);

/* The kernel's function in that vDSO (NULL: none), or NULL. */
void *clock_find(const void *vdso);

static inline uint64_t clock_now(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

/* Whether what was to rest until `due`, and for no longer than `longest`, may be done again: it is time, or the clock has been put
 * back since, as a child in another time namespace finds it. */
static inline bool clock_is_due(uint64_t now, uint64_t due, uint64_t longest)
{
	return now >= due || due - now > longest;
}

/* Sleeps, with the kernel's set of blocked signals at `blocked` (of that size; NULL: as they are). 0 or -errno; -EINTR at
 * a signal. No cancellation point. */
int clock_sleep(uint64_t ns, const void *blocked, size_t size);

#endif
