/* panels.c - joins what audit, policy and table say of each rule. */
#define _GNU_SOURCE
#include "tools/panels.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"
#include "tools/snapshot.h"
#include "tools/utf8.h"

const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

uint64_t part_of(uint64_t part, uint64_t whole)
{
	return whole ? part * 1000 / whole : 0;
}

/* The table has names fit to be shown, and no longer than it has room for. */
static bool same_name(const char *name, const char *of_table)
{
	char *shown = memory_words("%.*s", (int)RULE_NAME_SIZE - 1, name);
	utf8_clean(shown);
	bool same = strcmp(shown, of_table) == 0;
	free(shown);
	return same;
}

static struct panel *panel_add(struct panels *panels, const char *name)
{
	panels->panel = memory_for_one(panels->panel, panels->n, &panels->room, sizeof(*panels->panel));
	panels->panel[panels->n] = (struct panel){ .name = memory_words("%s", name) };
	return &panels->panel[panels->n++];
}

static bool has_panel(const struct panels *panels, const char *name, bool of_table)
{
	for (size_t i = 0; i < panels->n; i++)
		if (of_table ? same_name(panels->panel[i].name, name) : strcmp(panels->panel[i].name, name) == 0)
			return true;
	return false;
}

/* ---- the present ----------------------------------------------------------------------------------------- */

static const struct shown_rule *shown_named(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->rules; i++)
		if (same_name(name, snapshot->rule[i].name))
			return &snapshot->rule[i];
	return NULL;
}

/* A program and its ports now. */
struct holding {
	char *program;
	struct port_bits ports;
};

struct holdings {
	struct holding *holding;
	size_t n, room;
	struct port_bits all;
};

/* By the path of the executable, as the audit has it; where this user may not know it, by the process's name. */
static struct holding *holding_of(struct holdings *holdings, const struct row *row)
{
	char path[PATH_MAX];
	program_path(row->pid, path, sizeof(path));
	const char *program = path[0] ? path : row->program;
	for (size_t i = 0; i < holdings->n; i++)
		if (strcmp(holdings->holding[i].program, program) == 0)
			return &holdings->holding[i];
	holdings->holding = memory_for_one(holdings->holding, holdings->n, &holdings->room, sizeof(*holdings->holding));
	holdings->holding[holdings->n] = (struct holding){ .program = memory_words("%s", program) };
	return &holdings->holding[holdings->n++];
}

static int by_ports(const void *a, const void *b)
{
	const struct holding *one = a, *other = b;
	int order = (one->ports.n < other->ports.n) - (one->ports.n > other->ports.n);
	return order ? order : strcmp(one->program, other->program);
}

/* A port that several share is counted for the first. */
static void holdings_find(struct holdings *holdings, const struct snapshot *snapshot, const char *rule)
{
	for (size_t i = 0; i < snapshot->rows; i++) {
		const struct row *row = &snapshot->row[i];
		if (row->rule == NO_RULE || (row->state != ROW_HELD && row->state != ROW_CLAIMED) || !row->program[0] ||
		    strcmp(snapshot->rule[row->rule].name, rule) != 0 || port_bits_have(&holdings->all, row->local.port))
			continue;
		port_bits_add(&holdings->all, row->local.port);
		port_bits_add(&holding_of(holdings, row)->ports, row->local.port);
	}
	if (holdings->n)
		qsort(holdings->holding, holdings->n, sizeof(*holdings->holding), by_ports);
}

/* Frees it with the panels. */
static char *name_keep(struct panels *panels, char *name)
{
	panels->name = memory_for_one(panels->name, panels->names, &panels->names_room, sizeof(char *));
	return panels->name[panels->names++] = name;
}

/* Before rules of one name become one: a row says which of them it is of. */
static void present_programs(struct panels *panels, struct present *present, const struct snapshot *snapshot,
                             const char *rule)
{
	struct holdings holdings = { .n = 0 };
	holdings_find(&holdings, snapshot, rule);
	present->shares.programs = holdings.n;
	for (size_t i = 0; i < holdings.n; i++) {
		struct holding *holding = &holdings.holding[i];
		const char *name = name_keep(panels, holding->program);
		if (i < PANEL_SHARES)
			present->shares.portion[present->shares.n++] = (struct portion){ .name = name, .total = holding->ports.n };
		port_bits_free(&holding->ports);
	}
	port_bits_free(&holdings.all);
	free(holdings.holding);
}

/* ---- panels ------------------------------------------------------------------------------------------------ */

