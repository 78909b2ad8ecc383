/* test_story.c - the story that a supervisor is for: a firewall lets only some source ports out, and the program is one that no
 * library reaches. Two hosts, judged by the far one. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/supervised.h"

#define ALLOWED "20000-20099"
#define GO "kinds/go_pure"
#define POLICY "[rule firewall]\nports = " ALLOWED "\n"

TestSuite(story, .init = supervised_enter, .fini = supervised_leave);

static void raise_firewall(void)
{
	shell("nft -f - <<'END'\n"
	      "table inet firewall {\n"
	      "	chain out {\n"
	      "		type filter hook output priority 0; policy accept;\n"
	      "		oif lo accept\n"
	      "		tcp sport != " ALLOWED " counter drop\n"
	      "		udp sport != " ALLOWED " counter drop\n"
	      "	}\n"
	      "}\n"
	      "END");
}

struct client {
	const char *network, *to, *server;
};

static const struct client clients[] = {
	{ "tcp", FAR4 ":5000", FAR4 }, { "tcp", "[" FAR6 "]:5000", FAR6 },
	{ "udp", FAR4 ":5000", FAR4 }, { "udp", "[" FAR6 "]:5000", FAR6 },
};

#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

static bool is_datagram(const struct client *client)
{
	return client->network[0] == 'u';
}

static void is_stopped(const struct client *client, int server)
{
	const char *argv[] = { built(GO), "impatient", client->network, client->to, NULL };
	struct run run = { .bare = true };

	story_run(&run, argv);
	cr_assert(exited(&run, 1), "%s%s", run.out, run.err);
	cr_assert(nobody_came(server), "the firewall lets it through");
}

static void gets_through(const struct client *client, int server)
{
	const char *argv[] = { built(GO), "impatient", client->network, client->to, NULL };
	struct run run = { .policy = POLICY };
	int port;

	story_start(&run, argv);
	port = is_datagram(client) ? answer_udp(server, "through\n") : answer_tcp(server, "through\n");
	run_end(&run);
	cr_assert(port >= 20000 && port <= 20099, "from port %d", port);
	cr_assert(exited(&run, 0), "%s%s", run.out, run.err);
	cr_assert_str_eq(run.out, "through\n");
	cr_assert_str_empty(run.err);
	cr_assert(nobody_came(server));
}

/* First with the allowed ports beside the ephemeral range, as an administrator would have them; then inside it. */
Test(story, firewall)
{
	wire_lay();
	raise_firewall();
	for (size_t i = 0; i < CLIENTS; i++) {
		const struct client *client = &clients[i];
		int server = is_datagram(client) ? far_udp(client->server, 5000) : far_tcp(client->server, 5000);

		net_set("net/ipv4/ip_local_port_range", EPHEMERAL);
		is_stopped(client, server);
		gets_through(client, server);
		net_set("net/ipv4/ip_local_port_range", "20000 29999");
		gets_through(client, server);
	}
}

/* The library alone does not help such a program, and portshim says what does. */
Test(story, not_by_the_library)
{
	const char *argv[] = { built("portshim"), "run", "--mode=preload", "--", built(GO), "impatient", "tcp", FAR4 ":5000", NULL };
	struct run run = { .policy = POLICY, .bare = true };
	int server;

	wire_lay();
	raise_firewall();
	server = far_tcp(FAR4, 5000);
	run_program(&run, argv);
	cr_expect(exited(&run, 1), "status %x", run.status);
	cr_expect(nobody_came(server));
	cr_expect(strstr(run.err, "supervise"), "%s", run.err);
}

/* Nobody is at home there: the attempt ends when the program's own patience does. */
Test(story, nobody_answers)
{
	const char *argv[] = { built(GO), "impatient", "tcp", FAR4 ":5000", NULL };
	static struct run bare = { .bare = true }, run = { .policy = POLICY };

	wire_lay();
	shell("nft 'add table inet silence; add chain inet silence in { type filter hook input priority 0; }; "
	      "add rule inet silence in iif near drop'");
	story_run(&bare, argv);
	cr_assert(exited(&bare, 1) && strstr(bare.out, "timeout"), "%s%s", bare.out, bare.err);
	story_run(&run, argv);
	story_same("nobody answers", &bare, &run);
}

/* A web client, a plain one and the shell that starts them, in one static program: let out, both. */
Test(story, static_tools)
{
	const char *argv[] = { "busybox", "sh", "-c", "busybox wget -q -O- http://" FAR4 ":5000/; echo hello | busybox nc " FAR4
		               " 5000", NULL };
	struct run run = { .policy = POLICY };
	int tcp, port;

	wire_lay();
	raise_firewall();
	tcp = far_tcp(FAR4, 5000);
	story_start(&run, argv);
	for (int i = 0; i < 2; i++) {
		port = answer_tcp(tcp, i ? "said\n" : "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nweb\n");
		cr_expect(port >= 20000 && port <= 20099, "from port %d", port);
	}
	run_end(&run);
	cr_expect(exited(&run, 0));
	cr_expect_str_eq(run.out, "web\nsaid\n", "%s%s", run.out, run.err);
}
