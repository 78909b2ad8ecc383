/* startup.c - the start and end of a program that never uses the network: wall time of posix_spawn() and wait. */
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bench.h"

#define SPAWNS 25 /* of one way, one after the other */

enum { BARE, NOTHING, PORTSHIM, WAYS };

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

void startup(void)
{
	char *policy = policy_make("one.conf", "[rule one]\nports = 20000-20999\n");
	char nothing[600], portshim[600], conf[128];
	char *environments[WAYS][3] = { { NULL }, { nothing, NULL }, { portshim, conf, NULL } };
	struct series series[WAYS] = { 0 };
	struct row row = row_make("  start to end");

	snprintf(nothing, sizeof(nothing), "LD_PRELOAD=%s", built("tests/bench/nothing.so"));
	snprintf(portshim, sizeof(portshim), "LD_PRELOAD=%s", built("libportshim.so"));
	snprintf(conf, sizeof(conf), "PORTSHIM_CONF=%s", policy);
	table_section("A program that never uses the network (wall time)");
	net_enter("40000 59999");
	for (int round = 0, rounds = rounds_of(81); round < rounds; round++)
		for (int i = 0; i < WAYS; i++) {
			int way = (i + round) % WAYS;

			series_add(&series[way], spawn_many(environments[way]));
		}
	row.us = series_us(&series[PORTSHIM]);
	row.ratio[TO_BARE] = series_ratio(&series[PORTSHIM], &series[BARE]);
	row_note(&row, "%.3f of a do-nothing library (%.0f us); goal <= 1.05",
	         series_ratio(&series[PORTSHIM], &series[NOTHING]), series_us(&series[NOTHING]));
	row_print(&row);
	free(policy);
}
