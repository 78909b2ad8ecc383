/* test_exhaustion.c - a set that is used up: the kernel's own errnos, at once, and what `exhausted =` says. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/harness.h"

static char connect_step[3][64];

static int own_server(void)
{
	int listener;

	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	listener = server_tcp("127.0.0.1", 5000);
	for (int i = 0; i < 3; i++)
		snprintf(connect_step[i], sizeof(connect_step[i]), "connect %d 127.0.0.1 5000", i);
	return listener;
}

static void errnos_with(const char *policy)
{
	struct run run = { .policy = policy };

	run_steps(&run, "socket 0 tcp4", connect_step[0], "socket 1 tcp4", connect_step[1], "bind 1 127.0.0.1 0",
	          "bind 1 0.0.0.0 0", "listen 1", "socket 2 udp4", "bind 2 127.0.0.1 0", "socket 3 udp4",
	          "connect 3 127.0.0.1 9", "sendto 3 127.0.0.1 9", "sendmsg 3 127.0.0.1 9", "sendmmsg 3 127.0.0.1 9",
	          "sendto 3 127.0.0.1 9 dontwait", "name 3", "socket 4 nbtcp4", "connect 4 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&run, connect_step[0]), "0");
	cr_assert_str_eq(result_of(&run, connect_step[1]), "-1 EADDRNOTAVAIL");
	cr_assert_str_eq(result_of(&run, "bind 1 127.0.0.1 0"), "-1 EADDRINUSE");
	cr_assert_str_eq(result_of(&run, "bind 1 0.0.0.0 0"), "-1 EADDRINUSE");
	cr_assert_str_eq(result_of(&run, "listen 1"), "-1 EADDRINUSE");
	cr_assert_str_eq(result_of(&run, "bind 2 127.0.0.1 0"), "0"); /* UDP's ports are its own */
	cr_assert_str_eq(result_of(&run, "connect 3 127.0.0.1 9"), "-1 EAGAIN");
	cr_assert_str_eq(result_of(&run, "sendto 3 127.0.0.1 9"), "-1 EAGAIN");
	cr_assert_str_eq(result_of(&run, "sendmsg 3 127.0.0.1 9"), "-1 EAGAIN");
	cr_assert_str_eq(result_of(&run, "sendmmsg 3 127.0.0.1 9"), "-1 EAGAIN");
	cr_assert_str_eq(result_of(&run, "sendto 3 127.0.0.1 9 dontwait"), "-1 EAGAIN");
	cr_assert_eq(port_of(&run, "name 3"), 0);
	cr_assert_str_eq(result_of(&run, "connect 4 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	cr_assert_str_empty(run.err);
}

Test(exhaustion, errnos_early)
{
	own_server();
	errnos_with("[rule r]\nports = 20000\n");
}

Test(exhaustion, errnos_late)
{
	own_server();
	errnos_with("[rule r]\nports = 40500\n");
}

/* All ports of the set are had before it is used up: the last one too, in sets of every small size, each way. */
Test(exhaustion, every_port_is_had)
{
	own_server();
	for (int count = 1; count <= 7; count++) {
		for (int way = 0; way < 3; way++) {
			static const int lo[] = { 20000, 40500, 40997 }; /* early, late, across the end */
			char policy[96], step[16][64];
			const char *argv[20] = { built("tests/probes/act") };
			struct run run = { .policy = policy };

			snprintf(policy, sizeof(policy), "[rule r]\nports = %d-%d\n", lo[way] + count * 10 * (way < 2),
			         lo[way] + count * 10 * (way < 2) + count - 1);
			for (int i = 0; i <= count; i++) {
				snprintf(step[2 * i], 64, "socket %d tcp4", i);
				snprintf(step[2 * i + 1], 64, "connect %d 127.0.0.1 %d", i, 5000);
				argv[1 + 2 * i] = step[2 * i];
				argv[2 + 2 * i] = step[2 * i + 1];
			}
			run_program(&run, argv);
			for (int i = 0; i < count; i++)
				cr_assert_str_eq(result_of(&run, step[2 * i + 1]), "0", "%s%s", policy, run.out);
			cr_assert_str_eq(result_of(&run, step[2 * count + 1]), "-1 EADDRNOTAVAIL", "%s", policy);
			if (way == 2) /* the same ports again: the last connections' TIME_WAIT is in the way */
				net_own(), net_set("net/ipv4/ip_local_port_range", "40000 40999"), server_tcp("127.0.0.1", 5000);
		}
	}
}

/* A port that is free again is had again. The server closes first, so that it keeps the TIME_WAIT. */
static void free_again_with(int port)
{
	char policy[64];
	struct run run = { .policy = policy };
	int listener = own_server(), fd;

	snprintf(policy, sizeof(policy), "[rule r]\nports = %d\n", port);
	run_start_steps(&run, "socket 0 tcp4", connect_step[0], "socket 1 tcp4", connect_step[1], "pause", "close 0",
	                "pause", "socket 2 tcp4", connect_step[2], NULL);
	run_until_paused(&run);
	cr_assert_str_eq(result_of(&run, connect_step[0]), "0");
	cr_assert_str_eq(result_of(&run, connect_step[1]), "-1 EADDRNOTAVAIL");
	server_accept(listener, &fd);
	cr_assert(close(fd) == 0);
	run_go_on(&run);
	run_until_paused(&run);
	socket_wait_gone(port);
	run_go_on(&run);
	run_end(&run);
	cr_assert_str_eq(result_of(&run, connect_step[2]), "0", "%s%s", run.out, run.err);
}

Test(exhaustion, early_port_is_had_again)
{
	free_again_with(20000);
}

Test(exhaustion, late_port_is_had_again)
{
	free_again_with(40500);
}

Test(exhaustion, pass_lets_the_kernel_choose)
{
	static const char *const sets[] = { "20000", "40500" };

	for (int i = 0; i < 2; i++) {
		char policy[96];
		struct run run = { .policy = policy };
		int listener = own_server(), port; /* anew: the kernel's choice before may have been this set's port */

		snprintf(policy, sizeof(policy), "[rule r]\nports = %s\nexhausted = pass\n", sets[i]);
		run_steps(&run, "socket 0 tcp4", connect_step[0], "socket 1 tcp4", connect_step[1], "socket 2 udp4",
		          "bind 2 127.0.0.1 0", "socket 3 udp4", "bind 3 127.0.0.1 0", "name 3", NULL);
		cr_assert_str_eq(result_of(&run, connect_step[1]), "0");
		cr_assert_eq(server_accept(listener, NULL), atoi(sets[i]));
		port = server_accept(listener, NULL);
		cr_assert(port >= 40000 && port <= 40999 && port != atoi(sets[i]), "port %d", port);
		cr_assert(port_of(&run, "name 3") >= 40000);
	}
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The port comes free while a second connect waits for it. */
Test(exhaustion, wait_gets_the_port_when_it_comes_free)
{
	struct run holder = { .policy = "[rule r]\nports = 20000\n" };
	struct run waiter = { .policy = "[rule r]\nports = 20000\nexhausted = wait 20s\n" };
	int listener = own_server(), fd;

	run_start_steps(&holder, "socket 0 tcp4", connect_step[0], "pause", "close 0", NULL);
	run_until_paused(&holder);
	server_accept(listener, &fd);
	run_start_steps(&waiter, "pause", "socket 1 tcp4", connect_step[1], NULL);
	run_until_paused(&waiter);
	run_go_on(&waiter);
	close(fd);
	run_go_on(&holder);
	run_end(&holder);
	run_end(&waiter);
	cr_assert_str_eq(result_of(&waiter, connect_step[1]), "0");
	cr_assert_eq(server_accept(listener, NULL), 20000);
}

Test(exhaustion, wait_ends_with_the_errno)
{
	struct run run = { .policy = "[rule r]\nports = 20000\nexhausted = wait 300ms\n" };
	double begin;

	own_server();
	begin = seconds();
	run_steps(&run, "socket 0 tcp4", connect_step[0], "socket 1 tcp4", connect_step[1], NULL);
	cr_assert_str_eq(result_of(&run, connect_step[1]), "-1 EADDRNOTAVAIL");
	cr_assert_geq(seconds() - begin, 0.3);
}

/* A wait of an hour that must not be waited: a non-blocking socket, MSG_DONTWAIT, SO_SNDTIMEO, a signal. */
Test(exhaustion, wait_gives_way)
{
	struct run run = { .policy = "[rule r]\nports = 20000\nexhausted = wait 1h\n" };

	own_server();
	run_steps(&run, "socket 0 tcp4", connect_step[0], "socket 1 nbtcp4", "connect 1 127.0.0.1 5000", "socket 2 udp4",
	          "bind 2 0.0.0.0 0", "socket 3 udp4", "sendto 3 127.0.0.1 9 dontwait", "socket 4 tcp4", "sndtimeo 4 50",
	          "connect 4 127.0.0.1 5000", "socket 5 tcp4", "alarm 500", "connect 5 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	cr_assert_str_eq(result_of(&run, "sendto 3 127.0.0.1 9 dontwait"), "-1 EAGAIN");
	cr_assert_str_eq(result_of(&run, "connect 4 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	cr_assert_str_eq(result_of(&run, "connect 5 127.0.0.1 5000"), "-1 EINTR");
}

/* A signal that comes while a port is tried, and not while the call sleeps, ends the wait as well. A system call of each
 * try but the first few is drawn out, so that one is under way when the signal comes. */
static void signal_in_a_try(const char *port, const char *slow)
{
	char policy[128], inject[64], taken[48];
	static struct run run;
	const char *argv[] = { "strace", "-o", "/dev/null", "-e", inject, built("tests/probes/act"), "socket 0 tcp4", taken,
	                       "socket 1 tcp4", "alarm 3000", "connect 1 127.0.0.1 5000", NULL };

	snprintf(policy, sizeof(policy), "[rule r]\nports = %s\nexhausted = wait 20s\n", port);
	snprintf(inject, sizeof(inject), "inject=%s:delay_enter=700000:when=6+", slow);
	snprintf(taken, sizeof(taken), "bind 0 127.0.0.1 %s", port);
	run = (struct run){ .policy = policy };
	own_server();
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_assert_str_eq(result_of(&run, taken), "0");
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5000"), "-1 EINTR", "%s: %s", slow, run.out);
}

Test(exhaustion, wait_ends_with_a_signal_in_a_try)
{
	signal_in_a_try("20000", "sendto");
	signal_in_a_try("40500", net_takes_late() ? "setsockopt" : "sendto");
}

/* Two processes race for the last port, each way: one has it, the other is told. */
Test(exhaustion, two_racers_for_the_last_port)
{
	static const char *const policies[] = { "[rule r]\nports = 20000\n", "[rule r]\nports = 40500\n" };

	own_server();
	for (int i = 0; i < 2; i++) {
		struct run a = { .policy = policies[i] }, b = { .policy = policies[i] };
		int won;

		run_start_steps(&a, "socket 0 tcp4", "pause", connect_step[0], "pause", NULL);
		run_start_steps(&b, "socket 0 tcp4", "pause", connect_step[0], "pause", NULL);
		run_until_paused(&a);
		run_until_paused(&b);
		run_go_on(&a);
		run_go_on(&b);
		run_until_paused(&a);
		run_until_paused(&b);
		won = (strcmp(result_of(&a, connect_step[0]), "0") == 0) + (strcmp(result_of(&b, connect_step[0]), "0") == 0);
		cr_assert_eq(won, 1, "%d of two had it", won);
		cr_assert(printed(&a, "connect 0 127.0.0.1 5000 = -1 EADDRNOTAVAIL") ||
		          printed(&b, "connect 0 127.0.0.1 5000 = -1 EADDRNOTAVAIL"));
		run_end(&a);
		run_end(&b);
	}
}
