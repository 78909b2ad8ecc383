/* test_without.c - a machine that lacks /proc, /dev/shm or a root that may be written starts and works as it does
 * without the library, and what rules concern leaves from their ports; also when its tables are taken away. */
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

#define TWO_PORTS "PORTSHIM_PORTS=20000-20001 exec act "
#define CONNECT(slot) " 'socket " slot " tcp4' 'connect " slot " 127.0.0.1 80' 'name " slot "'"

/* logind takes away what a user has in /dev/shm when the last session ends, whoever still runs: then those who come
 * later have another table, and the kernel alone keeps the two apart. */
Test(without, the_table_from_now_on)
{
	static struct machine machine = { .policy = MACHINE_POLICY };
	static struct run early, late;

	machine_boot(&machine, "");
	machine_start(&machine, &early, TWO_PORTS "'socket 0 tcp4' 'bind 0 127.0.0.1 80' 'listen 0 8'" CONNECT("1")
	              " pause" CONNECT("2"));
	run_until_paused(&early);
	machine_start(&machine, &late, "rm /dev/shm/portshim-*; " TWO_PORTS CONNECT("1") " pause" CONNECT("2"));
	run_until_paused(&late);
	cr_expect_eq(port_of(&early, "name 1") + port_of(&late, "name 1"), 40001, "not the one and the other");
	run_go_on(&late);
	run_end(&late);
	run_go_on(&early);
	run_end(&early);
	cr_expect_str_eq(result_of(&late, "connect 2 127.0.0.1 80"), "-1 EADDRNOTAVAIL");
	machine_end(&machine);
}

Test(without, a_root_that_may_be_written)
{
	works_without("write");
}
