/* test_units.c - the unit tests as 32-bit programs, see stand-in/. By the kernel all of them; by qemu-user those of the table,
 * which needs little of the kernel. */
#define _GNU_SOURCE
#include <stdio.h>

#include "kind.h"

static void units(enum kind kind, const char *name, const char *but)
{
	static struct run run;
	const char *argv[] = { EMULATOR, "-L", "/", NULL, but, NULL };
	char path[64];
	int passed = 0, failed = 1;

	snprintf(path, sizeof(path), "i386/tests/unit/test_%s", name);
	argv[3] = built(path);
	run = (struct run){ .bare = true };
	run_program(&run, kind == EMULATED ? argv : argv + 3);
	cr_assert_eq(sscanf(run.out, "%d passed, %d failed", &passed, &failed), 2, "%s%s", run.out, run.err);
	cr_assert(exited(&run, 0) && passed > 0 && failed == 0, "%s: %s%s", name, run.out, run.err);
}

#define UNITS(name, but)                                                                                       \
	Test(units, name)                                                                                      \
	{                                                                                                      \
		if (kernel_runs_narrow())                                                                      \
			units(NARROW, #name, but);                                                             \
	}

UNITS(address, NULL)
UNITS(algorithm, NULL)
UNITS(arena, NULL)
UNITS(ask, NULL)
UNITS(blocks, NULL)
UNITS(choice, NULL)
UNITS(facts, NULL)
UNITS(glob, NULL)
UNITS(keys, NULL)
UNITS(lease, NULL)
UNITS(locate, NULL)
UNITS(match, NULL)
UNITS(owner, NULL)
UNITS(policy, NULL)
UNITS(ports, NULL)
UNITS(read, NULL)
UNITS(sweep, "in_a_sandbox_owners_decide") /* its filter does not know socketcall(2) */
UNITS(table, NULL)
UNITS(text, NULL)
UNITS(wait, NULL)

Test(units_emulated, table)
{
	units(EMULATED, "table", "is_of_one_network_namespace"); /* by the cookie alone */
}

Test(units_emulated, blocks)
{
	units(EMULATED, "blocks", NULL);
}

Test(units_emulated, ports)
{
	units(EMULATED, "ports", NULL);
}
