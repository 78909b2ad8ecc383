/* test_ways.c - a program's sockets leave from the rule's ports, whichever way its port is taken. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

/* lo of the set: inside the ephemeral range (late), outside it (early), or across its end (both). */
#define RANGE "40000 40999"
#define INSIDE 40100
#define OUTSIDE 20000
#define ACROSS 40995

struct way {
	const char *kind, *server, *destination;
	int lo;
};

static const char *policy_of(int lo, int hi)
{
	static char text[256];

	snprintf(text, sizeof(text), "[rule r]\nports = %d-%d\n", lo, hi);
	return text;
}

static const struct way connects[] = {
	{ "tcp4", "127.0.0.1", "127.0.0.1", INSIDE },        { "tcp4", "127.0.0.1", "127.0.0.1", OUTSIDE },
	{ "tcp4", "127.0.0.1", "0.0.0.0", INSIDE },          { "tcp4", "127.0.0.1", "127.0.0.1", ACROSS },
	{ "tcp6", "::1", "::1", INSIDE },                    { "tcp6", "::1", "::1", OUTSIDE },
	{ "tcp6", "127.0.0.1", "::ffff:127.0.0.1", INSIDE }, { "tcp6", "127.0.0.1", "::ffff:127.0.0.1", OUTSIDE },
	{ "mptcp4", "127.0.0.1", "127.0.0.1", INSIDE },      { "mptcp4", "127.0.0.1", "127.0.0.1", OUTSIDE },
	{ "mptcp6", "::1", "::1", INSIDE },                  { "nbtcp4", "127.0.0.1", "127.0.0.1", INSIDE },
	{ "nbtcp4", "127.0.0.1", "127.0.0.1", OUTSIDE },
};

/* Criterion hands a parameter on to another process: an index travels, pointers do not. */
static struct criterion_test_params indices(size_t count)
{
	static int index[32];

	for (size_t i = 0; i < count; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, count);
}

ParameterizedTestParameters(ways, connect)
{
	return indices(sizeof(connects) / sizeof(connects[0]));
}

/* Ten connections held at once from ten ports: each port once, none from elsewhere, as the server sees it. */
ParameterizedTest(int *index, ways, connect)
{
	const struct way *way = &connects[*index];
	char steps[2][10][64];
	const char *argv[24] = { built("tests/probes/act") };
	struct run run = { .policy = policy_of(way->lo, way->lo + 9) };
	bool seen[10] = { false };
	int listener, port;

	if (strncmp(way->kind, "mptcp", 5) == 0 && !net_has_mptcp())
		return;
	net_own();
	net_set("net/ipv4/ip_local_port_range", RANGE);
	listener = server_tcp(way->server, 5000);
	for (int i = 0; i < 10; i++) {
		snprintf(steps[0][i], 64, "socket %d %s", i, way->kind);
		snprintf(steps[1][i], 64, "connect %d %s %d", i, way->destination, socket_port(listener));
		argv[1 + 2 * i] = steps[0][i];
		argv[2 + 2 * i] = steps[1][i];
	}
	argv[21] = "pause";
	run_start(&run, argv);
	run_until_paused(&run);
	cr_assert(!strstr(run.out, "EADDR"), "%s %s from %d:\n%s%s", way->kind, way->destination, way->lo, run.out, run.err);
	for (int i = 0; i < 10; i++) {
		int fd;

		port = server_accept(listener, &fd);
		cr_assert(port >= way->lo && port <= way->lo + 9, "%s from port %d\n%s", way->kind, port, run.out);
		cr_assert(!seen[port - way->lo], "port %d twice", port);
		seen[port - way->lo] = true;
	}
	run_go_on(&run);
	run_end(&run);
	cr_assert(exited(&run, 0));
	cr_assert_str_empty(run.err);
}

static const struct way sends[] = {
	{ "sendto", "127.0.0.1", "udp4", INSIDE },  { "sendto", "127.0.0.1", "udp4", OUTSIDE },
	{ "sendmsg", "127.0.0.1", "udp4", INSIDE }, { "sendmmsg", "127.0.0.1", "udp4", OUTSIDE },
	{ "sendto", "::1", "udp6", INSIDE },        { "sendmmsg", "::1", "udp6", OUTSIDE },
	{ "connect", "127.0.0.1", "udp4", INSIDE }, { "connect", "::1", "udp6", OUTSIDE },
};

ParameterizedTestParameters(ways, send)
{
	return indices(sizeof(sends) / sizeof(sends[0]));
}

