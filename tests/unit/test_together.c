/* test_together.c - one process's threads at one table, all at once: ports chosen by every algorithm, given and given back or
 * left behind, sweeps, and a look at all of it. Built with the thread sanitizer as well (tests/sanitized.mk), which says
 * where two of them touch the same memory in another way than by atomic steps. */
#define _GNU_SOURCE
#include "tests/unit/choosing.h"

#include <pthread.h>
#include <stdlib.h>

#include "shim/sweep.h"
#include "tests/lib/harness.h"
#include "tests/unit/asking.h"
#include "tools/snapshot.h"

#define CHOOSERS CHOOSE_KERNEL /* all algorithms but that which leaves it to the kernel */
#define ROUNDS 1500
#define SETS "20000-20063, 20100-20131" /* early */

TestSuite(together, .timeout = 120);

static struct chooser chooser[CHOOSERS];
static struct table *table;
static _Atomic uint32_t holder[65536];          /* who has claimed it, from 1; 0: nobody */
static _Atomic uint32_t given, doubled, done, looks, impossible;

/* A claim is its maker's alone, whatever the others do. What is held without a socket is anybody's who sweeps. */
static void take(struct chooser *c, uint32_t number, uint32_t round)
{
	struct choice choice;
	struct candidate candidate;
	uint32_t nobody = 0, me = number;

	begin(c, &choice);
	while (choice_next(&choice, &candidate)) {
		bool refuse = (round + candidate.lo) % 16 == 0;

		if (!candidate.lease.cell) /* nothing is known of it */
			break;
		if (!atomic_compare_exchange_strong(&holder[candidate.lo], &nobody, number))
			atomic_fetch_add(&doubled, 1);
		atomic_compare_exchange_strong(&holder[candidate.lo], &me, 0);
		nobody = 0;
		me = number;
		choice_heard(&choice, &candidate, refuse ? OUTCOME_TAKEN : OUTCOME_GIVEN);
		if (refuse)
			continue;
		atomic_fetch_add(&given, 1);
		lease_hold(table, &candidate.lease);
		if (round % 64)
			lease_release(table, &candidate.lease);
		break;
	}
	rules_count(table, c->number, RULE_GIVEN);
}

static void *takes(void *argument)
{
	uint32_t number = (uint32_t)(uintptr_t)argument;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		take(&chooser[number - 1], number, round);
		if (round % 100 == 0)
			rules_number(table, &chooser[number - 1].rule);
	}
	atomic_fetch_add(&done, 1);
	return NULL;
}

static void *sweeps(void *argument)
{
	const struct peer *peer = &chooser[0].peer;

	do {
		sweep_peer(table, peer, (struct port_range){ 20000, 20131 }, kernel_now(), clock_now(), true);
		sweep_heard(table, peer, clock_now(), true);
		sweep_protocol(table, PROTOCOL_TCP, kernel_now());
	} while (atomic_load(&done) < CHOOSERS);
	return NULL;
}

static void *shows(void *argument)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	do {
		snapshot_take(snapshot, table, NULL);
		snapshot_who(snapshot, table);
		for (size_t i = 0; i < snapshot->rules; i++)
			if (snapshot->rule[i].in_use > 96 || snapshot->rule[i].ports != 96)
				atomic_fetch_add(&impossible, 1);
		atomic_fetch_add(&looks, 1);
		snapshot_free(snapshot);
	} while (atomic_load(&done) < CHOOSERS);
	free(snapshot);
	return NULL;
}

Test(together, threads_choose_sweep_and_look)
{
	pthread_t thread[CHOOSERS + 3];

	net_own();
	table = table_in_memory();
	for (uint32_t i = 0; i < CHOOSERS; i++)
		chooser_make(&chooser[i], table, (enum choose)i, SETS);
	for (uint32_t i = 0; i < CHOOSERS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, takes, (void *)(uintptr_t)(i + 1)), 0);
	cr_assert_eq(pthread_create(&thread[CHOOSERS], NULL, sweeps, NULL), 0);
	cr_assert_eq(pthread_create(&thread[CHOOSERS + 1], NULL, sweeps, NULL), 0);
	cr_assert_eq(pthread_create(&thread[CHOOSERS + 2], NULL, shows, NULL), 0);
	for (uint32_t i = 0; i < CHOOSERS + 3; i++)
		cr_assert_eq(pthread_join(thread[i], NULL), 0);
	cr_expect_eq(doubled, 0, "%u of %u", doubled, given);
	cr_expect_eq(impossible, 0);
	cr_expect_gt(given, ROUNDS, "%u", given);
	cr_expect_gt(table->freed, 0); /* by those two, or by who chose */
	cr_expect_gt(looks, 0);
}
