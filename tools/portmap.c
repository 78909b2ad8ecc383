/* portmap.c - sets of ports as bits. */
#define _GNU_SOURCE
#include "tools/portmap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"

/* The bits of word `i` that are within lo..hi. */
static uint64_t bits_within(uint32_t i, uint32_t lo, uint32_t hi)
{
	uint64_t from = i == lo / 64 ? ~UINT64_C(0) << lo % 64 : ~UINT64_C(0);
	uint64_t to = i == hi / 64 ? ~UINT64_C(0) >> (63 - hi % 64) : ~UINT64_C(0);
	return from & to;
}

void portmap_add(struct portmap *map, uint16_t lo, uint16_t hi)
{
	for (uint32_t i = lo / 64U; i <= hi / 64U; i++)
		map->word[i] |= bits_within(i, lo, hi);
}

bool portmap_has(const struct portmap *map, uint16_t port)
{
	return map->word[port / 64] >> port % 64 & 1;
}

bool portmap_meets(const struct portmap *map, uint16_t lo, uint16_t hi)
{
	for (uint32_t i = lo / 64U; i <= hi / 64U; i++)
		if (map->word[i] & bits_within(i, lo, hi))
			return true;
	return false;
}

void portmap_of(struct portmap *map, const struct port_set *set)
{
	memset(map, 0, sizeof(*map));
	for (uint32_t i = 0; i < set->intervals; i++)
		portmap_add(map, set->interval[i].lo, set->interval[i].hi);
}

void portmap_and(struct portmap *map, const struct portmap *other)
{
	for (size_t i = 0; i < sizeof(map->word) / sizeof(*map->word); i++)
		map->word[i] &= other->word[i];
}

uint32_t portmap_count(const struct portmap *map)
{
	uint32_t count = 0;
	for (size_t i = 0; i < sizeof(map->word) / sizeof(*map->word); i++)
		count += (uint32_t)__builtin_popcountll(map->word[i]);
	return count;
}

/* The next port from `port` on that is in the map, or that is not; 65536: none. */
static uint32_t next_port(const struct portmap *map, uint32_t port, bool in)
{
	while (port < 65536 && portmap_has(map, (uint16_t)port) != in)
		port++;
	return port;
}

char *portmap_words(const struct portmap *map, unsigned ranges, const char *separator)
{
	char *words = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&words, &size);
	if (!to)
		return memory_words("...");
	unsigned n = 0;
	for (uint32_t lo = next_port(map, 0, true), hi; lo < 65536; lo = next_port(map, hi, true)) {
		hi = next_port(map, lo, false);
		if (n)
			fputs(separator, to);
		if (ranges && n++ == ranges) {
			fputs("...", to);
			break;
		}
		fprintf(to, hi == lo + 1 ? "%u" : "%u-%u", lo, hi - 1);
		n = n ? n : 1;
	}
	fclose(to);
	return words;
}
