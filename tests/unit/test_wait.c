/* test_wait.c - how long `exhausted = wait` sleeps between two tries. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
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
