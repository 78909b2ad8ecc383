/* test_switch.c - how a whole machine is switched on and off, and what it says when its policy is broken or not there. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/machine.h"
#include "tests/lib/world.h"

#define PROGRAMS "id; ls /; bash -c :; echo one | xargs echo; perl -e 1; useradd tom; apt-get --version"

TestSuite(switch, .init = world_enter, .fini = world_leave);

static struct machine machine;

static void boot(const char *policy)
{
	machine = (struct machine){ .policy = policy };
	machine_boot(&machine, "");
}

/* Programs that use no network say nothing, whatever the policy. */
static void the_rest_is_silent(void)
{
	static struct run run;

	run = (struct run){ 0 };
	machine_run(&machine, &run, PROGRAMS);
	cr_expect(exited(&run, 0));
	cr_expect_str_empty(run.err);
}

/* One message, and no other. */
static void says_once(const char *line, const char *words)
{
	static struct run run;
	const char *first;

	run = (struct run){ 0 };
	machine_run(&machine, &run, line);
	first = strstr(run.err, words);
	cr_expect(first && !strstr(first + 1, words), "not once: %s\n%s", words, run.err);
	cr_expect(is_ephemeral(port_of(&run, "name 0")) && is_ephemeral(port_of(&run, "name 1")));
}

#define TWICE \
	"act 'socket 0 udp4' 'connect 0 127.0.0.1 9' 'name 0' 'socket 1 udp4' 'connect 1 127.0.0.1 9' 'name 1'"

Test(switch, one_program)
{
	boot(MACHINE_POLICY);
	cr_expect(machine_is_rules(machine_port(&machine, MACHINE_SHOW, "")));
	cr_expect(is_ephemeral(machine_port(&machine, "PORTSHIM_DISABLE=1 " MACHINE_SHOW, "")));
	machine_end(&machine);
}

/* Without a new start: what runs stays under it, what starts is as it is named there. */
Test(switch, the_machine)
{
	static struct run run;

	boot(MACHINE_POLICY);
	machine_start(&machine, &run, "exec act pause 'socket 0 udp4' 'connect 0 127.0.0.1 9' 'name 0'");
	run_until_paused(&run);
	cr_expect(is_ephemeral(machine_port(&machine, ": >/etc/ld.so.preload; " MACHINE_SHOW, "")));
	run_go_on(&run);
	run_end(&run);
	cr_expect(machine_is_rules(port_of(&run, "name 0")));
	cr_expect(machine_is_rules(machine_port(&machine, "echo " MACHINE_LIBRARY " >/etc/ld.so.preload; " MACHINE_SHOW, "")));
	machine_end(&machine);
}

Test(switch, a_broken_policy)
{
	static struct run run;

	boot("[rule act]\nprogram = act\nprots = 20000-20099\n");
	the_rest_is_silent();
	says_once(TWICE, "portshim.conf:3: error: unknown key 'prots'");
	cr_expect(is_ephemeral(machine_port(&machine, "PORTSHIM_DISABLE=1 " MACHINE_SHOW, "")));
	machine_run(&machine, &run, "PORTSHIM_STRICT=1 " MACHINE_SHOW);
	cr_expect_str_eq(result_of(&run, "connect 0 127.0.0.1 9"), "-1 EPERM");
	machine_end(&machine);
}

/* A program of inetd's has its client at descriptor 2: that hears what the program says, and nothing else. */
#define AS_INETD \
	"exec perl -MIO::Socket::INET -e '" \
	"$s = IO::Socket::INET->new(LocalAddr => \"127.0.0.1:7000\", Listen => 1, ReuseAddr => 1) or die;" \
	"$c = IO::Socket::INET->new(\"127.0.0.1:7000\") or die; $a = $s->accept;" \
	"unless (fork) { close $c; open STDIN, \"<&\", $a; open STDOUT, \">&\", $a; open STDERR, \">&\", $a; close $a;" \
	"exec \"sh\", \"/machine/show.sh\", \"act\" } close $a; print while <$c>; wait'"

Test(switch, a_broken_policy_is_no_news_to_a_client)
{
	static struct run run;

	boot("[rule act]\nprogram = act\nprots = 20000-20099\n");
	machine_run(&machine, &run, AS_INETD);
	cr_expect(is_ephemeral(port_of(&run, "name 0")));
	cr_expect_not(strstr(run.out, "portshim"), "%s", run.out);
	machine_end(&machine);
}

Test(switch, no_policy)
{
	boot(NULL);
	the_rest_is_silent();
	says_once(TWICE, "error: none found");
	cr_expect(machine_is_rules(machine_port(&machine, "PORTSHIM_PORTS=20000-20099 " MACHINE_SHOW, "")));
	machine_end(&machine);
}

Test(switch, an_empty_policy)
{
	boot("");
	the_rest_is_silent();
	cr_expect(is_ephemeral(machine_port(&machine, MACHINE_SHOW, "")));
	machine_end(&machine);
}

Test(switch, a_policy_that_only_root_may_read)
{
	boot(MACHINE_POLICY);
	cr_expect(machine_is_rules(machine_port(&machine, "chmod 600 /etc/portshim.conf; " MACHINE_SHOW, "")));
	cr_expect(is_ephemeral(machine_port(&machine, "su ann -c '" MACHINE_SHOW "'", "portshim: ")));
	machine_end(&machine);
}

/* What is nearer counts: the user's own file, and more so what the command was told. */
Test(switch, other_policies)
{
	boot(MACHINE_POLICY);
	cr_expect_eq(machine_port(&machine, "portshim run -p 23000 -- " MACHINE_SHOW, ""), 23000);
	cr_expect_eq(machine_port(&machine, "mkdir -p ~ann/.config/portshim; cd ~ann/.config/portshim;"
	                        "echo '[rule own]' >portshim.conf; echo 'ports = 24000' >>portshim.conf; su - ann -c '" MACHINE_SHOW "'",
	                        ""), 24000);
	machine_end(&machine);
}
