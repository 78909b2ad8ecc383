/* export_iptables.c - `portshim export iptables` and `ip6tables`: chains of their own for iptables-restore(8).
 *
 * An entry's conditions are alternatives of several kinds (a user of a list, a destination, ...), and a rule of iptables
 * takes one of each. So each kind is a stage, a chain with a rule for each alternative that leads to the next stage, and
 * the last is the chain that lets the entry's ports out. The first stage stands in the main chain, which it jumps from, and
 * between stages it is goto: whoever falls out of any stage comes back to the main chain behind the entry. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/export_plan.h"
#include "tools/memory.h"
#include "tools/message.h"

enum { MULTIPORT_MAX = 15, STAGES_MAX = 5 }; /* iptables-extensions(8): a range counts twice */

static const char *const numbers[] = { "tcp", "udp", "sctp", "33", "udplite" }; /* dccp may be in no list of names */

/* One after the other: chains have to be declared before the first rule. */
struct output {
	const struct export *export;
	enum family family;
	FILE *chains, *rules;
	const char *main; /* the chain that is jumped to */
};

/* The conditions of one kind: each a string. */
struct stage {
	char **match;
	size_t n, room;
	char letter;
};

struct stages {
	struct stage stage[STAGES_MAX];
	unsigned int n;
};

static const char *prefix(const struct output *out)
{
	return out->export->remote ? "PORTSHIM-R" : "PORTSHIM-";
}

/* --- what an entry asks for ------------------------------------------------------------------------------------- */

static struct stage *stage_new(struct stages *stages, char letter)
{
	struct stage *stage = &stages->stage[stages->n++];
	*stage = (struct stage){ .letter = letter };
	return stage;
}

static void stage_add(struct stage *stage, char *match)
{
	stage->match = memory_for_one(stage->match, stage->n, &stage->room, sizeof(*stage->match));
	stage->match[stage->n++] = match;
}

static void ids_add(struct stages *stages, char letter, const char *option, const struct id_list *ids, const char *more)
{
	struct stage *stage = stage_new(stages, letter);
	for (uint32_t i = 0; i < ids->n; i++)
		stage_add(stage, memory_words("-m owner %s %" PRIu32 "%s", option, ids->item[i], more));
}

static void cgroups_add(struct stages *stages, const struct entry *entry)
{
	struct stage *stage = stage_new(stages, 'c');
	char **path;
	size_t n = entry_cgroups(entry, &path);
	for (size_t i = 0; i < n; i++)
		stage_add(stage, memory_words("-m cgroup --path \"%s\"", path[i]));
	cgroups_free(path, n);
}

static void protocols_add(struct stages *stages, uint8_t protocols)
{
	struct stage *stage = stage_new(stages, 'p');
	for (unsigned int i = 0; plan_protocol(i); i++)
		if (protocols & 1U << i)
			stage_add(stage, memory_words("-p %s", numbers[i]));
}

/* `net` "" is any. Ports can be asked for together with a protocol only. */
static void destination_add(struct stage *stage, const char *net, struct ports ports, uint8_t protocols)
{
	const char *option = net[0] ? "-d " : "", *blank = net[0] ? " " : "";
	if (ports_are_any(ports)) {
		stage_add(stage, memory_words("%s%s", option, net));
		return;
	}
	for (unsigned int i = 0; plan_protocol(i); i++)
		if (protocols & 1U << i)
			stage_add(stage, memory_words("%s%s%s-p %s -m multiport --dports %s", option, net, blank, numbers[i],
			                              range_words(ports, ":").at));
}

static void destinations_add(struct stages *stages, const struct entry *entry)
{
	struct stage *stage = stage_new(stages, 'd');
	struct destination *destination;
	size_t n = entry_destinations(entry, &destination);
	for (size_t i = 0; i < n; i++) {
		if (destination[i].any)
			destination_add(stage, "", destination[i].ports, entry->protocols);
		for (size_t j = 0; !destination[i].any && j < destination[i].n; j++)
			destination_add(stage, net_words(&destination[i].net[j]).at, destination[i].ports, entry->protocols);
	}
	destinations_free(destination, n);
}

static void stages_make(struct stages *stages, const struct entry *entry)
{
	stages->n = 0;
	if (entry->protocols != PROTOCOL_ANY)
		protocols_add(stages, entry->protocols);
	if (entry->asks_user)
		ids_add(stages, 'u', "--uid-owner", &entry->rule->user, "");
	if (entry->asks_group)
		ids_add(stages, 'g', "--gid-owner", &entry->rule->group, " --suppl-groups");
	if (entry->asks_cgroup)
		cgroups_add(stages, entry);
	if (entry->rule->n_to)
		destinations_add(stages, entry);
	if (stages->n == 0)
		stage_add(stage_new(stages, 'a'), memory_words("%s", ""));
}

static void stages_free(struct stages *stages)
{
	for (unsigned int i = 0; i < stages->n; i++) {
		for (size_t j = 0; j < stages->stage[i].n; j++)
			free(stages->stage[i].match[j]);
		free(stages->stage[i].match);
	}
}

