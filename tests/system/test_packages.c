/* test_packages.c - packages installed in a running machine, upgraded under programs that run, and removed again. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/machine.h"
#include "tests/lib/packages.h"
#include "tests/lib/world.h"

#define LIBRARY "/usr/lib/x86_64-linux-gnu/libportshim.so"
/* The manual's index and the loader's cache are of the machine, and take long. */
#define DPKG "DEBIAN_FRONTEND=noninteractive dpkg --no-triggers "
#define INSTALL DPKG "-i /packages/libportshim.deb /packages/portshim.deb"
#define TO_PORT_9 " 'socket 0 udp4' 'connect 0 127.0.0.1 9' 'name 0'"
/* Whatever is called so, without what dpkg notes of removed packages and what the test brought. */
#define LEFT "find /etc /usr /lib /var /run /home -name '*portshim*' ! -path '/var/lib/dpkg/*'; ls /dev/shm"

static struct machine machine;
static struct run run;

/* Standard output and standard error; the latter must be empty. */
static const char *does(const char *line)
{
	run = (struct run){ 0 };
	machine_run(&machine, &run, line);
	cr_assert(exited(&run, 0), "%s\n%s%s", line, run.out, run.err);
	return run.out;
}

static void is_silent(const char *line)
{
	does(line);
	cr_expect_str_empty(run.err, "%s\n%s", line, run.err);
}

static void says(const char *line, const char *words)
{
	cr_expect(strstr(does(line), words), "%s\n%s%s", line, run.out, run.err);
}

static void bring(const char *name, const char *file)
{
	shell("mkdir -p %s && cp %s %s/%s", machine_path(&machine, "/packages"), file, machine_path(&machine, "/packages"), name);
}

static void boot(void)
{
	packages_make("packages");
	world_enter();
	machine = (struct machine){ .bare = true };
	machine_boot(&machine, "");
	bring("libportshim.deb", package("deb/libportshim_*_amd64.deb"));
	bring("portshim.deb", package("deb/portshim_*_amd64.deb"));
}

static void end(void)
{
	machine_end(&machine);
	world_leave();
}

TestSuite(packages, .init = boot, .fini = end, .timeout = 300);

static void write_in(const char *path, const char *text)
{
	FILE *file = fopen(machine_path(&machine, path), "we");

	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* --- Debian's --------------------------------------------------------------------------------------- */

Test(packages, work_where_they_are_installed)
{
	does(INSTALL);
	says("portshim version", "portshim 0.1.0\n");
	is_silent("dpkg -V libportshim portshim");
	cr_expect_eq(machine_port(&machine, "portshim run -p 20000 act" TO_PORT_9, ""), 20000);
	cr_expect_eq(machine_port(&machine, "LD_PRELOAD='/usr/$LIB/libportshim.so' PORTSHIM_PORTS=20001 act" TO_PORT_9, ""), 20001);
	says("man -w portshim portshim-run portshim.conf libportshim | wc -l", "4\n");
	bring("smoke", "tools/packaging/debian/tests/smoke");
	says("/packages/smoke", "portshim 0.1.0\n");
	says("dpkg-query -W -f '${Conffiles}' portshim", " /etc/portshim.conf ");
}

/* The file that comes with them changes no call, says so where one would expect it to, and is silent for the machine. */
Test(packages, bring_a_policy_without_rules)
{
	does(INSTALL);
	cr_expect(is_ephemeral(machine_port(&machine, "portshim run act" TO_PORT_9,
	                                    "portshim: warning: /etc/portshim.conf has no rule: ")));
	does("echo " LIBRARY " >/etc/ld.so.preload");
	cr_expect(is_ephemeral(machine_port(&machine, "act" TO_PORT_9, "")));
}

Test(packages, leave_nothing_when_purged)
{
	static char before[65536];

	strcpy(before, does("ls -A /etc /usr/bin /usr/share/man/man1 /lib/systemd/system /etc/systemd/system/timers.target.wants"));
	does(INSTALL);
	machine_port(&machine, "portshim run -p 20000 act" TO_PORT_9, "");
	does("test -n \"$(ls /dev/shm)\" && echo '# mine' >>/etc/portshim.conf");
	does(DPKG "-r portshim libportshim");
	says("cat /etc/portshim.conf", "# mine");
	does(DPKG "-P portshim libportshim");
	cr_expect_str_empty(does(LEFT));
	cr_expect_str_eq(does("ls -A /etc /usr/bin /usr/share/man/man1 /lib/systemd/system /etc/systemd/system/timers.target.wants"),
	                 before);
}

/* The administrator's own policy is not replaced. */
Test(packages, keep_a_policy_that_was_changed)
{
	does(INSTALL);
	write_in("/etc/portshim.conf", "[rule mine]\nports = 20000\n");
	does(INSTALL);
	says("cat /etc/portshim.conf", "[rule mine]");
}

static int sockets_of(const struct run *of, int first, int n, int seen[], int found)
{
	for (int i = first; i < first + n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "name %d", i);
		seen[found++] = port_of(of, name);
	}
	return found;
}

