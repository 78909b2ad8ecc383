/* test_sctp.c - SCTP: each way into an association leaves from the rule's ports; several addresses have the same one. */
#define _GNU_SOURCE
#include "tests/protocols/protocols.h"

#include <criterion/parameterized.h>
#include <netinet/sctp.h>

#define POLICY "[rule not-this]\nprotocol = tcp, udp, dccp, udplite\nports = 30000-30009\n[rule r]\nprotocol = sctp\nports = 20000-20009\n"

/* What each program is under: the library, or a supervisor, which sees system calls, but not those that are options. */
static const char *const modes[] = { NULL, "supervise" };

ParameterizedTestParameters(sctp, one_to_one)
{
	static int mode[] = { 0, 1 };

	return cr_make_param_array(int, mode, 2);
}

static bool begin(int mode)
{
	if (!has(SOCK_STREAM, IPPROTO_SCTP))
		return false;
	own();
	if (modes[mode])
		setenv("PORTSHIM_TEST_MODE", modes[mode], 1);
	return true;
}

ParameterizedTest(int *mode, sctp, one_to_one)
{
	int seen[3], server;

	if (!begin(*mode))
		return;
	server = serve(SOCK_STREAM, IPPROTO_SCTP, 5000);
	START(POLICY, "socket 0 sctp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 sctp6", "connect 1 ::1 5000", "name 1", "socket 2 sctp6",
	      "connect 2 ::ffff:127.0.0.1 5000", "name 2", "pause");
	for (int i = 0; i < 3; i++) {
		char step[16];

		snprintf(step, sizeof(step), "name %d", i);
		seen[i] = server_accept(server, NULL);
		cr_expect(is_ours(seen[i]), "from %d", seen[i]);
		cr_expect_eq(port_of(&run, step), seen[i], "%s", run.out);
	}
	cr_expect(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2], "%s", run.out);
	end();
}

ParameterizedTestParameters(sctp, one_to_many)
{
	static int mode[] = { 0, 1 };

	return cr_make_param_array(int, mode, 2);
}

/* The first message to somebody makes an association. Others from the same socket have its port. */
ParameterizedTest(int *mode, sctp, one_to_many)
{
	int server, other, first;

	if (!begin(*mode))
		return;
	server = serve(SOCK_STREAM, IPPROTO_SCTP, 5000);
	other = serve(SOCK_STREAM, IPPROTO_SCTP, 5001);
	START(POLICY, "socket 0 sctpmany4", "sendto 0 127.0.0.1 5000", "sendto 0 127.0.0.1 5001", "name 0", "socket 1 sctpmany6",
	      "sendmsg 1 ::1 5000", "socket 2 sctpmany4", "sctp_sendmsg 2 127.0.0.1 5000", "socket 3 sctpmany4", "sendv 3 127.0.0.1 5000",
	      "socket 4 sctpmany4", "connect 4 127.0.0.1 5000", "sendto 4 127.0.0.1 5001", "pause");
	first = server_accept(server, NULL);
	cr_expect_eq(port_of(&run, "name 0"), first);
	cr_expect(is_ours(first), "from %d", first);
	cr_expect_eq(server_accept(other, NULL), first, "%s", run.out);
	for (int i = 1; i < 5; i++) {
		int port = server_accept(server, NULL);

		cr_expect(is_ours(port) && port != first, "from %d\n%s", port, run.out);
	}
	cr_expect(is_ours(server_accept(other, NULL)), "%s", run.out);
	end();
}

/* Whether the peer's addresses are all those of a list, with one port. */
static void expect_peer(int server, const char *addresses, int count)
{
	struct sockaddr *all;
	int fd, port = server_accept(server, &fd), seen = sctp_getpaddrs(fd, 0, &all);
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)all;

	cr_expect(is_ours(port), "from %d\n%s", port, run.out);
	cr_expect_eq(seen, count, "%d addresses, not %d, in\n%s", seen, count, run.out);
	for (int i = 0; i < seen && v4[i].sin_family == AF_INET; i++) {
		cr_expect(strstr(addresses, inet_ntoa(v4[i].sin_addr)), "%s is not among %s", inet_ntoa(v4[i].sin_addr), addresses);
		cr_expect_eq(ntohs(v4[i].sin_port), port);
	}
	sctp_freepaddrs(all);
	close(fd);
}

