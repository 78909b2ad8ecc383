/* test_deferred.c - clients that bind(address, 0) before they connect (ssh -b, Python's source_address, Java): the rule
 * of their destination still decides. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define TO_RULE "[rule to]\nto = 127.0.0.1:5000, [::1]:5000\nports = %s\n"

static int listener;
static char policy[512];

static void own(const char *ports, const char *further)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	listener = server_tcp("127.0.0.1", 5000);
	snprintf(policy, sizeof(policy), TO_RULE "%s", ports, further);
}

static void bind_then_connect(const char *ports, int expected)
{
	struct run run = { .policy = policy };

	own(ports, "");
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.2 0", "connect 0 127.0.0.1 5000", "name 0", "get 0 noport",
	          "get 0 range", "socket 1 tcp4", "set 1 range 40500", "bind 1 127.0.0.2 0", "get 1 range", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	cr_assert_eq(port_of(&run, "name 0"), expected, "%s", run.out);
	cr_assert(strncmp(result_of(&run, "name 0"), "127.0.0.2 ", 10) == 0, "the address is the program's");
	cr_assert_str_eq(result_of(&run, "get 0 noport"), "0", "the option is as the program left it");
	cr_assert_str_eq(result_of(&run, "get 0 range"), net_no_range(), "and so is this one");
	cr_assert_str_eq(result_of(&run, "get 1 range"), net_takes_late() ? "40500" : net_no_range(), "a range of the program's own is shown");
	cr_assert_eq(server_accept(listener, NULL), expected);
}

Test(deferred, connect_decides_early)
{
	bind_then_connect("20000", 20000);
}

Test(deferred, connect_decides_late)
{
	bind_then_connect("40500", 40500);
}

Test(deferred, wildcard_bind_and_every_family)
{
	struct run run = { .policy = policy };

	const char *last = net_has_mptcp() ? "socket 4 mptcp4" : "socket 4 tcp4";

	own("20000-20009", "");
	server_tcp("::1", 5000);
	run_steps(&run, "socket 0 tcp4", "bind 0 0.0.0.0 0", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp6",
	          "bind 1 :: 0", "connect 1 ::1 5000", "name 1", "socket 2 tcp6", "bind 2 :: 0",
	          "connect 2 ::ffff:127.0.0.1 5000", "name 2", "socket 3 udp4", "bind 3 0.0.0.0 0",
	          "sendto 3 127.0.0.1 5000", "name 3", last, "bind 4 127.0.0.1 0", "connect 4 127.0.0.1 5000",
	          "name 4", NULL);
	for (int i = 0; i < 5; i++) {
		char step[16];

		snprintf(step, sizeof(step), "name %d", i);
		cr_assert(port_of(&run, step) >= 20000 && port_of(&run, step) <= 20009, "%s", run.out);
	}
}

/* Another destination: the next rule decides, or the kernel where none does. */
Test(deferred, another_destination)
{
	struct run run = { .policy = policy };

	own("20000", "[rule rest]\nports = 21000\n");
	server_tcp("127.0.0.1", 6000);
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "connect 0 127.0.0.1 6000", "name 0", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 21000);
	own("20000", "");
	server_tcp("127.0.0.1", 6000);
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "connect 0 127.0.0.1 6000", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 6000"), "0");
	cr_assert(port_of(&run, "name 0") >= 40000);
}

/* Whoever asks for the port before there is a destination gets one: of a rule that needs none, and then it stays. */
Test(deferred, getsockname_decides)
{
	struct run run = { .policy = policy };

	own("20000", "[rule rest]\ncall = bind\nports = 21000\n");
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "name 0", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 21000);
	cr_assert_eq(server_accept(listener, NULL), 21000);
	own("20000", "");
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "name 0", NULL);
	cr_assert(port_of(&run, "name 0") >= 40000, "no rule: the kernel's");
}

