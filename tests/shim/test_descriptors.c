/* test_descriptors.c - what is remembered of a descriptor is never another socket's: numbers that are used again, copies,
 * descriptors that arrive, fork, exec. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define TCP_AND_UDP "[rule t]\nprotocol = tcp\nports = 20000-20099\n[rule u]\nprotocol = udp\nports = 21000-21099\n"

static void own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	server_tcp("127.0.0.1", 5000);
}

static void port_is(struct run *run, const char *step, int lo)
{
	cr_assert(port_of(run, step) >= lo && port_of(run, step) <= lo + 99, "%s in\n%s", step, run->out);
}

/* The number of a closed socket, or of one that is overwritten, stands for another kind of socket. */
Test(descriptors, numbers_are_used_again)
{
	struct run run = { .policy = TCP_AND_UDP };

	own();
	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "close 0", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0",
	          "close 0", "socket 0 udp4", "sendto 0 127.0.0.1 9", "name 0", "socket 1 tcp4", "dup2 1 0",
	          "connect 0 127.0.0.1 5000", "name 1", "socket 2 udp4", "connect 2 127.0.0.1 9", "socket 3 udp4", "dup3 3 2",
	          "sendto 2 127.0.0.1 9", "name 3", NULL);
	port_is(&run, "name 1", 20000);
	port_is(&run, "name 3", 21000);
	port_is(&run, "name 0", 21000);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
}

Test(descriptors, copies)
{
	struct run run = { .policy = TCP_AND_UDP };

	own();
	run_steps(&run, "socket 0 udp4", "dup 0 1", "sendto 1 127.0.0.1 9", "sendto 0 127.0.0.1 9", "name 0", "socket 2 tcp4",
	          "dupfd 2 3", "connect 3 127.0.0.1 5000", "name 2", "socket 4 udp4", "close 4", "socket 5 tcp4", "pass 5 6",
	          "connect 6 127.0.0.1 5000", "name 6", NULL);
	port_is(&run, "name 0", 21000);
	port_is(&run, "name 2", 20000);
	port_is(&run, "name 6", 20000);
}

/* An accepted connection takes the number of a socket that was never bound. */
Test(descriptors, accepted)
{
	struct run run = { .policy = TCP_AND_UDP };

	own();
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 6000", "listen 0", "socket 1 tcp4", "connect 1 127.0.0.1 6000", "socket 2 udp4",
	          "close 2", "accept 0 2", "name 2", "connect 2 127.0.0.1 5000", NULL);
	cr_assert_eq(port_of(&run, "name 2"), 6000);
	cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 5000"), "-1 EISCONN");
}

/* A child knows what its parent knew, and both propose ports of their own. */
Test(descriptors, fork)
{
	struct run run = { .policy = TCP_AND_UDP };

	own();
	run_steps(&run, "socket 0 tcp4", "socket 1 udp4", "sendto 1 127.0.0.1 9", "name 1", "fork", "connect 0 127.0.0.1 5000",
	          "name 0", "sendto 1 127.0.0.1 9", "name 1", "socket 2 udp4", "sendto 2 127.0.0.1 9", "name 2", NULL);
	port_is(&run, "name 0", 20000);
	port_is(&run, "name 1", 21000);
	port_is(&run, "name 2", 21000);
}

/* Sockets that an exec'd program inherits: unbound, bound, put off; it knows none of them and asks. */
Test(descriptors, exec)
{
	struct run run = { .policy = "[rule to]\nto = 127.0.0.1:5000\nprotocol = tcp\nports = 20000-20099\n"
	                             "[rule u]\nprotocol = udp\nports = 21000-21099\n" };
	const char *argv[] = { "/usr/bin/python3", "-c",
		"import os, socket, sys\n"
		"t = socket.socket(); t.bind(('127.0.0.1', 0))\n"
		"u = socket.socket(type=socket.SOCK_DGRAM)\n"
		"b = socket.socket(type=socket.SOCK_DGRAM); b.sendto(b'x', ('127.0.0.1', 9)); before = b.getsockname()[1]\n"
		"for s in t, u, b: s.set_inheritable(True)\n"
		"os.execv(sys.executable, [sys.executable, '-c', '''\n"
		"import socket, sys\n"
		"t, u, b = [socket.socket(fileno=int(n)) for n in sys.argv[1:4]]\n"
		"t.connect((\"127.0.0.1\", 5000)); u.sendto(b\"x\", (\"127.0.0.1\", 9)); b.sendto(b\"x\", (\"127.0.0.1\", 9))\n"
		"print(\"t =\", *t.getsockname()); print(\"u =\", *u.getsockname()); print(\"b =\", *b.getsockname())\n"
		"''', str(t.fileno()), str(u.fileno()), str(b.fileno()), str(before)])\n", NULL };

	own();
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s", run.err);
	port_is(&run, "t", 20000);
	port_is(&run, "u", 21000);
	port_is(&run, "b", 21000);
}

