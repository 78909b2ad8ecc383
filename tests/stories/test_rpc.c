/* test_rpc.c - clients of Sun RPC, by libtirpc and rpcbind, leave from the rule's ports; root's, which else have a
 * reserved port, and others'. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "tests/lib/world.h"

#define POLICY "[rule rpc]\nports = 20000-20009\n"
#define BY_DESTINATION "[rule rpc]\nto = 127.0.0.1, [::1]\nports = 20000-20009\n"
#define ELSEWHERE "[rule rpc]\nto = 203.0.113.0/24, [2001:db8::/32]\nports = 20000-20009\n"
#define MOUNTD "100005" /* what showmount(8) asks for */
#define NOBODY "setpriv", "--reuid=65534", "--clear-groups"

/* rpcbind(8) has its socket and its lock in /run; this is another one, for this test and what it starts. */
static void enter(void)
{
	world_enter();
	cr_assert(mount("none", "/run", "tmpfs", 0, "mode=755") == 0, "/run: %s", strerror(errno));
	shell("mkdir /run/rpcbind && chown _rpc /run/rpcbind && ip address add " NEAR4 "/24 dev lo");
}

static void leave(void)
{
	world_leave();
	umount2("/run", MNT_DETACH);
}

TestSuite(rpc, .init = enter, .fini = leave);

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

/* Where the bare program leaves from. */
static bool is_usual(int port, bool root)
{
	return root ? port >= 512 && port <= 1023 : is_ephemeral(port);
}

static void rpcbind_start(struct run *run)
{
	const char *argv[] = { "rpcbind", "-f", "-d", NULL };

	daemon_start(run, argv, 111);
}

/* --- rpcinfo -------------------------------------------------------------------------------------------------- */

struct client {
	bool root;
	const char *argv[12];
};

static const struct client infos[] = {
	{ true, { "rpcinfo", "-p", "127.0.0.1" } },
	{ true, { "rpcinfo", "-T", "tcp", "127.0.0.1", "100000" } },
	{ true, { "rpcinfo", "-T", "udp", "127.0.0.1", "100000" } },
	{ false, { NOBODY, "rpcinfo", "-p", "127.0.0.1" } },
	{ false, { NOBODY, "rpcinfo", "-T", "tcp", "127.0.0.1", "100000" } },
	{ false, { NOBODY, "rpcinfo", "-T", "udp", "127.0.0.1", "100000" } },
};

#define INFOS (sizeof(infos) / sizeof(infos[0]))

ParameterizedTestParameters(rpc, rpcinfo)
{
	static int index[INFOS];

	for (size_t i = 0; i < INFOS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, INFOS);
}

/* rpcbind tells who asks it for addresses: "from 127.0.0.1.78.36", the port in two bytes. */
static void ask_rpcbind(struct run *run, const struct client *client)
{
	static struct run rpcbind;
	int high, low, seen = 0;

	rpcbind = (struct run){ .bare = true };
	rpcbind_start(&rpcbind);
	story_run(run, client->argv);
	daemon_stop(&rpcbind);
	for (const char *at = rpcbind.err; (at = strstr(at, " from 127.0.0.1.")); seen++) {
		at += strlen(" from 127.0.0.1.");
		cr_assert(sscanf(at, "%d.%d", &high, &low) == 2);
		cr_expect(run->bare ? is_usual(high << 8 | low, client->root) : is_ours(high << 8 | low), "%s from port %d",
		          run->bare ? "bare" : "with a rule", high << 8 | low);
	}
	cr_assert(seen > 0, "nobody asked\n%s", rpcbind.err);
}

ParameterizedTest(int *index, rpc, rpcinfo)
{
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	const struct client *client = &infos[*index];

	ask_rpcbind(&bare, client);
	cr_assert(exited(&bare, 0) && bare.out[0], "%s", bare.err);
	ask_rpcbind(&run, client);
	story_same("rpcinfo", &bare, &run);
}

/* --- clients of a server by libtirpc ------------------------------------------------------------------------ */

