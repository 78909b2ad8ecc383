/* match.c - the rule that decides a call: a walk through a view, at each call that is not decided yet. */
#include "policy.h"

static bool id_in(const struct id_list *list, uint32_t id)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->item[i] == id)
			return true;
	return false;
}

static bool group_in(const struct id_list *list, const struct identity *identity)
{
	if (id_in(list, identity->group))
		return true;
	for (size_t i = 0; i < identity->n_groups; i++)
		if (id_in(list, identity->groups[i]))
			return true;
	return false;
}

/* Nobody is like no user and no group. */
static unsigned int identity_misses(const struct rule *rule, const struct identity *identity)
{
	unsigned int found = 0;

	if (rule->user.n && (!identity || !id_in(&rule->user, identity->user)))
		found |= CONDITION_USER;
	if (rule->group.n && (!identity || !group_in(&rule->group, identity)))
		found |= CONDITION_GROUP;
	return found;
}

static bool destination_holds(const struct view *view, const struct live_rule *live, const struct question *question)
{
	if (!question->has_destination)
		return false;
	for (uint32_t i = 0; i < live->n_targets; i++)
		if (target_covers(&view->target[live->first_target + i], &question->destination))
			return true;
	return false;
}

/* What only some rules ask: identity. */
static unsigned int who_misses(const struct view *view, const struct live_rule *live, const struct question *question)
{
	return live->flags & LIVE_ASKS_IDENTITY ? identity_misses(&view->policy->rule[live->index], question->identity) : 0;
}

/* The conditions that do not hold; the first of them alone, unless `all`. */
static inline unsigned int misses(const struct view *view, const struct live_rule *live, const struct question *question,
                                  bool all)
{
	unsigned int found = 0;

	if (!(live->calls & question->calls))
		found = CONDITION_CALL;
	if ((all || !found) && !(live->protocols & question->protocol))
		found |= CONDITION_PROTOCOL;
	if ((all || !found) && !(live->families & question->family)) /* a source's family is in live->families already */
		found |= CONDITION_FAMILY;
	if ((all || !found) && (live->flags & LIVE_HAS_TO) && !destination_holds(view, live, question))
		found |= CONDITION_TO;
	return all || !found ? found | who_misses(view, live, question) : found;
}

unsigned int view_misses(const struct view *view, uint32_t i, const struct question *question)
{
	return misses(view, &view->live[i], question, true);
}

const struct rule *view_match(const struct view *view, const struct question *question)
{
	for (uint32_t i = 0; i < view->n_live; i++)
		if (!misses(view, &view->live[i], question, false))
			return &view->policy->rule[view->live[i].index];
	return NULL;
}

/* Rules for which the call with the destination is the one that counts: those with `to`, and those that name connect or
 * send and not bind. */
static bool looks_to_destination(const struct live_rule *live)
{
	return live->flags & LIVE_HAS_TO || !(live->calls & CALL_BIND);
}

const struct rule *view_waits_for_destination(const struct view *view, const struct question *question)
{
	/* what is bound in IPv6 may yet connect to a v4-mapped address, and is IPv4 then */
	unsigned int later = question->family & FAMILY_IPV6 ? FAMILY_ANY : question->family;

	for (uint32_t i = 0; i < view->n_live; i++) {
		const struct live_rule *live = &view->live[i];
		bool waits = looks_to_destination(live);
		unsigned int calls = waits ? CALL_CONNECT | CALL_SEND | CALL_BIND : question->calls;

		if (!(live->calls & calls) || !(live->protocols & question->protocol) ||
		    !(live->families & (waits ? later : question->family)) || who_misses(view, live, question))
			continue;
		return waits ? &view->policy->rule[live->index] : NULL;
	}
	return NULL;
}
