/* test_place.c - the policy is a pipe; the table goes, or another comes in its place, while programs use it. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/crowd.h"

#define FOUR_PORTS "[rule r]\nports = 20000-20003\n"
#define PIPE "/dev/shm/policy"

static pid_t servers;

static void enter(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	servers = crowd_serve(5000, 5001, CLIENT_CLOSES);
}

static void leave(void)
{
	crowd_end(servers);
}

TestSuite(place, .init = enter, .fini = leave, .timeout = 120);

/* --- a pipe for a policy --- */

/* Nobody writes to it: that is no policy without rules. */
Test(place, policy_from_a_pipe)
{
	struct run run = { .env = { "PORTSHIM_CONF=" PIPE } }, strict = { .env = { "PORTSHIM_CONF=" PIPE, "PORTSHIM_STRICT=1" } };

	cr_assert_eq(mkfifo(PIPE, 0600), 0);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5000"), "0");
	cr_assert_not_null(strstr(run.err, PIPE ": error: a pipe with nothing in it; name a regular file"), "%s", run.err);
	cr_assert_not_null(strstr(run.err, "all calls pass"), "%s", run.err);
	run_steps(&strict, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&strict, "connect 0 127.0.0.1 5000"), "-1 EPERM");
}

/* One that somebody writes to has a policy for the first that reads it, and says so to the second. */
Test(place, policy_from_a_pipe_with_a_writer)
{
	struct run run = { .env = { "PORTSHIM_CONF=/dev/stdin" } };
	char script[700];
	const char *argv[] = { "/bin/sh", "-c", script, built("tests/probes/act"), "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL };

	snprintf(script, sizeof(script), "printf '%%s\\n' '[rule r]' 'ports = 20000-20003' | (\"$0\" \"$@\"; \"$0\" socket\\ 1\\ udp4)");
	run_program(&run, argv);
	cr_assert(port_of(&run, "name 0") >= 20000 && port_of(&run, "name 0") <= 20003, "%s%s", run.out, run.err);
	cr_assert_not_null(strstr(run.err, "/dev/stdin: error: a pipe with nothing in it"), "%s%s", run.out, run.err);
}

/* --- the table, under programs that use it --- */

static const char *table_path_here(void)
{
	static char path[128];
	glob_t found;

	cr_assert_eq(glob("/dev/shm/portshim-*", 0, NULL, &found), 0, "no table");
	snprintf(path, sizeof(path), "%s", found.gl_pathv[0]);
	globfree(&found);
	return path;
}

static void remove_it(const char *path)
{
	cr_assert_eq(unlink(path), 0);
}

/* An empty file is a table that is not yet made. */
static void replace_it(const char *path)
{
	int fd = open("/dev/shm/another", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && close(fd) == 0 && rename("/dev/shm/another", path) == 0);
}

static void nobody_may(const char *path)
{
	cr_assert_eq(chmod(path, 0), 0);
}

static void all_may(const char *path)
{
	cr_assert_eq(chmod(path, 0666), 0);
}

/* What others have is not given twice, whoever knows of it, and what is free can be had: by others than who has no table (`alone`)
 * all that he has, towards whomever, cannot. */
static void go_on(void (*what)(const char *path), bool alone)
{
	static struct run first, second;

	first = second = (struct run){ .policy = FOUR_PORTS };
	run_start_steps(&first, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 udp4", "bind 1 0.0.0.0 0", "pause", "socket 2 tcp4",
	                "connect 2 127.0.0.1 5000", "name 2", "socket 3 udp4", "bind 3 0.0.0.0 0", NULL);
	run_until_paused(&first);
	what(table_path_here());
	run_start_steps(&second, "socket 0 tcp4", "connect 0 127.0.0.1 5001", "name 0", "socket 1 tcp4", "connect 1 127.0.0.1 5000", "socket 2 tcp4",
	                "connect 2 127.0.0.1 5000", "name 2", "socket 3 udp4", "bind 3 0.0.0.0 0", "socket 4 udp4", "bind 4 0.0.0.0 0",
	                "pause", NULL);
	run_until_paused(&second);
	run_go_on(&first);
	run_end(&first);
	run_go_on(&second);
	run_end(&second);
	cr_expect_str_eq(result_of(&second, "connect 0 127.0.0.1 5001"), "0", "%s%s", second.out, second.err);
	cr_expect_str_eq(result_of(&second, "connect 2 127.0.0.1 5000"), "0", "%s%s", second.out, second.err);
	cr_expect_str_eq(result_of(&second, "bind 4 0.0.0.0 0"), "0", "%s%s", second.out, second.err);
	cr_expect_str_eq(result_of(&first, "connect 2 127.0.0.1 5000"), alone ? "-1 EADDRNOTAVAIL" : "0", "%s%s", first.out, first.err);
	cr_expect_str_eq(result_of(&first, "bind 3 0.0.0.0 0"), "0", "%s%s", first.out, first.err);
	cr_expect_neq(port_of(&first, "name 2"), port_of(&second, "name 2"));
	cr_expect(alone || (port_of(&first, "name 2") >= 20000 && port_of(&first, "name 2") <= 20003), "%s", first.out);
	cr_expect(port_of(&second, "name 2") >= 20000 && port_of(&second, "name 2") <= 20003, "%s", second.out);
}

Test(place, table_removed)
{
	go_on(remove_it, false);
}

Test(place, table_replaced)
{
	go_on(replace_it, false);
}

Test(place, table_that_nobody_may_open)
{
	go_on(nobody_may, false);
}

/* It is not used by who starts from then on, who goes without. */
Test(place, table_that_all_may_write)
{
	go_on(all_may, true);
}

/* Nor is one that is no table any more; the one who has it mapped is killed by SIGBUS if his call comes to a page that is gone: that
 * a table can be cut by its owner alone is why there is nothing against it. */
Test(place, table_cut_off)
{
	struct run first = { .policy = FOUR_PORTS }, second = { .policy = FOUR_PORTS };

	run_start_steps(&first, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "pause", "socket 1 tcp4", "connect 1 127.0.0.1 5000", "name 1", NULL);
	run_until_paused(&first);
	cr_assert_eq(truncate(table_path_here(), 1), 0);
	run_steps(&second, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL);
	run_go_on(&first);
	run_end(&first);
	cr_assert(port_of(&second, "name 0") >= 20000 && port_of(&second, "name 0") <= 20003, "%s", second.out);
	cr_assert(WIFSIGNALED(first.status) && WTERMSIG(first.status) == SIGBUS, "status 0x%x\n%s", (unsigned int)first.status, first.out);
}
