/* test_packages.c - the source archive and the packages: made alike twice, sound by their distributions' own judges, with
 * the right files in them, and those of two architectures go into one root. What is installed and removed in a running
 * machine is tests/system/test_packages.c. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/i386/kind.h"
#include "tests/lib/harness.h"
#include "tests/lib/packages.h"
#include "tests/lib/world.h"

#define DPKG "dpkg --root=%s --log=/dev/null --force-depends"

static struct run run;

/* A line of sh(1), bare; what it printed is in `run`. */
static void see(const char *line)
{
	const char *argv[] = { "/bin/sh", "-ec", line, NULL };

	run = (struct run){ .bare = true };
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s\n%s%s", line, run.out, run.err);
}

static void see_of(const char *format, const char *path)
{
	char line[1024];

	cr_assert(snprintf(line, sizeof(line), format, path) < (int)sizeof(line));
	see(line);
}

TestSuite(packages, .fini = world_leave);

/* --- the source archive ---------------------------------------------------------------------------- */

Test(packages, the_archive_makes_itself_again)
{
	char line[2048];

	packages_make("dist");
	snprintf(line, sizeof(line), "cd %s && tar xf %s && cd portshim-* && umask 077 && touch README.md not-in-it &&"
	         "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s dist && cmp build/portshim-*.tar.gz %s", file_path(""),
	         package("portshim-*.tar.gz"), package("portshim-*.tar.gz"));
	see(line);
}

Test(packages, the_archive_is_of_no_user_and_no_machine)
{
	packages_make("dist");
	see_of("tar tvzf %s", package("portshim-*.tar.gz"));
	for (const char *at = run.out; *at; at += strcspn(at, "\n") + 1)
		cr_assert(strncmp(at, "-rw-r--r-- 0/0 ", 15) == 0 || strncmp(at, "-rwxr-xr-x 0/0 ", 15) == 0, "%s", at);
	see_of("tar xzOf %s --wildcards 'portshim-*/tools/packaging/files' | sort >/tmp/portshim-files-$$;"
	       "git ls-files | sort | diff - /tmp/portshim-files-$$ || :; rm /tmp/portshim-files-$$", package("portshim-*.tar.gz"));
	cr_expect(!*run.out || strcmp(run.out + strcspn(run.out, ">"), "> tools/packaging/files\n") == 0, "%s", run.out);
}

/* --- /etc/ld.so.preload ---------------------------------------------------------------------------- */

/* As in a container whose list is a file of the host's: it cannot be replaced, but written to. (Its programs, the test's shell among
 * them, complain of the library until it is out; elsewhere its lists are those of tests/system/test_packages.c.) */
Test(packages, a_list_that_is_a_mount)
{
	see("unshare -m sh -ec 'mount -t tmpfs none /mnt; mkdir /mnt/above /mnt/work;"
	    "mount -t overlay -o lowerdir=/etc,upperdir=/mnt/above,workdir=/mnt/work none /etc;"
	    ": >/etc/ld.so.preload; echo /usr/lib/x86_64-linux-gnu/libportshim.so >/mnt/list;"
	    "mount --bind /mnt/list /etc/ld.so.preload;"
	    "tools/packaging/forget-preload lib/x86_64-linux-gnu all; cat /mnt/list; cd /etc; ls ld.so.preload*'");
	cr_expect_str_eq(run.out, " \nld.so.preload\n", "%s%s", run.out, run.err);
	cr_expect(strstr(run.err, "portshim: /etc/ld.so.preload named the library: it was taken out there\n"), "%s", run.err);
}

/* --- what the judges say --------------------------------------------------------------------------- */

Test(packages, lintian_has_nothing_to_say)
{
	packages_make("deb");
	see_of("cd %s && lintian --allow-root --fail-on error,warning *.changes libportshim_*_i386.deb", built("deb"));
	cr_expect_str_empty(run.out);
}

Test(packages, rpmlint_has_nothing_to_say)
{
	packages_make("rpm");
	see_of("rpmlint -r tools/packaging/portshim.rpmlintrc %s/*.rpm tools/packaging/portshim.spec", built("rpm"));
	cr_expect(strstr(run.out, " 0 errors, 0 warnings"), "%s", run.out);
}

/* --- what is in them ------------------------------------------------------------------------------- */

static void expect_paths(const char *package, const char *const paths[])
{
	char line[256];

	for (; *paths; paths++) {
		snprintf(line, sizeof(line), "%s\n", *paths);
		cr_expect(strstr(run.out, line), "%s has no %s\n%s", package, *paths, run.out);
	}
}

#define EXPECT_PATHS(package, ...) expect_paths(package, (const char *const[]){ __VA_ARGS__, NULL })

Test(packages, debian_files)
{
	packages_make("deb");
	see_of("dpkg-deb -c %s", package("deb/libportshim_*_amd64.deb"));
	EXPECT_PATHS("libportshim", "./usr/lib/x86_64-linux-gnu/libportshim.so", "./usr/share/man/man5/portshim.conf.5.gz",
	             "./usr/share/man/man7/libportshim.7.gz", "./usr/share/doc/libportshim/copyright");
	see_of("dpkg-deb -c %s", package("deb/portshim_*_amd64.deb"));
	EXPECT_PATHS("portshim", "./usr/bin/portshim", "./etc/portshim.conf", "./etc/portshim/",
	             "./usr/share/portshim/portshim.conf.example", "./usr/share/man/man1/portshim-run.1.gz",
	             "./usr/share/portshim/systemd/portshim@.conf", "./usr/share/portshim/systemd/tmpfiles.conf",
	             "./lib/systemd/system/portshim-prune.timer");
	see_of("dpkg-deb -f %s Depends", package("deb/portshim_*_amd64.deb"));
	cr_expect(strstr(run.out, "libportshim (= "), "%s", run.out);
	see_of("dpkg-deb -f %s Architecture Multi-Arch Depends", package("deb/libportshim_*_i386.deb"));
	cr_expect(strstr(run.out, "Architecture: i386\nMulti-Arch: same\n") && strstr(run.out, "Depends: libc6 (>= 2."), "%s", run.out);
}

