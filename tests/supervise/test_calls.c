/* test_calls.c - call by call, what a policy says of a static program under the supervisor: the ports, the kernel's errnos, and
 * nothing else than bare where no rule has a say. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/supervised.h"

TestSuite(calls, .init = supervised_enter, .fini = supervised_leave);

#define CONNECT "connect 0 127.0.0.1 5000"

static struct criterion_test_params sets(void)
{
	static int index[SETS] = { 0, 1 };

	return cr_make_param_array(int, index, SETS);
}

static void start_steps(struct run *run, const char *const steps[])
{
	const char *argv[32] = { built("kinds/static") };

	for (int i = 0; steps[i]; i++)
		argv[1 + i] = steps[i];
	story_start(run, argv);
}

static void run_to_end(struct run *run, const char *const steps[])
{
	start_steps(run, steps);
	run_end(run);
	cr_assert(exited(run, 0), "%s%s", run->out, run->err);
}

#define STEPS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define START(run, ...) start_steps(run, STEPS(__VA_ARGS__))
#define RUN(run, ...) run_to_end(run, STEPS(__VA_ARGS__))

static void gives(const struct run *run, const char *step, const char *result)
{
	cr_expect_str_eq(result_of(run, step), result, "%s = %s, not %s, in\n%s%s", step, result_of(run, step), result, run->out,
	                 run->err);
}

/* A name is one of the set's ports. */
static void is_ours(const struct run *run, int set, const char *step)
{
	cr_expect(supervised_is_ours(set, port_of(run, step)), "%s: port %d in\n%s%s", step, port_of(run, step), run->out, run->err);
}

/* It is the kernel's choice, which may well be one of the late set's. */
static void is_the_kernels(const struct run *run, const char *step)
{
	cr_expect(is_ephemeral(port_of(run, step)), "%s: port %d", step, port_of(run, step));
}

/* "[rule r]" of one port, that of the set's first. */
static const char *one_port(int set, const char *further)
{
	static char text[2][256];
	static int next;
	char *to = text[next++ % 2];

	snprintf(to, sizeof(text[0]), "[rule r]\nports = %d\n%s", set ? 40500 : 20000, further);
	return to;
}

/* Bare and under a rule: to the letter the same. */
static void same(const char *what, const char *const steps[])
{
	static struct run bare, run;

	bare = (struct run){ .bare = true };
	start_steps(&bare, steps);
	run_end(&bare);
	for (int set = 0; set < SETS; set++) {
		run = (struct run){ .policy = supervised_rule(set, "") };
		start_steps(&run, steps);
		run_end(&run);
		story_same(what, &bare, &run);
	}
}

/* --- exhausted --------------------------------------------------------------------------------------------- */

ParameterizedTestParameters(calls, errnos_of_a_set_that_is_used_up)
{
	return sets();
}

ParameterizedTest(int *set, calls, errnos_of_a_set_that_is_used_up)
{
	static struct run run;

	server_tcp("127.0.0.1", 5000);
	run = (struct run){ .policy = one_port(*set, "") };
	RUN(&run, "socket 0 tcp4", CONNECT, "socket 1 tcp4", "connect 1 127.0.0.1 5000", "bind 1 127.0.0.1 0", "bind 1 0.0.0.0 0",
	    "listen 1", "socket 2 udp4", "bind 2 127.0.0.1 0", "socket 3 udp4", "connect 3 127.0.0.1 9", "sendto 3 127.0.0.1 9",
	    "sendmsg 3 127.0.0.1 9", "sendmmsg 3 127.0.0.1 9", "bind 3 127.0.0.1 0", "name 3", "socket 4 nbtcp4",
	    "connect 4 127.0.0.1 5000", "socket 5 tcp4", "sendto 5 127.0.0.1 5000 fastopen");
	gives(&run, CONNECT, "0");
	gives(&run, "connect 1 127.0.0.1 5000", "-1 EADDRNOTAVAIL");
	gives(&run, "bind 1 127.0.0.1 0", "-1 EADDRINUSE");
	gives(&run, "bind 1 0.0.0.0 0", "-1 EADDRINUSE");
	gives(&run, "listen 1", "-1 EADDRINUSE");
	gives(&run, "bind 2 127.0.0.1 0", "0"); /* UDP's ports are its own */
	gives(&run, "connect 3 127.0.0.1 9", "-1 EAGAIN");
	gives(&run, "sendto 3 127.0.0.1 9", "-1 EAGAIN");
	gives(&run, "sendmsg 3 127.0.0.1 9", "-1 EAGAIN");
	gives(&run, "sendmmsg 3 127.0.0.1 9", "-1 EAGAIN");
	gives(&run, "bind 3 127.0.0.1 0", "-1 EADDRINUSE");
	cr_expect_eq(port_of(&run, "name 3"), 0);
	gives(&run, "connect 4 127.0.0.1 5000", "-1 EADDRNOTAVAIL");
	gives(&run, "sendto 5 127.0.0.1 5000 fastopen", "-1 EADDRNOTAVAIL");
	cr_expect_str_empty(run.err);
}

