/* usage.c - counting the audit's lines into intervals that grow. */
#define _GNU_SOURCE
#include "tools/usage.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"

void usage_begin(struct usage *usage, const struct usage_query *query)
{
	memset(usage, 0, sizeof(*usage));
	usage->query = *query;
}

/* ---- the row of intervals: each of these does the same to all that is counted in it ------------------------ */

/* Adds the numbers of each interval to one that is not behind it. */
static void counts_join(uint64_t count[USAGE_INTERVALS], const size_t into[USAGE_INTERVALS])
{
	for (size_t i = 0; i < USAGE_INTERVALS; i++) {
		uint64_t number = count[i];
		count[i] = 0;
		count[into[i]] += number;
	}
}

static void bits_join(struct port_bits bits[USAGE_INTERVALS], const size_t into[USAGE_INTERVALS])
{
	for (size_t i = 0; i < USAGE_INTERVALS; i++)
		if (into[i] != i && bits[i].n)
			port_bits_join(&bits[into[i]], &bits[i]);
}

/* Longer intervals. What is in the row stays in it: it becomes shorter. */
static void row_coarsen(struct usage *usage)
{
	const struct grid finer = usage->grid;
	size_t into[USAGE_INTERVALS];
	grid_coarsen(&usage->grid);
	int64_t base = grid_index(&usage->grid, grid_start(&finer, usage->base));
	for (size_t i = 0; i < USAGE_INTERVALS; i++)
		into[i] = (size_t)(grid_index(&usage->grid, grid_start(&finer, usage->base + (int64_t)i)) - base);
	usage->base = base;
	for (size_t i = 0; i < usage->rules; i++) {
		struct usage_rule *rule = usage->rule[i];
		counts_join(rule->count, into);
		counts_join(rule->refusals, into);
		bits_join(rule->ports, into);
		for (size_t j = 0; j < rule->programs; j++)
			counts_join(rule->program[j]->count, into);
	}
}

static void counts_move(uint64_t count[USAGE_INTERVALS], size_t by)
{
	memmove(count + by, count, (USAGE_INTERVALS - by) * sizeof(*count));
	memset(count, 0, by * sizeof(*count));
}

/* The row begins `by` intervals earlier. What falls out behind is empty. */
static void row_move(struct usage *usage, size_t by)
{
	usage->base -= (int64_t)by;
	for (size_t i = 0; i < usage->rules; i++) {
		struct usage_rule *rule = usage->rule[i];
		counts_move(rule->count, by);
		counts_move(rule->refusals, by);
		memmove(rule->ports + by, rule->ports, (USAGE_INTERVALS - by) * sizeof(*rule->ports));
		memset(rule->ports, 0, by * sizeof(*rule->ports));
		for (size_t j = 0; j < rule->programs; j++)
			counts_move(rule->program[j]->count, by);
	}
}

/* Room for all of first..last. */
static void row_fit(struct usage *usage)
{
	const struct grid *grid = &usage->grid;
	while (grid_index(grid, usage->last) - grid_index(grid, usage->first) >= USAGE_INTERVALS)
		row_coarsen(usage);
	int64_t base = grid_index(grid, usage->first);
	if (base < usage->base)
		row_move(usage, (size_t)(usage->base - base));
}

static void row_begin(struct usage *usage, int64_t moment)
{
	const struct usage_query *query = &usage->query;
	grid_begin(&usage->grid, moment);
	usage->first = query->has_from ? query->from : moment;
	usage->last = query->has_to ? query->to : moment;
	usage->base = grid_index(&usage->grid, usage->first);
	usage->begun = true;
	row_fit(usage);
}

/* The moment's place in the row. */
static size_t row_place(struct usage *usage, int64_t moment)
{
	if (!usage->begun) {
		row_begin(usage, moment);
	} else if (moment < usage->first || moment > usage->last) {
		usage->first = moment < usage->first ? moment : usage->first;
		usage->last = moment > usage->last ? moment : usage->last;
		row_fit(usage);
	}
	return (size_t)(grid_index(&usage->grid, moment) - usage->base);
}

/* ---- who it was ---------------------------------------------------------------------------------------- */

enum { NAME_MOST = PATH_MAX - 1 }; /* bytes of a name that are kept */

/* FNV-1a: tells most names apart without looking at them. */
static uint64_t hash_of(const char *words)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	for (; *words; words++)
		hash = (hash ^ (unsigned char)*words) * UINT64_C(1099511628211);
	return hash;
}

/* NULL: there is no room for another. */
static struct usage_rule *rule_of(struct usage *usage, const char *name)
{
	uint64_t hash = hash_of(name);
	for (size_t i = 0; i < usage->rules; i++)
		if (usage->rule[i]->hash == hash && strncmp(usage->rule[i]->name, name, NAME_MOST) == 0)
			return usage->rule[i];
	if (usage->rules == USAGE_RULES)
		return NULL;
	struct usage_rule *rule = memory_zeroed(1, sizeof(*rule));
	rule->name = memory_words("%.*s", NAME_MOST, name);
	rule->hash = hash;
	return usage->rule[usage->rules++] = rule;
}

