/* test_legacy.c - unmodified programs that have no setting for it leave from the rule's ports, as the server sees them;
 * and do for the rest what they do without portshim. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/world.h"

#define RULE(condition) "[rule legacy]\n" condition "\nports = 20000-20009\n"
#define TO RULE("to = 127.0.0.1:5000")

#define HTTP "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
#define PERL(name, options) \
	"use IO::Socket::" name "; my $s = IO::Socket::" name "->new(PeerAddr => '127.0.0.1:5000'" options ")" \
	" or die \"$@\"; print $s \"hello\\n\"; print <$s>;"
#define PYTHON_TCP(options) \
	"import socket; s = socket.create_connection(('127.0.0.1', 5000)" options ");" \
	"s.sendall(b'hello'); print(s.makefile().read())"
#define SSH "ssh", "-F", "none", "-p", "5000", "-o", "BatchMode=yes", "127.0.0.1", "true"

struct client {
	const char *policy, *reply;
	const char *argv[12];
};

/* Where a program binds its address first (to port 0), the rule goes by destination: connect() has to decide. */
static const struct client clients[] = {
	{ RULE("program = nc"), "hello\n", { "nc", "-N", "127.0.0.1", "5000" } },
	{ TO, "hello\n", { "nc", "-N", "-s", "127.0.0.1", "127.0.0.1", "5000" } },
	{ RULE("program = psql"), "?", { "psql", "-h", "127.0.0.1", "-p", "5000", "-c", "select 1" } },
	{ RULE("program = redis-cli"), "+PONG\r\n", { "redis-cli", "-h", "127.0.0.1", "-p", "5000", "PING" } },
	{ RULE("program = ssh"), "hello\r\n", { SSH } },
	{ TO, "hello\r\n", { SSH, "-b", "127.0.0.1" } },
	{ RULE("program = wget"), HTTP, { "wget", "-q", "-O-", "http://127.0.0.1:5000/" } },
	{ TO, HTTP, { "wget", "-q", "-O-", "--bind-address=127.0.0.1", "http://127.0.0.1:5000/" } },
	{ RULE("program = curl"), HTTP, { "curl", "-sS", "http://127.0.0.1:5000/" } },
	{ TO, HTTP, { "curl", "-sS", "--interface", "127.0.0.1", "http://127.0.0.1:5000/" } },
	{ RULE("program = perl"), "hello\n", { "perl", "-e", PERL("INET", "") } },
	{ TO, "hello\n", { "perl", "-e", PERL("INET", ", LocalAddr => '127.0.0.1'") } },
	{ TO, "hello\n", { "perl", "-e", PERL("IP", ", LocalHost => '127.0.0.1'") } },
	{ RULE("program = " PYTHON "*"), "hello\n", { PYTHON, "-c", PYTHON_TCP("") } },
	{ TO, "hello\n", { PYTHON, "-c", PYTHON_TCP(", source_address=('127.0.0.1', 0)") } },
	{ RULE("program = git*"), "0014ERR nothing here", { "git", "ls-remote", "git://127.0.0.1:5000/x" } },
};

#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

TestSuite(legacy, .init = world_enter, .fini = world_leave);

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

static int port_seen(struct run *run, const struct client *client, int server)
{
	int port;

	run->policy = client->policy;
	story_start(run, client->argv);
	story_tell(run, "hello\n");
	port = answer_tcp(server, client->reply);
	run_end(run);
	return port;
}

ParameterizedTestParameters(legacy, client)
{
	static int index[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, CLIENTS);
}

ParameterizedTest(int *index, legacy, client)
{
	static struct run bare = { .bare = true }, run;
	const struct client *client = &clients[*index];
	int port, server = server_tcp("127.0.0.1", 5000);

	port = port_seen(&bare, client, server);
	cr_assert(is_ephemeral(port), "%s, bare, from port %d", client->argv[0], port);
	port = port_seen(&run, client, server);
	cr_assert(is_ours(port), "%s from port %d", client->argv[0], port);
	story_same(client->argv[0], &bare, &run);
	cr_assert(nobody_came(server));
}

/* The port behind `words` in the text. */
static int port_after(const char *text, const char *words)
{
	const char *at = strstr(text, words);
	int port = 0;

	cr_assert(at && sscanf(at + strlen(words), "%d", &port) == 1, "no \"%s\" in\n%s", words, text);
	return port;
}

/* A real server, that says itself whom it sees. */
Test(legacy, redis)
{
	const char *server[] = { "redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--dir",
		                 file_path("."), NULL };
	const char *ping[] = { "redis-cli", "PING", NULL };
	const char *who[] = { "redis-cli", "CLIENT", "INFO", NULL };
	static struct run redis = { .bare = true }, run = { .policy = RULE("program = redis-cli") }, bare = { .bare = true };
	int port;

	daemon_start(&redis, server, 6379);
	story_run(&run, ping);
	cr_assert_str_eq(run.out, "PONG\n");
	cr_assert_str_empty(run.err);
	story_run(&run, who);
	port = port_after(run.out, " addr=127.0.0.1:");
	cr_expect(is_ours(port), "port %d", port);
	story_run(&bare, who);
	cr_expect(is_ephemeral(port_after(bare.out, " addr=127.0.0.1:")));
	daemon_stop(&redis);
}

/* The server under the library too: its own port is one that it names, and stays. */
Test(legacy, redis_both)
{
	const char *server[] = { "redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--dir",
		                 file_path("."), NULL };
	const char *who[] = { "redis-cli", "CLIENT", "INFO", NULL };
	static struct run redis = { .policy = RULE("") }, run = { .policy = RULE("") };

	daemon_start(&redis, server, 6379);
	story_run(&run, who);
	cr_expect(is_ours(port_after(run.out, " addr=127.0.0.1:")));
	daemon_stop(&redis);
	cr_expect(exited(&redis, 0));
	cr_expect_str_empty(redis.err);
}

Test(legacy, git)
{
	const char *base = file_path("base");
	char option[300];
	const char *server[] = { "git", "daemon", "--verbose", "--log-destination=stderr", "--export-all", "--port=9418",
		                 "--listen=127.0.0.1", option, base, NULL };
	const char *client[] = { "git", "ls-remote", "git://127.0.0.1/x", NULL };
	static struct run git = { .bare = true }, run = { .policy = RULE("to = *:9418") };
	int port;

	snprintf(option, sizeof(option), "--base-path=%s", base);
	shell("export HOME=%s; git init -q %s/x && git -C %s/x -c user.name=n -c user.email=e commit -q --allow-empty -m m",
	      base, base, base);
	daemon_start(&git, server, 9418);
	story_run(&run, client);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_assert(strstr(run.out, "HEAD"));
	cr_assert_str_empty(run.err);
	daemon_stop(&git);
	port = port_after(git.err, "Connection from 127.0.0.1:");
	cr_assert(is_ours(port), "port %d", port);
}
