/* test_sandbox.c - a supervised program that has given rights up does not get them back through the supervisor. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/harness.h"

TestSuite(sandbox, .init = net_own);

static struct run run;

/* The probe's lines, bare and under the supervisor. */
static void expect_same(const char *what, const char *port, const char *ports, const char *lines)
{
	const char *const bare[] = { built("tests/probes/landlocked"), what, port, NULL };
	const char *const supervised[] = { built("portshim"), "run", "--supervise", "-p", ports, bare[0], what, port, NULL };
	const char *const *const both[] = { bare, supervised };

	for (int i = 0; i < 2; i++) {
		run = (struct run){ .bare = true };
		run_program(&run, both[i]);
		cr_assert(exited(&run, 0), "status 0x%x %s", (unsigned int)run.status, run.err);
		cr_expect_str_eq(run.out, lines, "%s%s", i ? "supervised: " : "", run.out);
	}
}

static bool somebody_came(int listener)
{
	struct pollfd one = { .fd = listener, .events = POLLIN };

	return poll(&one, 1, 0) > 0;
}

/* Landlock (Linux 6.7): no connection is made in the program's place. */
Test(sandbox, connections_that_landlock_forbids)
{
	int listener = server_tcp("127.0.0.1", 5000);

	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	expect_same("connect", "5000", "20000-20009", "blocking EACCES\nother EACCES\n");
	expect_same("connect", "5000", "40500-40509", "blocking EACCES\nother EACCES\n");
	cr_expect_not(somebody_came(listener));
}

Test(sandbox, binds_that_landlock_forbids)
{
	expect_same("bind", "6000", "20000-20009", "bind EACCES\n");
}

/* Root's supervisor binds no low port for a program that may not. */
Test(sandbox, low_ports_of_a_program_without_the_right)
{
	const char *const argv[] = { built("portshim"), "run", "--supervise", "-p", "20000-20009", "setpriv", "--bounding-set=-all",
	                             "--inh-caps=-all", "--reuid=65534", "--clear-groups", built("kinds/static"), "socket 0 tcp4",
	                             "bind 0 127.0.0.1 80", "bind 0 127.0.0.1 8080", NULL };

	run = (struct run){ .bare = true };
	net_own_for_all_users();
	run_program(&run, argv);
	cr_expect(strstr(run.out, "EACCES"), "%s%s", run.out, run.err);
	cr_expect(exited(&run, 0), "status 0x%x %s", (unsigned int)run.status, run.err);
}
