/* test_musl.c - programs for musl: under a library built for it they see what they see without; one built for glibc does
 * them no harm. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/same_run.h"
#include "tests/lib/world.h"

#define RULE "[rule musl]\nports = 20000-20009\n"

TestSuite(musl, .init = world_enter, .fini = world_leave);

/* --- bare, and under the library: the same ------------------------------------------------------- */

struct part {
	const char *role, *scene;
};

static const struct part parts[] = {
	{ "main", "tcp" }, { "main", "mptcp" }, { "main", "tcp-ways" }, { "main", "udp" }, { "main", "udplite" },
	{ "main", "many" }, { "main", "tcp-addresses" }, { "main", "tcp6-addresses" }, { "main", "udp-addresses" },
	{ "main", "udp6-addresses" }, { "main", "no-socket" }, { "main", "kinds" }, { "main", "options" },
	{ "main", "mapped" }, { "main", "unix" }, { "main", "copies" }, { "main", "messages" }, { "main", "other-family" },
	{ "main", "devices" }, { "main", "fast-open" }, { "main", "ends" }, { "main", "several" }, { "main", "process" },
	{ "constructor", NULL }, { "destructor", NULL }, { "thread", NULL }, { "handler", NULL }, { "exit", NULL },
	{ "fork", NULL }, { "vfork", NULL }, { "spawn", NULL }, { "exec", NULL }, { "library", NULL },
	{ "clone", NULL }, { "clone-vm", NULL }, { "clone-files", NULL }, { "clone-vm-files", NULL }, { "clone3", NULL },
	{ "setns", NULL }, { "network", NULL }, { "user", NULL }, { "undumpable", NULL },
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

static struct criterion_test_params indices(void)
{
	static int index[PARTS];

	for (size_t i = 0; i < PARTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, PARTS);
}

ParameterizedTestParameters(musl_same, library_for_musl)
{
	return indices();
}

ParameterizedTest(int *index, musl_same, library_for_musl)
{
	static const struct same musl = { "musl/same", "musl/libportshim.so" };

	is_the_same(&musl, parts[*index].role, parts[*index].scene);
}

ParameterizedTestParameters(musl_same, library_for_glibc)
{
	return indices();
}

/* A program of a distribution under portshim starts one that was built for musl. */
ParameterizedTest(int *index, musl_same, library_for_glibc)
{
	static const struct same glibc = { "musl/same", NULL };

	is_the_same(&glibc, parts[*index].role, parts[*index].scene);
}

/* --- the command built for musl -------------------------------------------------------------------- */

static void run_under(struct run *run, const char *portshim, const char *const steps[])
{
	const char *argv[16] = { built(portshim), "run", "--mode=preload", "--" };
	bool bare = run->bare;
	int n = bare ? 0 : 4;

	for (int i = 0; steps[i]; i++)
		argv[n++] = steps[i];
	argv[n] = NULL;
	run->bare = true; /* the command preloads the library, not the harness */
	run_program(run, argv);
	run->bare = bare;
}

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

struct way_out {
	const char *server, *steps[4];
	bool is_datagram;
};

static const struct way_out ways_out[] = {
	{ "127.0.0.1", { "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL }, false },
	{ "127.0.0.1", { "socket 0 tcp4", "bind 0 127.0.0.1 0", "connect 0 127.0.0.1 5000", NULL }, false },
	{ "::1", { "socket 0 tcp6", "connect 0 ::1 5000", NULL }, false },
	{ "127.0.0.1", { "socket 0 tcp6", "connect 0 ::ffff:127.0.0.1 5000", NULL }, false },
	{ "127.0.0.1", { "socket 0 udp4", "sendto 0 127.0.0.1 5000", NULL }, true },
	{ "127.0.0.1", { "socket 0 udp4", "sendmmsg 0 127.0.0.1 5000", NULL }, true },
	{ "::1", { "socket 0 udp6", "sendmsg 0 ::1 5000", NULL }, true },
};

static int port_seen(struct run *run, const char *program, const struct way_out *way)
{
	int server = way->is_datagram ? server_udp(way->server, 5000) : server_tcp(way->server, 5000), port;
	const char *argv[8] = { built(program) };

	for (int i = 0; way->steps[i]; i++)
		argv[1 + i] = way->steps[i];
	run_under(run, "musl/portshim", argv);
	cr_assert(exited(run, 0), "%s%s", run->out, run->err);
	port = way->is_datagram ? server_receive(server) : server_accept(server, NULL);
	close(server);
	return port;
}

Test(musl, command)
{
	static struct run bare = { .bare = true }, run = { .policy = RULE "program = act\nprotocol = tcp, udp\n" };

	for (size_t i = 0; i < sizeof(ways_out) / sizeof(ways_out[0]); i++) {
		int port = port_seen(&bare, "musl/act", &ways_out[i]);

		cr_expect(is_ephemeral(port), "%s: bare, from port %d", ways_out[i].steps[1], port);
		port = port_seen(&run, "musl/act", &ways_out[i]);
		cr_expect(is_ours(port), "%s: from port %d", ways_out[i].steps[1], port);
		story_same(ways_out[i].steps[1], &bare, &run);
	}
}

/* How the program was started is known, though musl does not tell it to constructors: arguments, environment, name; also
 * where the program has put a title in the place of its arguments. */
Test(musl, rules_by_the_start)
{
	static const char *const no[] = { "program = other", "command = *udp4*", "env = ROLE=c*", NULL };
	static const char *const yes[] = { "program = act", "command = *musl/act title?0?socket*5000", "env = ROLE=b*", NULL };
	static const char *const *const sets[] = { no, yes };
	static const char *const libraries[] = { "musl/libportshim.so", "libportshim.so" };
	int server = server_tcp("127.0.0.1", 5000);

	for (int library = 0; library < 2; library++)
		for (int set = 0; set < 2; set++)
			for (int i = 0; sets[set][i]; i++) {
				const char *steps[] = { built("musl/act"), "title 0", "socket 0 tcp4", "connect 0 127.0.0.1 5000",
				                        NULL };
				static struct run run;
				char policy[256];

				snprintf(policy, sizeof(policy), RULE "%s\n", sets[set][i]);
				run = (struct run){ .policy = policy, .library = libraries[library], .env = { "ROLE=batch" } };
				run_program(&run, steps);
				cr_assert(exited(&run, 0), "%s%s", run.out, run.err);
				cr_expect_eq(is_ours(server_accept(server, NULL)), set == 1, "%s, %s", libraries[library], sets[set][i]);
			}
}

/* Nor is /proc needed for it, as in a chroot. */
Test(musl, rules_by_the_start_without_proc)
{
	static const char *const libraries[] = { "musl/libportshim.so", "libportshim.so" };
	int server = server_tcp("127.0.0.1", 5000);

	for (int i = 0; i < 2; i++) {
		static struct run run;
		char line[2048];
		const char *argv[] = { "unshare", "-m", "sh", "-c", line, NULL };

		snprintf(line, sizeof(line), "mount -t tmpfs none /proc && "
		         "LD_PRELOAD=%s exec %s 'socket 0 tcp4' 'connect 0 127.0.0.1 5000'",
		         built(libraries[i]), built("musl/act"));
		run = (struct run){ .policy = RULE "command = *act?socket*\nenv = ROLE=b*\n", .bare = true, .env = { "ROLE=batch" } };
		run_program(&run, argv);
		cr_assert(exited(&run, 0), "%s%s", run.out, run.err);
		cr_expect(is_ours(server_accept(server, NULL)), "%s", libraries[i]);
	}
}

/* --- what is said, and what is not reached ------------------------------------------------------------ */

static void is_warned(const char *portshim, const char *program, const char *words)
{
	static struct run run;
	const char *steps[] = { program, "socket 0 tcp4", NULL };

	run = (struct run){ .policy = RULE };
	run_under(&run, portshim, steps);
	cr_expect(strstr(run.err, words), "%s of %s says\n%s", portshim, program, run.err);
}

/* The library for glibc is said not to be made for it, and the other way round. */
Test(musl, other_library)
{
	is_warned("portshim", built("musl/act"), "is built for another C library");
	is_warned("musl/portshim", built("tests/probes/act"), "is built for another C library");
}

/* The command that is built for musl supervises as well, whatever the program is built for. */
Test(musl, supervises)
{
	static const char *const programs[] = { "musl/static_act", "musl/act", "tests/probes/act" };

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		int server = server_tcp("127.0.0.1", 5000);
		const char *argv[] = { built("musl/portshim"), "run", "--supervise", "--", built(programs[i]), "socket 0 tcp4",
		                       "connect 0 127.0.0.1 5000", NULL };
		static struct run run;

		run = (struct run){ .policy = RULE, .bare = true };
		run_program(&run, argv);
		cr_expect(exited(&run, 0), "%s%s", run.out, run.err);
		cr_expect(is_ours(server_accept(server, NULL)), "%s", programs[i]);
		close(server);
	}
}

Test(musl, static_program)
{
	static struct run run = { .policy = RULE };
	int port = port_seen(&run, "musl/static_act", &ways_out[0]);

	cr_expect(is_ephemeral(port), "not preloaded, but from port %d", port);
	cr_expect(strstr(run.err, "is statically linked"), "%s", run.err);
}
