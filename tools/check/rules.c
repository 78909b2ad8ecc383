/* rules.c - the rules against each other: one that never decides, sets that overlap, UDP sockets between two rules. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/check/advice.h"
#include "tools/check/implies.h"
#include "tools/portmap.h"
#include "tools/memory.h"

#define NAMED_MAX 3 /* rules that one finding names */

/* Names of rules, as many as are worth reading. */
struct names {
	char *words;
	size_t size;
	FILE *to;
	uint32_t n;
};

static void names_begin(struct names *names)
{
	*names = (struct names){ .n = 0 };
	names->to = open_memstream(&names->words, &names->size);
	if (!names->to)
		abort(); /* a few hundred bytes */
}

static void names_add(struct names *names, const struct rule *rule)
{
	if (names->n < NAMED_MAX)
		fprintf(names->to, "%s%s (line %d)", names->n ? ", " : "rule ", rule->name, rule->line);
	names->n++;
}

/* To be freed. */
static char *names_end(struct names *names)
{
	if (names->n > NAMED_MAX)
		fprintf(names->to, " and %u more", names->n - NAMED_MAX);
	fclose(names->to);
	return names->words;
}

/* --- rules that never decide ------------------------------------------------------------------------------ */

/* A kind of call: a bit for each call, protocol and family. */
typedef uint64_t kinds;

static kinds kinds_of(unsigned calls, unsigned protocols, unsigned families)
{
	kinds all = 0;
	for (unsigned call = 0; call < 4; call++)
		for (unsigned protocol = 0; protocol < 5; protocol++)
			if (calls >> call & 1 && protocols >> protocol & 1)
				all |= (kinds)(families & 3) << (call * 10 + protocol * 2);
	return all;
}

/* The calls that have to be decided before the rule for it never to be asked. A bind that is put off is decided with its
 * connect or its send. */
static uint8_t calls_to_hide(const struct rule *rule)
{
	uint8_t calls = rule_calls(rule);
	bool both = (calls & (CALL_CONNECT | CALL_SEND)) == (CALL_CONNECT | CALL_SEND);
	return rule->n_to && both ? calls & (uint8_t)~CALL_BIND : calls;
}

/* Whether an earlier rule's destinations hold for all that `target` covers (NULL: for every call with a destination). */
static bool destinations_hold(const struct rule *earlier, const struct target *target, uint8_t family)
{
	static const struct target any = { .port_hi = 65535 };
	for (uint32_t i = 0; i < earlier->n_to; i++)
		if (implies_target(target ? target : &any, &earlier->to[i], family))
			return true;
	return earlier->n_to == 0;
}

/* What an earlier rule, which concerns the same processes, decides of that target's calls. */
static kinds decided_by(const struct rule *earlier, const struct target *target)
{
	uint8_t calls = rule_calls(earlier), families = 0;
	for (unsigned family = FAMILY_IPV4; family <= FAMILY_IPV6; family <<= 1)
		if (rule_families(earlier) & family && destinations_hold(earlier, target, (uint8_t)family))
			families |= (uint8_t)family;
	if (earlier->n_to && !target)
		calls &= CALL_CONNECT | CALL_SEND;
	return kinds_of(calls, earlier->protocols, families);
}

/* What is left for `rule` of that target's calls when the candidates have decided; who did so is marked. */
static kinds left_of(const struct rule *rule, const struct target *target, const struct rule *const *candidate, uint32_t n,
                     bool *helped)
{
	uint8_t families = rule_families(rule) & (target && target->net.family ? target->net.family : FAMILY_ANY);
	kinds left = kinds_of(calls_to_hide(rule), rule->protocols, families);
	for (uint32_t i = 0; i < n && left; i++) {
		kinds decided = left & decided_by(candidate[i], target);
		left &= ~decided;
		helped[i] = helped[i] || decided;
	}
	return left;
}

static bool is_hidden_by(const struct rule *rule, const struct rule *const *candidate, uint32_t n, bool *helped)
{
	for (uint32_t i = 0; i < rule->n_to; i++)
		if (left_of(rule, &rule->to[i], candidate, n, helped))
			return false;
	return rule->n_to ? true : left_of(rule, NULL, candidate, n, helped) == 0;
}

