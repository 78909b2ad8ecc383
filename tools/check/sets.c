/* sets.c - each rule's set against the kernel's settings, and against what a set of that size can carry. */
#define _GNU_SOURCE
#include "tools/check/sets.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/check/advice.h"
#include "tools/memory.h"
#include "tools/portmap.h"
#include "tools/reserve.h"

#define RESERVED_SETTING "net.ipv4.ip_local_reserved_ports"
#define TIME_WAIT_S 60       /* TCP_TIMEWAIT_LEN, include/net/tcp.h */
#define SETTING_SHOWN 120    /* bytes of a list of ports that are still read within a line */

/* --- figures ---------------------------------------------------------------------------------------------- */

/* With `share = never` and on datagrams nothing is late. */
static bool has_late_calls(const struct rule *rule)
{
	return rule->share != SHARE_NEVER && rule->protocols & PROTOCOL_TCP && rule->calls & CALL_CONNECT;
}

void set_figure(struct set_figures *figures, const struct rule *rule, const struct machine *machine)
{
	const struct kernel *kernel = &machine->kernel;
	bool can_be_late = machine->takes_ranges && has_late_calls(rule);
	*figures = (struct set_figures){ .ports = rule->ports.count };
	for (uint32_t i = 0; i < rule->ports.intervals; i++) {
		const struct port_interval *interval = &rule->ports.interval[i];
		for (uint32_t port = interval->lo; port <= interval->hi; port++) {
			bool reserved = kernel_reserves(kernel, (uint16_t)port);
			bool inside = port >= kernel->ephemeral.lo && port <= kernel->ephemeral.hi;
			bool usable = !(reserved && interval->named), late = inside && !reserved && can_be_late;
			figures->reserved += reserved;
			figures->usable += usable;
			figures->late += late;
			figures->late_named += late && interval->named;
			figures->shared += inside && !reserved && !interval->named;
			figures->privileged += usable && port < machine->unprivileged;
		}
	}
}

/* --- what is said of them --------------------------------------------------------------------------------- */

/* What net.ipv4.ip_local_reserved_ports would have to be. */
struct reserved {
	struct portmap all;
	bool too_many; /* most of the kernel's range would be gone */
};

struct set {
	const struct subject *subject;
	const struct rule *rule;
	struct set_figures figures;
	const struct reserved *reserved;
	uint32_t index;
};

static struct advice *set_warn(const struct set *set, enum key_id key, enum advice_check check)
{
	const struct rule *rule = set->rule;
	int ports = lines_of(set->subject->lines, set->index, KEY_PORTS, rule->line);
	return advice_add(set->subject->found, ADVICE_WARNING, lines_of(set->subject->lines, set->index, key, ports), check,
	                  rule);
}

/* The setting is one for all rules, so each finding has the whole of it. */
static char *reserve_remedy(const struct reserved *reserved)
{
	if (reserved->too_many)
		return memory_words("choose ports outside of it, or move it (net.ipv4.ip_local_port_range): to reserve them would "
		                    "leave less than half of it to all others");
	char *list = portmap_words(&reserved->all, 0, ",");
	char *words = strlen(list) <= SETTING_SHOWN ?
		memory_words("choose ports outside of it, or reserve them: sysctl -w " RESERVED_SETTING "=%s, for good by "
		             "'portshim check --fix'", list) :
		memory_words("choose ports outside of it, or reserve them: 'portshim check --fix' prints how");
	free(list);
	return words;
}

static void check_overlap(const struct set *set)
{
	const struct port_range range = set->subject->machine->kernel.ephemeral;
	const struct set_figures *figures = &set->figures;
	if (!figures->shared || set->rule->choose == CHOOSE_KERNEL)
		return;
	struct advice *advice = set_warn(set, KEY_PORTS, CHECK_EPHEMERAL_OVERLAP);
	advice->words = memory_words("rule %s: ports: %u of %u lie in the kernel's own range, %u-%u, and are not reserved: any "
	                             "other program may be given one", set->rule->name, figures->shared, figures->ports,
	                             range.lo, range.hi);
	advice->fix = reserve_remedy(set->reserved);
}

