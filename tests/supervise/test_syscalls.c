/* test_syscalls.c - what the supervisor does for a call is counted: the system calls from taking its notification to
 * answering it. A second look at what does not change, or a question that nobody needs, is found here. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define STEPS "20"
#define COUNTED 100 /* calls for one notification, at most */

#define LATE "40100-40899"
#define EARLY "20100-20899"

static char folder[] = "/tmp/portshim-test-XXXXXX";
static pid_t server;

/* Takes connections and resets until the test ends. */
static void begin(void)
{
	int listener;

	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	cr_assert_not_null(mkdtemp(folder));
	listener = server_tcp("127.0.0.1", 5000);
	server_udp("127.0.0.1", 5000);
	server = fork();
	while (server == 0)
		server_accept(listener, NULL);
}

static void traces(glob_t *found)
{
	char pattern[64];

	snprintf(pattern, sizeof(pattern), "%s/*", folder);
	if (glob(pattern, 0, NULL, found) != 0)
		found->gl_pathc = 0;
}

static void end(void)
{
	glob_t found;

	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	traces(&found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	rmdir(folder);
}

TestSuite(syscalls, .init = begin, .fini = end);

/* Adds what one thread did: how many notifications took it so many calls. */
static void count_trace(const char *path, int seen[COUNTED])
{
	FILE *trace = fopen(path, "re");
	char line[4096];
	int calls = 0;

	while (trace && fgets(line, sizeof(line), trace)) {
		calls++;
		if (strstr(line, "SECCOMP_IOCTL_NOTIF_RECV"))
			calls = 1;
		if (!strstr(line, "SECCOMP_IOCTL_NOTIF_SEND"))
			continue;
		seen[calls < COUNTED ? calls : COUNTED - 1]++;
	}
	if (trace)
		fclose(trace);
}

/* The usual number for a call of that kind (see bench/steps.c). The kernel's settings are read again once a second, and a
 * thread starts another now and then: those are not what most calls take. */
static int usual(const char *how, const char *ports)
{
	static struct run run;
	char output[64];
	const char *argv[] = { "strace", "-ff", "-o", output, built("portshim"), "run", "--mode=supervise", "-p", ports, "--",
	                       built("tests/bench/steps"), how, STEPS, "1", "127.0.0.1", "5000", NULL };
	int seen[COUNTED] = { 0 }, most = 0;
	glob_t found;

	snprintf(output, sizeof(output), "%s/trace", folder);
	run = (struct run){ .bare = true };
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s", run.err);
	traces(&found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		count_trace(found.gl_pathv[i], seen);
	for (int calls = 0; calls < COUNTED; calls++)
		if (seen[calls] > seen[most])
			most = calls;
	cr_assert_gt(seen[most], atoi(STEPS) / 2, "no usual number: %d of %d", most, seen[most]);
	return most;
}

static void expect(const char *how, const char *ports, int calls)
{
	int most = usual(how, ports);

	cr_expect(most == calls, "%d calls", most);
}

/* All that is to be known of an unbound socket is asked, once: nine questions. fcntl() three times around connect(). */
Test(syscalls, late_connect)
{
	expect("connect", LATE, 21);
}

Test(syscalls, early_connect)
{
	expect("connect", EARLY, 25);
}

Test(syscalls, bind)
{
	expect("bind", EARLY, 18);
}

Test(syscalls, first_datagram)
{
	expect("query", EARLY, 18);
}

Test(syscalls, datagram_of_a_bound_socket)
{
	expect("sendto", EARLY, 9);
}

/* Of no concern: that is seen by a look at the socket; what it points to is not read. */
Test(syscalls, message_of_another_kind_of_socket)
{
	expect("nameless", EARLY, 6);
}
