/* test_per_application.c - one policy, programs with ranges of their own, and programs that no rule names. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/world.h"

#define POLICY \
	"[rule fetch]\n" \
	"program = curl\n" \
	"ports = 21000-21009\n" \
	"[rule mirror]\n" \
	"program = wget, nc\n" \
	"ports = 22000-22009\n"
#define REPLY "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"

#define TCP_CLIENT \
	"import socket\n" \
	"s = socket.create_connection(('127.0.0.1', 5000))\n" \
	"s.sendall(b'hello')\n" \
	"s.makefile().read()\n"
#define UDP_CLIENT \
	"import socket\n" \
	"s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" \
	"s.sendto(b'hello', ('127.0.0.1', 5000))\n" \
	"s.recv(99)\n"

struct client {
	int lo, hi; /* where the server should see it */
	bool udp;
	const char *argv[8];
};

static const struct client clients[] = {
	{ 21000, 21009, false, { "curl", "-sS", "http://127.0.0.1:5000/" } },
	{ 22000, 22009, false, { "wget", "-q", "-O-", "http://127.0.0.1:5000/" } },
	{ 22000, 22009, false, { "nc", "-N", "127.0.0.1", "5000" } },
	{ 22000, 22009, true, { "nc", "-u", "-w", "1", "127.0.0.1", "5000" } },
	{ 40000, 40999, false, { PYTHON, "-c", TCP_CLIENT } },
	{ 40000, 40999, true, { PYTHON, "-c", UDP_CLIENT } },
};

#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

TestSuite(per_application, .init = world_enter, .fini = world_leave);

static int port_seen(const struct client *client, int server, bool bare)
{
	struct run run = { .policy = POLICY, .bare = bare };
	int port;

	story_start(&run, client->argv);
	story_tell(&run, "hello\n");
	port = client->udp ? answer_udp(server, REPLY) : answer_tcp(server, REPLY);
	run_end(&run);
	cr_assert(exited(&run, 0), "%s\n%s", client->argv[0], run.err);
	cr_assert_str_empty(run.err);
	return port;
}

ParameterizedTestParameters(per_application, each_where_it_should_be)
{
	static int index[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, CLIENTS);
}

ParameterizedTest(int *index, per_application, each_where_it_should_be)
{
	const struct client *client = &clients[*index];
	int port, server = client->udp ? server_udp("127.0.0.1", 5000) : server_tcp("127.0.0.1", 5000);

	port = port_seen(client, server, true);
	cr_assert(is_ephemeral(port), "%s, bare, from port %d", client->argv[0], port);
	port = port_seen(client, server, false);
	cr_assert(port >= client->lo && port <= client->hi, "%s from port %d", client->argv[0], port);
}

/* All of them at once, started by one shell under one command: each to a port of its own at the server. */
Test(per_application, one_shell_starts_them_all)
{
	static const char line[] =
		"curl -sS http://127.0.0.1:5000/ >/dev/null & wget -q -O /dev/null http://127.0.0.1:5001/ &"
		"nc -N 127.0.0.1 5002 </dev/null >/dev/null & perl -MIO::Socket::INET -e '"
		"$s = IO::Socket::INET->new(\"127.0.0.1:5003\") or die; print $s \"hello\"; <$s>' & wait";
	static const struct { int lo, hi; } expected[] = {
		{ 21000, 21009 }, { 22000, 22009 }, { 22000, 22009 }, { 40000, 40999 },
	};
	const char *argv[] = { "/bin/sh", "-c", line, NULL };
	struct run run = { .policy = POLICY };
	int listener[4];

	for (int i = 0; i < 4; i++)
		listener[i] = server_tcp("127.0.0.1", 5000 + i);
	story_start(&run, argv);
	for (int i = 0; i < 4; i++) {
		int port = answer_tcp(listener[i], REPLY);

		cr_expect(port >= expected[i].lo && port <= expected[i].hi, "at %d: from port %d", 5000 + i, port);
	}
	run_end(&run);
	cr_assert(exited(&run, 0));
	cr_assert_str_empty(run.err);
}

/* Many of each at once: no port of one range is ever seen from a program of the other. */
Test(per_application, many_at_once)
{
	static const char line[] =
		"i=0; while [ $i -lt 8 ]; do curl -sS http://127.0.0.1:5000/ >/dev/null &"
		"wget -q -O /dev/null http://127.0.0.1:5001/ & i=$((i + 1)); done; wait";
	const char *argv[] = { "/bin/sh", "-c", line, NULL };
	struct run run = { .policy = POLICY };
	int curls = server_tcp("127.0.0.1", 5000), wgets = server_tcp("127.0.0.1", 5001);

	story_start(&run, argv);
	for (int i = 0; i < 8; i++) {
		int curl = answer_tcp(curls, REPLY), wget = answer_tcp(wgets, REPLY);

		cr_expect(curl >= 21000 && curl <= 21009, "curl from port %d", curl);
		cr_expect(wget >= 22000 && wget <= 22009, "wget from port %d", wget);
	}
	run_end(&run);
	cr_assert(exited(&run, 0));
	cr_assert_str_empty(run.err);
}