ParameterizedTestParameters(calls, had_again)
{
	return sets();
}

/* Nobody tells the supervisor that a port was closed. */
ParameterizedTest(int *set, calls, had_again)
{
	int server = server_tcp("127.0.0.1", 5000), fd;
	static struct run run;

	run = (struct run){ .policy = one_port(*set, "") };
	START(&run, "socket 0 tcp4", CONNECT, "socket 1 tcp4", "connect 1 127.0.0.1 5000 16", "pause", "close 0",
	      "connect 1 127.0.0.1 5000", "socket 2 udp4", "sendto 2 127.0.0.1 9", "close 2", "socket 3 udp4",
	      "connect 3 127.0.0.1 9");
	run_until_paused(&run);
	server_accept(server, &fd);
	close(fd); /* the TIME_WAIT is ours */
	run_go_on(&run);
	run_end(&run);
	gives(&run, "connect 1 127.0.0.1 5000 16", "-1 EADDRNOTAVAIL");
	gives(&run, "connect 1 127.0.0.1 5000", "0");
	gives(&run, "sendto 2 127.0.0.1 9", "1");
	gives(&run, "connect 3 127.0.0.1 9", "0");
}

ParameterizedTestParameters(calls, exhausted_pass)
{
	return sets();
}

ParameterizedTest(int *set, calls, exhausted_pass)
{
	static struct run run;
	int server = server_tcp("127.0.0.1", 5000), port;

	run = (struct run){ .policy = one_port(*set, "exhausted = pass\n") };
	RUN(&run, "socket 0 tcp4", CONNECT, "socket 1 tcp4", "connect 1 127.0.0.1 5000", "socket 2 udp4", "sendto 2 127.0.0.1 9",
	    "name 2", "socket 3 udp4", "sendto 3 127.0.0.1 9", "name 3");
	cr_expect_eq(server_accept(server, NULL), *set ? 40500 : 20000);
	port = server_accept(server, NULL);
	cr_expect(is_ephemeral(port) && port != 40500, "port %d", port);
	cr_expect_eq(port_of(&run, "name 2"), *set ? 40500 : 20000);
	is_the_kernels(&run, "name 3");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Others are served while one waits: the holder's call among them that makes the port free. */
Test(calls, exhausted_wait)
{
	static struct run holder, waiter, other;
	int server = server_tcp("127.0.0.1", 5000), fd;

	holder = (struct run){ .policy = one_port(0, "") };
	waiter = (struct run){ .policy = one_port(0, "exhausted = wait 20s\n") };
	START(&holder, "socket 0 tcp4", CONNECT, "pause", "close 0");
	run_until_paused(&holder);
	server_accept(server, &fd);
	START(&waiter, "pause", "socket 1 tcp4", "connect 1 127.0.0.1 5000");
	run_until_paused(&waiter);
	run_go_on(&waiter);
	other = (struct run){ .policy = supervised_rule(1, "") };
	RUN(&other, "socket 0 tcp4", CONNECT);
	close(fd);
	run_go_on(&holder);
	run_end(&holder);
	run_end(&waiter);
	gives(&waiter, "connect 1 127.0.0.1 5000", "0");
}

Test(calls, exhausted_wait_ends)
{
	static struct run run;
	double begin = seconds();

	server_tcp("127.0.0.1", 5000);
	run = (struct run){ .policy = one_port(0, "exhausted = wait 300ms\n") };
	RUN(&run, "socket 0 tcp4", CONNECT, "socket 1 tcp4", "connect 1 127.0.0.1 5000");
	gives(&run, "connect 1 127.0.0.1 5000", "-1 EADDRNOTAVAIL");
	cr_expect_geq(seconds() - begin, 0.3);
}

Test(calls, exhausted_wait_gives_way)
{
	static struct run run;

	server_tcp("127.0.0.1", 5000);
	run = (struct run){ .policy = one_port(0, "exhausted = wait 1h\n") };
	RUN(&run, "socket 0 tcp4", CONNECT, "socket 1 nbtcp4", "connect 1 127.0.0.1 5000", "socket 3 udp4", "sendto 3 127.0.0.1 9",
	    "socket 6 udp4", "sendto 6 127.0.0.1 9 dontwait", "socket 4 tcp4", "sndtimeo 4 50", "connect 4 127.0.0.1 5000",
	    "socket 5 tcp4", "alarm 500", "connect 5 127.0.0.1 5000");
	gives(&run, "connect 1 127.0.0.1 5000", "-1 EADDRNOTAVAIL");
	gives(&run, "sendto 3 127.0.0.1 9", "1");
	gives(&run, "sendto 6 127.0.0.1 9 dontwait", "-1 EAGAIN");
	gives(&run, "connect 4 127.0.0.1 5000", "-1 EADDRNOTAVAIL");
	gives(&run, "connect 5 127.0.0.1 5000", "-1 EINTR");
}

/* Killed while it waits: gone at once. */
Test(calls, exhausted_wait_killed)
{
	static struct run run;
	pid_t supervisor;

	server_tcp("127.0.0.1", 5000);
	run = (struct run){ .policy = one_port(0, "exhausted = wait 1h\n") };
	START(&run, "socket 0 tcp4", CONNECT, "socket 1 tcp4", "pause", "connect 1 127.0.0.1 5000");
	run_until_paused(&run);
	supervisor = supervisor_of(&run);
	run_go_on(&run);
	kill(program_of(&run), SIGKILL);
	run_end(&run);
	cr_expect(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGKILL, "status %x", run.status);
	has_ended_within_deadline(supervisor);
}

/* --- what rules say ------------------------------------------------------------------------------------------- */

ParameterizedTestParameters(calls, by_destination)
{
	return sets();
}

/* Those that no rule names leave as they do bare; what is bound first is decided by what comes after. */
ParameterizedTest(int *set, calls, by_destination)
{
	static struct run run;

	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 6000);
	run = (struct run){ .policy = supervised_rule(*set, "to = 127.0.0.1:5000\n") };
	RUN(&run, "socket 0 tcp4", CONNECT, "name 0", "socket 1 tcp4", "connect 1 127.0.0.1 6000", "name 1", "socket 2 tcp4",
	    "bind 2 127.0.0.1 0", "connect 2 127.0.0.1 5000", "name 2", "socket 3 tcp4", "bind 3 127.0.0.1 0",
	    "connect 3 127.0.0.1 6000", "name 3", "socket 4 udp4", "sendto 4 127.0.0.1 5000", "name 4", "socket 5 udp4",
	    "sendto 5 127.0.0.1 6000", "name 5", "socket 6 tcp4", "listen 6", "name 6");
	is_ours(&run, *set, "name 0");
	is_the_kernels(&run, "name 1");
	is_ours(&run, *set, "name 2");
	is_the_kernels(&run, "name 3");
	is_ours(&run, *set, "name 4");
	is_the_kernels(&run, "name 5");
	is_the_kernels(&run, "name 6");
}

