/* crowd.h - servers for many clients at once, each a process of its own, and what the probe `swarm` says. */
#ifndef PORTSHIM_TESTS_CROWD_H
#define PORTSHIM_TESTS_CROWD_H

#include <sys/types.h>

#include "tests/lib/harness.h"

enum ending {
	SERVER_RESETS,  /* at once: nothing stays behind */
	SERVER_CLOSES,  /* at once: TIME_WAIT is the server's */
	CLIENT_CLOSES,  /* the server follows: TIME_WAIT is the client's */
};

/* Serves ports `first` to `last` of all addresses of IPv4 until crowd_end(). */
pid_t crowd_serve(int first, int last, enum ending ending);
void crowd_end(pid_t server);

/* The number behind WORD in the output. */
int crowd_count(const struct run *run, const char *word);

#endif
