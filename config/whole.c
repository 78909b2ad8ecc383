/* whole.c - checks across the keys of a section, after the last of them. */
#include "whole.h"

static void fault(struct taking *taking, int line, const char *key, const char *words)
{
	struct text *text = findings_words(taking->findings);

	text_add(text, key);
	text_add(text, ": ");
	text_add(text, words);
	findings_add(taking->findings, SEVERITY_ERROR, line);
}

/* Given, and accepted: worth comparing with others. */
static bool has(const struct given *given, enum key_id key)
{
	return given->line[key] && given->good[key];
}

/* Refused: what it would have said is not known. */
static bool is_open(const struct given *given, enum key_id key)
{
	return given->line[key] && !given->good[key];
}

/* `pass` and `deny` give no port: keys that say how one is given do nothing there. */
static void check_action(struct taking *taking, const struct given *given)
{
	static const enum key_id of_assign[] = {
		KEY_PORTS, KEY_CHOOSE, KEY_SHARE, KEY_COOLDOWN, KEY_EXHAUSTED, KEY_EXPLICIT, KEY_SOURCE
	};
	bool pass = taking->rule->action == ACTION_PASS;
	size_t n;

	if (is_open(given, KEY_ACTION))
		return;
	if (taking->rule->action == ACTION_ASSIGN) {
		if (!given->line[KEY_PORTS] && !given->refused)
			fault(taking, taking->rule->line, "ports", "the rule does not say which; write for example ports = 20000-20099, "
			      "or action = pass to leave its calls alone");
		return;
	}
	for (size_t i = 0; i < sizeof(of_assign) / sizeof(of_assign[0]); i++)
		if (given->line[of_assign[i]])
			fault(taking, given->line[of_assign[i]], keys_table(&n)[of_assign[i]].name,
			      pass ? "does nothing where action = pass; leave it out, or write action = assign"
			           : "does nothing where action = deny; leave it out, or write action = assign");
}

static void check_choose(struct taking *taking, const struct given *given)
{
	struct port_range kernel = taking->world->kernel;
	struct text *text;

	if (!has(given, KEY_CHOOSE) || taking->rule->choose != CHOOSE_KERNEL || !has(given, KEY_PORTS) ||
	    ports_without_holes_inside(&taking->rule->ports, kernel))
		return;
	text = findings_words(taking->findings);
	text_add(text, "choose: 'kernel' needs ports without holes inside ip_local_port_range, now ");
	text_add_number(text, kernel.lo);
	text_add(text, "-");
	text_add_number(text, kernel.hi);
	text_add(text, "; write such ports, or choose = random");
	findings_add(taking->findings, SEVERITY_ERROR, given->line[KEY_CHOOSE]);
}

/* The families that `to` can match. */
static unsigned int families_of_targets(const struct rule *rule)
{
	unsigned int families = 0;

	for (uint32_t i = 0; i < rule->n_to; i++)
		families |= rule->to[i].net.family ? rule->to[i].net.family : FAMILY_ANY;
	return families;
}

/* `source`, `family` and `to` must have a family in common, or the rule never matches. */
static void check_families(struct taking *taking, const struct given *given)
{
	const struct rule *rule = taking->rule;
	unsigned int source = has(given, KEY_SOURCE) ? rule->source.family : FAMILY_ANY;
	unsigned int family = has(given, KEY_FAMILY) ? rule->families : FAMILY_ANY;
	unsigned int to = has(given, KEY_TO) ? families_of_targets(rule) : FAMILY_ANY;

	if (!(source & family))
		fault(taking, given->line[KEY_SOURCE], "source",
		      "is of another family than 'family' says, so the rule never matches; write an address of that family");
	else if (!(source & to))
		fault(taking, given->line[KEY_SOURCE], "source",
		      "is of another family than every address in 'to', so the rule never matches; write one of theirs");
	else if (!(family & to))
		fault(taking, given->line[KEY_TO], "to",
		      "has no address of the family that 'family' says, so the rule never matches; write one of that family");
}

/* listen() has no destination, ever; a bind() can get one later, when it was deferred. */
static void check_calls(struct taking *taking, const struct given *given)
{
	if (has(given, KEY_CALL) && given->line[KEY_TO] && taking->rule->calls == CALL_LISTEN)
		fault(taking, given->line[KEY_TO], "to",
		      "a listen() has no destination, so the rule never matches; leave 'to' or 'call' out");
}

/* Worth a word, since it does nothing: a bind() has no destination when the program names its port. */
static void check_explicit(struct taking *taking, const struct given *given)
{
	const struct rule *rule = taking->rule;
	struct text *text;

	if (!has(given, KEY_EXPLICIT) || rule->explicit_port == EXPLICIT_KEEP ||
	    (rule->calls & CALL_BIND && !given->line[KEY_TO]))
		return;
	text = findings_words(taking->findings);
	text_add(text, "explicit: does nothing in a rule with 'to', or whose 'call' leaves bind out; "
	               "put it into a rule for bind without 'to'");
	findings_add(taking->findings, SEVERITY_WARNING, given->line[KEY_EXPLICIT]);
}

void whole_rule(struct taking *taking, const struct given *given)
{
	check_explicit(taking, given);
	check_action(taking, given);
	check_choose(taking, given);
	check_families(taking, given);
	check_calls(taking, given);
}