ParameterizedTestParameters(calls, name_after_bind)
{
	return sets();
}

/* Who asks for the port of a bind() that was put off is shown one, and has it afterwards. */
ParameterizedTest(int *set, calls, name_after_bind)
{
	int server = server_tcp("127.0.0.1", 5000);
	static struct run run;

	run = (struct run){ .policy = supervised_rule(*set, "to = 127.0.0.1:5000\n") };
	RUN(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "name 0", CONNECT, "dup 0 1", "name 1", "socket 2 tcp4",
	    "bind 2 127.0.0.1 0", "listen 2", "name 2");
	cr_expect_neq(port_of(&run, "name 0"), 0, "%s", run.out);
	gives(&run, CONNECT, "0");
	cr_expect_eq(port_of(&run, "name 1"), server_accept(server, NULL));
	cr_expect_neq(port_of(&run, "name 2"), 0);
}

ParameterizedTestParameters(calls, bound_and_listening)
{
	return sets();
}

ParameterizedTest(int *set, calls, bound_and_listening)
{
	static struct run run;

	run = (struct run){ .policy = supervised_rule(*set, "") };
	RUN(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "name 0", "listen 0", "socket 1 tcp4", "listen 1", "name 1", "socket 2 tcp6",
	    "listen 2", "name 2", "socket 3 udp6", "bind 3 ::1 0", "name 3", "socket 4 tcp4", "bind 4 127.0.0.1 7777", "name 4",
	    "listen 4");
	is_ours(&run, *set, "name 0");
	gives(&run, "listen 0", "0");
	is_ours(&run, *set, "name 1");
	is_ours(&run, *set, "name 2");
	is_ours(&run, *set, "name 3");
	cr_expect_eq(port_of(&run, "name 4"), 7777);
	gives(&run, "listen 4", "0");
}

