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

static void command(const char *const argv[])
{
	static struct run run;
	run = (struct run){ .bare = true, .env = { "MAKEFLAGS", "MAKELEVEL", "MFLAGS" }, .slow = true };
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s%s", run.out, run.err);
}

static char root[] = "/tmp/portshim-test-XXXXXX";

/* A folder of the test's own, and in it what was built: other paths than those that it was built for go into it. */
static void begin(void)
{
	char build[300];
	net_own();
	cr_assert_not_null(mkdtemp(root));
	snprintf(build, sizeof(build), "%s/build", root);
	cr_assert_eq(mkdir(build, 0755), 0);
	command((const char *const[]){ "cp", "-a", built("config"), built("shim"), built("tools"), built("exports.map"), built("engine.a"),
	                               built("portshim"), build, NULL });
	command((const char *const[]){ "cp", "-a", built("libportshim.so"), built("libdir"), build, NULL });
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void end(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(install, .init = begin, .fini = end);

/* `to`: DESTDIR. */
static void make_to(const char *to, const char *target, const char *prefix, const char *libdir)
{
	char destdir[320], build[300], other[300];
	snprintf(destdir, sizeof(destdir), "DESTDIR=%s", to);
	snprintf(build, sizeof(build), "BUILD=%s/build", root);
	snprintf(other, sizeof(other), "PREFIX=%s", prefix);
	command((const char *const[]){ "make", "-s", target, destdir, other, build, libdir, NULL });
}

/* Below ROOT/to, as if that were the root of the machine. */
static void make(const char *target)
{
	char to[300];
	snprintf(to, sizeof(to), "%s/to", root);
	make_to(to, target, "/usr", NULL);
}

/* The command that was installed gives a program a port of its own. */
static void expect_works(const char *path)
{
	struct run run = { .bare = true };
	char file[300];
	snprintf(file, sizeof(file), "%s/%s", root, path);
	run_program(&run, (const char *const[]){ file, "run", "-p", "20000", built("tests/probes/act"), "socket 0 udp4",
	                                         "connect 0 127.0.0.1 9", "name 0", NULL });
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_expect_eq(port_of(&run, "name 0"), 20000);
}

static const char *const completions[] = {
	"bash-completion/completions/portshim", "fish/vendor_completions.d/portshim.fish",
};

static int files_below(const char *folder)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", root, folder);
	files = 0;
	nftw(path, count_file, 8, FTW_PHYS);
	return files;
}

/* In what is below PREFIX of the folders where this machine's zsh looks. */
static void expect_zsh_finds(const char *prefix, const char *below)
{
	static struct run run;
	bool found = false;
	char path[600];
	run = (struct run){ .bare = true };
	run_program(&run, (const char *const[]){ "zsh", "-f", "-c", "print -l $fpath", NULL });
	cr_assert(exited(&run, 0), "%s", run.err);
	for (const char *line = strtok(run.out, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s%s/_portshim", root, below, line + strlen(prefix));
		found |= access(path, R_OK) == 0;
	}
	cr_expect(found, "zsh does not look there");
}

Test(install, works_and_can_be_taken_back)
{
	char path[300];
	make("install");
	expect_works("to/usr/bin/portshim");
	snprintf(path, sizeof(path), "%s/to/usr/share/man/man5/portshim.conf.5", root);
	cr_assert_eq(access(path, R_OK), 0);
	for (size_t i = 0; i < sizeof(completions) / sizeof(*completions); i++) {
		snprintf(path, sizeof(path), "%s/to/usr/share/%s", root, completions[i]);
		cr_expect_eq(access(path, R_OK), 0, "%s", path);
	}
	snprintf(path, sizeof(path), "%s/to/usr/share/portshim/portshim.conf.example", root);
	cr_expect_eq(access(path, R_OK), 0);
	expect_zsh_finds("/usr", "to/usr");
	make("uninstall");
	cr_assert_eq(files_below("to"), 0, "uninstall leaves files behind");
}

/* Below /usr/local zsh looks elsewhere. */
Test(install, below_usr_local)
{
	char to[300];
	snprintf(to, sizeof(to), "%s/to", root);
	make_to(to, "install", "/usr/local", NULL);
	expect_zsh_finds("/usr/local", "to/usr/local");
	make_to(to, "uninstall", "/usr/local", NULL);
	cr_assert_eq(files_below("to"), 0, "uninstall leaves files behind");
}

/* Built for another place, and installed where this machine has 64-bit libraries: `install` is enough. */
Test(install, elsewhere_than_built_for)
{
	char prefix[300], libdir[320];
	snprintf(prefix, sizeof(prefix), "%s/to", root);
	snprintf(libdir, sizeof(libdir), "LIBDIR=%s/lib64", prefix);
	make_to("", "install", prefix, libdir);
	expect_works("to/bin/portshim");
	make_to("", "uninstall", prefix, libdir);
	cr_assert_eq(files_below("to"), 0, "uninstall leaves files behind");
}
