/* routes.c - the networks that the main table's routes lead into (proc(5): /proc/net/route; ipv6_route likewise). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/check/machine.h"
#include "tools/memory.h"

struct routes {
	struct target *target;
	size_t n, room;
};

static void route_add(struct routes *routes, const struct target *target)
{
	routes->target = memory_for_one(routes->target, routes->n, &routes->room, sizeof(*routes->target));
	routes->target[routes->n++] = *target;
}

/* "lo 0000007F 00000000 0001 0 0 0 000000FF ...": destination and mask as they lie in memory, flags between. A blackhole has no
 * interface ("*"), and no flag. */
static void read_ipv4(struct routes *routes, const char *line)
{
	uint32_t net, mask;
	unsigned flags;
	// NOLINTNEXTLINE(cert-err34-c): the kernel's own words
	if (sscanf(line, "%*s %" SCNx32 " %*x %x %*d %*d %*d %" SCNx32, &net, &flags, &mask) != 3 ||
	    flags & RTF_REJECT || line[0] == '*')
		return;
	const struct target target = {
		.net = { .lo = ntohl(net), .family = FAMILY_IPV4 }, .mask_lo = ntohl(mask), .port_hi = UINT16_MAX,
	};
	route_add(routes, &target);
}

static uint64_t mask_of(unsigned bits)
{
	return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : UINT64_MAX << (64 - bits);
}

/* "fd000099000000000000000000000000 40 ... 00000001 near": destination, its prefix, and the flags last but one. */
static void read_ipv6(struct routes *routes, const char *line)
{
	uint64_t hi, lo;
	unsigned prefix, flags;
	// NOLINTNEXTLINE(cert-err34-c): the kernel's own words
	if (sscanf(line, "%16" SCNx64 "%16" SCNx64 " %x %*s %*x %*s %*x %*x %*x %x", &hi, &lo, &prefix, &flags) != 4 ||
	    flags & RTF_REJECT)
		return;
	const struct target target = {
		.net = { .hi = hi, .lo = lo, .family = FAMILY_IPV6 }, .mask_hi = mask_of(prefix),
		.mask_lo = mask_of(prefix > 64 ? prefix - 64 : 0), .port_hi = UINT16_MAX,
	};
	route_add(routes, &target);
}

static void file_read(struct routes *routes, const char *path, void (*read_line)(struct routes *routes, const char *line))
{
	char *line = NULL;
	size_t room = 0;
	FILE *file = fopen(path, "re");
	while (file && getline(&line, &room, file) > 0)
		read_line(routes, line);
	free(line);
	if (file)
		fclose(file);
}

void routes_ask(struct machine *machine)
{
	struct routes routes = { .n = 0 };
	file_read(&routes, "/proc/net/route", read_ipv4); /* its heading is no route */
	file_read(&routes, "/proc/net/ipv6_route", read_ipv6);
	machine->routed = routes.target;
	machine->n_routed = routes.n;
}
