/* export_firewalld.c - `portshim export firewalld`: a policy object for /etc/firewalld/policies, firewalld.policy(5).
 *
 * Its rich rules are asked in the order of their priorities, which therefore count up with the entries. A rich rule has one
 * address and one port, at one end: so an entry is a rule for each combination, and its destinations' ports are asked for only
 * where nothing is asked of the source port. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "tools/export_plan.h"
#include "tools/message.h"

enum { PRIORITY_FIRST = -32767, PRIORITY_LAST = 32767, PRIORITY_NOTHING_MORE = 32766 };

/* How firewalld has the protocols where it asks for no port. */
static const char *const names[] = { "tcp", "udp", "sctp", "dccp", "136" };

static const struct ability ability = {
	.protocols = PROTOCOL_ANY & ~PROTOCOL_UDPLITE, .families = FAMILY_ANY,
};

struct output {
	const struct export *export;
	int priority;
};

/* One rich rule but for what it asks of ports and does. NULL: any address. */
struct rich {
	enum family family; /* FAMILY_ANY: both */
	const struct net *source, *to;
};

/* --- rich rules ---------------------------------------------------------------------------------------------------- */

static const char *refusal(const struct export *export)
{
	return export->rest == REST_DROP ? "drop" : "reject";
}

static void rich_begin(const struct output *out, const struct rich *rich)
{
	FILE *to = out->export->to;
	fputs("  <rule", to);
	if (rich->family != FAMILY_ANY)
		fprintf(to, " family=\"%s\"", rich->family == FAMILY_IPV4 ? "ipv4" : "ipv6");
	fprintf(to, " priority=\"%d\">", out->priority);
	if (rich->source)
		fprintf(to, "<source address=\"%s\"/>", net_words(rich->source).at);
	if (rich->to)
		fprintf(to, "<destination address=\"%s\"/>", net_words(rich->to).at);
}

static void source_ports_print(const struct output *out, const struct rich *rich, uint8_t protocols,
                               const struct ports *ports, size_t n, const char *action)
{
	for (unsigned int i = 0; plan_protocol(i); i++)
		for (size_t j = 0; protocols & 1U << i && j < n; j++) {
			rich_begin(out, rich);
			fprintf(out->export->to, "<source-port port=\"%s\" protocol=\"%s\"/><%s/></rule>\n",
			        range_words(ports[j], "-").at, names[i], action);
		}
}

/* Whatever the source port. */
static void all_print(const struct output *out, const struct rich *rich, uint8_t protocols, struct ports ports,
                      const char *action)
{
	for (unsigned int i = 0; plan_protocol(i); i++) {
		if (!(protocols & 1U << i))
			continue;
		rich_begin(out, rich);
		if (ports_are_any(ports))
			fprintf(out->export->to, "<protocol value=\"%s\"/><%s/></rule>\n", names[i], action);
		else
			fprintf(out->export->to, "<port port=\"%s\" protocol=\"%s\"/><%s/></rule>\n",
			        range_words(ports, "-").at, names[i], action);
	}
}

/* --- combinations ---------------------------------------------------------------------------------------------------- */

/* Calls `each` for every source of packets: the hosts of --from, or none. */
typedef void each_source(const struct output *out, const struct rich *rich, void *context);

static void for_sources(const struct output *out, uint8_t families, each_source *each, void *context)
{
	const struct export *export = out->export;
	struct rich rich = { .family = (enum family)families };
	if (!export->remote)
		each(out, &rich, context);
	for (size_t i = 0; i < export->n_from; i++) {
		rich.family = (enum family)export->from[i].addr.family;
		rich.source = &export->from[i];
		if (rich.family & families)
			each(out, &rich, context);
	}
}

struct part {
	const struct entry *entry;
	const struct destination *destination;
	const char *action;
	bool source_ports; /* else all that goes there */
	const struct ports *ports;
	size_t n;
};

static void part_print(const struct output *out, const struct rich *rich, const struct part *part)
{
	if (part->source_ports)
		source_ports_print(out, rich, part->entry->protocols, part->ports, part->n, part->action);
	else
		all_print(out, rich, part->entry->protocols, part->destination->ports, part->action);
}

static void destination_print(const struct output *out, const struct rich *from, void *context)
{
	const struct part *part = context;
	const struct net source = { .addr = part->entry->rule->source, .prefix = 128 };
	struct rich rich = *from;
	if (part->source_ports && source.addr.family) { /* the one address of which ports are let out */
		rich.source = &source;
		if (from->source && !net_covers(from->source, &source))
			return;
	}
	if (part->destination->any)
		part_print(out, &rich, part);
	for (size_t i = 0; !part->destination->any && i < part->destination->n; i++) {
		rich.to = &part->destination->net[i];
		if (!(rich.to->addr.family & from->family))
			continue;
		rich.family = (enum family)rich.to->addr.family;
		part_print(out, &rich, part);
	}
}

