/* crowd.c - many processes that connect and close at once: wall time until the last is done. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define CROWD_MAX 64
#define CONNECTIONS 8192 /* of all processes together */
#define LATE_PORTS "40000-47999"
#define EARLY_PORTS "20000-27999"

enum { BARE, LATE, SHARED, NEVER, WAYS };
static char *policies[WAYS];

static pid_t start_one(int processes, const char *policy, const int gate[2], const int ready[2])
{
	char count[16];
	const char *argv[] = { built("tests/bench/load"), "connect", count, ADDRESS, SERVER_PORT, "1", "1", "gate",
	                       NULL };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	snprintf(count, sizeof(count), "%d", CONNECTIONS / processes);
	dup2(gate[0], 0);
	dup2(ready[1], 1);
	close(gate[1]);
	become(argv, policy);
}

/* They start, make one connection and wait; then all go on at once. */
static double crowd_run(int processes, const char *policy)
{
	pid_t pids[CROWD_MAX];
	int gate[2], ready[2], status;
	double start, taken;
	char c;

	if (pipe(gate) < 0 || pipe(ready) < 0)
		fail("pipe");
	for (int i = 0; i < processes; i++)
		pids[i] = start_one(processes, policy, gate, ready);
	close(ready[1]);
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &c, 1) != 1)
			fail("crowd");
	server_settle();
	start = wall_ns();
	close(gate[1]);
	for (int i = 0; i < processes; i++) {
		waitpid(pids[i], &status, 0);
		errno = ECHILD;
		if (status != 0)
			fail("load");
	}
	taken = wall_ns() - start;
	close(gate[0]);
	close(ready[0]);
	server_settle();
	return taken / (CONNECTIONS / processes * processes);
}

static void print_way(const char *name, int processes, const struct series *with, const struct series *without)
{
	struct row row = row_make("  %2d, %s", processes, name);

	row.us = series_us(with);
	row.ratio[TO_BARE] = series_ratio(with, without);
	if (processes == CROWD_MAX)
		row_note(&row, "goal: bare <= 1.05");
	row_print(&row);
}

static void crowd_of(int processes)
{
	struct series series[WAYS] = { 0 };

	for (int round = 0, rounds = rounds_of(13); round < rounds; round++)
		for (int i = 0; i < WAYS; i++) {
			int way = (i + round) % WAYS;

			series_add(&series[way], crowd_run(processes, policies[way]));
		}
	print_way("late", processes, &series[LATE], &series[BARE]);
	print_way("early, shared", processes, &series[SHARED], &series[BARE]);
	print_way("early, exclusive", processes, &series[NEVER], &series[BARE]);
}

void crowd(void)
{
	table_section("Processes at once, 8192 connections among them (wall time per connection)");
	policies[LATE] = policy_make("late.conf", "[rule late]\nports = " LATE_PORTS "\n");
	policies[SHARED] = policy_make("shared.conf", "[rule shared]\nports = " EARLY_PORTS "\n");
	policies[NEVER] = policy_make("never.conf", "[rule never]\nports = " EARLY_PORTS "\nshare = never\n");
	net_enter("40000 59999");
	server_start(SERVER_DROPS, 1);
	crowd_of(1);
	crowd_of(8);
	crowd_of(CROWD_MAX);
	server_stop();
	for (int i = LATE; i < WAYS; i++)
		free(policies[i]);
}
