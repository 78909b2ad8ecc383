/* test_usage.c - counting an audit into intervals that grow: the same as counting each interval by itself; and never more than so
 * much memory. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/usage.h"

static void in_berlin(void)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
}

TestSuite(usage, .init = in_berlin, .timeout = 120);

#define NOW (INT64_C(1795581727) * WHEN_SECOND)
enum { LINES = 4000, RULES = 3, PROGRAMS = 9 };

static const char *const rules[RULES] = { "web", "db", "" };
static struct audit_entry line[LINES];
static char paths[PROGRAMS][16];
static struct usage usage;

static uint64_t random_next(uint64_t below)
{
	static uint64_t seed = 42;
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 16) % below;
}

static void lines_make(int64_t span)
{
	for (int i = 0; i < PROGRAMS; i++)
		snprintf(paths[i], sizeof(paths[i]), "/bin/p%d", i);
	for (int i = 0; i < LINES; i++)
		line[i] = (struct audit_entry){
			.moment = NOW + (int64_t)random_next((uint64_t)span / 1000 + 1) * 1000,
			.event = random_next(20) == 0 ? AUDIT_REFUSED : AUDIT_ASSIGNED, .rule = rules[random_next(RULES)],
			.program = paths[random_next(PROGRAMS)], .user = (uint32_t)random_next(5),
			.port = (uint16_t)(1 + random_next(random_next(2) ? 50 : 65535)),
		};
}

static int earlier_first(const void *a, const void *b)
{
	int64_t one = ((const struct audit_entry *)a)->moment, other = ((const struct audit_entry *)b)->moment;
	return (one > other) - (one < other);
}

static void hear_all(const struct usage_query *query)
{
	usage_begin(&usage, query);
	for (int i = 0; i < LINES; i++)
		usage_hear(&usage, &line[i]);
	usage_settle(&usage);
}

/* ---- against a count in another way ---------------------------------------------------------------------- */

static bool is_of(const struct audit_entry *entry, const struct usage_rule *rule, enum audit_event event)
{
	const struct usage_query *query = &usage.query;
	return entry->event == event && strcmp(entry->rule, rule->name) == 0 && (!query->has_from || entry->moment >= query->from) &&
	       (!query->has_to || entry->moment <= query->to);
}

static void expect_interval(const struct usage_rule *rule, size_t interval)
{
	static bool seen[65536];
	int64_t from = grid_start(&usage.grid, usage.base + (int64_t)interval), to = from + grid_length(&usage.grid);
	uint64_t assigned = 0, refused = 0, ports = 0, of_first = 0;
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < LINES; i++) {
		if (line[i].moment < from || line[i].moment >= to)
			continue;
		refused += is_of(&line[i], rule, AUDIT_REFUSED);
		if (!is_of(&line[i], rule, AUDIT_ASSIGNED))
			continue;
		assigned++;
		ports += !seen[line[i].port];
		seen[line[i].port] = true;
		of_first += strcmp(line[i].program, rule->program[0]->path) == 0;
	}
	cr_expect_eq(rule->count[interval], assigned);
	cr_expect_eq(rule->refusals[interval], refused);
	cr_expect_eq(rule->ports[interval].n, ports);
	cr_expect_eq(rule->program[0]->count[interval], of_first);
}

static void expect_rule(const struct usage_rule *rule)
{
	uint64_t assigned = 0, refused = 0, programs = 0, users = 0, in_row = 0, of_programs = 0;
	for (int i = 0; i < LINES; i++) {
		assigned += is_of(&line[i], rule, AUDIT_ASSIGNED);
		refused += is_of(&line[i], rule, AUDIT_REFUSED);
	}
	for (size_t i = 0; i < rule->programs; i++)
		programs += rule->program[i]->total;
	for (size_t i = 0; i < rule->users; i++)
		users += rule->user[i].total;
	for (size_t i = 0; i < USAGE_INTERVALS; i++) {
		in_row += rule->count[i];
		for (size_t j = 0; j < rule->programs; j++)
			of_programs += rule->program[j]->count[i];
	}
	cr_expect_eq(rule->assigned, assigned);
	cr_expect_eq(rule->refused, refused);
	cr_expect(programs == assigned && users == assigned && in_row == assigned && of_programs == assigned);
	for (size_t i = 1; i < rule->programs; i++)
		cr_expect_geq(rule->program[i - 1]->total, rule->program[i]->total);
	for (size_t i = 0; i < usage_intervals(&usage); i++)
		expect_interval(rule, i);
}

