/* test_reload.c - `portshim reload` of a supervisor: the calls of all its programs are decided by the new policy. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/supervised.h"

#define OLD "[rule old]\nports = " EARLY_SET "\n"
#define NEW "[rule new]\nports = 20100-20109\n"
#define CONNECT "call = connect, bind\n"
#define KERNEL "choose = kernel\n"

TestSuite(reload, .init = supervised_enter, .fini = supervised_leave);

static struct run run;

static void start(const char *policy)
{
	const char *argv[] = { built("tests/probes/act"), "worker", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "pause",
	                       "socket 1 tcp4", "connect 1 127.0.0.1 5000", "name 1", "socket 2 udp4", "sendto 2 127.0.0.1 9",
	                       "name 2", NULL };

	server_tcp("127.0.0.1", 5000);
	run = (struct run){ .policy = policy };
	story_start(&run, argv);
	run_until_paused(&run);
}

static void put_and_tell(const char *policy)
{
	shell("mv %s %s && %s reload -c %s -t $(echo /dev/shm/portshim-0-*)", file_make("new", policy), run.policy_path,
	      built("portshim"), file_make("good", OLD));
}

/* The worker goes on; then its parent, who does the same, is a client of the new policy from its first call on. */
static void go_on(void)
{
	run_go_on(&run);
	run_until_paused(&run);
	run_go_on(&run);
	run_end(&run);
	cr_expect(exited(&run, 0), "%x", run.status);
}

static bool is_new(int port)
{
	return port >= 20100 && port <= 20109;
}

Test(reload, clients_old_and_new)
{
	start(OLD);
	cr_expect(supervised_is_ours(0, port_of(&run, "name 0")));
	put_and_tell(NEW);
	run_go_on(&run);
	run_until_paused(&run);
	cr_expect(is_new(port_of(&run, "name 1")) && is_new(port_of(&run, "name 2")) && is_new(port_of(&run, "name 0")), "%s%s",
	          run.out, run.err);
	run_go_on(&run);
	run_end(&run);
	cr_expect(is_new(port_of(&run, "name 1")), "%s%s", run.out, run.err);
	cr_expect_str_empty(run.err, "%s", run.err);
}

Test(reload, a_broken_policy_leaves_the_old_one)
{
	start(OLD);
	put_and_tell("[rule broken]\nports = none\n");
	go_on();
	cr_expect(supervised_is_ours(0, port_of(&run, "name 1")), "%s", run.out);
	cr_expect(strstr(run.err, "the policy as it was stays in force"), "%s", run.err);
	cr_expect_eq(strstr(run.err, "in force"), strrchr(run.err, '\n') - strlen("in force"), "%s", run.err);
}

/* Sends were of no concern at the start, and are not watched: the new policy would leak them. */
Test(reload, calls_that_are_not_watched)
{
	start(OLD CONNECT);
	put_and_tell(NEW);
	go_on();
	cr_expect(supervised_is_ours(0, port_of(&run, "name 1")), "%s", run.out);
	cr_expect(strstr(run.err, "watches no calls but those that the policy at the start had rules for"), "%s", run.err);
}

Test(reload, fewer_calls_than_are_watched)
{
	start(OLD);
	put_and_tell(NEW CONNECT);
	go_on();
	cr_expect(is_new(port_of(&run, "name 1")), "%s", run.out);
	cr_expect_not(is_new(port_of(&run, "name 2")), "%s", run.out);
	cr_expect_str_empty(run.err, "%s", run.err);
}

/* Where sockets are made with their range: another range for those that are made from then on; and no other policy. */
Test(reload, ranges_of_sockets)
{
	start("[rule old]\nports = " LATE_SET "\n" KERNEL);
	put_and_tell("[rule new]\nports = 40600-40609\n" KERNEL);
	go_on();
	cr_expect(port_of(&run, "name 1") >= 40600 && port_of(&run, "name 1") <= 40609, "%s%s", run.out, run.err);
}

Test(reload, another_policy_than_ranges)
{
	start("[rule old]\nports = " LATE_SET "\n" KERNEL);
	put_and_tell(NEW);
	go_on();
	cr_expect(supervised_is_ours(1, port_of(&run, "name 1")), "%s%s", run.out, run.err);
	cr_expect(strstr(run.err, "start them again"), "%s", run.err);
}