/* A program under the old library and one under the new have tables of different layouts. Eight ports, four each. */
Test(packages, are_upgraded_under_programs_that_run)
{
	static struct run server, old, new;
	int seen[9], n = 0;

	shell("mkdir %s && tests/system/old_packages.sh $(dirname $(realpath %s)) %s", file_path("old"), built("libportshim.so"), file_path("old"));
	bring("old-libportshim.deb", file_path("old/libportshim.deb"));
	bring("old-portshim.deb", file_path("old/portshim.deb"));
	does(DPKG "-i /packages/old-libportshim.deb /packages/old-portshim.deb");
	machine_start(&machine, &server, "exec act 'socket 0 tcp4' 'bind 0 127.0.0.1 7000' 'listen 0' 'socket 1 tcp4'"
	              " 'bind 1 127.0.0.1 7001' 'listen 1' pause");
	run_until_paused(&server);
	machine_start(&machine, &old, "exec env LD_PRELOAD=" LIBRARY " PORTSHIM_PORTS=20000-20007 act"
	              " 'socket 0 tcp4' 'connect 0 127.0.0.1 7000' 'name 0' 'socket 1 tcp4' 'connect 1 127.0.0.1 7000' 'name 1'"
	              " 'socket 2 tcp4' 'connect 2 127.0.0.1 7000' 'name 2' pause"
	              " 'socket 3 tcp4' 'connect 3 127.0.0.1 7000' 'name 3' pause"
	              " 'socket 4 tcp4' 'connect 4 127.0.0.1 7000' 'socket 5 tcp4' 'connect 5 127.0.0.1 7001' 'name 5'");
	run_until_paused(&old);
	says(INSTALL, "Unpacking libportshim:amd64 (0.1.0-");
	run_go_on(&old);
	run_until_paused(&old);
	machine_start(&machine, &new, "exec portshim run -p 20000-20007 act"
	              " 'socket 0 tcp4' 'connect 0 127.0.0.1 7000' 'name 0' 'socket 1 tcp4' 'connect 1 127.0.0.1 7000' 'name 1'"
	              " 'socket 2 tcp4' 'connect 2 127.0.0.1 7000' 'name 2' 'socket 3 tcp4' 'connect 3 127.0.0.1 7000' 'name 3'"
	              " 'socket 4 tcp4' 'connect 4 127.0.0.1 7000' pause");
	run_until_paused(&new);
	says("ls /dev/shm | wc -l", "2\n");
	says("cat /proc/[0-9]*/maps | grep -c '" LIBRARY " (deleted)' | grep -vx 0 | wc -l", "1\n");
	run_go_on(&old);
	run_end(&old);
	run_go_on(&new);
	run_end(&new);
	n = sockets_of(&old, 0, 4, seen, n);
	n = sockets_of(&new, 0, 4, seen, n);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			cr_expect(seen[i] != seen[j] && seen[i] >= 20000 && seen[i] <= 20007, "%d and %d", seen[i], seen[j]);
	cr_expect_str_eq(result_of(&old, "connect 4 127.0.0.1 7000"), "-1 EADDRNOTAVAIL");
	cr_expect_str_eq(result_of(&new, "connect 4 127.0.0.1 7000"), "-1 EADDRNOTAVAIL");
	cr_expect(port_of(&old, "name 5") >= 20000 && port_of(&old, "name 5") <= 20007);
	run_go_on(&server);
	run_end(&server);
}

/* --- /etc/ld.so.preload ------------------------------------------------------------------------------ */

/* What runs keeps the library and the policy that it has read; what starts then is silent. */
Test(packages, are_removed_under_programs_that_run)
{
	static struct run held;

	does(INSTALL);
	write_in("/etc/portshim.conf", MACHINE_POLICY);
	does("echo " LIBRARY " >/etc/ld.so.preload");
	machine_start(&machine, &held, "exec act" TO_PORT_9 " pause 'socket 1 udp4' 'connect 1 127.0.0.1 9' 'name 1'");
	run_until_paused(&held);
	does(DPKG "-P portshim libportshim");
	cr_expect(strstr(run.err, "portshim: /etc/ld.so.preload named the library: it was taken out there\n"), "%s", run.err);
	cr_expect(is_ephemeral(machine_port(&machine, MACHINE_SHOW, "")));
	is_silent("test ! -e /etc/ld.so.preload && ls / >/dev/null");
	run_go_on(&held);
	run_end(&held);
	cr_expect(machine_is_rules(port_of(&held, "name 1")), "%s", held.err);
}

