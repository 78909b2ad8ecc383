/* test_strangers.c - `portshim explain` and `doctor` of processes that are not this user's, or not in this file system. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "tests/tools/show.h"

TestSuite(strangers, .init = world_enter, .fini = world_leave, .timeout = 120);

/* The environment of a process is what its user has made of it. */
Test(strangers, do_not_write_to_the_terminal)
{
	struct run run = { .bare = true, .env = { "PORTSHIM_CONF=/nowhere/\033[2J\xc2\x9b" "2J",
	                                          "LD_PRELOAD=/nowhere/\033[2J/libportshim.so" } };
	char pid[32];
	run_start_steps(&run, "pause", NULL);
	run_until_paused(&run);
	snprintf(pid, sizeof(pid), "--pid=%d", run.pid);
	SHOW("explain", pid, "tcp", "127.0.0.1:5000");
	cr_expect(exited(&shown, 2));
	cr_expect(strstr(shown.err, "/nowhere/?[2J?2J: error: no such file"), "%s", shown.err);
	expect_no_control(shown.err);
	SHOW("doctor", pid + strlen("--pid="));
	EXPECT_HAS("LD_PRELOAD names libportshim.so, and the loader did not take it (/nowhere/?[2J/libportshim.so)");
	expect_no_control(shown.out);
	SHOW("explain", "-c", file_make("p\033[2J", "[rule a]\nports = 1\n"), "tcp", "127.0.0.1:5000", "cat");
	EXPECT_HAS("/p?[2J:1): ");
	expect_no_control(shown.out);
	SHOW("run", "--log=info", "-c", file_make("q\033[2J", "[rule a]\nprogram = b\nports = 1\n"), "cat");
	cr_expect(strstr(shown.err, "/q?[2J concerns cat itself"), "%s", shown.err);
	expect_no_control(shown.err);
	run_go_on(&run);
	run_end(&run);
}

/* In a container: its path is not that of the machine's file of the same name. */
Test(strangers, have_their_own_files)
{
	struct run run = { .bare = true, .env = { NULL, NULL } };
	char pid[32], line[512], variable[256];
	const char *argv[] = { "unshare", "-m", "sh", "-c", line, NULL };
	const char *theirs = strdup(file_make("theirs", "[rule theirs]\nports = 21000\n"));
	const char *here = strdup(file_make("conf", "[rule here]\nports = 20000\n"));
	snprintf(line, sizeof(line), "mount --bind %s %s && exec %s pause", theirs, here, realpath(built("tests/probes/act"), NULL));
	snprintf(variable, sizeof(variable), "PORTSHIM_CONF=%s", here);
	run.env[0] = variable;
	run_start(&run, argv);
	run_until_paused(&run);
	snprintf(pid, sizeof(pid), "--pid=%d", run.pid);
	SHOW("explain", pid, "tcp", "127.0.0.1:5000");
	EXPECT_HAS("rule theirs (");
	SHOW("doctor", pid + strlen("--pid="));
	EXPECT_HAS("theirs: can decide its calls");
	run_go_on(&run);
	run_end(&run);
}
