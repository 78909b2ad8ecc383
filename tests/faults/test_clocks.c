/* test_clocks.c - clocks that stand elsewhere: processes of other time namespaces, and one that finds its clock put back.
 *
 * A clock that jumps within a process is no concern: nothing but an audit's lines is taken from the time of day, and the clock that
 * the table goes by does not jump, nor go on while the machine sleeps. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/crowd.h"

#define TRIES 100
#define DAY "86400"
#define AHEAD "/usr/bin/env", "-u", "LD_PRELOAD", "unshare", "--time", "--fork", "--kill-child", "--monotonic", DAY, "--boottime", DAY

static pid_t servers;

static void enter(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	servers = crowd_serve(5000, 5001, SERVER_RESETS);
}

static void leave(void)
{
	crowd_end(servers);
}

TestSuite(clocks, .init = enter, .fini = leave, .timeout = 120);

/* The child's clock is a day behind its parent's: the kernel's settings, which the parent has read, are read again all the same, and
 * no late port is taken from a range that is no more. */
Test(clocks, put_back)
{
	static struct run run;
	char preload[600];
	const char *argv[] = { AHEAD, "/usr/bin/env", preload, built("tests/probes/act"), "socket 0 tcp4", "connect 0 127.0.0.1 5000",
	                       "name 0", "machines-time", "pause", "sleep 1050", "socket 1 tcp4", "connect 1 127.0.0.1 5000",
	                       "name 1", NULL };

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", realpath(built("libportshim.so"), NULL));
	run = (struct run){ .policy = "[rule r]\nports = 40500-40501\n" };
	run_start(&run, argv);
	run_until_paused(&run);
	net_set("net/ipv4/ip_local_port_range", "50000 50999");
	run_go_on(&run);
	run_end(&run);
	cr_assert_str_eq(result_of(&run, "machines-time"), "0", "%s%s", run.out, run.err);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5000"), "0", "%s", run.out);
	cr_assert(port_of(&run, "name 1") == 40500 || port_of(&run, "name 1") == 40501, "%s", run.out);
}

#define RULE "[rule r]\nports = 20000-20003\nchoose = least-recent\ncooldown = 1h\n"
#define FOUR "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5000", "socket 2 tcp4", \
	"connect 2 127.0.0.1 5000", "socket 3 tcp4", "connect 3 127.0.0.1 5000", "socket 4 tcp4", "connect 4 127.0.0.1 5000"

/* Words that start the probe, ahead of the machine's time or not. */
static size_t begin(const char *argv[], const char *preload, bool ahead)
{
	const char *const words[] = { AHEAD, "/usr/bin/env", preload, built("tests/probes/act") };
	size_t n = sizeof(words) / sizeof(words[0]), first = ahead ? 0 : n - 1;

	for (size_t i = first; i < n; i++)
		argv[i - first] = words[i];
	return n - first;
}

/* One has ports and stops, or is killed, another shares the table from a day later or before. What the one gave last looks as if it
 * were in the future, or long ago: none of that keeps the other from the ports that are free, or from telling at once that none is. */
static void beside(bool ahead)
{
	static const char *const held[] = { "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 udp4", "bind 1 0.0.0.0 0", "pause", NULL };
	/* The server has reset its first before that is closed: nothing stays behind. */
	static const char *const all[] = { FOUR, "drain 0", "close 0", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 5 udp4",
	                                   "bind 5 0.0.0.0 0", "socket 6 udp4", "bind 6 0.0.0.0 0", "socket 7 udp4", "bind 7 0.0.0.0 0",
	                                   "socket 8 udp4", "bind 8 0.0.0.0 0", NULL };
	static struct run one, other;
	char preload[600];
	const char *argv[64];
	size_t n;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", realpath(built("libportshim.so"), NULL));
	n = begin(argv, preload, ahead);
	memcpy(argv + n, held, sizeof(held));
	one = (struct run){ .policy = RULE };
	run_start(&one, argv);
	run_until_paused(&one);
	n = begin(argv, preload, !ahead);
	memcpy(argv + n, all, sizeof(all));
	other = (struct run){ .policy = RULE };
	run_program(&other, argv);
	cr_expect_str_eq(result_of(&other, "connect 2 127.0.0.1 5000"), "0", "%s", other.out);
	cr_expect_str_eq(result_of(&other, "connect 0 127.0.0.1 5000"), "0", "%s", other.out);
	cr_expect_str_eq(result_of(&other, "bind 7 0.0.0.0 0"), "0", "%s", other.out);
	cr_expect_str_eq(result_of(&other, "bind 8 0.0.0.0 0"), "-1 EADDRINUSE", "%s", other.out);
	run_go_on(&one);
	run_end(&one);
	cr_expect_str_eq(result_of(&one, "bind 1 0.0.0.0 0"), "0", "%s%s", one.out, one.err);
	/* A set that was used up is looked through again after four times as long as that took. */
	for (int i = 0; i < TRIES && (i == 0 || strcmp(result_of(&other, "connect 3 127.0.0.1 5000"), "0") != 0); i++)
		run_program(&other, argv);
	cr_expect_str_eq(result_of(&other, "connect 3 127.0.0.1 5000"), "0", "%s", other.out);
	cr_expect_str_eq(result_of(&other, "bind 8 0.0.0.0 0"), "0", "%s", other.out);
}

Test(clocks, a_day_behind_another)
{
	beside(true);
}

Test(clocks, a_day_before_another)
{
	beside(false);
}
