/* suggest.h - "did you mean": the known word nearest to one that is not known. */
#ifndef PORTSHIM_CONFIG_SUGGEST_H
#define PORTSHIM_CONFIG_SUGGEST_H

#include <stddef.h>

#include "text.h"

struct suggestion {
	const char *words; /* what was written; need not be NUL-terminated */
	size_t length;
	const char *best;  /* the nearest so far; NULL: none is near */
	unsigned int distance;
};

#define SUGGESTION_FOR(from, bytes) { .words = (from), .length = (bytes), .best = NULL, .distance = ~0U }

/* Keeps `name` (which must live on) if it is nearer than those before. Near means: no more than a third of the
 * letters, and one at least, inserted, dropped, replaced or swapped with a neighbour; case does not count. */
void suggest_consider(struct suggestion *suggestion, const char *name);

/* "did you mean 'NAME'?" if some name was near; else `otherwise`. */
void suggest_add(const struct suggestion *suggestion, struct text *to, const char *otherwise);

#endif
