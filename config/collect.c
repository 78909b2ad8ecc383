/* collect.c - the keys of a section: known, given once, and their values put together from their lines. */
#include <string.h>

#include "reading.h"
#include "suggest.h"

/* What other tools, and ip(7), call what the keys are for. */
static const struct { char name[13], key[10]; } known_elsewhere[] = {
	{ "exe", "program" }, { "executable", "program" }, { "binary", "program" }, { "process", "program" },
	{ "comm", "program" }, { "path", "program" }, { "cmd", "command" }, { "cmdline", "command" }, { "args", "command" },
	{ "uid", "user" }, { "owner", "user" }, { "gid", "group" }, { "unit", "cgroup" }, { "service", "cgroup" },
	{ "environment", "env" }, { "variable", "env" }, { "syscall", "call" }, { "proto", "protocol" }, { "dest", "to" },
	{ "destination", "to" }, { "dst", "to" }, { "daddr", "to" }, { "dport", "to" }, { "host", "to" }, { "remote", "to" },
	{ "address", "to" }, { "sport", "ports" }, { "port-range", "ports" }, { "range", "ports" }, { "local-port", "ports" },
	{ "source-port", "ports" }, { "algorithm", "choose" }, { "order", "choose" }, { "sharing", "share" },
	{ "exclusive", "share" }, { "timeout", "exhausted" }, { "wait", "exhausted" }, { "fallback", "exhausted" },
	{ "src", "source" }, { "saddr", "source" }, { "bind-address", "source" }, { "log-file", "log-to" }, { "logfile", "log-to" },
	{ "syslog", "log-to" }, { "log-level", "log" }, { "loglevel", "log" },
};

/* Whether they are the same but for case, and '_' for '-'. */
static bool same_name(const char *name, const char *known)
{
	for (; *known; name++, known++)
		if ((*name == '_' ? '-' : *name | ('a' ^ 'A')) != *known)
			return false;
	return !*name;
}

/* The key of this section that is nearest to the name, or is for what it says. */
static void find_near(struct suggestion *near, enum section section)
{
	size_t n;
	const struct key *key = keys_table(&n);

	for (size_t i = 0; i < n; i++)
		if (key[i].section == section)
			suggest_consider(near, key[i].name);
	for (size_t i = 0; i < sizeof(known_elsewhere) / sizeof(known_elsewhere[0]) && !near->best; i++)
		if (same_name(near->words, known_elsewhere[i].name) &&
		    keys_find(section, known_elsewhere[i].key, strlen(known_elsewhere[i].key)))
			near->best = known_elsewhere[i].key;
}

/* "a rule has program, command ..." */
static void list_keys(struct text *text, enum section section)
{
	size_t n;
	const struct key *key = keys_table(&n);

	text_add(text, section == SECTION_RULE ? "a rule has" : "[portshim] has");
	for (size_t i = 0, listed = 0; i < n; i++) {
		if (key[i].section != section)
			continue;
		text_add(text, listed++ ? ", " : " ");
		text_add(text, key[i].name);
	}
}

static void refuse_key(struct reading *reading, const char *name, int line)
{
	struct suggestion near = SUGGESTION_FOR(name, strlen(name));
	struct text *text = findings_words(&reading->findings);
	const struct key *elsewhere = keys_find(SECTION_ANY, name, strlen(name));

	find_near(&near, reading->section);
	text_add(text, "unknown key ");
	text_add_quoted(text, name, strlen(name));
	if (elsewhere) {
		text_add(text, elsewhere->section == SECTION_RULE ? " in [portshim]; write it in a [rule NAME]"
		                                                  : " in a rule; write it in [portshim]");
	} else {
		text_add(text, "; ");
		suggest_add(&near, text, "");
		if (!near.best)
			list_keys(text, reading->section);
	}
	findings_add(&reading->findings, SEVERITY_ERROR, line);
	reading->given.refused = reading->given.refused || near.best;
}

static enum key_id id_of(const struct key *key)
{
	size_t n;

	return (enum key_id)(key - keys_table(&n));
}