/* A bind through one copy is found out through the other. */
Test(descriptors, bound_through_another_copy)
{
	struct run run = { .policy = TCP_AND_UDP };

	own();
	run_steps(&run, "socket 0 tcp4", "dup 0 1", "bind 1 127.0.0.1 7000", "connect 0 127.0.0.1 5000", "name 0", "socket 2 udp4",
	          "dup 2 3", "bind 3 127.0.0.1 7001", "sendto 2 127.0.0.1 9", "name 2", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 7000);
	cr_assert_eq(port_of(&run, "name 2"), 7001);
}

#define TO_RULE "[rule to]\nto = 127.0.0.1:5000, [::1]:5000\nports = 20000-20099\n"

/* Whether it is known of a copy what was done to another: by a mark on the socket, from Linux 6.3 on, or by a supervisor. */
static bool copies_are_known(void)
{
	const char *mode = getenv("PORTSHIM_TEST_MODE");

	return net_takes_late() || (mode && strcmp(mode, "supervise") == 0);
}

/* A bind that was put off is one for every descriptor of the socket, copied before or after: it has a port when that is
 * asked for, cannot be bound again, and its address is the program's. (Where no mark can be left, before Linux 6.3, an earlier
 * copy is told by the address alone.) */
static void put_off_and_copied(const char *kind, const char *address, const char *any)
{
	char socket[32], bind[48], again[48], connect[48];
	const char *to = strchr(address, ':') ? "::1" : "127.0.0.1";
	bool told = copies_are_known() || strcmp(address, any) != 0;
	struct run run = { .policy = TO_RULE };

	own();
	server_tcp("::1", 5000);
	snprintf(socket, sizeof(socket), "socket 0 %s", kind);
	snprintf(bind, sizeof(bind), "bind 0 %s 0", address);
	snprintf(again, sizeof(again), "bind 1 %s 0", any);
	snprintf(connect, sizeof(connect), "connect 1 %s 5000", to);
	run_steps(&run, socket, "dup 0 1", bind, again, "name 1", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, again), told ? "-1 EINVAL" : "0", "%s %s: %s", kind, address, run.out);
	cr_assert(port_of(&run, "name 1") > 0 && port_of(&run, "name 0") == port_of(&run, "name 1"), "%s %s: %s", kind, address, run.out);
	run_steps(&run, socket, "dup 0 1", bind, connect, "name 0", "name 1", NULL);
	cr_assert_str_eq(result_of(&run, connect), "0");
	port_is(&run, "name 0", 20000);
	cr_assert_str_eq(result_of(&run, "name 0"), result_of(&run, "name 1"));
	if (strcmp(address, any) != 0)
		cr_assert(strncmp(result_of(&run, "name 0"), address, strlen(address)) == 0, "%s", run.out);
}

Test(descriptors, copies_of_a_socket_whose_bind_was_put_off)
{
	put_off_and_copied("tcp4", "127.0.0.2", "0.0.0.0");
	put_off_and_copied("tcp4", "0.0.0.0", "0.0.0.0");
	put_off_and_copied("tcp6", "::1", "::");
	put_off_and_copied("tcp6", "::", "::");
	put_off_and_copied("udp4", "127.0.0.2", "0.0.0.0");
	put_off_and_copied("udp4", "0.0.0.0", "0.0.0.0");
	if (net_has_mptcp())
		put_off_and_copied("mptcp4", "127.0.0.2", "0.0.0.0");
}

/* The same for a program that inherits it, or is handed it, where marks can be left. */
Test(descriptors, arrives_with_its_bind_put_off)
{
	struct run run = { .policy = TO_RULE };

	own();
	run_steps(&run, "socket 0 tcp4", "bind 0 0.0.0.0 0", "pass 0 1", "bind 1 0.0.0.0 0", "name 1", NULL);
	cr_assert_str_eq(result_of(&run, "bind 1 0.0.0.0 0"), copies_are_known() ? "-1 EINVAL" : "0");
	cr_assert(port_of(&run, "name 1") > 0, "%s", run.out);
	run_steps(&run, "socket 0 udp4", "bind 0 0.0.0.0 0", "pidfd 0 1", "name 1", "name 0", NULL);
	cr_assert_eq(port_of(&run, "name 1"), copies_are_known() ? port_of(&run, "name 0") : 0, "%s", run.out);
	cr_assert_gt(port_of(&run, "name 0"), 0, "%s", run.out);
	run_steps(&run, "socket 0 tcp4", "set 0 noport 1", "bind 0 0.0.0.0 0", "pass 0 1", "name 1", NULL);
	cr_assert_eq(port_of(&run, "name 1"), 0, "the program put it off itself");
}

