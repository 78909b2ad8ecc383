/* report_html.c - a page of its own with the picture of each rule and its figures in tables. No script, and nothing from elsewhere. */
#include "tools/report_show.h"

#include <inttypes.h>
#include <stdlib.h>

#include "tools/memory.h"
#include "tools/rule_words.h"
#include "tools/xml.h"

static void head_write(FILE *to)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" REPORT_TITLE "</title>\n<style>\n"
	      ":root{color-scheme:light dark}\n"
	      "body{font-family:sans-serif;max-width:960px;margin:1.5em auto;padding:0 1em;background:#fff;color:#1f2328}\n"
	      "svg{display:block;max-width:100%;height:auto}\n"
	      "table{border-collapse:collapse;margin:.5em 0 1em 20px;font-size:14px}\n"
	      "caption{text-align:left;font-weight:bold;padding:.3em 0}\n"
	      "th,td{text-align:left;padding:.15em 1.2em .15em 0;border-bottom:1px solid #d8dee4;vertical-align:top;"
	      "overflow-wrap:anywhere}\n"
	      "th{font-weight:normal}td.r,th.r{text-align:right;white-space:nowrap}td.p{font-family:monospace}\n"
	      "section{border-top:1px solid #d8dee4;margin-top:1em}\n"
	      "summary{margin-left:20px}li{font-size:14px}\n"
	      "@media (prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}th,td,section{border-color:#30363d}}\n",
	      to);
	picture_style(to);
	fputs("</style>\n</head>\n<body>\n", to);
}

static void caption_write(FILE *to, const char *caption, const char *first, const char *second)
{
	fprintf(to, "<table>\n<caption>%s</caption>\n<thead><tr><th scope=\"col\">%s</th><th class=\"r\" scope=\"col\">%s</th>"
	        "<th class=\"r\" scope=\"col\">Part</th></tr></thead>\n<tbody>\n", caption, first, second);
}

static void row_write(FILE *to, const char *name, uint64_t number, uint64_t whole)
{
	char words[SCALE_WORDS];
	fputs("<tr><td class=\"p\">", to);
	xml_words(to, name);
	fprintf(to, "</td><td class=\"r\">%s</td><td class=\"r\">%" PRIu64 ".%" PRIu64 " %%</td></tr>\n",
	        scale_number(number, words), part_of(number, whole) / 10, part_of(number, whole) % 10);
}

static void table_end(FILE *to)
{
	fputs("</tbody>\n</table>\n", to);
}

static void figures_write(const struct panels *panels, const struct panel *panel, FILE *to)
{
	struct figures figures;
	figures_make(&figures, panels, panel);
	fputs("<table>\n<caption>Figures</caption>\n<tbody>\n", to);
	for (size_t i = 0; i < figures.n; i++) {
		fprintf(to, "<tr><th scope=\"row\">%s</th><td>", figures.figure[i].label);
		xml_words(to, figures.figure[i].value);
		fputs("</td></tr>\n", to);
	}
	if (panel->present.known) {
		char *words = present_words(panel);
		fprintf(to, "<tr><th scope=\"row\">now</th><td>%s</td></tr>\n", words);
		free(words);
	}
	table_end(to);
	figures_free(&figures);
}

static void programs_write(const struct usage_rule *rule, FILE *to)
{
	caption_write(to, "Programs", "Program", "Assigned");
	for (size_t i = 0; i < rule->programs; i++)
		row_write(to, name_or(rule->program[i]->path), rule->program[i]->total, rule->assigned);
	if (rule->other_programs)
		row_write(to, "others", rule->other_programs, rule->assigned);
	table_end(to);
}

static void users_write(const struct usage_rule *rule, FILE *to)
{
	caption_write(to, "Users", "User", "Assigned");
	for (size_t i = 0; i < rule->users; i++) {
		char *words = rule->user[i].user == UINT32_MAX ? memory_words("(not said)") : user_words(rule->user[i].user);
		row_write(to, words, rule->user[i].total, rule->assigned);
		free(words);
	}
	if (rule->other_users)
		row_write(to, "others", rule->other_users, rule->assigned);
	table_end(to);
}

static void present_write(const struct present *present, FILE *to)
{
	caption_write(to, "Now", "Program", "Ports");
	for (size_t i = 0; i < present->shares.n; i++)
		row_write(to, present->shares.portion[i].name, present->shares.portion[i].total, present->ports);
	if (present->shares.others)
		row_write(to, "TIME-WAIT and others", present->shares.others, present->ports);
	table_end(to);
}

static void intervals_write(const struct panels *panels, const struct usage_rule *rule, FILE *to)
{
	const struct usage *usage = panels->usage;
	fprintf(to, "<details>\n<summary>Intervals of %s</summary>\n<table>\n<thead><tr><th scope=\"col\">From</th><th class=\"r\" "
	        "scope=\"col\">Assigned</th><th class=\"r\" scope=\"col\">Different ports</th><th class=\"r\" scope=\"col\">Refused"
	        "</th></tr></thead>\n<tbody>\n", grid_words(&usage->grid));
	for (size_t i = 0; i < usage_intervals(usage); i++) {
		char when[SCALE_WORDS];
		if (!rule->count[i] && !rule->refusals[i])
			continue;
		fprintf(to, "<tr><td>%s</td><td class=\"r\">%" PRIu64 "</td><td class=\"r\">%" PRIu32 "</td><td class=\"r\">%" PRIu64
		        "</td></tr>\n", grid_moment(&usage->grid, grid_start(&usage->grid, usage->base + (int64_t)i), when),
		        rule->count[i], rule->ports[i].n, rule->refusals[i]);
	}
	table_end(to);
	fputs("</details>\n", to);
}

static void panel_write(const struct panels *panels, const struct panel *panel, FILE *to)
{
	int height = picture_height(panel);
	fputs("<section aria-label=\"Rule ", to);
	xml_words(to, name_or(panel->name));
	fprintf(to, "\">\n<svg width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"" REPORT_TITLE
	        " by the rule ", PICTURE_WIDTH, height, PICTURE_WIDTH, height);
	xml_words(to, name_or(panel->name));
	fputs("\">\n", to);
	picture_draw(panels, panel, to);
	fputs("</svg>\n", to);
	figures_write(panels, panel, to);
	if (panel->usage) {
		programs_write(panel->usage, to);
		users_write(panel->usage, to);
	}
	if (panel->present.known && panel->present.in_use)
		present_write(&panel->present, to);
	if (panel->usage)
		intervals_write(panels, panel->usage, to);
	fputs("</section>\n", to);
}

void report_html(const struct panels *panels, FILE *to)
{
	struct notes notes;
	char *span = report_span(panels);
	head_write(to);
	fputs("<h1>" REPORT_TITLE "</h1>\n<p>", to);
	xml_words(to, span);
	fputs("</p>\n", to);
	for (size_t i = 0; i < panels->n; i++)
		panel_write(panels, &panels->panel[i], to);
	notes_make(&notes, panels);
	fputs("<section>\n<ul>\n", to);
	for (size_t i = 0; i < notes.n; i++) {
		fputs("<li>", to);
		xml_words(to, notes.line[i]);
		fputs("</li>\n", to);
	}
	fputs("</ul>\n</section>\n</body>\n</html>\n", to);
	notes_free(&notes);
	free(span);
}
