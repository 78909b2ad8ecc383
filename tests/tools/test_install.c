/* test_install.c - `make install` puts things where they work, and `make uninstall` takes them all away again. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/harness.h"

static int files;

static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	files += type == FTW_F;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void make(const char *target, const char *root)
{
	static struct run run;
	char destdir[256], build[600];
	const char *argv[] = { "make", "-s", target, destdir, "PREFIX=/usr", build, NULL };

	run = (struct run){ .bare = true, .env = { "MAKEFLAGS", "MAKELEVEL", "MFLAGS" } };
	snprintf(destdir, sizeof(destdir), "DESTDIR=%s", root);
	snprintf(build, sizeof(build), "BUILD=%s", built(""));
	build[strlen(build) - 1] = '\0';
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s%s", run.out, run.err);
}

static const char *const completions[] = {
	"bash-completion/completions/portshim", "zsh/site-functions/_portshim", "fish/vendor_completions.d/portshim.fish",
};

Test(install, works_and_can_be_taken_back)
{
	char root[] = "/tmp/portshim-test-XXXXXX", command[256], path[300];
	struct run run = { .bare = true };
	const char *argv[] = { command, "run", "-p", "20000", built("tests/probes/act"), "socket 0 udp4", "connect 0 127.0.0.1 9",
	                       "name 0", NULL };

	net_own();
	cr_assert_not_null(mkdtemp(root));
	make("install", root);
	snprintf(command, sizeof(command), "%s/usr/bin/portshim", root);
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_assert_eq(port_of(&run, "name 0"), 20000);
	snprintf(path, sizeof(path), "%s/usr/share/man/man5/portshim.conf.5", root);
	cr_assert_eq(access(path, R_OK), 0);
	for (size_t i = 0; i < sizeof(completions) / sizeof(*completions); i++) {
		snprintf(path, sizeof(path), "%s/usr/share/%s", root, completions[i]);
		cr_expect_eq(access(path, R_OK), 0, "%s", path);
	}
	make("uninstall", root);
	nftw(root, count_file, 8, FTW_PHYS);
	cr_assert_eq(files, 0, "uninstall leaves files behind");
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
