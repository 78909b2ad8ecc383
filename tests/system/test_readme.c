/* test_readme.c - README.md: its commands do what it says, and its policies are valid. The machine has the source and what is
 * built of it in /portshim, and what readme.sh makes. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "tests/lib/machine.h"
#include "tests/lib/world.h"


static struct machine machine;
static struct run run;

static void boot(void)
{
	world_enter();
	machine = (struct machine){ .bare = true };
	machine_boot(&machine, "");
}

static void end(void)
{
	machine_end(&machine);
	world_leave();
}

TestSuite(readme, .init = boot, .fini = end);

/* With its times, so that make finds everything built. */
static void copy_source(void)
{
	shell("mkdir %s && tar -c --exclude=./build --exclude=./.git . | tar -x -C %s", machine_path(&machine, "/portshim"),
	      machine_path(&machine, "/portshim"));
	shell("mkdir %s && tar -c -C $(dirname %s) config shim tools tests/probes/show_peer exports.map engine.a "
	      "libportshim.so portshim | tar -x -C %s",
	      machine_path(&machine, "/portshim/build"), built("portshim"), machine_path(&machine, "/portshim/build"));
}

Test(readme, every_command_does_what_it_says, .timeout = 300)
{
	copy_source();
	machine_run(&machine, &run, "make -s -C /portshim install PREFIX=/usr >/dev/null && sh /machine/readme.sh && python3 /machine/readme.py");
	cr_assert(exited(&run, 0), "%s%s", run.out, run.err);
}
