/* test_rules.c - what a rule can say, each done by a real socket. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

static int own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	return server_tcp("127.0.0.1", 5000);
}

Test(rules, never_connects_to_itself)
{
	static const char *const policies[] = { "[rule r]\nports = 20000\n", "[rule r]\nports = 40500\n",
	                                        "[rule r]\nports = 40500\nchoose = kernel\n" };
	static const char *const steps[] = { "connect 0 127.0.0.1 20000", "connect 0 127.0.0.1 40500", "connect 0 127.0.0.1 40500" };
	static const char *const wildcard[] = { "connect 0 0.0.0.0 20000", "connect 0 0.0.0.0 40500", "connect 0 0.0.0.0 40500" };

	own();
	for (int i = 0; i < 3; i++) {
		struct run run = { .policy = policies[i] };

		for (int n = 0; n < 3; n++) {
			run_steps(&run, "socket 0 tcp4", steps[i], wildcard[i], NULL);
			cr_assert_str_eq(result_of(&run, steps[i]), "-1 EADDRNOTAVAIL");
			cr_assert_str_eq(result_of(&run, wildcard[i]), "-1 EADDRNOTAVAIL");
		}
	}
}

/* Inside the ephemeral range too, a port serves one connection and no other destination. */
Test(rules, share_never)
{
	struct run run = { .policy = "[rule r]\nports = 40500\nshare = never\n" };

	own();
	server_tcp("127.0.0.1", 6000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4", "connect 1 127.0.0.1 6000", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 40500);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 6000"), "-1 EADDRNOTAVAIL");
}

/* The destination's own port is left out on this machine's addresses, and only there. */
Test(rules, the_destinations_port_among_others)
{
	struct run run = { .policy = "[rule r]\nports = 20000-20001\n" };

	own();
	server_tcp("127.0.0.1", 20001);
	for (int i = 0; i < 5; i++) {
		run_steps(&run, "socket 0 udp4", "connect 0 127.0.0.1 20001", "name 0", NULL);
		cr_assert_eq(port_of(&run, "name 0"), 20000);
	}
}

Test(rules, deny)
{
	struct run run = { .policy = "[rule d]\nto = 127.0.0.1:5000\naction = deny\n[rule b]\ncall = bind, listen\nprotocol = tcp\naction = deny\n"
	                             "[rule rest]\nports = 20000-20099\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 udp4", "sendto 1 127.0.0.1 5000", "sendmsg 1 127.0.0.1 5000",
	          "sendto 1 127.0.0.1 9", "sendto 1 127.0.0.1 5000", "socket 2 tcp4", "bind 2 127.0.0.1 7000",
	          "connect 2 127.0.0.1 5000", "socket 3 tcp4", "listen 3", "socket 4 tcp4", "bind 4 127.0.0.1 0", "listen 4", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "-1 EPERM");
	cr_assert_str_eq(result_of(&run, "sendmsg 1 127.0.0.1 5000"), "-1 EPERM");
	cr_assert_str_eq(result_of(&run, "sendto 1 127.0.0.1 9"), "1");
	cr_assert_str_eq(result_of(&run, "sendto 1 127.0.0.1 5000"), "-1 EPERM", "also once it has its port");
	cr_assert_str_eq(result_of(&run, "listen 3"), "-1 EPERM");
	cr_assert_str_eq(result_of(&run, "listen 4"), "-1 EPERM", "also behind a bind that was put off");
	cr_assert_str_eq(result_of(&run, "bind 2 127.0.0.1 7000"), "0", "a port of the program's own is kept");
	cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 5000"), "-1 EPERM", "also from there");
}

