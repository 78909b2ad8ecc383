/* lines.c - a second reading of the file, with the reader of the first, for the numbers of its lines. */
#define _GNU_SOURCE
#include "tools/check/lines.h"

#include <stdlib.h>
#include <string.h>

#include "config/read.h"
#include "tools/memory.h"

struct second_reading {
	struct lines *lines;
	int *line;      /* of the section at hand */
	uint32_t index; /* of the next item of the list at hand */
};

static const struct key *keys;

/* What is no [portshim] is a rule, as the first reading found. */
static void section_seen(void *context, const char *name, bool good, int line)
{
	struct second_reading *reading = context;
	struct lines *lines = reading->lines;
	(void)good;
	(void)line;
	if (strcspn(name, " \t") == 8 && memcmp(name, "portshim", 8) == 0) {
		reading->line = lines->portshim;
		return;
	}
	lines->rule = memory_for_one(lines->rule, lines->rules, &lines->room, sizeof(*lines->rule));
	reading->line = lines->rule[lines->rules++];
	memset(reading->line, 0, sizeof(*lines->rule));
}

/* Items are what stands between commas; a valid list has no empty ones. */
static void items_see(struct second_reading *reading, enum key_id key, const char *value, int line)
{
	struct lines *lines = reading->lines;
	while (value[strspn(value, " \t,")]) {
		lines->item = memory_for_one(lines->item, lines->items, &lines->items_room, sizeof(*lines->item));
		lines->item[lines->items++] = (struct item_line){
			.rule = (uint32_t)lines->rules - 1, .index = reading->index++, .key = key, .line = line,
		};
		value += strcspn(value, ",");
		value += *value == ',';
	}
}

static void value_seen(void *context, const char *name, const char *value, int line, bool continued, bool more)
{
	struct second_reading *reading = context;
	const struct key *key = keys_find(SECTION_ANY, name, strlen(name));
	(void)more;
	if (!key || !reading->line)
		return;
	enum key_id id = (enum key_id)(key - keys);
	if (!continued) {
		reading->line[id] = line;
		reading->index = 0;
	}
	if (id == KEY_TO || id == KEY_PROGRAM || id == KEY_COMMAND || id == KEY_CGROUP || id == KEY_ENV)
		items_see(reading, id, value, line);
}

static void nothing_refused(void *context)
{
	(void)context;
}

static void nothing_heard(void *context, enum severity severity, int line, const char *words)
{
	(void)context;
	(void)severity;
	(void)line;
	(void)words;
}

static int compare_items(const void *a, const void *b)
{
	const struct item_line *one = a, *other = b;
	if (one->rule != other->rule)
		return one->rule < other->rule ? -1 : 1;
	if (one->key != other->key)
		return one->key < other->key ? -1 : 1;
	return one->index < other->index ? -1 : one->index > other->index;
}

void lines_read(struct lines *lines, const char *text, size_t length)
{
	static const struct read_events events = {
		.section = section_seen, .value = value_seen, .refused = nothing_refused
	};
	struct second_reading reading = { .lines = lines };
	struct findings findings = { .listener = NULL };
	size_t n;
	*lines = (struct lines){ .rules = 0 };
	if (!text)
		return;
	keys = keys_table(&n);
	findings_start(&findings, nothing_heard, NULL);
	read_lines(text, length, &findings, &events, &reading);
	findings_flush(&findings);
	if (lines->items)
		qsort(lines->item, lines->items, sizeof(*lines->item), compare_items);
}

void lines_free(struct lines *lines)
{
	free(lines->rule);
	free(lines->item);
	*lines = (struct lines){ .rules = 0 };
}

int lines_of(const struct lines *lines, size_t rule, enum key_id key, int otherwise)
{
	return rule < lines->rules && lines->rule[rule][key] ? lines->rule[rule][key] : otherwise;
}

int lines_of_item(const struct lines *lines, size_t rule, enum key_id key, uint32_t index, int otherwise)
{
	const struct item_line wanted = { .rule = (uint32_t)rule, .index = index, .key = key };
	const struct item_line *item = lines->items ? bsearch(&wanted, lines->item, lines->items, sizeof(wanted),
	                                                      compare_items) : NULL;
	return item ? item->line : lines_of(lines, rule, key, otherwise);
}
