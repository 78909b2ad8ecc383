/* test_units.c - the unit tests as 32-bit programs, see tests/stand-in/. By the kernel all of them; by qemu-user those of the table,
 * which needs little of the kernel. */
#define _GNU_SOURCE

#include "kind.h"
#include "tests/lib/units.h"

static const char *const emulator[] = { EMULATOR, "-L", "/", NULL };

#define UNITS(name, ...)                                                                                       \
	Test(units, name)                                                                                      \
	{                                                                                                      \
		if (kernel_runs_narrow())                                                                      \
			run_units(NULL, "i386", #name, BUT(__VA_ARGS__));                                      \
	}

UNITS(address)
UNITS(algorithm)
UNITS(arena)
UNITS(ask)
UNITS(blocks)
UNITS(choice)
UNITS(choice_kernel)
UNITS(facts)
UNITS(glob)
UNITS(keys)
UNITS(lease)
UNITS(locate)
UNITS(match)
UNITS(owner)
UNITS(policy)
UNITS(ports)
UNITS(read)
UNITS(sweep, "in_a_sandbox_owners_decide") /* its filter does not know socketcall(2) */
UNITS(table)
UNITS(text)
UNITS(wait)

Test(units_emulated, table)
{
	run_units(emulator, "i386", "table", BUT("is_of_one_network_namespace")); /* by the cookie alone */
}

Test(units_emulated, blocks)
{
	run_units(emulator, "i386", "blocks", BUT());
}

Test(units_emulated, ports)
{
	run_units(emulator, "i386", "ports", BUT());
}
