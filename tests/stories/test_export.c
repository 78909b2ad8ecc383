/* test_export.c - a host whose firewall lets out what its policy says: real programs, as they are and under portshim, by
 * nft on the host itself, and on the router between them and the server. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/world.h"

#define ERP "1234" /* a user */
#define REPLY "HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nthrough\n"
#define BEYOND4 "10.88.0.2"
#define BEYOND6 "fd00:88::2"

#define POLICY(address4, address6)                                                     \
	"[rule erp]\nuser = " ERP "\nprotocol = tcp\nto = " address4 ":5000, [" address6 "]:5000\nports = 20000-20099\n" \
	"[rule erp-datagrams]\nuser = " ERP "\nprotocol = udp\nports = 20100-20199\n"

#define UDP_CLIENT                                                                      \
	"import socket, sys\n"                                                          \
	"to = socket.getaddrinfo(sys.argv[1], 5000, type=socket.SOCK_DGRAM)[0]\n"        \
	"s = socket.socket(to[0], socket.SOCK_DGRAM)\n"                                  \
	"s.settimeout(1)\n"                                                             \
	"s.sendto(b'hello', to[4])\n"                                                   \
	"print(s.recv(99).decode())\n"

struct client {
	const char *user;
	bool udp, six;
};

static const struct client clients[] = {
	{ ERP, false, false }, { ERP, false, true }, { ERP, true, false }, { ERP, true, true },
};
#define CLIENTS (sizeof(clients) / sizeof(*clients))

TestSuite(export_story, .init = world_enter, .fini = world_leave, .timeout = 120);

/* The policy, where every user can read it. */
static const char *policy_make(const char *text)
{
	static char variable[200];
	const char *path = file_make("policy", text);

	shell("chmod 711 $(dirname %s) && chmod 644 %s", path, path);
	snprintf(variable, sizeof(variable), "PORTSHIM_CONF=%s", path);
	return variable;
}

static void start(struct run *run, const struct client *client, const char *user, const char *address)
{
	char url[80];
	const char *argv[16] = { "setpriv", "--reuid", user, "--regid", user, "--clear-groups" };
	size_t n = 6;

	snprintf(url, sizeof(url), client->six ? "http://[%s]:5000/" : "http://%s:5000/", address);
	const char *const curl[] = { "curl", "-gsS", "--max-time", "2", url };
	const char *const python[] = { PYTHON, "-c", UDP_CLIENT, address };
	for (size_t i = 0; i < (client->udp ? 4 : 5); i++)
		argv[n++] = client->udp ? python[i] : curl[i];
	story_start(run, argv);
}

static void is_refused(const struct client *client, int server, struct run run, const char *user, const char *address)
{
	start(&run, client, user, address);
	run_end(&run);
	cr_expect(WIFEXITED(run.status) && !exited(&run, 0), "%s", run.err);
	cr_expect_not(strstr(run.out, "through"));
	cr_expect(nobody_came(server), "let out");
}

static void gets_through(const struct client *client, int server, const char *policy, const char *address)
{
	struct run run = { .env = { policy } };
	int first = client->udp ? 20100 : 20000;

	start(&run, client, client->user, address);
	int port = client->udp ? answer_udp(server, REPLY) : answer_tcp(server, REPLY);
	run_end(&run);
	cr_expect(port >= first && port <= first + 99, "from port %d", port);
	cr_expect(exited(&run, 0) && strstr(run.out, "through"), "%s%s", run.out, run.err);
}

static struct criterion_test_params indices(void)
{
	static int index[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, CLIENTS);
}

ParameterizedTestParameters(export_story, on_the_host)
{
	return indices();
}

/* Bare it leaves from a port of the kernel's; another user is under the same policy, and no rule is his. */
ParameterizedTest(int *index, export_story, on_the_host)
{
	const struct client *client = &clients[*index];
	const char *address = client->six ? FAR6 : FAR4, *policy = policy_make(POLICY(FAR4, FAR6));
	int server;

	wire_lay();
	server = client->udp ? far_udp(address, 5000) : far_tcp(address, 5000);
	shell("%s export nft -c %s | nft -f -", built("portshim"), file_path("policy"));
	is_refused(client, server, (struct run){ .bare = true }, client->user, address);
	is_refused(client, server, (struct run){ .env = { policy } }, "4321", address);
	gets_through(client, server, policy, address);
}

