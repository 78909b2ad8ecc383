/* report_json.c - the figures of `portshim report` as JSON. */
#include <stddef.h>

#include "tools/json.h"
#include "tools/report_show.h"

static void moment_json(struct json *json, const char *key, bool known, int64_t moment)
{
	char stamp[WHEN_SIZE];
	json_words(json, key, known ? when_stamp(moment, stamp) : NULL);
}

static void number_or_null(struct json *json, const char *key, bool known, uint64_t number)
{
	if (known)
		json_number(json, key, number);
	else
		json_words(json, key, NULL);
}

static int64_t start_of(const struct usage *usage, size_t interval)
{
	return grid_start(&usage->grid, usage->base + (int64_t)interval);
}

static void programs_json(struct json *json, const struct usage_rule *rule)
{
	json_open(json, "programs", '[');
	for (size_t i = 0; i < rule->programs; i++) {
		json_open(json, NULL, '{');
		json_words(json, "program", rule->program[i]->path);
		json_number(json, "assignments", rule->program[i]->total);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_number(json, "other_programs", rule->other_programs);
}

static void users_json(struct json *json, const struct usage_rule *rule)
{
	json_open(json, "users", '[');
	for (size_t i = 0; i < rule->users; i++) {
		json_open(json, NULL, '{');
		number_or_null(json, "user", rule->user[i].user != UINT32_MAX, rule->user[i].user);
		json_number(json, "assignments", rule->user[i].total);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_number(json, "other_users", rule->other_users);
}

static void peak_json(struct json *json, const char *key, const struct usage *usage, size_t interval, const char *what,
                      uint64_t number)
{
	json_open(json, key, '{');
	moment_json(json, "time", true, start_of(usage, interval));
	json_number(json, what, number);
	json_close(json, '}');
}

/* `programs`: of the first ones, in their order, and of all others together. */
static void interval_json(struct json *json, const struct usage *usage, const struct panel *panel, size_t interval)
{
	const struct usage_rule *rule = panel->usage;
	json_open(json, NULL, '{');
	moment_json(json, "time", true, start_of(usage, interval));
	json_number(json, "assignments", rule->count[interval]);
	json_number(json, "different_ports", rule->ports[interval].n);
	json_number(json, "refused", rule->refusals[interval]);
	json_open(json, "programs", '[');
	for (size_t i = 0; i < panel->shares.n; i++)
		json_number(json, NULL, rule->program[i]->count[interval]);
	json_number(json, NULL, panel_others(panel, interval));
	json_close(json, ']');
	json_close(json, '}');
}

static void usage_json(struct json *json, const struct usage *usage, const struct panel *panel)
{
	const struct usage_rule *rule = panel->usage;
	json_number(json, "assignments", rule->assigned);
	json_number(json, "refused", rule->refused);
	json_number(json, "different_ports", rule->all.n);
	number_or_null(json, "outside_set", panel->set, panel->strange);
	peak_json(json, "busiest", usage, panel->busiest, "assignments", rule->count[panel->busiest]);
	peak_json(json, "fullest", usage, panel->fullest, "different_ports", rule->ports[panel->fullest].n);
	programs_json(json, rule);
	users_json(json, rule);
	json_open(json, "intervals", '[');
	for (size_t i = 0; i < usage_intervals(usage); i++)
		interval_json(json, usage, panel, i);
	json_close(json, ']');
}

static void present_json(struct json *json, const struct present *present)
{
	if (!present->known) {
		json_words(json, "now", NULL);
		return;
	}
	json_open(json, "now", '{');
	json_number(json, "ports", present->ports);
	json_number(json, "in_use", present->in_use);
	json_number(json, "cooling", present->cooling);
	json_number(json, "failures", present->failures);
	json_number(json, "waits", present->waits);
	json_open(json, "programs", '[');
	for (size_t i = 0; i < present->shares.n; i++) {
		json_open(json, NULL, '{');
		json_words(json, "program", present->shares.portion[i].name);
		json_number(json, "ports", present->shares.portion[i].total);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_number(json, "others", present->shares.others);
	json_close(json, '}');
}

static void sources_json(struct json *json, const struct panels *panels)
{
	const struct evidence *evidence = panels->evidence;
	json_open(json, "audit", '[');
	for (size_t i = 0; i < evidence->files; i++)
		json_words(json, NULL, evidence->file[i].path);
	json_close(json, ']');
	json_words(json, "table", panels->table);
	number_or_null(json, "audit_lost", panels->table, panels->audit_lost);
	json_number(json, "lines", panels->usage->lines);
	json_number(json, "lines_of_other_times", panels->usage->elsewhen);
	json_number(json, "lines_of_other_rules", panels->usage->other_rules);
	json_number(json, "passed_over", evidence->foreign);
}

void report_json(const struct panels *panels, FILE *to)
{
	const struct usage *usage = panels->usage;
	struct json json = { .to = to };
	json_open(&json, NULL, '{');
	moment_json(&json, "from", usage->lines, usage->first);
	moment_json(&json, "to", usage->lines, usage->last);
	number_or_null(&json, "interval", usage->lines, (uint64_t)(grid_length(&usage->grid) / WHEN_SECOND));
	sources_json(&json, panels);
	moment_json(&json, "now", panels->has_present, panels->moment);
	json_bool(&json, "checked", panels->has_present && !panels->unchecked);
	json_open(&json, "rules", '[');
	for (size_t i = 0; i < panels->n; i++) {
		const struct panel *panel = &panels->panel[i];
		json_open(&json, NULL, '{');
		json_words(&json, "rule", panel->name);
		number_or_null(&json, "ports", panel->set, panel->set);
		present_json(&json, &panel->present);
		if (panel->usage)
			usage_json(&json, usage, panel);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_open(&json, "idle", '[');
	for (size_t i = 0; i < panels->idles; i++)
		json_words(&json, NULL, panels->idle[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}
