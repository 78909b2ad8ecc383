/* test_arm64.c - the table, the parser, the choice and the library as programs of a 64-bit ARM, run by qemu-user.
 *
 * Another compiler back end: char without a sign, atomics as loads and stores that are retried. (Not the machine's weaker order of memory:
 * qemu on x86 keeps x86's.) What qemu-user 7.2 does not hand on of the kernel is left out by name: a limit of address space, sock_diag,
 * the cookie of a network namespace; and /proc/self/stat, which it makes up, with a start time ten milliseconds off: owners that live are
 * taken for dead there. Nor does it empty a page for a forked child, and says that it does: the library notices (shim/own_page.c). */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/crowd.h"
#include "tests/lib/harness.h"
#include "tests/lib/units.h"

#define EMULATOR "/usr/bin/qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"

static const char *const emulator[] = { EMULATOR, NULL };

#define UNITS(name, ...)                                                                                       \
	Test(units, name)                                                                                      \
	{                                                                                                      \
		run_units(emulator, "arm64", #name, BUT(__VA_ARGS__));                                         \
	}

UNITS(address)
UNITS(algorithm)
UNITS(append)
UNITS(arena, "says_when_memory_is_out")
UNITS(audit_read)
UNITS(blocks)
UNITS(choice, "ports_refused_before_are_tried_again") /* by asking the kernel for its sockets */
UNITS(glob)
UNITS(keys)
UNITS(lease, "whoever_is_killed_the_others_go_on", "whoever_is_killed_in_a_full_bucket_the_others_go_on")
UNITS(locate)
UNITS(match)
UNITS(policy, "says_when_memory_is_out")
UNITS(ports)
UNITS(read)
UNITS(rules)
UNITS(scale)
UNITS(snapshot, "random_bytes_give_figures_that_can_be") /* some minutes */
UNITS(table, "is_of_one_network_namespace")
UNITS(text)
UNITS(usage)
UNITS(wait)
UNITS(when)
UNITS(xml)

#define STREAM "127.0.0.1 5000"

static pid_t servers;

static void setup(void)
{
	net_own();
	servers = crowd_serve(5000, 5001, CLIENT_CLOSES);
}

static void teardown(void)
{
	crowd_end(servers);
}

TestSuite(library, .init = setup, .fini = teardown);

/* A probe with these words, NULL behind the last, under the library of its kind. */
static void start(struct run *run, bool emulated, const char *probe, const char *const words[])
{
	const char *argv[64] = { EMULATOR };
	char path[64];
	int n = emulated ? 3 : 0;

	run->library = emulated ? "arm64/libportshim.so" : NULL;
	snprintf(path, sizeof(path), "%stests/probes/%s", emulated ? "arm64/" : "", probe);
	argv[n++] = built(path);
	while (*words && n < 63)
		argv[n++] = *words++;
	argv[n] = NULL;
	run_start(run, argv);
}

#define START(run, ...) start(run, true, "act", (const char *const[]){ __VA_ARGS__, NULL })

static bool has(const struct run *run, const char *step, int first, int last)
{
	int port = port_of(run, step);

	return port >= first && port <= last;
}

Test(library, every_call)
{
	static struct run run = { .policy = "[rule r]\nports = 20000-20009\n" };

	START(&run, "socket 0 tcp4", "connect 0 " STREAM, "name 0", "socket 1 udp4", "sendto 1 127.0.0.1 5000", "name 1", "socket 2 tcp6",
	      "bind 2 :: 0", "name 2", "socket 3 tcp4", "listen 3", "name 3", "socket 4 udp6", "connect 4 ::1 5000", "name 4");
	run_end(&run);
	cr_assert(exited(&run, 0), "%s", run.err);
	for (int i = 0; i < 5; i++) {
		char step[16];

		snprintf(step, sizeof(step), "name %d", i);
		cr_expect(has(&run, step, 20000, 20009), "%s: %s", step, run.out);
	}
}

/* For each destination, since nobody can be asked which connections there are: then ports are exclusive. */
Test(library, a_set_used_up)
{
	static struct run run = { .policy = "[rule r]\nports = 20000-20001\n" };

	START(&run, "socket 0 tcp4", "connect 0 " STREAM, "socket 1 tcp4", "connect 1 " STREAM, "socket 2 tcp4", "connect 2 " STREAM,
	      "connect 2 127.0.0.1 5001");
	run_end(&run);
	cr_assert_str_eq(result_of(&run, "connect 1 " STREAM), "0");
	cr_assert_str_eq(result_of(&run, "connect 2 " STREAM), "-1 EADDRNOTAVAIL");
	cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 5001"), "-1 EADDRNOTAVAIL");
}

/* Processes of both machines share one table: all ports are had, each once; none is left outside. */
Test(library, with_programs_of_this_machine)
{
	static struct run run[2];
	const char *const words[] = { "hold", "5", "2", "5", "20000", "20099", "5000", NULL };

	for (int i = 0; i < 2; i++) {
		run[i] = (struct run){ .policy = "[portshim]\ntable = /dev/shm/portshim-both\n[rule r]\nports = 20000-20099\n" };
		start(&run[i], i == 0, "swarm", words);
	}
	for (int i = 0; i < 2; i++) {
		run_until_paused(&run[i]);
		cr_assert_eq(crowd_count(&run[i], "had"), 50, "%s%s", run[i].out, run[i].err);
		cr_assert_eq(crowd_count(&run[i], "outside"), 0);
	}
	for (int i = 0; i < 2; i++) {
		run_go_on(&run[i]);
		run_end(&run[i]);
		cr_assert(exited(&run[i], 0), "%s", run[i].err);
	}
}