/* Marks cannot be left on a socket that has bounds of the program's own; what is known here is not forgotten for that. */
Test(descriptors, put_off_within_bounds_of_its_own)
{
	struct run run = { .policy = TO_RULE };

	own();
	run_steps(&run, "socket 0 tcp4", "set 0 range -1660642236", "bind 0 0.0.0.0 0", "dup 0 1", "bind 1 0.0.0.0 0", "name 0", "name 1",
	          NULL);
	cr_assert_str_eq(result_of(&run, "bind 1 0.0.0.0 0"), "-1 EINVAL", "%s", run.out);
	cr_assert(port_of(&run, "name 0") >= 40000 && port_of(&run, "name 0") == port_of(&run, "name 1"), "%s", run.out);
}

/* The kernel's port, that was asked for by one descriptor of the socket, gives way when another one connects. */
Test(descriptors, port_asked_for_through_another_copy)
{
	struct run run = { .policy = TO_RULE };

	own();
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "dup 0 1", "name 0", "connect 1 127.0.0.1 5000", "name 1", NULL);
	cr_assert_geq(port_of(&run, "name 0"), 40000, "%s", run.out);
	port_is(&run, "name 1", 20000);
	if (!net_takes_late()) /* who is handed it sees a port, and no mark */
		return;
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "name 0", "pass 0 1", "connect 1 127.0.0.1 5000", "name 1", NULL);
	cr_assert_geq(port_of(&run, "name 0"), 40000, "%s", run.out);
	port_is(&run, "name 1", 20000);
}

/* Likewise by a child, which shares no memory with the one that connects. */
Test(descriptors, port_asked_for_by_a_child)
{
	struct run run = { .policy = TO_RULE };

	own();
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "childname 0", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, "childname 0"), "0", "%s", run.out);
	port_is(&run, "name 0", 20000);
}

/* Nor is a mark shown by a copy, or by a connection that the socket accepts. */
Test(descriptors, marks_are_hidden)
{
	struct run run = { .policy = TO_RULE "[rule listeners]\ncall = listen\nports = 6000\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "connect 0 127.0.0.1 5000", "dup 0 1", "get 1 range", "socket 2 tcp4",
	          "bind 2 127.0.0.1 0", "listen 2", "socket 3 tcp4", "connect 3 127.0.0.1 6000", "accept 2 4", "get 4 range", NULL);
	cr_assert_str_eq(result_of(&run, "connect 3 127.0.0.1 6000"), "0", "%s", run.out);
	cr_assert_str_eq(result_of(&run, "get 1 range"), net_no_range(), "%s", run.out);
	cr_assert_str_eq(result_of(&run, "get 4 range"), net_no_range(), "%s", run.out);
}

/* A length that cannot be read is the kernel's to refuse, whatever is asked before. */
Test(descriptors, name_of_no_length)
{
	struct run run = { .policy = TO_RULE };

	own();
	run_steps(&run, "rawsocket 0", "badname 0", "socket 1 udp4", "dup 1 2", "badname 2", NULL);
	cr_assert_str_eq(result_of(&run, "badname 0"), "-1 EFAULT", "%s", run.out);
	cr_assert_str_eq(result_of(&run, "badname 2"), "-1 EFAULT", "%s", run.out);
}

/* A socket of IPv6 that was made one of IPv4 (IPV6_ADDRFORM) by one descriptor is that by the other as well. */
static void made_ipv4_through_another_copy(const char *kind, int port)
{
	char socket[32];
	struct run run = { .policy = TCP_AND_UDP };

	snprintf(socket, sizeof(socket), "socket 0 %s", kind);
	run_steps(&run, socket, "connect 0 ::ffff:127.0.0.1 5000", "dup 0 1", "addrform 0", "childunspec 0", "connect 1 127.0.0.1 5000",
	          "name 1", NULL);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5000"), "0", "%s: %s", kind, run.out);
	port_is(&run, "name 1", port);
}

Test(descriptors, family_of_a_copy)
{
	own();
	made_ipv4_through_another_copy("tcp6", 20000);
	made_ipv4_through_another_copy("udp6", 21000);
}
