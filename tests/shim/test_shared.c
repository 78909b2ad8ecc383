/* test_shared.c - N ports carry N connections to each destination, and no two the same. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/crowd.h"

#define SERVERS 6 /* 127.0.0.1:5000 to 5005 */
#define WAYS 2

static const int first_port[WAYS] = { 20000, 40500 }; /* bound early, taken late */

static pid_t own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	return crowd_serve(5000, 5000 + SERVERS - 1, CLIENT_CLOSES);
}

static void policy_for(struct run *run, char policy[256], int lo, int hi, const char *keys)
{
	snprintf(policy, 256, "[rule r]\nports = %d-%d\n%s", lo, hi, keys);
	*run = (struct run){ .policy = policy };
}

/* Five processes hold 50 connections on 10 ports. The 11th to one destination is refused, and to another one is not. */
static void ten_ports_five_destinations(int lo, const char *keys)
{
	static struct run holders, eleventh;
	char policy[256], bounds[2][16];
	const char *argv[] = { built("tests/probes/swarm"), "hold", "5", "1", "10", bounds[0], bounds[1],
	                       "5000", "5001", "5002", "5003", "5004", NULL };
	pid_t servers = own();

	snprintf(bounds[0], 16, "%d", lo);
	snprintf(bounds[1], 16, "%d", lo + 9);
	policy_for(&holders, policy, lo, lo + 9, keys);
	run_start(&holders, argv);
	run_until_paused(&holders);
	cr_assert_eq(crowd_count(&holders, "had"), 50, "%s%s", holders.out, holders.err);
	cr_assert_eq(crowd_count(&holders, "outside"), 0);
	policy_for(&eleventh, policy, lo, lo + 9, keys);
	run_steps(&eleventh, "socket 0 tcp4", "connect 0 127.0.0.1 5002", "socket 1 tcp4", "connect 1 127.0.0.1 5005", "name 1", NULL);
	cr_assert_str_eq(result_of(&eleventh, "connect 0 127.0.0.1 5002"), "-1 EADDRNOTAVAIL");
	cr_assert_str_eq(result_of(&eleventh, "connect 1 127.0.0.1 5005"), "0");
	cr_assert(port_of(&eleventh, "name 1") >= lo && port_of(&eleventh, "name 1") <= lo + 9);
	run_go_on(&holders);
	run_end(&holders);
	cr_assert(exited(&holders, 0), "%s", holders.err);
	crowd_end(servers);
}

Test(shared, ten_ports_five_destinations)
{
	static const char *const keys[] = { "", "choose = sequential\n", "choose = hash\n", "choose = double-hash\n",
	                                    "choose = random-increments\n", "choose = least-recent\n", "choose = stable\n" };

	for (int way = 0; way < WAYS; way++)
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			ten_ports_five_destinations(first_port[way], keys[i]);
	ten_ports_five_destinations(40500, "choose = kernel\n");
}

/* Several kinds of sockets on one port, each to another destination. */
Test(shared, one_port)
{
	for (int way = 0; way < WAYS; way++) {
		struct run run;
		char policy[256];
		pid_t servers = own();

		server_tcp("::1", 5000);
		server_tcp("::1", 5001);
		policy_for(&run, policy, first_port[way], first_port[way], "");
		run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp6", "connect 1 ::ffff:127.0.0.1 5001", "name 1",
		          "socket 2 tcp6", "connect 2 ::1 5000", "name 2", "socket 3 tcp4", "nonblock 3", "connect 3 127.0.0.1 5002",
		          "outcome 3", "name 3", "socket 4 tcp4", "bind 4 127.0.0.1 0", "connect 4 127.0.0.1 5003", "name 4", "socket 5 tcp4",
		          "set 5 reuseaddr 1", "connect 5 127.0.0.1 5004", "name 5", "socket 6 tcp6", "connect 6 ::1 5001",
		          "socket 7 tcp6", "connect 7 ::ffff:127.0.0.1 5000", "socket 8 tcp4", "connect 8 127.0.0.1 5001", NULL);
		crowd_end(servers);
		cr_assert_str_eq(result_of(&run, "connect 1 ::ffff:127.0.0.1 5001"), "0");
		cr_assert_str_eq(result_of(&run, "connect 2 ::1 5000"), "0");
		cr_assert_str_eq(result_of(&run, "outcome 3"), "0");
		cr_assert_str_eq(result_of(&run, "connect 4 127.0.0.1 5003"), "0");
		cr_assert_str_eq(result_of(&run, "connect 5 127.0.0.1 5004"), "0");
		cr_assert_str_eq(result_of(&run, "connect 6 ::1 5001"), "0");
		cr_assert_eq(port_of(&run, "name 1"), first_port[way]);
		cr_assert_eq(port_of(&run, "name 2"), first_port[way]);
		cr_assert_eq(port_of(&run, "name 3"), first_port[way]);
		cr_assert_eq(port_of(&run, "name 4"), first_port[way]);
		cr_assert_eq(port_of(&run, "name 5"), first_port[way]);
		/* The same destinations again, by the other kind of socket. */
		cr_assert_str_eq(result_of(&run, "connect 7 ::ffff:127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
		cr_assert_str_eq(result_of(&run, "connect 8 127.0.0.1 5001"), "-1 EADDRNOTAVAIL");
	}
}

/* From each of this machine's addresses a port carries another connection to one destination. */
Test(shared, source_addresses)
{
	for (int way = 0; way < WAYS; way++) {
		struct run run;
		char policy[256];
		pid_t servers = own();

		policy_for(&run, policy, first_port[way], first_port[way], "");
		run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.2 0", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4",
		          "bind 1 127.0.0.3 0", "connect 1 127.0.0.1 5000", "name 1", "socket 2 tcp4", "bind 2 127.0.0.2 0",
		          "connect 2 127.0.0.1 5000", NULL);
		crowd_end(servers);
		cr_assert_eq(port_of(&run, "name 0"), first_port[way]);
		cr_assert_eq(port_of(&run, "name 1"), first_port[way]);
		cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	}
}

