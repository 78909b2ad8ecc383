/* test_no_way_out.c - what a rule concerns leaves from the rule's ports, by whatever odd way it comes. Each of these once
 * did not. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define ALL "[rule r]\nports = 20000-20009\n"
#define TO_5000 "[rule to]\nto = 127.0.0.1:5000\nports = 20000-20009\n"

static void own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	server_tcp("127.0.0.1", 5000);
	server_udp("127.0.0.1", 5000);
}

static void ours(struct run *run, const char *step)
{
	cr_assert(port_of(run, step) >= 20000 && port_of(run, step) <= 20009, "%s:\n%s%s", step, run->out, run->err);
}

/* The policy is read before the socket takes the last descriptor. */
Test(no_way_out, last_descriptor)
{
	struct run run = { .policy = ALL };

	own();
	run_steps(&run, "socket 0 tcp4", "limit", "connect 0 127.0.0.1 5000", "name 0", NULL);
	ours(&run, "name 0");
}

/* The policy is read before the program may not read it any more: as another user, in a sandbox that forbids open(). */
Test(no_way_out, policy_out_of_sight)
{
	char path[] = "/tmp/portshim-test-XXXXXX", variable[64];
	struct run run = { .env = { variable } };
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && write(fd, ALL, strlen(ALL)) == (ssize_t)strlen(ALL)); /* 0600, root's */
	close(fd);
	snprintf(variable, sizeof(variable), "PORTSHIM_CONF=%s", path);
	own();
	run_steps(&run, "setuid 65534", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL);
	ours(&run, "name 0");
	run_steps(&run, "without-open", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, "without-open"), "0");
	ours(&run, "name 0");
	unlink(path);
	run = (struct run){ .policy = "[rule r]\nports = 40500-40501\n" };
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 9001", "without-open", "sleep 1050", "socket 1 tcp4",
	          "connect 1 127.0.0.1 5000", "name 1", NULL);
	cr_assert(exited(&run, 0), "killed for reading the kernel's settings again");
	cr_assert(port_of(&run, "name 1") == 40500 || port_of(&run, "name 1") == 40501, "%s", run.out);
}

/* An inherited socket and no descriptor to read the policy with: refused now, in order later. */
Test(no_way_out, no_descriptor_for_the_policy)
{
	struct run run = { .policy = ALL };

	own();
	run_steps(&run, "rawsocket 1", "limit", "sendto 1 127.0.0.1 5000", "unlimit", "sendto 1 127.0.0.1 5000", "name 1", NULL);
	cr_assert(printed(&run, "sendto 1 127.0.0.1 5000 = -1 EPERM"), "%s", run.out);
	cr_assert_str_eq(result_of(&run, "sendto 1 127.0.0.1 5000"), "1");
	ours(&run, "name 1");
}

/* A port that the kernel chose goes with a refusal, a shutdown, a disconnect; then the rule decides. */
Test(no_way_out, the_kernels_port_goes)
{
	struct run run = { .policy = TO_5000 };

	own();
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "connect 0 127.0.0.1 9001", "connect 0 127.0.0.1 5000", "name 0",
	          "socket 1 tcp4", "bind 1 127.0.0.1 0", "name 1", "connect 1 127.0.0.1 9001", "connect 1 127.0.0.1 5000", "name 1",
	          "socket 2 tcp4", "bind 2 127.0.0.1 0", "listen 2", "shutdown 2", "connect 2 127.0.0.1 5000", "name 2",
	          "socket 3 udp4", "connect 3 127.0.0.1 9001", "dup 3 4", "connect 4 127.0.0.1 0 as-unspec", "connect 3 127.0.0.1 5000",
	          "name 3", "socket 5 udp4", "connect 5 127.0.0.1 9001", "childunspec 5", "connect 5 127.0.0.1 5000", "name 5", NULL);
	ours(&run, "name 0");
	ours(&run, "name 1");
	ours(&run, "name 2");
	ours(&run, "name 3");
	ours(&run, "name 5");
}

