/* test_pool.c - 32- and 64-bit programs use one table: a port that one has, the other does not even try. */
#define _GNU_SOURCE
#include <glob.h>
#include <stdio.h>

#include "kind.h"

#define PORTS 10
#define HALF (PORTS / 2)
#define TRIES 100
#define TABLE "/dev/shm/portshim-both"

static pid_t servers;

static void setup(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	both_libraries();
	servers = crowd_serve(5000, 5001, CLIENT_CLOSES);
}

static void teardown(void)
{
	crowd_end(servers);
}

TestSuite(pool, .init = setup, .fini = teardown);

/* qemu-user does not hand on the namespace's cookie, by which `table = auto` names the file: there the policy names it. */
static const char *policy_of(enum kind one, enum kind other, const char *rule)
{
	static char policy[2][256];
	static int next;
	char *text = policy[next++ % 2];
	bool named = one == EMULATED || other == EMULATED;

	snprintf(text, sizeof(policy[0]), "[portshim]\n%s%s", named ? "table = " TABLE "\n" : "", rule);
	return text;
}

/* The number behind `"name": ` in what `portshim status --json` prints. */
static int told(const struct run *status, const char *name)
{
	char words[32];
	const char *at;

	snprintf(words, sizeof(words), "\"%s\":", name);
	at = strstr(status->out, words);
	cr_assert_not_null(at, "no %s in %s", name, status->out);
	return atoi(at + strlen(words));
}

static int times_in(const char *text, const char *words)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
		n++;
	return n;
}

/* What `portshim status` says of the one table that there is. */
static void status_of(struct run *status)
{
	const char *argv[] = { built("portshim"), "status", "--json", "-t", NULL, NULL };
	glob_t found;

	cr_assert_eq(glob("/dev/shm/portshim-*", 0, NULL, &found), 0);
	cr_assert_eq(found.gl_pathc, 1, "%zu tables", found.gl_pathc);
	argv[4] = found.gl_pathv[0];
	*status = (struct run){ .bare = true };
	run_program(status, argv);
	cr_assert(exited(status, 0), "%s", status->err);
	globfree(&found);
}

/* Ends with connections reset, so that no port stays behind in TIME_WAIT. */
static void hold_half(struct run *run, enum kind kind, const char *policy)
{
	*run = (struct run){ .policy = policy };
	START(run, kind, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4", "connect 1 127.0.0.1 5000", "name 1",
	      "socket 2 tcp4", "connect 2 127.0.0.1 5000", "name 2", "socket 3 tcp4", "connect 3 127.0.0.1 5000", "name 3",
	      "socket 4 tcp4", "connect 4 127.0.0.1 5000", "name 4", "pause", "connect 0 unspec 0", "close 0",
	      "connect 1 unspec 0", "close 1", "connect 2 unspec 0", "close 2", "connect 3 unspec 0", "close 3", "connect 4 unspec 0",
	      "close 4");
	run_until_paused(run);
	cr_assert_str_empty(run->err, "%s", run->err);
}

static void count_ports(const struct run *run, int first, int seen[PORTS])
{
	static const char *const steps[HALF] = { "name 0", "name 1", "name 2", "name 3", "name 4" };

	for (int i = 0; i < HALF; i++) {
		int port = port_of(run, steps[i]);

		cr_assert(port >= first && port < first + PORTS, "port %d", port);
		seen[port - first]++;
	}
}

static void let_go(struct run *run)
{
	run_go_on(run);
	run_end(run);
	cr_assert(exited(run, 0), "%s", run->err);
}

