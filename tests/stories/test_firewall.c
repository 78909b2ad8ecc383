/* test_firewall.c - a firewall lets only the source ports 20000-20099 out: programs that know nothing of it get through
 * under portshim, and not without. Two hosts, judged by the far one. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "tests/lib/world.h"

#define ALLOWED "20000-20099"
#define REPLY "HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nthrough\n"

/* Whoever is not let out gives up after a second. */
#define TCP_CLIENT \
	"import socket, sys\n" \
	"s = socket.create_connection((sys.argv[1], 5000), 1)\n" \
	"s.sendall(b'hello')\n" \
	"print(s.makefile().read())\n"
#define UDP_CLIENT(first, ask) \
	"import socket, sys\n" \
	"to = socket.getaddrinfo(sys.argv[1], 5000, type=socket.SOCK_DGRAM)[0]\n" \
	"s = socket.socket(to[0], socket.SOCK_DGRAM)\n" \
	"s.settimeout(1)\n" \
	first "\n" \
	ask "\n" \
	"print(s.recv(99).decode())\n"

struct client {
	bool udp;
	const char *server;
	const char *argv[10];
};

static const struct client clients[] = {
	{ false, FAR4, { "curl", "-sS", "--max-time", "2", "http://" FAR4 ":5000/" } },
	{ false, FAR6, { "curl", "-sS", "--max-time", "2", "-g", "http://[" FAR6 "]:5000/" } },
	{ false, FAR4, { "wget", "-q", "-O-", "--timeout=1", "--tries=1", "http://" FAR4 ":5000/" } },
	{ false, FAR4, { PYTHON, "-c", TCP_CLIENT, FAR4 } },
	{ false, FAR6, { PYTHON, "-c", TCP_CLIENT, FAR6 } },
	{ true, FAR4, { PYTHON, "-c", UDP_CLIENT("", "s.sendto(b'hello', to[4])"), FAR4 } },
	{ true, FAR6, { PYTHON, "-c", UDP_CLIENT("", "s.sendto(b'hello', to[4])"), FAR6 } },
	{ true, FAR4, { PYTHON, "-c", UDP_CLIENT("s.connect(to[4])", "s.send(b'hello')"), FAR4 } },
	{ true, FAR6, { PYTHON, "-c", UDP_CLIENT("s.connect(to[4])", "s.send(b'hello')"), FAR6 } },
	{ true, FAR4, { "nc", "-u", "-w", "1", FAR4, "5000" } },
	{ true, FAR6, { "nc", "-u", "-w", "1", FAR6, "5000" } },
};

#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

TestSuite(firewall, .init = world_enter, .fini = world_leave);

static bool is_allowed(int port)
{
	return port >= 20000 && port <= 20099;
}

static void raise_firewall(void)
{
	shell("nft -f - <<'END'\n"
	      "table inet firewall {\n"
	      "	chain out {\n"
	      "		type filter hook output priority 0; policy accept;\n"
	      "		tcp sport != " ALLOWED " counter drop\n"
	      "		udp sport != " ALLOWED " counter drop\n"
	      "	}\n"
	      "}\n"
	      "END");
}

/* How many packets the firewall has stopped. */
static bool stopped_some(void)
{
	static struct run run = { .bare = true };
	const char *argv[] = { "nft", "list", "table", "inet", "firewall", NULL };

	run_program(&run, argv);
	cr_assert(exited(&run, 0) && strstr(run.out, "counter"), "%s", run.err);
	for (const char *at = run.out; (at = strstr(at, "counter packets ")); at++)
		if (at[strlen("counter packets ")] != '0')
			return true;
	return false;
}

static void start(struct run *run, const struct client *client)
{
	story_start(run, client->argv);
	if (strcmp(client->argv[0], "nc") == 0)
		story_tell(run, "hello\n");
}

static void is_stopped(const struct client *client, int server)
{
	struct run run = { .bare = true };

	start(&run, client);
	run_end(&run);
	cr_assert(WIFEXITED(run.status), "%s", run.err);
	cr_assert_null(strstr(run.out, "through"));
	cr_assert(nobody_came(server), "the firewall let %s through", client->argv[0]);
	cr_assert(stopped_some(), "%s sent nothing\n%s", client->argv[0], run.err);
	/* For all that nc -u knows, its datagram was sent. */
	cr_assert(!exited(&run, 0) || strcmp(client->argv[0], "nc") == 0, "%s does not say that it failed", client->argv[0]);
}

static void gets_through(const struct client *client, int server)
{
	struct run run = { .policy = "[rule firewall]\nports = " ALLOWED "\n" };
	int port;

	start(&run, client);
	port = client->udp ? answer_udp(server, REPLY) : answer_tcp(server, REPLY);
	run_end(&run);
	cr_assert(is_allowed(port), "%s came from port %d", client->argv[0], port);
	cr_assert(exited(&run, 0), "%s\n%s", client->argv[0], run.err);
	cr_assert(strstr(run.out, "through"), "%s heard only: %s", client->argv[0], run.out);
	cr_assert_str_empty(run.err);
	cr_assert(nobody_came(server));
}

ParameterizedTestParameters(firewall, pinned)
{
	static int index[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, CLIENTS);
}

/* First with the allowed ports beside the ephemeral range, as an administrator would have them; then inside it. */
ParameterizedTest(int *index, firewall, pinned)
{
	const struct client *client = &clients[*index];
	int server;

	wire_lay();
	server = client->udp ? far_udp(client->server, 5000) : far_tcp(client->server, 5000);
	raise_firewall();
	is_stopped(client, server);
	gets_through(client, server);
	net_set("net/ipv4/ip_local_port_range", "20000 29999");
	gets_through(client, server);
}
