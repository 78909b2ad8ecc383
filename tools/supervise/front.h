/* front.h - the processes of `portshim run --supervise`, and what passes between them.
 *
 * Theory of operation. Three processes: the *front* is the one that the user started; its child is the *supervisor*, whose
 * child becomes the *program*. The front stands for the program towards whoever started it: it passes signals on, stops
 * when the program stops, ends as the program ends. The supervisor serves the whole tree and ends with the last process of
 * it; as a subreaper it stays an ancestor of all of them, which is what the kernel asks of somebody who looks into a process. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_FRONT_H
#define PORTSHIM_TOOLS_SUPERVISE_FRONT_H

#include "tools/supervise/filter.h"

/* What ps(1) calls the supervisor. */
#define SUPERVISOR_NAME "portshim-super"

struct front {
	struct filter_wants wants;
	/* In the process that becomes the program, under the filter: returns, with an exit code, only if that fails. */
	int (*become)(void *context);
	/* In the supervisor, on a thread of its own, from before the program starts. Need not return: the process ends. */
	void (*serve)(int listener, void *context);
	void *context;
};

/* Runs it to the program's end. The exit code for portshim; where the program died of a signal, this process does so too. */
int front_run(const struct front *front);

#endif