/* --- a router between ----------------------------------------------------------------------------------------- */

static int beyond_space = -1, beyond_server;
static const struct client *beyond_client;

static int space(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0);
	return fd;
}

/* A router asks for its neighbours by its link-local addresses, which it has once nobody has objected to them. */
static void settle(void)
{
	shell("timeout 20 sh -c 'while ip -6 addr show tentative | grep -q .; do sleep 0.05; done'");
}

/* Called on the far host, which becomes the router: behind it one more. */
static void lay_beyond(void)
{
	int router = space();

	cr_assert(unshare(CLONE_NEWNET) == 0);
	beyond_space = space();
	shell("ip link set lo up && ip link add beyond type veth peer name inner && ip link set inner netns /proc/%d/fd/%d &&"
	      "ip addr add " BEYOND4 "/24 dev beyond && ip addr add " BEYOND6 "/64 dev beyond nodad &&"
	      "ip link set beyond up", getpid(), router);
	cr_assert(setns(router, CLONE_NEWNET) == 0);
	close(router);
	shell("ip addr add 10.88.0.1/24 dev inner && ip addr add fd00:88::1/64 dev inner nodad && ip link set inner up");
	net_set("net/ipv4/ip_forward", "1");
	net_set("net/ipv6/conf/all/forwarding", "1");
	cr_assert(setns(beyond_space, CLONE_NEWNET) == 0);
	shell("ip route add default via 10.88.0.1 && ip route add default via fd00:88::1");
	settle();
	beyond_server = beyond_client->udp ? server_udp(beyond_client->six ? BEYOND6 : BEYOND4, 5000) :
	                                     server_tcp(beyond_client->six ? BEYOND6 : BEYOND4, 5000);
}

static void load_on_router(void)
{
	shell("%s export nft --remote --from=" NEAR4 "," NEAR6 " -c %s 2>/dev/null | nft -f -", built("portshim"),
	      file_path("policy"));
}

static void load_on_router_for_others(void)
{
	shell("%s export nft --remote --from=10.99.0.9 -c %s 2>/dev/null | nft -f -", built("portshim"), file_path("policy"));
}

static void beyond_connects(void)
{
	cr_assert(setns(beyond_space, CLONE_NEWNET) == 0);
	shell(PYTHON " -c 'import socket; s = socket.create_connection((\"%s\", 8000), 5); s.send(b\"x\");"
	      " assert s.recv(9) == b\"answer\"'", beyond_client->six ? NEAR6 : NEAR4);
}

ParameterizedTestParameters(export_story, on_the_way)
{
	return indices();
}

/* The router sees no users, so whoever leaves from these ports gets through; who comes from beyond is answered. */
ParameterizedTest(int *index, export_story, on_the_way)
{
	const struct client *client = &clients[*index];
	const char *address = client->six ? BEYOND6 : BEYOND4, *policy = policy_make(POLICY(BEYOND4, BEYOND6));
	struct run web = { .bare = true };

	wire_lay();
	beyond_client = client;
	far_do(lay_beyond);
	shell("ip route add default via " FAR4 " && ip route add default via " FAR6);
	settle();
	far_do(settle);
	far_do(load_on_router);
	is_refused(client, beyond_server, (struct run){ .bare = true }, client->user, address);
	gets_through(client, beyond_server, policy, address);

	daemon_start(&web, (const char *const[]){ PYTHON, "-c",
	             "import socket\ns = socket.create_server(('::', 8000), family=socket.AF_INET6, dualstack_ipv6=True)\n"
	             "while True:\n c = s.accept()[0]\n c.recv(9)\n c.send(b'answer')\n c.close()\n", NULL }, 8000);
	far_do(beyond_connects);
	daemon_stop(&web);

	far_do(load_on_router_for_others);
	struct run run = { .bare = true };
	start(&run, client, client->user, address);
	int port = client->udp ? answer_udp(beyond_server, REPLY) : answer_tcp(beyond_server, REPLY);
	run_end(&run);
	cr_expect(is_ephemeral(port) && exited(&run, 0), "another host is not judged: port %d\n%s", port, run.err);
}