static void expect_counted(const char *length)
{
	cr_expect_str_eq(grid_words(&usage.grid), length);
	cr_expect_leq(usage_intervals(&usage), USAGE_INTERVALS);
	cr_expect_eq(usage.rules, RULES);
	for (size_t i = 0; i < usage.rules; i++)
		expect_rule(usage.rule[i]);
	usage_free(&usage);
}

static const struct { int64_t span; const char *length; } spans[] = {
	{ WHEN_SECOND / 2, "1 s" }, { 190 * WHEN_SECOND, "1 s" }, { 600 * WHEN_SECOND, "5 s" }, { 3600 * WHEN_SECOND, "30 s" },
	{ WHEN_DAY, "15 min" }, { 7 * WHEN_DAY, "1 h" }, { 30 * WHEN_DAY, "6 h" }, { 360 * WHEN_DAY, "1 week" },
	{ 3600 * WHEN_DAY, "4 weeks" },
};
enum { SPANS = sizeof(spans) / sizeof(*spans) };

Test(usage, in_any_order)
{
	for (size_t i = 0; i < SPANS; i++) {
		lines_make(spans[i].span);
		hear_all(&(struct usage_query){ .rule = NULL });
		expect_counted(spans[i].length);
	}
}

Test(usage, in_the_order_of_time_and_backwards)
{
	for (size_t i = 0; i < SPANS; i++) {
		lines_make(spans[i].span);
		qsort(line, LINES, sizeof(*line), earlier_first);
		hear_all(&(struct usage_query){ .rule = NULL });
		expect_counted(spans[i].length);
		for (int j = 0; j < LINES / 2; j++) {
			struct audit_entry one = line[j];
			line[j] = line[LINES - 1 - j];
			line[LINES - 1 - j] = one;
		}
		hear_all(&(struct usage_query){ .rule = NULL });
		expect_counted(spans[i].length);
	}
}

/* The row is that of the times asked for, whatever there is. */
Test(usage, of_a_time_asked_for)
{
	const struct usage_query query = { .has_from = true, .has_to = true, .from = NOW + WHEN_DAY, .to = NOW + 2 * WHEN_DAY - 1 };
	lines_make(7 * WHEN_DAY);
	hear_all(&query);
	cr_expect_eq(grid_index(&usage.grid, query.from), usage.base);
	cr_expect_eq(usage_intervals(&usage), 97); /* of 15 minutes; the first and the last are cut */
	cr_expect_gt(usage.elsewhen, LINES / 2);
	cr_expect_eq(usage.lines + usage.elsewhen, LINES);
	expect_counted("15 min");
	hear_all(&(struct usage_query){ .has_from = true, .from = NOW - 300 * WHEN_DAY });
	cr_expect_eq(usage.lines, LINES);
	expect_counted("1 week");
	hear_all(&(struct usage_query){ .has_to = true, .to = NOW + WHEN_SECOND - 1 });
	cr_expect_lt(usage.lines, 5);
	usage_free(&usage);
}

Test(usage, of_one_rule)
{
	lines_make(WHEN_DAY);
	hear_all(&(struct usage_query){ .rule = "db" });
	cr_assert_eq(usage.rules, 1);
	cr_expect_str_eq(usage.rule[0]->name, "db");
	cr_expect_eq(usage.elsewhen, 0);
	expect_rule(usage.rule[0]);
	usage_free(&usage);
}

