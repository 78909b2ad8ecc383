/* test_privileges.c - a program with privileges that its user lacks is under the library of /etc/ld.so.preload as well,
 * and nothing that its user says counts there: only /etc/portshim.conf. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "tests/lib/machine.h"
#include "tests/lib/world.h"

/* ann's own: in the place that XDG_CONFIG_HOME names, and in that below HOME. */
#define OWN_POLICY \
	"mkdir -p /own/portshim /own/.config/portshim;" \
	"echo \"[rule own]\" >/own/portshim/portshim.conf; echo \"ports = 21000-21099\" >>/own/portshim/portshim.conf;" \
	"cp /own/portshim/portshim.conf /own/.config/portshim; mkdir /linked; ln -s /own/.config /linked/.config;"
#define COPIES \
	"cd /usr/local/bin; cp act act-setuid; cp act act-setgid; cp act act-capable;" \
	"chmod 4755 act-setuid; chgrp daemon act-setgid; chmod 2755 act-setgid;"

static const char *const attempts[] = {
	"PORTSHIM_PORTS=21000-21099", "PORTSHIM_CONF=/own/portshim/portshim.conf", "XDG_CONFIG_HOME=/own", "HOME=/own",
	"PORTSHIM_DISABLE=1", "PORTSHIM_PORTS=nonsense PORTSHIM_STRICT=1", "PORTSHIM_LOG=debug",
	"HOME=/linked", "PORTSHIM_CONF=/dev/stdin", "PORTSHIM_CONF=/proc/self/fd/0",
};

#define ATTEMPTS (sizeof(attempts) / sizeof(attempts[0]))

TestSuite(privileges, .init = world_enter, .fini = world_leave);

static void capability_add(const char *path)
{
	struct vfs_cap_data data = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE };

	data.data[0].permitted = 1U << CAP_NET_BIND_SERVICE;
	cr_assert(setxattr(path, "security.capability", &data, sizeof(data), 0) == 0);
}

static void privileged_boot(struct machine *machine)
{
	*machine = (struct machine){ .policy = MACHINE_POLICY, .prepare = OWN_POLICY COPIES };
	machine_boot(machine, "");
	capability_add(machine_path(machine, "/usr/local/bin/act-capable"));
}

static void try_as_ann(const struct machine *machine, struct run *run, const char *variable, const char *program)
{
	char line[256];

	*run = (struct run){ 0 };
	snprintf(line, sizeof(line), "su ann -c '%s sh /machine/show.sh %s'", variable, program);
	machine_run(machine, run, line);
}

/* Each variable counts where there are no privileges: it would be obeyed. */
Test(privileges, a_plain_program_obeys)
{
	static struct machine machine;
	static struct run run;

	privileged_boot(&machine);
	for (size_t i = 0; i < ATTEMPTS; i++) {
		try_as_ann(&machine, &run, attempts[i], "act");
		cr_expect(*run.err || !machine_is_rules(port_of(&run, "name 0")), "%s", attempts[i]);
	}
	try_as_ann(&machine, &run, "", "act");
	cr_expect(machine_is_rules(port_of(&run, "name 0")));
	machine_end(&machine);
}

static void nothing_counts(const char *program)
{
	static struct machine machine;
	static struct run run;

	privileged_boot(&machine);
	for (size_t i = 0; i < ATTEMPTS; i++) {
		try_as_ann(&machine, &run, attempts[i], program);
		cr_expect_str_empty(run.err, "%s %s", attempts[i], program);
		cr_expect(machine_is_rules(port_of(&run, "name 0")), "%s %s\n%s", attempts[i], program, run.out);
	}
	machine_end(&machine);
}

Test(privileges, setuid)
{
	nothing_counts("act-setuid");
}

Test(privileges, setgid)
{
	nothing_counts("act-setgid");
}

Test(privileges, file_capabilities)
{
	nothing_counts("act-capable");
}

/* The table is that of the user it acts as. */
Test(privileges, tables)
{
	static struct machine machine;
	static struct run run;

	privileged_boot(&machine);
	cr_expect(machine_is_rules(machine_port(&machine, "su ann -c 'sh /machine/show.sh act-setuid'", "")));
	cr_expect(machine_is_rules(machine_port(&machine, "su ben -c 'sh /machine/show.sh act-setgid'", "")));
	machine_run(&machine, &run, "stat -c '%U %a' /dev/shm/*");
	cr_expect_str_eq(run.out, "root 600\nben 600\n");
	machine_end(&machine);
}

/* What is not root's own does not count either: neither for root nor for who has privileges. For ann it does, whose file it is. */
Test(privileges, a_policy_of_anns)
{
	static const struct { const char *line; bool refused; } who[] = {
		{ "su ann -c 'sh /machine/show.sh act'", false }, { "su ann -c 'sh /machine/show.sh act-setuid'", true },
		{ "su ann -c 'sh /machine/show.sh act-setgid'", true }, { "su ann -c 'sh /machine/show.sh act-capable'", true },
		{ MACHINE_SHOW, true },
	};
	static struct machine machine;
	static struct run run;

	privileged_boot(&machine);
	machine_run(&machine, &run, "chown ann /etc/portshim.conf");
	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		machine_run(&machine, &run, who[i].line);
		cr_expect_eq(machine_is_rules(port_of(&run, "name 0")), !who[i].refused, "%s\n%s", who[i].line, run.out);
		cr_expect_eq(strstr(run.err, "portshim: act") != NULL, who[i].refused, "%s\n%s", who[i].line, run.err);
		cr_expect(strstr(run.err, "/etc/portshim.conf: error: this file is the user "), "su and the probe as root: %s", run.err);
	}
	machine_end(&machine);
}
