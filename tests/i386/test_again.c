/* test_again.c - the suites of shim/ and transparency/ once more, with 32-bit programs in place of the others.
 *
 * Each is started as it is, and told of another build folder. The kernel runs the programs where it does such a thing; and
 * qemu-user runs them everywhere, in those tests that need nothing of the kernel that it does not hand on: neither
 * IP_LOCAL_PORT_RANGE nor IP_BIND_ADDRESS_NO_PORT, no sock_diag(7), no page that fork() wipes, and no strace(1), which would see qemu's
 * own calls. */
#define _GNU_SOURCE
#include <stdio.h>

#include "kind.h"
#include "tests/lib/again.h"

/* Runs what `filter` names of a suite with the programs in a folder below the build folder; `tests`: so many. */
static void with_programs(const char *suite, const char *folder, const char *emulator, const char *filter, int tests)
{
	char path[256];

	snprintf(path, sizeof(path), "%s", again_suite(suite));
	both_libraries();
	if (emulator)
		setenv("PORTSHIM_EMULATOR", emulator, 1);
	setenv("PORTSHIM_BUILD", built(folder), 1);
	again(path, filter, tests);
}

/* By the kernel, where it does so. */
static void natively(const char *suite, const char *folder, int tests)
{
	if (kernel_runs_narrow())
		with_programs(suite, folder, NULL, NULL, tests);
}

#define AGAIN(name, suite, tests)                                                                              \
	Test(again, name)                                                                                      \
	{                                                                                                      \
		natively(suite, "i386", tests);                                                                \
	}

AGAIN(same, "transparency/test_same", 32)
AGAIN(choose, "shim/test_choose", 9)
AGAIN(corners, "shim/test_corners", 10)
AGAIN(crowd, "shim/test_crowd", 12)
AGAIN(deferred, "shim/test_deferred", 15)
AGAIN(descriptors, "shim/test_descriptors", 8)
AGAIN(errors, "shim/test_errors", 11)
AGAIN(exhaustion, "shim/test_exhaustion", 10)
AGAIN(leaks, "shim/test_leaks", 14)
AGAIN(log, "shim/test_log", 4)
AGAIN(no_way_out, "shim/test_no_way_out", 17)
AGAIN(policy_faults, "shim/test_policy_faults", 11)
AGAIN(rules, "shim/test_rules", 15)
AGAIN(shared, "shim/test_shared", 9)
AGAIN(threads, "shim/test_threads", 3)
AGAIN(ways, "shim/test_ways", 30)

/* With 64 bits for time, the C library's headers give other names to some of what is hooked. */
#define TIME64(name, suite, tests)                                                                             \
	Test(again_time64, name)                                                                               \
	{                                                                                                      \
		natively(suite, "i386/time64", tests);                                                         \
	}

TIME64(same, "transparency/test_same", 32)
TIME64(corners, "shim/test_corners", 10)
TIME64(deferred, "shim/test_deferred", 15)
TIME64(descriptors, "shim/test_descriptors", 8)
TIME64(errors, "shim/test_errors", 11)
TIME64(no_way_out, "shim/test_no_way_out", 17)
TIME64(rules, "shim/test_rules", 15)
TIME64(shared, "shim/test_shared", 9)
TIME64(ways, "shim/test_ways", 30)

/* By qemu-user; `filter` as Criterion has it. */
#define UNDER_QEMU(name, suite, filter, tests)                                                                 \
	Test(again_emulated, name)                                                                             \
	{                                                                                                      \
		with_programs(suite, "i386", EMULATOR " -L /", filter, tests);                                         \
	}

/* Not those whose scenes read memory that is not there: qemu-user 7.2 itself ends at the second such signal. */
UNDER_QEMU(same, "transparency/test_same", "same/!(*_addresses|unix_sockets)", 14)
UNDER_QEMU(same_child, "transparency/test_same", "same_as/child", 1)
UNDER_QEMU(choose, "shim/test_choose", "choose/!(status_shows_who_has_what)", 8)
UNDER_QEMU(corners, "shim/test_corners", "corners/!(disconnected_after_a_late_port|time_wait_*|*destination*)", 6)
UNDER_QEMU(errors, "shim/test_errors", NULL, 11)
UNDER_QEMU(exhaustion, "shim/test_exhaustion", "exhaustion/!(wait_ends_with_a_signal_in_a_try)", 10)
UNDER_QEMU(log, "shim/test_log", NULL, 4)
UNDER_QEMU(policy_faults, "shim/test_policy_faults", NULL, 11)
UNDER_QEMU(rules, "shim/test_rules", "rules/!(a_failed_attempt_leaves_nothing_behind|ports_that_need_a_capability)", 13)
UNDER_QEMU(threads, "shim/test_threads", NULL, 3)
UNDER_QEMU(ways, "shim/test_ways", "ways/!(late_ports_are_shared_between_destinations)", 29)
