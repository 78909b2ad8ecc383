/* frame.h - one picture of `portshim top`: a line of figures and a map for each rule. */
#ifndef PORTSHIM_TOOLS_FRAME_H
#define PORTSHIM_TOOLS_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/screen.h"
#include "tools/snapshot.h"

/* What a rule of the frame before had counted. */
struct counted {
	uint64_t id, given, failures;
};

struct frame {
	const struct snapshot *snapshot;
	const char *table;                 /* its path, fit to be shown */
	const struct counted *before;      /* TABLE_RULES of them, by number; NULL: this frame is the first */
	uint64_t ns;                       /* since the frame before */
	struct screen_size size;           /* no limit: maps of moderate size, and no line is cut */
	bool colour;
};

void frame_print(const struct frame *frame, FILE *to);

#endif
