/* scale.h - the axes of a picture: time in round intervals and with round ticks, numbers with round ticks.
 *
 * Theory of operation. Time is cut into intervals of a round length: 1, 5, 10 or 30 seconds, 1, 5 or 15 minutes, 1 or 6 hours, a day,
 * a week, and multiples of that. Each of these is a whole number of the one before it, and all begin on a Monday at midnight in the
 * user's zone, so whoever counts by the finer ones can join them when they become too many, and lose nothing. How far the
 * zone is ahead of UTC is taken once: where summer time begins or ends in between, days begin at 01:00 or 23:00 from then on, as the
 * words of the axis say. */
#ifndef PORTSHIM_TOOLS_SCALE_H
#define PORTSHIM_TOOLS_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/when.h"

/* Intervals of one length. */
struct grid {
	unsigned step;      /* which length */
	int64_t shift;
};

/* The finest, in the zone that is the user's at this moment. */
void grid_begin(struct grid *grid, int64_t moment);

/* The next longer ones. False: there are none, and no two moments of when.h are 200 intervals apart. */
bool grid_coarsen(struct grid *grid);

/* Microseconds. */
int64_t grid_length(const struct grid *grid);
/* The interval that a moment is in, and the moment that one begins at. */
int64_t grid_index(const struct grid *grid, int64_t moment);
int64_t grid_start(const struct grid *grid, int64_t index);
/* "15 min". */
const char *grid_words(const struct grid *grid);

#define SCALE_WORDS 32

/* "2026-11-25 14:05", with seconds where intervals are shorter than a minute. */
const char *grid_moment(const struct grid *grid, int64_t moment, char buffer[SCALE_WORDS]);

enum { SCALE_TICKS = 12 };

struct tick {
	int64_t moment;
	char words[SCALE_WORDS]; /* "14:05", "Nov 25", "2026" */
	char below[SCALE_WORDS]; /* the day or the year, where it is another than at the tick before; else "" */
};

/* Round moments within from..to, no more than `most` (2 to SCALE_TICKS) of them; how many. */
size_t scale_ticks(struct tick tick[SCALE_TICKS], int64_t from, int64_t to, size_t most);

/* 1, 2 or 5 times a power of ten, so that no more than `most` of them are below `max`. */
uint64_t scale_step(uint64_t max, unsigned most);

/* "1,234". */
const char *scale_number(uint64_t number, char buffer[SCALE_WORDS]);
/* A multiple of the step, short: "1,500", "20k", "3M". */
const char *scale_short(uint64_t number, uint64_t step, char buffer[SCALE_WORDS]);

#endif
