/* test_forks.c - children made, and processes killed, at any moment: nothing of the parent's is given back by them, and no
 * port is lost. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "tests/storm/stepping.h"

/* --- ten thousand children of programs that connect all the time --- */

static void five_thousand(const struct way *way)
{
	struct way wide = *way;
	char lo[16], hi[16];
	const char *argv[] = { built("tests/probes/storm_forks"), "2", "5000", lo, hi, NULL };

	wide.hi = wide.lo + 63;
	snprintf(lo, sizeof(lo), "%d", wide.lo);
	snprintf(hi, sizeof(hi), "%d", wide.hi);
	witness_begin(&wide);
	played = (struct run){ .policy = policy_of(&wide), .slow = true };
	run_program(&played, argv);
	all_is_well(&wide, "forks", "fork");
	witness_end(&wide);
}

Test(forks, five_thousand_early)
{
	five_thousand(&early_shared);
}

Test(forks, five_thousand_late)
{
	five_thousand(&late);
}

/* --- at each instruction --- */

/* A child within a handler connects and ends, before the interrupted call goes on. The first of these makes a child at each of some
 * four thousand instructions. */
Test(forks, in_a_handler)
{
	step(&early_shared, "connect", "fork", "29");
}

Test(forks, in_a_handler_at_turns)
{
	step(&early_exclusive, "connect", "fork", "-1");
	step(&late, "connect", "fork", "-1");
	step(&early_shared, "close", "fork", "-1");
	step(&deferred_early, "bind-connect", "fork", "-1");
}

/* The child goes on with the interrupted call, on the socket that it shares with its parent, who comes second. */
Test(forks, in_two)
{
	step(&early_shared, "connect", "split", "-5");
	step(&early_exclusive, "connect", "split", "-5");
	step(&late, "connect", "split", "-5");
}

/* kill -9 at the first calls, at a connect and at a close. */
Test(forks, killed)
{
	step(&early_shared, "connect", "kill", "-5");
	step(&early_exclusive, "connect", "kill", "-11");
	step(&late, "connect", "kill", "-5");
	step(&early_shared, "connect", "kill", "331");
	step(&early_shared, "close", "kill", "7");
	step(&late, "close", "kill", "7");
	step(&early_shared, "first-table", "kill", "-19");
}