/* UDP calls that fail leave a port behind that the kernel chose. */
Test(no_way_out, ports_from_calls_that_fail)
{
	struct run run = { .policy = ALL };

	own();
	run_steps(&run, "socket 0 udp4", "sendto 0 null 0", "sendto 0 127.0.0.1 5000", "name 0", "socket 1 udp4",
	          "connect 1 127.0.0.1 5000 8", "sendto 1 127.0.0.1 5000", "name 1", "socket 2 udp4", "write 2", "connect 2 127.0.0.1 5000",
	          "name 2", "socket 3 udp6", "sendto 3 null 0", "sendmsg 3 ::1 5000", "name 3", NULL);
	for (int i = 0; i < 4; i++) {
		char step[16];

		snprintf(step, sizeof(step), "name %d", i);
		ours(&run, step);
	}
}

/* Taking such a port off again takes nothing else off the socket: not the interface that its program bound. */
Test(no_way_out, interface_survives)
{
	struct run run = { .policy = ALL };

	own();
	run_steps(&run, "socket 0 udp4", "set 0 ifindex 1", "sendto 0 null 0", "sendto 0 127.0.0.1 5000", "name 0", "get 0 ifindex", NULL);
	ours(&run, "name 0");
	cr_assert_str_eq(result_of(&run, "get 0 ifindex"), "1");
}

/* A number that was a settled socket's is another's, made behind libc's back or in a child that shares our memory. */
Test(no_way_out, numbers_used_again_behind_our_back)
{
	struct run run = { .policy = ALL };

	own();
	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 5000", "close 0", "rawsocket 0", "sendto 0 127.0.0.1 5000", "name 0",
	          "socket 1 udp4", "socket 2 udp4", "sendto 2 127.0.0.1 5000", "close 2", "pidfd 1 3", "sendto 3 127.0.0.1 5000", "name 3",
	          "socket 4 udp4", "socket 5 udp4", "sendto 5 127.0.0.1 5000", "vforkdup 5 4", "sendto 4 127.0.0.1 5000", "name 4", NULL);
	cr_assert_str_eq(result_of(&run, "rawsocket 0"), "0");
	cr_assert_str_eq(result_of(&run, "pidfd 1 3"), "0");
	ours(&run, "name 0");
	ours(&run, "name 3");
	ours(&run, "name 4");
}

