/* test_without.c - a machine that lacks /proc, /dev/shm or a root that may be written starts and works as it does
 * without the library, and what rules concern leaves from their ports. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/machine.h"
#include "tests/lib/world.h"

TestSuite(without, .init = world_enter, .fini = world_leave);

static void ports_fit(const struct machine *machine)
{
	static struct run run;
	const char *text = run.out;
	int port, length, n = 0;

	run = (struct run){ 0 };
	machine_run(machine, &run, "cat /tmp/ports");
	for (; sscanf(text, "act %d\n%n", &port, &length) == 1; text += length, n++)
		cr_expect(machine->bare ? is_ephemeral(port) : machine_is_rules(port), "port %d", port);
	cr_expect_eq(n, 6, "%s", run.out);
}

static void works_without(const char *what)
{
	static struct machine bare = { .bare = true }, machine = { .policy = MACHINE_POLICY };
	static struct run bare_run, run;

	bare.missing = machine.missing = what;
	machine_boot(&bare, "");
	machine_run(&bare, &bare_run, "sh /machine/without.sh");
	ports_fit(&bare);
	machine_boot(&machine, "");
	machine_run(&machine, &run, "sh /machine/without.sh");
	ports_fit(&machine);
	story_same(what, &bare_run, &run);
	cr_expect_str_eq(machine_text(&machine, "/../console"), machine_text(&bare, "/../console"));
	machine_end(&machine);
	machine_end(&bare);
}

Test(without, proc)
{
	works_without("proc");
}

Test(without, shared_memory)
{
	works_without("shm");
}

Test(without, a_root_that_may_be_written)
{
	works_without("write");
}
