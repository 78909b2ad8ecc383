/* units.h - unit tests as programs of another kind, built with the stand-in for Criterion: all must pass but those named. */
#ifndef PORTSHIM_TESTS_UNITS_H
#define PORTSHIM_TESTS_UNITS_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/harness.h"

/* `emulator` and its arguments stand before the program, unless NULL; `but` are names of tests, NULL behind the last. */
static inline void run_units(const char *const emulator[], const char *folder, const char *name, const char *const but[])
{
	static struct run run;
	const char *argv[16];
	char path[64];
	int n = 0, passed = 0, failed = 1;

	while (emulator && *emulator)
		argv[n++] = *emulator++;
	snprintf(path, sizeof(path), "%s/tests/unit/test_%s", folder, name);
	argv[n++] = built(path);
	while (*but && n < 15)
		argv[n++] = *but++;
	argv[n] = NULL;
	run = (struct run){ .bare = true, .slow = emulator != NULL, .env = { emulator ? "PATIENCE=10" : NULL } };
	run_program(&run, argv);
	cr_assert_eq(sscanf(run.out, "%d passed, %d failed", &passed, &failed), 2, "%s%s", run.out, run.err);
	cr_assert(exited(&run, 0) && passed > 0 && failed == 0, "%s: %s%s", name, run.out, run.err);
}

#define BUT(...) ((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

#endif
