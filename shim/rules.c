/* rules.c - the table's entries for rules. */
#define _GNU_SOURCE
#include "rules.h"

#include <string.h>

#include "clock.h"
#include "random.h"

#define PROBES 8u
#define USE_STEP (60 * SECOND) /* all processes read the word: it is written seldom */

_Static_assert(RULE_NAME_SIZE % 8 == 0, "names are kept as words");

struct table_rule *rules_entry(struct table *table, uint32_t number)
{
	return &table->rule[number % TABLE_RULES];
}

void rules_count(struct table *table, uint32_t number, enum rule_counter counter)
{
	struct table_rule *entry = table ? rules_entry(table, number) : NULL;
	word64 *count = !entry                    ? NULL :
	                counter == RULE_GIVEN    ? &entry->given :
	                counter == RULE_FAILURES ? &entry->failures :
	                counter == RULE_WAITS    ? &entry->waits :
	                counter == RULE_DENIED   ? &entry->denied : &entry->retries;

	if (count)
		atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

void rules_note_last(struct table *table, uint32_t number, unsigned int space, uint16_t port)
{
	atomic_store_explicit(&rules_entry(table, number)->released[space], port, memory_order_relaxed);
}

void rules_name(const struct table_rule *entry, char name[RULE_NAME_SIZE])
{
	for (size_t i = 0; i < RULE_NAME_SIZE / 8; i++) {
		uint64_t word = atomic_load_explicit(&entry->name[i], memory_order_relaxed);

		memcpy(name + i * 8, &word, 8);
	}
	name[RULE_NAME_SIZE - 1] = '\0';
}

static void name_write(struct table_rule *entry, const char *name)
{
	char bytes[RULE_NAME_SIZE] = "";
	size_t length = strlen(name);

	memcpy(bytes, name, length < sizeof(bytes) ? length : sizeof(bytes) - 1);
	for (size_t i = 0; i < RULE_NAME_SIZE / 8; i++) {
		uint64_t word;

		memcpy(&word, bytes + i * 8, 8);
		atomic_store_explicit(&entry->name[i], word, memory_order_relaxed);
	}
}

static bool begins_anywhere(enum choose choose)
{
	return choose == CHOOSE_RANDOM_INCREMENTS || choose == CHOOSE_LEAST_RECENT;
}

/* Algorithms that begin anywhere begin here. */
static void describe(struct table_rule *entry, const struct rule *rule)
{
	const struct port_set *set = &rule->ports;
	uint32_t kept = set->intervals < RULE_INTERVALS ? set->intervals : RULE_INTERVALS;

	for (uint32_t i = 0; i < kept; i++)
		atomic_store_explicit(&entry->interval[i], (uint32_t)set->interval[i].lo << 16 | set->interval[i].hi,
		                      memory_order_relaxed);
	atomic_store_explicit(&entry->ports, set->count, memory_order_relaxed);
	atomic_store_explicit(&entry->cooldown, rule->cooldown_ms, memory_order_relaxed);
	atomic_store_explicit(&entry->about,
	                      (uint32_t)rule->choose | (uint32_t)rule->share << 8 |
	                              (uint32_t)rule->protocols << RULE_PROTOCOLS_SHIFT | set->intervals << 16,
	                      memory_order_relaxed);
	atomic_store_explicit(&entry->next, begins_anywhere(rule->choose) ? (uint32_t)random_number() : 0,
	                      memory_order_relaxed);
	for (uint32_t i = 0; i < DOUBLE_HASH_COUNTERS; i++)
		atomic_store_explicit(&entry->table[i],
		                      rule->choose == CHOOSE_DOUBLE_HASH ? (uint32_t)random_number() : 0,
		                      memory_order_relaxed);
	name_write(entry, rule->name);
}

/* What another rule has counted there is not this one's. */
static void count_anew(struct table_rule *entry)
{
	word64 *const count[] = { &entry->given, &entry->failures, &entry->waits, &entry->denied, &entry->retries };

	for (size_t i = 0; i < sizeof(count) / sizeof(count[0]); i++)
		atomic_store_explicit(count[i], 0, memory_order_relaxed);
}

static bool entry_take(struct table_rule *entry, uint64_t old, const struct rule *rule)
{
	if (!atomic_compare_exchange_strong(&entry->id, &old, rule->id))
		return old == rule->id;
	if (old)
		count_anew(entry);
	describe(entry, rule);
	return true;
}

static uint32_t probe(const struct rule *rule, uint32_t i)
{
	uint32_t number = (uint32_t)(rule->id + i) % TABLE_RULES;

	return number ? number : TABLE_RULES / 2;
}

void rules_use(struct table_rule *entry, uint64_t now)
{
	uint64_t used = atomic_load_explicit(&entry->used, memory_order_relaxed);

	if (used > now || now - used > USE_STEP)
		atomic_store_explicit(&entry->used, now, memory_order_relaxed);
}

static uint32_t make(struct table *table, const struct rule *rule)
{
	uint32_t oldest = probe(rule, 0);

	for (uint32_t i = 0; i < PROBES; i++) {
		uint32_t number = probe(rule, i);

		if (atomic_load(&table->rule[number].id) == 0 && entry_take(&table->rule[number], 0, rule))
			return number;
		if (atomic_load(&table->rule[number].used) < atomic_load(&table->rule[oldest].used))
			oldest = number;
	}
	entry_take(&table->rule[oldest], atomic_load(&table->rule[oldest].id), rule);
	return oldest;
}

uint32_t rules_number(struct table *table, const struct rule *rule)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		uint32_t number = probe(rule, i);

		if (atomic_load_explicit(&table->rule[number].id, memory_order_acquire) != rule->id)
			continue;
		/* Who made the entry may have been killed before he could describe it. */
		if (atomic_load_explicit(&table->rule[number].used, memory_order_relaxed) == 0)
			describe(&table->rule[number], rule);
		return number;
	}
	return make(table, rule);
}