/* Java binds, asks for its port, then connects: what it saw was the kernel's, and the destination's rule still decides. */
Test(deferred, getsockname_before_connect)
{
	static const char *const sets[] = { "20000-20099", "40500-40599" };
	static const char *const kinds[] = { "tcp4", "tcp6", "mptcp4" };
	static const char *const addresses[] = { "127.0.0.2", "::ffff:127.0.0.2", "127.0.0.2" };
	struct run run = { .policy = policy };

	for (int i = 0; i < 6; i++) {
		const char *kind = kinds[i % 3], *address = addresses[i % 3];
		char step[3][64];
		int lo = i < 3 ? 20000 : 40500;

		if (i % 3 == 2 && !net_has_mptcp())
			continue;
		own(sets[i / 3], "");
		server_tcp("127.0.0.1", 6000);
		snprintf(step[0], 64, "socket 0 %s", kind);
		snprintf(step[1], 64, "bind 0 %s 0", address);
		snprintf(step[2], 64, "connect 0 %s 5000", i % 3 == 1 ? "::ffff:127.0.0.1" : "127.0.0.1");
		run_start_steps(&run, step[0], step[1], "name 0", "pause", step[2], "name 0", NULL);
		run_until_paused(&run);
		cr_assert_geq(port_of(&run, "name 0"), 40000, "a port is shown: %s", run.out);
		run_go_on(&run);
		run_end(&run);
		cr_assert_str_eq(result_of(&run, step[2]), "0", "%s: %s", kind, run.out);
		cr_assert(port_of(&run, "name 0") >= lo && port_of(&run, "name 0") <= lo + 99, "%s: %s", kind, run.out);
		cr_assert(strncmp(result_of(&run, "name 0"), address, strlen(address)) == 0, "%s: %s", kind, run.out);
	}
}

/* A datagram socket's port is told to others before anything is sent: it gets the port of the rule that could decide, and
 * keeps it. */
Test(deferred, getsockname_of_a_datagram_socket)
{
	struct run run = { .policy = policy };
	int shown;

	own("20000-20099", "");
	run_start_steps(&run, "socket 0 udp4", "bind 0 127.0.0.2 0", "name 0", "pause", "sendto 0 127.0.0.1 9", "sendto 0 127.0.0.1 5000",
	                "connect 0 127.0.0.1 5000", "name 0", NULL);
	run_until_paused(&run);
	shown = port_of(&run, "name 0");
	cr_assert(shown >= 20000 && shown <= 20099, "%s", run.out);
	run_go_on(&run);
	run_end(&run);
	cr_assert_eq(port_of(&run, "name 0"), shown);
}

/* A connect that fails because the set is used up leaves a socket that can be asked and tried again. */
Test(deferred, used_up_after_getsockname)
{
	struct run run = { .policy = policy };

	own("20000", "");
	run_steps(&run, "socket 0 tcp4", "bind 0 0.0.0.0 20000", "socket 1 tcp4", "bind 1 127.0.0.2 0", "name 1", "connect 1 127.0.0.1 5000",
	          "name 1", "close 0", "connect 1 127.0.0.1 5000", "peer 1", "name 1", NULL);
	cr_assert(printed(&run, "connect 1 127.0.0.1 5000 = -1 EADDRNOTAVAIL"));
	cr_assert_str_eq(result_of(&run, "peer 1"), "127.0.0.1 5000");
	cr_assert_str_eq(result_of(&run, "name 1"), "127.0.0.2 20000");
}

/* A rule for connect or send alone: the bind() before it is put off as well. */
Test(deferred, rules_that_leave_bind_out)
{
	struct run run = { .policy = "[rule r]\ncall = connect, send\nports = 20000-20009\n" };

	own("20000", "");
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.2 0", "connect 0 127.0.0.1 5000", "name 0", "socket 1 udp4", "bind 1 0.0.0.0 0",
	          "sendto 1 127.0.0.1 9", "name 1", "socket 2 tcp4", "bind 2 127.0.0.1 0", "listen 2", "name 2", NULL);
	cr_assert(port_of(&run, "name 0") >= 20000 && port_of(&run, "name 0") <= 20009, "%s", run.out);
	cr_assert(port_of(&run, "name 1") >= 20000 && port_of(&run, "name 1") <= 20009, "%s", run.out);
	cr_assert_geq(port_of(&run, "name 2"), 40000);
}

/* Who asks and then listens, or connects where no rule decides, keeps the port that was shown. */
Test(deferred, the_port_that_was_shown_is_kept)
{
	struct run run = { .policy = policy };
	int shown;

	own("20000", "[rule l]\ncall = listen\nports = 21000\n");
	server_tcp("127.0.0.1", 6000);
	run_start_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "name 0", "socket 1 tcp4", "bind 1 127.0.0.1 0", "name 1", "pause",
	                "listen 0", "name 0", "connect 1 127.0.0.1 6000", "name 1", NULL);
	run_until_paused(&run);
	shown = port_of(&run, "name 0");
	cr_assert_geq(shown, 40000);
	run_go_on(&run);
	run_end(&run);
	cr_assert_eq(port_of(&run, "name 0"), shown);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 6000"), "0");
	cr_assert_geq(port_of(&run, "name 1"), 40000);
}

