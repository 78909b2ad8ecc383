/* test_prune.c - `portshim run` removes tables that nobody has, where there are many; `portshim status --prune` does so always. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
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

static void give_to(const char *name, uid_t user)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shm/%s", name);
	cr_assert_eq(chown(path, user, (gid_t)-1), 0);
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

static const char *const asked[] = { "portshim-0-1a.v1", "portshim-0-1a.v2", "portshim-1000-1a.v1", "portshim-1000-2b.v1" };
/* Not old; not its owner's; not tables; in use. */
static const char *const left[] = {
	"portshim-0-2b.v1", "portshim-1001-1a.v1", "portshim-0-1a", "portshim-0-1a.v1.old", "portshim--1-1a.v1", "portshim-0-3c.v1"
};

static void tables_to_prune(void)
{
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
		table_file(asked[i], true);
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		table_file(left[i], i != 0);
	give_to(asked[2], 1000);
	give_to(asked[3], 1000);
	map_file(left[5]);
}

static void prune(struct run *run, const char *const argv[])
{
	*run = (struct run){ .bare = true };
	run_program(run, argv);
}

Test(prune, all_that_nobody_has_where_it_is_asked_for)
{
	static struct run run;

	net_own();
	tables_to_prune();
	prune(&run, (const char *const[]){ built("portshim"), "status", "--prune", NULL });
	cr_assert(exited(&run, 0), "%s", run.err);
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		char line[64];

		snprintf(line, sizeof(line), "removed /dev/shm/%s", asked[i]);
		cr_expect(!is_there(asked[i]) && printed(&run, line), "%s\n%s", asked[i], run.out);
	}
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		cr_expect(is_there(left[i]), "%s", left[i]);
	prune(&run, (const char *const[]){ built("portshim"), "status", "--prune", NULL });
	cr_expect(exited(&run, 0) && !*run.out && !*run.err, "%s%s", run.out, run.err);
}

Test(prune, a_user_removes_his_own)
{
	static struct run run;

	net_own_for_all_users();
	tables_to_prune();
	prune(&run, (const char *const[]){ "setpriv", "--reuid=1000", "--clear-groups", built("portshim"), "status", "--prune", NULL });
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_expect(is_there(asked[0]) && is_there(asked[1]) && !is_there(asked[2]) && !is_there(asked[3]), "%s", run.out);
}

Test(prune, says_what_it_cannot_remove)
{
	static struct run run;

	net_own();
	table_file(asked[0], true);
	cr_assert_eq(mount(NULL, "/dev/shm", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	prune(&run, (const char *const[]){ built("portshim"), "status", "--prune", NULL });
	cr_expect(exited(&run, 1) && strstr(run.err, "/dev/shm/portshim-0-1a.v1 cannot be removed"), "%s", run.err);
	prune(&run, (const char *const[]){ built("portshim"), "status", "--prune", "--json", NULL });
	cr_expect(exited(&run, 2) && strstr(run.err, "--prune goes with no other option"), "%s", run.err);
}

/* --- when the package goes for good ------------------------------------------------------------------------- */

static void purge(void)
{
	static struct run run;
	const char *argv[] = { "/bin/sh", "tools/packaging/debian/libportshim.postrm", "purge", NULL };

	run = (struct run){ .bare = true };
	run_program(&run, argv);
	cr_expect(exited(&run, 0), "%x", run.status);
	cr_expect_str_empty(run.err, "%s", run.err);
}

/* Whatever users have put there meanwhile: the package goes. */
Test(prune, a_purge_is_in_nobodys_power)
{
	net_own();
	table_file("portshim-0-1.v2", false);
	table_file("portshim-1000-abc.v1", false);
	table_file("portshim-notes", false);
	cr_assert_eq(mkdir("/dev/shm/portshim-0-2.v2", 0700), 0);
	cr_assert_eq(symlink("/etc/passwd", "/dev/shm/portshim-0-3.v2"), 0);
	purge();
	cr_expect_not(is_there("portshim-0-1.v2"));
	cr_expect_not(is_there("portshim-1000-abc.v1"));
	cr_expect(is_there("portshim-notes"));
	cr_expect(is_there("portshim-0-2.v2"));
	cr_expect(is_there("portshim-0-3.v2"));
}
