/* supervised.h - stories under `portshim run --mode=supervise`: harness.h and world.h with the supervisor in the library's place. */
#ifndef PORTSHIM_TESTS_SUPERVISED_H
#define PORTSHIM_TESTS_SUPERVISED_H

#include "tests/lib/world.h"

/* The .init and .fini of a suite. As those of world.h, and story_start() starts under the supervisor; all that a test leaves
 * behind comes to the test and is ended with it: whom they were started for, front, may be gone by then. */
void supervised_enter(void);
void supervised_leave(void);

/* Sets inside and outside the world's ephemeral range: the kernel is asked in another way for each. */
#define EARLY_SET "20000-20009"
#define LATE_SET "40500-40509"
#define SETS 2
/* "[rule r]" of set 0 or 1, and further lines; one of a few static buffers. */
const char *supervised_rule(int set, const char *further);
bool supervised_is_ours(int set, int port);

/* The supervisor of what story_start() started, and the program itself. */
pid_t supervisor_of(const struct run *run);
pid_t program_of(const struct run *run);
/* The only child of a process, once it has one. */
pid_t only_child_of(pid_t pid);
/* Waits until a process that became the test's own has ended. */
void has_ended_within_deadline(pid_t pid);

/* Fills the queue of a listener, so that whoever comes next waits; and waits until somebody tries to connect to the port: the
 * port that it tries from. */
void queue_fill(int listener);
int queue_wait_for_attempt(int port);

#endif