Test(packages, rpm_files)
{
	packages_make("rpm");
	see_of("rpm -qlp %s", package("rpm/libportshim-*.x86_64.rpm"));
	EXPECT_PATHS("libportshim", "/usr/lib64/libportshim.so", "/usr/share/man/man5/portshim.conf.5",
	             "/usr/share/man/man7/libportshim.7");
	/* Owners, and `c`onfigurations of which `n`one is replaced. */
	see_of("rpm -qp --qf '[%%{FILENAMES} %%{FILEUSERNAME} %%{FILEFLAGS:fflags}\n]' %s", package("rpm/portshim-*.x86_64.rpm"));
	EXPECT_PATHS("portshim", "/usr/bin/portshim root ", "/etc/portshim.conf root cn", "/etc/portshim root ",
	             "/usr/share/man/man1/portshim-run.1 root d", "/usr/lib/systemd/system/portshim-prune.timer root ",
	             "/usr/share/portshim/systemd/portshim@.conf root ");
	see_of("rpm -qp --requires %s", package("rpm/portshim-*.x86_64.rpm"));
	cr_expect(strstr(run.out, "libportshim(x86-64) = "), "%s", run.out);
}

/* --- two architectures ----------------------------------------------------------------------------- */

/* A root with the loaders and libcs of both, the probe for both, and nothing else but dpkg's own. */
static void root_make(const char *root)
{
	shell("mkdir -p %s/proc %s/dev/shm %s/var/lib/dpkg/info %s/var/lib/dpkg/updates %s/var/lib/dpkg/triggers", root, root, root,
	      root, root);
	shell("cp -r %s/lib %s && cd %s && touch var/lib/dpkg/status && mkdir lib64 && cp -L /lib64/ld-linux-x86-64.so.2 lib64",
	      built("libc6-i386"), root, root);
	/* As in a root whose /lib is a link to /usr/lib, the loader lies where $LIB is. */
	shell("cd %s/lib && mkdir x86_64-linux-gnu && mv ../lib64/* x86_64-linux-gnu && cp -L /lib/x86_64-linux-gnu/libc.so.6"
	      " x86_64-linux-gnu && ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 ../lib64", root);
	shell("cp %s %s/act && cp %s %s/act32 && cp %s %s/emulator", built("tests/probes/act"), root,
	      built("i386/tests/probes/act"), root, EMULATOR, root);
	cr_assert_eq(mount("proc", file_path("root/proc"), "proc", 0, NULL), 0);
	cr_assert_eq(mount("/dev/shm", file_path("root/dev/shm"), NULL, MS_BIND, NULL), 0);
}

/* dpkg has the last word on whether they exclude each other: what two instances of a package share must be the same. */
static void install_both(const char *root)
{
	shell(DPKG " --add-architecture i386 && " DPKG " -i %s %s", root, root, package("deb/libportshim_*_amd64.deb"),
	      package("deb/libportshim_*_i386.deb"));
	shell(DPKG " --unpack %s", root, package("deb/portshim_*_amd64.deb")); /* its scripts would need a shell there */
	see_of("dpkg-query --admindir=%s/var/lib/dpkg -W -f '${db:Status-Abbrev} ${Package}:${Architecture}\n'", root);
	cr_expect(strstr(run.out, "ii  libportshim:amd64\n") && strstr(run.out, "ii  libportshim:i386\n"), "%s", run.out);
}

/* The two of the set, by two sockets. */
static void expect_ports(const char *root, const char *program)
{
	const char *argv[] = { "chroot", root, "/usr/bin/portshim", "run", "-p", "20000-20001", program, "socket 0 udp4",
	                       "connect 0 127.0.0.1 9", "name 0", "socket 1 udp4", "connect 1 127.0.0.1 9", "name 1", NULL };

	run = (struct run){ .bare = true };
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_expect_eq(port_of(&run, "name 0") + port_of(&run, "name 1"), 40001, "%s", run.out);
	cr_expect_str_empty(run.err);
}

/* The kernel may start no 32-bit programs. */
static void expect_port_under_qemu(const char *root)
{
	const char *argv[] = { "chroot", root, "/emulator", "-E", "LD_PRELOAD=/usr/$LIB/libportshim.so", "-E", "PORTSHIM_PORTS=20000",
	                       "/act32", "socket 0 udp4", "connect 0 127.0.0.1 9", "name 0", NULL };

	run = (struct run){ .bare = true };
	run_program(&run, argv);
	cr_expect(exited(&run, 0) && port_of(&run, "name 0") == 20000, "%s%s", run.out, run.err);
}

Test(packages, both_architectures_in_one_root)
{
	char root[256];

	packages_make("deb");
	world_enter();
	snprintf(root, sizeof(root), "%s", file_path("root"));
	root_make(root);
	install_both(root);
	expect_ports(root, "/act");
	if (kernel_runs_narrow())
		expect_ports(root, "/act32");
	expect_port_under_qemu(root);
	umount(file_path("root/proc"));
	umount(file_path("root/dev/shm"));
}
