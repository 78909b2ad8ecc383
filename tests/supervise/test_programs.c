/* test_programs.c - everyday programs under the supervisor, static or not: what they print and end with is the same as bare; the
 * server sees ports of the rule, those of libc's resolver among them. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/name_server.h"
#include "tests/lib/supervised.h"

#define HTTP "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
#define NAME "there.example"

TestSuite(programs, .init = supervised_enter, .fini = supervised_leave);

enum server { WEB, STREAM, DATAGRAM, NAMES, NAMES_BY_TCP };

struct client {
	enum server server;
	int questions; /* to the name server */
	const char *argv[10];
	const char *input;
};

#define PYTHON_TCP(options) \
	"import socket\n" \
	"s = socket.create_connection(('127.0.0.1', 5000)" options ")\n" \
	"s.sendall(b'hello')\n" \
	"print(s.recv(99))\n"
#define PYTHON_UDP(how) \
	"import socket\n" \
	"s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" \
	how "\n" \
	"print(s.recv(99))\n"
#define PYTHON_ASYNC \
	"import asyncio\n" \
	"async def talk():\n" \
	"	r, w = await asyncio.open_connection('127.0.0.1', 5000)\n" \
	"	w.write(b'hello')\n" \
	"	print(await r.read(99))\n" \
	"	w.close()\n" \
	"asyncio.run(talk())\n"

static const struct client clients[] = {
	{ WEB, 0, { "busybox", "wget", "-q", "-O-", "http://127.0.0.1:5000/" }, NULL },
	{ WEB, 0, { "wget", "-q", "-O-", "http://127.0.0.1:5000/" }, NULL },
	{ WEB, 0, { "curl", "-sS", "http://127.0.0.1:5000/" }, NULL },
	{ WEB, 0, { "curl", "-sS", "--interface", "127.0.0.1", "http://127.0.0.1:5000/" }, NULL },
	{ WEB, 0, { PYTHON, "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:5000/').read())" }, NULL },
	{ STREAM, 0, { "busybox", "nc", "127.0.0.1", "5000" }, "hello\n" },
	{ STREAM, 0, { "nc", "-w", "5", "127.0.0.1", "5000" }, "hello\n" },
	{ STREAM, 0, { "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000; echo hello >&3; cat <&3" }, NULL },
	{ STREAM, 0, { PYTHON, "-c", PYTHON_TCP("") }, NULL },
	{ STREAM, 0, { PYTHON, "-c", PYTHON_TCP(", source_address=('127.0.0.1', 0)") }, NULL },
	{ STREAM, 0, { PYTHON, "-c", PYTHON_ASYNC }, NULL },
	{ DATAGRAM, 0, { "bash", "-c", "exec 3<>/dev/udp/127.0.0.1/5000; echo hello >&3; head -n 1 <&3" }, NULL },
	{ DATAGRAM, 0, { "nc", "-u", "-w", "1", "127.0.0.1", "5000" }, "hello\n" },
	{ DATAGRAM, 0, { PYTHON, "-c", PYTHON_UDP("s.sendto(b'hello', ('127.0.0.1', 5000))") }, NULL },
	{ DATAGRAM, 0, { PYTHON, "-c", PYTHON_UDP("s.connect(('127.0.0.1', 5000)); s.send(b'hello')") }, NULL },
	{ NAMES, 1, { "dig", "+short", "@" NAME_SERVER, NAME }, NULL },
	{ NAMES, 1, { "dig", "-b", "127.0.0.1", "+short", "@" NAME_SERVER, NAME }, NULL },
	{ NAMES_BY_TCP, 1, { "dig", "+tcp", "+short", "@" NAME_SERVER, NAME }, NULL },
	{ NAMES, 1, { "host", "-t", "A", NAME, NAME_SERVER }, NULL },
	{ NAMES, 2, { "getent", "ahosts", NAME }, NULL },
	{ NAMES, 2, { "getent", "hosts", NAME }, NULL },
	{ NAMES, 2, { "busybox", "nslookup", NAME, NAME_SERVER }, NULL },
	{ NAMES, 2, { PYTHON, "-c", "import socket; print(socket.getaddrinfo('" NAME "', 80))" }, NULL },
};