static void refuse_repetition(struct reading *reading, const struct key *key, int line)
{
	struct text *text = findings_words(&reading->findings);

	text_add(text, key->name);
	text_add(text, ": is there already, in line ");
	text_add_number(text, (uint64_t)reading->given.line[id_of(key)]);
	text_add(text, key->list ? "; write one list, with commas" : "; leave one of the two out");
	findings_add(&reading->findings, SEVERITY_ERROR, line);
}

static void refuse_value(struct reading *reading, int line, const char *words)
{
	struct text *text = findings_words(&reading->findings);

	text_add(text, reading->open->name);
	text_add(text, ": ");
	text_add(text, words);
	findings_add(&reading->findings, SEVERITY_ERROR, line);
	reading->bad_item = true;
}

/* Decides whether the key counts; if so its items are collected. */
static void value_begin(struct reading *reading, const char *name, int line)
{
	const struct key *key;

	reading->open = NULL;
	if (!reading->section) {
		if (reading->before_any)
			findings_error(&reading->findings, line, "a key before any section; write [rule NAME] or [portshim] above it");
		reading->before_any = false; /* said once for all that follow */
		return;
	}
	key = keys_find(reading->section, name, strlen(name));
	if (!key) {
		refuse_key(reading, name, line);
	} else if (reading->given.line[id_of(key)]) {
		refuse_repetition(reading, key, line);
	} else {
		reading->given.line[id_of(key)] = line;
		reading->open = key;
		reading->items = 0;
		reading->bad_item = false;
	}
}

static bool item_room(struct reading *reading)
{
	uint32_t room = reading->room ? reading->room * 2 : 64;
	struct item *item;

	if (reading->items < reading->room)
		return true;
	item = arena_alloc(&reading->scratch, room * sizeof(*item));
	if (!item)
		return false;
	if (reading->items)
		memcpy(item, reading->item, reading->items * sizeof(*item));
	reading->item = item;
	reading->room = room;
	return true;
}

static void item_add(struct reading *reading, const char *words, size_t length, int line)
{
	const char *copy = item_room(reading) ? arena_copy(&reading->scratch, words, length) : NULL;

	if (copy)
		reading->item[reading->items++] = (struct item){ copy, line };
	else
		reading->bad_item = reading->taking.no_memory = true;
}

/* The items of one line; a comma at its end is right where another line follows. */
static void list_add(struct reading *reading, const char *value, int line, bool more)
{
	for (;; value++) {
		size_t length = strcspn(value, ","), start = strspn(value, " \t"), end = length;

		while (end > start && (value[end - 1] == ' ' || value[end - 1] == '\t'))
			end--;
		if (start < end)
			item_add(reading, value + start, end - start, line);
		else if (value[length])
			refuse_value(reading, line, "has an empty item; delete a comma");
		value += length;
		if (!*value)
			return;
		if (!value[1]) {
			if (!more)
				refuse_value(reading, line, "the list ends in a comma; delete it, or go on in an indented line");
			return;
		}
	}
}

static void value_end(struct reading *reading)
{
	const struct key *key = reading->open;
	bool good = reading->items && keys_take(&reading->taking, key, reading->item, reading->items);

	reading->given.good[id_of(key)] = good && !reading->bad_item;
	reading->open = NULL;
}

void reading_value(void *context, const char *name, const char *value, int line, bool continued, bool more)
{
	struct reading *reading = context;

	if (!continued)
		value_begin(reading, name, line);
	if (!reading->open || reading->taking.no_memory)
		return;
	if (reading->open->list)
		list_add(reading, value, line, more);
	else if (!more)
		item_add(reading, value, strlen(value), line);
	if (!reading->open->list && (more || continued)) {
		refuse_value(reading, line, "takes one value; write it alone, without comma");
		reading->open = NULL;
	} else if (!more) {
		value_end(reading);
	}
}

void reading_refused(void *context)
{
	struct reading *reading = context;

	reading->given.refused = true;
	reading->open = NULL; /* an unfinished list misses an item now: it stays given and not good */
}