Test(rules, pass)
{
	struct run run = { .policy = "[rule p]\nto = 127.0.0.1:5000\naction = pass\n[rule rest]\nports = 20000-20099\n" };

	own();
	server_tcp("127.0.0.1", 6000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4", "connect 1 127.0.0.1 6000", "name 1", NULL);
	cr_assert_geq(port_of(&run, "name 0"), 40000);
	cr_assert(port_of(&run, "name 1") >= 20000 && port_of(&run, "name 1") <= 20099);
}

/* A late range that a failed connect left on the socket does not reach calls that no rule concerns. */
Test(rules, a_failed_attempt_leaves_nothing_behind)
{
	struct run run = { .policy = "[rule r]\nto = 127.0.0.1:1\nports = 40500\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 1", "get 0 range", "connect 0 127.0.0.1 5000", "get 0 range", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 1"), "-1 ECONNREFUSED");
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	cr_assert_str_eq(result_of(&run, "get 0 range"), net_no_range());
}

Test(rules, explicit_ports)
{
	struct run keep = { .policy = "[rule r]\nports = 20000\n" };
	struct run assign = { .policy = "[rule r]\nports = 20000\nexplicit = assign\n" };
	struct run deny = { .policy = "[rule r]\nports = 20000\nexplicit = deny\n" };

	own();
	run_steps(&keep, "socket 0 tcp4", "bind 0 127.0.0.1 7000", "name 0", NULL);
	cr_assert_eq(port_of(&keep, "name 0"), 7000);
	run_steps(&assign, "socket 0 tcp4", "bind 0 127.0.0.1 7000", "name 0", NULL);
	cr_assert_eq(port_of(&assign, "name 0"), 20000);
	run_steps(&deny, "socket 0 tcp4", "bind 0 127.0.0.1 7000", "name 0", "bind 0 127.0.0.1 0", NULL);
	cr_assert_str_eq(result_of(&deny, "bind 0 127.0.0.1 7000"), "-1 EPERM");
	cr_assert_str_eq(result_of(&deny, "bind 0 127.0.0.1 0"), "0");
}

/* `source` on each way; a rule with a source of another family concerns no call of this one. */
Test(rules, source)
{
	static const char *const ports[] = { "20000", "40500" };
	int listener = own();

	server_tcp("::1", 5000);
	for (int i = 0; i < 2; i++) {
		char policy[128];
		struct run run = { .policy = policy };

		snprintf(policy, sizeof(policy), "[rule r]\nports = %s\nsource = 127.0.0.9\n", ports[i]);
		run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp6", "connect 1 ::1 5000", "name 1",
		          "socket 2 tcp4", "bind 2 127.0.0.3 0", "connect 2 127.0.0.1 5000", NULL);
		cr_assert_str_eq(strtok((char *)result_of(&run, "name 0"), " "), "127.0.0.9");
		cr_assert_eq(port_of(&run, "name 0"), atoi(ports[i]));
		cr_assert_eq(server_accept(listener, NULL), atoi(ports[i]));
		cr_assert_geq(port_of(&run, "name 1"), 40000);
		server_accept(listener, NULL);
	}
}

/* A mapped address is IPv4 to `family`, `to` and `source`. */
Test(rules, mapped_addresses)
{
	struct run run = { .policy = "[rule four]\nfamily = ipv4\nto = 127.0.0.0/8\nsource = 127.0.0.9\nports = 20000\n" };

	own();
	run_steps(&run, "socket 0 tcp6", "connect 0 ::ffff:127.0.0.1 5000", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, "name 0"), "::ffff:127.0.0.9 20000");
}

/* The effective user is asked at the call: a daemon that changes its own is another user from then on. */
Test(rules, user_at_the_call)
{
	struct run run = { .policy = "[rule n]\nuser = 65534\nports = 20000\n[rule root]\nuser = 0\ngroup = 0\nports = 21000\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "setuid 65534", "socket 1 tcp4",
	          "connect 1 127.0.0.1 5000", "name 1", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 21000);
	cr_assert_eq(port_of(&run, "name 1"), 20000);
}

