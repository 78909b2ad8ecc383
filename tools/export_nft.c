/* export_nft.c - `portshim export nft`: a table of its own for nft(8). */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/export_plan.h"
#include "tools/memory.h"

enum { ELEMENTS_PER_LINE = 8 };

static const struct ability nft_ability = {
	.user = true, .cgroup = true, .both_ports = true, .protocols = PROTOCOL_ANY, .families = FAMILY_ANY,
};
static const struct ability nft_remote_ability = {
	.both_ports = true, .protocols = PROTOCOL_ANY, .families = FAMILY_ANY,
};

/* What the chain and the set of an entry are called: its number, and as much of the rule's name as nft takes. */
static char *entry_label(const struct plan *plan, const struct entry *entry)
{
	char *label = memory_words("r%zu_%s", (size_t)(entry - plan->entry) + 1, entry->rule->name);
	for (char *at = label; *at != '\0'; at++)
		if (!isascii(*at) || (!isalnum((unsigned char)*at) && *at != '-'))
			*at = '_';
	return label;
}

static void ports_print(FILE *to, const struct ports *ports, size_t n)
{
	fputs("\t\telements = { ", to);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%s%s", i == 0 ? "" : i % ELEMENTS_PER_LINE ? ", " : ",\n\t\t\t     ", range_words(ports[i], "-").at);
	fputs(" }\n", to);
}

static void set_print(FILE *to, const char *label, const struct ports *ports, size_t n)
{
	fprintf(to, "\tset %s {\n\t\ttype inet_service\n\t\tflags interval\n", label);
	if (n > 0)
		ports_print(to, ports, n);
	fputs("\t}\n\n", to);
}

/* --- conditions, each with a blank behind it -------------------------------------------------------------------- */

static void ids_print(FILE *to, const char *what, const struct id_list *ids)
{
	fprintf(to, "%s { ", what);
	for (uint32_t i = 0; i < ids->n; i++)
		fprintf(to, "%s%u", i ? ", " : "", ids->item[i]);
	fputs(" } ", to);
}

static void protocols_print(FILE *to, uint8_t protocols)
{
	const char *between = "";
	fputs("meta l4proto { ", to);
	for (unsigned int i = 0; plan_protocol(i); i++)
		if (protocols & 1U << i) {
			fprintf(to, "%s%s", between, plan_protocol(i));
			between = ", ";
		}
	fputs(" } ", to);
}

static void family_print(FILE *to, uint8_t families)
{
	if (families != FAMILY_ANY)
		fprintf(to, "meta nfproto %s ", families == FAMILY_IPV4 ? "ipv4" : "ipv6");
}

static const char *family_word(const struct ip_addr *addr)
{
	return addr->family == FAMILY_IPV4 ? "ip" : "ip6";
}

/* Behind `before`, of these networks those of one family. False, and nothing printed, if there are none. */
static bool nets_print(FILE *to, enum family family, const char *before, const char *which, const struct net *net,
                       size_t n)
{
	bool begun = false;
	for (size_t i = 0; i < n; i++) {
		if (net[i].addr.family != family)
			continue;
		if (!begun)
			fprintf(to, "%s%s %s { ", before, family_word(&net[i].addr), which);
		fprintf(to, "%s%s", begun ? ", " : "", net_words(&net[i]).at);
		begun = true;
	}
	if (begun)
		fputs(" } ", to);
	return begun;
}

/* Whoever sent it, and by which protocol; `cgroup` NULL: whatever his group. */
static void who_print(FILE *to, const struct entry *entry, const char *cgroup)
{
	unsigned int level = 1;
	if (entry->protocols != PROTOCOL_ANY)
		protocols_print(to, entry->protocols);
	if (entry->asks_user)
		ids_print(to, "meta skuid", &entry->rule->user);
	if (entry->asks_group)
		ids_print(to, "meta skgid", &entry->rule->group);
	for (const char *at = cgroup; at && *at != '\0'; at++)
		level += *at == '/';
	if (cgroup)
		fprintf(to, "socket cgroupv2 level %u \"%s\" ", level, cgroup);
}

/* --- an entry ------------------------------------------------------------------------------------------------------ */