static const struct usage_rule *usage_named(const struct usage *usage, const char *name)
{
	for (size_t i = 0; i < usage->rules; i++)
		if (strcmp(usage->rule[i]->name, name) == 0)
			return usage->rule[i];
	return NULL;
}

static const struct rule *rule_named(const struct evidence *evidence, const char *name)
{
	for (uint32_t i = 0; evidence->has_policy && i < evidence->policy.policy.rules; i++)
		if (strcmp(evidence->policy.policy.rule[i].name, name) == 0)
			return &evidence->policy.policy.rule[i];
	return NULL;
}

static void order_make(struct panels *panels, const struct evidence *evidence, const struct snapshot *snapshot,
                       const char *only)
{
	const struct usage *usage = panels->usage;
	for (uint32_t i = 0; evidence->has_policy && i < evidence->policy.policy.rules; i++) {
		const struct rule *rule = &evidence->policy.policy.rule[i];
		if (rule->action != ACTION_ASSIGN || (only && strcmp(rule->name, only) != 0))
			continue;
		if (usage_named(usage, rule->name) || shown_named(snapshot, rule->name)) {
			panel_add(panels, rule->name);
			continue;
		}
		panels->idle = memory_for_one(panels->idle, panels->idles, &panels->idle_room, sizeof(char *));
		panels->idle[panels->idles++] = memory_words("%s", rule->name);
	}
	for (size_t i = 0; i < usage->rules; i++)
		if (!has_panel(panels, usage->rule[i]->name, false))
			panel_add(panels, usage->rule[i]->name);
	for (size_t i = 0; i < snapshot->rules; i++)
		if (!has_panel(panels, snapshot->rule[i].name, true) && (!only || same_name(only, snapshot->rule[i].name)))
			panel_add(panels, snapshot->rule[i].name);
}

static void set_know(struct panel *panel, const struct rule *rule, const struct shown_rule *shown)
{
	panel->set = rule && rule->action == ACTION_ASSIGN ? rule->ports.count : shown ? shown->ports : 0;
	if (!panel->set || !panel->usage)
		return;
	for (uint32_t port = 1; port <= UINT16_MAX; port++)
		if (port_bits_have(&panel->usage->all, (uint16_t)port))
			panel->strange += rule && rule->action == ACTION_ASSIGN ? !ports_contain(&rule->ports, (uint16_t)port) :
			                  shown->cut ? 0 : !rule_has_port(shown, (uint16_t)port);
}

static void present_know(struct panels *panels, struct present *present, const struct shown_rule *shown)
{
	uint64_t told = 0;
	present->known = panels->has_present = true;
	present->ports = shown->ports;
	present->in_use = shown->in_use;
	present->cooling = shown->cooling;
	present->failures = shown->failures;
	present->waits = shown->waits;
	for (size_t i = 0; i < present->shares.n; i++)
		told += present->shares.portion[i].total;
	present->shares.others = present->in_use > told ? present->in_use - told : 0;
}

static void usage_know(struct panels *panels, struct panel *panel)
{
	const struct usage_rule *usage = panel->usage;
	uint64_t shown = 0;
	for (size_t i = 0; i < usage->programs && i < PANEL_SHARES; i++) {
		panel->shares.portion[i] = (struct portion){ .name = usage->program[i]->path, .total = usage->program[i]->total };
		panel->shares.n = i + 1;
		shown += usage->program[i]->total;
	}
	panel->shares.programs = usage->programs;
	panel->shares.others = usage->assigned - shown;
	for (size_t i = 1; i < usage_intervals(panels->usage); i++) {
		if (usage->count[i] > usage->count[panel->busiest])
			panel->busiest = i;
		if (usage->ports[i].n > usage->ports[panel->fullest].n)
			panel->fullest = i;
	}
	panels->assigned += usage->assigned;
	panels->refused += usage->refused;
}

uint64_t panel_others(const struct panel *panel, size_t interval)
{
	uint64_t others = panel->usage->count[interval];
	for (size_t i = 0; i < panel->shares.n; i++)
		others -= panel->usage->program[i]->count[interval];
	return others;
}

/* ---- colours: a program has the same one in each panel, as far as they go round ------------------------------ */

enum { REMEMBERED = 64, KEY_MOST = 15 /* as the kernel cuts a process's name, which may be all that is known */ };

struct colours {
	struct { char name[KEY_MOST + 1]; unsigned colour; } known[REMEMBERED];
	size_t n;
	unsigned uses[PANEL_SHARES]; /* programs that have it */
};

