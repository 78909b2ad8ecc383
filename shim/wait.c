/* wait.c - waiting for a port to come free. Nobody tells us when one does: the set is tried again, at first after a
 * millisecond, then less and less often. */
#define _GNU_SOURCE
#include "wait.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "clock.h"
#include "real.h"

#define LONGEST_PAUSE (20 * MILLISECOND)

void wait_begin(struct wait *wait, int fd, uint64_t limit_ms)
{
	struct timeval timeout = { 0, 0 };
	socklen_t len = sizeof(timeout);
	uint64_t limit = limit_ms * MILLISECOND, own;

	if (real.getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len) == 0) {
		own = (uint64_t)timeout.tv_sec * SECOND + (uint64_t)timeout.tv_usec * 1000;
		if (own && own < limit)
			limit = own;
	}
	wait->until = clock_now() + limit;
	wait->pause = MILLISECOND;
}

int wait_a_little(struct wait *wait)
{
	uint64_t at = clock_now(), pause = wait->pause;

	if (at >= wait->until)
		return -ETIMEDOUT;
	if (pause > wait->until - at)
		pause = wait->until - at;
	wait->pause = wait->pause * 2 < LONGEST_PAUSE ? wait->pause * 2 : LONGEST_PAUSE;
	return clock_sleep(pause);
}