/* --- entries ----------------------------------------------------------------------------------------------------------- */

static void ports_of_entry_print(const struct output *out, const struct entry *entry)
{
	struct ports *ports;
	struct destination addresses;
	size_t n = entry_ports(out->export, entry, &ports);
	entry_addresses(entry, &addresses);
	struct part part = { .entry = entry, .destination = &addresses, .action = "accept", .source_ports = true,
	                     .ports = ports, .n = n };
	for_sources(out, entry->families, destination_print, &part);
	free(addresses.net);
	free(ports);
}

static void all_of_entry_print(const struct output *out, const struct entry *entry, const char *action)
{
	struct destination *destination;
	const struct destination everywhere = { .ports = { 0, 65535 }, .any = true };
	struct part part = { .entry = entry, .destination = &everywhere, .action = action };
	size_t n = entry_destinations(entry, &destination);
	if (!entry->rule->n_to)
		for_sources(out, entry->families, destination_print, &part);
	for (size_t i = 0; i < n; i++) {
		part.destination = &destination[i];
		for_sources(out, entry->families, destination_print, &part);
	}
	destinations_free(destination, n);
}

static void entry_print(struct output *out, const struct entry *entry)
{
	plan_comment(out->export, entry, "  <!-- ", " -->");
	switch (entry->permit) {
	case PERMIT_PORTS:
		ports_of_entry_print(out, entry);
		out->priority++;
		if (entry->closes)
			all_of_entry_print(out, entry, refusal(out->export));
		break;
	case PERMIT_ANY: all_of_entry_print(out, entry, "accept"); break;
	case PERMIT_NONE: all_of_entry_print(out, entry, refusal(out->export)); break;
	case PERMIT_LEFT_OUT: return;
	}
	out->priority++;
}

/* --- the whole ------------------------------------------------------------------------------------------------------- */

static void escaped(FILE *to, const char *words)
{
	for (; *words != '\0'; words++)
		switch (*words) {
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		case '&': fputs("&amp;", to); break;
		default: putc(*words, to);
		}
}

static void head_print(const struct export *export)
{
	FILE *to = export->to;
	fputs("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
	      "<policy target=\"CONTINUE\" priority=\"-100\">\n"
	      "  <short>portshim</short>\n"
	      "  <description>What ", to);
	escaped(to, export->name);
	fprintf(to, " lets out: printed by portshim export firewalld, see portshim-export(1).</description>\n"
	            "  <ingress-zone name=\"%s\"/>\n  <egress-zone name=\"ANY\"/>\n", export->remote ? "ANY" : "HOST");
}

static void rest_print_one(const struct output *out, const struct rich *rich, void *context)
{
	const struct own *own = context;
	if (!own)
		all_print(out, rich, PROTOCOL_ANY, (struct ports){ 0, 65535 }, refusal(out->export));
	for (unsigned int i = 0; own && i < own->n; i++)
		source_ports_print(out, rich, own->set[i].protocols, own->set[i].ports, own->set[i].n,
		                   refusal(out->export));
}

static void rest_print(struct output *out, const struct plan *plan)
{
	struct own own;
	out->priority = PRIORITY_LAST;
	if (out->export->rest != REST_ACCEPT) {
		fputs("  <!-- no rule lets it out -->\n", out->export->to);
		for_sources(out, FAMILY_ANY, rest_print_one, NULL);
		return;
	}
	fputs("  <!-- no rule lets it out: then not from a port of the policy's -->\n", out->export->to);
	plan_own(&own, out->export, plan);
	for_sources(out, FAMILY_ANY, rest_print_one, &own);
	own_free(&own);
}

static void dhcp_print(struct output *out)
{
	const struct rich v4 = { .family = FAMILY_IPV4 }, v6 = { .family = FAMILY_IPV6 };
	fputs("  <!-- DHCP and DHCPv6 -->\n", out->export->to);
	all_print(out, &v4, PROTOCOL_UDP, (struct ports){ 67, 67 }, "accept");
	all_print(out, &v6, PROTOCOL_UDP, (struct ports){ 547, 547 }, "accept");
	out->priority++;
}

bool export_firewalld(const struct export *export)
{
	struct plan plan;
	struct output out = { .export = export, .priority = PRIORITY_FIRST };
	plan_make(&plan, export, &ability);
	if (2 * plan.n + 1 > PRIORITY_NOTHING_MORE - PRIORITY_FIRST) {
		say_error("export: firewalld has priorities for %d rules, and the policy has more; use nft",
		          (PRIORITY_NOTHING_MORE - PRIORITY_FIRST) / 2);
		plan_free(&plan);
		return false;
	}
	plan_warn(&plan);
	head_print(export);
	if (!export->remote)
		dhcp_print(&out);
	for (size_t i = 0; i < plan.n; i++)
		entry_print(&out, &plan.entry[i]);
	rest_print(&out, &plan);
	fputs("</policy>\n", export->to);
	plan_free(&plan);
	return true;
}
