/* test_dns.c - programs that ask the DNS themselves, and not by libc, leave from the rule's ports; and say for the
 * rest what they say without portshim. (By libc: tests/escapes/.) */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/name_server.h"
#include "tests/lib/world.h"

#define TO "[rule dns]\nto = *:53\nports = 20000-20009\n"
#define AT "@" NAME_SERVER
#define NAME "there.example"

struct client {
	bool tcp;
	const char *argv[8];
};

/* By destination: those that bind their address first (-b) get their port from connect() or the first send. */
static const struct client clients[] = {
	{ false, { "dig", "+short", AT, NAME } },
	{ true, { "dig", "+tcp", "+short", AT, NAME } },
	{ false, { "dig", "-b", "127.0.0.1", "+short", AT, NAME } },
	{ true, { "dig", "-b", "127.0.0.1", "+tcp", "+short", AT, NAME } },
	{ false, { "host", "-t", "A", NAME, NAME_SERVER } },
	{ true, { "host", "-T", "-t", "A", NAME, NAME_SERVER } },
	{ false, { "nslookup", "-type=A", NAME, NAME_SERVER } },
	{ false, { "kdig", "+short", AT, NAME } },
	{ true, { "kdig", "+tcp", "+short", AT, NAME } },
	{ false, { "kdig", "-b", "127.0.0.1", "+short", AT, NAME } },
	{ false, { "tests/probes/cares_lookup", NAME_SERVER, NAME, "udp" } },
	{ true, { "tests/probes/cares_lookup", NAME_SERVER, NAME, "tcp" } },
};

#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

TestSuite(dns, .init = world_enter, .fini = world_leave);

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

static void start(struct run *run, const char *const given[])
{
	const char *argv[8] = { given[0][0] == 't' ? built(given[0]) : given[0] };

	for (int i = 1; i < 8 && given[i]; i++)
		argv[i] = given[i];
	story_start(run, argv);
}

ParameterizedTestParameters(dns, client)
{
	static int index[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, CLIENTS);
}

static int port_seen(struct run *run, const struct client *client, int server)
{
	int port;

	start(run, client->argv);
	port = client->tcp ? name_server_tcp(server) : name_server_udp(server, false);
	run_end(run);
	return port;
}

ParameterizedTest(int *index, dns, client)
{
	static struct run bare = { .bare = true }, run = { .policy = TO };
	const struct client *client = &clients[*index];
	int port, server = client->tcp ? server_tcp(NAME_SERVER, 53) : server_udp(NAME_SERVER, 53);

	port = port_seen(&bare, client, server);
	cr_assert(is_ephemeral(port), "%s, bare, from port %d", client->argv[0], port);
	cr_assert(strstr(bare.out, NAME_SERVER_ANSWER), "%s%s", bare.out, bare.err);
	port = port_seen(&run, client, server);
	cr_assert(is_ours(port), "%s from port %d", client->argv[0], port);
	story_same(client->argv[0], &bare, &run);
	cr_assert(nobody_came(server));
}

/* An answer that is cut short is asked for again on TCP. */
Test(dns, cut_short)
{
	const char *dig[] = { "dig", "+short", AT, NAME, NULL };
	static struct run run = { .policy = TO };
	int udp = server_udp(NAME_SERVER, 53), tcp = server_tcp(NAME_SERVER, 53);

	start(&run, dig);
	cr_expect(is_ours(name_server_udp(udp, true)));
	cr_expect(is_ours(name_server_tcp(tcp)));
	run_end(&run);
	cr_expect_str_eq(run.out, NAME_SERVER_ANSWER "\n");
}

/* Many questions at once, on fewer ports than they are. */
Test(dns, one_after_the_other)
{
	char line[256];
	const char *argv[] = { "sh", "-c", line, NULL };
	static struct run run = { .policy = TO };
	int server = server_udp(NAME_SERVER, 53);

	snprintf(line, sizeof(line), "i=0; while [ $i -lt 15 ]; do dig +short " AT " " NAME "; i=$((i + 1)); done");
	start(&run, argv);
	for (int i = 0; i < 15; i++)
		cr_expect(is_ours(name_server_udp(server, false)), "question %d", i);
	run_end(&run);
	cr_expect_str_empty(run.err);
}

/* A port that the program names itself is kept, unless the rule says otherwise. delv(1), like named(8), names one at
 * random for each question. */
Test(dns, ports_that_the_program_names)
{
	const char *dig[] = { "dig", "-b", "127.0.0.1#20777", "+short", AT, NAME, NULL };
	const char *delv[] = { "delv", "-i", "+short", AT, NAME, NULL };
	static struct run keep = { .policy = TO };
	static struct run assign = { .policy = "[rule all]\nports = 20000-20009\nexplicit = assign\n" };
	int port, server = server_udp(NAME_SERVER, 53);

	start(&keep, dig);
	cr_expect_eq(name_server_udp(server, false), 20777);
	run_end(&keep);
	start(&assign, dig);
	port = name_server_udp(server, false);
	cr_expect(is_ours(port), "dig from port %d", port);
	run_end(&assign);
	start(&keep, delv);
	port = name_server_udp(server, false);
	cr_expect(!is_ours(port), "delv from port %d", port);
	run_end(&keep);
	start(&assign, delv);
	port = name_server_udp(server, false);
	cr_expect(is_ours(port), "delv from port %d", port);
	run_end(&assign);
	cr_expect_str_eq(assign.out, NAME_SERVER_ANSWER "\n", "%s", assign.err);
}