ParameterizedTest(int *index, ways, send)
{
	const struct way *way = &sends[*index];
	struct run run = { .policy = policy_of(way->lo, way->lo + 9) };
	char socket_step[64], send_step[64];
	const char *then = strcmp(way->kind, "connect") == 0 ? "sendto 0 null 0 0" : "name 0";
	int server;

	net_own();
	net_set("net/ipv4/ip_local_port_range", RANGE);
	server = server_udp(way->server, 5000);
	snprintf(socket_step, sizeof(socket_step), "socket 0 %s", way->destination);
	snprintf(send_step, sizeof(send_step), "%s 0 %s %d", way->kind, way->server, socket_port(server));
	run_steps(&run, socket_step, send_step, then, "name 0", NULL);
	cr_assert(port_of(&run, "name 0") >= way->lo && port_of(&run, "name 0") <= way->lo + 9, "%s", run.out);
	cr_assert_eq(server_receive(server), port_of(&run, "name 0"));
}

Test(ways, fast_open)
{
	struct run run = { .policy = policy_of(INSIDE, INSIDE + 9) };
	char step[64];
	int listener, port;

	net_own();
	net_set("net/ipv4/ip_local_port_range", RANGE);
	listener = server_tcp("127.0.0.1", 5000);
	snprintf(step, sizeof(step), "sendto 0 127.0.0.1 %d fastopen", socket_port(listener));
	run_steps(&run, "socket 0 tcp4", step, NULL);
	port = server_accept(listener, NULL);
	cr_assert(port >= INSIDE && port <= INSIDE + 9, "port %d\n%s", port, run.out);
}

Test(ways, the_alias_that_libc_exports)
{
	struct run run = { .policy = policy_of(OUTSIDE, OUTSIDE) };
	char step[64];
	int listener;

	net_own();
	listener = server_tcp("127.0.0.1", 5000);
	snprintf(step, sizeof(step), "__connect 0 127.0.0.1 %d", socket_port(listener));
	run_steps(&run, "socket 0 tcp4", step, NULL);
	cr_assert_eq(server_accept(listener, NULL), OUTSIDE);
}

/* The kernel ignores a late range outside its own without a word: no port may slip out when its range moves while
 * the program runs. A reading holds for a second; that second is let pass. */
Test(ways, the_ephemeral_range_moves_away)
{
	struct run run = { .policy = policy_of(INSIDE, INSIDE + 9) };
	char step[2][64];
	int listener;

	net_own();
	net_set("net/ipv4/ip_local_port_range", RANGE);
	listener = server_tcp("127.0.0.1", 5000);
	for (int i = 0; i < 2; i++)
		snprintf(step[i], sizeof(step[i]), "connect %d 127.0.0.1 %d", i, socket_port(listener));
	run_start_steps(&run, "socket 0 tcp4", step[0], "pause", "sleep 1050", "socket 1 tcp4", step[1], NULL);
	run_until_paused(&run);
	net_set("net/ipv4/ip_local_port_range", "50000 50999");
	run_go_on(&run);
	run_end(&run);
	for (int i = 0; i < 2; i++) {
		int port = server_accept(listener, NULL);

		cr_assert(port >= INSIDE && port <= INSIDE + 9, "connection %d from port %d", i, port);
	}
}

/* A set that names `kernel` follows the range. */
Test(ways, kernel_range_follows)
{
	struct run run = { .policy = "[rule r]\nports = kernel\nchoose = kernel\n" };
	char step[2][64];
	int listener, port;

	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40009");
	listener = server_tcp("127.0.0.1", 5000);
	for (int i = 0; i < 2; i++)
		snprintf(step[i], sizeof(step[i]), "connect %d 127.0.0.1 %d", i, socket_port(listener));
	run_start_steps(&run, "socket 0 tcp4", step[0], "pause", "sleep 1050", "socket 1 tcp4", step[1], NULL);
	run_until_paused(&run);
	port = server_accept(listener, NULL);
	cr_assert(port >= 40000 && port <= 40009, "port %d", port);
	net_set("net/ipv4/ip_local_port_range", "50000 50009");
	run_go_on(&run);
	run_end(&run);
	port = server_accept(listener, NULL);
	cr_assert(port >= 50000 && port <= 50009, "port %d", port);
}

/* Not all kernels look at each port of an odd number themselves. */
Test(ways, kernel_picks_from_an_odd_number)
{
	static const char *const policies[] = { "[rule r]\nports = 40500-40502\nchoose = kernel\n",
	                                        "[portshim]\ntable = none\n[rule r]\nports = 40500-40502\nchoose = kernel\n" };

	for (int i = 0; i < 6; i++) {
		struct run run = { .policy = policies[i % 2] };

		net_own();
		net_set("net/ipv4/ip_local_port_range", "40000 40999");
		server_tcp("127.0.0.1", 5000);
		run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5000", "socket 2 tcp4",
		          "connect 2 127.0.0.1 5000", "socket 3 tcp4", "connect 3 127.0.0.1 5000", NULL);
		cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 5000"), "0", "%s%s", policies[i % 2], run.out);
		cr_assert_str_eq(result_of(&run, "connect 3 127.0.0.1 5000"), "-1 EADDRNOTAVAIL", "%s", run.out);
	}
}

