/* portmap.h - a bit for each port, and such a set in words. */
#ifndef PORTSHIM_TOOLS_PORTMAP_H
#define PORTSHIM_TOOLS_PORTMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "config/ports.h"

struct portmap {
	uint64_t word[65536 / 64];
};

void portmap_add(struct portmap *map, uint16_t lo, uint16_t hi);
bool portmap_has(const struct portmap *map, uint16_t port);

/* Whether any port of the range is in it. */
bool portmap_meets(const struct portmap *map, uint16_t lo, uint16_t hi);

/* All ports of a set; those that both have; how many. */
void portmap_of(struct portmap *map, const struct port_set *set);
void portmap_and(struct portmap *map, const struct portmap *other);
uint32_t portmap_count(const struct portmap *map);

/* "20000-20099, 20150, ...": no more than `ranges` of them (0: all), separated as said. To be freed. */
char *portmap_words(const struct portmap *map, unsigned ranges, const char *separator);

#endif
