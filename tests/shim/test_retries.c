/* test_retries.c - ports that were proposed and refused are counted for their rule. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "shim/rules.h"
#include "tests/lib/world.h"

TestSuite(retries, .init = world_enter, .fini = world_leave);

/* Of all rules in the table at `path`. */
static uint64_t retries_in(const char *path)
{
	int error;
	const struct table *table = table_look(path, &error);
	uint64_t sum = 0;

	cr_assert(table, "%d", error);
	for (uint32_t i = 0; i < TABLE_RULES; i++)
		sum += atomic_load(&table->rule[i].retries);
	return sum;
}

/* Two connections from a set of two ports, one of which somebody else may have. */
static uint64_t retries_of(int first, bool squatted)
{
	char policy[256], name[32];
	struct run run = { .policy = policy };
	int listener = server_tcp("127.0.0.1", 5000);

	if (squatted)
		server_tcp("127.0.0.1", first);
	snprintf(name, sizeof(name), "table-%d-%d", first, squatted);
	snprintf(policy, sizeof(policy), "[portshim]\ntable = %s\n[rule r]\nports = %d-%d\nchoose = sequential\n",
	         file_path(name), first, first + 1);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5000", NULL);
	cr_assert(strstr(run.out, squatted ? "EADDRNOTAVAIL" : "connect 1 127.0.0.1 5000 = 0"), "%s%s", run.out, run.err);
	close(listener);
	return retries_in(file_path(name));
}

Test(retries, none_where_ports_are_free)
{
	cr_expect_eq(retries_of(20000, false), 0);
}

Test(retries, an_early_port_that_somebody_has)
{
	cr_expect_geq(retries_of(20000, true), 1);
}

Test(retries, a_late_port_that_somebody_has)
{
	cr_expect_geq(retries_of(40500, true), 1);
}
