/* report_svg.c - the picture as a file: a heading, a part for each rule, notes. No script, and nothing from elsewhere. */
#include "tools/report_show.h"

#include <stdlib.h>
#include <string.h>

#include "tools/utf8.h"
#include "tools/xml.h"

enum { HEADING = 76, NOTE_LINE = 16, NOTE_COLUMNS = 155, MARGIN = 20 };

/* How many bytes of the words go on one line: up to a blank, if there is one. */
static size_t line_length(const char *words)
{
	size_t length = utf8_cut(words, NOTE_COLUMNS);
	if (words[length] == '\0')
		return length;
	for (size_t i = length; i > 0; i--)
		if (words[i] == ' ')
			return i;
	return length;
}

/* Draws a note where `to` is not NULL; the lines that it takes. */
static int note_draw(const char *note, int y, FILE *to)
{
	int lines = 0;
	while (*note) {
		char line[NOTE_COLUMNS * 4 + 1];
		size_t length = line_length(note);
		memcpy(line, note, length);
		line[length] = '\0';
		note += length;
		note += strspn(note, " ");
		if (to) {
			fprintf(to, "<text class=\"a m\" x=\"%d\" y=\"%d\">", MARGIN, y + lines * NOTE_LINE);
			xml_words(to, line);
			fputs("</text>\n", to);
		}
		lines++;
	}
	return lines;
}

static int notes_draw(const struct notes *notes, int y, FILE *to)
{
	for (size_t i = 0; i < notes->n; i++)
		y += note_draw(notes->line[i], y, to) * NOTE_LINE + 4;
	return y;
}

static void open_svg(FILE *to, int height, const char *span)
{
	fprintf(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
	        "aria-label=\"" REPORT_TITLE ", ", PICTURE_WIDTH, height, PICTURE_WIDTH, height);
	xml_words(to, span);
	fputs("\">\n<title>" REPORT_TITLE ", ", to);
	xml_words(to, span);
	fputs("</title>\n<style>\n", to);
	picture_style(to);
	fprintf(to, "</style>\n<rect class=\"bg\" width=\"%d\" height=\"%d\"/>\n", PICTURE_WIDTH, height);
	fprintf(to, "<text class=\"l\" x=\"%d\" y=\"34\">" REPORT_TITLE "</text>\n<text class=\"m\" x=\"%d\" y=\"54\">", MARGIN,
	        MARGIN);
	xml_words(to, span);
	fputs("</text>\n", to);
}

void report_svg(const struct panels *panels, FILE *to)
{
	struct notes notes;
	char *span = report_span(panels);
	int y = HEADING, height = HEADING;
	notes_make(&notes, panels);
	for (size_t i = 0; i < panels->n; i++)
		height += picture_height(&panels->panel[i]);
	height = notes_draw(&notes, height + NOTE_LINE, NULL) + 4;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", to);
	open_svg(to, height, span);
	for (size_t i = 0; i < panels->n; i++) {
		fprintf(to, "<path class=\"g\" d=\"M%d %dH%d\"/>\n<g transform=\"translate(0 %d)\">\n", MARGIN, y,
		        PICTURE_WIDTH - MARGIN, y);
		picture_draw(panels, &panels->panel[i], to);
		fputs("</g>\n", to);
		y += picture_height(&panels->panel[i]);
	}
	fprintf(to, "<path class=\"g\" d=\"M%d %dH%d\"/>\n", MARGIN, y, PICTURE_WIDTH - MARGIN);
	notes_draw(&notes, y + NOTE_LINE + 4, to);
	fputs("</svg>\n", to);
	notes_free(&notes);
	free(span);
}
