/* test_errors.c - results and errno are the kernel's, with a matching rule as without the library. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define EARLY "[rule r]\nports = 20000-20099\n"
#define LATE "[rule r]\nports = 40100-40199\n"
#define NO_MATCH "[rule r]\nprogram = another\nports = 20000\n"
#define TO_ANOTHER "[rule r]\nto = 192.0.2.1:1\nports = 20000\n"

static void own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
}

/* Runs the same steps bare, and under each policy: every line must be the same. */
static void same_everywhere(const char *const argv[])
{
	static const char *const policies[] = { NO_MATCH, TO_ANOTHER, EARLY, LATE };
	static struct run bare = { .bare = true }, run;

	run_program(&bare, argv);
	cr_assert(exited(&bare, 0), "%s%s", bare.out, bare.err);
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		run = (struct run){ .policy = policies[i] };
		run_program(&run, argv);
		cr_assert_eq(run.status, bare.status);
		cr_assert_str_eq(run.out, bare.out, "%s--- under\n%s--- bare\n%s", policies[i], run.out, bare.out);
		cr_assert_str_empty(run.err);
	}
}

#define SAME(...) same_everywhere((const char *const[]){ built("tests/probes/act"), __VA_ARGS__, NULL })

Test(errors, connect)
{
	own();
	server_tcp("127.0.0.1", 5000);
	server_tcp("::1", 5000);
	SAME("socket 0 tcp4", "connect 0 127.0.0.1 1", "connect 0 127.0.0.1 1", "connect 0 127.0.0.1 5000",
	     "connect 0 127.0.0.1 5000", "peer 0", "socket 1 tcp4", "connect 1 null 0", "connect 1 null 16",
	     "connect 1 bad 0", "connect 1 127.0.0.1 5000 15", "connect 1 127.0.0.1 5000 2", "connect 1 127.0.0.1 5000 1",
	     "connect 1 127.0.0.1 5000 0", "connect 1 127.0.0.1 5000 128", "connect 1 127.0.0.1 5000 129", "connect 1 ::1 5000",
	     "socket 2 tcp6", "connect 2 127.0.0.1 5000", "connect 2 ::1 5000 24", "socket 3 tcp6", "connect 3 ::1 5000 23",
	     "connect 3 ::1 5000 16", "connect 3 ::1 1", "connect 3 ::1 5000", "peer 3", "connect 999 127.0.0.1 5000",
	     "close 3", "connect 3 ::1 5000", "socket 4 tcp6", "set 4 v6only 1", "connect 4 ::ffff:127.0.0.1 5000",
	     "connect 0 unix /nonexistent", "socket 5 tcp4", "connect 5 127.0.0.1 0");
}

/* Lengths at which the kernel does not look at the address: the socket is as it was. */
Test(errors, lengths_beyond_any_address)
{
	own();
	SAME("socket 0 tcp4", "connect 0 127.0.0.1 1 129", "name 0", "connect 0 127.0.0.1 1 -1", "name 0", "socket 1 udp4",
	     "connect 1 127.0.0.1 1 129", "sendto 1 127.0.0.1 1 129", "sendto 1 127.0.0.1 1 -1", "sendmsg 1 127.0.0.1 1 -1",
	     "name 1", "bind 1 127.0.0.1 0 129", "name 1", "bind 1 127.0.0.1 0 128", "sendmsg 1 127.0.0.1 1 129");
}

Test(errors, connect_without_waiting)
{
	own();
	server_tcp("127.0.0.1", 5000);
	SAME("socket 0 nbtcp4", "connect 0 127.0.0.1 5000", "outcome 0", "connect 0 127.0.0.1 5000", "connect 0 127.0.0.1 5000",
	     "peer 0", "socket 1 nbtcp4", "connect 1 127.0.0.1 1", "outcome 1", "connect 1 127.0.0.1 1", "outcome 1",
	     "connect 1 127.0.0.1 5000", "outcome 1", "peer 1", "nonblock 0", "block 0");
}

Test(errors, disconnect_and_connect_again)
{
	own();
	server_tcp("127.0.0.1", 5000);
	SAME("socket 0 tcp4", "connect 0 127.0.0.1 5000", "connect 0 127.0.0.1 0 as-unspec", "connect 0 127.0.0.1 5000", "peer 0",
	     "socket 1 udp4", "connect 1 127.0.0.1 5000", "connect 1 127.0.0.1 0 as-unspec", "connect 1 127.0.0.1 6000", "peer 1",
	     "connect 1 127.0.0.1 7000", "peer 1", "socket 2 udp4", "sendto 2 127.0.0.1 5000 as-unspec", "socket 3 udp6",
	     "sendto 3 127.0.0.1 5000", "connect 3 127.0.0.1 5000", "peer 3", "shutdown 0", "connect 0 127.0.0.1 5000");
}

Test(errors, bind_and_listen)
{
	own();
	server_tcp("127.0.0.1", 5000);
	SAME("socket 0 tcp4", "bind 0 127.0.0.1 5000", "bind 0 127.0.0.1 0 15", "bind 0 127.0.0.1 0 2", "bind 0 null 0",
	     "bind 0 null 16", "bind 0 192.0.2.77 0", "bind 0 ::1 0", "bind 0 unix /x", "bind 0 127.0.0.1 0", "bind 0 127.0.0.1 0",
	     "bind 0 127.0.0.1 7000", "listen 0", "listen 0", "connect 0 127.0.0.1 5000", "socket 1 tcp6", "bind 1 127.0.0.1 0",
	     "bind 1 ::1 0 23", "bind 1 ::1 0 24", "socket 2 udp4", "listen 2", "socket 3 tcp4", "bind 3 127.0.0.1 7001", "name 3",
	     "listen 3", "name 3", "bind 999 127.0.0.1 0", "listen 999", "socket 4 unix", "listen 4", "socket 5 tcp4",
	     "connect 5 127.0.0.1 5000", "listen 5", "bind 5 127.0.0.1 0", "socket 6 udp4", "bind 6 127.0.0.1 7002",
	     "sendto 6 127.0.0.1 9", "name 6");
}

