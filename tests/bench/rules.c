/* rules.c - long policies, whose last rule is the one that matches: CPU time.
 *
 * Two kinds: rules for other programs, which a process forgets at its start, and rules for other destinations, which
 * each call is held against. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define SIZES 4
static const int sizes[SIZES] = { 10, 100, 1000, 10000 };

static char *policy_of(int rules_wanted, bool by_destination)
{
	char name[32], *path;
	FILE *file;

	snprintf(name, sizeof(name), "rules-%d-%d.conf", rules_wanted, by_destination);
	path = scratch(name);
	file = fopen(path, "w");
	if (!file)
		fail(path);
	for (int i = 1; i < rules_wanted; i++) {
		fprintf(file, "[rule other-%d]\n", i);
		if (by_destination)
			fprintf(file, "to = 10.%d.%d.0/24:1521\n", i / 256, i % 256);
		else
			fprintf(file, "program = /opt/other/bin/program-%d\n", i);
		fprintf(file, "ports = 30000-30999\n\n");
	}
	fprintf(file, "[rule last]\nto = 127.0.0.0/8\nports = 20000-23999\n");
	fclose(file);
	return path;
}

static void rules_of(const char *name, bool by_destination)
{
	struct series bare = { 0 }, bare_start = { 0 }, series[SIZES] = { 0 }, start[SIZES] = { 0 };
	char *policies[SIZES];

	for (int i = 0; i < SIZES; i++)
		policies[i] = policy_of(sizes[i], by_destination);
	for (int round = 0, rounds = rounds_of(15); round < rounds; round++)
		for (int i = 0; i <= SIZES; i++) {
			int way = (i + round) % (SIZES + 1);
			const char *policy = way < SIZES ? policies[way] : NULL;
			struct cost cost = load_run(&(struct load){ .how = "connect", .count = 500, .policy = policy });

			series_add(way < SIZES ? &series[way] : &bare, cost.call);
			series_add(way < SIZES ? &start[way] : &bare_start, cost.start);
		}
	for (int i = 0; i < SIZES; i++) {
		struct row row = row_make("  %5d, %s", sizes[i], name);

		row.us = series_us(&series[i]);
		row.ratio[TO_BARE] = series_ratio(&series[i], &bare);
		row_note(&row, "%.3f of 10 rules; start to first connect %.0f us (bare %.0f)",
		         series_ratio(&series[i], &series[0]), series_us(&start[i]), series_us(&bare_start));
		row_print(&row);
		free(policies[i]);
	}
}

void rules(void)
{
	table_section("Rules in the policy, the last one matches: connect and close (CPU time)");
	net_enter("40000 59999");
	server_start(SERVER_KEEPS, 1);
	rules_of("other programs", false);
	rules_of("other destinations", true);
	server_stop();
}