static int serve_ipv4(int port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);

	cr_assert(bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0 && listen(fd, 64) == 0);
	return fd;
}

static void come_from_ours(int server, int count)
{
	while (count-- > 0) {
		int port = server_accept(server, NULL);

		cr_expect(is_ours(port), "from %d\n%s", port, run.out);
	}
}

/* sctp_connectx(): an option to the kernel, and a connect all the same. */
Test(sctp, peers_with_several_addresses)
{
	int server;

	if (!begin(0))
		return;
	server = serve_ipv4(5000);
	START(POLICY, "socket 0 sctp4", "connectx 0 127.0.0.1,127.0.0.2 5000", "name 0", "socket 1 sctpmany4", "connectx 1 127.0.0.1 5000",
	      "socket 2 sctpmany4", "sendv 2 127.0.0.1,127.0.0.2 5000", "pause");
	came_to("connectx 0 127.0.0.1,127.0.0.2 5000", "0");
	came_to("connectx 1 127.0.0.1 5000", "0");
	come_from_ours(server, 3);
	end();
}

/* To the program it stays an option: no cancellation point, and the length of the answer is told, with a rule and without one. */
Test(sctp, is_an_option_still)
{
	static const char *const policies[] = { POLICY, "[rule other]\nto = 127.0.0.9\nports = 30000\n" };

	if (!begin(0))
		return;
	serve_ipv4(5000);
	for (int i = 0; i < 2; i++) {
		PLAY(policies[i], "socket 0 sctp4", "answer 0 127.0.0.1 5000", "socket 1 sctp4", "cancelled 1 127.0.0.1 5000", "name 1");
		came_to("answer 0 127.0.0.1 5000", "4");
		came_to("cancelled 1 127.0.0.1 5000", "0");
		cr_expect_eq(is_ours(port_of(&run, "name 1")), i == 0, "%s", run.out);
	}
}

/* Rules are asked about it as about a connect. */
Test(sctp, rules_for_peers_with_several_addresses)
{
	if (!begin(0))
		return;
	serve_ipv4(5000);
	PLAY("[rule no]\nto = 127.0.0.2\naction = deny\n[rule b]\ncall = bind\nports = 30000\n[rule c]\ncall = connect\nports = 20000\n",
	     "socket 0 sctp4", "connectx 0 127.0.0.2,127.0.0.1 5000", "name 0", "connectx 0 127.0.0.1,127.0.0.2 5000", "name 0");
	came_to("connectx 0 127.0.0.2,127.0.0.1 5000", "-1 EPERM");
	came_to("connectx 0 127.0.0.1,127.0.0.2 5000", "0");
	cr_expect_eq(port_of(&run, "name 0"), 20000, "%s", run.out);
}

/* sctp_bindx(): all addresses with the rule's one port, in one go or one after the other. */
Test(sctp, several_addresses)
{
	int server;

	if (!begin(0))
		return;
	server = serve_ipv4(5000);
	START(POLICY, "socket 0 sctp4", "bindx 0 127.0.0.2,127.0.0.3,127.0.0.4 0", "connect 0 127.0.0.1 5000", "name 0", "pause");
	came_to("bindx 0 127.0.0.2,127.0.0.3,127.0.0.4 0", "0");
	expect_peer(server, "127.0.0.2 127.0.0.3 127.0.0.4", 3);
	cr_expect(is_ours(port_of(&run, "name 0")));
	end();
	START(POLICY, "socket 0 sctpmany4", "bindx 0 127.0.0.2 0", "bindx 0 127.0.0.3 0", "sendto 0 127.0.0.1 5000", "pause");
	came_to("bindx 0 127.0.0.3 0", "0");
	expect_peer(server, "127.0.0.2 127.0.0.3", 2);
	end();
	START(POLICY, "socket 0 sctp4", "bind 0 127.0.0.2 0", "bindx 0 127.0.0.3 0", "connect 0 127.0.0.1 5000", "pause");
	expect_peer(server, "127.0.0.2 127.0.0.3", 2);
	end();
}

