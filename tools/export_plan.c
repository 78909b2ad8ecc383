/* export_plan.c - from a policy's rules to entries that a firewall can hold. */
#define _GNU_SOURCE
#include "tools/export_plan.h"

#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"
#include "tools/message.h"

enum { PROTOCOLS = 5, NAMES_MAX = 5 };

static const uint32_t process_notes = NOTE_PROCESS | NOTE_WHO | NOTE_CGROUP_OFF | NOTE_CGROUP_UNKNOWN | NOTE_CGROUP_BELOW;

/* --- which packets, and what becomes of them --------------------------------------------------------------- */

/* The calls of which one begins every exchange. A TCP connection opened by a send (Fast Open) counts as a connect. */
static unsigned int opening_calls(unsigned int protocol)
{
	return protocol & (PROTOCOL_TCP | PROTOCOL_DCCP) ? CALL_CONNECT : CALL_CONNECT | CALL_SEND;
}

/* Of `protocols` those of whose packets the rule decides all. */
static uint8_t decided_wholly(const struct rule *rule, uint8_t protocols)
{
	unsigned int wholly = 0;
	for (unsigned int bit = 1; bit < 1 << PROTOCOLS; bit <<= 1)
		if ((rule->calls & opening_calls(bit)) == opening_calls(bit))
			wholly |= bit;
	return (uint8_t)(wholly & protocols);
}

/* Likewise those of which it decides some: where a socket was given its port before. */
static uint8_t decided_partly(const struct rule *rule, uint8_t protocols)
{
	if (!(rule->calls & (CALL_CONNECT | CALL_SEND | CALL_BIND)))
		return 0;
	return (uint8_t)(protocols & ~decided_wholly(rule, protocols));
}

/* Control groups are asked for where each item of the list can be: else programs of the policy would be shut out. */
static void ask_for_cgroup(struct entry *entry, const struct export *export, const struct ability *ability)
{
	char **path;
	size_t n;
	if (!entry->rule->cgroup.n)
		return;
	if (!ability->cgroup) {
		entry->notes |= NOTE_WHO;
		return;
	}
	if (!export->cgroup) {
		entry->notes |= NOTE_CGROUP_OFF;
		return;
	}
	n = entry_cgroups(entry, &path);
	entry->asks_cgroup = n > 0;
	entry->notes |= n > 0 ? NOTE_CGROUP_BELOW : NOTE_CGROUP_UNKNOWN;
	cgroups_free(path, n);
}

static void ask_for_process(struct entry *entry, const struct export *export, const struct ability *ability)
{
	const struct rule *rule = entry->rule;
	if (rule->program.n || rule->command.n || rule->env.n)
		entry->notes |= NOTE_PROCESS;
	entry->asks_user = rule->user.n && ability->user;
	entry->asks_group = rule->group.n && ability->user;
	if ((rule->user.n || rule->group.n) && !ability->user)
		entry->notes |= NOTE_WHO;
	if (entry->asks_group && !ability->supplementary)
		entry->notes |= NOTE_GROUP;
	ask_for_cgroup(entry, export, ability);
}

static bool has_ports_of_destinations(const struct rule *rule)
{
	for (uint32_t i = 0; i < rule->n_to; i++)
		if (rule->to[i].port_lo != 0 || rule->to[i].port_hi != 65535)
			return true;
	return false;
}

/* What is let out. A firewall that cannot see all that the rule asks for must neither let everything out nor refuse what
 * the rule does not mean; the rule's ports it may let out, for these are its own. */
static enum permit permit_of(const struct entry *entry, bool wholly)
{
	const struct rule *rule = entry->rule;
	bool seen = !(entry->notes & process_notes);
	bool nearly = !(entry->notes & process_notes & ~(uint32_t)NOTE_CGROUP_BELOW);
	switch (rule->action) {
	case ACTION_ASSIGN: return PERMIT_PORTS;
	case ACTION_PASS:
		return nearly && (wholly || rule->calls & (CALL_CONNECT | CALL_SEND)) ? PERMIT_ANY : PERMIT_LEFT_OUT;
	case ACTION_DENY: break;
	}
	return seen && wholly ? PERMIT_NONE : PERMIT_LEFT_OUT;
}

static void entry_add(struct plan *plan, const struct entry *entry)
{
	plan->entry = memory_for_one(plan->entry, plan->n, &plan->room, sizeof(*plan->entry));
	plan->entry[plan->n++] = *entry;
}

/* The part of a rule that concerns these protocols. */
static void part_add(struct plan *plan, struct entry part, uint8_t protocols, bool wholly, bool both_ports)
{
	const struct rule *rule = part.rule;
	if (!protocols)
		return;
	part.protocols = protocols;
	part.permit = permit_of(&part, wholly);
	part.closes = wholly && !(part.notes & process_notes);
	if (!wholly)
		part.notes |= NOTE_CALL;
	if (rule->action == ACTION_ASSIGN && rule->exhausted == EXHAUSTED_PASS)
		part.notes |= NOTE_EXHAUSTED;
	if (rule->action == ACTION_ASSIGN && !both_ports && has_ports_of_destinations(rule))
		part.notes |= NOTE_BOTH_PORTS;
	entry_add(plan, &part);
}

static void left_out_add(struct plan *plan, struct entry part, uint8_t protocols, enum note note)
{
	if (!protocols)
		return;
	part.protocols = protocols;
	part.permit = PERMIT_LEFT_OUT;
	part.notes = note;
	entry_add(plan, &part);
}

