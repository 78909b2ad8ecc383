/* test_sanitizers.c - programs that were built with a sanitizer, whose runtime stands before the same functions as we
 * do. (What such a runtime says of the library itself: tests/sanitized.mk.) */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/company.h"

/* The path of gcc's own runtime library. */
static const char *runtime_of_gcc(const char *name)
{
	static char path[512];
	struct run run = { .bare = true };
	char question[64];
	const char *argv[] = { "gcc", question, NULL };

	snprintf(question, sizeof(question), "-print-file-name=%s", name);
	run_program(&run, argv);
	cr_assert(exited(&run, 0) && run.out[0] == '/', "%s%s", run.out, run.err);
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(run.out, "\n"), run.out);
	return path;
}

static const char *preload_of(const char *before, const char *build)
{
	static char preload[2][1200];
	static int next;
	char *to = preload[next++ % 2], *library = realpath(built(build), NULL);

	snprintf(to, sizeof(preload[0]), "LD_PRELOAD=%s%s%s", before ? before : "", before ? ":" : "", library);
	free(library);
	return to;
}

/* --- programs ---------------------------------------------------------------------------------------------- */

static const char *probe_of(const char *program, const char *probe)
{
	char name[64];

	snprintf(name, sizeof(name), "tests/company/%s/%s", program, probe);
	return built(name);
}

/* The program alone, and with the library: early ports, late ones. */
static void goes_on(const char *program, const char *before, const char *option)
{
	static struct run bare, run;

	bare = (struct run){ .bare = true };
	company_tell(&bare, NULL, probe_of(program, "act"));
	cr_assert(exited(&bare, 0), "%s", bare.err);
	run = (struct run){ .policy = EARLY, .env = { preload_of(before, "libportshim.so"), option } };
	company_tell(&run, NULL, probe_of(program, "act"));
	company_ours(&run, 20000, 20099);
	company_like(&bare, &run);
	run = (struct run){ .policy = LATE, .env = { preload_of(before, "libportshim.so"), option } };
	company_tell(&run, NULL, probe_of(program, "act"));
	company_ours(&run, 40500, 40599);
	company_like(&bare, &run);
}

/* Sixteen threads that make the process's first calls. */
static void threads_go_on(const char *program, const char *before, const char *option)
{
	struct run run = { .policy = EARLY, .env = { preload_of(before, "libportshim.so"), option } };
	const char *argv[] = { probe_of(program, "threads"), "16", "5000", NULL };
	int lines = 0;

	company_meet();
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "0x%x\n%s%s", (unsigned int)run.status, run.out, run.err);
	cr_assert_str_eq(run.err, "");
	for (const char *line = run.out; *line; line = strchr(line, '\n') + 1, lines++)
		cr_assert(atoi(line) >= 20000 && atoi(line) <= 20099, "%s", run.out);
	cr_assert_eq(lines, 16);
}

#define PROGRAM(name, program, before, option)                                                                 \
	Test(sanitized_programs, name, .timeout = 120)                                                         \
	{                                                                                                      \
		goes_on(program, before, option);                                                              \
		threads_go_on(program, before, option);                                                        \
	}

/* ThreadSanitizer sees what a library without it does with memory (mmap, strlen), but not by which atomic steps its
 * threads hand it to each other; so it has to be told to leave that to us. */
#define OWN_CODE "TSAN_OPTIONS=ignore_noninstrumented_modules=1"

PROGRAM(address_by_clang, "clang-address", NULL, NULL)
PROGRAM(thread_by_clang, "clang-thread", NULL, OWN_CODE)
PROGRAM(undefined_by_clang, "clang-undefined", NULL, NULL)
PROGRAM(thread_by_gcc, "gcc-thread", NULL, OWN_CODE)
PROGRAM(thread_by_gcc_named_first, "gcc-thread", runtime_of_gcc("libtsan.so"), OWN_CODE)
PROGRAM(undefined_by_gcc, "gcc-undefined", NULL, NULL)

/* gcc's AddressSanitizer is a library, and wants to be the first: named first, or told not to mind. */
PROGRAM(address_by_gcc_named_first, "gcc-address", runtime_of_gcc("libasan.so"), NULL)
PROGRAM(address_by_gcc_told_not_to_mind, "gcc-address", NULL, "ASAN_OPTIONS=verify_asan_link_order=0")

/* That is why: it says so itself, and no call is made from elsewhere. */
Test(sanitized_programs, address_by_gcc_minds)
{
	struct run run = { .policy = EARLY };

	company_tell(&run, NULL, probe_of("gcc-address", "act"));
	cr_assert(exited(&run, 1));
	cr_assert_not_null(strstr(run.err, "ASan runtime does not come first"), "%s", run.err);
	cr_assert_str_eq(run.out, "");
}