Test(no_way_out, fast_open_under_a_rule_for_connect)
{
	struct run run = { .policy = "[rule r]\ncall = connect\nports = 20000-20009\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "sendto 0 127.0.0.1 5000 fastopen", "name 0", NULL);
	ours(&run, "name 0");
}

/* The program puts the port off itself: its address is kept. */
Test(no_way_out, address_of_the_programs_own)
{
	struct run run = { .policy = "[rule r]\ncall = connect\nports = 20000-20009\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "set 0 noport 1", "bind 0 127.0.0.2 0", "connect 0 127.0.0.1 5000", "name 0", NULL);
	ours(&run, "name 0");
	cr_assert(strncmp(result_of(&run, "name 0"), "127.0.0.2 ", 10) == 0, "%s", run.out);
}

/* A second bind, to a port of the program's own, on a socket whose bind was put off: refused as it always is. */
Test(no_way_out, second_bind)
{
	struct run run = { .policy = "[rule r]\nto = 127.0.0.1:5000\nports = 20000\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "bind 0 127.0.0.1 12345", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, "bind 0 127.0.0.1 12345"), "-1 EINVAL");
	cr_assert_eq(port_of(&run, "name 0"), 20000);
}

Test(no_way_out, deny_sees_every_message)
{
	struct run run = { .policy = "[rule d]\nto = 127.0.0.1:5000\naction = deny\n" };

	own();
	run_steps(&run, "socket 0 udp4", "sendmmsg2 0 127.0.0.1 9 127.0.0.1 5000", "sendmmsg2 0 127.0.0.1 5000 127.0.0.1 9", NULL);
	/* A supervisor, which lets a call go on as a whole or not at all, keeps both back. */
	cr_assert_str_eq(result_of(&run, "sendmmsg2 0 127.0.0.1 9 127.0.0.1 5000"),
	                 getenv("PORTSHIM_TEST_MODE") ? "-1 EPERM" : "1");
	cr_assert_str_eq(result_of(&run, "sendmmsg2 0 127.0.0.1 5000 127.0.0.1 9"), "-1 EPERM");
}

/* A kernel without IP_LOCAL_PORT_RANGE: ports inside the ephemeral range are bound like others; `kernel` picks at random. */
Test(no_way_out, kernel_without_late_ports)
{
	static const char *const policies[] = { "[rule r]\nports = 40500-40501\n", "[rule r]\nports = 40500-40501\nchoose = kernel\n" };

	for (int i = 0; i < 2; i++) {
		struct run run = { .policy = policies[i] };

		own();
		server_tcp("127.0.0.1", 6000);
		run_steps(&run, "without-late", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4",
		          "connect 1 127.0.0.1 5000", "socket 2 tcp4", "connect 2 127.0.0.1 6000", NULL);
		cr_assert_str_eq(result_of(&run, "without-late"), "0");
		cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
		cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5000"), "0");
		cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 6000"), "0");
		cr_assert(port_of(&run, "name 0") == 40500 || port_of(&run, "name 0") == 40501);
	}
}

/* A deferred bind is found out through a descriptor that arrives over AF_UNIX. */
Test(no_way_out, name_of_a_socket_that_was_passed_on)
{
	struct run run = { .policy = "[rule to]\nto = 127.0.0.1:5000\nports = 20000-20009\n[rule rest]\nports = 21000\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "pass 0 1", "name 1", NULL);
	cr_assert_eq(port_of(&run, "name 1"), 21000);
}

/* Not even where no descriptor is left to ask whether the destination is this machine. */
Test(no_way_out, connects_to_itself)
{
	struct run run = { .policy = "[rule r]\nports = 20000\n" };
	struct run address = { .bare = true };
	const char *const ip[] = { "ip", "addr", "add", "10.9.9.9/32", "dev", "lo", NULL };

	own();
	run_program(&address, ip);
	cr_assert(exited(&address, 0), "%s", address.err);
	run_steps(&run, "socket 0 tcp4", "limit", "connect 0 10.9.9.9 20000", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 10.9.9.9 20000"), "-1 EADDRNOTAVAIL");
}

/* A range that the program itself gave to the socket, where it can, is left alone: the rule's port is bound. */
Test(no_way_out, the_programs_own_range)
{
	struct run run = { .policy = "[rule r]\nto = 127.0.0.1:9001\nports = 40500\n" };
	char set[64], value[16];

	own();
	snprintf(value, sizeof(value), "%d", (int)(40700u << 16 | 40700u));
	snprintf(set, sizeof(set), "set 0 range %s", value);
	run_steps(&run, "socket 0 tcp4", set, "connect 0 127.0.0.1 9001", "get 0 range", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 9001"), "-1 ECONNREFUSED");
	cr_assert_str_eq(result_of(&run, "get 0 range"), net_takes_late() ? value : net_no_range());
}

/* What was read of one network namespace does not hold in another. A socket from before is still the first one's. */
Test(no_way_out, another_network_namespace)
{
	struct run run = { .policy = "[rule r]\nports = 40500-40501\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "other-network", "connect 1 127.0.0.1 5000",
	          "name 1", "socket 2 tcp4", "bind 2 127.0.0.1 5000", "listen 2", "socket 3 tcp4", "connect 3 127.0.0.1 5000", "name 3", NULL);
	cr_assert_str_eq(result_of(&run, "other-network"), "0");
	cr_assert(port_of(&run, "name 1") == 40500 || port_of(&run, "name 1") == 40501, "%s", run.out);
	cr_assert(port_of(&run, "name 3") == 40500 || port_of(&run, "name 3") == 40501, "%s", run.out);
}

/* A socket of IPv6 that became one of IPv4. */
Test(no_way_out, turned_into_ipv4)
{
	struct run run = { .policy = ALL };

	own();
	run_steps(&run, "socket 0 udp6", "connect 0 ::ffff:127.0.0.1 5000", "addrform 0", "connect 0 127.0.0.1 0 as-unspec",
	          "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_assert_str_eq(result_of(&run, "addrform 0"), "0");
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	ours(&run, "name 0");
}