/* The end of each of its lines. */
static void verdict_print(FILE *to, const struct entry *entry, const char *label)
{
	char *name;
	switch (entry->permit) {
	case PERMIT_ANY:
		name = plan_name(entry->rule);
		fprintf(to, "counter accept comment \"rule %s\"\n", name);
		free(name);
		break;
	case PERMIT_NONE: fputs("goto refused\n", to); break;
	default: fprintf(to, "%s %s\n", entry->closes ? "goto" : "jump", label); break;
	}
}

static void destination_print(FILE *to, const struct destination *destination)
{
	if (!ports_are_any(destination->ports))
		fprintf(to, "th dport %s ", range_words(destination->ports, "-").at);
}

static void nets_line_print(FILE *to, const struct entry *entry, const struct destination *destination,
                            enum family family, const char *cgroup, const char *label)
{
	bool any = false;
	for (size_t i = 0; i < destination->n; i++)
		any = any || destination->net[i].addr.family == family;
	if (!any)
		return;
	fputs("\t\t", to);
	who_print(to, entry, cgroup);
	nets_print(to, family, "", "daddr", destination->net, destination->n);
	destination_print(to, destination);
	verdict_print(to, entry, label);
}

/* `destination` NULL: wherever it goes. */
static void any_line_print(FILE *to, const struct entry *entry, const struct destination *destination,
                           const char *cgroup, const char *label)
{
	fputs("\t\t", to);
	family_print(to, entry->families);
	who_print(to, entry, cgroup);
	if (destination)
		destination_print(to, destination);
	verdict_print(to, entry, label);
}

static void lines_print(FILE *to, const struct entry *entry, const char *cgroup, const char *label)
{
	struct destination *destination;
	size_t n = entry_destinations(entry, &destination);
	if (!entry->rule->n_to)
		any_line_print(to, entry, NULL, cgroup, label);
	for (size_t i = 0; i < n; i++) {
		if (destination[i].any) {
			any_line_print(to, entry, &destination[i], cgroup, label);
			continue;
		}
		nets_line_print(to, entry, &destination[i], FAMILY_IPV4, cgroup, label);
		nets_line_print(to, entry, &destination[i], FAMILY_IPV6, cgroup, label);
	}
	destinations_free(destination, n);
}

/* The lines by which packets come to the entry's chain. */
static void entry_print(const struct export *export, const struct plan *plan, const struct entry *entry)
{
	char **cgroup = NULL;
	plan_comment(export, entry, "\t\t# ", "");
	if (entry->permit == PERMIT_LEFT_OUT)
		return;
	char *label = entry_label(plan, entry);
	size_t n = entry->asks_cgroup ? entry_cgroups(entry, &cgroup) : 0;
	if (!entry->asks_cgroup)
		lines_print(export->to, entry, NULL, label);
	for (size_t i = 0; i < n; i++)
		lines_print(export->to, entry, cgroup[i], label);
	cgroups_free(cgroup, n);
	free(label);
}

/* The chain of an entry: what it lets out. */
static void chain_print(const struct export *export, const struct plan *plan, const struct entry *entry)
{
	struct ports *ports;
	const struct ip_addr *source = &entry->rule->source;
	if (entry->permit != PERMIT_PORTS)
		return;
	char *label = entry_label(plan, entry), *name = plan_name(entry->rule);
	size_t n = entry_ports(export, entry, &ports);
	set_print(export->to, label, ports, n);
	fprintf(export->to, "\tchain %s {\n\t\t", label);
	if (source->family) {
		const struct net net = { .addr = *source, .prefix = 128 };
		fprintf(export->to, "%s saddr %s ", family_word(source), net_words(&net).at);
	}
	fprintf(export->to, "th sport @%s counter accept comment \"rule %s\"\n", label, name);
	if (entry->closes)
		fputs("\t\tgoto refused\n", export->to);
	fputs("\t}\n\n", export->to);
	free(ports);
	free(name);
	free(label);
}

/* --- the table ------------------------------------------------------------------------------------------------------- */

static const char *table_name(const struct export *export)
{
	return export->remote ? "portshim_remote" : "portshim";
}

