/* faulty.h - runs of the probe `fault`, and what must be true of each. */
#ifndef PORTSHIM_TESTS_FAULTS_FAULTY_H
#define PORTSHIM_TESTS_FAULTS_FAULTY_H

#include <stdlib.h>

#include "tests/storm/witness.h"

#define NONE "", 20000
#define LATE "", 40100

/* A scene of the probe's, under a policy of eight ports from `lo`. */
struct faulty {
	const char *scene, *head, *keys;
	int lo;
	int cases; /* at least */
};

static struct run faulty_run;

static inline const char *faulty_policy(const struct faulty *faulty)
{
	static char policy[256];

	snprintf(policy, sizeof(policy), "%s[rule r]\nports = %d-%d\n%s", faulty->head, faulty->lo, faulty->lo + 7, faulty->keys);
	return policy;
}

/* Nothing of it was wrong, no port was lost, and from outside the ports came who had said so, and nobody else. */
static inline void faulty_play(const char *act, const struct faulty *faulty)
{
	struct way way = { faulty->scene, "", faulty->lo, faulty->lo + 7 };
	char lo[16], hi[16];
	const char *argv[] = { built("tests/probes/fault"), act, faulty->scene, lo, hi, NULL };
	const char *out = faulty_run.out;

	snprintf(lo, sizeof(lo), "%d", way.lo);
	snprintf(hi, sizeof(hi), "%d", way.hi);
	witness_begin(&way);
	faulty_run = (struct run){ .policy = faulty_policy(faulty), .slow = true };
	run_program(&faulty_run, argv);
	if (getenv("FAULT_TELL"))
		fprintf(stderr, "%s, %s, under\n%s%s", act, faulty->scene, faulty_policy(faulty), out);
	cr_assert(exited(&faulty_run, 0), "%s, %s: status 0x%x\n%s", act, faulty->scene, (unsigned int)faulty_run.status, out);
	cr_assert_eq(crowd_count(&faulty_run, "not as it must be"), 0, "%s, %s\n%s", act, faulty->scene, out);
	/* How often a call is made again while there is time to wait is not always the same; all else is. */
	cr_assert(crowd_count(&faulty_run, "moved") == 0 || strstr(faulty->keys, "wait"), "%s, %s\n%s", act, faulty->scene, out);
	cr_assert_eq(crowd_count(&faulty_run, "wrong at last"), 0, "%s, %s\n%s", act, faulty->scene, out);
	cr_assert_eq(crowd_count(&faulty_run, "tcp again"), 8, "%s, %s\n%s", act, faulty->scene, out);
	cr_assert_eq(crowd_count(&faulty_run, "udp again"), 8, "%s, %s\n%s", act, faulty->scene, out);
	cr_assert_geq(crowd_count(&faulty_run, "cases"), faulty->cases, "%s, %s\n%s", act, faulty->scene, out);
	witness_end(NULL);
	cr_assert_eq(witness->outside, crowd_count(&faulty_run, "left outside"), "%s, %s\n%s", act, faulty->scene, out);
}

#endif