Test(errors, send)
{
	own();
	server_tcp("127.0.0.1", 5000);
	server_udp("127.0.0.1", 5000);
	SAME("socket 0 tcp4", "sendto 0 127.0.0.1 5000", "name 0", "sendmsg 0 127.0.0.1 5000", "sendmmsg 0 127.0.0.1 5000", "name 0",
	     "socket 1 udp4", "sendto 1 null 0", "sendto 1 null 16", "sendto 1 bad 0", "sendmsg 1 bad 0", "sendto 1 127.0.0.1 5000 15",
	     "sendto 1 127.0.0.1 5000 2", "sendto 1 127.0.0.1 0", "sendto 1 ::1 5000", "sendto 1 127.0.0.1 5000",
	     "sendmsg 1 127.0.0.1 5000", "sendmmsg 1 127.0.0.1 5000", "sendto 999 127.0.0.1 5000", "socket 2 udp6",
	     "sendto 2 ::1 5000 16", "sendto 2 ::1 5000 23", "sendto 2 ::1 5000 24", "sendto 2 ::ffff:127.0.0.1 5000",
	     "sendmmsg 999 127.0.0.1 5000", "sendto 1 255.255.255.255 9", "socket 3 tcp4", "sendto 3 127.0.0.1 1 fastopen",
	     "sendto 3 127.0.0.1 5000 fastopen", "peer 3");
}

Test(errors, no_route)
{
	own();
	SAME("socket 0 tcp4", "connect 0 192.0.2.1 80", "socket 1 udp4", "connect 1 192.0.2.1 80", "sendto 1 192.0.2.1 80",
	     "socket 2 tcp6", "connect 2 2001:db8::1 80", "socket 3 udp6", "connect 3 2001:db8::1 80", "sendto 3 2001:db8::1 80",
	     "socket 4 tcp4", "connect 4 255.255.255.255 80", "socket 5 udp4", "connect 5 255.255.255.255 80");
}

/* With IPv6 switched off every IPv6 destination gives EADDRNOTAVAIL, as a taken port does: no scan through the set. */
Test(errors, ipv6_switched_off)
{
	struct run run = { .policy = "[rule r]\nports = 40000-40999\n", .env = { "PORTSHIM_LOG=warning" } };

	own();
	net_set("net/ipv6/conf/all/disable_ipv6", "1");
	SAME("socket 0 tcp6", "connect 0 ::1 80", "connect 0 2001:db8::1 80", "socket 1 udp6", "connect 1 ::1 80", "sendto 1 ::1 80");
	run_steps(&run, "socket 0 tcp6", "connect 0 ::1 80", NULL);
	cr_assert_str_empty(run.err, "not \"none is free\": %s", run.err);
}

/* A firewall's refusal is the result, at once: no other port is tried for it. */
Test(errors, firewall)
{
	static const char *const nft[] = { "/usr/sbin/nft",
		"add table inet t; add chain inet t o { type filter hook output priority 0; };"
		"add rule inet t o udp dport 9 drop; add rule inet t o tcp dport 9 reject with tcp reset", NULL };
	struct run rules = { .bare = true };
	struct run run = { .policy = "[rule r]\nports = 20000-20001\n" };

	own();
	run_program(&rules, nft);
	if (strstr(rules.err, "not supported")) /* the kernel has nothing to refuse with */
		return;
	cr_assert(exited(&rules, 0), "%s", rules.err);
	SAME("socket 0 udp4", "sendto 0 127.0.0.1 9", "sendmsg 0 127.0.0.1 9", "socket 1 tcp4", "connect 1 127.0.0.1 9",
	     "socket 2 nbtcp4", "connect 2 127.0.0.1 9");
	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "socket 1 tcp4", "connect 1 127.0.0.1 9", NULL);
	cr_assert_str_eq(result_of(&run, "sendto 0 127.0.0.1 9"), "-1 EPERM");
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 9"), "-1 ECONNREFUSED");
}

/* Sockets that have no ports, and calls on them. */
Test(errors, other_families)
{
	own();
	SAME("socket 0 unix", "connect 0 unix /nonexistent", "bind 0 unix /nonexistent/x", "listen 0", "connect 0 127.0.0.1 80",
	     "bind 0 127.0.0.1 0", "socket 1 unixdgram", "sendto 1 unix /nonexistent", "sendto 1 127.0.0.1 80", "socket 2 raw4",
	     "connect 2 127.0.0.1 0", "sendto 2 127.0.0.1 0", "bind 2 127.0.0.1 0", "get 2 range", "socket 3 netlink",
	     "connect 3 127.0.0.1 80", "socket 4 packet", "connect 4 127.0.0.1 80", "bind 4 127.0.0.1 80", "sendto 4 127.0.0.1 80");
}

/* Options that the program set are what it finds. */
Test(errors, options_are_left_alone)
{
	own();
	server_tcp("127.0.0.1", 5000);
	SAME("socket 0 tcp4", "set 0 reuseaddr 1", "set 0 reuseport 1", "bind 0 127.0.0.1 0", "get 0 reuseaddr", "get 0 reuseport",
	     "get 0 noport", "listen 0", "socket 1 udp4", "set 1 reuseaddr 1", "connect 1 127.0.0.1 5000", "get 1 reuseaddr",
	     "get 1 reuseport", "socket 2 tcp4", "connect 2 127.0.0.1 5000", "get 2 reuseaddr", "get 2 noport");
}
