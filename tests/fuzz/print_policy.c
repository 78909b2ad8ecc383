/* print_policy.c - each key of each rule, by the words of keys.c. What is as if it were not given is left out. */
#define _GNU_SOURCE
#include "tests/fuzz/print_policy.h"

#include <inttypes.h>
#include <string.h>

#include "config/keys.h"

enum { LINE_ROOM = 150 }; /* a list goes on in the next line then */

/* The list that is being printed: its key stands once, before the first item. */
struct list {
	FILE *to;
	enum key_id key;
	size_t room; /* left in the line; 0: nothing is printed yet */
};

static void item(struct list *list, const char *words)
{
	size_t n, length = strlen(words) + 1;
	bool comment = strchr(";#", *words); /* that is what it would be, were it the first of a line */

	if (!list->room)
		fprintf(list->to, "%s =%s", keys_table(&n)[list->key].name, words);
	else if (length < list->room || comment)
		fprintf(list->to, ",%s", words);
	else
		fprintf(list->to, ",\n\t%s", words);
	list->room = list->room >= length && list->room - length > 1 ? list->room - length : LINE_ROOM;
}

static void end(const struct list *list)
{
	if (list->room)
		fputc('\n', list->to);
}

static const char *word_of(enum key_id key, int value)
{
	size_t n;
	const struct word *word = keys_table(&n)[key].words;

	while (word->name && word->value != value)
		word++;
	return word->name ? word->name : "?";
}

static void strings(FILE *to, enum key_id key, const struct string_list *of)
{
	struct list list = { to, key, 0 };

	for (uint32_t i = 0; i < of->n; i++)
		item(&list, of->item[i]);
	end(&list);
}

static void ids(FILE *to, enum key_id key, const struct id_list *of)
{
	struct list list = { to, key, 0 };
	char words[16];

	for (uint32_t i = 0; i < of->n; i++) {
		snprintf(words, sizeof(words), "%" PRIu32, of->item[i]);
		item(&list, words);
	}
	end(&list);
}

static void bits(FILE *to, enum key_id key, unsigned int of, unsigned int all)
{
	struct list list = { to, key, 0 };

	for (unsigned int bit = 1; of != all && bit <= of; bit <<= 1)
		if (of & bit)
			item(&list, word_of(key, (int)bit));
	end(&list);
}

static void targets(FILE *to, const struct rule *rule)
{
	struct list list = { to, KEY_TO, 0 };

	for (uint32_t i = 0; i < rule->n_to; i++) {
		const struct target *target = &rule->to[i];
		char room[120];
		struct text words = TEXT_OVER(room);
		bool six = target->net.family == FAMILY_IPV6;
		int prefix = __builtin_popcountll(target->mask_hi) + __builtin_popcountll(target->mask_lo);

		if (target->net.family)
			text_add_addr(&words, &target->net, six);
		else
			text_add(&words, "*");
		if (target->net.family) {
			text_add(&words, "/");
			text_add_number(&words, (uint64_t)prefix);
		}
		if (target->port_lo != 0 || target->port_hi != 65535) {
			text_add(&words, ":");
			text_add_number(&words, target->port_lo);
			text_add(&words, "-");
			text_add_number(&words, target->port_hi);
		}
		item(&list, room);
	}
	end(&list);
}

/* Those that came from a range's name come from one again: from the widest, and from `kernel` where that is named; without what is
 * not in the set, which for ports given by number changes nothing. */
static void ports(FILE *to, const struct port_set *set)
{
	struct list list = { to, KEY_PORTS, 0 };
	uint32_t next = 1;
	bool named = false;
	char words[32];

	for (uint32_t i = 0; i < set->intervals; i++) {
		named = named || set->interval[i].named;
		if (set->interval[i].named)
			continue;
		snprintf(words, sizeof(words), "%u-%u", set->interval[i].lo, set->interval[i].hi);
		item(&list, words);
	}
	if (named)
		item(&list, "rfc6056");
	if (set->uses_kernel)
		item(&list, "kernel");
	for (uint32_t i = 0; (named || set->uses_kernel) && i <= set->intervals; i++) {
		uint32_t gap = i < set->intervals ? set->interval[i].lo : 65536;

		snprintf(words, sizeof(words), "!%u-%u", next, gap - 1);
		if (next < gap)
			item(&list, words);
		next = i < set->intervals ? set->interval[i].hi + 1u : 65536;
	}
	end(&list);
}

static void one(FILE *to, enum key_id key, const char *words)
{
	size_t n;

	fprintf(to, "%s = %s\n", keys_table(&n)[key].name, words);
}

static void assignment(FILE *to, const struct rule *rule)
{
	char room[80];
	struct text words = TEXT_OVER(room);

	ports(to, &rule->ports);
	one(to, KEY_CHOOSE, word_of(KEY_CHOOSE, (int)rule->choose));
	one(to, KEY_SHARE, word_of(KEY_SHARE, (int)rule->share));
	fprintf(to, "cooldown = %" PRIu64 "ms\n", rule->cooldown_ms);
	if (rule->exhausted == EXHAUSTED_WAIT)
		fprintf(to, "exhausted = wait %" PRIu64 "ms\n", rule->wait_ms);
	else
		one(to, KEY_EXHAUSTED, word_of(KEY_EXHAUSTED, (int)rule->exhausted));
	one(to, KEY_EXPLICIT, word_of(KEY_EXPLICIT, (int)rule->explicit_port));
	if (rule->source.family) {
		text_add_addr(&words, &rule->source, false);
		one(to, KEY_SOURCE, room);
	}
}

static void rule_print(FILE *to, const struct rule *rule)
{
	fprintf(to, "[rule %s]\n", rule->name);
	strings(to, KEY_PROGRAM, &rule->program);
	strings(to, KEY_COMMAND, &rule->command);
	ids(to, KEY_USER, &rule->user);
	ids(to, KEY_GROUP, &rule->group);
	strings(to, KEY_CGROUP, &rule->cgroup);
	strings(to, KEY_ENV, &rule->env);
	bits(to, KEY_CALL, rule->calls, CALL_ANY);
	bits(to, KEY_PROTOCOL, rule->protocols, PROTOCOL_ANY);
	bits(to, KEY_FAMILY, rule->families, FAMILY_ANY);
	targets(to, rule);
	one(to, KEY_ACTION, word_of(KEY_ACTION, (int)rule->action));
	if (rule->action == ACTION_ASSIGN)
		assignment(to, rule);
}

void policy_print(FILE *to, const struct policy *policy)
{
	fprintf(to, "[portshim]\n");
	one(to, KEY_TABLE, policy->table == TABLE_PATH ? policy->table_path : word_of(KEY_TABLE, (int)policy->table));
	one(to, KEY_LOG, word_of(KEY_LOG, (int)policy->log));
	one(to, KEY_LOG_TO, policy->log_to == LOG_TO_PATH ? policy->log_path : word_of(KEY_LOG_TO, (int)policy->log_to));
	if (policy->audit_path)
		one(to, KEY_AUDIT, policy->audit_path);
	for (uint32_t i = 0; i < policy->rules; i++)
		rule_print(to, &policy->rule[i]);
}