/* The years 1970 and 9999 in one row. */
Test(usage, moments_far_from_each_other)
{
	usage_begin(&usage, &(struct usage_query){ .rule = NULL });
	struct audit_entry entry = { .rule = "web", .program = "", .port = 7 };
	static const int64_t moments[] = { NOW, INT64_C(253402300799) * WHEN_SECOND, 0, NOW };
	for (size_t i = 0; i < 4; i++) {
		entry.moment = moments[i];
		usage_hear(&usage, &entry);
	}
	usage_settle(&usage);
	cr_assert_leq(usage_intervals(&usage), USAGE_INTERVALS);
	cr_expect_eq(usage.rule[0]->count[0] + usage.rule[0]->count[1], 3);
	cr_expect_eq(usage.rule[0]->count[usage_intervals(&usage) - 1], 1);
	cr_expect_eq(usage.rule[0]->all.n, 1);
	usage_free(&usage);
}

/* ---- bounds ------------------------------------------------------------------------------------------ */

/* More rules, programs and users than there is room for: none is lost from the sums. */
Test(usage, room_is_bounded)
{
	static char name[5000];
	struct audit_entry entry = { .moment = NOW, .rule = name, .program = "/bin/a", .port = 1 };
	usage_begin(&usage, &(struct usage_query){ .rule = NULL });
	for (int i = 0; i < USAGE_RULES + 10; i++) {
		snprintf(name, sizeof(name), "rule%d", i);
		usage_hear(&usage, &entry);
	}
	cr_expect_eq(usage.rules, USAGE_RULES);
	cr_expect_eq(usage.other_rules, 10);
	entry.rule = "rule0";
	entry.program = name;
	for (uint32_t i = 0; i < 2 * USAGE_PROGRAMS; i++) {
		entry.user = i;
		snprintf(name, sizeof(name), "/bin/%u", i);
		usage_hear(&usage, &entry);
	}
	memset(name, 'x', sizeof(name) - 1);
	usage_hear(&usage, &entry);
	usage_settle(&usage);
	const struct usage_rule *rule = usage.rule[0];
	uint64_t programs = rule->other_programs, users = rule->other_users;
	cr_expect(rule->programs == USAGE_PROGRAMS && rule->users == USAGE_USERS);
	for (size_t i = 0; i < USAGE_PROGRAMS; i++)
		programs += rule->program[i]->total;
	for (size_t i = 0; i < USAGE_USERS; i++)
		users += rule->user[i].total;
	cr_expect_eq(programs, rule->assigned);
	cr_expect_eq(users, rule->assigned);
	cr_expect_eq(rule->assigned, 2 * USAGE_PROGRAMS + 2);
	usage_free(&usage);
}

/* Names of any length are told apart by what is kept of them, and by the rest. */
Test(usage, long_names)
{
	static char one[70000], other[70000];
	memset(one, 'x', sizeof(one) - 1);
	memset(other, 'x', sizeof(other) - 1);
	other[100] = 'y';
	struct audit_entry entry = { .moment = NOW, .rule = "web", .port = 1 };
	usage_begin(&usage, &(struct usage_query){ .rule = NULL });
	for (int i = 0; i < 5; i++) {
		entry.program = i < 2 ? one : other;
		usage_hear(&usage, &entry);
	}
	usage_settle(&usage);
	cr_assert_eq(usage.rule[0]->programs, 2);
	cr_expect_eq(usage.rule[0]->program[0]->total, 3);
	cr_expect_lt(strlen(usage.rule[0]->program[0]->path), 4096);
	usage_free(&usage);
}

Test(usage, sets_of_ports)
{
	struct port_bits one = { .n = 0 }, other = { .n = 0 };
	for (unsigned port = 0; port < 65536; port += 3)
		port_bits_add(&one, (uint16_t)port);
	port_bits_add(&one, 3);
	cr_expect_eq(one.n, 21846);
	for (unsigned port = 0; port < 65536; port += 2)
		port_bits_add(&other, (uint16_t)port);
	port_bits_join(&one, &other);
	cr_expect_eq(one.n, 43691);
	cr_expect_eq(other.n, 0);
	for (unsigned port = 0; port < 65536; port++)
		cr_assert_eq(port_bits_have(&one, (uint16_t)port), port % 3 == 0 || port % 2 == 0, "%u", port);
	port_bits_join(&other, &one);
	cr_expect(other.n == 43691 && one.n == 0 && port_bits_have(&other, 65532) && !port_bits_have(&one, 65532));
	port_bits_free(&other);
	cr_expect_not(port_bits_have(&other, 0));
}
