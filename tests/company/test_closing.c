/* test_closing.c - programs that close what they do not know, or mark it to be closed: the library has nothing there,
 * and what was theirs comes back. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/company.h"

#define ONE_PORT "[rule r]\nports = 20000\n"
#define CLOEXEC "4" /* CLOSE_RANGE_CLOEXEC */
#define UNSHARE "2"

static void run_one_port(struct run *run, const char *const steps[])
{
	*run = (struct run){ .policy = ONE_PORT };
	company_meet();
	company_run(run, NULL, NULL, steps);
	cr_assert(exited(run, 0), "%s", run->err);
}

/* The port of a datagram socket is its own: the next socket has it only if the first is known to be gone. */
static void comes_back_after(const char *closing)
{
	const char *const steps[] = {
		"socket 0 udp4", "sendto 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5000", closing,
		"socket 2 udp4", "sendto 2 127.0.0.1 5000", "name 2", "socket 3 tcp4", "connect 3 127.0.0.1 5001", "name 3", NULL,
	};
	struct run run;

	run_one_port(&run, steps);
	cr_assert_str_eq(result_of(&run, "sendto 2 127.0.0.1 5000"), "1", "%s", run.out);
	cr_assert_eq(port_of(&run, "name 2"), 20000);
	cr_assert_eq(port_of(&run, "name 3"), 20000);
	cr_assert_str_eq(run.err, "");
}

Test(closing, closefrom)
{
	comes_back_after("closefrom 3");
}

Test(closing, range)
{
	comes_back_after("close-range 3 0");
}

Test(closing, range_of_descriptors_of_its_own)
{
	comes_back_after("close-range 3 " UNSHARE);
}

/* Nothing is closed yet: the sockets have their ports, until the next program. */
Test(closing, at_exec)
{
	static const char *const steps[] = {
		"socket 0 udp4", "sendto 0 127.0.0.1 5000", "name 0", "socket 1 tcp4", "close-range 3 " CLOEXEC,
		"sendto 0 127.0.0.1 5000", "name 0", "connect 1 127.0.0.1 5000", "name 1", "socket 2 udp4",
		"sendto 2 127.0.0.1 5000", "exec", "socket 3 udp4", "sendto 3 127.0.0.1 5000", "name 3", NULL,
	};
	struct run run;

	run_one_port(&run, steps);
	cr_assert_eq(port_of(&run, "name 0"), 20000);
	cr_assert_eq(port_of(&run, "name 1"), 20000);
	cr_assert_str_eq(result_of(&run, "sendto 2 127.0.0.1 5000"), "-1 EAGAIN");
	cr_assert_eq(port_of(&run, "name 3"), 20000, "%s", run.out);
}

/* Every descriptor that the library opens for a moment is marked from its birth: a fork and exec in another thread
 * takes none along. */
Test(closing, nothing_goes_to_a_child)
{
	static const char *const strace[] = { "strace", "-e", "trace=open,openat,socket,memfd_create,dup,fcntl", "-o",
	                                      "/dev/stdout", NULL };
	static const char *const steps[] = {
		"socket 0 udp4", "sendto 0 127.0.0.1 5000", "socket 1 udp4", "sendto 1 127.0.0.1 5000", "socket 2 tcp4",
		"connect 2 127.0.0.1 5000", "socket 3 tcp4", "connect 3 127.0.0.1 5001", "socket 4 tcp4",
		"connect 4 127.0.0.1 5000", NULL,
	};
	struct run run = { .policy = "[portshim]\nlog = debug\nlog-to = /dev/shm/log\n" ONE_PORT };
	int opened = 0, asked = 0;

	company_meet();
	company_run(&run, strace, NULL, steps);
	for (const char *line = run.out, *end; *line; line = *end ? end + 1 : end) {
		bool netlink, file;

		end = strchrnul(line, '\n');
		netlink = memmem(line, (size_t)(end - line), "AF_NETLINK", 10);
		file = memmem(line, (size_t)(end - line), "openat(", 7);
		if (netlink || file)
			cr_assert(memmem(line, (size_t)(end - line), "_CLOEXEC", 8), "%.*s", (int)(end - line), line);
		opened += file;
		asked += netlink;
	}
	cr_assert_gt(opened, 8, "%s", run.out);
	cr_assert_gt(asked, 0, "%s", run.out);
}
