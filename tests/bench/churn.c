/* churn.c - connect and close in each way, and sends on a bound socket: CPU time of the client. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define RANGE "40000 59999"  /* of the kernel; the early ports are outside */
#define LATE_LO 40000
#define LATE_HI 43999
#define EARLY_LO 20000
#define EARLY_HI 23999
#define LATE_PORTS "40000-43999"
#define EARLY_PORTS "20000-23999"

enum { BARE, RANGE_BY_HAND, LINEAR, RANDOM, LATE_HAND, LATE, SHARED_HAND, SHARED, NEVER_HAND, NEVER, WAYS };

static struct load ways[WAYS] = {
	[BARE] = { .how = "connect" },
	[RANGE_BY_HAND] = { .how = "connect-range", .lo = LATE_LO, .hi = LATE_HI },
	[LINEAR] = { .how = "connect-linear", .lo = EARLY_LO, .hi = EARLY_HI },
	[RANDOM] = { .how = "connect-random", .lo = EARLY_LO, .hi = EARLY_HI },
	[LATE_HAND] = { .how = "connect-late", .lo = LATE_LO, .hi = LATE_HI },
	[LATE] = { .how = "connect" },
	[SHARED_HAND] = { .how = "connect-shared", .lo = EARLY_LO, .hi = EARLY_HI },
	[SHARED] = { .how = "connect" },
	[NEVER_HAND] = { .how = "connect-early", .lo = EARLY_LO, .hi = EARLY_HI },
	[NEVER] = { .how = "connect" },
};

static const struct kind {
	const char *name;
	int portshim, by_hand;
} kinds[] = {
	{ "  late", LATE, LATE_HAND },
	{ "  early, shared", SHARED, SHARED_HAND },
	{ "  early, exclusive", NEVER, NEVER_HAND },
};

static void print_kind(const struct kind *kind, const struct series *series)
{
	const struct series *ours = &series[kind->portshim], *hand = &series[kind->by_hand];
	struct row row = row_make("%s", kind->name);

	row.us = series_us(ours);
	row.ratio[TO_HAND] = series_ratio(ours, hand);
	row.ratio[TO_BARE] = series_ratio(ours, &series[BARE]);
	row.ratio[HAND_TO_BARE] = series_ratio(hand, &series[BARE]);
	row.ratio[TO_RANGE] = series_ratio(ours, &series[RANGE_BY_HAND]);
	row.ratio[TO_LINEAR] = series_ratio(ours, &series[LINEAR]);
	row.ratio[TO_RANDOM] = series_ratio(ours, &series[RANDOM]);
	row_note(&row, "goal: by hand <= 1.03");
	row_print(&row);
}

static void print_all(const struct series *series)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		print_kind(&kinds[i], series);
}

static void close_by_reset(void)
{
	struct series series[WAYS] = { 0 };

	table_section("TCP connect, reset and close (CPU time)");
	net_enter(RANGE);
	/* Not one that closes by itself: a SYN from a port that was just used can come while it does, and be lost. A
	 * linear scan uses the same port again at once, and would wait a second for the next SYN, many times. */
	server_start(SERVER_KEEPS, 1);
	for (int round = 0, rounds = rounds_of(81); round < rounds; round++)
		for (int i = 0; i < WAYS; i++) {
			int way = (i + round) % WAYS;

			ways[way].count = 1500;
			series_add(&series[way], load_run(&ways[way]).call);
		}
	server_stop();
	print_all(series);
}

/* Each run has a network of its own, since nobody can wait until the ports of the one before are free again. */
static void close_first(void)
{
	struct series series[WAYS] = { 0 };

	table_section("TCP connect and close first: 1000 connections end in TIME_WAIT, 4000 ports (CPU time)");
	for (int round = 0, rounds = rounds_of(25); round < rounds; round++)
		for (int i = 0; i < WAYS; i++) {
			struct load load = ways[(i + round) % WAYS];

			load.count = 1000;
			load.options[0] = "first";
			net_enter(RANGE);
			server_start(SERVER_LAST, 1);
			series_add(&series[(i + round) % WAYS], load_run(&load).call);
			server_stop();
		}
	print_all(series);
}

static void sends(void)
{
	struct load bare = { .how = "sendto", .count = 60000 }, ours = bare;
	struct series without = { 0 }, with = { 0 };
	struct row row = row_make("  sendto");

	table_section("UDP sendto on a bound socket (CPU time)");
	net_enter(RANGE);
	server_start(SERVER_DROPS, 1);
	ours.policy = ways[SHARED].policy;
	for (int round = 0, rounds = rounds_of(61); round < rounds; round++)
		for (int i = 0; i < 2; i++) {
			if ((i + round) % 2)
				series_add(&with, load_run(&ours).call);
			else
				series_add(&without, load_run(&bare).call);
		}
	server_stop();
	row.us = series_us(&with);
	row.ratio[TO_BARE] = series_ratio(&with, &without);
	row_note(&row, "goal: bare <= 1.02");
	row_print(&row);
}

void churn(void)
{
	char *late = policy_make("late.conf", "[rule late]\nports = " LATE_PORTS "\n");
	char *shared = policy_make("shared.conf", "[rule shared]\nports = " EARLY_PORTS "\nshare = destination\n");
	char *never = policy_make("never.conf", "[rule never]\nports = " EARLY_PORTS "\nshare = never\n");

	ways[LATE].policy = late;
	ways[SHARED].policy = shared;
	ways[NEVER].policy = never;
	close_by_reset();
	close_first();
	sends();
	free(late);
	free(shared);
	free(never);
}
