/* bench.h - what the parts of the benchmark share.
 *
 * Everything is measured in rounds: each round runs every way once, one after the other, and the order turns from
 * round to round. Costs shown are medians over the rounds; ratios are medians of the ratios within a round, so that a
 * machine that is slower for a while does not tell. */
#ifndef PORTSHIM_TESTS_BENCH_H
#define PORTSHIM_TESTS_BENCH_H

#include <stdbool.h>
#include <sys/types.h>

/* --- stage.c: where it happens --- */

void fail(const char *what) __attribute__((noreturn));
void pass_time(long us);

/* A file below the build folder; one of a few static buffers. */
const char *built(const char *name);
/* A file in a folder that is removed at the end. To be freed. */
char *scratch(const char *name);
/* The same with this text, a policy. */
char *policy_make(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How many connections a process can hold. Raises the limit as far as that goes. */
int descriptors_each(void);
void stage_begin(const char *build);
void stage_end(void);

/* Moves this process into a new network namespace with that ip_local_port_range; removes the old one's table. */
void net_enter(const char *range);
void net_leave(void);
/* Size of the table's file of this network namespace and what of it is in memory, in KiB; false: there is none. */
bool net_table(long *size, long *resident);

#define ADDRESS "127.0.0.1"
#define SERVER_PORT "5000"

enum server {
	SERVER_DROPS, /* closes what it accepts; takes datagrams too */
	SERVER_LAST,  /* closes behind the client */
	SERVER_KEEPS, /* keeps each connection until the client ends it */
};

#define PROCESSES_MAX 32

void server_start(enum server kind, int processes);
/* Waits until no connection waits to be accepted. */
void server_settle(void);
void server_stop(void);

/* --- measure.c: programs, and what they cost --- */

#define ROUNDS_MAX 201

struct series {
	double ns[ROUNDS_MAX];
	int n;
};

/* SIGINT and SIGTERM end the benchmark at the next result. */
void stop_on_signals(void);
void series_add(struct series *series, double ns);
double series_us(const struct series *series);
/* Of those in the same round. NAN if there are none. */
double series_ratio(const struct series *a, const struct series *b);

/* Rounds, of `usual` many: BENCH_ROUNDS is a percentage. */
int rounds_of(int usual);

/* A run of load.c. */
struct load {
	const char *how;
	long count;
	int lo, hi;          /* ports of the ways by hand */
	const char *policy;  /* NULL: without the library */
	const char *options[4];
};

struct cost { double call, first, start, rss; }; /* as load.c prints them */

struct cost load_run(const struct load *load);

/* In a child: becomes the program under that policy (NULL: without the library). */
void become(const char *const argv[], const char *policy) __attribute__((noreturn));

double wall_ns(void);

/* --- show.c: what is shown --- */

enum column { TO_HAND, TO_BARE, HAND_TO_BARE, TO_RANGE, TO_LINEAR, TO_RANDOM, COLUMNS };

struct row {
	char name[48];
	double us;
	double ratio[COLUMNS]; /* NAN: empty */
	char note[80];
};

struct row row_make(const char *format, ...) __attribute__((format(printf, 1, 2)));
void row_note(struct row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));
void row_print(const struct row *row);
void table_head(void);
void table_section(const char *words);

/* --- the parts --- */

void churn(void);   /* connect and close, in each way; sends */
void crowd(void);   /* many processes at once */
void fill(void);    /* a pool from empty to used up; plot */
void startup(void); /* of a program that never uses the network */
void rules(void);   /* long policies */
void supervise(void); /* calls of a supervised tree, and its start */
void memory(void);  /* of the table; questions to the kernel */

/* --- plot.c --- */

#define PLOT_POINTS 32

struct line {
	const char *name, *colour, *dash; /* dash: as in SVG, "" for none */
	double percent[PLOT_POINTS], us[PLOT_POINTS];
	int points;
	double used_up; /* cost of being told so; NAN: not measured */
};

void plot_write(const char *path, const struct line *lines, int n, const char *subtitle);

#endif
