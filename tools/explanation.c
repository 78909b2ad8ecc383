/* explanation.c - asks the engine what it will do, and what it goes by. */
#define _GNU_SOURCE
#include "tools/explanation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/locate.h"
#include "shim/bind.h"
#include "shim/way.h"
#include "tools/memory.h"

/* --- which rule ------------------------------------------------------------------------------------------- */

/* A rule with `to`, or that leaves bind out, could put the bind off: that it cannot decide it is no reason then. */
static unsigned int missed_of(const struct view *all, uint32_t i, const struct question *question, const struct facts *facts,
                              bool put_off)
{
	const struct rule *rule = &all->policy->rule[i];
	unsigned int conditions = rule_misses(rule, facts) | view_misses(all, i, question);
	unsigned int others = conditions & ~(unsigned int)(CONDITION_TO | CONDITION_CALL);
	return put_off && (rule->n_to || !(rule->calls & CALL_BIND)) && others ? others : conditions;
}

static void note_missed(struct explanation *explanation, const struct view *all, const struct facts *facts)
{
	const struct policy *policy = all->policy;
	uint32_t n = explanation->rule ? (uint32_t)(explanation->rule - policy->rule) : policy->rules;
	explanation->missed = memory_zeroed(n, sizeof(*explanation->missed));
	for (uint32_t i = 0; i < n; i++)
		explanation->missed[explanation->n_missed++] = (struct missed){
			.rule = &policy->rule[i],
			.conditions = missed_of(all, i, &explanation->question, facts,
			                        explanation->decision == DECISION_PUT_OFF),
		};
}

static enum decision decision_of(const struct rule *rule)
{
	if (!rule)
		return DECISION_NO_RULE;
	return rule->action == ACTION_ASSIGN ? DECISION_ASSIGN : rule->action == ACTION_PASS ? DECISION_PASS : DECISION_DENY;
}

static void decide(struct explanation *explanation, const struct view *view)
{
	const struct question *question = &explanation->question;
	const struct rule *waiting = question->calls == CALL_BIND ? view_waits_for_destination(view, question) : NULL;
	uint8_t call = question->calls & CALL_SEND ? CALL_SEND : question->calls;
	int flags = question->calls & CALL_CONNECT ? MSG_FASTOPEN : 0;
	if (way_gives_none(call, question->protocol, flags)) {
		explanation->decision = DECISION_NO_PORT;
		return;
	}
	explanation->rule = waiting ? waiting : view_match(view, question);
	explanation->decision = waiting ? DECISION_PUT_OFF : decision_of(explanation->rule);
}

/* --- which way -------------------------------------------------------------------------------------------- */

/* The kernel says whether it knows the option (Linux 6.3) only when it is asked for it. */
static void look_whether_late(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind_set_range(fd, 0, 0) == -ENOPROTOOPT)
		kernel_forgo_late();
	if (fd >= 0)
		close(fd);
}

/* ip(7): bound below only with CAP_NET_BIND_SERVICE. */
static uint16_t first_unprivileged(void)
{
	struct arena arena = { NULL };
	size_t length;
	int error;
	const char *words = locate_read(&arena, "/proc/sys/net/ipv4/ip_unprivileged_port_start", &length, &error);
	unsigned long first = words ? strtoul(words, NULL, 10) : 1024;
	arena_free(&arena);
	return (uint16_t)(first < 65536 ? first : 65535);
}

/* NULL where it is of no port. */
static struct way *way_new(struct explanation *explanation, const char *name, bool shared, uint32_t ports)
{
	if (!ports || explanation->ways == WAYS_MAX)
		return NULL;
	struct way *way = &explanation->way[explanation->ways++];
	*way = (struct way){ .name = name, .shared = shared, .ports = ports };
	return way;
}

#define add_way(explanation, name, shared, ports, ...) do {                             \
	struct way *way_ = way_new(explanation, name, shared, ports);                   \
	if (way_)                                                                       \
		snprintf(way_->why, sizeof(way_->why), __VA_ARGS__);                    \
} while (0)

/* How the ports of the set are taken. */
enum fate { FATE_LATE, FATE_OUTSIDE, FATE_RESERVED, FATE_OLD_KERNEL, FATE_LEFT_OUT, FATE_OWN, FATE_LOW, FATES };

struct fates {
	const struct kernel *kernel;
	bool shares;             /* the call can be late */
	uint16_t own;            /* the destination's port on this machine; 0: none */
	uint16_t unprivileged;   /* the first that needs no privilege */
	uint32_t ports[FATES];
	uint64_t usable[PORT_WORDS];
};

static enum fate fate_of(const struct fates *fates, uint16_t port, bool named)
{
	const struct kernel *kernel = fates->kernel;
	if (named && kernel_reserves(kernel, port))
		return FATE_LEFT_OUT;
	if (port == fates->own)
		return FATE_OWN;
	if (fates->shares && kernel_takes_late(kernel, port))
		return FATE_LATE;
	if (port < fates->unprivileged)
		return FATE_LOW;
	if (port < kernel->ephemeral.lo || port > kernel->ephemeral.hi)
		return FATE_OUTSIDE;
	return kernel_reserves(kernel, port) ? FATE_RESERVED : FATE_OLD_KERNEL;
}