static void key_of(const char *path, char key[KEY_MOST + 1])
{
	const char *name = base_name(path);
	size_t length = strnlen(name, KEY_MOST);
	memcpy(key, name, length);
	key[length] = '\0';
}

static unsigned colour_known(const struct colours *colours, const char *name)
{
	char key[KEY_MOST + 1];
	key_of(name, key);
	for (size_t i = 0; i < colours->n; i++)
		if (strcmp(colours->known[i].name, key) == 0)
			return colours->known[i].colour;
	return PANEL_SHARES;
}

/* Of those that this panel has left, the one that the fewest have. */
static unsigned colour_new(struct colours *colours, const bool taken[PANEL_SHARES], const char *name)
{
	unsigned best = 0;
	for (unsigned i = 1; i < PANEL_SHARES; i++)
		if (taken[best] || (!taken[i] && colours->uses[i] < colours->uses[best]))
			best = i;
	colours->uses[best]++;
	if (colours->n < REMEMBERED) {
		key_of(name, colours->known[colours->n].name);
		colours->known[colours->n++].colour = best;
	}
	return best;
}

static void colours_give(struct colours *colours, struct shares *shares)
{
	bool taken[PANEL_SHARES] = { false };
	for (size_t i = 0; i < shares->n; i++) {
		unsigned known = colour_known(colours, shares->portion[i].name);
		bool free_yet = known < PANEL_SHARES && !taken[known];
		shares->portion[i].colour = free_yet ? known : PANEL_SHARES;
		taken[free_yet ? known : 0] |= free_yet;
	}
	for (size_t i = 0; i < shares->n; i++)
		if (shares->portion[i].colour == PANEL_SHARES) {
			shares->portion[i].colour = colour_new(colours, taken, shares->portion[i].name);
			taken[shares->portion[i].colour] = true;
		}
}

/* ---------------------------------------------------------------------------------------------------------- */

/* In `snapshot` rules of one name are one by now. */
static void panels_fill(struct panels *panels, const struct evidence *evidence, const struct snapshot *snapshot)
{
	struct colours colours = { .n = 0 };
	for (size_t i = 0; i < panels->n; i++) {
		struct panel *panel = &panels->panel[i];
		const struct shown_rule *shown = shown_named(snapshot, panel->name);
		panel->usage = usage_named(panels->usage, panel->name);
		set_know(panel, rule_named(evidence, panel->name), shown);
		if (panel->usage)
			usage_know(panels, panel);
		if (shown)
			present_know(panels, &panel->present, shown);
		colours_give(&colours, &panel->shares);
	}
	for (size_t i = 0; i < panels->n; i++)
		colours_give(&colours, &panels->panel[i].present.shares);
}

int panels_make(struct panels *panels, const struct usage *usage, const struct evidence *evidence, const char *rule)
{
	int error;
	*panels = (struct panels){ .usage = usage, .evidence = evidence, .moment = when_now() };
	const struct table *table = table_file_look(&evidence->table, &error);
	if (error)
		return table_file_failed(&evidence->table, error);
	struct snapshot *snapshot = memory_zeroed(1, sizeof(*snapshot));
	if (table) {
		snapshot_take(snapshot, table, NULL);
		snapshot_who(snapshot, table);
		table_file_warn(&evidence->table, snapshot->error);
		panels->table = memory_words("%s", evidence->table.path);
		panels->audit_lost = snapshot->audit_lost;
		panels->unchecked = snapshot->error;
	}
	order_make(panels, evidence, snapshot, rule);
	for (size_t i = 0; i < panels->n; i++) {
		const struct shown_rule *shown = shown_named(snapshot, panels->panel[i].name);
		if (shown)
			present_programs(panels, &panels->panel[i].present, snapshot, shown->name);
	}
	if (table)
		snapshot_unite(snapshot, table);
	panels_fill(panels, evidence, snapshot);
	table_file_leave(table);
	snapshot_free(snapshot);
	free(snapshot);
	return EXIT_SUCCESS;
}

void panels_free(struct panels *panels)
{
	for (size_t i = 0; i < panels->n; i++)
		free(panels->panel[i].name);
	for (size_t i = 0; i < panels->idles; i++)
		free(panels->idle[i]);
	for (size_t i = 0; i < panels->names; i++)
		free(panels->name[i]);
	free(panels->panel);
	free(panels->idle);
	free(panels->name);
	free(panels->table);
	*panels = (struct panels){ .n = 0 };
}
