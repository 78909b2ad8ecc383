/* test_corners.c - the table where a process changes its surroundings, or the sockets are out of the ordinary. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/crowd.h"
#include "tests/lib/world.h"

#define ONE_PORT "[rule r]\nports = 20000\n"

static pid_t own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	return crowd_serve(5000, 5003, CLIENT_CLOSES);
}

/* Neither setns() nor unshare() is called: what is known of the old network's range must not be relied on. */
Test(corners, child_in_another_network)
{
	struct run run = { .policy = "[rule r]\nports = 20000-20099\n" };

	net_own();
	net_set("net/ipv4/ip_local_port_range", "10000 60999");
	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "clone-network", "socket 1 tcp4", "bind 1 127.0.0.1 5000",
	          "listen 1", "socket 2 tcp4", "connect 2 127.0.0.1 5000", "name 2", NULL);
	cr_assert(port_of(&run, "name 0") >= 20000 && port_of(&run, "name 0") <= 20099, "%s", run.out);
	cr_assert(port_of(&run, "name 2") >= 20000 && port_of(&run, "name 2") <= 20099, "%s", run.out);
}

/* More destinations than the table has blocks for: one port still serves them all. */
Test(corners, thousands_of_destinations, .timeout = 60)
{
	static struct run run;
	const char *one[] = { built("tests/probes/fan"), "5000", "20000", "20000", "5000", NULL };
	const char *many[] = { built("tests/probes/fan"), "5000", "20000", "21023", "5000", NULL };
	pid_t servers = own();

	run = (struct run){ .policy = ONE_PORT };
	run_program(&run, one);
	cr_assert_eq(crowd_count(&run, "had"), 5000, "%s", run.out);
	cr_assert_eq(crowd_count(&run, "outside"), 0);
	run = (struct run){ .policy = "[rule r]\nports = 20000-21023\n" };
	run_program(&run, many);
	cr_assert_eq(crowd_count(&run, "had"), 5000, "%s", run.out);
	cr_assert_eq(crowd_count(&run, "outside"), 0);
	crowd_end(servers);
}

/* Two processes, one port, a destination each: they never stand in each other's way, at whatever moment they meet. */
Test(corners, two_with_a_destination_each, .timeout = 60)
{
	static struct run run[2];
	const char *argv[2][9] = {
		{ built("tests/probes/swarm"), "first", "1", "1", "3000", "20000", "20000", "5000", NULL },
		{ built("tests/probes/swarm"), "first", "1", "1", "3000", "20000", "20000", "5001", NULL },
	};
	pid_t servers = own();

	for (int i = 0; i < 2; i++) {
		run[i] = (struct run){ .policy = ONE_PORT };
		run_start(&run[i], argv[i]);
	}
	for (int i = 0; i < 2; i++) {
		run_end(&run[i]);
		cr_assert_eq(crowd_count(&run[i], "had"), 3000, "%s", run[i].out);
	}
	crowd_end(servers);
}

/* Without timestamps the kernel gives up no connection in TIME_WAIT: the other port is taken, time and again. */
Test(corners, time_wait_without_timestamps)
{
	struct run run = { .policy = "[rule r]\nports = 20000-20001\n" };
	pid_t servers = own();

	net_set("net/ipv4/tcp_timestamps", "0");
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "end 0", "socket 1 tcp4", "connect 1 127.0.0.1 5000",
	          "socket 2 tcp4", "connect 2 127.0.0.1 5000", "name 2", "connect 2 127.0.0.1 5001", NULL);
	crowd_end(servers);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5000"), "0");
	/* One is in TIME_WAIT, one in use. The socket is none the worse for it. */
	cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	cr_assert_str_eq(result_of(&run, "name 2"), "0.0.0.0 0");
	cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 5001"), "0");
}

static pid_t far_server;

static void serve_without_timestamps(void)
{
	net_set("net/ipv4/tcp_timestamps", "0");
	far_server = crowd_serve(5000, 5000, CLIENT_CLOSES);
}

