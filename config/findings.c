/* findings.c - findings in line order: what only a whole rule shows comes late and belongs further up. */
#include "findings.h"

#include <stddef.h>

/* A file of nothing but mistakes must not fill the memory: then order gives way. */
#define MOST_WAITING 4096

struct finding {
	struct finding *before, *after;
	enum severity severity;
	int line;
	const char *words;
};

void findings_start(struct findings *findings, policy_listener *listener, void *context)
{
	findings->listener = listener;
	findings->context = context;
	findings->words = (struct text)TEXT_OVER(findings->bytes);
}

struct text *findings_words(struct findings *findings)
{
	text_clear(&findings->words);
	return &findings->words;
}

/* Behind the last one whose line is not greater. The way is short: only the rule at hand waits. */
static void insert(struct findings *findings, struct finding *finding)
{
	struct finding *before = findings->last;

	while (before && before->line > finding->line)
		before = before->before;
	finding->before = before;
	finding->after = before ? before->after : findings->first;
	*(before ? &before->after : &findings->first) = finding;
	*(finding->after ? &finding->after->before : &findings->last) = finding;
	findings->waiting++;
}

void findings_add(struct findings *findings, enum severity severity, int line)
{
	struct finding *finding = arena_alloc(&findings->arena, sizeof(*finding));
	const char *words = arena_copy(&findings->arena, findings->words.at, findings->words.length);

	findings->errors = findings->errors || severity == SEVERITY_ERROR;
	if (!finding || !words) { /* better out of order than not at all */
		findings->listener(findings->context, severity, line, findings->words.at);
		return;
	}
	*finding = (struct finding){ .severity = severity, .line = line, .words = words };
	insert(findings, finding);
	if (findings->waiting >= MOST_WAITING)
		findings_flush(findings);
}

void findings_error(struct findings *findings, int line, const char *words)
{
	text_add(findings_words(findings), words);
	findings_add(findings, SEVERITY_ERROR, line);
}

void findings_flush(struct findings *findings)
{
	for (struct finding *finding = findings->first; finding; finding = finding->after)
		findings->listener(findings->context, finding->severity, finding->line, finding->words);
	findings->first = findings->last = NULL;
	findings->waiting = 0;
	arena_free(&findings->arena);
}
