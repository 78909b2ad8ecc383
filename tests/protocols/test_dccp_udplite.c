/* test_dccp_udplite.c - DCCP and UDP-Lite leave from the rule's ports, as TCP and UDP do. */
#define _GNU_SOURCE
#include "tests/protocols/protocols.h"

#include <criterion/parameterized.h>

#define POLICY "[rule not-this]\nprotocol = tcp, udp, sctp\nports = 30000-30009\n[rule r]\nprotocol = dccp, udplite\nports = 20000-20009\n"

static const char *const modes[] = { NULL, "supervise" };

static bool begin(int type, int protocol, int mode)
{
	if (!has(type, protocol))
		return false;
	own();
	if (modes[mode])
		setenv("PORTSHIM_TEST_MODE", modes[mode], 1);
	return true;
}

ParameterizedTestParameters(rest, dccp)
{
	static int mode[] = { 0, 1 };

	return cr_make_param_array(int, mode, 2);
}

ParameterizedTest(int *mode, rest, dccp)
{
	int server, seen[3];

	if (!begin(SOCK_DCCP, IPPROTO_DCCP, *mode))
		return;
	server = serve(SOCK_DCCP, IPPROTO_DCCP, 5000);
	START(POLICY, "socket 0 dccp4", "service 0 42", "connect 0 127.0.0.1 5000", "name 0", "socket 1 dccp6", "service 1 42",
	      "connect 1 ::1 5000", "socket 2 dccp4", "service 2 42", "bind 2 127.0.0.1 0", "connect 2 127.0.0.1 5000", "write 2", "pause");
	for (int i = 0; i < 3; i++) {
		seen[i] = server_accept(server, NULL);
		cr_expect(is_ours(seen[i]), "from %d\n%s", seen[i], run.out);
	}
	cr_expect_eq(port_of(&run, "name 0"), seen[0], "%s", run.out);
	cr_expect(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2], "%s", run.out);
	end();
}

Test(rest, dccp_bound_before)
{
	int server;

	if (!begin(SOCK_DCCP, IPPROTO_DCCP, 0))
		return;
	server = serve(SOCK_DCCP, IPPROTO_DCCP, 5000);
	START("[rule to]\nto = 127.0.0.1:5000\nports = 20000-20009\n", "socket 0 dccp4", "service 0 42", "bind 0 127.0.0.2 0", "connect 0 127.0.0.1 5000",
	      "name 0", "socket 1 dccp4", "service 1 42", "bind 1 127.0.0.2 0", "name 1", "connect 1 127.0.0.1 5000", "pause");
	for (int i = 0; i < 2; i++) {
		int port = server_accept(server, NULL);

		cr_expect(is_ours(port), "from %d\n%s", port, run.out);
	}
	cr_expect(strncmp(result_of(&run, "name 0"), "127.0.0.2 ", 10) == 0, "%s", run.out);
	end();
}

/* The kernel's own errnos. */
Test(rest, dccp_used_up)
{
	static struct run bare;

	if (!begin(SOCK_DCCP, IPPROTO_DCCP, 0))
		return;
	serve(SOCK_DCCP, IPPROTO_DCCP, 5000);
#define USED_UP                                                                                                \
	"socket 0 dccp4", "service 0 42", "connect 0 127.0.0.1 5000", "socket 1 dccp4", "service 1 42", "connect 1 127.0.0.1 5000", "name 1", \
		"listen 1", "bind 1 127.0.0.1 0"
	net_set("net/ipv4/ip_local_port_range", "40000 40000");
	bare = (struct run){ .bare = true };
	run_program(&bare, (const char *const[]){ built("tests/probes/many_homed"), USED_UP, NULL });
	PLAY("[rule r]\nports = 20000\n", USED_UP);
	cr_expect_str_eq(run.out, bare.out, "bare:\n%s\n%s", bare.out, run.out);
	came_to("connect 1 127.0.0.1 5000", "-1 EADDRNOTAVAIL");
}

/* A service that nobody offers is refused. The kernel has that port rest for a while; the other one is had. */
Test(rest, dccp_refused)
{
	int server;

	if (!begin(SOCK_DCCP, IPPROTO_DCCP, 0))
		return;
	server = serve(SOCK_DCCP, IPPROTO_DCCP, 5000);
	START("[rule r]\nports = 20000-20001\n", "socket 0 dccp4", "service 0 43", "connect 0 127.0.0.1 5000", "close 0", "socket 0 dccp4",
	      "service 0 42", "connect 0 127.0.0.1 5000", "name 0", "pause");
	came_to("connect 0 127.0.0.1 5000", "0");
	cr_expect_leq(server_accept(server, NULL), 20001, "%s", run.out);
	end();
}

ParameterizedTestParameters(rest, udplite)
{
	static int mode[] = { 0, 1 };

	return cr_make_param_array(int, mode, 2);
}

ParameterizedTest(int *mode, rest, udplite)
{
	int server;

	if (!begin(SOCK_DGRAM, IPPROTO_UDPLITE, *mode))
		return;
	server = serve(SOCK_DGRAM, IPPROTO_UDPLITE, 5000);
	PLAY(POLICY, "socket 0 udplite4", "connect 0 127.0.0.1 5000", "write 0", "socket 1 udplite6", "sendto 1 ::1 5000", "socket 2 udplite4",
	     "sendmsg 2 127.0.0.1 5000", "socket 3 udplite4", "bind 3 127.0.0.1 0", "sendto 3 127.0.0.1 5000");
	for (int i = 0; i < 4; i++) {
		int port = server_receive(server);

		cr_expect(is_ours(port), "from %d\n%s", port, run.out);
	}
}

Test(rest, udplite_used_up)
{
	static struct run bare;

	if (!begin(SOCK_DGRAM, IPPROTO_UDPLITE, 0))
		return;
#define LITE_USED_UP                                                                                           \
	"socket 0 udplite4", "bind 0 127.0.0.1 0", "socket 1 udplite4", "sendto 1 127.0.0.1 5000", "connect 1 127.0.0.1 5000", "bind 1 127.0.0.1 0", \
		"listen 1", "socket 2 udplite6", "sendto 2 ::1 5000", "connect 2 ::ffff:127.0.0.1 5000"
	net_set("net/ipv4/ip_local_port_range", "40000 40000");
	bare = (struct run){ .bare = true };
	run_program(&bare, (const char *const[]){ built("tests/probes/many_homed"), LITE_USED_UP, NULL });
	PLAY("[rule r]\nports = 20000\n", LITE_USED_UP);
	cr_expect_str_eq(run.out, bare.out, "bare:\n%s\n%s", bare.out, run.out);
	came_to("connect 1 127.0.0.1 5000", "-1 EAGAIN");
}
