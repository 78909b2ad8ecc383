/* bench.c - what portshim costs, against the bare program and against the same system calls made by hand.
 *
 * `bench BUILD` prints one table and writes BUILD/bench.svg. The goals beside the figures are for who reads them:
 * nothing fails here because a machine is slow. In the environment:
 *   BENCH_ROUNDS=N   rounds, as a percentage of the usual
 *   BENCH_POOL=N     ports of the pool that is filled (28000)
 *   BENCH_ONLY=PART  one of the parts below alone */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const struct part {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "churn", churn }, { "crowd", crowd }, { "startup", startup }, { "rules", rules }, { "memory", memory },
	{ "supervise", supervise }, { "fill", fill },
};

int main(int argc, char **argv)
{
	const char *only = getenv("BENCH_ONLY");
	double start = wall_ns();

	if (argc != 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	stop_on_signals();
	stage_begin(argv[1]);
	table_head();
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!only || strcmp(only, parts[i].name) == 0)
			parts[i].run();
	net_leave();
	stage_end();
	printf("\nMedians of paired rounds; %.0f seconds.\n", (wall_ns() - start) / 1e9);
	return 0;
}
