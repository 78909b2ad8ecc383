/* test_ansible.c - the playbook of README.md puts a host under a policy, takes up another one in programs that run, refuses one with an
 * error, and changes nothing where nothing is new. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/machine.h"
#include "tests/lib/packages.h"
#include "tests/lib/world.h"

#define PLAY "bash /machine/ansible.sh"
#define POLICY(ports) "[rule act]\nprogram = act*\nports = " ports "\n"
#define CONNECT(socket, port) " 'socket " socket " udp4' 'connect " socket " 127.0.0.1 " port "' 'name " socket "'"

static struct machine machine;
static struct run run;

static void boot(void)
{
	packages_make("deb");
	world_enter();
	machine = (struct machine){ .bare = true };
	machine_boot(&machine, "");
	shell("mkdir -p %s/play/build/deb && cp %s %s %s/play/build/deb && cp README.md %s/machine", machine_path(&machine, ""),
	      package("deb/libportshim_*_amd64.deb"), package("deb/portshim_*_amd64.deb"), machine_path(&machine, ""),
	      machine_path(&machine, ""));
}

static void end(void)
{
	machine_end(&machine);
	world_leave();
}

TestSuite(ansible, .init = boot, .fini = end, .timeout = 600);

static void policy_is(const char *text)
{
	FILE *file = fopen(machine_path(&machine, "/play/portshim.conf"), "we");

	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void play(const char *recap)
{
	run = (struct run){ .slow = true };
	machine_run(&machine, &run, PLAY);
	cr_expect(strstr(run.out, recap), "%s\n%s%s", recap, run.out, run.err);
}

Test(ansible, the_playbook_puts_a_host_under_a_policy)
{
	static struct run held = { .slow = true }; /* it waits while the hosts are played */

	policy_is(POLICY("20000-20099"));
	play("changed=7    unreachable=0    failed=0");
	cr_expect_str_eq(machine_text(&machine, "/etc/ld.so.preload"), "/usr/$LIB/libportshim.so\n");
	cr_expect_str_eq(machine_text(&machine, "/etc/sysctl.d/50-portshim.conf"), "net.ipv4.ip_local_reserved_ports = 20000-20099\n");
	machine_start(&machine, &held, "exec act" CONNECT("0", "9") " pause" CONNECT("1", "9") " pause" CONNECT("2", "9"));
	run_until_paused(&held);
	play("changed=0    unreachable=0    failed=0");

	policy_is(POLICY("20100-20199"));
	play("changed=4    unreachable=0    failed=0");
	/* What is reserved stays so: it cannot be told from what others have reserved. */
	cr_expect_str_eq(machine_text(&machine, "/etc/sysctl.d/50-portshim.conf"), "net.ipv4.ip_local_reserved_ports = 20000-20199\n");
	run_go_on(&held);
	run_until_paused(&held);

	policy_is(POLICY("20200-"));
	play("changed=0    unreachable=0    failed=1");
	cr_expect(strstr(run.out, "'20200-' is no range of ports"), "%s", run.out);
	cr_expect(strstr(machine_text(&machine, "/etc/portshim.conf"), "20100-20199"));
	run_go_on(&held);
	run_end(&held);
	cr_expect(port_of(&held, "name 0") / 100 == 200 && port_of(&held, "name 1") / 100 == 201 && port_of(&held, "name 2") / 100 == 201,
	          "%s%s", held.out, held.err);
}
