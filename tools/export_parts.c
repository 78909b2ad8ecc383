/* export_parts.c - the parts of an entry: ports, destinations, control groups, and how they are written. */
#define _GNU_SOURCE
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "tools/export_plan.h"
#include "tools/memory.h"
#include "tools/reserve.h"
#include "tools/utf8.h"

#define CGROUPS "/sys/fs/cgroup" /* where nft looks for them */

enum { PORTS = 65536 };

/* --- ports ------------------------------------------------------------------------------------------------------- */

typedef uint64_t port_bits[PORTS / 64];

static bool has(const port_bits bits, uint32_t port)
{
	return bits[port / 64] >> port % 64 & 1;
}

static size_t ports_of_bits(const port_bits bits, struct ports **ports)
{
	size_t n = 0;
	*ports = memory_zeroed(PORTS / 2, sizeof(**ports));
	for (uint32_t port = 0; port < PORTS; port++) {
		uint32_t lo = port;
		if (!has(bits, port))
			continue;
		while (port + 1 < PORTS && has(bits, port + 1))
			port++;
		(*ports)[n++] = (struct ports){ (uint16_t)lo, (uint16_t)port };
	}
	return n;
}

static void add_interval(port_bits bits, const struct port_interval *interval, const struct kernel *kernel)
{
	for (uint32_t port = interval->lo; port <= interval->hi; port++)
		if (!interval->named || !kernel_reserves(kernel, (uint16_t)port))
			bits[port / 64] |= UINT64_C(1) << port % 64;
}

size_t entry_ports(const struct export *export, const struct entry *entry, struct ports **ports)
{
	port_bits bits = { 0 };
	const struct port_set *set = &entry->rule->ports;
	for (uint32_t i = 0; i < set->intervals; i++)
		add_interval(bits, &set->interval[i], export->kernel);
	return ports_of_bits(bits, ports);
}

static size_t own_ports(const struct export *export, const struct plan *plan, unsigned int protocol, struct ports **ports)
{
	port_bits bits = { 0 };
	for (size_t i = 0; i < plan->n; i++) {
		const struct entry *entry = &plan->entry[i];
		const struct port_set *set = &entry->rule->ports;
		for (uint32_t j = 0; entry->protocols & protocol && j < set->intervals; j++)
			if (reserve_means(entry->rule, &set->interval[j]))
				add_interval(bits, &set->interval[j], export->kernel);
	}
	return ports_of_bits(bits, ports);
}

static bool own_has(struct own *own, const struct ports *ports, size_t n, unsigned int protocol)
{
	for (unsigned int i = 0; i < own->n; i++)
		if (own->set[i].n == n && memcmp(own->set[i].ports, ports, n * sizeof(*ports)) == 0) {
			own->set[i].protocols |= (uint8_t)protocol;
			return true;
		}
	return false;
}

void plan_own(struct own *own, const struct export *export, const struct plan *plan)
{
	own->n = 0;
	for (unsigned int i = 0; plan_protocol(i); i++) {
		struct ports *ports;
		size_t n = own_ports(export, plan, 1U << i, &ports);
		if (n == 0 || own_has(own, ports, n, 1U << i)) {
			free(ports);
			continue;
		}
		own->set[own->n].protocols = (uint8_t)(1U << i);
		own->set[own->n].ports = ports;
		own->set[own->n++].n = n;
	}
}

void own_free(struct own *own)
{
	for (unsigned int i = 0; i < own->n; i++)
		free(own->set[i].ports);
	own->n = 0;
}

/* --- destinations ------------------------------------------------------------------------------------------------ */

static struct net net_of(const struct target *target)
{
	unsigned int bits = (unsigned int)(__builtin_popcountll(target->mask_hi) + __builtin_popcountll(target->mask_lo));
	return (struct net){ .addr = target->net, .prefix = bits };
}

static uint64_t mask(unsigned int bits)
{
	return bits == 0 ? 0 : ~UINT64_C(0) << (64 - bits);
}

bool net_covers(const struct net *a, const struct net *b)
{
	uint64_t hi = 0, lo;
	if (a->addr.family != b->addr.family || a->prefix > b->prefix)
		return false;
	if (a->addr.family == FAMILY_IPV4) {
		lo = mask(a->prefix) >> 32;
	} else {
		hi = mask(a->prefix < 64 ? a->prefix : 64);
		lo = mask(a->prefix < 64 ? 0 : a->prefix - 64);
	}
	return (b->addr.hi & hi) == a->addr.hi && (b->addr.lo & lo) == a->addr.lo;
}

/* A network that lies within another of the group is not written: nft takes none that overlap. */
static void net_add(struct destination *group, const struct net *net)
{
	size_t kept = 0;
	for (size_t i = 0; i < group->n; i++) {
		if (net_covers(&group->net[i], net))
			return;
		if (!net_covers(net, &group->net[i]))
			group->net[kept++] = group->net[i];
	}
	group->n = kept;
	group->net = memory_for_one(group->net, group->n, &group->room, sizeof(*group->net));
	group->net[group->n++] = *net;
}

