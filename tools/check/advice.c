/* advice.c - the list of what was found. */
#define _GNU_SOURCE
#include "tools/check/advice.h"

#include <stdlib.h>

#include "tools/memory.h"

const char *advice_check_word(enum advice_check check)
{
#define ADVICE_ENTRY(name, word) [CHECK_##name] = (word),
	static const char *const words[] = { ADVICE_CHECKS(ADVICE_ENTRY) };
#undef ADVICE_ENTRY
	return words[check];
}

struct advice *advice_add(struct advices *found, enum advice_kind kind, int line, enum advice_check check,
                          const struct rule *rule)
{
	found->advice = memory_for_one(found->advice, found->n, &found->room, sizeof(*found->advice));
	struct advice *advice = &found->advice[found->n];
	*advice = (struct advice){ .kind = kind, .line = line, .number = found->n, .check = check };
	if (rule)
		advice->rule = memory_words("%s", rule->name);
	found->n++;
	found->count[kind]++;
	return advice;
}

static int by_line(const void *a, const void *b)
{
	const struct advice *one = a, *other = b;
	if (one->line != other->line)
		return one->line < other->line ? -1 : 1;
	return one->number < other->number ? -1 : one->number > other->number;
}

void advice_sort(struct advices *found)
{
	if (found->n)
		qsort(found->advice, found->n, sizeof(*found->advice), by_line);
}

void advice_free(struct advices *found)
{
	for (size_t i = 0; i < found->n; i++) {
		free(found->advice[i].rule);
		free(found->advice[i].words);
		free(found->advice[i].fix);
	}
	free(found->advice);
	*found = (struct advices){ .n = 0 };
}
