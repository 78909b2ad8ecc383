/* narrow.c - one process's view of a policy: the rules that can still decide, as a compact array. */
#include <string.h>

#include "glob.h"
#include "policy.h"

_Static_assert(sizeof(struct live_rule) == 16, "four to a cache line");

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What is not known ("") is like nothing, not even '*'. */
static bool program_is(const char *glob, const char *path)
{
	return *path && glob_match(glob, strchr(glob, '/') ? path : base_name(path));
}

static bool program_holds(const struct string_list *list, const struct facts *facts)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (program_is(list->item[i], facts->executable) || program_is(list->item[i], facts->started_as))
			return true;
	return list->n == 0;
}

static bool command_holds(const struct string_list *list, const struct facts *facts)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (glob_match(list->item[i], facts->command))
			return true;
	return list->n == 0;
}

/* `paths`: one string after the other, an empty one behind the last. */
static bool cgroup_holds(const struct string_list *list, const char *paths)
{
	for (uint32_t i = 0; i < list->n; i++)
		for (const char *path = paths; *path; path += strlen(path) + 1)
			if (glob_match(list->item[i], path))
				return true;
	return list->n == 0;
}

/* "NAME=glob" against the first NAME in the environment, the one that getenv(3) finds. */
static bool variable_is(const char *item, const char *environment)
{
	size_t name = strcspn(item, "=") + 1;

	for (; *environment; environment += strlen(environment) + 1)
		if (strncmp(environment, item, name) == 0)
			return glob_match(item + name, environment + name);
	return false;
}

static bool env_holds(const struct string_list *list, const char *environment)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (variable_is(list->item[i], environment))
			return true;
	return list->n == 0;
}

/* The conditions that do not hold; the first of them alone, unless `all`. */
static inline unsigned int misses(const struct rule *rule, const struct facts *facts, bool all)
{
	unsigned int found = 0;

	if (!program_holds(&rule->program, facts))
		found = CONDITION_PROGRAM;
	if ((all || !found) && !command_holds(&rule->command, facts))
		found |= CONDITION_COMMAND;
	if ((all || !found) && !cgroup_holds(&rule->cgroup, facts->cgroup))
		found |= CONDITION_CGROUP;
	if ((all || !found) && !env_holds(&rule->env, facts->environment))
		found |= CONDITION_ENV;
	return found;
}

unsigned int rule_misses(const struct rule *rule, const struct facts *facts)
{
	return misses(rule, facts, true);
}

uint8_t rule_live_families(const struct rule *rule)
{
	unsigned int targets = 0;

	for (uint32_t i = 0; i < rule->n_to; i++)
		targets |= rule->to[i].net.family ? rule->to[i].net.family : FAMILY_ANY;
	return (uint8_t)(rule->families & (rule->n_to ? targets : FAMILY_ANY) &
	                 (rule->source.family ? rule->source.family : FAMILY_ANY));
}

static struct live_rule live_rule_of(const struct rule *rule, uint32_t index, uint32_t first_target)
{
	return (struct live_rule){
		.calls = rule->calls,
		.protocols = rule->protocols,
		.families = rule_live_families(rule),
		.flags = (uint8_t)((rule->n_to ? LIVE_HAS_TO : 0) | (rule->user.n || rule->group.n ? LIVE_ASKS_IDENTITY : 0) |
		                   (rule->source.family ? LIVE_HAS_SOURCE : 0)),
		.index = index,
		.first_target = first_target,
		.n_targets = rule->n_to,
	};
}

/* Nothing behind such a rule is ever reached. */
static bool decides_all(const struct live_rule *live)
{
	return live->flags == 0 && live->calls == CALL_ANY && live->protocols == PROTOCOL_ANY && live->families == FAMILY_ANY;
}

static bool gather_targets(struct view *view, uint32_t n)
{
	struct target *target = arena_alloc(&view->arena, n * sizeof(*target));

	if (!target)
		return false;
	for (uint32_t i = 0; i < view->n_live; i++) {
		const struct live_rule *live = &view->live[i];

		if (live->n_targets)
			memcpy(target + live->first_target, view->policy->rule[live->index].to, live->n_targets * sizeof(*target));
	}
	view->target = target;
	return true;
}

bool view_make(struct view *view, const struct policy *policy, const struct facts *facts)
{
	struct live_rule *live;
	uint32_t targets = 0;
	bool all = false;

	*view = (struct view){ .policy = policy };
	live = arena_alloc(&view->arena, policy->rules * sizeof(*live)); /* pages that stay untouched cost nothing */
	if (!live)
		return false;
	view->live = live;
	for (uint32_t i = 0; i < policy->rules && !all; i++) {
		const struct rule *rule = &policy->rule[i];

		if (facts && misses(rule, facts, false))
			continue;
		live[view->n_live] = live_rule_of(rule, i, targets);
		targets += rule->n_to;
		view->asks_identity = view->asks_identity || (live[view->n_live].flags & LIVE_ASKS_IDENTITY);
		all = decides_all(&live[view->n_live++]) && facts;
	}
	if (!gather_targets(view, targets)) {
		view_free(view);
		return false;
	}
	arena_seal(&view->arena);
	return true;
}

void view_free(struct view *view)
{
	arena_free(&view->arena);
	*view = (struct view){ 0 };
}
