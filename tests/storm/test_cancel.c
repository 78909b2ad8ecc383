/* test_cancel.c - threads that are cancelled: where, with what left behind, as without the library; and no port is lost. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "tests/storm/witness.h"

static void play(struct run *run, const struct way *way, const char *keys, const char *mode, bool bare)
{
	static char policy[256];
	const char *again = bare ? "" : "tcp again 8\nudp again 8\n";
	char lo[16], hi[16];
	const char *argv[] = { built("tests/probes/storm_cancel"), mode, lo, hi, NULL };

	snprintf(policy, sizeof(policy), "%s%s", policy_of(way), keys);
	snprintf(lo, sizeof(lo), "%d", way->lo);
	snprintf(hi, sizeof(hi), "%d", way->hi);
	*run = (struct run){ .policy = bare ? NULL : policy, .bare = bare };
	witness_begin(way);
	run_program(run, argv);
	witness_end(bare ? NULL : way);
	cr_assert(exited(run, 0), "%s, %s: status 0x%x\n%s%s", bare ? "bare" : way->name, mode, (unsigned int)run->status,
	          run->out, run->err);
	cr_assert_eq(crowd_count(run, "wrong"), 0, "%s", run->out);
	cr_assert_str_eq(run->err, again, "%s, %s: %s%s", way->name, mode, run->err, run->out);
}

/* A bind that was put off has no port yet. */
static bool may_differ(const struct way *way, const char *line)
{
	return strstr(way->keys, "to = ") && strncmp(line, "bind ", 5) == 0;
}

static bool are_same(const char *one, size_t length, const char *other, size_t other_length)
{
	return length == other_length && memcmp(one, other, length) == 0;
}

static void same_lines(const struct run *bare, const struct run *run, const struct way *way, const char *mode)
{
	const char *one = bare->out, *other = run->out;

	while (*one && *other) {
		size_t length = strcspn(one, "\n"), other_length = strcspn(other, "\n");

		cr_expect(may_differ(way, one) || are_same(one, length, other, other_length),
		          "%s, %s:\n bare: %.*s\n here: %.*s", way->name, mode, (int)length, one, (int)other_length, other);
		one += length + 1;
		other += other_length + 1;
	}
	cr_expect(!*one && !*other);
}

static void as_bare(const char *mode)
{
	static const struct way *const ways[] = { &early_shared, &early_exclusive, &late, &deferred_early, &deferred_late };
	static struct run bare, run;

	play(&bare, &early_shared, "", mode, true);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		play(&run, ways[i], "", mode, false);
		same_lines(&bare, &run, ways[i], mode);
	}
}

Test(cancel, pending_at_the_call)
{
	as_bare("pending");
}

Test(cancel, not_listened_to)
{
	as_bare("disabled");
}

Test(cancel, in_a_call_that_waits)
{
	as_bare("blocked");
}

/* The policy is read, the table made, and the kernel's settings looked up, without an end in the middle. */
Test(cancel, pending_at_the_first_calls)
{
	as_bare("first");
}

/* A refusal is a result like another. */
Test(cancel, pending_at_a_call_that_is_denied)
{
	static struct run run;

	play(&run, &early_shared, "to = *:5000-5001\n\n[rule none]\nto = *:5002\naction = deny\n", "denied", false);
	cr_assert(printed(&run, "connect tcp, denied: cancelled, cleaned up, open, without a port, not connected"), "%s", run.out);
}

/* Only where all ports are in use there is something to wait for, that a bare program has not. */
Test(cancel, waiting_for_a_port)
{
	static struct run run;

	play(&run, &early_shared, "exhausted = wait 25s\n", "wait", false);
	cr_assert(printed(&run, "connect: cancelled, cleaned up, open, without a port, not connected"), "%s", run.out);
	play(&run, &late, "exhausted = wait 25s\n", "wait", false);
	cr_assert(printed(&run, "connect: cancelled, cleaned up, open, without a port, not connected"), "%s", run.out);
}
