/* wait.c - waiting for a port to come free. Nobody tells us when one does: the set is tried again, at first after a
 * millisecond, then less and less often. */
#define _GNU_SOURCE
#include "wait.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "caller.h"
#include "clock.h"
#include "kernel.h"
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
	wait->holds = false;
}

/* --- signals ------------------------------------------------------------------------------------------ */

#define WORD_BITS (8 * sizeof(long))

/* All but those that a fault in this thread brings, and the two that libc itself lives by. */
static struct signals those_to_hold(void)
{
	static const unsigned char spared[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, 32, 33 };
	struct signals held;

	for (size_t i = 0; i < sizeof(held.word) / sizeof(held.word[0]); i++)
		held.word[i] = ~0ul;
	for (size_t i = 0; i < sizeof(spared); i++)
		held.word[(spared[i] - 1u) / WORD_BITS] &= ~(1ul << (spared[i] - 1u) % WORD_BITS);
	return held;
}

void wait_hold(struct wait *wait)
{
	struct signals held = those_to_hold();
	int saved = errno;

	/* A sandbox may end who asks for what is held back. */
	if (!caller && !wait->holds && kernel_may_be_asked())
		wait->holds = syscall(SYS_rt_sigprocmask, SIG_BLOCK, &held, &wait->before, sizeof(held)) == 0;
	errno = saved;
}

bool wait_let(struct wait *wait)
{
	bool held = wait->holds;
	int saved = errno;

	wait->holds = false;
	if (held)
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &wait->before, NULL, sizeof(wait->before));
	errno = saved;
	return held;
}

bool wait_has_signal(const struct wait *wait)
{
	struct signals pending;

	if (!wait->holds || syscall(SYS_rt_sigpending, &pending, sizeof(pending)) < 0)
		return false;
	for (size_t i = 0; i < sizeof(pending.word) / sizeof(pending.word[0]); i++)
		if (pending.word[i] & ~wait->before.word[i])
			return true;
	return false;
}

/* --- sleep -------------------------------------------------------------------------------------------- */

static void let(void *wait)
{
	wait_let(wait);
}

/* What glibc's pthread_cleanup_push() calls. A program for musl is not to die of it when this library comes its way. */
#ifdef __GLIBC__
#pragma weak __pthread_register_cancel
#pragma weak __pthread_unregister_cancel
#define CAN_CLEAN_UP (__pthread_register_cancel && __pthread_unregister_cancel)
#else
#define CAN_CLEAN_UP true
#endif

/* Who is cancelled goes with the signals that he had. */
static void end_if_cancelled(struct wait *wait)
{
	if (!CAN_CLEAN_UP)
		return;
	pthread_cleanup_push(let, wait);
	pthread_testcancel();
	pthread_cleanup_pop(0);
}

int wait_a_little(struct wait *wait)
{
	uint64_t at = clock_now(), pause = wait->pause;
	int error;

	if (at >= wait->until)
		return -ETIMEDOUT;
	if (pause > wait->until - at)
		pause = wait->until - at;
	wait->pause = wait->pause * 2 < LONGEST_PAUSE ? wait->pause * 2 : LONGEST_PAUSE;
	if (caller && !caller->rest(caller, true))
		return -ETIMEDOUT;
	wait_hold(wait);
	end_if_cancelled(wait);
	error = clock_sleep(pause, wait->holds ? &wait->before : NULL, sizeof(wait->before));
	end_if_cancelled(wait);
	if (caller)
		caller->rest(caller, false);
	if (!error && caller && caller->is_interrupted(caller))
		error = -EINTR;
	return error;
}