static void server_start(struct run *run)
{
	const char *argv[] = { "setpriv", "--pdeathsig", "KILL", built("tests/probes/tirpc_server"), MOUNTD, "3", NULL };

	story_start(run, argv);
	run_until_paused(run);
}

static void server_stop(struct run *run)
{
	kill(run->pid, SIGTERM);
	run_end(run);
}

/* What the server has said of the clients since: "tcp6 from PORT", for each call. */
static int ports_seen(const struct run *server, int port[], int max)
{
	int n = 0;

	for (const char *at = strstr(server->out, "paused\n"); at && (at = strstr(at, " from ")) && n < max; n++) {
		at += strlen(" from ");
		port[n] = atoi(at);
	}
	return n;
}

#define CLIENT "tests/probes/tirpc_client" /* its last words: the host, the way, how it says who it is */

static const struct client clients[] = {
	{ true, { CLIENT, "127.0.0.1", "tcp", "sys" } },  { true, { CLIENT, "127.0.0.1", "tcp", "none" } },
	{ true, { CLIENT, "127.0.0.1", "udp", "sys" } },  { false, { CLIENT, "127.0.0.1", "tcp", "sys" } },
	{ false, { CLIENT, "127.0.0.1", "udp", "none" } }, { true, { CLIENT, "::1", "tcp6", "sys" } },
	{ true, { CLIENT, "::1", "udp6", "none" } },       { false, { CLIENT, "::1", "tcp6", "none" } },
	{ false, { CLIENT, "::1", "udp6", "sys" } },       { true, { "showmount", "-e", "127.0.0.1" } },
	{ false, { "showmount", "-e", "127.0.0.1" } },
};

#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

ParameterizedTestParameters(rpc, client)
{
	static int index[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, CLIENTS);
}

static void client_run(struct run *run, const struct client *client)
{
	const char *const *given = client->argv;
	const char *probe[] = { NOBODY, built(CLIENT), given[1], MOUNTD, "3", given[2], given[3], NULL };
	const char *program[] = { NOBODY, given[0], given[1], given[2], NULL };
	const char **argv = strcmp(given[0], CLIENT) == 0 ? probe : program;

	story_run(run, client->root ? argv + 3 : argv);
}

ParameterizedTest(int *index, rpc, client)
{
	static struct run rpcbind = { .bare = true }, server = { .bare = true };
	static struct run bare = { .bare = true }, run = { .policy = POLICY }, to = { .policy = BY_DESTINATION };
	static struct run elsewhere = { .policy = ELSEWHERE };
	const struct client *client = &clients[*index];
	int port[16], n;

	rpcbind_start(&rpcbind);
	server_start(&server);
	client_run(&bare, client);
	cr_assert(exited(&bare, 0) && bare.out[0], "%s%s", bare.out, bare.err);
	client_run(&elsewhere, client);
	story_same(client->argv[0], &bare, &elsewhere);
	client_run(&run, client);
	story_same(client->argv[0], &bare, &run);
	client_run(&to, client);
	story_same(client->argv[0], &bare, &to);
	server_stop(&server);
	daemon_stop(&rpcbind);
	n = ports_seen(&server, port, 16);
	cr_assert(n >= 4 && n % 4 == 0, "%s", server.out);
	for (int i = 0; i < n; i++) {
		if (i < n / 2)
			cr_expect(is_usual(port[i], client->root), "bare or elsewhere, from port %d", port[i]);
		else
			cr_expect(is_ours(port[i]), "from port %d", port[i]);
	}
}

/* --- a reserved port by libtirpc itself ---------------------------------------------------------------------- */

static void reserve(struct run *run, const char *kind, const char *address)
{
	const char *argv[] = { built("tests/probes/tirpc_reserve"), kind, address, NULL };

	story_run(run, argv);
	cr_assert(exited(run, 0), "%s %s: %s", kind, address, run->out);
	if (strcmp(address, "null") != 0)
		cr_expect_eq(port_of(run, "name"), port_of(run, "told"), "%s", run->out);
}

