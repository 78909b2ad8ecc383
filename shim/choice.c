/* choice.c - proposing ports: levels, sweeps, claims, and what is done without a table. */
#define _GNU_SOURCE
#include "choice.h"

#include "clock.h"
#include "random.h"
#include "rules.h"
#include "sweep.h"
#include "way.h"

/* For one call. */
#define SWEEPS 2 /* what the first brought may be gone before it is claimed */
#define CHURNS 16
#define RETRIES 2

/* --- without a table, or without room in it ------------------------------------------------------------ */

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static void begin_alone(struct choice *choice)
{
	choice->steered = false;
	choice->left = choice->purpose.rule->ports.count;
	choice->position = random_below(choice->left);
	choice->stride = 0;
}

/* The stride is chosen when a second port is needed: as a rule the first is free. */
static void step(struct choice *choice, uint32_t count)
{
	if (count < 2)
		return;
	if (choice->stride == 0) {
		choice->stride = 1 + random_below(count - 1);
		while (common_divisor(count, choice->stride) != 1) /* ends at count - 1 */
			choice->stride++;
	}
	choice->position = (choice->position + choice->stride) % count;
}

static bool next_alone(struct choice *choice, struct candidate *candidate)
{
	const struct port_set *set = &choice->purpose.rule->ports;

	while (choice->left > 0) {
		uint16_t port;
		bool named;

		if (choice->left-- < set->count)
			step(choice, set->count);
		port = ports_nth(set, choice->position, &named);
		if ((named && kernel_reserves(choice->purpose.kernel, port)) || port == choice->walk.skipped)
			continue;
		*candidate = (struct candidate){ .lo = port, .hi = port };
		if (!choice->purpose.table || lease_claim_spare(choice->purpose.table, choice->purpose.peer, port,
		                                                choice->purpose.note, &candidate->lease) == CLAIM_MADE)
			return true;
		rules_count(choice->purpose.table, choice->purpose.number, RULE_RETRIES);
	}
	return false;
}

/* --- steered by the table ------------------------------------------------------------------------------ */

static void begin_steered(struct choice *choice)
{
	const struct purpose *purpose = &choice->purpose;
	const struct rule *rule = purpose->rule;
	struct table_rule *entry = rules_entry(purpose->table, purpose->number);

	choice->steered = true;
	choice->left = 2 * rule->ports.count + 64;
	choice->freed_before = atomic_load_explicit(&purpose->table->freed, memory_order_acquire);
	choice->algorithm = (struct algorithm){
		.choose = rule->choose, .entry = entry, .to = purpose->to, .program = purpose->program,
	};
	choice->walk = (struct walk){
		.set = &rule->ports, .kernel = purpose->kernel, .table = purpose->table, .peer = purpose->peer,
		.now = clock_now(), .cooldown = rule->cooldown_ms * MILLISECOND, .sees_no_close = purpose->sees_no_close,
	};
	rules_use(entry, choice->walk.now);
	if (rule->choose == CHOOSE_STABLE)
		algorithm_look_home(&choice->algorithm, &choice->walk);
	/* `stable` is there to return to its port. */
	if (rule->choose != CHOOSE_STABLE)
		choice->walk.last = (uint16_t)atomic_load_explicit(&entry->released[peer_space(purpose->peer->protocol)],
		                                                   memory_order_relaxed);
}

/* To the next level that free ports were seen on; false: there is none. */
static bool rise(struct walk *walk)
{
	while (++walk->level < LEVELS)
		if (walk->seen & 1u << walk->level)
			return true;
	return false;
}

/* Whether a sweep, by whomever, has freed a cell since the walk began: it may lie behind where the walk was. */
static bool was_freed(struct choice *choice)
{
	uint64_t now = atomic_load_explicit(&choice->purpose.table->freed, memory_order_acquire), before = choice->freed_before;

	choice->freed_before = now;
	return now != before;
}

static bool look_again(struct choice *choice)
{
	const struct purpose *purpose = &choice->purpose;
	const struct port_set *set = &purpose->rule->ports;
	struct port_range bounds = { set->interval[0].lo, set->interval[set->intervals - 1].hi };
	enum swept swept;
	bool freed;

	if (choice->sweeps >= SWEEPS || choice->churns >= CHURNS)
		return false;
	swept = sweep_peer(purpose->table, purpose->peer, bounds, purpose->kernel, choice->walk.now,
	                   purpose->sees_no_close && !purpose->comes_again);
	freed = was_freed(choice);
	/* Where no close() is seen a set that others use fills up again and again: that is not the same as in use for long. (A sweep
	 * finds nothing to free where another's was faster, and before this call looks others may have taken it.) */
	if (purpose->sees_no_close && (freed || swept == SWEPT_CHURN))
		choice->churns++;
	else
		choice->sweeps++;
	if (swept != SWEPT_NOT && !choice->swept_since)
		choice->swept_since = choice->walk.now;
	choice->walk.level = LEVEL_WELCOME;
	choice->walk.seen = 0;
	return freed || swept != SWEPT_NOT;
}