static void head_print(const struct export *export)
{
	FILE *to = export->to;
	const char *table = table_name(export);
	fprintf(to, "# What %s lets out, for nft(8): printed by portshim export nft, see portshim-export(1).\n"
	            "# Load it again when the policy has changed. To take it out: nft delete table inet %s\n\n"
	            "table inet %s\ndelete table inet %s\ntable inet %s {\n", export->name, table, table, table, table);
}

static void refused_print(const struct export *export)
{
	FILE *to = export->to;
	fputs("\tchain refused {\n", to);
	if (export->rest == REST_DROP)
		fputs("\t\tcounter drop\n", to);
	else
		fputs("\t\tmeta l4proto tcp counter reject with tcp reset\n"
		      "\t\tcounter reject with icmpx type admin-prohibited\n", to);
	fputs("\t}\n\n", to);
}

/* Ports that are the policy's own, a set for each protocol that needs another. */
static void own_sets_print(const struct export *export, const struct plan *plan)
{
	struct own own;
	plan_own(&own, export, plan);
	for (unsigned int i = 0; export->rest == REST_ACCEPT && i < own.n; i++) {
		char *label = memory_words("own_%s", plan_protocol((unsigned int)__builtin_ctz(own.set[i].protocols)));
		set_print(export->to, label, own.set[i].ports, own.set[i].n);
		free(label);
	}
	own_free(&own);
}

/* What is none of the policy's business. */
static void others_print(const struct export *export)
{
	FILE *to = export->to;
	fputs("\t\tmeta l4proto != { tcp, udp, sctp, dccp, udplite } accept\n"
	      "\t\tct state established,related accept\n", to);
	if (export->remote)
		return;
	fputs("\t\t# a connection is judged as it begins: one that is there already goes on\n"
	      "\t\ttcp flags & (fin | syn | rst | ack) != syn accept\n"
	      "\t\t# DHCP and DHCPv6\n"
	      "\t\tudp sport 68 udp dport 67 accept\n"
	      "\t\tudp sport 546 udp dport 547 accept\n", to);
}

static void rest_print(const struct export *export, const struct plan *plan)
{
	FILE *to = export->to;
	struct own own;
	if (export->rest != REST_ACCEPT) {
		fputs("\t\t# no rule lets it out\n\t\tgoto refused\n", to);
		return;
	}
	fputs("\t\t# no rule lets it out: then not from a port of the policy's\n", to);
	plan_own(&own, export, plan);
	for (unsigned int i = 0; i < own.n; i++) {
		fputs("\t\t", to);
		protocols_print(to, own.set[i].protocols);
		fprintf(to, "th sport @own_%s goto refused\n",
		        plan_protocol((unsigned int)__builtin_ctz(own.set[i].protocols)));
	}
	own_free(&own);
}

/* `mangle` comes before NAT of locally made packets: destinations are judged as the program named them. */
static void base_print(const struct export *export)
{
	FILE *to = export->to;
	if (!export->remote) {
		fputs("\tchain output {\n"
		      "\t\ttype filter hook output priority mangle; policy accept;\n"
		      "\t\toifname \"lo\" accept\n"
		      "\t\tgoto rules\n\t}\n", to);
		return;
	}
	fputs("\tchain forward {\n"
	      "\t\ttype filter hook forward priority filter; policy accept;\n", to);
	for (enum family family = FAMILY_IPV4; family <= FAMILY_IPV6; family++)
		if (nets_print(to, family, "\t\t", "saddr", export->from, export->n_from))
			fputs("goto rules\n", to);
	fputs("\t}\n", to);
}

bool export_nft(const struct export *export)
{
	struct plan plan;
	plan_make(&plan, export, export->remote ? &nft_remote_ability : &nft_ability);
	plan_warn(&plan);
	head_print(export);
	refused_print(export);
	own_sets_print(export, &plan);
	for (size_t i = 0; i < plan.n; i++)
		chain_print(export, &plan, &plan.entry[i]);
	fputs("\tchain rules {\n", export->to);
	others_print(export);
	for (size_t i = 0; i < plan.n; i++)
		entry_print(export, &plan, &plan.entry[i]);
	rest_print(export, &plan);
	fputs("\t}\n\n", export->to);
	base_print(export);
	fputs("}\n", export->to);
	plan_free(&plan);
	return true;
}
