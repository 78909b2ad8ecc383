/* walk.h - which ports of a rule's set are free towards a peer, as far as the table knows.
 *
 * Ports are named by their position in the set (0 to count - 1, ascending), as the algorithms of RFC 6056 do. */
#ifndef PORTSHIM_SHIM_WALK_H
#define PORTSHIM_SHIM_WALK_H

#include "config/ports.h"
#include "kernel.h"
#include "lease.h"

/* How much a free port is to be avoided: those of a level are proposed when none below is left. */
enum { LEVEL_WELCOME, LEVEL_COOLING, LEVEL_LAST, LEVELS };

struct walk {
	const struct port_set *set;
	const struct kernel *kernel;
	struct table *table;
	const struct peer *peer;
	uint64_t now;        /* clock_now() when the call came */
	uint64_t cooldown;   /* ns: released (or given) less than that ago is LEVEL_COOLING */
	uint16_t last;       /* the port that came back last, LEVEL_LAST; 0: none */
	uint16_t skipped;    /* a port that this call cannot use; 0: none */
	bool sees_no_close;  /* a port that counts as in use may have come back long ago */
	uint8_t level;       /* the one that is asked for */
	uint8_t seen;        /* bits of levels that free ports were found on */
};

/* Some consecutive ports of the set that share a word of the table. */
struct span {
	uint32_t position;
	uint16_t port;
	uint32_t length;
	bool named;
};

/* The span that begins at `position`, of at most `most` ports. */
struct span walk_span(const struct walk *walk, uint32_t position, uint32_t most);

/* The consecutive ports from `position` on, up to the next multiple of `unit` and of at most `most`. */
struct span walk_run(const struct walk *walk, uint32_t position, uint32_t most, uint32_t unit);

/* A span's free ports of the level that is asked for, as bits from its first port on; notes other levels as seen. */
uint64_t walk_free(struct walk *walk, const struct span *span);

/* The first free position at or after `from`, round the end of the set; -1: none on this level. */
int32_t walk_next(struct walk *walk, uint32_t from);

bool walk_is_free(struct walk *walk, uint32_t position);

/* One of the ports that the kernel refused to somebody before this call, out of a few hundred from anywhere; 0: there is none
 * among them. */
uint16_t walk_refused(const struct walk *walk);

/* When the port was last given or came back; 0: never. */
uint64_t walk_used(const struct walk *walk, uint16_t port);

#endif
