/* map.h - a rule's set as a row of characters: what each port, or each group of neighbours in the set, is used by. */
#ifndef PORTSHIM_TOOLS_MAP_H
#define PORTSHIM_TOOLS_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "tools/snapshot.h"

/* What the characters are. Between free and full, eight steps of how many ports of the group are in use. */
#define MAP_FREE '.'
#define MAP_STEPS ".:-=+*%#"
#define MAP_FULL '#'
#define MAP_OUTSIDE 'x' /* most of those in use are taken without the table */
#define MAP_COOLING '~' /* none is in use, but some are cooling or in TIME-WAIT */
#define MAP_LEGEND ". free  : - = + * % partly in use  # in use  x outside  ~ cooling or time-wait"

struct map {
	char *cell;       /* n of them, and a NUL */
	uint16_t *first;  /* the first port of each */
	size_t n;
	uint32_t group;   /* ports for each cell; the last may have fewer */
};

/* No more than `room` (at least 1) cells. */
void map_make(struct map *map, const struct snapshot *snapshot, const struct shown_rule *rule, size_t room);
void map_free(struct map *map);

#endif
