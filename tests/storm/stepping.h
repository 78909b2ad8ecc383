/* stepping.h - runs of the probe storm_step, and what must be true of them. */
#ifndef PORTSHIM_TESTS_STORM_STEPPING_H
#define PORTSHIM_TESTS_STORM_STEPPING_H

#include "tests/storm/witness.h"

static struct run played;

/* Nothing was wrong while it was played, and all ports can be had afterwards. */
static inline void all_is_well(const struct way *way, const char *scene, const char *act)
{
	int ports = way->hi - way->lo + 1;

	cr_assert(exited(&played, 0), "%s, %s, %s: status 0x%x\n%s%s", way->name, scene, act, (unsigned int)played.status,
	          played.out, played.err);
	cr_assert_str_empty(played.err);
	cr_assert_eq(crowd_count(&played, "wrong"), 0, "%s, %s, %s: %s", way->name, scene, act, played.out);
	cr_assert_eq(crowd_count(&played, "tcp again"), ports, "%s, %s, %s: %s", way->name, scene, act, played.out);
	cr_assert_eq(crowd_count(&played, "udp again"), ports, "%s, %s, %s: %s", way->name, scene, act, played.out);
	cr_assert_eq(crowd_count(&played, "wrong at last"), 0, "%s, %s, %s: %s", way->name, scene, act, played.out);
}

/* STRIDE as storm_step has it. */
static inline void step(const struct way *way, const char *scene, const char *act, const char *stride)
{
	char lo[16], hi[16];
	const char *argv[] = { built("tests/probes/storm_step"), scene, act, stride, lo, hi, NULL };

	snprintf(lo, sizeof(lo), "%d", way->lo);
	snprintf(hi, sizeof(hi), "%d", way->hi);
	witness_begin(way);
	played = (struct run){ .policy = policy_of(way), .slow = true };
	run_program(&played, argv);
	if (getenv("STORM_TELL"))
		fprintf(stderr, "%s, %s, %s: %s", way->name, scene, act, played.out);
	all_is_well(way, scene, act);
	cr_assert_gt(crowd_count(&played, "acted"), 0, "%s, %s, %s: %s", way->name, scene, act, played.out);
	witness_end(way);
	cr_assert_gt(witness->connections, 0);
}

#endif
