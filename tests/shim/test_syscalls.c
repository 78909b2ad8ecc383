/* test_syscalls.c - what portshim adds to a call is counted: one system call to a connect, two where others
 * may share the port early, none to a send. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/table.h"
#include "tests/lib/harness.h"

#define FEW "10"
#define MANY "210"
#define DIFFERENCE 200

/* Takes connections and resets until the test ends. */
static pid_t serve(void)
{
	int listener = server_tcp("127.0.0.1", 5000), datagrams = server_udp("127.0.0.1", 5000);
	pid_t pid = fork();

	if (pid != 0) {
		close(listener);
		close(datagrams);
		return pid;
	}
	for (;;)
		server_accept(listener, NULL);
}

/* All system calls of a run of `load`, as strace counts them. strace itself is not preloaded. */
static int calls_of(const char *how, const char *count, const char *variable)
{
	static struct run run;
	char preload[600], policy[160];
	const char *argv[] = { "strace", "-c", "-o", "/dev/stdout", "-E", preload, "-E", policy, built("tests/bench/load"),
	                       how, count, "127.0.0.1", "5000", NULL };
	char *line;
	int total = 0;

	run = (struct run){ .bare = true };
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", variable ? built("libportshim.so") : "");
	snprintf(policy, sizeof(policy), "%s", variable ? variable : "PORTSHIM_PORTS=");
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
static int added(const char *how, const char *variable)
{
	return calls_of(how, MANY, variable) - calls_of(how, FEW, variable);
}

static void enter(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
}

static void extra_of_calls(const char *how, const char *variable, int extra)
{
	pid_t server;
	int bare, shimmed, more;

	server = serve();
	bare = added(how, NULL);
	shimmed = added(how, variable);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	more = shimmed - bare - extra * DIFFERENCE;
	/* Nothing else but the settings of the kernel, read once a second: 13 calls a time. */
	cr_assert(more >= 0 && more <= 39, "%d calls: %d bare, %d under portshim", DIFFERENCE, bare, shimmed);
}

static void extra_per_call(const char *how, const char *variable, int extra)
{
	enter();
	extra_of_calls(how, variable, extra);
}

Test(syscalls, one_more_for_a_late_connect)
{
	extra_per_call("connect", "PORTSHIM_PORTS=40100-40899", 1);
}

/* bind(), and SO_REUSEADDR for those who come later. Nothing is asked about the port. */
Test(syscalls, two_more_for_an_early_connect)
{
	extra_per_call("connect", "PORTSHIM_PORTS=20100-20899", 2);
}

Test(syscalls, none_for_a_send_on_a_bound_socket)
{
	extra_per_call("sendto", "PORTSHIM_PORTS=20100-20899", 0);
}

/* With a policy in a file. */
static void extra_with(const char *policy, int extra)
{
	char path[] = "/tmp/portshim-test-XXXXXX", variable[64];
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && write(fd, policy, strlen(policy)) == (ssize_t)strlen(policy));
	close(fd);
	snprintf(variable, sizeof(variable), "PORTSHIM_CONF=%s", path);
	extra_of_calls("connect", variable, extra);
	unlink(path);
}

Test(syscalls, one_more_for_an_exclusive_connect)
{
	enter();
	extra_with("[rule r]\nports = 20100-20899\nshare = never\n", 1);
}

/* That a policy may be reloaded costs a look into memory, and where there is no table yet, one into a file each second. */
Test(syscalls, none_more_for_policies_that_may_be_reloaded)
{
	char path[96];
	struct text text = TEXT_OVER(path);
	int error, fd;

	enter();
	extra_with("[rule other]\nprogram = other\nports = 20100\n", 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert(table_path(&text, geteuid(), fd));
	cr_assert_eq(table_announce(path, false, fd, &error), 1);
	close(fd);
	extra_with("[rule r]\nports = 20100-20899\nshare = never\n", 1);
}