/* One of more supplementary groups than are commonly had (a mapping of their own keeps them), and not one that is not. */
Test(rules, one_of_many_groups)
{
	struct run run = { .policy = "[rule none]\ngroup = 7000\nports = 21000\n[rule r]\ngroup = 7300\nports = 20000\n" };
	gid_t groups[300];

	for (gid_t i = 0; i < 300; i++)
		groups[i] = 7001 + i;
	cr_assert_eq(setgroups(300, groups), 0);
	own();
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 20000);
}

/* Ports that this user may not bind are skipped, with a warning to who asked for warnings. */
Test(rules, ports_that_need_a_capability)
{
	struct run run = { .policy = "[rule r]\nports = 1000-1023, 20000\n" };
	struct run low = { .policy = "[rule r]\nports = 1000-1003\n", .env = { "PORTSHIM_LOG=warning" } };

	own();
	run_steps(&run, "setuid 65534", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 20000);
	run_steps(&low, "setuid 65534", "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&low, "connect 0 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	cr_assert_not_null(strstr(low.err, "4 below ip_unprivileged_port_start"), "%s", low.err);
}

/* SO_REUSEADDR of the program's own does not make portshim share a port that another holds. */
Test(rules, reuseaddr_does_not_share)
{
	struct run run = { .policy = "[rule r]\nports = 20000\nshare = never\n" };

	own();
	server_tcp("127.0.0.1", 6000);
	run_steps(&run, "socket 0 tcp4", "set 0 reuseaddr 1", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "set 1 reuseaddr 1",
	          "connect 1 127.0.0.1 6000", "get 1 reuseaddr", "socket 2 udp4", "set 2 reuseaddr 1", "bind 2 0.0.0.0 0",
	          "socket 3 udp4", "set 3 reuseaddr 1", "set 3 reuseport 1", "sendto 3 127.0.0.1 9", NULL);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 6000"), "-1 EADDRNOTAVAIL");
	cr_assert_str_eq(result_of(&run, "get 1 reuseaddr"), "1");
	cr_assert_str_eq(result_of(&run, "bind 2 0.0.0.0 0"), "0");
	cr_assert_str_eq(result_of(&run, "sendto 3 127.0.0.1 9"), "-1 EAGAIN");
}

/* An unconnected UDP socket has one port: the first send decides, and it stays. */
Test(rules, first_send_decides)
{
	struct run run = { .policy = "[rule a]\nto = 127.0.0.1:9\nports = 20000\n[rule b]\nto = 127.0.0.1:10\nports = 21000\n" };

	own();
	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "sendto 0 127.0.0.1 10", "name 0", "socket 1 udp4",
	          "sendto 1 127.0.0.1 11", "sendto 1 127.0.0.1 10", "name 1", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 20000);
	cr_assert_geq(port_of(&run, "name 1"), 40000);
}

Test(rules, variable_for_a_file)
{
	struct run run = { .env = { "PORTSHIM_PORTS=20000-20003, !20001" } };

	own();
	for (int i = 0; i < 6; i++) {
		run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "name 0", NULL);
		cr_assert(port_of(&run, "name 0") >= 20000 && port_of(&run, "name 0") <= 20003 && port_of(&run, "name 0") != 20001);
	}
}

/* Choosing: across processes every port of a small set comes up, none from elsewhere, and parent and child differ. */
Test(rules, choice_is_spread)
{
	struct run run = { .policy = "[rule r]\nports = 20000-20007\n" };
	int count[8] = { 0 };

	own();
	for (int i = 0; i < 128; i++) {
		int port;

		run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "name 0", NULL);
		port = port_of(&run, "name 0");
		cr_assert(port >= 20000 && port <= 20007);
		count[port - 20000]++;
	}
	/* Expected 16 each; a port that is seen fewer than 2 or more than 45 times in 128 has a chance below 1e-5. */
	for (int i = 0; i < 8; i++)
		cr_assert(count[i] >= 2 && count[i] <= 45, "port %d: %d of 128", 20000 + i, count[i]);
}