#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

static int listen_for(const struct client *client)
{
	switch (client->server) {
	case WEB:
	case STREAM:
		return server_tcp("127.0.0.1", 5000);
	case DATAGRAM:
		return server_udp("127.0.0.1", 5000);
	case NAMES:
		return server_udp(NAME_SERVER, 53);
	default:
		return server_tcp(NAME_SERVER, 53);
	}
}

static int answer(const struct client *client, int server)
{
	switch (client->server) {
	case WEB:
		return answer_tcp(server, HTTP);
	case STREAM:
		return answer_tcp(server, "hello\n");
	case DATAGRAM:
		return answer_udp(server, "hello\n");
	case NAMES:
		return name_server_udp(server, false);
	default:
		return name_server_tcp(server);
	}
}

/* Whether all ports that it came from lie within these. */
static void comes(struct run *run, const struct client *client, int first, int last)
{
	int server = listen_for(client);

	story_start(run, client->argv);
	if (client->input)
		story_tell(run, client->input);
	for (int i = client->questions > 1 ? client->questions : 1; i > 0; i--) {
		int port = answer(client, server);

		cr_expect(port >= first && port <= last, "%s %s: from port %d", client->argv[0], client->argv[1], port);
	}
	run_end(run);
	cr_expect(nobody_came(server), "%s %s comes again", client->argv[0], client->argv[1]);
	close(server);
}

ParameterizedTestParameters(programs, everyday)
{
	static int index[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, CLIENTS);
}

ParameterizedTest(int *index, programs, everyday)
{
	const struct client *client = &clients[*index];
	static struct run bare = { .bare = true }, run;

	name_server_set();
	comes(&bare, client, 40000, 40999);
	cr_assert(exited(&bare, 0), "%s%s", bare.out, bare.err);
	cr_assert(strstr(bare.out, "hello") || strstr(bare.out, NAME_SERVER_ANSWER), "%s%s", bare.out, bare.err);
	for (int set = 0; set < SETS; set++) {
		run = (struct run){ .policy = supervised_rule(set, client->questions ? "to = *:53\n" : "to = *:5000\n") };
		comes(&run, client, set ? 40500 : 20000, set ? 40509 : 20009);
		story_same(client->argv[0], &bare, &run);
	}
}

/* The answer is cut short: libc asks again by TCP, from a port of the rule again. */
Test(programs, names_by_tcp)
{
	const char *argv[] = { "getent", "hosts", NAME, NULL };
	int udp = server_udp(NAME_SERVER, 53), tcp = server_tcp(NAME_SERVER, 53);
	static struct run run;

	name_server_set();
	for (int set = 0; set < SETS; set++) {
		run = (struct run){ .policy = supervised_rule(set, "") };
		story_start(&run, argv);
		for (int i = 0; i < 2; i++) { /* for an address of IPv6 first */
			cr_expect(supervised_is_ours(set, name_server_udp(udp, true)));
			cr_expect(supervised_is_ours(set, name_server_tcp(tcp)));
		}
		run_end(&run);
		cr_expect(exited(&run, 0) && strstr(run.out, NAME_SERVER_ANSWER), "%s%s", run.out, run.err);
	}
}

