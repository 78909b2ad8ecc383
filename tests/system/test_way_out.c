/* test_way_out.c - what becomes of a machine whose library is gone, damaged or replaced, and that there is a way out. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/machine.h"
#include "tests/lib/world.h"

#define COMPLAINT "ERROR: ld.so: object '" MACHINE_LIBRARY "' from /etc/ld.so.preload cannot be preloaded"

static struct machine machine;
static struct run run;

static void boot(void)
{
	world_enter();
	machine = (struct machine){ .policy = MACHINE_POLICY, .prepare = "mkdir /rescue; cp $(which busybox) /rescue/busybox" };
	machine_boot(&machine, "");
}

static void end(void)
{
	machine_end(&machine);
	world_leave();
}

TestSuite(way_out, .init = boot, .fini = end);

/* The loader says so for each program, and starts it. */
Test(way_out, a_library_that_is_gone)
{
	cr_expect(is_ephemeral(machine_port(&machine, "rm " MACHINE_LIBRARY "; " MACHINE_SHOW, COMPLAINT)));
	cr_expect(is_ephemeral(machine_port(&machine, ": >/etc/ld.so.preload; exec " MACHINE_SHOW, COMPLAINT)));
	cr_expect(is_ephemeral(machine_port(&machine, MACHINE_SHOW, "")));
}

Test(way_out, a_file_that_is_no_library)
{
	static const char *const files[] = { ": >", "echo nonsense >", "head -c 4096 /dev/urandom >", "head -c 100 /bin/ls >" };
	char line[256];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(line, sizeof(line), "rm -f %s; %s%s; %s", MACHINE_LIBRARY, files[i], MACHINE_LIBRARY, MACHINE_SHOW);
		cr_expect(is_ephemeral(machine_port(&machine, line, COMPLAINT)), "%s", files[i]);
	}
}

/* Half a library is worse: every program that starts dies by SIGBUS. A shell that runs empties /etc/ld.so.preload. */
Test(way_out, half_a_library)
{
	machine_run(&machine, &run,
	            "cd /tmp; head -c 20000 " MACHINE_LIBRARY " >half; mv half " MACHINE_LIBRARY ";"
	            "/bin/true; echo $?; /rescue/busybox echo rescue; : >/etc/ld.so.preload; /bin/true; echo $?");
	cr_expect_str_eq(run.out, "135\nrescue\n0\n");
	cr_expect(is_ephemeral(machine_port(&machine, MACHINE_SHOW, "")));
}

/* Where no shell runs: a static one is started in place of init. */
Test(way_out, a_static_shell)
{
	machine_run(&machine, &run,
	            "cd /tmp; head -c 20000 " MACHINE_LIBRARY " >half; mv half " MACHINE_LIBRARY ";"
	            "exec /rescue/busybox sh -c '/usr/bin/id; /rescue/busybox rm /etc/ld.so.preload; /usr/bin/id -un'");
	cr_expect_str_eq(run.out, "root\n");
	cr_expect_eq(strncmp(run.err, "Bus error\n", 10), 0, "%s", run.err);
}

/* --- replacing it ---------------------------------------------------------------------------------- */

/* `make TARGET`, outside, for the machine's root; `end` is what the shell makes of its end. */
static void make(const char *target, const char *end)
{
	shell("env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s %s DESTDIR=%s PREFIX=/usr/local BUILD=$(dirname %s) %s", target,
	      machine_path(&machine, ""), built("libportshim.so"), end);
}

/* What happened to NAME: the inotify events, all in one. */
static uint32_t events_of(int fd, const char *name)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	uint32_t events = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			if (event->len && strcmp(event->name, name) == 0)
				events |= event->mask;
			at += sizeof(*event) + event->len;
		}
	}
	return events;
}

/* Between two programs that start there is always a whole library: the new file takes the old one's name. */
Test(way_out, make_install_replaces_in_one_step)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	cr_assert(inotify_add_watch(fd, machine_path(&machine, "/usr/local/lib"),
	                            IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE) >= 0);
	make("install", "");
	cr_expect_eq(events_of(fd, "libportshim.so"), IN_MOVED_TO);
	close(fd);
}

/* Not while every program that starts would complain. */
Test(way_out, make_uninstall_waits_until_it_is_out)
{
	make("uninstall", "2>&1 | grep -q 'etc/ld.so.preload names the library'");
	cr_expect(machine_is_rules(machine_port(&machine, MACHINE_SHOW, "")));
	cr_expect(is_ephemeral(machine_port(&machine, ": >/etc/ld.so.preload; " MACHINE_SHOW, "")));
	make("uninstall", "");
	cr_expect_eq(access(machine_path(&machine, MACHINE_LIBRARY), F_OK), -1);
}

/* A program that has a connection keeps the library that it began with; its ports come back to the table all the same. */
Test(way_out, an_upgrade_under_a_connection)
{
	struct stat before, after;

	machine_start(&machine, &run,
	              "exec act 'socket 0 tcp4' 'bind 0 127.0.0.1 80' 'listen 0 8' 'socket 1 tcp4' 'connect 1 127.0.0.1 80'"
	              " 'name 1' pause 'socket 2 tcp4' 'connect 2 127.0.0.1 80' 'name 2' 'close 1' 'close 2'");
	run_until_paused(&run);
	cr_assert(stat(machine_path(&machine, MACHINE_LIBRARY), &before) == 0);
	make("install", "");
	cr_assert(stat(machine_path(&machine, MACHINE_LIBRARY), &after) == 0 && after.st_ino != before.st_ino);
	cr_expect(machine_is_rules(machine_port(&machine, MACHINE_SHOW, "")));
	run_go_on(&run);
	run_end(&run);
	cr_expect(exited(&run, 0), "%s", run.err);
	cr_expect_str_empty(run.err);
	cr_expect(machine_is_rules(port_of(&run, "name 1")) && machine_is_rules(port_of(&run, "name 2")));
	cr_expect_str_eq(result_of(&run, "close 2"), "0");
}
