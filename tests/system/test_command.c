/* test_command.c - the command `portshim` in a machine that is under the library as a whole. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/machine.h"
#include "tests/lib/world.h"

#define COPY "cp /usr/local/bin/act /usr/local/bin/act-setuid; chmod 4755 /usr/local/bin/act-setuid"

static struct machine machine;
static struct run run;

static void boot(void)
{
	world_enter();
	machine = (struct machine){ .policy = MACHINE_POLICY, .prepare = COPY };
	machine_boot(&machine, "");
}

static void end(void)
{
	machine_end(&machine);
	world_leave();
}

TestSuite(command, .init = boot, .fini = end);

/* The exit code, and words that standard output has in this order. */
static void says(const char *line, int code, const char *words, const char *last)
{
	const char *at;

	machine_run(&machine, &run, line);
	at = strstr(run.out, words);
	cr_expect(exited(&run, code) && at && strstr(at, last), "%s\n%s%s", line, run.out, run.err);
}

Test(command, doctor_of_a_command)
{
	says("portshim doctor act", 0, "  ok  rule     act",
	     "would be under portshim: /etc/ld.so.preload names the library\n");
	says(": >/etc/ld.so.preload; portshim doctor act", 0, "  ok  rule     act",
	     "would be under portshim: start it with portshim run\n");
}

/* ann's variables do not count in it, neither for the policy nor for the switch. */
Test(command, doctor_of_a_setuid_command)
{
	says("su ann -c 'PORTSHIM_PORTS=1 PORTSHIM_DISABLE=1 portshim doctor act-setuid'", 0,
	     "  ok  program  /usr/local/bin/act-setuid runs with privileges that its user lacks, and "
	     "/etc/ld.so.preload preloads into it all the same\n", "  ok  policy   /etc/portshim.conf\n");
	says(": >/etc/ld.so.preload; su ann -c 'portshim doctor act-setuid'", 1,
	     "  NO  program  /usr/local/bin/act-setuid is setuid", "would not be under portshim\n");
}

Test(command, doctor_of_a_setuid_process)
{
	static struct run held;

	machine_start(&machine, &held, "exec su ann -c 'PORTSHIM_DISABLE=1 exec act-setuid pause'");
	run_until_paused(&held);
	says("portshim doctor $(grep -lx act-setuid /proc/[0-9]*/comm | cut -d / -f 3)", 0,
	     "  ok  program  /usr/local/bin/act-setuid runs with privileges that its user lacks, and "
	     "/etc/ld.so.preload preloads into it all the same\n", "\nunder portshim\n");
	run_go_on(&held);
	run_end(&held);
}

/* What `run` is told does not count there; it says so. */
Test(command, run_of_a_setuid_program)
{
	int port = machine_port(&machine, "su ann -c 'portshim run -p 23000 -- act-setuid \"socket 0 udp4\" "
	                        "\"connect 0 127.0.0.1 9\" \"name 0\"'",
	                        "portshim: warning: /usr/local/bin/act-setuid runs with privileges that its user lacks: there "
	                        "only /etc/portshim.conf counts, not what 'portshim run' was told\n");

	cr_expect(machine_is_rules(port), "port %d", port);
}

/* Another build, by `run`, besides the one that is everywhere: each call is decided once. */
Test(command, run_with_another_library)
{
	int port = machine_port(&machine, "mkdir /opt/own; cp /usr/local/bin/portshim /usr/local/lib/libportshim.so /opt/own;"
	                        "/opt/own/portshim run -p 23000 -- " MACHINE_SHOW, "");

	cr_expect_eq(port, 23000);
}