Test(calls, denied)
{
	static struct run run = { .policy = "[rule d]\naction = deny\n" };
	int tcp = server_tcp("127.0.0.1", 5000), udp = server_udp("127.0.0.1", 5000);

	RUN(&run, "socket 0 tcp4", CONNECT, "socket 1 udp4", "connect 1 127.0.0.1 5000", "sendto 1 127.0.0.1 5000",
	    "sendmsg 1 127.0.0.1 5000", "sendmmsg 1 127.0.0.1 5000", "bind 1 127.0.0.1 0", "socket 2 tcp4", "listen 2",
	    "sendto 2 127.0.0.1 5000 fastopen", "socket 3 unix");
	for (const char *const *step = STEPS(CONNECT, "connect 1 127.0.0.1 5000", "sendto 1 127.0.0.1 5000", "sendmsg 1 127.0.0.1 5000",
	                                     "sendmmsg 1 127.0.0.1 5000", "bind 1 127.0.0.1 0", "listen 2",
	                                     "sendto 2 127.0.0.1 5000 fastopen"); *step; step++)
		gives(&run, *step, "-1 EPERM");
	cr_expect(nobody_came(tcp) && nobody_came(udp));
}

/* Each message of a call has a destination of its own. */
Test(calls, denied_in_one_of_several)
{
	static struct run run = { .policy = "[rule d]\nto = 127.0.0.1:5000\naction = deny\n" };
	int udp = server_udp("127.0.0.1", 5000);

	RUN(&run, "socket 0 udp4", "sendmmsg2 0 127.0.0.1 9 127.0.0.1 5000", "sendmmsg2 0 127.0.0.1 5000 127.0.0.1 9");
	cr_expect_str_neq(result_of(&run, "sendmmsg2 0 127.0.0.1 9 127.0.0.1 5000"), "2");
	gives(&run, "sendmmsg2 0 127.0.0.1 5000 127.0.0.1 9", "-1 EPERM");
	cr_expect(nobody_came(udp), "one was sent there");
}