static void fates_count(struct fates *fates, const struct port_set *set)
{
	for (uint32_t i = 0; i < set->intervals; i++)
		for (uint32_t port = set->interval[i].lo; port <= set->interval[i].hi; port++) {
			enum fate fate = fate_of(fates, (uint16_t)port, set->interval[i].named);
			fates->ports[fate]++;
			if (fate < FATE_LEFT_OUT)
				port_add(fates->usable, (uint16_t)port);
		}
}

/* Why a port is one call's alone, whatever it is. */
static const char *why_exclusive(const struct question *question)
{
	if (question->calls == CALL_LISTEN)
		return "a listening socket has its port to itself";
	if (question->calls == CALL_BIND)
		return "bind() to port 0 has its port to itself";
	if (question->protocol != PROTOCOL_TCP)
		return "the kernel does not arbitrate 4-tuples of this protocol";
	return "share = never";
}

static void say_shared(struct explanation *explanation, const struct fates *fates, bool early_shares)
{
	const struct port_range range = fates->kernel->ephemeral;
	const char *alone = early_shares ? "" : "; no table in common, so each has its port to itself";
	add_way(explanation, "late", true, fates->ports[FATE_LATE], "%s", explanation->kernel_picks ?
	        "the kernel is given the whole set and takes one inside connect()" :
	        "the kernel takes one inside connect() (IP_LOCAL_PORT_RANGE)");
	if (range.lo <= range.hi)
		add_way(explanation, "early", early_shares, fates->ports[FATE_OUTSIDE],
		        "bound before: outside of ip_local_port_range, %u-%u%s", range.lo, range.hi, alone);
	else
		add_way(explanation, "early", early_shares, fates->ports[FATE_OUTSIDE],
		        "bound before: ip_local_port_range cannot be read%s", alone);
	add_way(explanation, "early", early_shares, fates->ports[FATE_RESERVED],
	        "bound before: in ip_local_reserved_ports%s", alone);
	add_way(explanation, "early", early_shares, fates->ports[FATE_OLD_KERNEL],
	        "bound before: the kernel has no IP_LOCAL_PORT_RANGE (Linux 6.3)%s", alone);
}

static void say_ways(struct explanation *explanation, const struct fates *fates, bool early_shares)
{
	uint32_t usable = 0;
	for (int fate = 0; fate < FATE_LEFT_OUT; fate++)
		usable += fates->ports[fate];
	if (way_shares(explanation->rule, &explanation->question))
		say_shared(explanation, fates, early_shares);
	else
		add_way(explanation, "early", false, usable, "%s", why_exclusive(&explanation->question));
	add_way(explanation, NULL, false, fates->ports[FATE_LEFT_OUT],
	        "in ip_local_reserved_ports, and the set has them by a range's name");
	add_way(explanation, NULL, false, fates->ports[FATE_OWN], "the destination's own port, on this machine");
	add_way(explanation, NULL, false, fates->ports[FATE_LOW],
	        "below ip_unprivileged_port_start, %u, without CAP_NET_BIND_SERVICE", fates->unprivileged);
}

static void see_ports(struct explanation *explanation, const struct circumstances *of)
{
	const struct question *question = &explanation->question;
	const struct rule *rule = explanation->rule;
	struct fates *fates = memory_zeroed(1, sizeof(*fates));
	bool shares = way_shares(rule, question), early_shares = shares && of->policy->table != TABLE_NONE;
	look_whether_late();
	fates->kernel = kernel_now();
	fates->shares = shares;
	fates->unprivileged = of->may_bind_low ? 0 : first_unprivileged();
	if (question->has_destination && ports_contain(&rule->ports, question->destination.port) &&
	    addr_is_local(&question->destination))
		fates->own = question->destination.port;
	explanation->kernel_picks = shares && way_kernel_picks(rule, fates->kernel);
	fates_count(fates, &rule->ports);
	say_ways(explanation, fates, early_shares);
	free_ports_count(&explanation->free_ports, &(struct free_question){
		.wanted = fates->usable, .to = shares ? &question->destination : NULL, .early_shares = early_shares,
		.protocol = question->protocol, .kernel = fates->kernel, .table = of->table,
	});
	free(fates);
}

/* ---------------------------------------------------------------------------------------------------------- */

bool explanation_make(struct explanation *explanation, const struct circumstances *of, const struct question *question)
{
	struct view view, all;
	*explanation = (struct explanation){ .question = *question };
	if (!view_make(&view, of->policy, of->facts))
		return false;
	if (!view_make(&all, of->policy, NULL)) {
		view_free(&view);
		return false;
	}
	decide(explanation, &view);
	if (explanation->decision != DECISION_NO_PORT)
		note_missed(explanation, &all, of->facts);
	if (explanation->decision == DECISION_ASSIGN)
		see_ports(explanation, of);
	view_free(&view);
	view_free(&all);
	return true;
}

void explanation_free(struct explanation *explanation)
{
	free(explanation->missed);
	*explanation = (struct explanation){ .decision = DECISION_NO_RULE };
}
