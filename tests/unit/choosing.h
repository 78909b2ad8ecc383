/* choosing.h - a rule, a table and a destination of the test's own, and ports chosen for them. */
#ifndef PORTSHIM_TESTS_UNIT_CHOOSING_H
#define PORTSHIM_TESTS_UNIT_CHOOSING_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mman.h>

#include "shim/choice.h"
#include "shim/clock.h"
#include "shim/rules.h"
#include "tests/lib/made_table.h"

enum { ALGORITHMS = CHOOSE_KERNEL + 1 };

static const char *const algorithm_name[ALGORITHMS] = {
	"random", "hash", "double-hash", "random-increments", "sequential", "least-recent", "stable", "kernel",
};

#define HOLES "20000-20099, !20050, 20127-20129, 20191-20193, 30000, 40000-40063, 65535"
#define FIVE_INTERVALS "20001-20100, 20200-20399, 20500, 20611-20863, 21000-21180" /* 735 ports */

/* One who chooses: all that a call has, but the socket. */
struct chooser {
	struct table *table; /* NULL: none */
	struct rule rule;
	struct kernel kernel;
	struct endpoint to;
	struct peer peer;
	uint32_t number;
	uint64_t program;
	bool lets_kernel_pick;
	bool sees_no_close;
};

/* What it was given; port 0: nothing. */
struct given {
	uint16_t port;
	struct lease lease;
};

/* The ports themselves are kept for good. */
static inline struct port_set set_of(const char *spec)
{
	static struct arena arena;
	const struct port_range range = { 32768, 60999 };
	char bytes[300];
	struct text why = TEXT_OVER(bytes);
	struct port_set set;

	text_clear(&why);
	cr_assert(ports_parse(&set, spec, range, &arena, &why), "%s: %s", spec, bytes);
	return set;
}

static inline void aim(struct chooser *c, struct endpoint to)
{
	static const struct table none;

	c->to = to;
	peer_make(&c->peer, c->table ? c->table : &none, PROTOCOL_TCP, &c->to, NULL);
}

static inline void chooser_make(struct chooser *c, struct table *table, enum choose choose, const char *spec)
{
	*c = (struct chooser){
		.table = table,
		.rule = { .name = algorithm_name[choose], .id = 7000 + choose, .choose = choose },
		.kernel.ephemeral = { 32768, 60999 },
		.program = 77,
	};
	c->rule.ports = set_of(spec);
	aim(c, local_endpoint(9, 443));
	if (table)
		c->number = rules_number(table, &c->rule);
}

static inline void table_gone(struct table *table)
{
	munmap(table, sizeof(*table));
}

static inline struct table_rule *entry_of(const struct chooser *c)
{
	return rules_entry(c->table, c->number);
}

static inline uint32_t count_of(const struct chooser *c)
{
	return c->rule.ports.count;
}

static inline uint16_t port_at(const struct chooser *c, uint32_t position)
{
	return ports_nth(&c->rule.ports, position, NULL);
}

/* The inverse, by the plainest of means. */
static inline uint32_t position_of(const struct chooser *c, uint16_t port)
{
	const struct port_set *set = &c->rule.ports;
	uint32_t i = 0;

	while (i < set->intervals && (port < set->interval[i].lo || port > set->interval[i].hi))
		i++;
	cr_assert_lt(i, set->intervals, "%s: %u is not in the set", algorithm_name[c->rule.choose], port);
	return set->interval[i].before + port - set->interval[i].lo;
}

static inline void begin(struct chooser *c, struct choice *choice)
{
	const struct purpose purpose = {
		.rule = &c->rule, .kernel = &c->kernel, .to = c->to.addr.family ? &c->to : NULL, .program = c->program,
		.lets_kernel_pick = c->lets_kernel_pick, .table = c->table, .peer = &c->peer, .number = c->number,
		.sees_no_close = c->sees_no_close,
	};

	choice_begin(choice, &purpose);
}

/* The first port that is proposed is taken, and stays claimed. */
static inline struct given get(struct chooser *c)
{
	struct choice choice;
	struct candidate candidate;

	begin(c, &choice);
	if (!choice_next(&choice, &candidate))
		return (struct given){ .port = 0 };
	choice_heard(&choice, &candidate, OUTCOME_GIVEN);
	cr_assert_eq(candidate.lo, candidate.hi);
	position_of(c, candidate.lo);
	return (struct given){ .port = candidate.lo, .lease = candidate.lease };
}

