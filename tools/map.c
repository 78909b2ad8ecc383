/* map.c - ports to characters. */
#include "tools/map.h"

#include <stdlib.h>

#include "tools/memory.h"

struct group {
	uint32_t ports, ours, outside, over, cooling;
};

static void group_add(struct group *group, const struct snapshot *snapshot, const struct shown_rule *rule,
                      uint16_t port)
{
	uint8_t use = port_use(snapshot, rule, port);
	group->ports++;
	if (use & PORT_OURS)
		group->ours++;
	else if (use & PORT_OUTSIDE)
		group->outside++;
	else if (use & PORT_OVER)
		group->over++;
	else if (port_is_cooling(snapshot, rule, port))
		group->cooling++;
}

/* One port that is in use makes a step of its own, and only all make it full. */
static char group_character(const struct group *group)
{
	const uint32_t between = sizeof(MAP_STEPS) - 1 - 2;
	uint32_t in_use = group->ours + group->outside + group->over;
	if (in_use == group->over)
		return group->over + group->cooling ? MAP_COOLING : MAP_FREE;
	if (group->outside > group->ours)
		return MAP_OUTSIDE;
	if (in_use == group->ports)
		return MAP_FULL;
	return MAP_STEPS[1 + (in_use - 1) * between / (group->ports - 1)];
}

static uint32_t ports_of(const struct shown_rule *rule)
{
	uint32_t ports = 0;
	for (uint32_t port = 1; port < 65536; port++)
		ports += rule_has_port(rule, (uint16_t)port);
	return ports;
}

void map_make(struct map *map, const struct snapshot *snapshot, const struct shown_rule *rule, size_t room)
{
	uint32_t ports = ports_of(rule);
	*map = (struct map){ .group = ports > room ? (uint32_t)((ports + room - 1) / room) : 1 };
	map->cell = memory_zeroed(ports / map->group + 2, sizeof(*map->cell));
	map->first = memory_zeroed(ports / map->group + 2, sizeof(*map->first));
	struct group group = { .ports = 0 };
	for (uint32_t port = 1; port < 65536; port++) {
		if (!rule_has_port(rule, (uint16_t)port))
			continue;
		if (group.ports == 0)
			map->first[map->n] = (uint16_t)port;
		group_add(&group, snapshot, rule, (uint16_t)port);
		map->cell[map->n] = group_character(&group);
		if (group.ports == map->group) {
			group = (struct group){ .ports = 0 };
			map->n++;
		}
	}
	map->n += group.ports > 0;
}

void map_free(struct map *map)
{
	free(map->cell);
	free(map->first);
	*map = (struct map){ .n = 0 };
}
