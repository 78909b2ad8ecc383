/* test_syscalls.c - what portshim adds to a call is counted: one system call to a connect, none to a send. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define FEW "10"
#define MANY "210"
#define DIFFERENCE 200

/* Takes connections and resets until the test ends. */
static pid_t serve(void)
{
	int listener = server_tcp("127.0.0.1", 5000);
	pid_t pid;

	server_udp("127.0.0.1", 5000);
	pid = fork();
	if (pid != 0)
		return pid;
	for (;;)
		server_accept(listener, NULL);
}

/* All system calls of a run of `load`, as strace counts them. strace itself is not preloaded. */
static int calls_of(const char *how, const char *count, const char *ports)
{
	static struct run run;
	char preload[600], policy[64];
	const char *argv[] = { "strace", "-c", "-o", "/dev/stdout", "-E", preload, "-E", policy, built("tests/bench/load"),
	                       how, count, "127.0.0.1", "5000", NULL };
	char *line;
	int total = 0;

	run = (struct run){ .bare = true };
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", ports ? built("libportshim.so") : "");
	snprintf(policy, sizeof(policy), "PORTSHIM_PORTS=%s", ports ? ports : "");
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s", run.err);
	line = strstr(run.out, " total\n");
	cr_assert_not_null(line, "%s", run.out);
	*line = '\0';
	/* "100.00 0.01 12 3456": the fourth column. */
	cr_assert_eq(sscanf(strrchr(run.out, '\n') + 1, "%*s %*s %*s %d", &total), 1);
	return total;
}

/* What so many further calls add to the count: what a program does once at its start falls out. */
static int added(const char *how, const char *ports)
{
	return calls_of(how, MANY, ports) - calls_of(how, FEW, ports);
}

static void extra_per_call(const char *how, const char *ports, int extra)
{
	pid_t server;
	int bare, shimmed, more;

	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	server = serve();
	bare = added(how, NULL);
	shimmed = added(how, ports);
	kill(server, SIGKILL);
	more = shimmed - bare - extra * DIFFERENCE;
	/* Nothing else but the settings of the kernel, read once a second: 13 calls a time. */
	cr_assert(more >= 0 && more <= 39, "%d calls: %d bare, %d under portshim", DIFFERENCE, bare, shimmed);
}

Test(syscalls, one_more_for_a_late_connect)
{
	extra_per_call("connect", "40100-40899", 1);
}

Test(syscalls, one_more_for_an_early_connect)
{
	extra_per_call("connect", "20100-20899", 1);
}

Test(syscalls, none_for_a_send_on_a_bound_socket)
{
	extra_per_call("sendto", "20100-20899", 0);
}