static struct destination *group_for(struct destination *group, size_t *n, const struct target *target)
{
	for (size_t i = 0; i < *n; i++)
		if (group[i].ports.lo == target->port_lo && group[i].ports.hi == target->port_hi)
			return &group[i];
	group[*n].ports = (struct ports){ target->port_lo, target->port_hi };
	return &group[(*n)++];
}

size_t entry_destinations(const struct entry *entry, struct destination **destination)
{
	const struct rule *rule = entry->rule;
	struct destination *group = memory_zeroed(rule->n_to + 1, sizeof(*group));
	size_t n = 0;
	for (uint32_t i = 0; i < rule->n_to; i++) {
		const struct net net = net_of(&rule->to[i]);
		if (net.addr.family && !(net.addr.family & entry->families))
			continue;
		struct destination *its = group_for(group, &n, &rule->to[i]);
		if (net.addr.family)
			net_add(its, &net);
		else
			its->any = true;
	}
	*destination = group;
	return n;
}

void destinations_free(struct destination *destination, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(destination[i].net);
	free(destination);
}

void entry_addresses(const struct entry *entry, struct destination *addresses)
{
	struct destination *destination;
	size_t n = entry_destinations(entry, &destination);
	*addresses = (struct destination){ .ports = { 0, 65535 }, .any = n == 0 && !entry->rule->n_to };
	for (size_t i = 0; i < n; i++) {
		addresses->any = addresses->any || destination[i].any;
		for (size_t j = 0; j < destination[i].n; j++)
			net_add(addresses, &destination[i].net[j]);
	}
	destinations_free(destination, n);
}

/* --- control groups ---------------------------------------------------------------------------------------------- */

/* The only path that a pattern is like, without its first '/'; NULL if it is like several, or cannot be written. */
static char *only_path(const char *glob)
{
	char *path, *at;
	if (*glob != '/' || glob[1] == '\0')
		return NULL;
	path = at = memory_words("%s", ++glob);
	for (; *glob != '\0'; glob++) {
		if (*glob == '\\' && glob[1] != '\0')
			glob++;
		else if (strchr("*?[", *glob))
			break;
		if ((unsigned char)*glob <= ' ' || strchr("\"\\\x7f", *glob)) /* no format could quote it */
			break;
		*at++ = *glob;
	}
	*at = '\0';
	if (*glob == '\0')
		return path;
	free(path);
	return NULL;
}

static bool is_there(const char *path)
{
	struct statfs about;
	char *full = memory_words(CGROUPS "/%s/cgroup.procs", path);
	bool there = statfs(full, &about) == 0 && about.f_type == CGROUP2_SUPER_MAGIC;
	free(full);
	return there;
}

size_t entry_cgroups(const struct entry *entry, char ***path)
{
	const struct string_list *list = &entry->rule->cgroup;
	size_t n = 0;
	*path = memory_zeroed(list->n + 1, sizeof(**path));
	for (uint32_t i = 0; i < list->n; i++) {
		char *one = only_path(list->item[i]);
		if (one && is_there(one)) {
			(*path)[n++] = one;
			continue;
		}
		free(one);
		cgroups_free(*path, n);
		*path = NULL;
		return 0;
	}
	return n;
}

void cgroups_free(char **path, size_t n)
{
	for (size_t i = 0; path && i < n; i++)
		free(path[i]);
	free(path);
}

/* --- words --------------------------------------------------------------------------------------------------------- */

struct words net_words(const struct net *net)
{
	struct words words = { .at = "" };
	struct text text = TEXT_OVER(words.at);
	text_add_addr(&text, &net->addr, false);
	if (net->prefix < (net->addr.family == FAMILY_IPV4 ? 32 : 128)) {
		text_add(&text, "/");
		text_add_number(&text, net->prefix);
	}
	return words;
}

struct words range_words(struct ports ports, const char *between)
{
	struct words words;
	if (ports.lo == ports.hi)
		snprintf(words.at, sizeof(words.at), "%u", ports.lo);
	else
		snprintf(words.at, sizeof(words.at), "%u%s%u", ports.lo, between, ports.hi);
	return words;
}

char *plan_name(const struct rule *rule)
{
	char *name = utf8_cleaned(rule->name);
	for (char *at = name; *at != '\0'; at++)
		if (strchr("\"'`\\$<>&", *at) || (*at == '-' && at > name && at[-1] == '-')) /* "--" ends a comment in XML */
			*at = '_';
	return name;
}

const char *plan_protocol(unsigned int index)
{
	static const char *const names[] = { "tcp", "udp", "sctp", "dccp", "udplite" };
	return index < sizeof(names) / sizeof(*names) ? names[index] : NULL;
}
