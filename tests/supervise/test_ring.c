/* test_ring.c - io_uring(7) under a supervisor (tools/supervise/ring.h). */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/supervised.h"
#include "tests/lib/world.h"

#define KERNEL "[rule all]\nports = 40500-40509\nchoose = kernel\n"
#define RANDOM "[rule all]\nports = 40500-40509\n"

static struct run run;
static int tcp, udp;

static void enter(void)
{
	net_own_for_all_users();
	net_set("net/ipv4/ip_local_port_range", "40000 49999");
	tcp = server_tcp("127.0.0.1", 5000);
	udp = server_udp("127.0.0.1", 5000);
	if (syscall(SYS_io_uring_setup, 0, NULL) < 0 && (errno == ENOSYS || errno == EPERM))
		cr_skip_test("no io_uring here");
}

TestSuite(ring, .init = enter);

static bool is_ours(int port)
{
	return port >= 40500 && port <= 40509;
}

#define PROBE built("portshim"), "run", "--supervise", built("tests/probes/ringed")

/* Both ways of the probe; the server hears it and answers. */
static void expect_in_range(const char *policy, const char *setup)
{
	const char *const argv[] = { PROBE, "setup 0", "tcp 127.0.0.1", "udp 127.0.0.1", NULL };

	run = (struct run){ .bare = true, .policy = policy };
	run_start(&run, argv);
	cr_expect(is_ours(answer_tcp(tcp, "hello")));
	cr_expect(is_ours(server_receive(udp)));
	run_end(&run);
	cr_expect_str_eq(result_of(&run, "setup 0"), setup);
	cr_expect_str_eq(result_of(&run, "tcp 127.0.0.1"), "5");
	cr_expect_str_eq(result_of(&run, "udp 127.0.0.1"), "1");
	cr_expect(exited(&run, 0));
}

Test(ring, connections_by_a_ring_leave_from_the_range)
{
	expect_in_range(KERNEL, "0");
}

Test(ring, elsewhere_there_is_none)
{
	expect_in_range(RANDOM, "ENOSYS");
	expect_in_range("[rule all]\nprogram = ringed\nports = 40500-40509\n", "ENOSYS");
}

/* Each program is told once. */
Test(ring, that_there_is_none_is_said)
{
	const char *const argv[] = { PROBE, "setup 0", "setup 1", NULL };
	const char *words;

	run = (struct run){ .bare = true, .policy = "[portshim]\nlog = warning\n" RANDOM };
	run_program(&run, argv);
	words = strstr(run.err, "io_uring");
	cr_assert(words, "%s", run.err);
	cr_expect_not(strstr(words + 1, "io_uring"), "%s", run.err);
}

Test(ring, who_has_no_rule_has_his_rings)
{
	const char *const argv[] = { PROBE, "setup 0x1000", "op-socket", NULL };

	run = (struct run){ .bare = true, .policy = "[rule other]\nprogram = other\nports = 40500-40509\n" };
	run_program(&run, argv);
	cr_expect_str_eq(run.out, "setup 0x1000 = 0\nop-socket = 0\n");
}

/* All but what is asked about. */
Test(ring, operations)
{
	const char *const argv[] = { PROBE, "setup 0", "op-socket", "op-bind", "op-listen", "timeout", "poll", "file", NULL };

	run = (struct run){ .bare = true, .policy = KERNEL };
	run_program(&run, argv);
	cr_expect_str_eq(result_of(&run, "op-socket"), "EACCES");
	cr_expect_neq(result_of(&run, "op-bind")[0], '0');
	cr_expect_neq(result_of(&run, "op-listen")[0], '0');
	cr_expect_str_eq(result_of(&run, "timeout"), "ETIME");
	cr_expect_str_eq(result_of(&run, "poll"), "1");
	cr_expect_str_eq(result_of(&run, "file"), "0");
	cr_expect_str_empty(run.err);
}

/* SQPOLL, SINGLE_ISSUER, DEFER_TASKRUN with it, R_DISABLED; then one that may be. */
Test(ring, flags_that_bind_it_to_its_maker)
{
	const char *const argv[] = { PROBE, "setup 2", "setup 0x1000", "setup 0x3000", "setup 0x40", "setup 0x90", "poll", NULL };

	run = (struct run){ .bare = true, .policy = KERNEL };
	run_program(&run, argv);
	cr_expect_str_eq(run.out, "setup 2 = EINVAL\nsetup 0x1000 = EINVAL\nsetup 0x3000 = EINVAL\nsetup 0x40 = EINVAL\n"
	                          "setup 0x90 = 0\npoll = 1\n");
}

/* The ring of a program that has changed its user would count for the supervisor's. */
Test(ring, of_another_user)
{
	const char *const argv[] = { built("portshim"), "run", "--supervise", "setpriv", "--reuid=65534", "--clear-groups",
	                             built("tests/probes/ringed"), "setup 0", NULL };

	run = (struct run){ .bare = true, .policy = KERNEL };
	run_program(&run, argv);
	cr_expect_str_eq(run.out, "setup 0 = ENOSYS\n");
}

/* Its requests and itself live on without who made it. */
Test(ring, outlives_the_supervisor)
{
	const char *const argv[] = { PROBE, "setup 0", "wait", "timeout", "poll", "file", NULL };

	run = (struct run){ .bare = true, .policy = KERNEL };
	run_start(&run, argv);
	run_until_paused(&run);
	kill(only_child_of(run.pid), SIGKILL);
	run_go_on(&run);
	run_end(&run);
	cr_expect_str_eq(run.out, "setup 0 = 0\npaused.\nwait = 1\ntimeout = ETIME\npoll = 1\nfile = 0\n");
	cr_expect(exited(&run, 0), "0x%x", (unsigned int)run.status);
}

/* Nor does it keep anybody: when the program is killed in the middle of a request, all end. */
Test(ring, keeps_nobody_alive)
{
	const char *const argv[] = { PROBE, "setup 0", "wait", NULL };
	pid_t program;

	run = (struct run){ .bare = true, .policy = KERNEL };
	run_start(&run, argv);
	run_until_paused(&run);
	program = only_child_of(only_child_of(run.pid));
	kill(program, SIGKILL);
	run_end(&run);
	cr_expect(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGKILL);
}