/* --- an entry ------------------------------------------------------------------------------------------------------ */

static void chain_declare(const struct output *out, const char *chain)
{
	fprintf(out->chains, ":%s - [0:0]\n", chain);
}

static void rule_print(const struct output *out, const char *chain, const char *match, const char *target)
{
	fprintf(out->rules, "-A %s %s%s%s\n", chain, match, match[0] ? " " : "", target);
}

/* As many of the ports as one rule takes; how many these are. */
static size_t multiport(const struct ports *ports, size_t n, char *words, size_t size)
{
	size_t taken = 0, length = 0;
	for (unsigned int room = MULTIPORT_MAX; taken < n; taken++) {
		unsigned int needs = ports[taken].lo == ports[taken].hi ? 1 : 2;
		if (needs > room)
			break;
		room -= needs;
		length += (size_t)snprintf(words + length, size - length, "%s%s", taken ? "," : "",
		                           range_words(ports[taken], ":").at);
	}
	return taken;
}

static void ports_print(const struct output *out, const struct entry *entry, const char *chain, const char *before,
                        const struct ports *ports, size_t n, const char *target)
{
	char list[MULTIPORT_MAX * sizeof("65535:65535,")];
	for (unsigned int i = 0; plan_protocol(i); i++) {
		if (!(entry->protocols & 1U << i))
			continue;
		for (size_t at = 0; at < n;) {
			at += multiport(ports + at, n - at, list, sizeof(list));
			char *match = memory_words("%s-p %s -m multiport --sports %s", before, numbers[i], list);
			rule_print(out, chain, match, target);
			free(match);
		}
	}
}

/* The last chain of an entry that lets ports out. */
static void permit_print(const struct output *out, const struct entry *entry, const char *chain)
{
	struct ports *ports;
	const struct ip_addr *source = &entry->rule->source;
	const struct net net = { .addr = *source, .prefix = 128 };
	size_t n = entry_ports(out->export, entry, &ports);
	char *name = plan_name(entry->rule);
	char *target = memory_words("-m comment --comment \"rule %s\" -j ACCEPT", name);
	char *before = memory_words("%s%s%s", source->family ? "-s " : "", source->family ? net_words(&net).at : "",
	                            source->family ? " " : "");
	char *refused = memory_words("-j %sNO", prefix(out));
	chain_declare(out, chain);
	ports_print(out, entry, chain, before, ports, n, target);
	if (entry->closes)
		rule_print(out, chain, "", refused);
	free(refused);
	free(before);
	free(target);
	free(name);
	free(ports);
}

/* What the last stage leads to. */
static char *end_of(const struct output *out, const struct entry *entry, const char *chain, bool first)
{
	if (entry->permit == PERMIT_ANY) {
		char *name = plan_name(entry->rule), *words = memory_words("-m comment --comment \"rule %s\" -j ACCEPT", name);
		free(name);
		return words;
	}
	if (entry->permit == PERMIT_NONE)
		return memory_words("-j %sNO", prefix(out));
	return memory_words("%s %s", first ? "-j" : "-g", chain);
}

static void stages_print(const struct output *out, const struct entry *entry, const struct stages *stages,
                         const char *chain)
{
	char *here = memory_words("%s", out->main);
	for (unsigned int i = 0; i < stages->n; i++) {
		const struct stage *stage = &stages->stage[i];
		bool last = i + 1 == stages->n;
		char *next = last ? NULL : memory_words("%s%c", chain, stages->stage[i + 1].letter);
		char *target = last ? end_of(out, entry, chain, i == 0) : memory_words("%s %s", i == 0 ? "-j" : "-g", next);
		for (size_t j = 0; j < stage->n; j++)
			rule_print(out, here, stage->match[j], target);
		if (next)
			chain_declare(out, next);
		free(target);
		free(here);
		here = next;
	}
	free(here);
}

static void entry_print(const struct output *out, const struct plan *plan, const struct entry *entry)
{
	struct export told = *out->export;
	struct stages stages;
	told.to = out->rules;
	plan_comment(&told, entry, "# ", "");
	if (entry->permit == PERMIT_LEFT_OUT)
		return;
	char *chain = memory_words("%s%zu", prefix(out), (size_t)(entry - plan->entry) + 1);
	stages_make(&stages, entry);
	if (entry->permit == PERMIT_PORTS)
		permit_print(out, entry, chain);
	stages_print(out, entry, &stages, chain);
	stages_free(&stages);
	free(chain);
}

/* --- the whole ------------------------------------------------------------------------------------------------------- */

static const char *command(const struct output *out)
{
	return out->family == FAMILY_IPV4 ? "iptables" : "ip6tables";
}

static const char *hook(const struct output *out)
{
	return out->export->remote ? "FORWARD" : "OUTPUT";
}

