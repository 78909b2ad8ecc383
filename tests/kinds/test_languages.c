/* test_languages.c - clients in many languages, each by the means that its own library has: blocking and not, bound
 * first, with an event loop, datagrams, IPv6. The server sees ports of the rule; the program prints what it prints
 * bare. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/world.h"

/* Rules by destination: what binds first is decided by what comes after. */
#define RULE "[rule clients]\nto = 127.0.0.1:5000, [::1]:5000\nports = 20000-20009\n"
#define HTTP "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
#define CLIENT(name) "tests/kinds/clients/" name

struct language {
	const char *name;
	const char *argv[6]; /* without the kind, which comes last */
	const char *kinds;
};

static const struct language languages[] = {
	{ "Perl", { "/usr/bin/perl", CLIENT("client.pl") },
	  "inet inet-bound tcp tcp-bound tcp-bound-6 tcp-6 tcp-nonblocking udp udp-bound udp-6" },
	{ "Python", { PYTHON, "-I", CLIENT("client.py") },
	  "tcp tcp-bound tcp-6 udp udp-bound udp-unconnected udp-unconnected-bound udp-6 selector selector-6 http asyncio "
	  "asyncio-bound asyncio-6 asyncio-udp asyncio-udp-bound asyncio-udp-6" },
	{ "Ruby", { "/usr/bin/ruby", CLIENT("client.rb") },
	  "tcp tcp-bound tcp-happy tcp-6 tcp-nonblocking tcp-nonblocking-6 udp udp-bound udp-6" },
	{ "PHP", { "/usr/bin/php", "-n", CLIENT("client.php") },
	  "tcp tcp-bound tcp-6 tcp-async tcp-async-bound fsockopen http udp udp-bound udp-6" },
	{ "Node", { "/usr/bin/node", CLIENT("client.js") },
	  "tcp tcp-bound tcp-6 tcp-bound-6 http http-bound udp udp-bound udp-connected udp-6" },
	{ "Tcl", { "/usr/bin/tclsh", CLIENT("client.tcl") }, "tcp tcp-bound tcp-async tcp-async-bound tcp-6" },
	{ "Lua", { "/usr/bin/lua5.4", CLIENT("client.lua") },
	  "tcp tcp-bound tcp-6 udp udp-bound udp-unconnected udp-unconnected-bound udp-6" },
	{ "Guile", { "/usr/bin/guile", "--no-auto-compile", "-s", CLIENT("client.scm") },
	  "tcp tcp-bound tcp-6 udp udp-bound udp-6" },
	{ "Erlang", { "/usr/bin/escript", CLIENT("client.erl") }, "tcp tcp-bound tcp-6 udp udp-bound udp-6" },
	{ "Rust", { "kinds/rust" }, "tcp tcp-timeout tcp-6 udp udp-unconnected udp-6" },
};

#define LANGUAGES (sizeof(languages) / sizeof(languages[0]))

TestSuite(languages, .init = world_enter, .fini = world_leave);

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

/* Starts the client of that kind; the port that the server saw it come from. */
static int port_seen(struct run *run, const struct language *language, const char *kind)
{
	const char *host = kind[strlen(kind) - 1] == '6' ? "::1" : "127.0.0.1", *argv[8];
	bool is_datagram = strstr(kind, "udp") != NULL;
	int server = is_datagram ? server_udp(host, 5000) : server_tcp(host, 5000), port, n = 0;

	for (; language->argv[n]; n++)
		argv[n] = n > 0 || language->argv[0][0] == '/' ? language->argv[n] : built(language->argv[0]);
	argv[n++] = kind;
	argv[n] = NULL;
	story_start(run, argv);
	port = is_datagram ? answer_udp(server, "hello\n") : answer_tcp(server, strstr(kind, "http") ? HTTP : "hello\n");
	run_end(run);
	cr_expect(nobody_came(server), "%s %s comes twice", language->name, kind);
	close(server);
	return port;
}

static void play(const struct language *language, const char *kind)
{
	static struct run bare = { .bare = true }, run = { .policy = RULE };
	char what[64];
	int port;

	snprintf(what, sizeof(what), "%s, %s", language->name, kind);
	port = port_seen(&bare, language, kind);
	cr_expect(is_ephemeral(port), "%s: bare, from port %d", what, port);
	cr_expect_str_eq(bare.out, "hello\n", "%s says\n%s%s", what, bare.out, bare.err);
	cr_expect(exited(&bare, 0), "%s: status %x", what, bare.status);
	port = port_seen(&run, language, kind);
	cr_expect(is_ours(port), "%s: from port %d", what, port);
	story_same(what, &bare, &run);
}

ParameterizedTestParameters(languages, client)
{
	static int index[LANGUAGES];

	for (size_t i = 0; i < LANGUAGES; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, LANGUAGES);
}

ParameterizedTest(int *index, languages, client)
{
	const struct language *language = &languages[*index];
	char kinds[512], *rest = kinds, *kind;

	snprintf(kinds, sizeof(kinds), "%s", language->kinds);
	while ((kind = strsep(&rest, " ")))
		play(language, kind);
}

/* --- Go ---------------------------------------------------------------------------------------------------- */

static int port_of_go(struct run *run, const char *program, const char *kind)
{
	struct language go = { "Go", { program }, "" };
	int port;

	setenv("PORTSHIM_TEST_MODE", "preload", 1);
	*run = (struct run){ .policy = RULE };
	port = port_seen(run, &go, kind);
	unsetenv("PORTSHIM_TEST_MODE");
	cr_expect_str_eq(run->out, "hello\n");
	cr_expect(exited(run, 0));
	cr_expect(strstr(run->err, "is built with Go, which makes its system calls itself"), "%s", run->err);
	return port;
}

/* What Go itself calls the library does not reach, linked to libc or not; run warns. (A supervisor does: tests/supervise/.) */
Test(languages, go_is_not_preloaded)
{
	static const char *const calls[][2] = {
		{ "kinds/go_pure", "tcp" }, { "kinds/go_pure", "udp" }, { "kinds/go_cgo", "go" },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		static struct run run;
		int port = port_of_go(&run, calls[i][0], calls[i][1]);

		cr_expect(is_ephemeral(port), "%s %s is not preloaded, but from port %d", calls[i][0], calls[i][1], port);
	}
}

/* What C code in it calls is, where the program is linked to libc. */
Test(languages, c_in_go)
{
	static struct run run;
	int port = port_of_go(&run, "kinds/go_cgo", "c");

	cr_expect(is_ours(port), "from port %d", port);
}

Test(languages, doctor_on_go)
{
	static const char *const programs[] = { "kinds/go_pure", "kinds/go_cgo" };

	for (int i = 0; i < 2; i++) {
		static struct run run;
		const char *argv[] = { built("portshim"), "doctor", built(programs[i]), NULL };

		run = (struct run){ .policy = RULE, .bare = true };
		run_program(&run, argv);
		cr_expect(exited(&run, 0), "%s", run.out);
		cr_expect(strstr(run.out, "is built with Go"), "%s", run.out);
		cr_expect(strstr(run.out, "portshim run supervises it"), "%s", run.out);
	}
}