/* Of a server without timestamps this is found out by the first connection that would take another over, and by no more. */
Test(corners, server_without_timestamps)
{
	static struct run run;
	const char *argv[22] = { built("tests/probes/act") };
	int failed = 0, n = 1;

	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	wire_lay();
	far_do(serve_without_timestamps);
	while (n < 19) {
		argv[n++] = "socket 0 tcp4";
		argv[n++] = "connect 0 " FAR4 " 5000";
		argv[n++] = "end 0";
	}
	run = (struct run){ .policy = "[rule r]\nports = 20000-20009\nchoose = stable\n" };
	run_program(&run, argv);
	crowd_end(far_server);
	for (const char *at = run.out; (at = strstr(at, "EADDRNOTAVAIL")); at++)
		failed++;
	cr_assert_leq(failed, 1, "%s", run.out);
	cr_assert_str_eq(result_of(&run, "connect 0 " FAR4 " 5000"), "0");
}

/* An option that was set through a copy of the descriptor does not make the port another's as well. */
Test(corners, option_set_through_a_copy)
{
	struct run holder = { .policy = "[portshim]\ntable = none\n" ONE_PORT }, run = holder;

	own();
	run_start_steps(&holder, "socket 0 udp4", "dup 0 1", "set 1 reuseaddr 1", "sendto 0 127.0.0.1 9", "pause", NULL);
	run_until_paused(&holder);
	run_steps(&run, "socket 0 udp4", "dup 0 1", "set 1 reuseaddr 1", "sendto 0 127.0.0.1 9", NULL);
	cr_assert_str_eq(result_of(&run, "sendto 0 127.0.0.1 9"), "-1 EAGAIN");
	run_go_on(&holder);
	run_end(&holder);
}

/* A bind by a rule is the process's alone, though its program let others in. */
Test(corners, exclusive_with_reuseaddr)
{
	struct run holder = { .policy = ONE_PORT }, run = holder;
	pid_t servers = own();

	run_start_steps(&holder, "socket 0 tcp4", "set 0 reuseaddr 1", "bind 0 0.0.0.0 0", "get 0 reuseaddr", "pause",
	                "connect 0 127.0.0.1 5000", NULL);
	run_until_paused(&holder);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	run_go_on(&holder);
	run_end(&holder);
	crowd_end(servers);
	cr_assert_str_eq(result_of(&holder, "get 0 reuseaddr"), "1");
	cr_assert_str_eq(result_of(&holder, "connect 0 127.0.0.1 5000"), "0");
}

/* A sandboxed process may ask the kernel nothing; its workers' port comes back all the same. */
Test(corners, workers_in_a_sandbox)
{
	struct run run = { .policy = ONE_PORT };
	pid_t servers = own();

	run_steps(&run, "no-new-privileges", "worker", "socket 0 udp4", "bind 0 0.0.0.0 0", NULL);
	crowd_end(servers);
	cr_assert(exited(&run, 0));
	cr_assert_str_eq(result_of(&run, "bind 0 0.0.0.0 0"), "0");
	cr_assert_null(strstr(run.out, "EADDRINUSE"), "%s", run.out);
}

/* The range of a late connect is gone with the connection: what no rule names leaves as it would without portshim. (Bound
 * early, the port stays.) */
Test(corners, disconnected_after_a_late_port)
{
	struct run run = { .policy = "[rule r]\nto = *:5000\nports = 40500\n" };
	pid_t servers = own();

	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "connect 0 0.0.0.0 0 as-unspec", "connect 0 127.0.0.1 5001",
	          "name 0", NULL);
	crowd_end(servers);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5001"), "0");
	cr_assert_eq(port_of(&run, "name 0") != 40500, net_takes_late());
}

/* A destination that cannot be reached is no matter of ports. */
Test(corners, no_route)
{
	struct run holder = { .policy = ONE_PORT }, run = holder;
	pid_t servers = own();

	run_start_steps(&holder, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "pause", NULL);
	run_until_paused(&holder);
	run_steps(&run, "socket 0 tcp4", "connect 0 192.0.2.1 5000", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 192.0.2.1 5000"), "-1 ENETUNREACH");
	run_go_on(&holder);
	run_end(&holder);
	crowd_end(servers);
}