/* Ports that a range's name stands for. Half of it may be missed; the rest is few. */
static void check_named(const struct set *set)
{
	const struct set_figures *figures = &set->figures;
	uint32_t lost = figures->ports - figures->usable;
	if (!lost || figures->usable >= lost)
		return;
	struct advice *advice = set_warn(set, KEY_PORTS, CHECK_RESERVED_PORTS);
	advice->words = memory_words("rule %s: ports: %u of %u are in " RESERVED_SETTING ", and are left out where a range is given "
	                             "by name: %u remain%s", set->rule->name, lost, figures->ports, figures->usable,
	                             figures->usable == 1 ? "s" : "");
	advice->fix = memory_words("give the ports by number, or reserve fewer");
}

static void check_kernel_choice(const struct set *set)
{
	const struct set_figures *figures = &set->figures;
	if (set->rule->choose != CHOOSE_KERNEL)
		return;
	if (!set->subject->machine->takes_ranges) {
		struct advice *advice = set_warn(set, KEY_CHOOSE, CHECK_KERNEL_CHOICE);
		advice->words = memory_words("rule %s: choose: this kernel cannot be told to choose within a range "
		                             "(IP_LOCAL_PORT_RANGE, Linux 6.3): portshim chooses, as for 'random'", set->rule->name);
		advice->fix = memory_words("write choose = random, or one of the other algorithms");
	} else if (figures->reserved) {
		struct advice *advice = set_warn(set, KEY_CHOOSE, CHECK_KERNEL_CHOICE);
		advice->words = memory_words("rule %s: choose: the kernel never chooses the %u of %u ports that are in "
		                             RESERVED_SETTING, set->rule->name, figures->reserved, figures->ports);
		advice->fix = memory_words("leave them out of ports, or write choose = random");
	}
}

static bool only_root_is_meant(const struct rule *rule)
{
	for (uint32_t i = 0; i < rule->user.n; i++)
		if (rule->user.item[i] != 0)
			return false;
	return rule->user.n != 0;
}

static void check_privileged(const struct set *set)
{
	const struct set_figures *figures = &set->figures;
	if (!figures->privileged || only_root_is_meant(set->rule))
		return;
	struct advice *advice = set_warn(set, KEY_PORTS, CHECK_PRIVILEGED_PORTS);
	advice->words = memory_words("rule %s: ports: %u of %u are below %u (net.ipv4.ip_unprivileged_port_start): without "
	                             "CAP_NET_BIND_SERVICE they are skipped, and %u remain", set->rule->name,
	                             figures->privileged, figures->ports, set->subject->machine->unprivileged,
	                             figures->usable - figures->privileged);
	advice->fix = memory_words("choose ports from %u on, give a service AmbientCapabilities=CAP_NET_BIND_SERVICE, or write "
	                           "user = root where only root's programs are meant", set->subject->machine->unprivileged);
}

/* Ports that are not had again before TIME-WAIT is over: exclusive ones at all, late ones towards the same destination.
 * Those that are late for want of a reservation are check_overlap()'s. */
static void check_few(const struct set *set)
{
	const struct rule *rule = set->rule;
	bool exclusive = rule->share == SHARE_NEVER || set->subject->policy->table == TABLE_NONE;
	bool late = rule->choose == CHOOSE_KERNEL || set->figures.late_named;
	if (!(rule->protocols & PROTOCOL_TCP) || !(rule->calls & CALL_CONNECT) || set->figures.usable >= TIME_WAIT_S ||
	    !set->figures.usable || (!exclusive && !late && !set->subject->machine->kernel.no_timestamps))
		return;
	struct advice *advice = set_warn(set, rule->share == SHARE_NEVER ? KEY_SHARE : KEY_PORTS, CHECK_FEW_PORTS);
	advice->words = memory_words("rule %s: %s: %u port%s carr%s less than one new connection a second%s: a port is not given "
	                             "again for %d seconds after a connection that this side closed first (TIME-WAIT)",
	                             rule->name, rule->share == SHARE_NEVER ? "share" : "ports", set->figures.usable,
	                             set->figures.usable == 1 ? "" : "s", set->figures.usable == 1 ? "ies" : "y",
	                             exclusive ? "" : " to each destination", TIME_WAIT_S);
	advice->fix = memory_words("name %d ports for each new connection a second", TIME_WAIT_S);
}

