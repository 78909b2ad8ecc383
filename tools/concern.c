/* concern.c - which rules of a policy can decide calls of a program, as far as that is known before it makes one. */
#define _GNU_SOURCE
#include "tools/concern.h"

#include <stdlib.h>

#include "tools/memory.h"
#include "tools/rule_words.h"

enum { NAMED_MAX = 20 }; /* rules */

/* " if it becomes user 1001 (ben)": one of them, and a group of the other where a rule asks for both. */
static char *becoming_words(const struct rule *rule, unsigned int misses)
{
	char *user = misses & CONDITION_USER ? wanted_words(rule, CONDITION_USER) : NULL;
	char *group = misses & CONDITION_GROUP ? wanted_words(rule, CONDITION_GROUP) : NULL;
	char *words = memory_words(" if it becomes %s%s%s%s%s", user ? "user " : "", user ? user : "", user && group ? " and " : "",
	                           group ? "group " : "", group ? group : "");
	free(user);
	free(group);
	return words;
}

static void rules_add(struct concern *concern, const struct rule *rule, unsigned int misses)
{
	char *before = concern->rules, *becoming = misses ? becoming_words(rule, misses) : NULL;
	concern->rules = memory_words("%s%s%s%s", before ? before : "", before ? ", " : "", rule->name, becoming ? becoming : "");
	free(before);
	free(becoming);
}

/* Why the policy's first rule does not: `misses` of who it is, where the program itself would do. */
static char *first_reason(const struct subject *subject, const struct policy *policy, const struct question *question,
                          unsigned int misses)
{
	const struct rule *rule = policy->rule;
	unsigned int first = rule_misses(rule, &subject->patient.facts);
	first = first ? first : misses;
	char *why = condition_words(rule, (enum condition)(first & -first), &subject->patient.facts, question);
	char *words = memory_words("rule %s: %s", rule->name, why);
	free(why);
	return words;
}

bool concern_find(struct concern *concern, const struct subject *subject, const struct policy *policy)
{
	const struct question question = { .identity = &subject->identity };
	struct view view;
	uint32_t named = 0;
	unsigned int of_first = 0;
	*concern = (struct concern){ .rules = NULL };
	if (!view_make(&view, policy, &subject->patient.facts))
		return false;
	for (uint32_t i = 0; i < view.n_live && named < NAMED_MAX; i++) {
		unsigned int misses = view_misses(&view, i, &question) & (CONDITION_USER | CONDITION_GROUP);
		of_first = view.live[i].index == 0 ? misses : of_first;
		if (misses && !subject->may_change)
			continue;
		rules_add(concern, &policy->rule[view.live[i].index], misses);
		named++;
	}
	if (!named && policy->rules)
		concern->why_not = first_reason(subject, policy, &question, of_first);
	view_free(&view);
	return true;
}

void concern_free(struct concern *concern)
{
	free(concern->rules);
	free(concern->why_not);
	*concern = (struct concern){ .rules = NULL };
}