/* The option that portshim needs is shown as the program has it, whatever else the program has set. */
Test(shared, options_as_the_program_set_them)
{
	struct run run;
	char policy[256];
	pid_t servers = own();

	policy_for(&run, policy, 20000, 20000, "");
	run_steps(&run, "socket 0 tcp4", "set 0 reuseport 1", "connect 0 127.0.0.1 5000", "get 0 reuseaddr", "socket 1 tcp4",
	          "set 1 reuseaddr 1", "connect 1 127.0.0.1 5001", "get 1 reuseaddr", NULL);
	crowd_end(servers);
	cr_assert_str_eq(result_of(&run, "get 0 reuseaddr"), "0");
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5001"), "0");
	cr_assert_str_eq(result_of(&run, "get 1 reuseaddr"), "1");
}

Test(shared, never)
{
	struct run run;
	char policy[256];
	pid_t servers = own();

	policy_for(&run, policy, 20000, 20000, "share = never\n");
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5001", "close 0",
	          "socket 2 tcp4", "connect 2 127.0.0.1 5001", NULL);
	crowd_end(servers);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5001"), "-1 EADDRNOTAVAIL");
}

/* --- in company of programs that the table does not know ---------------------------------------------------- */

/* One that lets its port be shared: to another destination it can be had, to the same one it cannot. */
Test(shared, with_a_stranger)
{
	struct run stranger = { .bare = true }, run;
	char policy[256];
	pid_t servers = own();

	run_start_steps(&stranger, "socket 0 tcp4", "set 0 reuseaddr 1", "bind 0 0.0.0.0 20000", "connect 0 127.0.0.1 5000", "pause", NULL);
	run_until_paused(&stranger);
	policy_for(&run, policy, 20000, 20000, "");
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "get 0 reuseaddr", "connect 0 127.0.0.1 5001", "name 0",
	          "peer 0", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5001"), "0");
	cr_assert_str_eq(result_of(&run, "peer 0"), "127.0.0.1 5001");
	cr_assert_eq(port_of(&run, "name 0"), 20000);
	run_go_on(&stranger);
	run_end(&stranger);
	crowd_end(servers);
}

/* One that does not, one that listens there, and one that is only bound: the next port is taken. */
Test(shared, strangers_that_do_not_share)
{
	struct run stranger = { .bare = true }, run;
	char policy[256];
	pid_t servers = own();

	run_start_steps(&stranger, "socket 0 tcp4", "bind 0 0.0.0.0 20000", "connect 0 127.0.0.1 5000", "socket 1 tcp4",
	                "set 1 reuseaddr 1", "bind 1 0.0.0.0 20001", "listen 1", "socket 2 tcp4", "bind 2 0.0.0.0 20002", "pause", NULL);
	run_until_paused(&stranger);
	policy_for(&run, policy, 20000, 20003, "choose = sequential\n");
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4", "connect 1 127.0.0.1 5001",
	          "name 1", "socket 2 tcp4", "connect 2 127.0.0.1 5001", NULL);
	cr_assert_eq(port_of(&run, "name 0"), 20003);
	cr_assert_eq(port_of(&run, "name 1"), 20003);
	cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 5001"), "-1 EADDRNOTAVAIL");
	run_go_on(&stranger);
	run_end(&stranger);
	crowd_end(servers);
}

/* --- the last port ------------------------------------------------------------------------------------------- */

Test(shared, two_race_for_the_last_port)
{
	static struct run run;
	static const char *const keys[] = { "", "share = never\n" };

	for (int i = 0; i < 100; i++) {
		int lo = first_port[i % WAYS];
		char policy[256], port[16];
		const char *argv[] = { built("tests/probes/swarm"), "hold", "2", "1", "1", port, port, "5000", NULL };
		pid_t servers = own();

		snprintf(port, sizeof(port), "%d", lo);
		policy_for(&run, policy, lo, lo, keys[i / WAYS % 2]);
		run_start(&run, argv);
		run_until_paused(&run);
		cr_assert_eq(crowd_count(&run, "had"), 1, "%s", run.out);
		cr_assert_eq(crowd_count(&run, "no port"), 1, "%s", run.out);
		cr_assert_eq(crowd_count(&run, "outside"), 0, "%s", run.out);
		run_go_on(&run);
		run_end(&run);
		crowd_end(servers);
	}
}

/* --- without a table ------------------------------------------------------------------------------------------- */

/* Early ports are exclusive then; late ones, where the kernel takes any late, are shared by it. */
Test(shared, without_a_table)
{
	struct run run;
	pid_t servers = own();

	run = (struct run){ .policy = "[portshim]\ntable = none\n[rule r]\nports = 20000\n" };
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5001", NULL);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5001"), "-1 EADDRNOTAVAIL");
	run = (struct run){ .policy = "[portshim]\ntable = none\n[rule r]\nports = 40500\n" };
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5001", "name 1", NULL);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5001"), net_takes_late() ? "0" : "-1 EADDRNOTAVAIL", "%s", run.out);
	cr_assert_eq(port_of(&run, "name 1"), net_takes_late() ? 40500 : 0, "%s", run.out);
	crowd_end(servers);
}