/* Every program that starts while the library is replaced finds one. */
Test(packages, are_upgraded_under_programs_that_start)
{
	does(INSTALL);
	does("echo " LIBRARY " >/etc/ld.so.preload");
	does("while test ! -e /stop; do /bin/true && echo; done >/starts 2>/errors & " INSTALL " && " INSTALL "; touch /stop; wait");
	cr_expect_str_empty(run.err);
	says("wc -c </errors", "0\n");
	says("test $(wc -l </starts) -gt 50 && echo many", "many\n");
}

static const struct { const char *before, *after; } lists[] = {
	{ LIBRARY "\n", NULL },
	{ "  " LIBRARY " : \n\n", NULL },
	{ "/usr/$LIB/libportshim.so /usr/${LIB}/libportshim.so:/$LIB/libportshim.so libportshim.so\n", NULL },
	{ "/lib/x86_64-linux-gnu/libportshim.so /usr/lib/libother.so\n", " /usr/lib/libother.so\n" },
	{ "/usr/lib/libother.so:" LIBRARY ":/usr/lib/libmore.so\n", "/usr/lib/libother.so: /usr/lib/libmore.so\n" },
	{ "/usr/local/lib/libportshim.so\n/usr/lib/i386-linux-gnu/libportshim.so\n",
	  "/usr/local/lib/libportshim.so\n/usr/lib/i386-linux-gnu/libportshim.so\n" },
	{ "/opt/libportshim.so.1 /x" LIBRARY " " LIBRARY ".old\n", "/opt/libportshim.so.1 /x" LIBRARY " " LIBRARY ".old\n" },
};

/* An upgrade leaves the list alone. */
Test(packages, are_taken_out_of_the_list_of_preloads)
{
	does(INSTALL);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		write_in("/etc/ld.so.preload", lists[i].before);
		does("chmod 640 /etc/ld.so.preload; " INSTALL " 2>/dev/null");
		cr_expect_str_eq(machine_text(&machine, "/etc/ld.so.preload"), lists[i].before);
		does("/usr/share/libportshim/forget-preload lib/x86_64-linux-gnu all 2>/dev/null");
		cr_expect_str_eq(machine_text(&machine, "/etc/ld.so.preload"), lists[i].after ? lists[i].after : "");
		says("stat -c %a /etc/ld.so.preload 2>/dev/null || echo none", lists[i].after ? "640\n" : "none\n");
	}
}

/* Of two architectures one goes: names that stand for both are good for the other, if that is the machine's own. */
Test(packages, of_two_architectures_one_is_removed)
{
	bring("libportshim32.deb", package("deb/libportshim_*_i386.deb"));
	does("dpkg --add-architecture i386; " DPKG "--force-depends -i /packages/libportshim.deb /packages/libportshim32.deb");
	write_in("/etc/ld.so.preload", "/usr/$LIB/libportshim.so /usr/lib/i386-linux-gnu/libportshim.so\n");
	does(DPKG "--force-depends -r libportshim:i386");
	cr_expect_str_eq(machine_text(&machine, "/etc/ld.so.preload"), "/usr/$LIB/libportshim.so  \n");
	does(DPKG "--force-depends -i /packages/libportshim32.deb");
	does(DPKG "--force-depends -r libportshim:amd64");
	is_silent("test ! -e /etc/ld.so.preload");
}

/* --- RPM ---------------------------------------------------------------------------------------------- */

Test(packages, of_rpm_are_installed_and_removed)
{
	static struct run held;

	bring("libportshim.rpm", package("rpm/libportshim-*.x86_64.rpm"));
	bring("portshim.rpm", package("rpm/portshim-*.x86_64.rpm"));
	does("rpm -i --nodeps /packages/*.rpm");
	is_silent("rpm -V --nodeps portshim libportshim");
	cr_expect_eq(machine_port(&machine, "portshim run -p 20000 act" TO_PORT_9, ""), 20000);
	write_in("/etc/portshim.conf", MACHINE_POLICY);
	does("echo /usr/lib64/libportshim.so >/etc/ld.so.preload");
	machine_start(&machine, &held, "exec act" TO_PORT_9 " pause 'socket 1 udp4' 'connect 1 127.0.0.1 9' 'name 1'");
	run_until_paused(&held);
	does("rpm -e portshim libportshim");
	is_silent("test ! -e /etc/ld.so.preload && ls / >/dev/null && test -e /etc/portshim.conf.rpmsave");
	run_go_on(&held);
	run_end(&held);
	cr_expect(machine_is_rules(port_of(&held, "name 1")), "%s", held.err);
	says("rm /etc/portshim.conf.rpmsave; find /etc /usr /lib -name '*portshim*' | wc -l", "0\n");
}
