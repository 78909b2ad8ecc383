/* picture.c - a rule's part of the picture.
 *
 * From top to bottom: the rule's name and its figures; bars for the ports that were assigned in each interval, a layer for each program;
 * a row of marks where the kernel refused some; bars for how many different ports these were, against the size of the set; the
 * axis of time, which all of them share; and a bar for the set as it is now. To the right the programs and the users with their
 * totals. What is not known has no place. Names are in a font in which all characters are equally wide, so that they can be cut
 * to fit. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"
#include "tools/report_show.h"
#include "tools/rule_words.h"
#include "tools/xml.h"

enum {
	LEFT = 72, RIGHT = 704, SIDE = 728, FAR = PICTURE_WIDTH - 20,
	TITLE = 22, FIGURES = 42, LINE = 17,
	UPPER = 116, UPPER_END = 226,          /* the bars for assignments */
	MARKS = 234, MARKS_END = 240,          /* the kernel's refusals */
	LOWER = 266, SET_TOP = 280, LOWER_END = 342, /* different ports; full at SET_TOP */
	AXIS_END = 384,
	NOW_HEIGHT = 62,
	NAME_COLUMNS = 21, TICKS_ACROSS = 9, TICKS_UP = 4, TICKS_LOWER = 2, USERS_SHOWN = 3, BAR_MOST = 28, FULL = 900 /* thousandths */
};

void picture_style(FILE *to)
{
	fputs("text{font-family:sans-serif;font-size:12px;fill:#1f2328}\n"
	      "text.b{font-family:monospace;font-size:15px;font-weight:bold}\n"
	      "text.l{font-size:19px;font-weight:bold}\n"
	      "text.n{font-family:monospace;font-size:11px}\n"
	      "text.a{font-size:11px}\n"
	      "text.m{fill:#59636e}\n"
	      "text.e{text-anchor:end}\n"
	      "text.c{text-anchor:middle}\n"
	      "text.s{font-size:11px;text-anchor:end;stroke:#fff;stroke-width:3px;paint-order:stroke}\n"
	      ".bg{fill:#fff}\n"
	      ".g{stroke:#d8dee4}\n"
	      ".x{stroke:#59636e}\n"
	      ".z{stroke:#1f2328;stroke-width:1.5;stroke-dasharray:6 3}\n"
	      ".c0{fill:#0072b2}.c1{fill:#e69f00}.c2{fill:#009e73}.c3{fill:#cc79a7}.c4{fill:#56b4e9}.c5{fill:#d55e00}\n"
	      ".co{fill:#8c959f}\n"
	      ".d{fill:#6e7781}.w{fill:#d1242f}\n"
	      ".f{fill:#eaeef2}\n"
	      ".h{fill:#000;fill-opacity:0}.h:hover{fill-opacity:.12}\n"
	      "@media (prefers-color-scheme:dark){\n"
	      "text{fill:#e6edf3}text.m{fill:#9ea7b3}text.s{stroke:#0d1117}\n"
	      ".bg{fill:#0d1117}.g{stroke:#30363d}.x{stroke:#9ea7b3}.z{stroke:#e6edf3}\n"
	      ".c0{fill:#2f8fd0}.c4{fill:#9ad4f5}.c5{fill:#e8703a}.co{fill:#6e7681}\n"
	      ".d{fill:#8b949e}.w{fill:#ff6b6b}.f{fill:#21262d}.h{fill:#fff}\n"
	      "}\n", to);
}

int picture_height(const struct panel *panel)
{
	int top = panel->usage ? AXIS_END : FIGURES + LINE;
	return top + (panel->present.known ? NOW_HEIGHT : 0) + 14;
}

/* ---- pieces -------------------------------------------------------------------------------------------- */

