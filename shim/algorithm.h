/* algorithm.h - the algorithms of `choose =`: each proposes a position in the set that is free as far as is known.
 *
 *	random             RFC 6056, 3.3.1 and 3.3.2: any. Among eight that are drawn, one that was not used for a minute is
 *	                   preferred: its last connection is over even in TIME_WAIT, so that the kernel has no objection. When
 *	                   none of them is free, the next above one more.
 *	hash               3.3.3: F(destination) + a counter
 *	double-hash        3.3.4: F(destination) + one of 16 counters, by G(destination)
 *	random-increments  3.3.5: a counter that grows by 1 to 500 each time; after 16 that are in use, the next above
 *	sequential         a counter
 *	least-recent       the one that was given or came back longest ago; of those that never were, any
 *	stable             F(program, destination)
 *
 * Where RFC 6056 counts up to the next suitable port, so do these, with the ports that the table says are in use left out
 * by words of 64. Counters are those of the rule's entry in the table: all processes share them. F and G are SipHash under
 * the table's key. `kernel` is `random` where the kernel is not the one to choose. */
#ifndef PORTSHIM_SHIM_ALGORITHM_H
#define PORTSHIM_SHIM_ALGORITHM_H

#include "walk.h"

struct algorithm {
	enum choose choose;
	struct table_rule *entry;
	const struct endpoint *to; /* the destination; NULL: none */
	uint64_t program;          /* hash of the program's path */
};

/* For `stable`: a port that a process had which is gone, without its close() having been seen, is free to return to. */
void algorithm_look_home(const struct algorithm *algorithm, const struct walk *walk);

/* A position on walk->level; -1: there is none on it. */
int32_t algorithm_propose(const struct algorithm *algorithm, struct walk *walk);

#endif
