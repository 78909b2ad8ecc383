/* fill.c - a pool of ports, filled step by step with connections to one destination: what one more connection costs.
 *
 * The pool is BENCH_POOL ports, 28,000 unless that is set. What fills it are processes under portshim and the same
 * policy; at each step every way connects, resets and closes for a few milliseconds, in turns. CPU time of the client.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define POOL_LO 20000
#define OUTSIDE_LO 50000 /* behind the largest pool */
#define OUTSIDE_HI 59999
#define POOL_USUAL 28000
#define POOL_SMALL 8000
#define KIB_PER_CONNECTION 16 /* two sockets, generously */

#define LEVELS 12
#define USED_UP LEVELS /* one step more */
static const double levels[LEVELS] = { 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99, 99.9 };

enum { SHARED, NEVER, LATE, RANGE, RANDOM, LINEAR, LINEAR_OWN, HAND, WAYS };

/* A linear scan meets few used ports in a row where they were chosen at random, and no others where it chose them. */
static struct line lines[WAYS] = {
	[SHARED] = { .name = "portshim, early, shared", .colour = "#0072b2", .dash = "" },
	[NEVER] = { .name = "portshim, early, exclusive", .colour = "#56b4e9", .dash = "7 4" },
	[LATE] = { .name = "portshim, late", .colour = "#009e73", .dash = "" },
	[RANGE] = { .name = "kernel: IP_LOCAL_PORT_RANGE", .colour = "#cc79a7", .dash = "" },
	[RANDOM] = { .name = "by hand: random probing", .colour = "#e69f00", .dash = "" },
	[LINEAR] = { .name = "by hand: linear scan", .colour = "#d55e00", .dash = "" },
	[LINEAR_OWN] = { .name = "the same, filled by itself", .colour = "#d55e00", .dash = "7 4" },
	[HAND] = { .name = "by hand: bind, outside the pool", .colour = "#888888", .dash = "2 4" },
};

static int pool;

static const char *const hows[WAYS] = {
	[SHARED] = "connect", [NEVER] = "connect", [LATE] = "connect", [RANGE] = "connect-range",
	[RANDOM] = "connect-random", [LINEAR] = "connect-linear", [LINEAR_OWN] = "connect-linear",
	[HAND] = "connect-early"
};

#define BESIDE 4

/* Ways that are measured together, on a pool that the first of them has filled. The last of them, ports outside the
 * pool that are never in use, is what levels are compared by: a machine that is slower for a while slows it as well. */
static const struct stage {
	const char *title, *range, *share; /* share NULL: without portshim */
	int ways, way[BESIDE];
} stages[] = {
	{ "Early, shared", "60000 60999", "destination", 4, { SHARED, RANDOM, LINEAR, HAND } },
	{ "Late", "20000 60999", "destination", 3, { LATE, RANGE, HAND } },
	{ "Early, exclusive", "60000 60999", "never", 2, { NEVER, HAND } },
	{ "No portshim, scanned and filled by linear scans", "60000 60999", NULL, 2, { LINEAR_OWN, HAND } },
};

#define STAGES (sizeof(stages) / sizeof(stages[0]))

static struct series costs[STAGES][BESIDE][LEVELS + 1];

static struct series *costs_of(const struct stage *stage, int i)
{
	return costs[stage - stages][i];
}

/* --- what fills it: as many processes as one cannot have so many descriptors --- */

static struct holder {
	pid_t pid;
	FILE *in, *out;
} holders[PROCESSES_MAX];
static int n_holders;

static void holder_start(struct holder *holder, const char *policy, int lo)
{
	char words[12];
	const char *argv[] = { built("tests/bench/hold"), ADDRESS, SERVER_PORT, policy ? NULL : words, NULL };
	int in[2], out[2];

	snprintf(words, sizeof(words), "%d", lo);
	/* No holder has the end of another's input. */
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || (holder->pid = fork()) < 0)
		fail("fork");
	if (holder->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		become(argv, policy);
	}
	close(in[0]);
	close(out[1]);
	holder->in = fdopen(in[1], "w");
	holder->out = fdopen(out[0], "r");
}

static long holder_reach(const struct holder *holder, long wanted)
{
	long held = 0;

	errno = EPIPE;
	if (fprintf(holder->in, "%ld\n", wanted) < 0 || fflush(holder->in) < 0 ||
	    fscanf(holder->out, "%ld", &held) != 1)
		fail("hold");
	return held;
}

/* How many connections are held then. */
static long hold(long wanted)
{
	long each = descriptors_each(), held = 0;

	for (int i = 0; i < n_holders && held < wanted; i++)
		held += holder_reach(&holders[i], wanted - held < each ? wanted - held : each);
	server_settle();
	return held;
}

static void holders_start(const char *policy)
{
	for (int i = 0; i < n_holders; i++)
		holder_start(&holders[i], policy, POOL_LO + i * descriptors_each());
}

static void holders_stop(void)
{
	for (int i = 0; i < n_holders; i++) {
		fclose(holders[i].in);
		waitpid(holders[i].pid, NULL, 0);
		fclose(holders[i].out);
	}
}

/* --- measuring --- */

