/* report_show.h - what `portshim report` writes: a picture, a page with the picture and tables, JSON; and the words of the first two. */
#ifndef PORTSHIM_TOOLS_REPORT_SHOW_H
#define PORTSHIM_TOOLS_REPORT_SHOW_H

#include <stddef.h>
#include <stdio.h>

#include "tools/panels.h"

void report_svg(const struct panels *panels, FILE *to);
void report_html(const struct panels *panels, FILE *to);
void report_json(const struct panels *panels, FILE *to);

/* ---- the picture in parts (picture.c) --------------------------------------------------------------------- */

enum { PICTURE_WIDTH = 960 };

/* What stands in <style>. Of light and dark surroundings. */
void picture_style(FILE *to);
/* Of a rule's part. */
int picture_height(const struct panel *panel);
/* What is in it, with its upper left corner at 0, 0. */
void picture_draw(const struct panels *panels, const struct panel *panel, FILE *to);

/* ---- words ----------------------------------------------------------------------------------------------- */

enum { FIGURES_MOST = 10, NOTES_MOST = 12 };

/* "assigned", "1,234". Labels are the code's own, values may be anybody's. */
struct figure {
	const char *label;
	char *value;
};

struct figures {
	struct figure figure[FIGURES_MOST];
	size_t n;
	size_t briefs;       /* so many of the first are short */
};

void figures_make(struct figures *figures, const struct panels *panels, const struct panel *panel);
void figures_free(struct figures *figures);

/* What a reader must know of what is shown. */
struct notes {
	char *line[NOTES_MOST];
	size_t n;
};

void notes_make(struct notes *notes, const struct panels *panels);
void notes_free(struct notes *notes);

/* "2026-11-25 00:00 to 2026-11-25 23:59 (CET), ..."; to be freed. */
char *report_span(const struct panels *panels);
/* What the present is, "37 of 100 ports in use (37.0 %)..."; to be freed. */
char *present_words(const struct panel *panel);
/* "3 others"; to be freed. */
char *others_words(const struct panel *panel);
/* A program's path, or what stands where there is none; likewise a rule's name. */
const char *name_or(const char *name);

#define REPORT_TITLE "Use of local ports"

#endif
