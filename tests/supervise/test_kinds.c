/* test_kinds.c - what LD_PRELOAD does not reach, supervised: static programs of every kind, of both word sizes and for two C
 * libraries, Go, Rust, Java, io_uring. The server sees ports of the rule; the program says and ends as it does bare. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/name_server.h"
#include "tests/lib/supervised.h"

TestSuite(kinds, .init = supervised_enter, .fini = supervised_leave);

/* --- the probe `act`, as each kind of executable ------------------------------------------------------- */

struct way_out {
	const char *server;
	bool is_datagram;
	const char *steps[5];
};

static const struct way_out ways_out[] = {
	{ "127.0.0.1", false, { "socket 0 tcp4", "connect 0 127.0.0.1 5000", "peer 0", "write 0" } },
	{ "127.0.0.1", false, { "socket 0 tcp4", "bind 0 127.0.0.1 0", "connect 0 127.0.0.1 5000", "peer 0" } },
	{ "127.0.0.1", false, { "socket 0 nbtcp4", "connect 0 127.0.0.1 5000", "outcome 0", "peer 0" } },
	{ "::1", false, { "socket 0 tcp6", "connect 0 ::1 5000", "peer 0" } },
	{ "127.0.0.1", false, { "socket 0 tcp6", "connect 0 ::ffff:127.0.0.1 5000", "peer 0" } },
	{ "127.0.0.1", true, { "socket 0 udp4", "connect 0 127.0.0.1 5000", "write 0", "peer 0" } },
	{ "127.0.0.1", true, { "socket 0 udp4", "bind 0 127.0.0.1 0", "sendto 0 127.0.0.1 5000" } },
	{ "127.0.0.1", true, { "socket 0 udp4", "sendto 0 127.0.0.1 5000", "peer 0" } },
	{ "127.0.0.1", true, { "socket 0 udp4", "sendmsg 0 127.0.0.1 5000", "peer 0" } },
	{ "127.0.0.1", true, { "socket 0 udp4", "sendmmsg 0 127.0.0.1 5000", "peer 0" } },
	{ "::1", true, { "socket 0 udp6", "sendmsg 0 ::1 5000", "peer 0" } },
};

#define WAYS_OUT (sizeof(ways_out) / sizeof(ways_out[0]))
#define EMULATOR "/usr/bin/qemu-i386-static"

struct kind {
	const char *program, *emulator;
};