static void head_print(const struct output *out)
{
	FILE *to = out->export->to;
	fprintf(to, "# What %s lets out over %s, for %s-restore --noflush: printed by portshim export %s, see\n"
	            "# portshim-export(1). The other family's rules are those of portshim export %s.\n",
	        out->export->name, out->family == FAMILY_IPV4 ? "IPv4" : "IPv6", command(out), command(out),
	        out->family == FAMILY_IPV4 ? "ip6tables" : "iptables");
	fprintf(to, "# Each load adds the jump from %s once more, which changes nothing. Take it out, before the next or for good:\n"
	            "# %s -D %s%s -j %s\n*filter\n", hook(out), command(out), hook(out),
	        out->export->remote ? " -s HOST" : "", out->main);
}

static void refused_print(const struct output *out)
{
	char *chain = memory_words("%sNO", prefix(out));
	chain_declare(out, chain);
	if (out->export->rest == REST_DROP) {
		rule_print(out, chain, "", "-j DROP");
	} else {
		rule_print(out, chain, "-p tcp", "-j REJECT --reject-with tcp-reset");
		rule_print(out, chain, "", out->family == FAMILY_IPV4 ? "-j REJECT --reject-with icmp-admin-prohibited" :
		                                                       "-j REJECT --reject-with icmp6-adm-prohibited");
	}
	free(chain);
}

/* What is none of the policy's business is left to the rules behind the jump. */
static void others_print(const struct output *out)
{
	if (!out->export->remote)
		rule_print(out, out->main, "-o lo", "-j RETURN");
	rule_print(out, out->main, "-m conntrack --ctstate ESTABLISHED,RELATED", "-j ACCEPT");
	if (out->export->remote)
		return;
	fputs("# a connection is judged as it begins: one that is there already goes on\n", out->rules);
	rule_print(out, out->main, "-p tcp ! --syn", "-j RETURN");
	fputs("# DHCP and DHCPv6\n", out->rules);
	rule_print(out, out->main, out->family == FAMILY_IPV4 ? "-p udp --sport 68 --dport 67" : "-p udp --sport 546 --dport 547",
	           "-j RETURN");
}

static void rest_print(const struct output *out, const struct plan *plan)
{
	char *refused = memory_words("-j %sNO", prefix(out));
	struct own own;
	if (out->export->rest != REST_ACCEPT) {
		fputs("# no rule lets it out\n", out->rules);
		for (unsigned int i = 0; plan_protocol(i); i++) {
			char *match = memory_words("-p %s", numbers[i]);
			rule_print(out, out->main, match, refused);
			free(match);
		}
		free(refused);
		return;
	}
	fputs("# no rule lets it out: then not from a port of the policy's\n", out->rules);
	plan_own(&own, out->export, plan);
	for (unsigned int i = 0; i < own.n; i++) {
		const struct entry all = { .protocols = own.set[i].protocols };
		ports_print(out, &all, out->main, "", own.set[i].ports, own.set[i].n, refused);
	}
	own_free(&own);
	free(refused);
}

/* The jump comes first in its chain: behind a rule that accepts, it would not be reached. */
static void hook_print(const struct output *out)
{
	if (!out->export->remote)
		fprintf(out->rules, "-I OUTPUT -j %s\n", out->main);
	for (size_t i = 0; i < out->export->n_from; i++)
		if (out->export->from[i].addr.family == out->family)
			fprintf(out->rules, "-I FORWARD -s %s -j %s\n", net_words(&out->export->from[i]).at, out->main);
}

static bool has_hosts(const struct export *export, enum family family)
{
	for (size_t i = 0; i < export->n_from; i++)
		if (export->from[i].addr.family == family)
			return true;
	return !export->remote;
}

static void print(struct output *out, const struct plan *plan)
{
	char *chains = NULL, *rules = NULL;
	size_t chains_size, rules_size;
	out->chains = open_memstream(&chains, &chains_size);
	out->rules = open_memstream(&rules, &rules_size);
	if (!out->chains || !out->rules)
		abort(); /* only when memory is out */
	chain_declare(out, out->main);
	refused_print(out);
	others_print(out);
	for (size_t i = 0; i < plan->n; i++)
		entry_print(out, plan, &plan->entry[i]);
	rest_print(out, plan);
	hook_print(out);
	fclose(out->chains);
	fclose(out->rules);
	head_print(out);
	fprintf(out->export->to, "%s%sCOMMIT\n", chains, rules);
	free(chains);
	free(rules);
}

bool export_iptables(const struct export *export, enum family family)
{
	struct plan plan;
	struct output out = {
		.export = export, .family = family, .main = export->remote ? "PORTSHIM-FORWARD" : "PORTSHIM-OUT",
	};
	const struct ability ability = {
		.user = !export->remote, .supplementary = true, .cgroup = !export->remote, .both_ports = true,
		.protocols = PROTOCOL_ANY, .families = (uint8_t)family,
	};
	if (!has_hosts(export, family)) {
		say_error("export: no host of --from has an address of %s", family == FAMILY_IPV4 ? "IPv4" : "IPv6");
		return false;
	}
	plan_make(&plan, export, &ability);
	plan_warn(&plan);
	print(&out, &plan);
	plan_free(&plan);
	return true;
}
