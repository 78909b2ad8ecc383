/* report_words.c - what the picture and the page say in words. */
#define _GNU_SOURCE
#include "tools/report_show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "tools/memory.h"

#define PERCENT(part, whole) part_of(part, whole) / 10, part_of(part, whole) % 10

const char *name_or(const char *name)
{
	return *name ? name : "(not said)";
}

/* ---- figures ------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void figure_add(struct figures *figures, const char *label, const char *format, ...)
{
	va_list arguments;
	char *value;
	va_start(arguments, format);
	if (vasprintf(&value, format, arguments) < 0)
		value = memory_words("?");
	va_end(arguments);
	figures->figure[figures->n++] = (struct figure){ .label = label, .value = value };
}

static void number_figure(struct figures *figures, const char *label, uint64_t number)
{
	char words[SCALE_WORDS];
	figure_add(figures, label, "%s", scale_number(number, words));
}

static void peaks_add(struct figures *figures, const struct panels *panels, const struct panel *panel)
{
	const struct usage *usage = panels->usage;
	const struct grid *grid = &usage->grid;
	char when[SCALE_WORDS], number[SCALE_WORDS];
	uint32_t ports = panel->usage->ports[panel->fullest].n;
	grid_moment(grid, grid_start(grid, usage->base + (int64_t)panel->busiest), when);
	figure_add(figures, "busiest interval", "%s assigned in the %s from %s",
	         scale_number(panel->usage->count[panel->busiest], number), grid_words(grid), when);
	grid_moment(grid, grid_start(grid, usage->base + (int64_t)panel->fullest), when);
	scale_number(ports, number);
	if (panel->set)
		figure_add(figures, "most different ports", "%s (%" PRIu64 ".%" PRIu64 " %% of the set) in the %s from %s", number,
		         PERCENT(ports, panel->set), grid_words(grid), when);
	else
		figure_add(figures, "most different ports", "%s in the %s from %s", number, grid_words(grid), when);
}

void figures_make(struct figures *figures, const struct panels *panels, const struct panel *panel)
{
	*figures = (struct figures){ .n = 0 };
	if (panel->usage) {
		number_figure(figures, "assigned", panel->usage->assigned);
		number_figure(figures, "different ports", panel->usage->all.n);
	}
	if (panel->set)
		number_figure(figures, "ports in the set", panel->set);
	else
		figure_add(figures, "ports in the set", "not known (no policy was named that has the rule)");
	if (panel->usage && panel->usage->refused)
		number_figure(figures, "refused by the kernel", panel->usage->refused);
	if (panel->strange)
		number_figure(figures, "ports that are not in the set (now)", panel->strange);
	figures->briefs = figures->n;
	if (panel->usage && panel->usage->assigned)
		peaks_add(figures, panels, panel);
	else
		figure_add(figures, "over time", panels->evidence->files ? "nothing: the audit has no assignment of this rule" :
		           "not known: there is no audit");
}

void figures_free(struct figures *figures)
{
	for (size_t i = 0; i < figures->n; i++)
		free(figures->figure[i].value);
	figures->n = 0;
}

char *present_words(const struct panel *panel)
{
	const struct present *present = &panel->present;
	char in_use[SCALE_WORDS], ports[SCALE_WORDS], cooling[SCALE_WORDS], failures[SCALE_WORDS], waits[SCALE_WORDS];
	return memory_words("%s of %s ports in use (%" PRIu64 ".%" PRIu64 " %%), %s cooling; since the table was made %s call%s "
	                    "failed for want of a port, %s waited", scale_number(present->in_use, in_use),
	                    scale_number(present->ports, ports), PERCENT(present->in_use, present->ports),
	                    scale_number(present->cooling, cooling), scale_number(present->failures, failures),
	                    present->failures == 1 ? "" : "s", scale_number(present->waits, waits));
}

char *others_words(const struct panel *panel)
{
	size_t others = panel->shares.programs - panel->shares.n;
	return memory_words("%s%zu other%s", panel->usage && panel->usage->other_programs ? "more than " : "", others,
	                    others == 1 ? "" : "s");
}

/* ---- notes ------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void note_add(struct notes *notes, const char *format, ...)
{
	va_list arguments;
	char *line;
	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		line = memory_words("?");
	va_end(arguments);
	notes->line[notes->n++] = line;
}

static void sources_add(struct notes *notes, const struct evidence *evidence)
{
	char number[SCALE_WORDS];
	if (!evidence->files) {
		note_add(notes, "There is no audit, so what was used over time is not known: 'audit = PATH' in the policy keeps it.");
		return;
	}
	note_add(notes, "Read: %s assignment%s and refusals in %s%s.", scale_number(evidence->entries, number),
	         evidence->entries == 1 ? "" : "s", evidence->file[evidence->files - 1].shown,
	         evidence->files > 1 ? " and the files before it" : "");
	if (evidence->foreign)
		note_add(notes, "Passed over, since cut short or not of an audit: %" PRIu64 " line%s.", evidence->foreign,
		         evidence->foreign == 1 ? "" : "s");
}

static void idles_add(struct notes *notes, const struct panels *panels)
{
	char *all = NULL;
	for (size_t i = 0; i < panels->idles; i++) {
		char *longer = memory_words("%s%s%s", all ? all : "", all ? ", " : "", panels->idle[i]);
		free(all);
		all = longer;
	}
	if (all)
		note_add(notes, "Rules of the policy of whose use nothing is known in this time: %s.", all);
	free(all);
}

void notes_make(struct notes *notes, const struct panels *panels)
{
	*notes = (struct notes){ .n = 0 };
	if (panels->usage->lines) {
		note_add(notes, "Counted is every port that the audit says was assigned, at that time, whether or not the connection "
		         "then came about; those that the kernel then refused are among them.");
		note_add(notes, "The audit does not say when a port was closed: \"different ports\" are those that were given at least "
		         "once in an interval, not those in use at one time. And a port can have a connection to each of several "
		         "destinations.");
	}
	note_add(notes, "Calls that failed for want of a port are in no audit: the table counts them%s.",
	         panels->has_present ? " (see \"now\")" : ", which there is none of here");
	if (panels->has_present && panels->unchecked)
		note_add(notes, "What is in use now is by the table alone: it could not be held against the kernel's list of sockets.");
	sources_add(notes, panels->evidence);
	if (panels->audit_lost)
		note_add(notes, "Missing: %" PRIu64 " line%s that could not be written to the audit since the table was made.",
		         panels->audit_lost, panels->audit_lost == 1 ? "" : "s");
	idles_add(notes, panels);
	if (panels->usage->other_rules)
		note_add(notes, "There is room for %d rules: %" PRIu64 " lines of others were left out; name one with --rule.",
		         USAGE_RULES, panels->usage->other_rules);
}

void notes_free(struct notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		free(notes->line[i]);
	notes->n = 0;
}

char *report_span(const struct panels *panels)
{
	const struct usage *usage = panels->usage;
	char from[SCALE_WORDS], to[SCALE_WORDS], number[SCALE_WORDS], refused[SCALE_WORDS], zone[16] = "";
	if (!usage->lines) {
		const struct grid minutes = { .step = 4, .shift = 0 };
		return memory_words("%s, the present alone", grid_moment(&minutes, panels->moment, from));
	}
	time_t seconds = (time_t)(usage->last / WHEN_SECOND);
	struct tm parts = { .tm_mday = 1 };
	localtime_r(&seconds, &parts);
	strftime(zone, sizeof(zone), "%Z", &parts);
	scale_number(panels->refused, refused);
	return memory_words("%s to %s (%s), in intervals of %s: %s assigned%s%s%s",
	                    grid_moment(&usage->grid, usage->first, from), grid_moment(&usage->grid, usage->last, to), zone,
	                    grid_words(&usage->grid), scale_number(panels->assigned, number), panels->refused ? ", " : "",
	                    panels->refused ? refused : "", panels->refused ? " refused" : "");
}