/* A rule goes by the program that makes the call, not by what was started first. */
Test(programs, each_by_its_rule)
{
	const char *argv[] = { "sh", "-c", "$0 'socket 0 tcp4' 'connect 0 127.0.0.1 5000'; busybox nc 127.0.0.1 5000; "
	                       "exec bash -c ': </dev/tcp/127.0.0.1/5000'", built("kinds/static"), NULL };
	static struct run run = { .policy = "[rule a]\nprogram = static\nports = 20000-20009\n"
		                            "[rule b]\ncommand = busybox nc*\nports = 40500-40509\n"
		                            "[rule c]\nprogram = bash\nports = 20100-20109\n" };
	int port, server = server_tcp("127.0.0.1", 5000);

	story_start(&run, argv);
	port = server_accept(server, NULL);
	cr_expect(port >= 20000 && port <= 20009, "from port %d", port);
	port = server_accept(server, NULL);
	cr_expect(port >= 40500 && port <= 40509, "from port %d", port);
	port = server_accept(server, NULL);
	cr_expect(port >= 20100 && port <= 20109, "from port %d", port);
	run_end(&run);
	cr_expect(exited(&run, 0), "%s%s", run.out, run.err);
	cr_expect_str_empty(run.err);
}

/* What the program is told of the world it runs in is what it is told bare: descriptors, environment, limits, mask. */
Test(programs, nothing_else_differs)
{
	static const char *const lines[] = {
		"ls -l /proc/self/fd | sed 's/.* \\([0-9]* ->\\) \\([a-z]*\\).*/\\1 \\2/'",
		"env | grep -v -e ^_= -e ^PORTSHIM | sort",
		"ulimit -a; umask; pwd; nice",
		"grep -e ^Sig[BIC] -e ^Shd -e ^Cap -e ^Groups -e ^Uid -e ^Gid -e Cpus -e Mems /proc/self/status",
		"cat /proc/self/cgroup /proc/self/oom_score_adj /proc/self/personality",
		"ls -l /proc/self/ns | sed 's/.*-> //'; cat /proc/self/cmdline /proc/self/comm /proc/self/loginuid",
		"ps -o sid=,pgid= -p $$ | wc -w; readlink /proc/self/cwd /proc/self/root",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *argv[] = { "sh", "-c", lines[i], NULL };
		static struct run bare, run;

		bare = (struct run){ .bare = true };
		story_run(&bare, argv);
		run = (struct run){ .policy = supervised_rule(0, "") };
		story_run(&run, argv);
		story_same(lines[i], &bare, &run);
	}
}

/* By words of the command line, and without a file. */
Test(programs, policy_by_option)
{
	const char *file = file_make("policy", "[rule r]\nports = 20000-20009\n");
	const char *by_file[] = { built("portshim"), "run", "--mode=supervise", "-c", file, "--", "busybox", "nc", "127.0.0.1", "5000",
	                          NULL };
	const char *by_ports[] = { built("portshim"), "run", "--mode=supervise", "-p", "20000-20009", "--", "busybox", "nc",
	                           "127.0.0.1", "5000", NULL };
	int server = server_tcp("127.0.0.1", 5000);

	for (int i = 0; i < 2; i++) {
		static struct run run;
		int port;

		run = (struct run){ .bare = true };
		run_start(&run, i ? by_ports : by_file);
		port = server_accept(server, NULL);
		run_end(&run);
		cr_assert(exited(&run, 0), "%s", run.err);
		cr_expect(supervised_is_ours(0, port), "from port %d", port);
		cr_expect_str_empty(run.err);
	}
}

/* What portshim itself has to say of a program that does not start, and how that ends. */
Test(programs, ends_as_env_does)
{
	static const struct { int status; const char *argv[4]; } cases[] = {
		{ 127, { "/nonexistent/program" } }, { 126, { "/etc/passwd" } }, { 7, { "sh", "-c", "exit 7" } },
		{ 0, { "busybox", "true" } }, { 1, { "busybox", "false" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct run run;

		run = (struct run){ .policy = supervised_rule(0, "") };
		story_run(&run, cases[i].argv);
		cr_expect(exited(&run, cases[i].status), "%s: status %x\n%s", cases[i].argv[0], run.status, run.err);
		cr_expect_eq(run.err[0] == '\0', cases[i].status < 126, "%s says\n%s", cases[i].argv[0], run.err);
	}
}