static bool make_room(struct choice *choice)
{
	const struct purpose *purpose = &choice->purpose;

	return choice->sweeps++ < SWEEPS &&
	       sweep_protocol(purpose->table, purpose->peer->protocol, purpose->kernel) == SWEPT_FREE;
}

/* A position that is free as far as is known; -1 when none is left. */
static int32_t propose(struct choice *choice)
{
	for (;;) {
		int32_t position = algorithm_propose(&choice->algorithm, &choice->walk);

		if (position >= 0)
			return position;
		if (!rise(&choice->walk) && !look_again(choice))
			return -1;
	}
}

/* The last resort: a port that the kernel refused to somebody. */
static bool retry(struct choice *choice, struct candidate *candidate)
{
	const struct purpose *purpose = &choice->purpose;

	while (choice->retries++ < RETRIES) {
		uint16_t port = walk_refused(&choice->walk);

		if (!port)
			break;
		if (lease_retry(purpose->table, purpose->peer, port, purpose->number, purpose->note, &candidate->lease) ==
		    CLAIM_MADE) {
			candidate->lo = candidate->hi = port;
			return true;
		}
	}
	if (choice->swept_since)
		sweep_heard(choice->purpose.table, choice->purpose.peer, choice->swept_since, false);
	return false;
}

static bool next_steered(struct choice *choice, struct candidate *candidate)
{
	const struct purpose *purpose = &choice->purpose;

	while (choice->left > 0) {
		int32_t position = propose(choice);
		uint16_t port;

		choice->left--;
		if (position < 0)
			return retry(choice, candidate);
		port = ports_nth(&purpose->rule->ports, (uint32_t)position, NULL);
		switch (lease_claim(purpose->table, purpose->peer, port, purpose->number, purpose->note, &candidate->lease)) {
		case CLAIM_MADE:
			candidate->lo = candidate->hi = port;
			return true;
		case CLAIM_BUSY:
			rules_count(purpose->table, purpose->number, RULE_RETRIES);
			break;
		case CLAIM_NO_ROOM:
			if (make_room(choice))
				break;
			begin_alone(choice);
			return next_alone(choice, candidate);
		}
	}
	return retry(choice, candidate);
}

/* --- both ------------------------------------------------------------------------------------------------ */

void choice_begin(struct choice *choice, const struct purpose *purpose)
{
	choice->purpose = *purpose;
	choice->part = purpose->lets_kernel_pick && way_kernel_picks(purpose->rule, purpose->kernel) ? PART_WHOLE : PART_NONE;
	choice->forbidden = choice->sweeps = choice->churns = choice->retries = 0;
	choice->swept_since = 0;
	choice->walk.skipped = 0;
	if (purpose->table)
		begin_steered(choice);
	else
		begin_alone(choice);
}

/* A set without holes, or part of it. */
static void propose_part(struct choice *choice, struct candidate *candidate)
{
	const struct port_set *set = &choice->purpose.rule->ports;
	enum part part = choice->part;

	candidate->lo = ports_nth(set, part == PART_BUT_FIRST, NULL);
	candidate->hi = ports_nth(set, part == PART_FIRST ? 0 : set->count - 1, NULL);
	choice->part = part == PART_FIRST || set->count == 1 || set->count % 2 == 0 ? PART_NONE : part + 1;
}

bool choice_next(struct choice *choice, struct candidate *candidate)
{
	*candidate = (struct candidate){ .lo = 0 };
	if (choice->part != PART_NONE) {
		propose_part(choice, candidate);
		return true;
	}
	return choice->steered ? next_steered(choice, candidate) : next_alone(choice, candidate);
}

void choice_heard(struct choice *choice, struct candidate *candidate, enum outcome outcome)
{
	const struct purpose *purpose = &choice->purpose;

	switch (outcome) {
	case OUTCOME_FORBIDDEN:
		choice->forbidden++;
		lease_taken(purpose->table, &candidate->lease);
		break;
	case OUTCOME_TAKEN:
		lease_taken(purpose->table, &candidate->lease);
		if (candidate->lo < candidate->hi)
			choice->left = 0; /* the kernel has looked at each of them */
		break;
	case OUTCOME_UNFIT:
		choice->part = PART_NONE;
		lease_drop(purpose->table, &candidate->lease);
		if (candidate->lo == candidate->hi)
			choice->walk.skipped = candidate->lo;
		break;
	case OUTCOME_GIVEN:
		if (choice->swept_since)
			sweep_heard(purpose->table, purpose->peer, choice->swept_since, true);
		break;
	}
}
