/* test_policy_faults.c - no policy, a broken one, one that may not be read: said once, never a crash, never silence. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define BROKEN "[rule r]\nport = 20000\nto = 10.0.0.1/8\n"

static int occurrences(const char *text, const char *words)
{
	int n = 0;

	for (; (text = strstr(text, words)); text++)
		n++;
	return n;
}

/* Two connects: what is said must be said once. Calls pass as if the library were absent. */
static void passes_and_says(struct run *run, const char *words)
{
	net_own();
	server_tcp("127.0.0.1", 5000);
	run_steps(run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5000", NULL);
	cr_assert(exited(run, 0));
	cr_assert_str_eq(result_of(run, "connect 0 127.0.0.1 5000"), "0");
	cr_assert_str_eq(result_of(run, "connect 1 127.0.0.1 5000"), "0");
	cr_assert_eq(occurrences(run->err, words), 1, "\"%s\" in\n%s", words, run->err);
	cr_assert_eq(occurrences(run->err, "portshim:"), 1, "%s", run->err);
	cr_assert_not_null(strstr(run->err, "all calls pass"));
}

Test(policy_faults, broken)
{
	struct run run = { .policy = BROKEN };

	passes_and_says(&run, ":2: error: unknown key 'port'");
	cr_assert_eq(occurrences(run.err, ":3: error: "), 1, "all errors are reported: %s", run.err);
}

Test(policy_faults, missing)
{
	struct run run = { .env = { "PORTSHIM_CONF=/nonexistent/portshim.conf" } };

	passes_and_says(&run, "/nonexistent/portshim.conf: error: no such file");
}

Test(policy_faults, none_found)
{
	struct run run = { .env = { NULL } };

	passes_and_says(&run, "none found");
}

Test(policy_faults, a_folder)
{
	struct run run = { .env = { "PORTSHIM_CONF=/tmp" } };

	passes_and_says(&run, "/tmp: error: ");
}

Test(policy_faults, bad_ports_variable)
{
	struct run run = { .env = { "PORTSHIM_PORTS=2-1" } };

	passes_and_says(&run, "PORTSHIM_PORTS: error: ");
}

Test(policy_faults, unreadable)
{
	char path[] = "/tmp/portshim-test-XXXXXX", variable[64];
	struct run run = { .env = { variable } };
	const char *argv[] = { "setpriv", "--reuid=65534", "--clear-groups", built("tests/probes/act"), "socket 0 tcp4",
	                       "connect 0 127.0.0.1 5000", NULL };

	close(mkstemp(path)); /* 0600, root's */
	snprintf(variable, sizeof(variable), "PORTSHIM_CONF=%s", path);
	net_own_for_all_users();
	server_tcp("127.0.0.1", 5000);
	run_program(&run, argv);
	unlink(path);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	cr_assert_eq(occurrences(run.err, "may not be read"), 1, "%s", run.err);
}

Test(policy_faults, strict_refuses_network_calls_and_no_others)
{
	struct run run = { .policy = BROKEN, .env = { "PORTSHIM_STRICT=1" } };

	net_own();
	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "bind 0 127.0.0.1 0", "listen 0", "socket 1 udp4",
	          "sendto 1 127.0.0.1 9", "sendmsg 1 127.0.0.1 9", "socket 2 unix", "connect 2 unix /nonexistent", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "-1 EPERM");
	cr_assert_str_eq(result_of(&run, "bind 0 127.0.0.1 0"), "-1 EPERM");
	cr_assert_str_eq(result_of(&run, "listen 0"), "-1 EPERM");
	cr_assert_str_eq(result_of(&run, "sendto 1 127.0.0.1 9"), "-1 EPERM");
	cr_assert_str_eq(result_of(&run, "sendmsg 1 127.0.0.1 9"), "-1 EPERM");
	cr_assert_str_eq(result_of(&run, "connect 2 unix /nonexistent"), "-1 ENOENT");
	cr_assert_eq(occurrences(run.err, "PORTSHIM_STRICT=1"), 1);
}

Test(policy_faults, disabled)
{
	struct run run = { .policy = BROKEN, .env = { "PORTSHIM_DISABLE=1", "PORTSHIM_STRICT=1" } };

	net_own();
	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	cr_assert_str_empty(run.err);
}

Test(policy_faults, log_none_is_silent)
{
	struct run run = { .policy = BROKEN, .env = { "PORTSHIM_LOG=none" } };

	net_own();
	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	cr_assert_str_empty(run.err);
}

/* A daemon that has put something of its own at descriptor 2 must not find our words there. */
Test(policy_faults, stderr_that_is_not_stderr_any_more)
{
	struct run run = { .policy = BROKEN };
	char script[512];
	const char *argv[] = { "/usr/bin/python3", "-c", script, NULL };
	struct stat st;
	char path[] = "/tmp/portshim-test-XXXXXX";

	close(mkstemp(path));
	snprintf(script, sizeof(script),
	         "import os, socket\n"
	         "fd = os.open('%s', os.O_WRONLY); os.dup2(fd, 2)\n"
	         "s = socket.socket(); s.connect(('127.0.0.1', 5000)); print('connected')\n", path);
	net_own();
	server_tcp("127.0.0.1", 5000);
	run_program(&run, argv);
	cr_assert(printed(&run, "connected"), "%s", run.err);
	cr_assert(stat(path, &st) == 0 && st.st_size == 0, "the library wrote into the program's file");
	unlink(path);
}

/* The policy is read before chroot() hides it. */
Test(policy_faults, after_chroot)
{
	struct run run = { .policy = "[rule r]\nports = 20000\n" };

	net_own();
	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "chroot /proc/self/fdinfo", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, "chroot /proc/self/fdinfo"), "0");
	cr_assert_eq(port_of(&run, "name 0"), 20000);
}