/* Reserved ports are given where numbers name them (early: the kernel never takes them late), and left out of a
 * range that is named. */
Test(ways, reserved_ports)
{
	struct run by_number = { .policy = policy_of(INSIDE, INSIDE) };
	struct run by_name = { .policy = "[rule r]\nports = kernel\n" };
	char step[64];
	int listener;

	net_own();
	net_set("net/ipv4/ip_local_port_range", "40100 40101");
	net_set("net/ipv4/ip_local_reserved_ports", "40100");
	listener = server_tcp("127.0.0.1", 5000);
	snprintf(step, sizeof(step), "connect 0 127.0.0.1 %d", socket_port(listener));
	run_steps(&by_number, "socket 0 tcp4", step, NULL);
	cr_assert_eq(server_accept(listener, NULL), INSIDE);
	for (int i = 0; i < 8; i++) {
		run_steps(&by_name, "socket 0 udp4", "connect 0 127.0.0.1 9", "name 0", NULL);
		cr_assert_eq(port_of(&by_name, "name 0"), 40101);
	}
}

/* One late port carries a connection to each destination, and the second to the same one fails. */
Test(ways, late_ports_are_shared_between_destinations)
{
	struct run run = { .policy = policy_of(INSIDE, INSIDE) };
	char steps[3][64];
	int one, two;

	net_own();
	net_set("net/ipv4/ip_local_port_range", RANGE);
	one = server_tcp("127.0.0.1", 5000);
	two = server_tcp("127.0.0.1", 6000);
	snprintf(steps[0], 64, "connect 0 127.0.0.1 %d", socket_port(one));
	snprintf(steps[1], 64, "connect 1 127.0.0.1 %d", socket_port(two));
	snprintf(steps[2], 64, "connect 2 127.0.0.1 %d", socket_port(one));
	run_steps(&run, "socket 0 tcp4", "socket 1 tcp4", "socket 2 tcp4", steps[0], steps[1], steps[2], NULL);
	cr_assert_str_eq(result_of(&run, steps[0]), "0");
	cr_assert_str_eq(result_of(&run, steps[1]), "0");
	cr_assert_str_eq(result_of(&run, steps[2]), "-1 EADDRNOTAVAIL");
	cr_assert_eq(server_accept(one, NULL), INSIDE);
	cr_assert_eq(server_accept(two, NULL), INSIDE);
}

/* bind() to port 0 and listen() on an unbound socket. */
Test(ways, bind_and_listen)
{
	struct run run = { .policy = policy_of(OUTSIDE, OUTSIDE + 3) };

	net_own();
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "name 0", "socket 1 tcp6", "bind 1 ::1 0", "name 1",
	          "socket 2 tcp4", "listen 2", "name 2", "socket 3 udp4", "bind 3 0.0.0.0 0 as-unspec", "name 3", NULL);
	for (int i = 0; i < 4; i++) {
		char step[16];

		snprintf(step, sizeof(step), "name %d", i);
		cr_assert(port_of(&run, step) >= OUTSIDE && port_of(&run, step) <= OUTSIDE + 3, "%s", run.out);
	}
	cr_assert_str_eq(strtok((char *)result_of(&run, "name 0"), " "), "127.0.0.1");
}

/* UDP-Lite goes the way of UDP. A rule for one protocol does not concern the other. */
Test(ways, udplite)
{
	struct run run = { .policy = "[rule r]\nprotocol = udplite\nports = 20000-20009\n" };

	net_own();
	net_set("net/ipv4/ip_local_port_range", RANGE);
	run_steps(&run, "socket 0 udplite4", "connect 0 127.0.0.1 9", "name 0", "socket 1 udplite4", "bind 1 127.0.0.1 0", "name 1",
	          "socket 2 udp4", "connect 2 127.0.0.1 9", "name 2", NULL);
	cr_assert(port_of(&run, "name 0") >= OUTSIDE && port_of(&run, "name 0") <= OUTSIDE + 9, "%s", run.out);
	cr_assert(port_of(&run, "name 1") >= OUTSIDE && port_of(&run, "name 1") <= OUTSIDE + 9, "%s", run.out);
	cr_assert_geq(port_of(&run, "name 2"), 40000);
}

Test(ways, bindresvport)
{
	struct run run = { .policy = policy_of(OUTSIDE, OUTSIDE + 3) };

	net_own();
	run_steps(&run, "socket 0 tcp4", "bindresvport 0", "name 0", NULL);
	cr_assert(port_of(&run, "name 0") >= OUTSIDE && port_of(&run, "name 0") <= OUTSIDE + 3, "%s", run.out);
}
