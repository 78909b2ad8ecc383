/* sections.c - the sections of a file: [portshim], once, and the rules, each with a name of its own. */
#include <string.h>

#include "reading.h"
#include "suggest.h"

/* What only the whole of the section at hand can show; then all its findings can be told. */
void reading_section_end(struct reading *reading)
{
	struct taking *taking = &reading->taking;

	if (reading->section == SECTION_RULE && reading->draft && !taking->no_memory)
		whole_rule(taking, &reading->given);
	findings_flush(&reading->findings);
	memset(&reading->given, 0, sizeof(reading->given));
	reading->section = 0;
	reading->draft = NULL;
	reading->open = NULL;
	taking->rule = NULL;
	reading->before_any = false;
}

static struct draft **bucket_of(struct reading *reading, const char *name)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619U;
	return &reading->bucket[(hash ^ hash >> 16) % BUCKETS];
}

static void refuse_duplicate(struct reading *reading, const char *name, int first, int line)
{
	struct text *text = findings_words(&reading->findings);

	text_add(text, "rule ");
	text_add_quoted(text, name, strlen(name));
	text_add(text, " is there already, in line ");
	text_add_number(text, (uint64_t)first);
	text_add(text, "; give this one another name");
	findings_add(&reading->findings, SEVERITY_ERROR, line);
}

static struct draft *draft_make(struct reading *reading, const char *name, int line)
{
	struct draft *draft = arena_alloc(&reading->scratch, sizeof(*draft));
	const char *copy = arena_copy(&reading->policy.arena, name, strlen(name));

	if (!draft || !copy) {
		reading->taking.no_memory = true;
		return NULL;
	}
	draft->rule = (struct rule){
		.name = copy, .line = line, .calls = CALL_ANY, .protocols = PROTOCOL_ANY, .families = FAMILY_ANY
	};
	return draft;
}

/* A refused header's rule has its keys checked like any other, but no place among the rules. */
void reading_rule(struct reading *reading, const char *name, bool good, int line)
{
	struct draft *draft = draft_make(reading, name, line), **bucket = bucket_of(reading, name), *same;

	if (!draft)
		return;
	reading->section = SECTION_RULE;
	reading->draft = draft;
	reading->taking.rule = &draft->rule;
	if (!good)
		return;
	for (same = *bucket; same; same = same->in_bucket)
		if (strcmp(same->rule.name, name) == 0)
			break;
	if (same) {
		refuse_duplicate(reading, name, same->rule.line, line);
		return;
	}
	draft->in_bucket = *bucket;
	*bucket = draft;
	*(reading->last ? &reading->last->after : &reading->first) = draft;
	reading->last = draft;
	reading->rules++;
}

static void portshim_begin(struct reading *reading, int line)
{
	struct text *text;

	reading->section = SECTION_PORTSHIM;
	if (!reading->portshim_line) {
		reading->portshim_line = line;
		return;
	}
	text = findings_words(&reading->findings);
	text_add(text, "[portshim] is there already, in line ");
	text_add_number(text, (uint64_t)reading->portshim_line);
	text_add(text, "; write its keys there");
	findings_add(&reading->findings, SEVERITY_ERROR, line);
}

static void refuse_section(struct reading *reading, const char *name, size_t word, int line)
{
	struct suggestion near = SUGGESTION_FOR(name, word);
	struct text *text = findings_words(&reading->findings);

	suggest_consider(&near, "rule");
	suggest_consider(&near, "portshim");
	text_add(text, "unknown section ");
	text_add_quoted(text, name, strlen(name));
	text_add(text, "; ");
	suggest_add(&near, text, "write [rule NAME] or [portshim]");
	findings_add(&reading->findings, SEVERITY_ERROR, line);
	/* what was meant is clear: the keys can be checked all the same */
	if (near.best && strcmp(near.best, "rule") == 0)
		reading_rule(reading, name, false, line);
	else if (near.best)
		reading->section = SECTION_PORTSHIM;
}

void reading_section(void *context, const char *name, bool good, int line)
{
	struct reading *reading = context;
	size_t word = strcspn(name, " \t");
	const char *rest = name + word + strspn(name + word, " \t");

	reading_section_end(reading);
	if (reading->taking.no_memory) /* that is said in the end, and nothing that only follows from it */
		return;
	if (word == 4 && memcmp(name, "rule", 4) == 0) {
		if (good && !*rest)
			findings_error(&reading->findings, line, "the rule has no name; write [rule NAME]");
		reading_rule(reading, rest, good && *rest, line);
	} else if (word == 8 && memcmp(name, "portshim", 8) == 0 && (!*rest || !good)) {
		if (good)
			portshim_begin(reading, line);
		else
			reading->section = SECTION_PORTSHIM;
	} else if (good) {
		refuse_section(reading, name, word, line);
	}
}
