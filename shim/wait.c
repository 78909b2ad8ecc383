/* wait.c - waiting for a port to come free. Nobody tells us when one does: the set is tried again, at first after a
 * millisecond, then less and less often. */
#define _GNU_SOURCE
#include "wait.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define LONGEST_PAUSE (20 * MILLISECOND)

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

void wait_begin(struct wait *wait, int fd, uint64_t limit_ms)
{
	struct timeval timeout = { 0, 0 };
	socklen_t len = sizeof(timeout);
	uint64_t limit = limit_ms * MILLISECOND, own;

	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len) == 0) {
		own = (uint64_t)timeout.tv_sec * SECOND + (uint64_t)timeout.tv_usec * 1000;
		if (own && own < limit)
			limit = own;
	}
	wait->until = now() + limit;
	wait->pause = MILLISECOND;
}

int wait_a_little(struct wait *wait)
{
	uint64_t at = now(), pause = wait->pause;
	struct timespec t;

	if (at >= wait->until)
		return -ETIMEDOUT;
	if (pause > wait->until - at)
		pause = wait->until - at;
	if (wait->pause < LONGEST_PAUSE)
		wait->pause *= 2;
	t.tv_sec = (time_t)(pause / SECOND);
	t.tv_nsec = (long)(pause % SECOND);
	return nanosleep(&t, NULL) < 0 ? -errno : 0;
}
