/* supervise.c - what a supervised tree pays for its calls: wall time, of one process and of eight at once.
 *
 * Time is that of the wall, since the supervisor works while the program waits. A call that no rule can concern must cost
 * what it costs under any filter: beside its ratio to bare stands that to a filter of one instruction, which allows all. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define STARTS 10 /* of one way, one after the other */

enum { BARE, ALLOWED, LATE, EARLY, BORN /* `choose = kernel`: the supervisor makes the sockets */, WAYS };
static char *policies[WAYS];

static const struct kind {
	const char *how;   /* as steps.c has it */
	const char *name;
	long calls;        /* in a run, of all processes */
	bool untouched, early, born;
} kinds[] = {
	{ .how = "connect", .name = "connect and close", .calls = 2000, .early = true, .born = true },
	{ .how = "sendto", .name = "UDP sendto, bound", .calls = 8000, .born = true },
	{ .how = "nameless", .name = "AF_UNIX sendmsg, read", .calls = 8000 },
	{ .how = "socket", .name = "socket and close", .calls = 16000, .untouched = true, .born = true },
	{ .how = "getppid", .name = "getppid", .calls = 800000, .untouched = true },
	{ .how = "read", .name = "read of /dev/zero", .calls = 400000, .untouched = true },
	{ .how = "write", .name = "write to /dev/null", .calls = 400000, .untouched = true },
};

static void allow_all(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &allow };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(126);
}

/* In a child. */
static void start_steps(const struct kind *kind, int processes, int way)
{
	char count[24], number[12];
	const char *argv[] = { built("portshim"), "run", "--mode=supervise", "-c", policies[way], "--",
	                       built("tests/bench/steps"), kind->how, count, number, ADDRESS, SERVER_PORT, NULL };

	snprintf(count, sizeof(count), "%ld", kind->calls / processes);
	snprintf(number, sizeof(number), "%d", processes);
	if (way == ALLOWED)
		allow_all();
	become(policies[way] ? argv : argv + 6, NULL);
}

static double steps_run(const struct kind *kind, int processes, int way)
{
	int out[2], status;
	double ns = 0;
	pid_t pid = -1;
	FILE *words;

	if (pipe(out) < 0 || (pid = fork()) < 0)
		fail("fork");
	if (pid == 0) {
		dup2(out[1], 1);
		start_steps(kind, processes, way);
	}
	close(out[1]);
	words = fdopen(out[0], "r");
	if (!words || fscanf(words, "%lf", &ns) != 1)
		ns = 0;
	fclose(words);
	waitpid(pid, &status, 0);
	errno = ECHILD;
	if (status != 0 || ns <= 0)
		fail(kind->how);
	server_settle();
	return ns;
}

static void kind_row(const struct kind *kind, int processes, const struct series *series, int way)
{
	const char *how = way == BORN ? ", born" : !kind->early ? "" : way == LATE ? ", late" : ", early";
	struct row row = row_make("  %d, %s%s", processes, kind->name, how);

	row.us = series_us(&series[way]);
	row.ratio[TO_BARE] = series_ratio(&series[way], &series[BARE]);
	if (kind->untouched && way != BORN)
		row_note(&row, "%.3f of a filter that allows all; bare %.2f us", series_ratio(&series[way], &series[ALLOWED]),
		         series_us(&series[BARE]));
	else
		row_note(&row, "bare %.2f us", series_us(&series[BARE]));
	row_print(&row);
}

static bool is_run(const struct kind *kind, int way)
{
	return way == ALLOWED ? kind->untouched : way == EARLY ? kind->early : way != BORN || kind->born;
}

static void kind_of(const struct kind *kind, int processes)
{
	struct series series[WAYS] = { 0 };

	for (int round = 0, rounds = rounds_of(15); round < rounds; round++)
		for (int i = 0; i < WAYS; i++) {
			int way = (i + round) % WAYS;

			if (is_run(kind, way))
				series_add(&series[way], steps_run(kind, processes, way));
		}
	for (int way = LATE; way < WAYS; way++)
		if (is_run(kind, way))
			kind_row(kind, processes, series, way);
}

/* --- the start of a program --- */

static double start_many(const char *mode)
{
	const char *argv[] = { built("portshim"), "run", mode, "-c", policies[LATE], "--", built("tests/bench/idle"), NULL };
	const char *const *command = mode ? argv : argv + 6;
	double start = wall_ns();
	int status;
	pid_t pid;

	for (int i = 0; i < STARTS; i++) {
		errno = posix_spawn(&pid, command[0], NULL, NULL, (char *const *)command, environ);
		if (errno || waitpid(pid, &status, 0) < 0)
			fail(command[0]);
		if (status != 0)
			fail("idle");
	}
	return (wall_ns() - start) / STARTS;
}

/* `run` looks at the tables that are there, and among many for those that nobody has: here there is one. */
static void shm_own(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL) != 0)
		fail("a /dev/shm");
}

static void start_row(void)
{
	static const char *const modes[] = { NULL, "--mode=preload", "--mode=supervise" };
	struct series series[3] = { 0 };
	struct row row = row_make("  start to end");

	shm_own();
	for (int round = 0, rounds = rounds_of(15); round < rounds; round++)
		for (int i = 0; i < 3; i++)
			series_add(&series[(i + round) % 3], start_many(modes[(i + round) % 3]));
	umount("/dev/shm");
	row.us = series_us(&series[2]);
	row.ratio[TO_BARE] = series_ratio(&series[2], &series[0]);
	row_note(&row, "%.3f of run --mode=preload (%.0f us); bare %.0f us", series_ratio(&series[2], &series[1]),
	         series_us(&series[1]), series_us(&series[0]));
	row_print(&row);
}

void supervise(void)
{
	table_section("Supervised (run --mode=supervise), 1 and 8 processes at once (wall time per call)");
	policies[LATE] = policy_make("supervise-late.conf", "[rule late]\nports = 40000-47999\n");
	policies[EARLY] = policy_make("supervise-early.conf", "[rule early]\nports = 20000-27999\n");
	policies[BORN] = policy_make("supervise-born.conf", "[rule born]\nports = 40000-47999\nchoose = kernel\n");
	net_enter("40000 59999");
	server_start(SERVER_DROPS, 1);
	for (int processes = 1; processes <= 8; processes += 7)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			kind_of(&kinds[i], processes);
	start_row();
	server_stop();
	free(policies[LATE]);
	free(policies[EARLY]);
	free(policies[BORN]);
}