static void text_at(FILE *to, double x, double y, const char *class, const char *words)
{
	fprintf(to, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	xml_words(to, words);
	fputs("</text>\n", to);
}

/* The whole of a name that is cut shows when the pointer is on it. */
static void name_at(FILE *to, double x, double y, const char *class, const char *name, size_t columns, bool tail)
{
	fprintf(to, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	xml_fit(to, name, columns, tail);
	fputs("<title>", to);
	xml_words(to, name);
	fputs("</title></text>\n", to);
}

static void line_at(FILE *to, const char *class, double x1, double y1, double x2, double y2)
{
	fprintf(to, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", class, x1, y1, x2, y2);
}

static void swatch_at(FILE *to, const char *class, double x, double y)
{
	fprintf(to, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\"/>\n", class, x, y - 9);
}

static const char *colour_class(unsigned colour)
{
	static const char *const classes[] = { "c0", "c1", "c2", "c3", "c4", "c5" };
	return classes[colour % PANEL_SHARES];
}

/* ---- charts ---------------------------------------------------------------------------------------------- */

struct drawing {
	const struct usage *usage;
	const struct panel *panel;
	FILE *to;
	size_t n;            /* intervals */
	int64_t start, end;  /* of the axis */
	double pitch, bar;   /* from one interval to the next; how wide a bar is */
	uint64_t top;        /* of the numbers in the upper chart */
	uint64_t lower_top;
};

static double x_of(const struct drawing *drawing, int64_t moment)
{
	return LEFT + (double)(moment - drawing->start) / (double)(drawing->end - drawing->start) * (RIGHT - LEFT);
}

/* How high a number is, in a chart whose `top` is `height` high; what there is can be seen. */
static double height_of(uint64_t number, uint64_t top, double height)
{
	double high = top ? (double)number / (double)top * height : 0;
	return number && high < 1 ? 1 : high;
}

/* A bar from `base` upwards, in a path that is open. */
static void bar_add(const struct drawing *drawing, size_t interval, double base, double height)
{
	double x = LEFT + drawing->pitch * (double)interval + (drawing->pitch - drawing->bar) / 2;
	if (height > 0)
		fprintf(drawing->to, "M%.2f %.1fv-%.2fh%.2fV%.1fz", x, base, height, drawing->bar, base);
}

/* Lines across and their numbers, from 0 on; no more than `most` above that. */
static void grid_draw(const struct drawing *drawing, uint64_t top, double base, double height, unsigned most)
{
	uint64_t step = scale_step(top, most);
	for (uint64_t number = 0; number <= top; number += step) {
		char words[SCALE_WORDS];
		double y = base - height_of(number, top, height);
		if (number)
			line_at(drawing->to, "g", LEFT, y, RIGHT, y);
		text_at(drawing->to, LEFT - 8, y + 4, "a m e", scale_short(number, step, words));
	}
}

/* From the baseline up to the first `programs` together, or to all with `others`: each layer covers the lower part of the one that is
 * drawn before it. */
static void layer_draw(const struct drawing *drawing, const char *class, size_t programs, bool others)
{
	const struct usage_rule *rule = drawing->panel->usage;
	fprintf(drawing->to, "<path class=\"%s\" d=\"", class);
	for (size_t i = 0; i < drawing->n; i++) {
		uint64_t number = others ? rule->count[i] : 0;
		for (size_t j = 0; j < programs && !others; j++)
			number += rule->program[j]->count[i];
		bar_add(drawing, i, UPPER_END, height_of(number, drawing->top, UPPER_END - UPPER));
	}
	fputs("\"/>\n", drawing->to);
}

static void upper_draw(const struct drawing *drawing)
{
	const struct shares *shares = &drawing->panel->shares;
	char *caption = memory_words("Ports assigned in each interval of %s, by program", grid_words(&drawing->usage->grid));
	text_at(drawing->to, LEFT, UPPER - 12, "a m", caption);
	free(caption);
	grid_draw(drawing, drawing->top, UPPER_END, UPPER_END - UPPER, TICKS_UP);
	if (shares->others)
		layer_draw(drawing, "co", shares->n, true);
	for (size_t i = shares->n; i-- > 0;)
		layer_draw(drawing, colour_class(shares->portion[i].colour), i + 1, false);
	line_at(drawing->to, "x", LEFT, UPPER_END, RIGHT, UPPER_END);
}

static void marks_draw(const struct drawing *drawing)
{
	const struct usage_rule *rule = drawing->panel->usage;
	if (!rule->refused)
		return;
	text_at(drawing->to, LEFT - 8, MARKS_END + 2, "a m e", "refused");
	fputs("<path class=\"w\" d=\"", drawing->to);
	for (size_t i = 0; i < drawing->n; i++)
		bar_add(drawing, i, MARKS_END, rule->refusals[i] ? MARKS_END - MARKS : 0);
	fputs("\"/>\n", drawing->to);
}

static bool is_full(const struct panel *panel, size_t interval)
{
	return panel->set && part_of(panel->usage->ports[interval].n, panel->set) >= FULL;
}

static void ports_draw(const struct drawing *drawing, const char *class, bool full)
{
	fprintf(drawing->to, "<path class=\"%s\" d=\"", class);
	for (size_t i = 0; i < drawing->n; i++)
		if (is_full(drawing->panel, i) == full)
			bar_add(drawing, i, LOWER_END, height_of(drawing->panel->usage->ports[i].n, drawing->lower_top,
			                                         LOWER_END - SET_TOP));
	fputs("\"/>\n", drawing->to);
}

static void set_line_draw(const struct drawing *drawing)
{
	char number[SCALE_WORDS];
	uint32_t set = drawing->panel->set;
	double y = LOWER_END - height_of(set, drawing->lower_top, LOWER_END - SET_TOP);
	char *words = memory_words("%s in the set", scale_number(set, number));
	line_at(drawing->to, "z", LEFT, y, RIGHT, y);
	text_at(drawing->to, RIGHT - 4, y - 4, "s", words);
	free(words);
}

static void lower_draw(const struct drawing *drawing)
{
	const struct panel *panel = drawing->panel;
	bool any_full = is_full(panel, panel->fullest);
	text_at(drawing->to, LEFT, LOWER - 5, "a m", any_full ? "Different ports among them; red: at least 90 % of the set" :
	        "Different ports among them");
	grid_draw(drawing, drawing->lower_top, LOWER_END, LOWER_END - SET_TOP, TICKS_LOWER);
	ports_draw(drawing, "d", false);
	if (any_full)
		ports_draw(drawing, "w", true);
	if (panel->set)
		set_line_draw(drawing);
	line_at(drawing->to, "x", LEFT, LOWER_END, RIGHT, LOWER_END);
}

static void axis_draw(const struct drawing *drawing)
{
	struct tick tick[SCALE_TICKS];
	size_t n = scale_ticks(tick, drawing->start, drawing->end, TICKS_ACROSS);
	for (size_t i = 0; i < n; i++) {
		double x = x_of(drawing, tick[i].moment);
		line_at(drawing->to, "x", x, LOWER_END, x, LOWER_END + 5);
		text_at(drawing->to, x, LOWER_END + 18, "a m c", tick[i].words);
		if (tick[i].below[0])
			text_at(drawing->to, x, LOWER_END + 32, "a m c", tick[i].below);
	}
}

/* What an interval has, where the pointer is on it. */
static void hover_draw(const struct drawing *drawing, size_t i)
{
	const struct panel *panel = drawing->panel;
	const struct usage_rule *rule = panel->usage;
	char words[SCALE_WORDS];
	if (!rule->count[i] && !rule->refusals[i])
		return;
	fprintf(drawing->to, "<rect class=\"h\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"><title>",
	        LEFT + drawing->pitch * (double)i, UPPER, drawing->pitch, LOWER_END - UPPER);
	fprintf(drawing->to, "%s, %s: %" PRIu64 " assigned, %" PRIu32 " different ports",
	        grid_moment(&drawing->usage->grid, grid_start(&drawing->usage->grid, drawing->usage->base + (int64_t)i), words),
	        grid_words(&drawing->usage->grid), rule->count[i], rule->ports[i].n);
	if (rule->refusals[i])
		fprintf(drawing->to, ", %" PRIu64 " refused", rule->refusals[i]);
	for (size_t j = 0; j < panel->shares.n; j++) {
		if (!rule->program[j]->count[i])
			continue;
		fprintf(drawing->to, "\n%" PRIu64 " ", rule->program[j]->count[i]);
		xml_words(drawing->to, name_or(rule->program[j]->path));
	}
	if (panel_others(panel, i))
		fprintf(drawing->to, "\n%" PRIu64 " others", panel_others(panel, i));
	fputs("</title></rect>\n", drawing->to);
}

static void charts_draw(struct drawing *drawing)
{
	const struct usage *usage = drawing->usage;
	const struct panel *panel = drawing->panel;
	drawing->n = usage_intervals(usage);
	drawing->start = grid_start(&usage->grid, usage->base);
	drawing->end = grid_start(&usage->grid, usage->base + (int64_t)drawing->n);
	drawing->pitch = (double)(RIGHT - LEFT) / (double)drawing->n;
	drawing->bar = drawing->pitch >= 6 ? drawing->pitch - 1 : drawing->pitch;
	drawing->bar = drawing->bar > BAR_MOST ? BAR_MOST : drawing->bar;
	drawing->top = panel->usage->count[panel->busiest];
	drawing->lower_top = panel->usage->ports[panel->fullest].n;
	drawing->lower_top = drawing->lower_top < panel->set ? panel->set : drawing->lower_top;
	upper_draw(drawing);
	marks_draw(drawing);
	lower_draw(drawing);
	axis_draw(drawing);
	for (size_t i = 0; i < drawing->n; i++)
		hover_draw(drawing, i);
}

/* ---- words ------------------------------------------------------------------------------------------------- */

static void figures_draw(const struct panels *panels, const struct panel *panel, FILE *to)
{
	struct figures figures;
	figures_make(&figures, panels, panel);
	fprintf(to, "<text class=\"m\" x=\"20\" y=\"%d\">", FIGURES);
	for (size_t i = 0; i < figures.briefs; i++) {
		fprintf(to, "%s%s: ", i ? " \xc2\xb7 " : "", figures.figure[i].label);
		xml_words(to, figures.figure[i].value);
	}
	fputs("</text>\n", to);
	for (size_t i = figures.briefs; i < figures.n; i++) {
		char *line = memory_words("%s: %s", figures.figure[i].label, figures.figure[i].value);
		text_at(to, 20, (double)(FIGURES + LINE * (int)(i - figures.briefs + 1)), "m", line);
		free(line);
	}
	figures_free(&figures);
}

static void total_draw(FILE *to, double y, const char *class, const char *name, bool tail, uint64_t total)
{
	char number[SCALE_WORDS];
	if (class)
		swatch_at(to, class, SIDE, y);
	name_at(to, SIDE + 16, y, "n", name, NAME_COLUMNS, tail);
	text_at(to, FAR, y, "n e", scale_number(total, number));
}

static double programs_draw(const struct panel *panel, double y, FILE *to)
{
	const struct shares *shares = &panel->shares;
	text_at(to, SIDE, y, "a m", "Programs, assigned");
	for (size_t i = 0; i < shares->n; i++)
		total_draw(to, y += LINE, colour_class(shares->portion[i].colour), name_or(shares->portion[i].name), true,
		           shares->portion[i].total);
	if (shares->others) {
		char *words = others_words(panel);
		total_draw(to, y += LINE, "co", words, false, shares->others);
		free(words);
	}
	return y;
}

static void users_draw(const struct panel *panel, double y, FILE *to)
{
	const struct usage_rule *rule = panel->usage;
	uint64_t others = rule->other_users;
	text_at(to, SIDE, y, "a m", "Users, assigned");
	for (size_t i = 0; i < rule->users; i++) {
		if (i >= USERS_SHOWN) {
			others += rule->user[i].total;
			continue;
		}
		char *words = rule->user[i].user == UINT32_MAX ? memory_words("(not said)") : user_words(rule->user[i].user);
		total_draw(to, y += LINE, NULL, words, false, rule->user[i].total);
		free(words);
	}
	if (others) {
		size_t n = rule->users - USERS_SHOWN;
		char *words = memory_words("%s%zu other%s", rule->other_users ? "more than " : "", n, n == 1 ? "" : "s");
		total_draw(to, y + LINE, NULL, words, false, others);
		free(words);
	}
}

/* ---- the present --------------------------------------------------------------------------------------------- */

static double segment_draw(FILE *to, double x, double y, const char *class, uint64_t part, uint64_t whole, const char *name)
{
	double width = whole ? (double)part / (double)whole * (FAR - LEFT) : 0;
	if (part == 0)
		return x;
	fprintf(to, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.2f\" height=\"13\"><title>", class, x, y, width);
	fprintf(to, "%" PRIu64 " ", part);
	xml_words(to, name);
	fputs("</title></rect>\n", to);
	return x + width;
}

static double key_draw(FILE *to, double x, double y, const char *class, const char *name, uint64_t ports)
{
	enum { KEY_COLUMNS = 10, KEY_PITCH = 124 };
	char number[SCALE_WORDS];
	swatch_at(to, class, x, y);
	fprintf(to, "<text class=\"n\" x=\"%.1f\" y=\"%.1f\">", x + 14, y);
	xml_fit(to, base_name(name), KEY_COLUMNS, false);
	fprintf(to, " %s<title>", scale_number(ports, number));
	xml_words(to, name);
	fputs("</title></text>\n", to);
	return x + KEY_PITCH;
}

/* The whole set is as long as the row. */
static void present_draw(const struct panel *panel, double y, FILE *to)
{
	static const char rest[] = "TIME-WAIT and others";
	const struct present *present = &panel->present;
	const struct shares *shares = &present->shares;
	char *words = present_words(panel);
	double x = LEFT, key = LEFT;
	text_at(to, 20, y, "a", "now");
	text_at(to, LEFT, y, "a m", words);
	free(words);
	fprintf(to, "<rect class=\"f\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"13\"/>\n", LEFT, y + 8, FAR - LEFT);
	for (size_t i = 0; i < shares->n; i++)
		x = segment_draw(to, x, y + 8, colour_class(shares->portion[i].colour), shares->portion[i].total, present->ports,
		                 shares->portion[i].name);
	segment_draw(to, x, y + 8, "co", shares->others, present->ports, rest);
	for (size_t i = 0; i < shares->n; i++)
		key = key_draw(to, key, y + 38, colour_class(shares->portion[i].colour), shares->portion[i].name,
		               shares->portion[i].total);
	if (shares->others)
		key_draw(to, key, y + 38, "co", "others", shares->others);
}

void picture_draw(const struct panels *panels, const struct panel *panel, FILE *to)
{
	struct drawing drawing = { .usage = panels->usage, .panel = panel, .to = to };
	name_at(to, 20, TITLE, "b", name_or(panel->name), 90, false);
	figures_draw(panels, panel, to);
	if (panel->usage) {
		charts_draw(&drawing);
		users_draw(panel, programs_draw(panel, UPPER - 12, to) + LINE + 10, to);
	}
	if (panel->present.known)
		present_draw(panel, panel->usage ? AXIS_END + 16 : FIGURES + LINE + 22, to);
}