/* It comes back as by close(). */
static inline void give_back(struct chooser *c, const struct given *given)
{
	lease_release(c->table, &given->lease);
}

static inline uint16_t get_and_give_back(struct chooser *c)
{
	struct given given = get(c);

	cr_assert(given.port && given.lease.cell, "%s", algorithm_name[c->rule.choose]);
	give_back(c, &given);
	return given.port;
}

/* As if it had never been asked for, but for the counters. */
static inline uint16_t get_and_drop(struct chooser *c)
{
	struct given given = get(c);

	cr_assert(given.port && given.lease.cell, "%s", algorithm_name[c->rule.choose]);
	lease_drop(c->table, &given.lease);
	return given.port;
}

/* The port is in use towards the destination: the owner lives, so that no sweep frees it. */
static inline struct given occupy(struct chooser *c, uint16_t port)
{
	struct given given = { .port = port };

	cr_assert_eq(lease_claim(c->table, &c->peer, port, c->number, NULL, &given.lease), CLAIM_MADE);
	return given;
}

/* When the port was last used, by the table. */
static inline void set_used(struct chooser *c, uint16_t port, uint64_t when)
{
	atomic_store(&c->table->used[peer_space(c->peer.protocol)][port], when);
}

static inline void set_all_used(struct chooser *c, uint64_t when)
{
	for (uint32_t i = 0; i < count_of(c); i++)
		set_used(c, port_at(c, i), when);
}

static inline void forget_last(struct chooser *c)
{
	atomic_store(&entry_of(c)->released[peer_space(c->peer.protocol)], 0);
}

/* Numbers that are the same in each run, for busy ports and the like. */
static inline uint32_t draw(uint64_t *seed, uint32_t limit)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((*seed >> 33) % limit);
}

/* Which ports are busy from the start. */
enum pattern { NONE, EVERY_OTHER, RUNS, NINE_OF_TEN, NINE_OF_TEN_EVENLY, ALL_BUT_TWO, PATTERNS };

static inline bool is_busy_in(enum pattern pattern, uint32_t position, uint32_t count, uint64_t *seed)
{
	switch (pattern) {
	case NONE:
		return false;
	case EVERY_OTHER:
		return position % 2;
	case RUNS:
		return position / 37 % 2;
	case NINE_OF_TEN:
		return draw(seed, 10) > 0;
	case NINE_OF_TEN_EVENLY:
		return position % 10 != 0;
	default:
		return position != 0 && position != 1 + count / 2;
	}
}

/* busy[], by position, as it is then. Returns how many are free. */
static inline uint32_t occupy_pattern(struct chooser *c, enum pattern pattern, bool busy[65536])
{
	uint64_t seed = 99;
	uint32_t n_free = 0;

	for (uint32_t i = 0; i < count_of(c); i++) {
		busy[i] = is_busy_in(pattern, i, count_of(c), &seed);
		if (busy[i])
			occupy(c, port_at(c, i));
		n_free += !busy[i];
	}
	return n_free;
}

/* --- whether figures are even but for chance --- */

/* Both bounds are such that a right implementation is beyond them less than once in some million times: chi-square by
 * Laurent and Massart (x = 16), a single port by Bernstein (e^-23 for each). A port that is never given is found where
 * 47 or more are expected. */
static inline bool fits(const uint32_t *seen, const double *expected, uint32_t n)
{
	const double x = 16;
	double sum = 0, above;

	for (uint32_t i = 0; i < n; i++) {
		double off = seen[i] - expected[i];

		if (off * off > 46 * (expected[i] + (off > 0 ? off / 3 : 0)))
			return false;
		sum += off * off / expected[i];
	}
	above = sum - (n - 1) - 2 * x;
	return above <= 0 || above * above <= 4 * (n - 1) * x;
}

static inline bool fits_even(const uint32_t *seen, uint32_t n)
{
	static double expected[65536];
	double all = 0;

	for (uint32_t i = 0; i < n; i++)
		all += seen[i];
	for (uint32_t i = 0; i < n; i++)
		expected[i] = all / n;
	return fits(seen, expected, n);
}

#endif
