/* test_audit.c - `audit = PATH` under a supervisor: it writes the lines, of the programs. (What they say else is in
 * tests/shim/test_audit.c, which test_again.c plays under a supervisor.) */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/supervised.h"

TestSuite(audit, .init = supervised_enter, .fini = supervised_leave);

static struct run run;

static const char *audited(void)
{
	static char policy[256];

	snprintf(policy, sizeof(policy), "[portshim]\naudit = %s\n[rule r]\nports = " EARLY_SET "\n", file_path("audit"));
	return policy;
}

/* Whether a line of the file has these words. */
static void expect_line(const char *words)
{
	shell("grep -F '%s' %s >%s || { cat %s; false; }", words, file_path("audit"), file_path("found"), file_path("audit"));
}

static void expect_number(const char *key, int number, const char *behind)
{
	char words[64];

	snprintf(words, sizeof(words), "\"%s\":%d%s", key, number, behind);
	expect_line(words);
}

/* The program's process, path and user, not the supervisor's; and a program that a static program starts. */
Test(audit, says_whose_call_it_was)
{
	const char *argv[] = { built("tests/probes/static_connect"), "127.0.0.1", "5000", NULL };
	const char *steps[] = { built("tests/probes/act"), "setuid 1000", "socket 0 udp4", "sendto 0 127.0.0.1 9", "pause", NULL };

	server_tcp("127.0.0.1", 5000);
	run = (struct run){ .policy = audited() };
	story_run(&run, argv);
	expect_line("/static_connect\",\"user\":0,\"call\":\"connect\",\"protocol\":\"tcp\",\"local_address\":\"127.0.0.1\"");
	run = (struct run){ .policy = audited() };
	story_start(&run, steps);
	run_until_paused(&run);
	expect_number("pid", (int)program_of(&run), ",");
	expect_line("/act\",\"user\":1000,\"call\":\"send\",\"protocol\":\"udp\"");
	run_go_on(&run);
	run_end(&run);
	cr_expect(exited(&run, 0));
}

/* A program that hangs in connect() and is killed. */
Test(audit, a_connection_that_hangs)
{
	const char *argv[] = { built("tests/probes/act"), "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL };
	int listener = server_tcp("127.0.0.1", 5000), port;

	queue_fill(listener);
	run = (struct run){ .policy = audited() };
	story_start(&run, argv);
	port = queue_wait_for_attempt(5000);
	kill(program_of(&run), SIGKILL);
	run_end(&run);
	expect_number("local_port", port, ",\"remote_address\":\"127.0.0.1\",\"remote_port\":5000}");
}

/* The path is the supervisor's: what the program does to its own root, its descriptors and its rights is nothing to it. */
Test(audit, a_program_that_shuts_itself_off)
{
	const char *argv[] = { built("tests/probes/act"), "socket 0 udp4", "socket 1 udp4", "chroot /proc", "setuid 1000",
	                       "no-new-privileges", "limit", "sendto 0 127.0.0.1 9", "name 0", "sendto 1 127.0.0.1 9", "name 1", NULL };

	run = (struct run){ .policy = audited() };
	story_run(&run, argv);
	cr_expect(exited(&run, 0), "%s", run.err);
	expect_number("local_port", port_of(&run, "name 0"), ",");
	expect_number("local_port", port_of(&run, "name 1"), ",");
}
