/* ports.h - a set of local ports, as `ports =` writes it.
 *
 * A set is a sorted array of disjoint intervals, each with the number of ports before it, so that
 * "the n-th port of the set" is a binary search and a set of 64,512 ports costs one interval. It is
 * built once, in the policy's arena, and never changes. */
#ifndef PORTSHIM_CONFIG_PORTS_H
#define PORTSHIM_CONFIG_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "text.h"

struct port_interval {
	uint16_t lo, hi;   /* both inclusive, lo <= hi, lo >= 1 */
	uint32_t before;   /* ports of the set below lo */
	bool named;        /* came from a range's name: ip_local_reserved_ports are left out when choosing */
};

struct port_set {
	const struct port_interval *interval;
	uint32_t intervals;
	uint32_t count;    /* ports in the set, 1..65535 in a valid policy */
	bool uses_kernel;  /* names `kernel`: to be built again when ip_local_port_range changes */
};

/* What `kernel` stands for: net.ipv4.ip_local_port_range as the caller read it, lo <= hi. */
struct port_range {
	uint16_t lo, hi;
};

/* The interval that holds the port at `index` (0 <= index < set->count), in ascending order. */
const struct port_interval *ports_interval(const struct port_set *set, uint32_t index);

/* The port at `index` (0 <= index < set->count), in ascending order. *named (unless NULL) as in the interval. */
uint16_t ports_nth(const struct port_set *set, uint32_t index, bool *named);

bool ports_contain(const struct port_set *set, uint16_t port);

/* Whether the set is one interval that lies inside `range`: what `choose = kernel` needs. */
bool ports_without_holes_inside(const struct port_set *set, struct port_range range);

/* Builds *set from `spec`, e.g. "20000-20099, !20050, iana, 1024-65535 slice 3/16, psid 6/8/52".
 * Exclusions count for the whole list, wherever they stand. Ranges' names: RFC 6335 (iana), RFC 6056,
 * ip(7), and each system's defaults; `psid OFFSET/LENGTH/VALUE` is the port set of RFC 7597 section 5.1.
 * False on an error, with what is wrong and what to write instead in *why. Neither malloc nor stdio. */
bool ports_parse(struct port_set *set, const char *spec, struct port_range kernel, struct arena *arena,
                 struct text *why);

/* The same step by step, for a list whose items stand on several lines: ports_begin(), ports_add() for each item
 * (without commas or blanks around it), ports_end(). */
struct ports_builder;

/* An empty builder from `arena`, or `again` made empty; NULL when memory is out. */
struct ports_builder *ports_begin(struct ports_builder *again, struct port_range kernel, struct arena *arena);

bool ports_add(struct ports_builder *builder, const char *item, struct text *why);

/* *set from what was added, its intervals in `arena`. False if that is no port at all, or with set->intervals > 0
 * if memory is out. */
bool ports_end(struct ports_builder *builder, struct port_set *set, struct arena *arena, struct text *why);

/* Names of the ranges that `ports =` knows, one after the other; NULL behind the last. */
const char *ports_range_name(size_t index);

#endif
