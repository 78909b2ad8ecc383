/* test_crowd.c - many processes and threads on one set of ports: each connection that could be had is had, in range. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/crowd.h"

/* Outside the ephemeral range, and inside: bound early, taken late. */
static const int early = 20000, late = 40100;

static void own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	net_set("net/core/somaxconn", "4096");
}

static void swarm(struct run *run, const char *mode, int processes, int threads, int count, int lo, int ports, const char *keys)
{
	char policy[256], number[5][16];
	const char *argv[] = { built("tests/probes/swarm"), mode, number[0], number[1], number[2], number[3], number[4],
	                       "5000", NULL };

	snprintf(policy, sizeof(policy), "[rule r]\nports = %d-%d\n%s", lo, lo + ports - 1, keys);
	snprintf(number[0], 16, "%d", processes);
	snprintf(number[1], 16, "%d", threads);
	snprintf(number[2], 16, "%d", count);
	snprintf(number[3], 16, "%d", lo);
	snprintf(number[4], 16, "%d", lo + ports - 1);
	run->policy = policy;
	run_program(run, argv);
	run->policy = NULL;
	cr_assert(exited(run, 0), "%s%s", run->out, run->err);
	cr_assert_str_empty(run->err, "%s", run->err);
	cr_assert_eq(crowd_count(run, "outside"), 0);
	cr_assert_eq(crowd_count(run, "failed"), 0, "%s", run->out);
}

static void all_of(enum ending ending, const char *mode, int processes, int threads, int count, int lo, int ports,
                   const char *keys)
{
	static struct run run;
	pid_t server;

	own();
	server = crowd_serve(5000, 5000, ending);
	swarm(&run, mode, processes, threads, count, lo, ports, keys);
	crowd_end(server);
	cr_assert_eq(crowd_count(&run, "had"), processes * threads * count, "%s", run.out);
}

/* --- 4 processes, 200 connections each, 100 ports ---------------------------------------------------------- */

Test(crowd, reset_early)
{
	all_of(SERVER_RESETS, "eof", 4, 1, 200, early, 100, "");
}

Test(crowd, reset_late)
{
	all_of(SERVER_RESETS, "eof", 4, 1, 200, late, 100, "");
}

Test(crowd, server_first_early)
{
	all_of(SERVER_CLOSES, "eof", 4, 1, 200, early, 100, "");
}

Test(crowd, server_first_late)
{
	all_of(SERVER_CLOSES, "eof", 4, 1, 200, late, 100, "");
}

/* Every port is soon in TIME_WAIT: an early bind takes it over, where the kernel's own range stops at 100. */
Test(crowd, client_first_early)
{
	all_of(CLIENT_CLOSES, "first", 4, 1, 200, early, 100, "");
}

/* Clients that do not wait are faster than the server: then all ports are in live connections at times. */
Test(crowd, client_does_not_wait_early)
{
	all_of(CLIENT_CLOSES, "close", 4, 1, 200, early, 100, "exhausted = wait 20s\n");
}

/* Late, a port in TIME_WAIT can be had again after a second. */
Test(crowd, client_first_late_with_patience)
{
	all_of(CLIENT_CLOSES, "first", 4, 1, 200, late, 100, "exhausted = wait 60s\n");
}

/* Without patience each port serves once, as the kernel's own do: how many serve again after a second depends on how long
 * it all takes. */
Test(crowd, client_first_late)
{
	static struct run run;
	pid_t server;

	own();
	server = crowd_serve(5000, 5000, CLIENT_CLOSES);
	swarm(&run, "first", 4, 1, 200, late, 100, "");
	crowd_end(server);
	cr_assert_geq(crowd_count(&run, "had"), 100);
	cr_assert_eq(crowd_count(&run, "had") + crowd_count(&run, "no port"), 800);
}

/* --- more of them -------------------------------------------------------------------------------------------- */

Test(crowd, sixteen_processes_early)
{
	all_of(SERVER_RESETS, "eof", 16, 1, 500, early, 100, "");
}

Test(crowd, sixteen_processes_late)
{
	all_of(SERVER_RESETS, "eof", 16, 1, 500, late, 100, "");
}

Test(crowd, eight_threads_early)
{
	all_of(SERVER_CLOSES, "eof", 1, 8, 2000, early, 100, "");
}

Test(crowd, eight_threads_late)
{
	all_of(SERVER_CLOSES, "eof", 1, 8, 2000, late, 100, "");
}
