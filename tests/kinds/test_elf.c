/* test_elf.c - programs linked in every way, and programs that find their functions themselves: which of them the
 * library reaches, and that it is said of the others. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/world.h"

#define RULE "[rule elf]\nports = 20000-20009\n"

TestSuite(elf, .init = world_enter, .fini = world_leave);

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

/* --- ways to link a program ---------------------------------------------------------------------- */

struct kind {
	const char *name;
	bool is_reached;
	const char *warning;
};

static const struct kind kinds[] = {
	{ "pie", true, NULL }, { "no_pie", true, NULL }, { "lazy", true, NULL }, { "now", true, NULL },
	{ "no_plt", true, NULL }, { "symbolic", true, NULL },
	{ "static", false, "is statically linked" }, { "static_pie", false, "is statically linked (static-pie)" },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct way_out {
	const char *server, *steps[4];
	bool is_datagram;
};

static const struct way_out ways_out[] = {
	{ "127.0.0.1", { "socket 0 tcp4", "connect 0 127.0.0.1 5000" }, false },
	{ "127.0.0.1", { "socket 0 tcp4", "bind 0 127.0.0.1 0", "connect 0 127.0.0.1 5000" }, false },
	{ "::1", { "socket 0 tcp6", "connect 0 ::1 5000" }, false },
	{ "127.0.0.1", { "socket 0 udp4", "sendto 0 127.0.0.1 5000" }, true },
	{ "::1", { "socket 0 udp6", "sendmsg 0 ::1 5000" }, true },
};

static int port_seen(struct run *run, const char *const argv[], const struct way_out *way)
{
	int server = way->is_datagram ? server_udp(way->server, 5000) : server_tcp(way->server, 5000), port;

	story_run(run, argv);
	cr_assert(exited(run, 0), "%s\n%s%s", argv[0], run->out, run->err);
	port = way->is_datagram ? server_receive(server) : server_accept(server, NULL);
	close(server);
	return port;
}

static void leaves(const struct kind *kind, const struct way_out *way)
{
	static struct run bare = { .bare = true }, run = { .policy = RULE };
	char program[512];
	const char *argv[] = { program, way->steps[0], way->steps[1], way->steps[2], NULL };
	int port;

	snprintf(program, sizeof(program), "%s/%s", built("kinds"), kind->name);
	port = port_seen(&bare, argv, way);
	cr_expect(is_ephemeral(port), "%s, bare, from port %d", kind->name, port);
	port = port_seen(&run, argv, way);
	cr_expect(is_ours(port), "%s from port %d", kind->name, port);
	story_same(kind->name, &bare, &run);
	if (kind->is_reached)
		return;
	/* By the supervisor, then; the library alone does not do it, and run says so. */
	setenv("PORTSHIM_TEST_MODE", "preload", 1);
	run = (struct run){ .policy = RULE };
	port = port_seen(&run, argv, way);
	unsetenv("PORTSHIM_TEST_MODE");
	cr_expect(is_ephemeral(port), "%s is not preloaded, but from port %d", kind->name, port);
	cr_expect(strstr(run.err, kind->warning), "%s", run.err);
	cr_expect_str_eq(run.out, bare.out);
}

ParameterizedTestParameters(elf, linked)
{
	static int index[KINDS];

	for (size_t i = 0; i < KINDS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, KINDS);
}

ParameterizedTest(int *index, elf, linked)
{
	for (size_t i = 0; i < sizeof(ways_out) / sizeof(ways_out[0]); i++)
		leaves(&kinds[*index], &ways_out[i]);
}

/* doctor says before anything is started which way it will be. */
Test(elf, doctor)
{
	for (size_t i = 0; i < KINDS; i++) {
		static struct run run;
		char program[512];
		const char *argv[] = { built("portshim"), "doctor", program, NULL };

		snprintf(program, sizeof(program), "%s/%s", built("kinds"), kinds[i].name);
		run = (struct run){ .policy = RULE, .bare = true };
		run_program(&run, argv);
		cr_expect(exited(&run, 0), "%s: status %x\n%s", kinds[i].name, run.status, run.out);
		cr_expect(kinds[i].is_reached || strstr(run.out, "portshim run supervises it"), "%s", run.out);
		cr_expect(!kinds[i].warning || strstr(run.out, kinds[i].warning), "%s", run.out);
	}
}

/* The loader started as a program: it preloads for the program that it is given. */
Test(elf, by_the_loader)
{
	static struct run run = { .policy = RULE };
	char line[1024], steps[] = "'socket 0 tcp4' 'connect 0 127.0.0.1 5000'";
	const char *argv[] = { "/bin/sh", "-c", line, NULL };
	int port;

	snprintf(line, sizeof(line), "exec $(readelf -p .interp %s | sed -n 's|.* /|/|p') %s %s", built("kinds/pie"),
	         built("kinds/pie"), steps);
	port = port_seen(&run, argv, &ways_out[0]);
	cr_expect(is_ours(port), "from port %d", port);
	cr_expect_str_empty(run.err);
}

/* --- programs that find their functions themselves --------------------------------------------------- */

static int port_of_way(const char *way)
{
	static struct run run;
	const char *argv[] = { built("tests/probes/by_name"), way, "5000", NULL };
	int port;

	run = (struct run){ .policy = RULE };
	port = port_seen(&run, argv, &ways_out[0]);
	cr_expect_str_eq(run.out, "0\n");
	cr_expect_str_empty(run.err);
	return port;
}

Test(elf, functions_found_by_name)
{
	static const char *const ways[] = { "default", "next", "pointer",
#ifdef __x86_64__
	                                    "bound",
#endif
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int port = port_of_way(ways[i]);

		cr_expect(is_ours(port), "%s: port %d", ways[i], port);
	}
}

/* Whoever asks libc itself for its functions gets libc's: by its handle, by its version, or in a namespace of the loader
 * that has a libc of its own, where nothing is preloaded. */
Test(elf, functions_of_libc_itself_are_not_covered)
{
	static const char *const ways[] = { "handle", "space",
#ifdef __x86_64__
	                                    "version",
#endif
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int port = port_of_way(ways[i]);

		cr_expect(is_ephemeral(port), "%s is not covered, but port %d", ways[i], port);
	}
}

/* --- processes that share descriptors and no memory ------------------------------------------------------ */

/* What the other does with a number that was ours is not seen: it is taken for the socket that it was. */
Test(elf, a_descriptor_that_another_process_replaces_is_not_covered)
{
	static struct run run = { .policy = RULE };
	int server = server_tcp("127.0.0.1", 5000), port;

	run_steps(&run, "socket 0 udp4", "bind 0 127.0.0.1 0", "replaced 0", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	port = server_accept(server, NULL);
	cr_expect(is_ephemeral(port), "not covered, but from port %d", port);
}

/* --- libc's other names --------------------------------------------------------------------------------- */

/* Each public name that libc gives to a function of the table is in the table as well. */
Test(elf, no_other_name_is_forgotten)
{
	shell("libc=$(ldd %s | awk '/libc\\.so/ { print $3 }'); test -r \"$libc\";"
	      "{ nm -D --defined-only %s; echo; nm -D --defined-only \"$libc\"; } | awk '"
	      "NF == 0 { second = 1; next }"
	      "{ version = $3; sub(/.*@/, \"\", version); name = $3; sub(/@.*/, \"\", name) }"
	      "!second { ours[name] = 1; next }"
	      "$2 !~ /[TWi]/ { next }"
	      "version !~ /PRIVATE/ { all[$1] = all[$1] \" \" name }"
	      "name in ours { hooked[$1] = 1 }"
	      "END { for (at in hooked) { n = split(all[at], names, \" \"); seen += n; for (i = 1; i <= n; i++)"
	      " if (!(names[i] in ours)) { print names[i]; bad = 1 } } exit bad || seen < 30 }'",
	      built("kinds/pie"), built("libportshim.so"));
}

/* What the table has once a socket was closed under each of the names: nothing. */
Test(elf, closed_by_another_name)
{
	static const char *const closes[] = { "close 0", "__close 0" };

	for (int i = 0; i < 2; i++) {
		static struct run run, status;
		const char *argv[] = { built("portshim"), "status", "--json", NULL };

		run = (struct run){ .policy = RULE };
		status = (struct run){ .policy = RULE, .bare = true };
		run_start_steps(&run, "socket 0 udp4", "bind 0 127.0.0.1 0", closes[i], "pause", NULL);
		run_until_paused(&run);
		run_program(&status, argv);
		run_go_on(&run);
		run_end(&run);
		cr_expect(strstr(status.out, "\"given\": 1"), "%s", status.out);
		cr_expect(strstr(status.out, "\"ports\": []"), "after %s:\n%s", closes[i], status.out);
		shell("rm -f /dev/shm/portshim-*");
	}
}

/* A descriptor that is born under another name is known for what it is. */
Test(elf, copied_by_another_name)
{
	static struct run run = { .policy = RULE "protocol = tcp\n[rule udp]\nports = 21000-21009\n" };
	int server = server_tcp("127.0.0.1", 5000);

	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "socket 1 tcp4", "__dup2 1 0", "connect 0 127.0.0.1 5000",
	          "name 1", "socket 2 tcp4", "__dupfd 2 3", "connect 3 127.0.0.1 5000", "name 2", NULL);
	cr_expect(is_ours(server_accept(server, NULL)) && is_ours(server_accept(server, NULL)), "%s", run.out);
	cr_expect(is_ours(port_of(&run, "name 1")) && is_ours(port_of(&run, "name 2")), "%s", run.out);
}
