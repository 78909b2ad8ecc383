/* test_ends.c - a process is killed, or stopped, before and behind each system call that the library makes, and at each step of the
 * table's protocol: the others get all ports (of one that is stopped, all but its own) at once, and it goes on as if nothing had
 * been. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "tests/faults/faulty.h"
#include "tests/storm/stepping.h"

TestSuite(ends, .timeout = 300);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST_MS 10000 /* on a machine that does much else; a wait for the one that is stopped would never end */

static const struct faulty scenes[] = {
	{ "first-connect", "", NONE, 100 }, { "connect", "", NONE, 6 }, { "connect", "", LATE, 4 },
	{ "connect", "", "share = never\n", 20000, 4 }, { "connect6", "", NONE, 6 }, { "send", "", NONE, 4 }, { "listen", "", NONE, 2 },
	{ "bind-connect", "", "to = 127.0.0.0/8\n", 20000, 10 }, { "unseen", "", NONE, 20 }, { "doubt", "", NONE, 20 },
	{ "sweep", "", NONE, 20 }, { "sweep", "", LATE, 20 }, { "reload", "", NONE, 40 },
};

Test(ends, killed)
{
	for (size_t i = 0; i < COUNT(scenes); i++)
		faulty_play("kill", &scenes[i]);
}

Test(ends, stopped)
{
	for (size_t i = 0; i < COUNT(scenes); i++) {
		faulty_play("stop", &scenes[i]);
		cr_assert_lt(crowd_count(&faulty_run, "longest"), MOST_MS, "%s", faulty_run.out);
	}
}

/* --- at each instruction that others can see --- */

/* Before and behind each system call and each write to the table; where there are many, one in so many, from the first to the last. */
static void at_turns(const char *act)
{
	step(&early_shared, "connect", act, "-3");
	step(&early_exclusive, "connect", act, "-13");
	step(&late, "connect", act, "-3");
	step(&early_shared, "send", act, "-11");
	step(&deferred_early, "bind-connect", act, "-11");
	step(&early_shared, "close", act, "-1");
	step(&late, "close", act, "-1");
	step(&early_shared, "first-table", act, "-29");
}

Test(ends, stopped_at_turns)
{
	at_turns("stop");
}

/* A child is made in the middle of the call, and the parent killed: the child goes on with what the parent had begun. */
Test(ends, orphaned_at_turns)
{
	at_turns("orphan");
}