static double measure_way(const struct stage *stage, int way, int level, const char *policy)
{
	struct load load = { .how = hows[way], .count = 100000, .lo = POOL_LO, .hi = POOL_LO + pool - 1 };

	load.options[0] = "ms=12";
	if (way == HAND) {
		load.lo = OUTSIDE_LO;
		load.hi = OUTSIDE_HI;
	} else if (level == USED_UP) {
		load.options[1] = "full";
	}
	if (way == stage->way[0])
		load.policy = policy;
	return load_run(&load).call;
}

static void measure_level(const struct stage *stage, int level, const char *policy)
{
	for (int round = 0, rounds = rounds_of(11); round < rounds; round++)
		for (int k = 0; k < stage->ways; k++) {
			int i = (k + round) % stage->ways;

			series_add(&costs_of(stage, i)[level], measure_way(stage, stage->way[i], level, policy));
		}
}

static double to_hand(const struct stage *stage, int level)
{
	return series_ratio(&costs_of(stage, 0)[level], &costs_of(stage, stage->ways - 1)[level]);
}

static void note_level(struct row *row, const struct stage *stage, int level)
{
	const char *goal = stage->share && level < USED_UP && levels[level] > 99 ? "; goal <= 1.30" : "";

	if (level < USED_UP && level > 1)
		row_note(row, "%.2f of 10 %%%s", to_hand(stage, level) / to_hand(stage, 1), goal);
	else if (level == USED_UP && stage->share)
		row_note(row, "goal <= 20 us");
}

static void print_level(const struct stage *stage, int level)
{
	static const enum column columns[WAYS] = {
		[HAND] = TO_HAND, [RANGE] = TO_RANGE, [LINEAR] = TO_LINEAR, [RANDOM] = TO_RANDOM
	};
	struct row row = level == USED_UP ? row_make("  used up") : row_make("  %g %%", levels[level]);
	const struct series *ours = &costs_of(stage, 0)[level];

	row.us = series_us(ours);
	for (int i = 1; i < stage->ways; i++)
		row.ratio[columns[stage->way[i]]] = series_ratio(ours, &costs_of(stage, i)[level]);
	note_level(&row, stage, level);
	row_print(&row);
}

static bool is_shown(int level)
{
	return level == USED_UP || level <= 1 || levels[level] == 50 || levels[level] >= 90;
}

static void fill_stage(const struct stage *stage)
{
	char *policy = NULL;
	char words[160];

	snprintf(words, sizeof(words), "%s: one more connection, with so many of %d ports in use (CPU time)",
	         stage->title, pool);
	table_section(words);
	if (stage->share)
		policy = policy_make("fill.conf", "[rule pool]\nports = %d-%d\nshare = %s\n", POOL_LO,
		                     POOL_LO + pool - 1, stage->share);
	net_enter(stage->range);
	/* One more than the holders: there is room for the connections that are measured. */
	server_start(SERVER_KEEPS, n_holders + 1);
	holders_start(policy);
	for (int level = 0; level <= USED_UP; level++) {
		long wanted = level == USED_UP ? pool : (long)(pool * levels[level] / 100), held = hold(wanted);

		if (held < wanted) {
			printf("  %ld connections were wanted here, %ld could be made\n", wanted, held);
			break;
		}
		measure_level(stage, level, policy);
		if (is_shown(level))
			print_level(stage, level);
	}
	holders_stop();
	server_stop();
	free(policy);
}

/* --- how large --- */

static long available_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *info = fopen("/proc/meminfo", "r");

	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "MemAvailable: %ld", &kib) == 1)
			break;
	if (info)
		fclose(info);
	return kib;
}

static void choose_pool(void)
{
	const char *words = getenv("BENCH_POOL");

	pool = words ? atoi(words) : POOL_USUAL;
	if (pool < 1000 || pool > POOL_USUAL)
		pool = POOL_USUAL;
	if (pool > POOL_SMALL && available_kib() < (long)pool * KIB_PER_CONNECTION) {
		pool = POOL_SMALL;
		printf("\nThere is no memory for a larger pool than this:\n");
	}
	n_holders = pool / descriptors_each() + 1;
	if (n_holders >= PROCESSES_MAX) {
		errno = EMFILE;
		fail("too few descriptors");
	}
}

/* --- the picture --- */

static void make_line(struct line *line, const struct series *series)
{
	line->points = 0;
	for (int level = 0; level < LEVELS && series[level].n > 0; level++) {
		line->percent[line->points] = levels[level];
		line->us[line->points++] = series_us(&series[level]);
	}
	line->used_up = line == &lines[HAND] ? NAN : series_us(&series[USED_UP]);
}

static void draw(void)
{
	char subtitle[200];

	snprintf(subtitle, sizeof(subtitle),
	         "CPU time of connect, reset and close; %d ports, held by connections to the same destination; medians",
	         pool);
	for (size_t i = STAGES; i-- > 0;)
		for (int k = 0; k < stages[i].ways; k++)
			make_line(&lines[stages[i].way[k]], costs[i][k]);
	plot_write(built("bench.svg"), lines, WAYS, subtitle);
}

void fill(void)
{
	choose_pool();
	for (size_t i = 0; i < STAGES; i++)
		fill_stage(&stages[i]);
	draw();
	printf("  all of this as a picture: %s\n", built("bench.svg"));
}
