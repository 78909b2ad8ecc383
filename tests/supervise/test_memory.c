/* test_memory.c - where a call's address is read: in the memory of the program that makes it, and as that could read it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/harness.h"

TestSuite(memory, .init = net_own);

static struct run run;

static void supervise(const char *policy, const char *const argv[])
{
	const char *words[16] = { built("portshim"), "run", "--supervise" };
	size_t n = 3;

	while (*argv && n < 15)
		words[n++] = *argv++;
	run = (struct run){ .bare = true, .policy = policy };
	run_program(&run, words);
	cr_assert(exited(&run, 0), "status 0x%x %s%s", (unsigned int)run.status, run.out, run.err);
}

/* The child had its parent's memory when it made its first call; as another program it has its own, and its own rules. */
Test(memory, a_program_after_vfork_and_a_call_has_its_own)
{
	const char *const argv[] = { built("tests/probes/vforks"), built("kinds/static"), "socket 0 udp4",
	                             "connect 0 127.0.0.1 5000", "name 0", NULL };

	supervise("[rule first]\nprogram = vforks\nports = 20001\n[rule other]\nports = 20002\n", argv);
	cr_expect(strstr(run.out, "connect 0 127.0.0.1 5000 = 0\nname 0 = 127.0.0.1 20002\n"), "%s", run.out);
}

/* An address that the program itself could not read is none. */
Test(memory, what_may_not_be_read_is_a_bad_address)
{
	const char *const argv[] = { built("kinds/static"), "socket 0 udp4", "connect 0 hidden 0", "bind 0 hidden 0",
	                             "sendto 0 hidden 0", NULL };

	supervise("[rule all]\nports = 20001\n", argv);
	cr_expect(strstr(run.out, "connect 0 hidden 0 = -1 EFAULT\nbind 0 hidden 0 = -1 EFAULT\nsendto 0 hidden 0 = -1 EFAULT\n"),
	          "%s", run.out);
}

/* What is asked of the first thread has no answer any more. */
Test(memory, a_process_whose_first_thread_has_ended)
{
	const char *const argv[] = { built("tests/probes/first_ends"), NULL };

	supervise("[rule it]\nprogram = first_ends\nports = 20001\n[rule other]\nports = 20002\n", argv);
	cr_expect_str_eq(run.out, "20001\n", "%s%s", run.out, run.err);
}
