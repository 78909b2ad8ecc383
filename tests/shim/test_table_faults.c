/* test_table_faults.c - a table that cannot be had: which, why and what then is said once, and the process goes on without it,
 * with ports of its rule all the same. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/made_table.h"
#include "tests/lib/world.h"

#define AFTER "; this process goes on without it: its ports are exclusive\n"

TestSuite(table_faults, .init = world_enter, .fini = world_leave, .timeout = 60);

static void is_said(const char *table, const char *words)
{
	char policy[256], expected[512];
	struct run run = { .policy = policy };

	snprintf(policy, sizeof(policy), "[portshim]\nlog = warning\ntable = %s\n[rule r]\nports = 20000-20009\n", table);
	snprintf(expected, sizeof(expected), "]: table %s: %s" AFTER, table, words);
	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4", "connect 1 127.0.0.1 5000", "name 1",
	          NULL);
	cr_assert(exited(&run, 0));
	cr_expect(strncmp(run.err, "portshim: act[", 14) == 0, "%s", run.err);
	cr_expect_str_eq(run.err + strcspn(run.err, "]"), expected);
	cr_expect(port_of(&run, "name 0") >= 20000 && port_of(&run, "name 0") <= 20009, "%s", run.out);
	cr_expect(port_of(&run, "name 1") >= 20000 && port_of(&run, "name 1") <= 20009, "%s", run.out);
}

Test(table_faults, no_folder)
{
	is_said(file_path("none/table"), "there is no such folder");
}

Test(table_faults, a_link)
{
	cr_assert_eq(symlink("elsewhere", file_path("table")), 0);
	is_said(file_path("table"), "a symbolic link; name the file itself");
}

Test(table_faults, writable_by_others)
{
	file_make("table", "");
	cr_assert_eq(chmod(file_path("table"), 0666), 0);
	is_said(file_path("table"), "not a file of this user alone, or writable by others; remove it, or name another");
}

Test(table_faults, another_version)
{
	struct table *table = table_in_file(file_path("table"));

	atomic_store(&table->magic, TABLE_MAGIC + 1);
	is_said(file_path("table"), "not a table of this version; remove it, or name another");
}

Test(table_faults, another_network)
{
	char policy[256];
	struct run run = { .policy = policy };

	snprintf(policy, sizeof(policy), "[portshim]\ntable = %s\n[rule r]\nports = 20000\n", file_path("table"));
	run_steps(&run, "socket 0 udp4", "connect 0 127.0.0.1 9", NULL);
	cr_assert(exited(&run, 0) && access(file_path("table"), F_OK) == 0, "%s", run.err);
	net_own();
	is_said(file_path("table"), "belongs to another network namespace; name another for this one");
}

Test(table_faults, no_room)
{
	shell("mkdir '%s' && mount -t tmpfs -o size=64k none '%s'", file_path("small"), file_path("small"));
	is_said(file_path("small/table"), "no room for it");
	shell("umount -l '%s'", file_path("small"));
}

Test(table_faults, limit_on_files)
{
	struct rlimit limit = { 65536, 65536 };

	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	is_said(file_path("table"), "larger than this process may make files (RLIMIT_FSIZE)");
}
