/* value.c - what the keys' functions share: words, lists of patterns, durations. */
#include "value.h"

#include <string.h>

#include "glob.h"
#include "suggest.h"

struct text *value_complain(struct taking *taking, const char *words)
{
	struct text *text = findings_words(taking->findings);

	text_add(text, taking->key->name);
	text_add(text, ": ");
	if (words) {
		text_add_quoted(text, words, strlen(words));
		text_add(text, " ");
	}
	return text;
}

bool value_refuse(struct taking *taking, const struct item *item, const char *words)
{
	text_add(value_complain(taking, item->words), words);
	findings_add(taking->findings, SEVERITY_ERROR, item->line);
	return false;
}

static bool find_word(const struct taking *taking, const char *name, int *value)
{
	for (const struct word *word = taking->key->words; word->name; word++) {
		if (strcmp(word->name, name) == 0) {
			*value = word->value;
			return true;
		}
	}
	return false;
}

bool value_has_blank(const struct item *item)
{
	return item->words[strcspn(item->words, " \t")] != '\0';
}

/* "...; did you mean 'tcp'?" or "...; write tcp, udp, sctp ...". */
static bool refuse_word(struct taking *taking, const struct item *item, const char *also)
{
	struct suggestion near = SUGGESTION_FOR(item->words, strlen(item->words));
	struct text *text;

	if (taking->key->list && value_has_blank(item))
		return value_refuse(taking, item, TEXT_WANTS_COMMAS);
	text = value_complain(taking, item->words);
	for (const struct word *word = taking->key->words; word->name; word++)
		suggest_consider(&near, word->name);
	text_add(text, "is not known; ");
	suggest_add(&near, text, "write ");
	for (const struct word *word = taking->key->words; !near.best && word->name; word++) {
		text_add(text, word->name);
		text_add(text, word[1].name ? ", " : also);
	}
	findings_add(taking->findings, SEVERITY_ERROR, item->line);
	return false;
}

/* One word of the key's into *value. */
bool value_word(struct taking *taking, const struct item *item, int *value)
{
	return find_word(taking, item->words, value) || refuse_word(taking, item, "");
}

/* Several, each of them a bit. */
bool value_bits(struct taking *taking, const struct item *item, uint32_t n, uint8_t *bits)
{
	bool good = true;
	unsigned int sum = 0;
	int bit = 0;

	for (uint32_t i = 0; i < n; i++) {
		good = value_word(taking, &item[i], &bit) && good;
		sum |= (unsigned int)bit;
	}
	*bits = (uint8_t)sum;
	return good;
}

const char *value_keep(struct taking *taking, const char *words)
{
	const char *copy = arena_copy(taking->arena, words, strlen(words));

	taking->no_memory = taking->no_memory || !copy;
	return copy;
}

/* A word of the key's into *value, or an absolute path: then `path_value`, and the path into *path. */
bool value_word_or_path(struct taking *taking, const struct item *item, int path_value, int *value,
                              const char **path)
{
	if (find_word(taking, item->words, value))
		return true;
	if (*item->words != '/')
		return refuse_word(taking, item, " or a path that begins with '/'");
	*value = path_value;
	*path = value_keep(taking, item->words);
	return *path != NULL;
}

bool value_strings(struct taking *taking, const struct item *item, uint32_t n, struct string_list *list,
                         bool (*check)(struct taking *taking, const struct item *item))
{
	const char **strings = arena_alloc(taking->arena, n * sizeof(*strings));
	bool good = true;

	taking->no_memory = taking->no_memory || !strings;
	for (uint32_t i = 0; strings && i < n; i++) {
		good = check(taking, &item[i]) && good;
		strings[i] = value_keep(taking, item[i].words);
	}
	*list = (struct string_list){ strings, n };
	return good && !taking->no_memory;
}

bool value_is_glob(struct taking *taking, const struct item *item)
{
	struct text *why = value_complain(taking, item->words);

	if (glob_check(item->words, why))
		return true;
	findings_add(taking->findings, SEVERITY_ERROR, item->line);
	return false;
}

bool value_is_env(struct taking *taking, const struct item *item)
{
	const char *equals = strchr(item->words, '=');

	if (!equals || equals == item->words || strcspn(item->words, " \t") < (size_t)(equals - item->words))
		return value_refuse(taking, item, "names no variable; write NAME=PATTERN, or NAME=* for any value");
	return value_is_glob(taking, item);
}

/* "0", "500ms", "30s", "2m", "1h" in milliseconds; NULL or what to write instead. */
const char *value_duration(const char *words, uint64_t *ms)
{
	static const struct { const char *name; uint64_t ms; } units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }
	};
	size_t digits = strspn(words, "0123456789");
	uint64_t number;

	if (!text_to_number(words, digits, 1000000000, &number))
		return "is no duration; write a number with its unit, as in 500ms, 30s, 2m or 1h";
	*ms = 0;
	if (!words[digits])
		return number ? "has no unit; write 500ms, 30s, 2m or 1h" : NULL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(words + digits, units[i].name) == 0) {
			*ms = number * units[i].ms;
			return NULL;
		}
	}
	if (words[digits] == ' ' || words[digits] == '\t')
		return "has a blank before its unit; write it without the blank, as in 30s";
	return "has a unit that is not known; write ms, s, m or h, as in 30s";
}
