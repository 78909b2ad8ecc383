/* test_prune.c - `portshim run` removes tables that nobody has, where there are many. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/harness.h"

/* A file of an hour ago, or of now. */
static void table_file(const char *name, bool old)
{
	char path[64];
	struct timespec times[2] = { { .tv_sec = time(NULL) - 3600 }, { .tv_sec = time(NULL) - 3600 } };
	int fd;

	snprintf(path, sizeof(path), "/dev/shm/%s", name);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && ftruncate(fd, 4096) == 0, "%s", path);
	if (old)
		cr_assert_eq(futimens(fd, times), 0);
	close(fd);
}

static bool is_there(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shm/%s", name);
	return access(path, F_OK) == 0;
}

static void map_file(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/shm/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_neq(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
}

static void old_tables(int first, int last)
{
	for (int i = first; i <= last; i++) {
		char name[32];

		snprintf(name, sizeof(name), "portshim-0-%d.v2", i);
		table_file(name, true);
	}
}

static void run_something(void)
{
	static struct run run;
	const char *argv[] = { built("portshim"), "run", "-p", "20000", "true", NULL };

	run = (struct run){ .bare = true };
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_assert_str_empty(run.err);
}

Test(prune, what_nobody_has)
{
	net_own();
	old_tables(100, 108);
	map_file("portshim-0-104.v2");
	table_file("portshim-0-200.v2", false);
	table_file("portshim-1000-100.v2", true); /* by its name another user's */
	table_file("other", true);
	cr_assert_eq(symlink("/dev/null", "/dev/shm/portshim-0-300.v2"), 0);
	run_something();
	for (int i = 100; i <= 108; i++) {
		char name[32];

		snprintf(name, sizeof(name), "portshim-0-%d.v2", i);
		cr_expect_eq(is_there(name), i == 104, "%s", name);
	}
	cr_expect(is_there("portshim-0-200.v2"), "it was made just now");
	cr_expect(is_there("portshim-1000-100.v2") && is_there("other") && is_there("portshim-0-300.v2"));
}

Test(prune, a_few_may_stay)
{
	net_own();
	old_tables(100, 107);
	run_something();
	for (int i = 100; i <= 107; i++) {
		char name[32];

		snprintf(name, sizeof(name), "portshim-0-%d.v2", i);
		cr_expect(is_there(name), "%s", name);
	}
}
