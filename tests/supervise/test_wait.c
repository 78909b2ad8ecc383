/* test_wait.c - `exhausted = wait` where several threads wait with one socket. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/harness.h"

TestSuite(wait, .init = net_own);

/* The first that has the port has it for all: it is the socket's. */
Test(wait, threads_with_one_socket_wait_for_one_port)
{
	const char *const argv[] = { built("portshim"), "run", "--supervise", built("tests/probes/wait_together"), NULL };
	struct run run = { .bare = true, .policy = "[rule it]\nports = 20001\nexhausted = wait 10s\n" };

	run_program(&run, argv);
	cr_assert(exited(&run, 0), "status 0x%x %s%s", (unsigned int)run.status, run.out, run.err);
	cr_expect_str_eq(run.out, "holder 0\n0\n0\n0\n0\n", "%s", run.out);
}