/* Ports that the program names itself. */
Test(sctp, several_addresses_and_a_port)
{
	if (!begin(0))
		return;
	PLAY(POLICY, "socket 0 sctp4", "bindx 0 127.0.0.2,127.0.0.3 6000", "name 0");
	came_to("bindx 0 127.0.0.2,127.0.0.3 6000", "0");
	cr_expect_eq(port_of(&run, "name 0"), 6000);
	PLAY(POLICY "explicit = deny\n", "socket 0 sctp4", "bindx 0 127.0.0.2,127.0.0.3 6000", "bindx 0 127.0.0.2 0");
	came_to("bindx 0 127.0.0.2,127.0.0.3 6000", "-1 EPERM");
	came_to("bindx 0 127.0.0.2 0", "0");
	PLAY(POLICY "explicit = assign\n", "socket 0 sctp4", "bindx 0 127.0.0.2,127.0.0.3 6000", "name 0");
	came_to("bindx 0 127.0.0.2,127.0.0.3 6000", "0");
	cr_expect(is_ours(port_of(&run, "name 0")), "%s", run.out);
}

/* What the kernel refuses it refuses here as well. */
Test(sctp, addresses_that_are_none)
{
	static struct run bare;

	if (!begin(0))
		return;
#define NONE                                                                                                   \
	"socket 0 sctp4", "bindx 0 192.0.2.1 0", "bindx 0 127.0.0.2,192.0.2.1 0", "connectx 0 192.0.2.1 5000", "bindx 9 127.0.0.1 0", "socket 1 tcp4", \
		"bindx 1 127.0.0.1 0", "connectx 1 127.0.0.1 5000", "connectx 9 127.0.0.1 5000"
	bare = (struct run){ .bare = true };
	run_program(&bare, (const char *const[]){ built("tests/probes/many_homed"), NONE, NULL });
	PLAY(POLICY, NONE);
	cr_expect_str_eq(run.out, bare.out, "bare:\n%s\n%s", bare.out, run.out);
}

/* sctp_peeloff() makes a descriptor: what is remembered of its number is another socket's, which a raw close has ended. */
Test(sctp, peeled_off)
{
	int server;

	if (!begin(0))
		return;
	server = serve_ipv4(5000);
	server_tcp("127.0.0.1", 5000);
	START("[rule r]\nports = 20000-20009\n", "socket 0 sctpmany4", "set 0 reuseaddr 1", "socket 1 tcp4", "connect 1 127.0.0.1 5000",
	      "sendto 0 127.0.0.1 5000", "connect 0 127.0.0.1 5000", "rawclose 1", "peeloff 0 1", "get 1 reuseaddr", "name 1", "name 0",
	      "peer 1", "pause");
	came_to("peeloff 0 1", "0");
	came_to("get 1 reuseaddr", "1");
	cr_expect_eq(port_of(&run, "name 1"), server_accept(server, NULL), "%s", run.out);
	cr_expect_eq(port_of(&run, "name 1"), port_of(&run, "name 0"), "%s", run.out);
	end();
}

/* The kernel's own errnos, by each call. */
Test(sctp, used_up)
{
	static struct run bare;

	if (!begin(0))
		return;
	serve(SOCK_STREAM, IPPROTO_SCTP, 5000);
#define USED_UP                                                                                                \
	"socket 0 sctp4", "connect 0 127.0.0.1 5000", "socket 1 sctp4", "connect 1 127.0.0.1 5000", "connectx 1 127.0.0.1 5000", "listen 1", \
		"bind 1 127.0.0.1 0", "bindx 1 127.0.0.1,127.0.0.2 0", "socket 2 sctpmany4", "sendto 2 127.0.0.1 5000", \
		"sctp_sendmsg 2 127.0.0.1 5000", "connect 2 127.0.0.1 5000"
	net_set("net/ipv4/ip_local_port_range", "40000 40000");
	bare = (struct run){ .bare = true };
	run_program(&bare, (const char *const[]){ built("tests/probes/many_homed"), USED_UP, NULL });
	PLAY("[rule r]\nports = 20000\n", USED_UP);
	cr_expect_str_eq(run.out, bare.out, "bare:\n%s\n%s", bare.out, run.out);
	came_to("connect 1 127.0.0.1 5000", "-1 EAGAIN");
	came_to("listen 1", "-1 EAGAIN");
	cr_expect_str_empty(run.err);
}