/* Two programs have half of the ports each. None had to be tried twice; for a third program there is none left. */
static void halves(enum kind first, enum kind second, int port)
{
	static struct run one, other, late, status;
	int seen[PORTS] = { 0 };
	char rule[64];
	const char *policy;

	snprintf(rule, sizeof(rule), "[rule r]\nports = %d-%d\n", port, port + PORTS - 1);
	policy = policy_of(first, second, rule);
	hold_half(&one, first, policy);
	hold_half(&other, second, policy);
	count_ports(&one, port, seen);
	count_ports(&other, port, seen);
	for (int i = 0; i < PORTS; i++)
		cr_assert_eq(seen[i], 1, "port %d: %d times", port + i, seen[i]);
	status_of(&status);
	cr_assert_eq(told(&status, "given"), PORTS, "%s", status.out);
	cr_assert_eq(told(&status, "in_use"), PORTS, "%s", status.out);
	cr_assert_eq(told(&status, "asked"), 0, "ports that the other had were tried: %s", status.out);
	cr_assert_eq(times_in(status.out, "\"held\""), PORTS, "%s", status.out);
	late = (struct run){ .policy = policy };
	RUN(&late, second, "socket 0 tcp4", "connect 0 127.0.0.1 5000");
	cr_assert_str_eq(result_of(&late, "connect 0 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	let_go(&one);
	/* What one program gave back, the other gets: at once, or when a set that was used up is tried again, which is after four times as
	 * long as that took to find out. */
	for (int i = 0; i < TRIES && (i == 0 || strcmp(result_of(&late, "connect 0 127.0.0.1 5000"), "0") != 0); i++) {
		late = (struct run){ .policy = policy };
		RUN(&late, second, "socket 0 tcp4", "connect 0 127.0.0.1 5000");
	}
	cr_assert_str_eq(result_of(&late, "connect 0 127.0.0.1 5000"), "0");
	let_go(&other);
}

Test(pool, narrow_joins_wide)
{
	halves(WIDE, narrow(), 20000);
}

Test(pool, wide_joins_narrow)
{
	halves(narrow(), WIDE, 20000);
}

/* Ports that the kernel's own range covers; qemu-user hands on no such range, and an emulated program binds them early. */
Test(pool, late)
{
	if (kernel_runs_narrow())
		halves(WIDE, NARROW, 40500);
	else
		halves(EMULATED, EMULATED, 40500);
}

Test(pool, emulated_joins_wide)
{
	halves(WIDE, EMULATED, 20000);
}

Test(pool, wide_joins_emulated)
{
	halves(EMULATED, WIDE, 20000);
}

static int port_by(enum kind kind, const char *policy)
{
	static struct run run;

	run = (struct run){ .policy = policy };
	RUN(&run, kind, "socket 0 udp4", "connect 0 127.0.0.1 5000", "name 0");
	cr_assert(exited(&run, 0), "%s", run.err);
	return port_of(&run, "name 0");
}

/* What an algorithm keeps goes on from one word size in the other: the one counter, and that of a destination, which is found
 * by a hash with the table's key. Each algorithm has a thousand ports from `first` on: those of another are in use, to the table. */
static void one_state(enum kind one, enum kind other, const char *choose, int first)
{
	char rule[96];
	const char *policy;
	int before;

	snprintf(rule, sizeof(rule), "[rule r]\nports = %d-%d\nchoose = %s\n", first, first + 999, choose);
	policy = policy_of(one, other, rule);
	before = port_by(one, policy);
	for (int i = 0; i < 6; i++) {
		int port = port_by(i % 2 ? one : other, policy);

		cr_assert_eq(port, before == first + 999 ? first : before + 1, "%s: %d after %d", choose, port, before);
		before = port;
	}
}

Test(pool, one_counter)
{
	one_state(narrow(), WIDE, "sequential", 20000);
	one_state(narrow(), WIDE, "double-hash", 21000);
}

Test(pool, one_counter_emulated)
{
	one_state(WIDE, EMULATED, "sequential", 20000);
	one_state(WIDE, EMULATED, "double-hash", 21000);
}

/* Twenty processes of both word sizes at once, each making connections for as long as there are ports. */
Test(pool, crowd)
{
	static struct run run[2];
	const char *const words[] = { "hold", "10", "1", "5", "20000", "20099", "5000", NULL };
	enum kind kind = narrow();
	const char *policy = policy_of(kind, WIDE, "[rule r]\nports = 20000-20099\n");
	static struct run status;

	for (int i = 0; i < 2; i++) {
		run[i] = (struct run){ .policy = policy };
		start_as(&run[i], i ? kind : WIDE, "swarm", words);
	}
	for (int i = 0; i < 2; i++) {
		run_until_paused(&run[i]);
		cr_assert_eq(crowd_count(&run[i], "had"), 50, "%s%s", run[i].out, run[i].err);
		cr_assert_eq(crowd_count(&run[i], "outside"), 0);
	}
	status_of(&status);
	cr_assert_eq(told(&status, "in_use"), 100, "%s", status.out);
	let_go(&run[0]);
	let_go(&run[1]);
}
