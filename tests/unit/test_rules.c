/* test_rules.c - what is kept of each rule in the table, where rules are many. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/rules.h"
#include "shim/table.h"

#define PLACES 8 /* in which a rule can be */

static const struct port_interval interval = { .lo = 20000, .hi = 20099 };

/* All of these have the same places. */
static struct rule rule_number(unsigned int i)
{
	return (struct rule){
		.name = "rule", .id = 5 + (uint64_t)i * TABLE_RULES,
		.ports = { .interval = &interval, .intervals = 1, .count = 100 },
	};
}

static struct table *new_table(void)
{
	struct table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert(table != MAP_FAILED);
	return table;
}

Test(rules, one_too_many_takes_the_place_that_was_used_last_longest_ago)
{
	struct table *table = new_table();
	uint32_t number[PLACES + 1];

	for (unsigned int i = 0; i <= PLACES; i++) {
		struct rule rule = rule_number(i);

		number[i] = rules_number(table, &rule);
		for (enum rule_counter counter = RULE_GIVEN; i < PLACES && counter <= RULE_RETRIES; counter++)
			rules_count(table, number[i], counter);
		atomic_store(&rules_entry(table, number[i])->used, i == 3 ? 1 : 100 + i);
	}
	cr_assert_eq(number[PLACES], number[3]);
	cr_expect_eq(table->rule[number[3]].id, rule_number(PLACES).id);
}

/* It begins to count at 0; the others go on. */
Test(rules, whose_place_is_another_rules_now_counts_anew)
{
	struct table *table = new_table();
	struct table_rule *entry;

	for (unsigned int i = 0; i <= PLACES; i++) {
		struct rule rule = rule_number(i);
		uint32_t number = rules_number(table, &rule);

		entry = rules_entry(table, number);
		atomic_store(&entry->used, 100 + i);
		if (i == PLACES)
			break;
		for (enum rule_counter counter = RULE_GIVEN; counter <= RULE_RETRIES; counter++)
			rules_count(table, number, counter);
	}
	cr_expect(entry->given == 0 && entry->failures == 0 && entry->waits == 0 && entry->denied == 0 && entry->retries == 0);
	cr_expect_eq(table->rule[6].given, 1);
}
