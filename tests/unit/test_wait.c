/* test_wait.c - how long `exhausted = wait` sleeps between two tries. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/clock.h"
#include "shim/wait.h"

Test(wait, pauses_grow_to_twenty_milliseconds)
{
	struct wait wait;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	wait_begin(&wait, fd, 10000);
	cr_assert_eq(wait.pause, MILLISECOND);
	for (int i = 0; i < 7; i++) {
		uint64_t before = wait.pause;

		cr_assert_eq(wait_a_little(&wait), 0);
		cr_assert_geq(wait.pause, before);
		cr_assert_leq(wait.pause, 20 * MILLISECOND);
	}
	cr_assert_eq(wait.pause, 20 * MILLISECOND);
	close(fd);
}

Test(wait, ends_with_the_time)
{
	struct wait wait;
	struct timeval timeout = { .tv_usec = 3000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0, times = 0;

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
	wait_begin(&wait, fd, 10000);
	while (!error && times++ < 100)
		error = wait_a_little(&wait);
	cr_assert_eq(error, -ETIMEDOUT);
	close(fd);
}

static void *wait_for_long(void *unused)
{
	struct wait wait;

	wait_begin(&wait, -1, 3600000);
	while (wait_a_little(&wait) == 0)
		;
	return unused;
}

Test(wait, is_a_cancellation_point)
{
	pthread_t thread;
	void *result = NULL;

	cr_assert_eq(pthread_create(&thread, NULL, wait_for_long, NULL), 0);
	cr_assert_eq(pthread_cancel(thread), 0);
	cr_assert_eq(pthread_join(thread, &result), 0);
	cr_assert_eq(result, PTHREAD_CANCELED);
}

static void on_alarm(int number)
{
}

/* Even where the handler has calls go on. */
Test(wait, ends_at_a_signal)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct wait wait;
	int error = 0;

	sigaction(SIGALRM, &action, NULL);
	wait_begin(&wait, -1, 30000);
	for (int i = 0; i < 5; i++)
		error = wait_a_little(&wait); /* until the pauses are long */
	alarm(1);
	while (error == 0)
		error = wait_a_little(&wait);
	cr_assert_eq(error, -EINTR);
}
