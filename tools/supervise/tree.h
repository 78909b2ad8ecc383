/* tree.h - the supervisor: starts the program, and tells the front what becomes of it.
 *
 * Between the two and the program-to-be there are two pipes, and a third that is the supervisor's own affair:
 *   reports   supervisor -> front: a struct report whenever something happens to the program. Its end means that the
 *             supervisor is gone; then the program is the front's own child, who waits for it as the supervisor did.
 *   go        front -> program-to-be: one byte, when all is ready. Its end means that the program is not to start.
 * The front gives the byte, not the supervisor: so it has opened the program's pidfd before there can be another
 * process of that number, and what it holds for the program is closed before the program can look. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_TREE_H
#define PORTSHIM_TOOLS_SUPERVISE_TREE_H

#include <stdint.h>

#include "tools/supervise/front.h"
#include "tools/supervise/given.h"

/* portshim's own failure, as env(1) has it. */
#define FRONT_FAILED 125

enum report_event {
	REPORT_READY,     /* the number of the process that waits for `go` */
	REPORT_STOPPED,   /* the signal */
	REPORT_CONTINUED,
	REPORT_EXITED,    /* the exit code */
	REPORT_KILLED,    /* the signal */
	REPORT_OTHERS,    /* the program has ended, others live: the supervisor stays */
};

struct report {
	int32_t event, value;
};

struct tree {
	const struct front *front;
	struct given given;
	int front_process; /* pidfd */
	int front_number;
	int reports[2], go[2];
};

/* What waitid(2) tells of the program, as a report. */
struct report report_of(const siginfo_t *info);
bool report_is_end(struct report what);

/* The supervisor, from its first to its last moment. */
_Noreturn void tree_run(const struct tree *tree);

#endif
