/* rule_words.c - what a rule asks, and what it met, in words. */
#define _GNU_SOURCE
#include "tools/rule_words.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"
#include "tools/utf8.h"

enum { ITEMS_SHOWN = 8, INTERVALS_SHOWN = 12, WORDS_SHOWN = 200, ADDRESS_ROOM = 64 };

static const struct { enum condition condition; enum key_id key; } keys_of[] = {
	{ CONDITION_PROGRAM, KEY_PROGRAM }, { CONDITION_COMMAND, KEY_COMMAND }, { CONDITION_CGROUP, KEY_CGROUP },
	{ CONDITION_ENV, KEY_ENV }, { CONDITION_CALL, KEY_CALL }, { CONDITION_PROTOCOL, KEY_PROTOCOL },
	{ CONDITION_FAMILY, KEY_FAMILY }, { CONDITION_TO, KEY_TO }, { CONDITION_USER, KEY_USER },
	{ CONDITION_GROUP, KEY_GROUP },
};
_Static_assert(CONDITIONS_END == 1 << sizeof(keys_of) / sizeof(*keys_of), "each condition has its key");

static enum key_id key_of(enum condition condition)
{
	size_t i = 0;
	while (keys_of[i].condition != condition)
		i++;
	return keys_of[i].key;
}

const char *condition_key(enum condition condition)
{
	size_t n;
	return keys_table(&n)[key_of(condition)].name;
}

const char *key_word(enum key_id key, int value)
{
	size_t n;
	for (const struct word *word = keys_table(&n)[key].words; word->name; word++)
		if (word->value == value)
			return word->name;
	return "?";
}

bool key_value(enum key_id key, const char *name, int *value)
{
	size_t n;
	for (const struct word *word = keys_table(&n)[key].words; word->name; word++)
		if (strcmp(word->name, name) == 0) {
			*value = word->value;
			return true;
		}
	return false;
}

/* --- building words ------------------------------------------------------------------------------------ */

static FILE *words_begin(char **words, size_t *size)
{
	FILE *to = open_memstream(words, size);
	if (!to) {
		perror("portshim");
		exit(EXIT_FAILURE);
	}
	return to;
}

static char *words_end(FILE *to, char **words)
{
	fclose(to);
	utf8_clean(*words);
	return *words;
}

/* From elsewhere, and perhaps long. */
static void add_cut(FILE *to, const char *words)
{
	size_t length = strlen(words), shown = length > WORDS_SHOWN ? WORDS_SHOWN : length;
	fprintf(to, "%.*s%s", (int)shown, words, shown < length ? "..." : "");
}

/* What stands between items, and whether this one is shown. */
static bool add_item(FILE *to, size_t i, size_t n, size_t shown)
{
	if (i < shown)
		fputs(i ? ", " : "", to);
	else if (i == shown)
		fprintf(to, ", ... (%zu more)", n - shown);
	return i < shown;
}

static void add_strings(FILE *to, const struct string_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (add_item(to, i, list->n, ITEMS_SHOWN))
			add_cut(to, list->item[i]);
}

static void add_bits(FILE *to, enum key_id key, unsigned int bits)
{
	size_t n;
	bool follows = false;
	for (const struct word *word = keys_table(&n)[key].words; word->name; word++) {
		if (!(bits & (unsigned int)word->value))
			continue;
		fprintf(to, "%s%s", follows ? ", " : "", word->name);
		follows = true;
		bits &= ~(unsigned int)word->value; /* mptcp is tcp */
	}
}

/* --- numbers and addresses ------------------------------------------------------------------------------ */

static void add_address(FILE *to, const struct ip_addr *addr)
{
	char buffer[ADDRESS_ROOM] = "";
	struct text text = TEXT_OVER(buffer);
	text_add_addr(&text, addr, true);
	fputs(buffer, to);
}

char *address_words(const struct ip_addr *addr)
{
	char *words;
	size_t size;
	FILE *to = words_begin(&words, &size);
	add_address(to, addr);
	return words_end(to, &words);
}

