/* test_stack.c - a hook runs on the smallest of signal stacks: the stack that it takes is measured. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "tests/storm/witness.h"

#define MOST 2048

static void play(struct run *run, const char *policy, const char *mode)
{
	const char *argv[] = { built("tests/probes/storm_stack"), mode, "20000", "20007", NULL };

	witness_begin(&early_shared);
	*run = (struct run){ .policy = policy, .bare = !policy };
	run_program(run, argv);
	witness_end(policy ? &early_shared : NULL);
	cr_assert(exited(run, 0), "status 0x%x\n%s%s", (unsigned int)run->status, run->out, run->err);
	if (policy)
		cr_assert_eq(crowd_count(run, "wrong"), 0, "%s", run->out);
}

static void below(const char *policy, const char *mode)
{
	static const char *const calls[] = { "socket", "connect", "sendto", "sendmsg", "sendmmsg", "bind", "used-up" };
	static struct run bare, run;

	play(&bare, NULL, mode);
	play(&run, policy, mode);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int bytes = crowd_count(&run, calls[i]) - crowd_count(&bare, calls[i]);

		cr_expect(bytes > 0 && bytes < MOST, "%s, %s: %d bytes with\n%s", mode, calls[i], bytes, policy);
		if (getenv("STORM_TELL"))
			fprintf(stderr, "%s, %s: %d\n", mode, calls[i], bytes);
	}
}

#define PORTS "[rule r]\nports = 20000-20007\n"

/* The policy is read and the table made in the handler. */
Test(stack, first_calls)
{
	below(PORTS, "first");
	below(PORTS "user = root\nenv = HOME=*\ncgroup = *\ncommand = *\nto = 127.0.0.0/8\n", "first");
	below("[portshim]\nlog = debug\nlog-to = /dev/null\n" PORTS, "first");
	below("[portshim]\ntable = none\nlog = debug\nlog-to = syslog\n" PORTS, "first");
	below("[portshim]\nlog = warning\nlog-to = /dev/null\naudit = /dev/full\n" PORTS, "first");
}

Test(stack, later_calls)
{
	below(PORTS, "later");
	below(PORTS "user = root\nshare = never\nchoose = double-hash\ncooldown = 1s\n", "later");
	below("[portshim]\nlog = debug\nlog-to = /dev/null\n" PORTS "choose = least-recent\n", "later");
	below("[portshim]\naudit = /dev/null\n" PORTS, "later");
}