ParameterizedTestParameters(calls, explicit_ports)
{
	return sets();
}

ParameterizedTest(int *set, calls, explicit_ports)
{
	static struct run run;
	int server = server_tcp("127.0.0.1", 5000);

	run = (struct run){ .policy = supervised_rule(*set, "explicit = deny\n") };
	RUN(&run, "socket 0 tcp4", "bind 0 127.0.0.1 7777", "bind 0 127.0.0.1 0", CONNECT);
	gives(&run, "bind 0 127.0.0.1 7777", "-1 EPERM");
	cr_expect(supervised_is_ours(*set, server_accept(server, NULL)));
	run = (struct run){ .policy = supervised_rule(*set, "explicit = assign\n") };
	RUN(&run, "socket 0 tcp4", "bind 0 127.0.0.1 7777", "name 0", CONNECT);
	is_ours(&run, *set, "name 0");
	cr_expect(supervised_is_ours(*set, server_accept(server, NULL)));
	run = (struct run){ .policy = supervised_rule(*set, "") };
	RUN(&run, "socket 0 tcp4", "bind 0 127.0.0.1 7777", CONNECT);
	cr_expect_eq(server_accept(server, NULL), 7777);
}

ParameterizedTestParameters(calls, source)
{
	return sets();
}

ParameterizedTest(int *set, calls, source)
{
	static struct run run;

	server_tcp("127.0.0.1", 5000);
	run = (struct run){ .policy = supervised_rule(*set, "source = 127.0.0.7\n") };
	RUN(&run, "socket 0 tcp4", CONNECT, "name 0", "socket 1 udp4", "connect 1 127.0.0.1 9", "name 1", "socket 2 tcp6",
	    "connect 2 ::ffff:127.0.0.1 5000", "name 2");
	is_ours(&run, *set, "name 0");
	cr_expect(strncmp(result_of(&run, "name 0"), "127.0.0.7 ", 10) == 0, "%s", run.out);
	is_ours(&run, *set, "name 1");
	cr_expect(strncmp(result_of(&run, "name 1"), "127.0.0.7 ", 10) == 0, "%s", run.out);
	is_ours(&run, *set, "name 2");
	cr_expect(strncmp(result_of(&run, "name 2"), "::ffff:127.0.0.7 ", 17) == 0, "%s", run.out);
}

ParameterizedTestParameters(calls, shared_between_destinations)
{
	return sets();
}

/* As many connections to each destination as there are ports. */
ParameterizedTest(int *set, calls, shared_between_destinations)
{
	static struct run run;
	static const char *const steps[] = { CONNECT, "connect 1 127.0.0.1 6000", "connect 2 127.0.0.2 5000", "connect 3 127.0.0.1 5000" };

	server_tcp("0.0.0.0", 5000);
	server_tcp("127.0.0.1", 6000);
	run = (struct run){ .policy = one_port(*set, "") };
	RUN(&run, "socket 0 tcp4", "socket 1 tcp4", "socket 2 tcp4", "socket 3 tcp4", steps[0], steps[1], steps[2], steps[3]);
	for (int i = 0; i < 4; i++)
		gives(&run, steps[i], i < 3 ? "0" : "-1 EADDRNOTAVAIL");
	run = (struct run){ .policy = one_port(*set, "share = never\n") };
	RUN(&run, "socket 0 tcp4", "socket 1 tcp4", "connect 0 127.0.0.3 5000", "connect 1 127.0.0.1 6000");
	gives(&run, "connect 1 127.0.0.1 6000", "-1 EADDRNOTAVAIL");
}

/* --- ways of a socket ------------------------------------------------------------------------------------------ */

ParameterizedTestParameters(calls, whoever_has_the_socket)
{
	return sets();
}

