/* startup.c - the start and end of a program that never uses the network: wall time of posix_spawn() and wait. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define SPAWNS 25 /* of one way, one after the other */

#define EVERYWHERE "/etc/ld.so.preload"

enum { BARE, NOTHING, PORTSHIM, SYSTEM_WIDE, WAYS };

static double spawn_many(char *const environment[])
{
	const char *program = built("tests/bench/idle");
	char *argv[] = { (char *)program, NULL };
	double start = wall_ns();
	int status;
	pid_t pid;

	for (int i = 0; i < SPAWNS; i++) {
		errno = posix_spawn(&pid, program, NULL, NULL, argv, environment);
		if (errno || waitpid(pid, &status, 0) < 0)
			fail(program);
		if (status != 0)
			fail("idle");
	}
	return (wall_ns() - start) / SPAWNS;
}

/* A layer over /etc that only this process and its children see. */
static void etc_own(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, NULL) != 0 || mkdir("/mnt/upper", 0755) != 0 || mkdir("/mnt/work", 0755) != 0 ||
	    mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work") != 0)
		fail("a layer over /etc");
}

/* As spawn_many(), while /etc/ld.so.preload names the library. */
static double spawn_many_there(char *const environment[])
{
	FILE *file = fopen(EVERYWHERE, "we");
	double ns;

	if (!file || fprintf(file, "%s\n", built("libportshim.so")) < 0 || fclose(file) != 0)
		fail(EVERYWHERE);
	ns = spawn_many(environment);
	unlink(EVERYWHERE);
	return ns;
}

static void startup_row(const char *name, const struct series *series, int way, const char *goal)
{
	struct row row = row_make("%s", name);

	row.us = series_us(&series[way]);
	row.ratio[TO_BARE] = series_ratio(&series[way], &series[BARE]);
	row_note(&row, "%.3f of a do-nothing library (%.0f us)%s", series_ratio(&series[way], &series[NOTHING]),
	         series_us(&series[NOTHING]), goal);
	row_print(&row);
}

void startup(void)
{
	char *policy = policy_make("one.conf", "[rule one]\nports = 20000-20999\n");
	char nothing[600], portshim[600], conf[128];
	char *environments[WAYS][3] = { { NULL }, { nothing, NULL }, { portshim, conf, NULL }, { conf, NULL } };
	struct series series[WAYS] = { 0 };

	snprintf(nothing, sizeof(nothing), "LD_PRELOAD=%s", built("tests/bench/nothing.so"));
	snprintf(portshim, sizeof(portshim), "LD_PRELOAD=%s", built("libportshim.so"));
	snprintf(conf, sizeof(conf), "PORTSHIM_CONF=%s", policy);
	table_section("A program that never uses the network (wall time)");
	net_enter("40000 59999");
	etc_own();
	for (int round = 0, rounds = rounds_of(81); round < rounds; round++)
		for (int i = 0; i < WAYS; i++) {
			int way = (i + round) % WAYS;

			series_add(&series[way], (way == SYSTEM_WIDE ? spawn_many_there : spawn_many)(environments[way]));
		}
	startup_row("  start to end", series, PORTSHIM, "; goal <= 1.05");
	startup_row("  by " EVERYWHERE, series, SYSTEM_WIDE, "");
	free(policy);
}