Test(rpc, bindresvport_sa)
{
	static const char *const calls[][2] = {
		{ "tcp4", "null" }, { "udp4", "any" }, { "tcp4", "127.0.0.1" },
		{ "tcp6", "null" }, { "udp6", "any" }, { "tcp6", "::1" },
	};
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	static struct run elsewhere = { .policy = "[rule e]\nprotocol = sctp\nports = 20000\n" };

	for (int i = 0; i < 6; i++) {
		reserve(&bare, calls[i][0], calls[i][1]);
		cr_assert(is_usual(port_of(&bare, "name"), true), "bare, port %d", port_of(&bare, "name"));
		reserve(&elsewhere, calls[i][0], calls[i][1]);
		cr_expect(is_usual(port_of(&elsewhere, "name"), true), "no rule, port %d", port_of(&elsewhere, "name"));
		reserve(&run, calls[i][0], calls[i][1]);
		cr_expect(is_ours(port_of(&run, "name")), "%s %s: port %d", calls[i][0], calls[i][1], port_of(&run, "name"));
	}
}

#define BY_LIBTIRPC \
	"import ctypes, socket\n" \
	"tirpc = ctypes.CDLL('libtirpc.so.3')\n" \
	"for family in (socket.AF_INET, socket.AF_INET6):\n" \
	"	s = socket.socket(family)\n" \
	"	result, port = tirpc.bindresvport(s.fileno(), None), s.getsockname()[1]\n" \
	"	print(result, 512 <= port <= 1023, 20000 <= port <= 20009)\n"

/* A plug-in's libtirpc is none of the libraries that the program was started with: its calls to itself come by here,
 * too. */
Test(rpc, libtirpc_of_a_plugin)
{
	const char *argv[] = { PYTHON, "-c", BY_LIBTIRPC, NULL };
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	static struct run other = { .policy = "[rule e]\nprotocol = sctp\nports = 20000\n" };

	story_run(&bare, argv);
	cr_assert_str_eq(bare.out, "0 True False\n0 True False\n", "%s", bare.err);
	story_run(&other, argv);
	story_same("a plug-in's libtirpc", &bare, &other);
	story_run(&run, argv);
	cr_expect_str_eq(run.out, "0 False True\n0 False True\n", "%s", run.err);
}

/* --- servers --------------------------------------------------------------------------------------------------- */

static int port_on(const struct run *server, const char *netid)
{
	char words[16];
	const char *at;

	snprintf(words, sizeof(words), "\n%s ", netid);
	at = strstr(server->out, words);
	cr_assert(at, "no %s in %s", netid, server->out);
	return atoi(at + strlen(words));
}

/* libtirpc names the ports of servers itself, at random; they are kept, or a rule's if it says so, and rpcbind is
 * told. */
Test(rpc, servers)
{
	static struct run rpcbind = { .bare = true }, keep = { .policy = POLICY }, client = { .bare = true };
	static struct run assign = { .policy = "[rule rpc]\nports = 20000-20009\nexplicit = assign\n" };
	static const struct client one = { true, { CLIENT, "127.0.0.1", "udp", "none" } };
	static const char *const netids[] = { "udp", "tcp6", "udp6" };

	rpcbind_start(&rpcbind);
	server_start(&keep);
	for (int i = 0; i < 3; i++)
		cr_expect(!is_ours(port_on(&keep, netids[i])), "%s on port %d", netids[i], port_on(&keep, netids[i]));
	server_stop(&keep);
	shell("rpcinfo -d " MOUNTD " 3");
	server_start(&assign);
	for (int i = 0; i < 3; i++)
		cr_expect(is_ours(port_on(&assign, netids[i])), "%s on port %d", netids[i], port_on(&assign, netids[i]));
	client_run(&client, &one);
	cr_expect_str_eq(client.out, "answer 0\nanswer 0\n", "%s", client.err);
	server_stop(&assign);
	daemon_stop(&rpcbind);
}
