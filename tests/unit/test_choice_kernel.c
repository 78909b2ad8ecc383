/* test_choice_kernel.c - `choose = kernel`: the whole set is proposed for the kernel to pick from. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "choosing.h"
#include "tests/lib/harness.h"

static struct chooser c;

TestSuite(choice_kernel, .timeout = 60);

static bool offers_whole(enum choose choose, const char *spec, bool with_table, enum outcome answer, uint32_t *more)
{
	struct choice choice;
	struct candidate candidate;
	bool whole;

	chooser_make(&c, with_table ? table_in_memory() : NULL, choose, spec);
	c.lets_kernel_pick = true;
	begin(&c, &choice);
	cr_assert(choice_next(&choice, &candidate));
	whole = candidate.lo < candidate.hi;
	cr_expect(!whole || (candidate.lo == port_at(&c, 0) && candidate.hi == port_at(&c, count_of(&c) - 1)));
	cr_expect(!whole || candidate.lease.cell == 0);
	choice_heard(&choice, &candidate, answer);
	for (*more = 0; choice_next(&choice, &candidate); ++*more) {
		cr_assert_eq(candidate.lo, candidate.hi);
		cr_assert_leq(*more, 2 * count_of(&c) + 64);
		choice_heard(&choice, &candidate, OUTCOME_TAKEN);
	}
	return whole;
}

Test(choice_kernel, a_whole_range_first)
{
	uint32_t more;

	net_own();
	for (int with_table = 0; with_table < 2; with_table++) {
		cr_expect(offers_whole(CHOOSE_KERNEL, "40000-40099", with_table, OUTCOME_TAKEN, &more));
		cr_expect_eq(more, 0, "the kernel has looked at each");
		cr_expect(offers_whole(CHOOSE_KERNEL, "40000-40099", with_table, OUTCOME_UNFIT, &more));
		cr_expect_eq(more, 100);
		cr_expect(offers_whole(CHOOSE_KERNEL, "32768-60999", with_table, OUTCOME_TAKEN, &more));
		cr_expect_not(offers_whole(CHOOSE_KERNEL, "40000-40099, !40050", with_table, OUTCOME_TAKEN, &more));
		cr_expect_eq(more, 98);
		cr_expect_not(offers_whole(CHOOSE_KERNEL, "60900-61000", with_table, OUTCOME_TAKEN, &more));
		cr_expect_not(offers_whole(CHOOSE_RANDOM, "40000-40099", with_table, OUTCOME_TAKEN, &more));
	}
	kernel_forgo_late();
	cr_expect_not(offers_whole(CHOOSE_KERNEL, "40000-40099", true, OUTCOME_TAKEN, &more));
	cr_expect_eq(more, 99);
}

/* A kernel that leaves one port of an odd number out is asked again for all but one, and for that one. */
Test(choice_kernel, an_odd_number)
{
	static const uint16_t parts[][2] = { { 40000, 40002 }, { 40001, 40002 }, { 40000, 40000 } };
	struct choice choice;
	struct candidate candidate;

	net_own();
	for (int with_table = 0; with_table < 2; with_table++) {
		chooser_make(&c, with_table ? table_in_memory() : NULL, CHOOSE_KERNEL, "40000-40002");
		c.lets_kernel_pick = true;
		begin(&c, &choice);
		for (int i = 0; i < 3; i++) {
			cr_assert(choice_next(&choice, &candidate));
			cr_expect(candidate.lo == parts[i][0] && candidate.hi == parts[i][1], "%d-%d", candidate.lo, candidate.hi);
			choice_heard(&choice, &candidate, OUTCOME_TAKEN);
		}
		cr_expect_not(choice_next(&choice, &candidate));
	}
}
