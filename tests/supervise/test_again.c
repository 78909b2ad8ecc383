/* test_again.c - the suites of the library once more, with the supervisor in its place; and stories and languages, whose programs
 * the library reaches as well.
 *
 * Left out is what is about the library itself: what it makes of libc's functions (bindresvport(3)), what it hides from
 * getsockopt(2), a policy that is found broken only by then, a process that is killed (here that is the front alone), one whose
 * rights and limits decide what an audit can write; and what holds only where each connection is decided (birth.h). */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/lib/again.h"

#define AGAIN(name, suite, filter, tests)                                                                      \
	Test(again, name)                                                                                      \
	{                                                                                                      \
		setenv("PORTSHIM_TEST_MODE", "supervise", 1);                                                  \
		again(again_suite(suite), filter, tests);                                                      \
	}

AGAIN(same, "transparency/test_same", NULL, 32)
AGAIN(audit, "shim/test_audit",
      "audit/!(a_connection_that_hangs_*|another_user_*|limit_on_files|no_descriptor|not_permitted|refused_early|sandboxed)", 25)
AGAIN(choose, "shim/test_choose", "choose/!(status_shows_who_has_what)", 8)
AGAIN(corners, "shim/test_corners", NULL, 10)
AGAIN(crowd, "shim/test_crowd", NULL, 12)
AGAIN(deferred, "shim/test_deferred", "deferred/!(connect_decides_*)", 13)
AGAIN(descriptors, "shim/test_descriptors", "descriptors/!(marks_are_hidden)", 13)
AGAIN(errors, "shim/test_errors", "errors/!(options_are_left_alone)", 10)
AGAIN(exhaustion, "shim/test_exhaustion", NULL, 11)
AGAIN(leaks, "shim/test_leaks", "leaks/!(killed_*|a_hundred_rounds_of_kill|random_bytes_behind_the_header)", 10)
AGAIN(no_way_out, "shim/test_no_way_out", "no_way_out/!(no_descriptor_for_the_policy)", 16)
AGAIN(rules, "shim/test_rules", "rules/!(never_connects_to_itself)", 15)
AGAIN(shared, "shim/test_shared", "shared/!(options_as_the_program_set_them)", 8)
AGAIN(threads, "shim/test_threads", "threads/!(said_once)", 2)
AGAIN(ways, "shim/test_ways", "ways/!(bindresvport)", 29)

AGAIN(languages, "kinds/test_languages", "languages/client", 10)
AGAIN(dns, "stories/test_dns", NULL, 15)
AGAIN(everyday, "stories/test_everyday", NULL, 22)
AGAIN(firewall, "stories/test_firewall", NULL, 11)
AGAIN(ftp, "stories/test_ftp", NULL, 12)
AGAIN(java, "stories/test_java", NULL, 13)
AGAIN(legacy, "stories/test_legacy", NULL, 19)
AGAIN(per_application, "stories/test_per_application", NULL, 8)
AGAIN(tftp, "stories/test_tftp", NULL, 4)
