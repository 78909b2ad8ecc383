/* world.c - reading the machine's own files for a policy. */
#include "world.h"

#include "locate.h"
#include "text.h"

static const struct port_range usual = { .lo = 32768, .hi = 60999 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The next decimal number at or after *words that is a port, or 0. */
static uint16_t next_port(const char **words)
{
	const char *begin = *words;
	uint64_t number;

	while (*begin && !is_digit(*begin))
		begin++;
	*words = begin;
	while (is_digit(**words))
		++*words;
	return text_to_number(begin, (size_t)(*words - begin), UINT16_MAX, &number) ? (uint16_t)number : 0;
}

bool world_range(struct port_range *range, struct arena *arena)
{
	size_t length;
	int error;
	const char *words = locate_read(arena, "/proc/sys/net/ipv4/ip_local_port_range", &length, &error);

	if (words) {
		range->lo = next_port(&words);
		range->hi = next_port(&words);
		if (range->lo > 0 && range->lo <= range->hi)
			return true;
	}
	*range = (struct port_range){ .lo = 1, .hi = 0 };
	return false;
}

void world_read(struct policy_world *world, struct port_range range, struct arena *arena)
{
	size_t length;
	int error;

	world->kernel = range.lo <= range.hi ? range : usual;
	world->passwd = locate_read(arena, "/etc/passwd", &length, &error);
	world->group = locate_read(arena, "/etc/group", &length, &error);
}
