/* places.c - the addresses that a policy names: destinations that no route leads to, sources that are not this machine's. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/check/advice.h"
#include "tools/check/implies.h"
#include "tools/memory.h"

static char *addr_words(const struct ip_addr *addr)
{
	char buffer[64] = "";
	struct text text = TEXT_OVER(buffer);
	text_add_addr(&text, addr, true);
	return memory_words("%s", buffer);
}

/* --- destinations ----------------------------------------------------------------------------------------- */

static unsigned prefix_of(const struct target *target)
{
	unsigned ones = (unsigned)__builtin_popcountll(target->mask_hi) + (unsigned)__builtin_popcountll(target->mask_lo);
	return ones;
}

/* fe80::/10: which interface it is on is not for a policy to say, and without it there is no route. */
static bool is_link_local(const struct ip_addr *addr)
{
	return addr->family == FAMILY_IPV6 && addr->hi >> 54 == 0x3fa;
}

/* The first address of the network, the one behind it, and one in its middle; all three the same where it is one address. */
#define SAMPLES 3
static void samples_of(const struct target *target, struct ip_addr sample[SAMPLES])
{
	const uint64_t low_bits = target->net.family == FAMILY_IPV4 ? ~target->mask_lo & UINT32_MAX : ~target->mask_lo;
	const uint64_t high_bits = target->net.family == FAMILY_IPV4 ? 0 : ~target->mask_hi;
	for (size_t i = 0; i < SAMPLES; i++)
		sample[i] = target->net;
	sample[0].lo |= low_bits & 1;
	if (high_bits)
		sample[1].hi |= high_bits ^ high_bits >> 1;
	else
		sample[1].lo |= low_bits ^ low_bits >> 1;
	sample[1].lo |= low_bits & 1;
}

/* A route for a part of the network is enough. */
static bool is_routed_into(const struct machine *machine, const struct target *target)
{
	for (size_t i = 0; i < machine->n_routed; i++)
		if (implies_target(&machine->routed[i], target, target->net.family) &&
		    machine->routed[i].net.family == target->net.family)
			return true;
	return false;
}

/* 0 if any address of the target is reached, as far as three and the table of routes tell; else why the first is not. */
static int route_of(const struct subject *subject, const struct rule *rule, const struct target *target)
{
	struct target anywhere = *target;
	struct ip_addr sample[SAMPLES];
	int error = 0;
	anywhere.port_lo = 0;
	anywhere.port_hi = UINT16_MAX;
	samples_of(target, sample);
	for (size_t i = 0; i < SAMPLES; i++) {
		int found = subject->machine->route(&rule->source, &sample[i]);
		if (found == 0)
			return 0;
		error = error ? error : found;
	}
	return is_routed_into(subject->machine, &anywhere) ? 0 : error;
}

/* What connect(2) says of it (tests/platform/routes.c); NULL: nothing that concerns the route. */
static const char *route_words(int error)
{
	switch (error) {
	case -ENETUNREACH: return "no route leads there";
	case -EHOSTUNREACH: return "the route there is of type 'unreachable'";
	case -EACCES: return "the route there is of type 'prohibit'";
	case -EINVAL: return "the route there is of type 'blackhole'";
	case -EADDRNOTAVAIL: return "this machine has no address to go there from";
	case -EAFNOSUPPORT: return "this kernel does not have that family";
	default: return NULL;
	}
}

static void check_target(const struct subject *subject, uint32_t index, uint32_t item)
{
	const struct rule *rule = &subject->policy->rule[index];
	const struct target *target = &rule->to[item];
	if (!target->net.family || !prefix_of(target) || is_link_local(&target->net) ||
	    !(target->net.family & rule->families))
		return;
	int error = route_of(subject, rule, target);
	const char *why = route_words(error);
	if (!error || !why)
		return;
	struct advice *advice = advice_add(subject->found, ADVICE_WARNING,
	                                   lines_of_item(subject->lines, index, KEY_TO, item, rule->line), CHECK_NO_ROUTE, rule);
	char *addr = addr_words(&target->net);
	advice->words = memory_words("rule %s: to: %s/%u: %s now (%s)", rule->name, addr, prefix_of(target), why, strerror(-error));
	advice->fix = memory_words("look at 'ip route get' for it, or take it out");
	free(addr);
}

/* --- sources ---------------------------------------------------------------------------------------------- */

static void check_source(const struct subject *subject, uint32_t index)
{
	const struct rule *rule = &subject->policy->rule[index];
	if (!rule->source.family || subject->machine->address(&rule->source) != -EADDRNOTAVAIL)
		return;
	struct advice *advice = advice_add(subject->found, ADVICE_WARNING,
	                                   lines_of(subject->lines, index, KEY_SOURCE, rule->line), CHECK_NO_SOURCE, rule);
	char *addr = addr_words(&rule->source);
	advice->words = memory_words("rule %s: source: no interface has the address %s now, so its calls fail", rule->name, addr);
	advice->fix = memory_words("write one that 'ip addr' shows, or leave the kernel to choose");
	free(addr);
}

void check_places(const struct subject *subject)
{
	for (uint32_t i = 0; i < subject->policy->rules; i++) {
		const struct rule *rule = &subject->policy->rule[i];
		if (rule->action == ACTION_DENY)
			continue; /* whether denied calls would get there is nobody's care */
		for (uint32_t j = 0; j < rule->n_to; j++)
			check_target(subject, i, j);
		check_source(subject, i);
	}
}
