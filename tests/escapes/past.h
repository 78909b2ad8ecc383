/* past.h - what the tests of the ways past the library share. Each says "not covered" of one, and fails the day that
 * this changes: then it belongs to what is covered, and README's Limitations lose a line. */
#ifndef PORTSHIM_TESTS_ESCAPES_PAST_H
#define PORTSHIM_TESTS_ESCAPES_PAST_H

#include <criterion/criterion.h>

#include "tests/lib/world.h"

#define ALL "[rule all]\nports = 20000-20009\n"
#define PORT "5000" /* of the servers */

static inline bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

/* Under a rule for everything a program should have its ports; this one has the kernel's. */
static inline void not_covered(const char *what, int port)
{
	cr_expect(is_ephemeral(port), "%s is said to be not covered, and came from port %d", what, port);
}

static inline void covered(const char *what, int port)
{
	cr_expect(is_ours(port), "%s is covered, and came from port %d", what, port);
}

static inline void escape_start(struct run *run, const char *how, const char *address, const char *port)
{
	const char *argv[] = { built("tests/probes/escape"), how, address, port, NULL };

	story_start(run, argv);
}

/* The program is at its end, and has what it wanted. */
static inline void escape_end(struct run *run, const char *what)
{
	run_end(run);
	cr_expect(exited(run, 0), "%s: status %x\n%s", what, (unsigned int)run->status, run->err);
	cr_expect_str_eq(run->out, "ok\n", "%s: %s", what, run->out);
}

#endif
