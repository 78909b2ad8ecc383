/* test_signals.c - a handler that connects, sends, binds and closes at any moment, within our own calls too. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "tests/storm/stepping.h"

static const struct way *const ways[] = { &early_shared, &early_exclusive, &late };

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* --- behind each instruction of a call --- */

static void at_each_instruction(const char *scene)
{
	for (size_t i = 0; i < WAYS; i++) {
		step(ways[i], scene, "talk", "1");
		step(ways[i], scene, "talk", "11");
	}
}

Test(signals, within_connect)
{
	at_each_instruction("connect");
}

Test(signals, within_send)
{
	at_each_instruction("send");
}

Test(signals, within_bind_and_connect)
{
	step(&deferred_early, "bind-connect", "talk", "1");
	step(&deferred_early, "bind-connect", "talk", "11");
	step(&deferred_late, "bind-connect", "talk", "1");
	step(&deferred_late, "bind-connect", "talk", "11");
}

Test(signals, within_listen)
{
	step(&early_shared, "listen", "talk", "1");
	step(&late, "listen", "talk", "1");
}

Test(signals, within_close_and_dup)
{
	at_each_instruction("close");
	at_each_instruction("dup");
}

/* Until somebody has made a session, a table and all else that a process has once. */
Test(signals, within_first_calls)
{
	step(&early_shared, "first", "talk", "-31");
	step(&late, "first", "talk", "-61");
	step(&early_shared, "first-table", "talk", "-53");
}

/* The handler sweeps the table as well. */
Test(signals, within_a_sweep)
{
	step(&early_shared, "sweep", "talk", "-13");
	step(&late, "sweep", "talk", "-29");
}

/* A handler within the handler. */
Test(signals, nested)
{
	for (size_t i = 0; i < WAYS; i++)
		step(ways[i], "connect", "nest", "-1");
}

/* --- out of a handler that never returns --- */

/* siglongjmp() out of the middle of a call: the program closes the socket, and has every port again at once. */
static void jump(const char *scene, const char *turns, const char *stride)
{
	for (size_t i = 0; i < WAYS; i++) {
		step(ways[i], scene, "jump", turns);
		step(ways[i], scene, "jump", stride);
	}
}

Test(signals, jump_out_of_connect)
{
	jump("connect", "-1", "53");
}

Test(signals, jump_out_of_send_and_listen)
{
	jump("send", "-1", "97");
	jump("listen", "-1", "97");
}

Test(signals, jump_out_of_close)
{
	jump("close", "-1", "7");
}

/* --- at any moment --- */

static void rain(const struct way *way)
{
	struct way wide = *way;
	char lo[16], hi[16];
	const char *argv[] = { built("tests/probes/storm_rain"), "3000", lo, hi, NULL };

	wide.hi = wide.lo + 15;
	snprintf(lo, sizeof(lo), "%d", wide.lo);
	snprintf(hi, sizeof(hi), "%d", wide.hi);
	witness_begin(&wide);
	played = (struct run){ .policy = policy_of(&wide) };
	run_program(&played, argv);
	all_is_well(&wide, "rain", "talk");
	cr_assert_eq(crowd_count(&played, "heard"), 3000, "%s", played.out);
	cr_assert_eq(crowd_count(&played, "alarms"), 3000, "%s", played.out);
	witness_end(&wide);
}

Test(signals, rain)
{
	for (size_t i = 0; i < WAYS; i++)
		rain(ways[i]);
	rain(&deferred_early);
}