/* `exhausted`: to leave from elsewhere, and to wait for the port, which comes when its association has ended. */
Test(sctp, used_up_and_then)
{
	int server;

	if (!begin(0))
		return;
	server = serve(SOCK_STREAM, IPPROTO_SCTP, 5000);
	START("[rule r]\nports = 20000\nexhausted = pass\n", "socket 0 sctp4", "connect 0 127.0.0.1 5000", "socket 1 sctp4",
	      "connect 1 127.0.0.1 5000", "pause");
	cr_expect_eq(server_accept(server, NULL), 20000);
	cr_expect_geq(server_accept(server, NULL), 40000);
	end();
	START("[rule r]\nports = 20000\nexhausted = wait 60s\n", "socket 0 sctp4", "connect 0 127.0.0.1 5000", "pause", "close 0", "socket 1 sctp4",
	      "connect 1 127.0.0.1 5000", "name 1", "pause");
	cr_expect_eq(server_accept(server, NULL), 20000);
	run_go_on(&run);
	run_until_paused(&run);
	cr_expect_eq(server_accept(server, NULL), 20000);
	came_to("connect 1 127.0.0.1 5000", "0");
	cr_expect_eq(port_of(&run, "name 1"), 20000);
	end();
}

/* A bind to port 0 cannot be put off: it has a port of the rule that waits for a destination. */
Test(sctp, bound_before)
{
	int server;

	if (!begin(0))
		return;
	server = serve_ipv4(5000);
	START("[rule to]\nto = 127.0.0.1:5000\nports = 20000-20009\n", "socket 0 sctp4", "bind 0 127.0.0.2 0", "name 0", "connect 0 127.0.0.1 5000",
	      "socket 1 sctpmany4", "bind 1 127.0.0.2 0", "sendto 1 127.0.0.1 5000", "socket 2 sctp4", "set 2 noport 1", "bind 2 127.0.0.2 0",
	      "connect 2 127.0.0.1 5000", "socket 3 sctp4", "bindx 3 127.0.0.2,127.0.0.3 0", "connect 3 127.0.0.1 5000", "pause");
	cr_expect(is_ours(port_of(&run, "name 0")), "%s", run.out);
	come_from_ours(server, 4);
	end();
}

/* One after the other, whoever takes them. */
Test(sctp, in_order)
{
	if (!begin(0))
		return;
	serve(SOCK_STREAM, IPPROTO_SCTP, 5000);
	PLAY("[rule r]\nports = 20000-20009\nchoose = sequential\n", "socket 0 sctp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 sctpmany4",
	     "sendto 1 127.0.0.1 5000", "name 1", "socket 2 sctp4", "bindx 2 127.0.0.1 0", "name 2");
	for (int i = 0; i < 2; i++) {
		const char *const steps[] = { "name 0", "name 1", "name 2" };
		int now = port_of(&run, steps[i]), next = port_of(&run, steps[i + 1]);

		cr_expect_eq(next, now == HI ? LO : now + 1, "%s", run.out);
	}
}

/* A server that listens without a bind, one-to-one and one-to-many. */
Test(sctp, listeners)
{
	if (!begin(0))
		return;
	PLAY("[rule l]\ncall = listen\nports = 20000-20009\n", "socket 0 sctp4", "listen 0", "name 0", "socket 1 sctpmany4", "listen 1", "name 1");
	cr_expect(is_ours(port_of(&run, "name 0")) && is_ours(port_of(&run, "name 1")), "%s", run.out);
}