char *endpoint_words(const struct endpoint *endpoint)
{
	char *words;
	size_t size;
	FILE *to = words_begin(&words, &size);
	add_address(to, &endpoint->addr);
	fprintf(to, ":%u", endpoint->port);
	return words_end(to, &words);
}

static void add_target(FILE *to, const struct target *target)
{
	int prefix = __builtin_popcountll(target->mask_hi) + __builtin_popcountll(target->mask_lo);
	if (!target->net.family)
		putc('*', to);
	else
		add_address(to, &target->net);
	if (target->net.family && prefix != (target->net.family == FAMILY_IPV4 ? 32 : 128))
		fprintf(to, "/%d", prefix);
	if (target->port_lo == target->port_hi)
		fprintf(to, ":%u", target->port_lo);
	else if (target->port_lo > 0 || target->port_hi < 65535)
		fprintf(to, ":%u-%u", target->port_lo, target->port_hi);
}

char *ports_words(const struct port_set *set)
{
	char *words;
	size_t size;
	FILE *to = words_begin(&words, &size);
	for (uint32_t i = 0; i < set->intervals; i++) {
		const struct port_interval *interval = &set->interval[i];
		if (!add_item(to, i, set->intervals, INTERVALS_SHOWN))
			continue;
		fprintf(to, "%u", interval->lo);
		if (interval->hi > interval->lo)
			fprintf(to, "-%u", interval->hi);
	}
	return words_end(to, &words);
}

static void add_user(FILE *to, uint32_t user)
{
	const struct passwd *known = getpwuid(user);
	fprintf(to, "%" PRIu32, user);
	if (known)
		fprintf(to, " (%s)", known->pw_name);
}

static void add_group(FILE *to, uint32_t group)
{
	const struct group *known = getgrgid(group);
	fprintf(to, "%" PRIu32, group);
	if (known)
		fprintf(to, " (%s)", known->gr_name);
}

char *user_words(uint32_t user)
{
	char *words;
	size_t size;
	FILE *to = words_begin(&words, &size);
	add_user(to, user);
	return words_end(to, &words);
}

static void add_ids(FILE *to, const struct id_list *list, void (*add)(FILE *, uint32_t))
{
	for (uint32_t i = 0; i < list->n; i++)
		if (add_item(to, i, list->n, ITEMS_SHOWN))
			add(to, list->item[i]);
}

/* --- what the rule says --------------------------------------------------------------------------------- */

/* A family is asked for by three keys: the one that is the reason. */
static enum key_id family_key(const struct rule *rule, const struct question *question)
{
	if (!(rule->families & question->family))
		return KEY_FAMILY;
	return rule->source.family && rule->source.family != question->family ? KEY_SOURCE : KEY_TO;
}

static void add_targets(FILE *to, const struct rule *rule)
{
	for (uint32_t i = 0; i < rule->n_to; i++)
		if (add_item(to, i, rule->n_to, ITEMS_SHOWN))
			add_target(to, &rule->to[i]);
}

static void add_wanted(FILE *to, const struct rule *rule, enum key_id key)
{
	switch (key) {
	case KEY_PROGRAM: add_strings(to, &rule->program); break;
	case KEY_COMMAND: add_strings(to, &rule->command); break;
	case KEY_CGROUP: add_strings(to, &rule->cgroup); break;
	case KEY_ENV: add_strings(to, &rule->env); break;
	case KEY_CALL: add_bits(to, key, rule->calls); break;
	case KEY_PROTOCOL: add_bits(to, key, rule->protocols); break;
	case KEY_FAMILY: add_bits(to, key, rule->families); break;
	case KEY_USER: add_ids(to, &rule->user, add_user); break;
	case KEY_GROUP: add_ids(to, &rule->group, add_group); break;
	case KEY_SOURCE: add_address(to, &rule->source); break;
	default: add_targets(to, rule); break;
	}
}

char *wanted_words(const struct rule *rule, enum condition condition)
{
	char *words;
	size_t size;
	FILE *to = words_begin(&words, &size);
	add_wanted(to, rule, key_of(condition));
	return words_end(to, &words);
}

/* --- what it met ---------------------------------------------------------------------------------------- */