/* One rule alone if there is one; else all that help. */
static void hidden_say(const struct subject *subject, const struct rule *rule, const struct rule *const *candidate,
                       uint32_t n, const bool *helped)
{
	struct names names;
	bool alone = false;
	names_begin(&names);
	for (uint32_t i = 0; i < n && !alone; i++) {
		bool ignored = false;
		alone = is_hidden_by(rule, &candidate[i], 1, &ignored);
		if (alone)
			names_add(&names, candidate[i]);
	}
	for (uint32_t i = 0; i < n && !alone; i++)
		if (helped[i])
			names_add(&names, candidate[i]);
	char *list = names_end(&names);
	struct advice *advice = advice_add(subject->found, ADVICE_WARNING, rule->line, CHECK_HIDDEN_RULE, rule);
	advice->words = memory_words("rule %s never decides: all that it matches is decided before, by %s", rule->name, list);
	advice->fix = memory_words("put it before %s, or take it out", alone || names.n == 1 ? "that rule" : "those rules");
	free(list);
}

static void hidden_find(const struct subject *subject, bool *hidden)
{
	const struct policy *policy = subject->policy;
	const struct rule **candidate = memory_zeroed(policy->rules, sizeof(const struct rule *));
	bool *helped = memory_zeroed(policy->rules, sizeof(*helped));
	for (uint32_t i = 0; i < policy->rules; i++) {
		const struct rule *rule = &policy->rule[i];
		uint32_t n = 0;
		for (uint32_t j = 0; j < i; j++)
			if (implies_process(rule, &policy->rule[j]))
				candidate[n++] = &policy->rule[j];
		memset(helped, 0, n * sizeof(*helped));
		hidden[i] = n && is_hidden_by(rule, candidate, n, helped);
		if (hidden[i])
			hidden_say(subject, rule, candidate, n, helped);
	}
	free(candidate);
	free(helped);
}

/* --- sets that overlap ------------------------------------------------------------------------------------ */

static bool same_set(const struct port_set *a, const struct port_set *b)
{
	if (a->intervals != b->intervals)
		return false;
	for (uint32_t i = 0; i < a->intervals; i++)
		if (a->interval[i].lo != b->interval[i].lo || a->interval[i].hi != b->interval[i].hi)
			return false;
	return true;
}

/* Two rules of one program with one set are one pool, and named ranges are not somebody's own. */
static bool overlap_is_meant(const struct rule *a, const struct rule *b)
{
	return !(a->protocols & b->protocols) || (same_set(&a->ports, &b->ports) && same_process(a, b));
}

static bool meets_set(const struct portmap *map, const struct port_set *set)
{
	for (uint32_t i = 0; i < set->intervals; i++)
		if (!set->interval[i].named && portmap_meets(map, set->interval[i].lo, set->interval[i].hi))
			return true;
	return false;
}

static void own_ports(struct portmap *map, const struct port_set *set)
{
	memset(map, 0, sizeof(*map));
	for (uint32_t i = 0; i < set->intervals; i++)
		if (!set->interval[i].named)
			portmap_add(map, set->interval[i].lo, set->interval[i].hi);
}

static void overlap_say(const struct subject *subject, uint32_t index, const struct rule *first, struct portmap *own,
                        char *list)
{
	const struct rule *rule = &subject->policy->rule[index];
	struct portmap other;
	own_ports(&other, &first->ports);
	portmap_and(own, &other);
	char *ports = portmap_words(own, NAMED_MAX, ", ");
	struct advice *advice = advice_add(subject->found, ADVICE_WARNING,
	                                   lines_of(subject->lines, index, KEY_PORTS, rule->line), CHECK_PORTS_OVERLAP, rule);
	advice->words = memory_words("rule %s: ports: %s %s also given by %s, so a port does not tell whose it is", rule->name,
	                             ports, portmap_count(own) == 1 ? "is" : "are", list);
	advice->fix = memory_words("give each rule ports of its own, or exclude them here with !");
	free(ports);
	free(list);
}