static char *duration_words(uint64_t ms)
{
	if (ms % 1000)
		return memory_words("%" PRIu64 "ms", ms);
	if (ms % 60000)
		return memory_words("%" PRIu64 "s", ms / 1000);
	if (ms % 3600000)
		return memory_words("%" PRIu64 "m", ms / 60000);
	return memory_words("%" PRIu64 "h", ms / 3600000);
}

/* A cooldown that one new connection a minute defeats: with every port cooling down, the one that waited longest is given. */
static void check_cooldown(const struct set *set)
{
	const struct rule *rule = set->rule;
	uint64_t bearable = (uint64_t)set->figures.usable * 60000;
	if (!rule->cooldown_ms || !set->figures.usable || rule->choose == CHOOSE_KERNEL ||
	    (set->figures.usable > 1 && rule->cooldown_ms <= bearable))
		return;
	struct advice *advice = set_warn(set, KEY_COOLDOWN, CHECK_LONG_COOLDOWN);
	char *duration = duration_words(rule->cooldown_ms);
	if (set->figures.usable == 1)
		advice->words = memory_words("rule %s: cooldown: does nothing for a single port, which is always the next",
		                             rule->name);
	else
		advice->words = memory_words("rule %s: cooldown: %u ports are given again sooner from %u new connections in %s on",
		                             rule->name, set->figures.usable, set->figures.usable + 1, duration);
	advice->fix = memory_words("name more ports, or shorten it");
	free(duration);
}

static bool has_one_destination(const struct rule *rule)
{
	const struct target *target = rule->to;
	if (rule->n_to != 1 || target->port_lo != target->port_hi)
		return false;
	return target->net.family == FAMILY_IPV4 ? target->mask_lo == UINT32_MAX :
	       target->net.family == FAMILY_IPV6 && target->mask_hi == UINT64_MAX && target->mask_lo == UINT64_MAX;
}

static void check_nat(const struct set *set)
{
	const struct rule *rule = set->rule;
	if (!set->subject->machine->rewrites || rule->share != SHARE_DESTINATION || !(rule->protocols & PROTOCOL_TCP) ||
	    !(rule->calls & CALL_CONNECT) || has_one_destination(rule))
		return;
	struct advice *advice = set_warn(set, KEY_SHARE, CHECK_NAT_SHARING);
	advice->words = memory_words("rule %s: share: nftables here rewrites destinations (dnat or redirect): where two become "
	                             "one, a port that is shared between them leaves as another", rule->name);
	advice->fix = memory_words("write share = never if such destinations are meant");
}

/* As tools/reserve.h has it, which `--fix` prints. */
static void reserved_find(struct reserved *reserved, const struct subject *subject)
{
	const struct kernel *kernel = &subject->machine->kernel;
	struct portmap inside = { .word = { 0 } };
	uint32_t missing;
	reserve_wanted(subject->policy, kernel, reserved->all.word, &missing);
	for (size_t i = 0; i < sizeof(kernel->reserved) / sizeof(*kernel->reserved); i++)
		reserved->all.word[i] |= kernel->reserved[i];
	if (kernel->ephemeral.lo > kernel->ephemeral.hi)
		return;
	portmap_add(&inside, kernel->ephemeral.lo, kernel->ephemeral.hi);
	uint32_t size = portmap_count(&inside);
	portmap_and(&inside, &reserved->all);
	reserved->too_many = missing && portmap_count(&inside) > size / 2;
}

void check_sets(const struct subject *subject)
{
	struct reserved reserved = { .too_many = false };
	reserved_find(&reserved, subject);
	for (uint32_t i = 0; i < subject->policy->rules; i++) {
		struct set set = { .subject = subject, .rule = &subject->policy->rule[i], .reserved = &reserved, .index = i };
		if (set.rule->action != ACTION_ASSIGN)
			continue;
		set_figure(&set.figures, set.rule, subject->machine);
		check_overlap(&set);
		check_named(&set);
		check_kernel_choice(&set);
		check_privileged(&set);
		check_few(&set);
		check_cooldown(&set);
		check_nat(&set);
	}
}
