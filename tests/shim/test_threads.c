/* test_threads.c - the first call of a process may be made by several threads at once. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/harness.h"

#define THREADS 16
#define ROUNDS 50

static void all_in(const struct run *run, int lo, int hi)
{
	bool seen[THREADS] = { false };
	int lines = 0;

	cr_assert(exited(run, 0), "%s", run->err);
	for (const char *line = run->out; *line; line = strchr(line, '\n') + 1, lines++) {
		int port = atoi(line);

		cr_assert(port >= lo && port <= hi, "%.*s", (int)strcspn(line, "\n"), line);
		cr_assert(!seen[port - lo], "port %d twice", port);
		seen[port - lo] = true;
	}
	cr_assert_eq(lines, THREADS);
}

/* As many ports as threads: each thread has one, and nobody leaves from elsewhere, in any of many rounds. */
static void first_calls_at_once(int lo)
{
	static struct run run;
	char policy[64];
	const char *argv[] = { built("tests/probes/threads"), "16", "5000", NULL };

	snprintf(policy, sizeof(policy), "[rule r]\nports = %d-%d\n", lo, lo + THREADS - 1);
	for (int i = 0; i < ROUNDS; i++) {
		net_own();
		net_set("net/ipv4/ip_local_port_range", "40000 40999");
		server_tcp("127.0.0.1", 5000);
		run = (struct run){ .policy = policy };
		run_program(&run, argv);
		all_in(&run, lo, lo + THREADS - 1);
	}
}

Test(threads, first_calls_at_once_early)
{
	first_calls_at_once(20000);
}

Test(threads, first_calls_at_once_late)
{
	first_calls_at_once(40500);
}

/* What is broken is said once, by whoever comes first. */
Test(threads, said_once)
{
	static struct run run;
	const char *argv[] = { built("tests/probes/threads"), "16", "5000", NULL };

	net_own();
	server_tcp("127.0.0.1", 5000);
	for (int i = 0; i < 20; i++) {
		run = (struct run){ .policy = "[rule r]\nport = 1\n" };
		run_program(&run, argv);
		cr_assert(exited(&run, 0));
		cr_assert_not_null(strstr(run.err, "unknown key"));
		cr_assert_null(strstr(strstr(run.err, "unknown key") + 1, "unknown key"), "%s", run.err);
	}
}