/* A copy, a child's, one that came by a message, one that outlived an exec, a new one under an old number. */
ParameterizedTest(int *set, calls, whoever_has_the_socket)
{
	static const char *const ways[][7] = {
		{ "socket 0 tcp4", "dup 0 1", "close 0", "connect 1 127.0.0.1 5000" },
		{ "socket 0 tcp4", "fork", CONNECT },
		{ "socket 0 tcp4", "pass 0 1", "connect 1 127.0.0.1 5000" },
		{ "socket 0 tcp4", "socket 1 unix", "dup2 0 1", "connect 1 127.0.0.1 5000" },
		{ "socket 0 tcp4", "pidfd 0 1", "connect 1 127.0.0.1 5000" },
		{ "socket 0 tcp4", "bind 0 127.0.0.1 0", "fork", "dup 0 1", "connect 1 127.0.0.1 5000" },
		{ "socket 0 tcp4", CONNECT, "close 0", "exec", "socket 0 tcp4", CONNECT },
	};
	int server = server_tcp("127.0.0.1", 5000);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		static struct run run;
		int port;

		run = (struct run){ .policy = supervised_rule(*set, "to = 127.0.0.1:5000\n") };
		start_steps(&run, ways[i]);
		run_end(&run);
		do {
			port = server_accept(server, NULL);
			cr_expect(supervised_is_ours(*set, port), "%s %s: from port %d", ways[i][1], ways[i][2], port);
		} while (!nobody_came(server));
	}
}

ParameterizedTestParameters(calls, threads_at_once)
{
	return sets();
}

ParameterizedTest(int *set, calls, threads_at_once)
{
	const char *argv[] = { built("tests/probes/threads"), "64", "5000", NULL };
	int server = server_tcp("127.0.0.1", 5000), first = *set ? 40500 : 20000;
	bool seen[64] = { false };
	char policy[64];
	static struct run run;

	snprintf(policy, sizeof(policy), "[rule r]\nports = %d-%d\n", first, first + 63);
	run = (struct run){ .policy = policy };
	story_run(&run, argv);
	for (int i = 0; i < 64; i++) {
		int port = server_accept(server, NULL);

		cr_assert(port >= first && port < first + 64 && !seen[port - first], "from port %d", port);
		seen[port - first] = true;
	}
}

/* A socket's second life: refused or disconnected, then connected. */
ParameterizedTestParameters(calls, again)
{
	return sets();
}

ParameterizedTest(int *set, calls, again)
{
	int server = server_tcp("127.0.0.1", 5000);
	static struct run run;

	run = (struct run){ .policy = supervised_rule(*set, "") };
	RUN(&run, "socket 0 tcp4", "connect 0 127.0.0.1 9", CONNECT, "connect 0 127.0.0.1 0 as-unspec", "connect 0 127.0.0.1 5000 16");
	gives(&run, "connect 0 127.0.0.1 9", "-1 ECONNREFUSED");
	gives(&run, CONNECT, "0");
	cr_expect(supervised_is_ours(*set, server_accept(server, NULL)));
}

/* --- the same as bare --------------------------------------------------------------------------------------------- */

Test(calls, refusals_are_the_same)
{
	server_tcp("127.0.0.1", 5000);
	same("refused", STEPS("socket 0 tcp4", "connect 0 127.0.0.1 9", "socket 1 nbtcp4", "connect 1 127.0.0.1 9", "outcome 1"));
	same("arguments", STEPS("socket 0 tcp4", "connect 0 null 0", "connect 0 bad 0", "connect 0 127.0.0.1 5000 4",
	                        "connect 0 127.0.0.1 5000 -1", "connect 0 ::1 5000", "connect 3 127.0.0.1 5000", "bind 0 bad 0",
	                        "bind 0 192.0.2.1 0", "listen 9", "connect 0 192.0.2.1 5000"));
	same("sends", STEPS("socket 0 udp4", "sendto 0 bad 0", "sendto 0 null 0", "sendmsg 0 null 0", "sendto 0 127.0.0.1 0",
	                    "sendto 0 ::1 9", "sendto 0 127.0.0.1 5000 4", "socket 1 tcp4", "sendto 1 127.0.0.1 5000",
	                    "sendmsg 1 127.0.0.1 5000", "socket 2 udp6", "sendto 2 127.0.0.1 5000"));
	same("twice", STEPS("socket 0 tcp4", CONNECT, CONNECT, "bind 0 127.0.0.1 0", "listen 0", "peer 0"));
	same("other families", STEPS("socket 0 unix", "connect 0 unix /nonexistent", "connect 0 127.0.0.1 5000", "socket 1 netlink",
	                             "socket 2 unixdgram", "sendto 2 unix /nonexistent", "sendto 2 127.0.0.1 5000"));
}

