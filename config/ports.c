/* ports.c - questions to a set of local ports. */
#include "ports.h"

const struct port_interval *ports_interval(const struct port_set *set, uint32_t index)
{
	uint32_t lo = 0, hi = set->intervals;

	while (hi - lo > 1) {
		uint32_t middle = lo + (hi - lo) / 2;

		if (set->interval[middle].before <= index)
			lo = middle;
		else
			hi = middle;
	}
	return &set->interval[lo];
}

uint16_t ports_nth(const struct port_set *set, uint32_t index, bool *named)
{
	const struct port_interval *interval = ports_interval(set, index);

	if (named)
		*named = interval->named;
	return (uint16_t)(interval->lo + (index - interval->before));
}

bool ports_contain(const struct port_set *set, uint16_t port)
{
	uint32_t lo = 0, hi = set->intervals;

	while (lo < hi) {
		uint32_t middle = lo + (hi - lo) / 2;

		if (port < set->interval[middle].lo)
			hi = middle;
		else if (port > set->interval[middle].hi)
			lo = middle + 1;
		else
			return true;
	}
	return false;
}

/* Neighbouring intervals count as one where they differ only in `named`. */
bool ports_without_holes_inside(const struct port_set *set, struct port_range range)
{
	if (!set->intervals)
		return false;
	for (uint32_t i = 1; i < set->intervals; i++)
		if (set->interval[i].lo != set->interval[i - 1].hi + 1)
			return false;
	return set->interval[0].lo >= range.lo && set->interval[set->intervals - 1].hi <= range.hi;
}