static void rule_add(struct plan *plan, const struct rule *rule, const struct export *export,
                     const struct ability *ability)
{
	uint8_t protocols = rule->protocols & ability->protocols;
	uint8_t wholly = decided_wholly(rule, protocols), partly = decided_partly(rule, protocols);
	struct entry entry = { .rule = rule, .families = (uint8_t)(rule_live_families(rule) & ability->families) };
	if (!entry.families) /* the other family's file has it */
		return;
	ask_for_process(&entry, export, ability);
	part_add(plan, entry, wholly, true, ability->both_ports);
	part_add(plan, entry, partly, false, ability->both_ports);
	left_out_add(plan, entry, (uint8_t)(protocols & ~(wholly | partly)), NOTE_LISTEN);
	/* who names no protocol does not mean those that hardly anything speaks */
	if (rule->protocols != PROTOCOL_ANY)
		left_out_add(plan, entry, (uint8_t)(rule->protocols & ~protocols), NOTE_PROTOCOL);
}

void plan_make(struct plan *plan, const struct export *export, const struct ability *ability)
{
	*plan = (struct plan){ .n = 0 };
	for (uint32_t i = 0; i < export->policy->rules; i++)
		rule_add(plan, &export->policy->rule[i], export, ability);
}

void plan_free(struct plan *plan)
{
	free(plan->entry);
	*plan = (struct plan){ .n = 0 };
}

/* --- what differs from the policy ----------------------------------------------------------------------------- */

static const struct {
	enum note note;
	bool less; /* of what the policy lets out, something is not */
	const char *words;
} reasons[] = {
	{ NOTE_PROCESS, false, "a firewall does not see program, command or env" },
	{ NOTE_WHO, false, "this firewall does not see user, group or cgroup" },
	{ NOTE_CGROUP_OFF, false, "cgroup is not asked for (--cgroup does, as long as the group is not made anew)" },
	{ NOTE_CGROUP_UNKNOWN, false, "cgroup has a pattern, or a group that is not there now" },
	{ NOTE_CGROUP_BELOW, false, "the groups below its cgroup count as well" },
	{ NOTE_GROUP, true, "nftables sees only the effective group, none that a user is in besides; name users instead" },
	{ NOTE_BOTH_PORTS, false, "firewalld cannot ask for the ports of both ends, so any port of its destinations counts" },
	{ NOTE_CALL, false, "a packet does not show which call gave its port" },
	{ NOTE_EXHAUSTED, true, "with exhausted = pass the kernel's ports come next, and these are not let out" },
	{ NOTE_PROTOCOL, true, "this firewall cannot ask for the ports of its protocol" },
	{ NOTE_LISTEN, false, "what listens only answers, and answers go out" },
};

#define REASONS (sizeof(reasons) / sizeof(*reasons))

enum effect { EFFECT_NONE, EFFECT_MORE, EFFECT_LESS, EFFECT_OPEN, EFFECT_REFUSE, EFFECTS };

static const char *const effect_words[] = {
	[EFFECT_NONE] = "nothing to permit", [EFFECT_MORE] = "permits more than the policy",
	[EFFECT_LESS] = "permits less than the policy",
	[EFFECT_OPEN] = "left out, as it would let out what the policy does not mean",
	[EFFECT_REFUSE] = "left out, as it would refuse what the policy does not mean",
};

static enum effect effect_of(const struct entry *entry, size_t reason)
{
	enum action action = entry->rule->action;
	if (reasons[reason].note == NOTE_LISTEN)
		return EFFECT_NONE;
	if (entry->permit == PERMIT_LEFT_OUT && reasons[reason].note != NOTE_PROTOCOL)
		return action == ACTION_PASS ? EFFECT_OPEN : EFFECT_REFUSE;
	return reasons[reason].less == (action == ACTION_DENY) ? EFFECT_MORE : EFFECT_LESS;
}

/* "rule a" or "rules a, b and 3 more", whose entries have that reason and effect; NULL: none has. To be freed. */
static char *rules_with(const struct plan *plan, size_t reason, enum effect effect)
{
	char *words = NULL;
	const struct rule *last = NULL;
	unsigned int n = 0;
	for (size_t i = 0; i < plan->n; i++) {
		const struct entry *entry = &plan->entry[i];
		if (!(entry->notes & reasons[reason].note) || effect_of(entry, reason) != effect || entry->rule == last)
			continue;
		last = entry->rule;
		if (++n > NAMES_MAX)
			continue;
		char *name = plan_name(last), *before = words;
		words = memory_words("%s%s%s", before ? before : "", before ? ", " : "", name);
		free(name);
		free(before);
	}
	if (!words)
		return NULL;
	char *all = n > NAMES_MAX ? memory_words("rules %s and %u more", words, n - NAMES_MAX) :
	                            memory_words("%s %s", n > 1 ? "rules" : "rule", words);
	free(words);
	return all;
}

void plan_warn(const struct plan *plan)
{
	for (enum effect effect = EFFECT_MORE; effect < EFFECTS; effect++)
		for (size_t i = 0; i < REASONS; i++) {
			char *rules = rules_with(plan, i, effect);
			if (rules)
				say_warning("%s: %s: %s", rules, effect_words[effect], reasons[i].words);
			free(rules);
		}
}

void plan_comment(const struct export *export, const struct entry *entry, const char *begin, const char *end)
{
	char *name = plan_name(entry->rule);
	fprintf(export->to, "%srule %s%s\n", begin, name, end);
	for (size_t i = 0; i < REASONS; i++)
		if (entry->notes & reasons[i].note)
			fprintf(export->to, "%s  %s: %s%s\n", begin, effect_words[effect_of(entry, i)], reasons[i].words,
			        end);
	free(name);
}
