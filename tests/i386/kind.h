/* kind.h - one test, programs of three kinds: 64-bit ones, 32-bit ones that the kernel runs, and 32-bit ones under qemu-user.
 *
 * A kernel may refuse 32-bit programs (CONFIG_IA32_EMULATION, the boot option ia32_emulation=). Then that is what is asserted
 * of it, and the same is done under qemu-user alone, which is there everywhere. */
#ifndef PORTSHIM_TESTS_I386_KIND_H
#define PORTSHIM_TESTS_I386_KIND_H

#include <criterion/criterion.h>
#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/crowd.h"
#include "tests/lib/harness.h"

#define EMULATOR "/usr/bin/qemu-i386-static"

enum kind { WIDE, NARROW, EMULATED };

/* Whether the kernel starts 32-bit programs. If not, it must say that it does not know the format, and nothing else. */
static inline bool kernel_runs_narrow(void)
{
	char name[] = "run_show", argument[] = "exit:7";
	char *argv[] = { name, argument, NULL };
	int status, error;
	pid_t child;

	error = posix_spawn(&child, built("i386/tests/probes/run_show"), NULL, NULL, argv, (char *[]){ NULL });
	if (error) {
		cr_assert_eq(error, ENOEXEC, "%s", strerror(error));
		return false;
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	return true;
}

/* What the kernel runs, else what takes its place. */
static inline enum kind narrow(void)
{
	return kernel_runs_narrow() ? NARROW : EMULATED;
}

/* From here on each program gets the library of its word size. */
static inline void both_libraries(void)
{
	setenv("PORTSHIM_LIBRARY", built("$LIB/libportshim.so"), 1);
}

/* Starts the probe `name` of that kind with these words, NULL behind the last. */
static inline void start_as(struct run *run, enum kind kind, const char *name, const char *const words[])
{
	const char *argv[64] = { EMULATOR, "-L", "/" };
	char path[64];
	int n = kind == EMULATED ? 3 : 0;

	snprintf(path, sizeof(path), "%stests/probes/%s", kind == WIDE ? "" : "i386/", name);
	argv[n++] = built(path);
	while (*words && n < 63)
		argv[n++] = *words++;
	argv[n] = NULL;
	run_start(run, argv);
}

#define START(run, kind, ...) start_as(run, kind, "act", (const char *const[]){ __VA_ARGS__, NULL })
#define RUN(run, kind, ...) (START(run, kind, __VA_ARGS__), run_end(run))

#endif