static void add_program(FILE *to, const struct facts *facts)
{
	fputs("the program is ", to);
	if (!*facts->executable && !*facts->started_as)
		fputs("not known", to);
	add_cut(to, *facts->executable ? facts->executable : facts->started_as);
	if (*facts->executable && *facts->started_as && strcmp(facts->executable, facts->started_as) != 0) {
		fputs(" (started as ", to);
		add_cut(to, facts->started_as);
		putc(')', to);
	}
}

static void add_cgroups(FILE *to, const char *paths)
{
	size_t n = 0, i = 0;
	for (const char *path = paths; *path; path += strlen(path) + 1)
		n++;
	fputs(n ? "it is in " : "it is in none", to);
	for (const char *path = paths; *path; path += strlen(path) + 1)
		if (add_item(to, i++, n, ITEMS_SHOWN))
			add_cut(to, path);
}

/* Each variable that the condition names. */
static void add_variables(FILE *to, const struct string_list *list, const struct facts *facts)
{
	for (uint32_t i = 0; i < list->n; i++) {
		char *name = memory_words("%.*s", (int)strcspn(list->item[i], "="), list->item[i]);
		const char *value = facts_variable_in(facts, name);
		if (add_item(to, i, list->n, ITEMS_SHOWN)) {
			add_cut(to, name);
			fputs(value ? " is '" : " is not set", to);
			add_cut(to, value ? value : "");
			fputs(value ? "'" : "", to);
		}
		free(name);
	}
	if (facts->secure)
		fputs(" (it has privileges that its user lacks: no variable counts)", to);
}

static void add_destination(FILE *to, const struct question *question)
{
	char *words = question->has_destination ? endpoint_words(&question->destination) : NULL;
	if (words)
		fprintf(to, "%s is in none of them", words);
	else
		fputs("the call has no destination", to);
	free(words);
}

static void add_groups(FILE *to, const struct identity *identity)
{
	if (!identity) {
		fputs("the groups are not known", to);
		return;
	}
	fputs("the group is ", to);
	add_group(to, identity->group);
	for (size_t i = 0; i < identity->n_groups; i++) {
		if (i == 0)
			fputs(", of ", to);
		if (add_item(to, i, identity->n_groups, ITEMS_SHOWN))
			add_group(to, identity->groups[i]);
	}
}

static void add_who(FILE *to, const struct identity *identity)
{
	fputs(identity ? "the user is " : "the user is not known", to);
	if (identity)
		add_user(to, identity->user);
}

static void add_met(FILE *to, const struct rule *rule, enum condition condition, const struct facts *facts,
                    const struct question *question)
{
	switch (condition) {
	case CONDITION_PROGRAM: add_program(to, facts); break;
	case CONDITION_COMMAND:
		fputs("the command line is ", to);
		add_cut(to, facts->command);
		break;
	case CONDITION_CGROUP: add_cgroups(to, facts->cgroup); break;
	case CONDITION_ENV: add_variables(to, &rule->env, facts); break;
	case CONDITION_CALL:
		fputs("the call is ", to);
		add_bits(to, KEY_CALL, question->calls);
		break;
	case CONDITION_PROTOCOL:
		fputs("the protocol is ", to);
		add_bits(to, KEY_PROTOCOL, question->protocol);
		break;
	case CONDITION_FAMILY:
		fputs("the call is of ", to);
		add_bits(to, KEY_FAMILY, question->family);
		break;
	case CONDITION_USER: add_who(to, question->identity); break;
	case CONDITION_GROUP: add_groups(to, question->identity); break;
	default: add_destination(to, question); break;
	}
}

char *condition_words(const struct rule *rule, enum condition condition, const struct facts *facts,
                      const struct question *question)
{
	enum key_id key = condition == CONDITION_FAMILY ? family_key(rule, question) : key_of(condition);
	char *words;
	size_t size, n;
	FILE *to = words_begin(&words, &size);
	fprintf(to, "%s = ", keys_table(&n)[key].name);
	add_wanted(to, rule, key);
	fputs(": ", to);
	add_met(to, rule, condition, facts, question);
	return words_end(to, &words);
}
