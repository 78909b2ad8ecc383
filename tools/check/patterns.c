/* patterns.c - patterns that can be like nothing: what a shell would have taken away or put in is a part of them here. */
#define _GNU_SOURCE
#include <string.h>

#include "tools/check/advice.h"
#include "tools/memory.h"

/* What is the matter with a pattern, and what to do; NULL, NULL: nothing. */
struct fault {
	const char *words, *fix;
};

static bool is_quoted(const char *pattern)
{
	size_t length = strlen(pattern);
	return length > 1 && strchr("\"'", pattern[0]) && pattern[length - 1] == pattern[0];
}

static struct fault quotes_fault(const char *pattern)
{
	if (!is_quoted(pattern))
		return (struct fault){ NULL, NULL };
	return (struct fault){ "the quotes are a part of it", "leave them out: blanks need none" };
}

/* Without a '/' it is held against a name, else against a path, which begins with one. */
static struct fault program_fault(const char *pattern)
{
	if (is_quoted(pattern))
		return quotes_fault(pattern);
	if (pattern[0] == '~' || pattern[0] == '$')
		return (struct fault){ "'~' and variables are not expanded", "write the path itself" };
	if (strchr(pattern, '/') && !strchr("/*?[\\", pattern[0]))
		return (struct fault){ "with a '/' it is held against the whole path, which begins with '/'",
		                       "write the path from '/' on, or '*/' before it" };
	return (struct fault){ NULL, NULL };
}

static struct fault cgroup_fault(const char *pattern)
{
	if (is_quoted(pattern))
		return quotes_fault(pattern);
	if (!strchr("/*?[\\", pattern[0]))
		return (struct fault){ "paths of cgroups begin with '/'", "write the path that /proc/PID/cgroup shows, as in "
		                       "/system.slice/NAME.service*" };
	return (struct fault){ NULL, NULL };
}

static struct fault env_fault(const char *pattern)
{
	const char *equals = strchr(pattern, '='); /* there is one: the policy is valid */
	return quotes_fault(equals ? equals + 1 : pattern);
}

static void check_list(const struct subject *subject, uint32_t index, enum key_id key, const struct string_list *list,
                       struct fault (*fault_of)(const char *pattern))
{
	const struct rule *rule = &subject->policy->rule[index];
	size_t n;
	for (uint32_t i = 0; i < list->n; i++) {
		struct fault fault = fault_of(list->item[i]);
		if (!fault.words)
			continue;
		struct advice *advice = advice_add(subject->found, ADVICE_WARNING,
		                                   lines_of_item(subject->lines, index, key, i, rule->line), CHECK_NO_MATCH, rule);
		advice->words = memory_words("rule %s: %s: nothing is like %s: %s", rule->name, keys_table(&n)[key].name,
		                             list->item[i], fault.words);
		advice->fix = memory_words("%s", fault.fix);
	}
}

/* A file that was only begun: what it is for is not in it yet. */
static void check_any(const struct subject *subject)
{
	if (subject->policy->rules)
		return;
	struct advice *advice = advice_add(subject->found, ADVICE_WARNING, 0, CHECK_NO_RULE, NULL);
	advice->words = memory_words("there is no rule in it: every call passes, and the kernel chooses the ports");
	advice->fix = memory_words("write a [rule NAME] with ports = ..., see portshim.conf(5)");
}

void check_patterns(const struct subject *subject)
{
	check_any(subject);
	for (uint32_t i = 0; i < subject->policy->rules; i++) {
		const struct rule *rule = &subject->policy->rule[i];
		check_list(subject, i, KEY_PROGRAM, &rule->program, program_fault);
		check_list(subject, i, KEY_COMMAND, &rule->command, quotes_fault);
		check_list(subject, i, KEY_CGROUP, &rule->cgroup, cgroup_fault);
		check_list(subject, i, KEY_ENV, &rule->env, env_fault);
	}
}