Test(deferred, listen_decides)
{
	struct run run = { .policy = policy };

	own("20000", "[rule rest]\ncall = bind\nports = 21000\n");
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "listen 0", "name 0", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 21000);
	own("20000", "");
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "listen 0", "name 0", NULL);
	cr_assert(port_of(&run, "name 0") >= 40000);
}

/* What a bound socket does, one whose bind was put off does too. */
Test(deferred, looks_like_a_bound_socket)
{
	struct run run = { .policy = policy };

	own("20000", "");
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "bind 0 127.0.0.1 0", "bind 0 127.0.0.1 7777", "socket 1 tcp4",
	          "bind 1 192.0.2.77 0", "socket 2 tcp4", "bind 2 ::1 0", NULL);
	cr_assert_str_eq(result_of(&run, "bind 0 127.0.0.1 0"), "-1 EINVAL");
	cr_assert_str_eq(result_of(&run, "bind 0 127.0.0.1 7777"), "-1 EINVAL");
	cr_assert_str_eq(result_of(&run, "bind 1 192.0.2.77 0"), "-1 EADDRNOTAVAIL");
	cr_assert_str_eq(result_of(&run, "bind 2 ::1 0"), "-1 EAFNOSUPPORT");
}

/* A copy of the descriptor, and a program that was exec'd with it, know as much. */
Test(deferred, through_a_copy_of_the_descriptor)
{
	struct run run = { .policy = policy };

	own("20000-20009", "");
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "dup 0 1", "connect 1 127.0.0.1 5000", "name 0", "name 1",
	          "socket 2 tcp4", "bind 2 127.0.0.1 0", "pass 2 3", "connect 3 127.0.0.1 5000", "name 3", NULL);
	cr_assert_eq(port_of(&run, "name 0"), port_of(&run, "name 1"));
	cr_assert(port_of(&run, "name 1") >= 20000 && port_of(&run, "name 1") <= 20009, "%s", run.out);
	cr_assert(port_of(&run, "name 3") >= 20000 && port_of(&run, "name 3") <= 20009, "%s", run.out);
}

/* A bind() that fails takes the address off the socket: every further try, on either way, must bring it again, and so must
 * the end of all tries. Port 20000 (early) and 40500 (late) are taken at first. */
Test(deferred, the_address_survives_taken_ports)
{
	struct run run = { .policy = policy };
	static const char *const sets[] = { "20000-20001", "20000, 40500-40501" };

	for (int i = 0; i < 2; i++) {
		own(sets[i], "");
		run_steps(&run, "socket 0 tcp4", "bind 0 0.0.0.0 20000", "socket 1 tcp4", "bind 1 0.0.0.0 40500", "socket 2 tcp4",
		          "bind 2 127.0.0.2 0", "connect 2 127.0.0.1 5000", "name 2", NULL);
		cr_assert_eq(port_of(&run, "name 2"), i == 0 ? 20001 : 40501);
		cr_assert(strncmp(result_of(&run, "name 2"), "127.0.0.2 ", 10) == 0, "%s", run.out);
	}
	own("20000", "");
	run_steps(&run, "socket 0 tcp4", "bind 0 0.0.0.0 20000", "socket 2 tcp4", "bind 2 127.0.0.2 0", "connect 2 127.0.0.1 5000",
	          "close 0", "connect 2 127.0.0.1 5000", "name 2", NULL);
	cr_assert_str_eq(result_of(&run, "name 2"), "127.0.0.2 20000");
}

/* The program itself puts the port off: its getsockname shows none, as without portshim, and the rule still decides. */
Test(deferred, by_the_program_itself)
{
	struct run run = { .policy = "[rule r]\nports = 20000\n" };

	own("20000", "");
	run_steps(&run, "socket 0 tcp4", "set 0 noport 1", "bind 0 127.0.0.1 0", "name 0", "get 0 noport",
	          "connect 0 127.0.0.1 5000", "peer 0", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 0);
	cr_assert_str_eq(result_of(&run, "get 0 noport"), "1");
	cr_assert_eq(server_accept(listener, NULL), 20000);
}

/* A send that gives no port, since the stream is not connected, leaves a bind that was put off as it is. */
Test(deferred, send_on_a_stream_changes_nothing)
{
	struct run run = { .policy = policy };

	own("20000", "[rule listeners]\ncall = listen\nports = 20001\n[rule rest]\nports = 20002\n");
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "sendto 0 127.0.0.1 5000 nosignal", "listen 0", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, "sendto 0 127.0.0.1 5000 nosignal"), "-1 EPIPE");
	cr_assert_eq(port_of(&run, "name 0"), 20001, "%s", run.out);
}
