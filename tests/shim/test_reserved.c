/* test_reserved.c - bindresvport() under rules by destination: the port is put off, as that of a bind() to port 0 is,
 * and is a reserved one where no rule decides. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/harness.h"

#define TO_5000 "[rule to]\nto = *:5000\nports = 20000-20009\n"

static void own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 6000);
	server_udp("127.0.0.1", 5000);
}

static void ours(struct run *run, const char *step)
{
	cr_expect(port_of(run, step) >= 20000 && port_of(run, step) <= 20009, "%s:\n%s%s", step, run->out, run->err);
}

static void reserved(struct run *run, const char *step)
{
	cr_expect(port_of(run, step) >= 512 && port_of(run, step) <= 1023, "%s:\n%s%s", step, run->out, run->err);
}

Test(reserved, by_destination)
{
	struct run run = { .policy = TO_5000 };

	own();
	run_steps(&run, "socket 0 tcp4", "bindresvport 0", "connect 0 127.0.0.1 5000", "name 0",
	          "socket 1 tcp4", "bindresvport 1", "connect 1 127.0.0.1 6000", "name 1",
	          "socket 2 udp4", "bindresvport 2", "sendto 2 127.0.0.1 5000", "name 2",
	          "socket 3 udp4", "bindresvport 3", "sendto 3 127.0.0.1 6000", "name 3",
	          "socket 4 udp4", "bindresvport 4", "connect 4 127.0.0.1 5000", "name 4", NULL);
	cr_assert(exited(&run, 0), "%s%s", run.out, run.err);
	cr_assert_str_eq(result_of(&run, "bindresvport 0"), "0");
	ours(&run, "name 0");
	reserved(&run, "name 1");
	ours(&run, "name 2");
	reserved(&run, "name 3");
	ours(&run, "name 4");
}

/* Ports inside the kernel's own range are taken inside connect(). */
Test(reserved, late)
{
	struct run run = { .policy = "[rule to]\nto = *:5000\nports = 40500-40509\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "bindresvport 0", "connect 0 127.0.0.1 5000", "name 0",
	          "socket 1 tcp4", "bindresvport 1", "connect 1 127.0.0.1 6000", "name 1", NULL);
	cr_expect(port_of(&run, "name 0") >= 40500 && port_of(&run, "name 0") <= 40509, "%s", run.out);
	reserved(&run, "name 1");
}

/* A socket that shows its port before it has a destination shows the one that it gets if no rule decides. */
Test(reserved, shown_before)
{
	struct run run = { .policy = TO_5000 };
	int shown;

	own();
	run_steps(&run, "socket 0 tcp4", "bindresvport 0", "name 0", "connect 0 127.0.0.1 6000", "dup 0 1", "name 1", NULL);
	shown = port_of(&run, "name 0");
	reserved(&run, "name 0");
	cr_expect_eq(port_of(&run, "name 1"), shown, "%s", run.out);
	run_steps(&run, "socket 0 udp4", "bindresvport 0", "name 0", "sendto 0 127.0.0.1 6000", "dup 0 1", "name 1", NULL);
	reserved(&run, "name 0");
	cr_expect_eq(port_of(&run, "name 1"), port_of(&run, "name 0"), "%s", run.out);
	run_steps(&run, "socket 0 tcp4", "bindresvport 0", "name 0", "connect 0 127.0.0.1 5000", "dup 0 1", "name 1",
	          "socket 2 udp4", "bindresvport 2", "name 2", "connect 2 127.0.0.1 5000", "dup 2 3", "name 3", NULL);
	reserved(&run, "name 0");
	ours(&run, "name 1");
	reserved(&run, "name 2");
	ours(&run, "name 3");
}

/* A socket that listens, one that is bound twice. */
Test(reserved, without_a_destination)
{
	struct run run = { .policy = TO_5000 };

	own();
	run_steps(&run, "socket 1 tcp4", "bindresvport 1", "listen 1", "name 1",
	          "socket 2 tcp4", "bindresvport 2", "bindresvport 2", NULL);
	reserved(&run, "name 1");
	cr_expect_str_eq(result_of(&run, "bindresvport 2"), "-1 EINVAL");
}

/* Who may not have a reserved port is told so, rule or no rule. */
Test(reserved, unprivileged)
{
	struct run run = { .policy = TO_5000 };

	own();
	run_steps(&run, "setuid 65534", "socket 0 tcp4", "bindresvport 0", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4",
	          "bindresvport 1", "connect 1 127.0.0.1 6000", "name 1", NULL);
	cr_expect_str_eq(result_of(&run, "bindresvport 0"), "-1 EACCES");
	ours(&run, "name 0");
	cr_expect_str_eq(result_of(&run, "bindresvport 1"), "-1 EACCES");
	cr_expect(port_of(&run, "name 1") >= 40000 && port_of(&run, "name 1") <= 40999, "%s", run.out);
}

/* Without a rule by destination nothing is put off: one without `to` gives its port at once. */
Test(reserved, at_once)
{
	struct run run = { .policy = "[rule r]\nports = 20000-20009\n" };

	own();
	run_steps(&run, "socket 0 tcp4", "bindresvport 0", "name 0", "setuid 65534",
	          "socket 1 tcp4", "bindresvport 1", "name 1", NULL);
	ours(&run, "name 0");
	ours(&run, "name 1");
}