static void overlaps_of(const struct subject *subject, uint32_t index, const bool *hidden)
{
	const struct rule *rule = &subject->policy->rule[index], *first = NULL;
	struct portmap own;
	struct names names;
	own_ports(&own, &rule->ports);
	names_begin(&names);
	for (uint32_t i = 0; i < index; i++) {
		const struct rule *other = &subject->policy->rule[i];
		if (hidden[i] || overlap_is_meant(rule, other) || !meets_set(&own, &other->ports))
			continue;
		first = first ? first : other;
		names_add(&names, other);
	}
	char *list = names_end(&names);
	if (first)
		overlap_say(subject, index, first, &own, list);
	else
		free(list);
}

/* --- UDP sockets between two rules ------------------------------------------------------------------------ */

static bool names_udp(const struct rule *rule)
{
	return rule->protocols != PROTOCOL_ANY && rule->protocols & PROTOCOL_UDP;
}

/* Whether a socket's port depends on which of both its first datagram is for. What is denied decides nothing. */
static bool decide_differently(const struct rule *a, const struct rule *b)
{
	if (a->action == ACTION_DENY || b->action == ACTION_DENY || (a->action == ACTION_PASS && b->action == ACTION_PASS))
		return false;
	const struct ip_addr *one = &a->source, *other = &b->source;
	return a->action != b->action || !same_set(&a->ports, &b->ports) || one->family != other->family ||
	       one->hi != other->hi || one->lo != other->lo;
}

static bool takes_datagrams(const struct rule *rule)
{
	return rule->calls & CALL_SEND && rule->protocols & PROTOCOL_UDP;
}

/* Whether one program could come under both. Where UDP is not named it may not be meant, so that must be sure. */
static bool may_share_socket(const struct rule *a, const struct rule *b)
{
	if (names_udp(a) || names_udp(b))
		return !excludes_process(a, b);
	return implies_process(a, b) || implies_process(b, a);
}

static void first_send_find(const struct subject *subject, uint32_t index, const bool *hidden)
{
	const struct policy *policy = subject->policy;
	const struct rule *rule = &policy->rule[index], *other = NULL;
	for (uint32_t i = index + 1; i < policy->rules; i++) {
		const struct rule *later = &policy->rule[i];
		if (hidden[i] || !takes_datagrams(later) || !(rule_families(rule) & rule_families(later)) ||
		    !decide_differently(rule, later) || !may_share_socket(rule, later))
			continue;
		if (!other || (names_udp(later) && !names_udp(other)))
			other = later;
	}
	if (!other)
		return;
	bool named = names_udp(rule) || names_udp(other);
	struct advice *advice = advice_add(subject->found, named ? ADVICE_WARNING : ADVICE_NOTE,
	                                   lines_of(subject->lines, index, KEY_TO, rule->line), CHECK_UDP_FIRST_SEND, rule);
	advice->words = memory_words("rule %s: to: an unconnected UDP socket keeps the port of its first datagram, so one that "
	                             "sends elsewhere first, under rule %s (line %d), never gets one of these", rule->name,
	                             other->name, other->line);
	advice->fix = memory_words(named ? "give both rules the same ports, or call = connect where such sockets are connected"
	                                 : "write protocol = tcp where UDP is not meant");
}

/* ---------------------------------------------------------------------------------------------------------- */

void check_rules(const struct subject *subject)
{
	const struct policy *policy = subject->policy;
	bool *hidden = memory_zeroed(policy->rules, sizeof(*hidden));
	hidden_find(subject, hidden);
	for (uint32_t i = 0; i < policy->rules; i++) {
		const struct rule *rule = &policy->rule[i];
		if (hidden[i])
			continue;
		if (rule->action == ACTION_ASSIGN)
			overlaps_of(subject, i, hidden);
		if (rule->n_to && takes_datagrams(rule))
			first_send_find(subject, i, hidden);
	}
	free(hidden);
}
