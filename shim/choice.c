/* choice.c - proposing ports. */
#define _GNU_SOURCE
#include "choice.h"

#include "random.h"

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static bool kernel_can_pick(const struct rule *rule, const struct kernel *kernel)
{
	const struct port_set *set = &rule->ports;
	bool named;

	return rule->choose == CHOOSE_KERNEL && ports_without_holes_inside(set, kernel->ephemeral) &&
	       kernel_takes_late(kernel, ports_nth(set, 0, &named));
}

void choice_begin(struct choice *choice, const struct rule *rule, const struct kernel *kernel, bool lets_kernel_pick)
{
	uint32_t count = rule->ports.count;

	choice->set = &rule->ports;
	choice->kernel = kernel;
	choice->forbidden = 0;
	choice->left = count;
	choice->whole = lets_kernel_pick && kernel_can_pick(rule, kernel);
	choice->position = random_below(count);
	choice->stride = 0;
}

/* The stride is chosen when a second port is needed: as a rule the first is free. */
static void step(struct choice *choice)
{
	uint32_t count = choice->set->count;

	if (count < 2)
		return;
	if (choice->stride == 0) {
		choice->stride = 1 + random_below(count - 1);
		while (common_divisor(count, choice->stride) != 1) /* ends at count - 1 */
			choice->stride++;
	}
	choice->position = (choice->position + choice->stride) % count;
}

bool choice_next(struct choice *choice, struct candidate *candidate)
{
	const struct port_set *set = choice->set;
	bool named;

	if (choice->whole) {
		choice->whole = false;
		candidate->lo = ports_nth(set, 0, &named);
		candidate->hi = ports_nth(set, set->count - 1, &named);
		return true;
	}
	while (choice->left > 0) {
		uint16_t port;

		if (choice->left-- < set->count)
			step(choice);
		port = ports_nth(set, choice->position, &named);
		if (named && kernel_reserves(choice->kernel, port))
			continue;
		candidate->lo = candidate->hi = port;
		return true;
	}
	return false;
}

void choice_heard(struct choice *choice, const struct candidate *candidate, enum outcome outcome)
{
	if (outcome == OUTCOME_FORBIDDEN)
		choice->forbidden++;
	else if (outcome == OUTCOME_TAKEN && candidate->lo < candidate->hi)
		choice->left = 0; /* the kernel has looked at each of them */
}
