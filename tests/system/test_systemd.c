/* test_systemd.c - a machine whose process 1 is systemd: it starts under the library, with its journal and services, and
 * services in each of systemd's sandboxes have the same results as without it, and the rule's ports. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/machine.h"
#include "tests/lib/world.h"

#define POLICY "[rule group]\ncgroup = /system.slice/by-group.service\nports = 21000-21099\n" MACHINE_POLICY

TestSuite(systemd, .init = world_enter, .fini = world_leave);

/* Services whose port is another's than the rule's. */
static const char *const of_the_kernel[] = { "off", "no-policy" };

static bool port_fits(const struct machine *machine, const char *unit, int port)
{
	/* A network of its own has a range of its own. */
	bool kernel = machine->bare;

	for (size_t i = 0; i < sizeof(of_the_kernel) / sizeof(of_the_kernel[0]); i++)
		kernel |= strcmp(unit, of_the_kernel[i]) == 0;
	if (kernel)
		return strcmp(unit, "network") == 0 || is_ephemeral(port);
	return strcmp(unit, "by-group") == 0 ? port >= 21000 && port <= 21099 : machine_is_rules(port);
}

static void outputs_fit(const struct machine *machine)
{
	static struct run run;
	const char *text = run.out;
	char unit[64], line[256];
	int port, length, n = 0;

	run = (struct run){ 0 };
	machine_run(machine, &run, "cd /out && grep -H '' *");
	for (; sscanf(text, "%63[^:]:%255[^\n]\n%n", unit, line, &length) == 2; text += length)
		if (sscanf(line, "name 0 = 127.0.0.1 %d", &port) == 1) {
			cr_expect(port_fits(machine, unit, port), "%s from port %d", unit, port);
			n++;
		}
	cr_expect_eq(n, 13, "%s%s", run.out, run.err);
}

/* What there is to see of a start, ports masked; of the service that may not read the policy, what it says itself. */
#define SEEN \
	"systemctl is-system-running; systemctl --failed --no-legend; systemctl is-active nginx cron ssh;" \
	"cd /out; grep -v '^portshim: \\|^  ' * | sed 's/\\(name 0 = 127.0.0.1\\) .*/\\1/'; curl -sS http://127.0.0.1/;" \
	"journalctl -b -o cat --no-pager | grep 'portshim\\|ld.so'"

static void start(struct machine *machine, struct run *run)
{
	machine->systemd = true;
	machine->policy = POLICY;
	machine->prepare = "sh /machine/units.sh";
	machine_boot(machine, NULL);
	machine_run(machine, run, SEEN);
	outputs_fit(machine);
}

Test(systemd, starts_and_its_services_work)
{
	static struct machine bare = { .bare = true }, machine;
	static struct run bare_run, run, maps;

	start(&bare, &bare_run);
	start(&machine, &run);
	cr_assert(strncmp(bare_run.out, "running\nactive\nactive\nactive\n", 29) == 0, "%s", bare_run.out);
	story_same("systemd", &bare_run, &run);
	machine_run(&machine, &maps, "cat /proc/1/maps; cat /out/no-policy");
	cr_expect(strstr(maps.out, MACHINE_LIBRARY), "process 1 is not under the library");
	cr_expect(strstr(maps.out, "portshim.conf: error: may not be read by this user"));
	machine_end(&machine);
	machine_end(&bare);
}