Test(calls, fast_open_is_the_same)
{
	int server = server_tcp("127.0.0.1", 5000), port;

	same("fast open", STEPS("socket 0 tcp4", "sendto 0 127.0.0.1 5000 fastopen", "peer 0"));
	server_accept(server, NULL); /* bare */
	for (int set = 0; set < SETS; set++) {
		port = server_accept(server, NULL);
		cr_expect(supervised_is_ours(set, port), "from port %d", port);
	}
}

/* Of a connection under way: what a signal, a timeout and a second look see. */
Test(calls, under_way_is_the_same)
{
	queue_fill(server_tcp("127.0.0.1", 5000));
	same("interrupted", STEPS("socket 0 tcp4", "interrupt 200", CONNECT, "nonblock 0", "connect 0 127.0.0.1 5000 16",
	                          "bind 0 127.0.0.1 0"));
	same("non-blocking", STEPS("socket 0 nbtcp4", CONNECT, "connect 0 127.0.0.1 5000 16", "get 0 error", "close 0"));
}

/* It is over in time, and the connection goes on: as the kernel says it of one that the program itself has begun. */
Test(calls, timeout_of_the_program)
{
	queue_fill(server_tcp("127.0.0.1", 5000));
	for (int set = 0; set < SETS; set++) {
		static struct run run;
		double begin = seconds();

		run = (struct run){ .policy = supervised_rule(set, "") };
		RUN(&run, "socket 0 tcp4", "sndtimeo 0 100", CONNECT, "nonblock 0", "connect 0 127.0.0.1 5000 16");
		cr_expect(printed(&run, CONNECT " = -1 EINPROGRESS"), "%s", run.out);
		gives(&run, "connect 0 127.0.0.1 5000 16", "-1 EALREADY");
		cr_expect_geq(seconds() - begin, 0.1);
	}
}

/* Sends the program a signal and waits until it has it. */
static void signal_program(const struct run *run, int signal)
{
	const struct timespec moment = { 0, 1000 * 1000 };
	pid_t program = program_of(run);
	unsigned long long pending = 1;
	char path[64], line[256];

	kill(program, signal);
	snprintf(path, sizeof(path), "/proc/%d/status", program);
	for (int left = DEADLINE_MS; left > 0 && pending; left--) {
		FILE *file = fopen(path, "re");

		while (file && fgets(line, sizeof(line), file))
			sscanf(line, "ShdPnd: %llx", &pending);
		if (file)
			fclose(file);
		nanosleep(&moment, NULL);
	}
	cr_assert_eq(pending, 0);
}

/* A handler that lets calls be taken up again (SA_RESTART): the connection comes about when there is room. */
Test(calls, taken_up_again)
{
	for (int set = 0; set < SETS; set++) {
		int server = server_tcp("127.0.0.1", 5000);
		static struct run run;

		queue_fill(server);
		run = (struct run){ .policy = supervised_rule(set, "") };
		START(&run, "socket 0 tcp4", "alarm 100000", CONNECT);
		cr_assert(supervised_is_ours(set, queue_wait_for_attempt(5000)));
		signal_program(&run, SIGALRM);
		server_accept(server, NULL);
		cr_expect(supervised_is_ours(set, server_accept(server, NULL)));
		run_end(&run);
		gives(&run, CONNECT, "0");
		close(server);
	}
}