static struct usage_program *program_of(struct usage_rule *rule, const char *path)
{
	uint64_t hash = hash_of(path);
	for (size_t i = 0; i < rule->programs; i++)
		if (rule->program[i]->hash == hash && strncmp(rule->program[i]->path, path, NAME_MOST) == 0)
			return rule->program[i];
	if (rule->programs == USAGE_PROGRAMS)
		return NULL;
	struct usage_program *program = memory_zeroed(1, sizeof(*program));
	program->path = memory_words("%.*s", NAME_MOST, path);
	program->hash = hash;
	rule->program = memory_for_one(rule->program, rule->programs, &rule->programs_room, sizeof(struct usage_program *));
	return rule->program[rule->programs++] = program;
}

static uint64_t *user_count(struct usage_rule *rule, uint32_t user)
{
	for (size_t i = 0; i < rule->users; i++)
		if (rule->user[i].user == user)
			return &rule->user[i].total;
	if (rule->users == USAGE_USERS)
		return &rule->other_users;
	rule->user = memory_for_one(rule->user, rule->users, &rule->users_room, sizeof(*rule->user));
	rule->user[rule->users] = (struct usage_user){ .user = user };
	return &rule->user[rule->users++].total;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

static void assigned(struct usage_rule *rule, size_t place, const struct audit_entry *entry)
{
	struct usage_program *program = program_of(rule, entry->program);
	rule->assigned++;
	rule->count[place]++;
	port_bits_add(&rule->ports[place], entry->port);
	port_bits_add(&rule->all, entry->port);
	++*user_count(rule, entry->user);
	if (!program) {
		rule->other_programs++;
		return;
	}
	program->total++;
	program->count[place]++;
}

static bool is_asked_for(struct usage *usage, const struct audit_entry *entry)
{
	const struct usage_query *query = &usage->query;
	if (query->rule && strcmp(entry->rule, query->rule) != 0)
		return false;
	if (!usage->seen_last || entry->moment < usage->seen_first)
		usage->seen_first = entry->moment;
	if (entry->moment > usage->seen_last)
		usage->seen_last = entry->moment;
	bool within = (!query->has_from || entry->moment >= query->from) && (!query->has_to || entry->moment <= query->to);
	usage->elsewhen += !within;
	return within;
}

void usage_hear(void *context, const struct audit_entry *entry)
{
	struct usage *usage = context;
	if (!is_asked_for(usage, entry))
		return;
	struct usage_rule *rule = rule_of(usage, entry->rule);
	if (!rule) {
		usage->other_rules++;
		return;
	}
	size_t place = row_place(usage, entry->moment);
	usage->lines++;
	if (entry->event == AUDIT_ASSIGNED) {
		assigned(rule, place, entry);
	} else {
		rule->refused++;
		rule->refusals[place]++;
	}
}

static int by_total(const void *a, const void *b)
{
	const struct usage_program *one = *(struct usage_program *const *)a, *other = *(struct usage_program *const *)b;
	int order = (one->total < other->total) - (one->total > other->total);
	return order ? order : strcmp(one->path, other->path);
}

static int by_user_total(const void *a, const void *b)
{
	const struct usage_user *one = a, *other = b;
	int order = (one->total < other->total) - (one->total > other->total);
	return order ? order : (one->user > other->user) - (one->user < other->user);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct usage_rule *const *)a)->name, (*(struct usage_rule *const *)b)->name);
}

void usage_settle(struct usage *usage)
{
	for (size_t i = 0; i < usage->rules; i++) {
		struct usage_rule *rule = usage->rule[i];
		if (rule->programs)
			qsort(rule->program, rule->programs, sizeof(struct usage_program *), by_total);
		if (rule->users)
			qsort(rule->user, rule->users, sizeof(*rule->user), by_user_total);
	}
	qsort(usage->rule, usage->rules, sizeof(struct usage_rule *), by_name);
}

size_t usage_intervals(const struct usage *usage)
{
	return usage->begun ? (size_t)(grid_index(&usage->grid, usage->last) - usage->base) + 1 : 0;
}

static void rule_free(struct usage_rule *rule)
{
	for (size_t i = 0; i < USAGE_INTERVALS; i++)
		port_bits_free(&rule->ports[i]);
	port_bits_free(&rule->all);
	for (size_t i = 0; i < rule->programs; i++) {
		free(rule->program[i]->path);
		free(rule->program[i]);
	}
	free(rule->program);
	free(rule->user);
	free(rule->name);
	free(rule);
}

void usage_free(struct usage *usage)
{
	for (size_t i = 0; i < usage->rules; i++)
		rule_free(usage->rule[i]);
	usage->rules = 0;
}