static const struct kind kinds[] = {
	{ "kinds/static", NULL }, { "kinds/static_pie", NULL }, { "kinds/no_pie", NULL }, { "kinds/pie", NULL },
	{ "musl/static_act", NULL }, { "musl/act", NULL },
#ifdef __x86_64__
	{ "i386/kinds/static", NULL }, { "i386/tests/probes/act", NULL }, { "i386/kinds/static", EMULATOR },
#endif
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* In the words of a 64-bit kernel that starts no 32-bit programs (CONFIG_IA32_EMULATION). */
static bool is_not_for_this_kernel(const struct kind *kind)
{
	const char *argv[] = { built(kind->program), NULL };
	static struct run run;

	if (kind->emulator || strncmp(kind->program, "i386", 4) != 0)
		return false;
	run = (struct run){ .bare = true };
	run_program(&run, argv);
	cr_assert(exited(&run, 0) || strstr(run.err, "Exec format error"), "%s", run.err);
	return !exited(&run, 0);
}

static int port_of_way(struct run *run, const struct kind *kind, const struct way_out *way)
{
	int server = way->is_datagram ? server_udp(way->server, 5000) : server_tcp(way->server, 5000), port, n = 0;
	const char *argv[8];

	if (kind->emulator)
		argv[n++] = kind->emulator;
	argv[n++] = built(kind->program);
	for (int i = 0; i < 5 && way->steps[i]; i++)
		argv[n++] = way->steps[i];
	argv[n] = NULL;
	story_run(run, argv);
	cr_assert(exited(run, 0), "%s %s: status %x\n%s%s", kind->program, way->steps[1], run->status, run->out, run->err);
	port = way->is_datagram ? server_receive(server) : server_accept(server, NULL);
	cr_expect(nobody_came(server), "%s %s comes twice", kind->program, way->steps[1]);
	close(server);
	return port;
}

static void goes_out(const struct kind *kind, const struct way_out *way)
{
	static struct run bare, run;
	char what[128];
	int port;

	bare = (struct run){ .bare = true };
	port = port_of_way(&bare, kind, way);
	cr_assert(is_ephemeral(port), "bare from port %d", port);
	for (int set = 0; set < SETS; set++) {
		snprintf(what, sizeof(what), "%s %s, set %d", kind->program, way->steps[1], set);
		run = (struct run){ .policy = supervised_rule(set, "") };
		port = port_of_way(&run, kind, way);
		cr_expect(supervised_is_ours(set, port), "%s: from port %d", what, port);
		story_same(what, &bare, &run);
	}
}

ParameterizedTestParameters(kinds, executable)
{
	static int index[KINDS];

	for (size_t i = 0; i < KINDS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, KINDS);
}

ParameterizedTest(int *index, kinds, executable)
{
	const struct kind *kind = &kinds[*index];

	for (size_t i = 0; i < WAYS_OUT && !is_not_for_this_kernel(kind); i++)
		goes_out(kind, &ways_out[i]);
}

/* 64-bit programs may make calls as 32-bit ones do, where the kernel has a gate for these: by numbers, by socketcall(2). */
Test(kinds, gate_for_32_bit_programs)
{
	static const char *const calls[] = { "connect", "sendto", "sendmsg", "sendmmsg", "socketcall-connect", "socketcall-sendto",
		                             "socketcall-sendmsg", "socketcall-sendmmsg" };
	int tcp = server_tcp("127.0.0.1", 5000), udp = server_udp("127.0.0.1", 5000);

	for (int i = 0; i < 2 * 8; i++) {
		const char *call = calls[i / 2], *argv[] = { built("tests/probes/gate32"), call, "5000", NULL };
		static struct run run;
		int port;

		run = (struct run){ .policy = supervised_rule(i % 2, "") };
		story_run(&run, argv);
		if (exited(&run, 77))
			break;
		cr_assert(exited(&run, 0), "%s: %s%s", call, run.out, run.err);
		port = strstr(call, "connect") ? server_accept(tcp, NULL) : server_receive(udp);
		cr_expect(supervised_is_ours(i % 2, port), "%s: from port %d", call, port);
	}
}

/* --- clients that talk ------------------------------------------------------------------------------ */

/* The rule goes by destination: what is bound first is decided by what comes after. */
#define TO "to = 127.0.0.1:5000, [::1]:5000\n"

static int port_of_client(struct run *run, const char *const argv[], const char *kind)
{
	size_t length = strlen(kind);
	const char *host = length > 2 && strcmp(kind + length - 2, "-6") == 0 ? "::1" : "127.0.0.1";
	bool is_datagram = strstr(kind, "udp") != NULL;
	int server = is_datagram ? server_udp(host, 5000) : server_tcp(host, 5000), port;

	story_start(run, argv);
	port = is_datagram ? answer_udp(server, "hello\n") : answer_tcp(server, "hello\n");
	run_end(run);
	cr_expect(nobody_came(server), "%s comes twice", kind);
	close(server);
	return port;
}

/* Bare, and under rules of both sets: the port that the server saw. */
static void talks(const char *const argv[], const char *kind)
{
	static struct run bare, run;
	char what[128];
	int port;

	bare = (struct run){ .bare = true };
	port = port_of_client(&bare, argv, kind);
	cr_expect(is_ephemeral(port), "%s %s: bare, from port %d", argv[0], kind, port);
	cr_expect(strstr(bare.out, "hello\n"), "%s %s says\n%s%s", argv[0], kind, bare.out, bare.err);
	for (int set = 0; set < SETS; set++) {
		snprintf(what, sizeof(what), "%s %s, set %d", argv[0], kind, set);
		run = (struct run){ .policy = supervised_rule(set, TO) };
		port = port_of_client(&run, argv, kind);
		cr_expect(supervised_is_ours(set, port), "%s: from port %d", what, port);
		story_same(what, &bare, &run);
	}
}

static void talks_in(const char *program, const char *const which[])
{
	for (int i = 0; which[i]; i++) {
		const char *argv[] = { built(program), which[i], NULL };

		talks(argv, which[i]);
	}
}

Test(kinds, go)
{
	static const char *const which[] = { "tcp", "tcp-bound", "tcp-timeout", "tcp-6", "udp", "udp-6", "udp-unconnected", NULL };

	talks_in("kinds/go_pure", which);
}

/* Half of such a program is libc's, half makes its calls itself. */
Test(kinds, go_with_c)
{
	static const char *const which[] = { "go", "c", NULL };

	talks_in("kinds/go_cgo", which);
}

Test(kinds, rust)
{
	static const char *const which[] = { "tcp", "tcp-timeout", "tcp-6", "udp", "udp-unconnected", "udp-6", NULL };

	talks_in("kinds/rust", which);
}

/* A refusal is what it is bare. */
Test(kinds, go_is_refused)
{
	const char *argv[] = { built("kinds/go_pure"), "refused", NULL };
	static struct run bare = { .bare = true }, run;

	story_run(&bare, argv);
	cr_assert(exited(&bare, 1) && strstr(bare.out, "connection refused"), "%s%s", bare.out, bare.err);
	for (int set = 0; set < SETS; set++) {
		run = (struct run){ .policy = supervised_rule(set, "") };
		story_run(&run, argv);
		story_same("refused", &bare, &run);
	}
}

/* A hundred goroutines at once, with as many threads as Go thinks fit, and its signals among them. */
Test(kinds, many_in_go)
{
	static const char *const sets[] = { "20000-20199", "40500-40699" };
	const char *argv[] = { built("kinds/go_pure"), "many", NULL };
	static struct run run;
	int server = server_tcp("127.0.0.1", 5000);

	for (int set = 0; set < SETS; set++) {
		char policy[64];

		snprintf(policy, sizeof(policy), "[rule r]\nports = %s\n", sets[set]);
		run = (struct run){ .policy = policy };
		story_start(&run, argv);
		for (int i = 0; i < 100; i++) {
			int port = server_accept(server, NULL), first = atoi(sets[set]);

			cr_expect(port >= first && port < first + 200, "from port %d", port);
		}
		run_end(&run);
		cr_expect_str_eq(run.out, "all\n", "%s", run.err);
		cr_expect(exited(&run, 0));
		cr_expect_str_empty(run.err);
	}
}

/* Whoever asks asks twice: for an address of IPv4, and for one of IPv6. */
static void resolves(const char *const argv[], struct run *run, int first, int last)
{
	int server = server_udp(NAME_SERVER, 53);

	story_start(run, argv);
	for (int i = 0; i < 2; i++) {
		int port = name_server_udp(server, false);

		cr_expect(port >= first && port <= last, "%s asks from port %d", argv[0], port);
	}
	run_end(run);
	cr_expect(nobody_came(server));
	cr_expect(strstr(run->out, NAME_SERVER_ANSWER), "%s%s", run->out, run->err);
	close(server);
}

/* Go's own resolver, and libc's, which asks past all that libc exports. */
Test(kinds, names_in_go)
{
	static const char *const programs[] = { "kinds/go_pure", "kinds/go_cgo" };

	name_server_set();
	for (int i = 0; i < 2; i++) {
		const char *argv[] = { built(programs[i]), "resolve", NULL };
		static struct run bare, run;

		bare = (struct run){ .bare = true, .env = { i ? "GODEBUG=netdns=cgo" : "GODEBUG=netdns=go" } };
		resolves(argv, &bare, 40000, 40999);
		for (int set = 0; set < SETS; set++) {
			run = (struct run){ .policy = supervised_rule(set, "to = *:53\n"), .env = { bare.env[0] } };
			resolves(argv, &run, set ? 40500 : 20000, set ? 40509 : 20009);
			story_same(programs[i], &bare, &run);
		}
	}
}

/* --- Java --------------------------------------------------------------------------------------------- */

static const char source[] =
	"import java.io.*;\n"
	"import java.net.*;\n"
	"public class Talk {\n"
	"	public static void main(String[] args) throws Exception {\n"
	"		InetAddress here = InetAddress.getByName(\"127.0.0.1\");\n"
	"		byte[] heard = new byte[100];\n"
	"		int n;\n"
	"		if (args[0].equals(\"udp\")) {\n"
	"			DatagramSocket s = new DatagramSocket();\n"
	"			s.send(new DatagramPacket(\"hello\\n\".getBytes(), 6, here, 5000));\n"
	"			DatagramPacket p = new DatagramPacket(heard, 100);\n"
	"			s.receive(p);\n"
	"			n = p.getLength();\n"
	"		} else {\n"
	"			Socket s = args[0].equals(\"tcp-bound\") ? new Socket(here, 5000, here, 0) : new Socket(here, 5000);\n"
	"			s.getOutputStream().write(\"hello\\n\".getBytes());\n"
	"			n = s.getInputStream().read(heard);\n"
	"		}\n"
	"		System.out.print(new String(heard, 0, n));\n"
	"	}\n"
	"}\n";

/* Bound first, Java asks for the port that it got before it connects. */
Test(kinds, java)
{
	static const char *const which[] = { "tcp", "tcp-bound", "udp", NULL };

	shell("javac -d %s %s", file_path(""), file_make("Talk.java", source));
	for (int i = 0; which[i]; i++) {
		const char *argv[] = { "java", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-cp", file_path(""), "Talk",
		                       which[i], NULL };

		talks(argv, which[i]);
	}
}

/* --- io_uring ----------------------------------------------------------------------------------------- */

/* Its calls reach nobody: so it is said not to be there, and such programs have another way. */
Test(kinds, io_uring)
{
	static const char *const which[] = { "tcp", "udp", "sendmsg" };

	for (int i = 0; i < 3; i++) {
		const char *argv[] = { built("tests/probes/uring"), which[i], "127.0.0.1", NULL };
		const char *kind = i ? "udp" : "tcp";
		static struct run bare, run;
		int port;

		bare = (struct run){ .bare = true };
		cr_expect(is_ephemeral(port_of_client(&bare, argv, kind)));
		for (int set = 0; set < SETS; set++) {
			run = (struct run){ .policy = supervised_rule(set, "") };
			port = port_of_client(&run, argv, kind);
			cr_expect(supervised_is_ours(set, port), "%s from port %d", which[i], port);
			cr_expect_str_eq(run.out, "plain\nhello\n", "%s: %s%s", which[i], run.out, run.err);
			cr_expect_eq(run.status, bare.status);
			cr_expect_str_eq(run.err, bare.err);
		}
	}
}
