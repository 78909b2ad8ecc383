/* plot.c - a picture of cost against occupancy, as SVG.
 *
 * Across: 0 to 90 % evenly, then 99 % and 99.9 % as steps of their own, then "used up", which is another answer and so
 * stands apart. Upwards: microseconds, a decade as high as the next. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>

#include "bench.h"

#define WIDTH 980
#define HEIGHT 560
#define LEFT 78
#define RIGHT 700  /* the legend is beyond */
#define TOP 76
#define BOTTOM 480

#define X_90 (LEFT + 370)
#define X_99 (LEFT + 450)
#define X_999 (LEFT + 530)
#define X_USED_UP (LEFT + 595)

static double decade_lo, decade_hi;

static double x_of(double percent)
{
	if (percent <= 90)
		return LEFT + percent / 90 * (X_90 - LEFT);
	if (percent <= 99)
		return X_90 + (percent - 90) / 9 * (X_99 - X_90);
	return X_99 + (percent - 99) / 0.9 * (X_999 - X_99);
}

static double y_of(double us)
{
	return BOTTOM - (log10(us) - decade_lo) / (decade_hi - decade_lo) * (BOTTOM - TOP);
}

static void find_decades(const struct line *lines, int n)
{
	double lo = 10, hi = 100;

	for (int i = 0; i < n; i++) {
		for (int k = 0; k < lines[i].points; k++) {
			lo = fmin(lo, lines[i].us[k]);
			hi = fmax(hi, lines[i].us[k]);
		}
		if (!isnan(lines[i].used_up)) {
			lo = fmin(lo, lines[i].used_up);
			hi = fmax(hi, lines[i].used_up);
		}
	}
	decade_lo = floor(log10(lo));
	decade_hi = ceil(log10(hi));
}

static void text(FILE *file, double x, double y, const char *how, const char *words)
{
	fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, how, words);
}

static void rule(FILE *file, double x1, double y1, double x2, double y2, const char *colour)
{
	fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2,
	        colour);
}

static void draw_y_axis(FILE *file)
{
	for (int decade = (int)decade_lo; decade <= (int)decade_hi; decade++) {
		double us = pow(10, decade), y = y_of(us);
		char words[32];

		snprintf(words, sizeof(words), us >= 1000 ? "%g ms" : "%g &#181;s", us >= 1000 ? us / 1000 : us);
		rule(file, LEFT, y, RIGHT, y, "#d0d0d0");
		text(file, LEFT - 8, y + 4, "text-anchor=\"end\"", words);
		for (int k = 2; k < 10 && decade < (int)decade_hi; k++)
			rule(file, LEFT, y_of(us * k), RIGHT, y_of(us * k), "#f0f0f0");
	}
	fprintf(file, "<text transform=\"translate(20 %d) rotate(-90)\" text-anchor=\"middle\">cost of one connection "
	        "(log)</text>\n", (TOP + BOTTOM) / 2);
}

static void draw_x_axis(FILE *file)
{
	static const double ticks[] = { 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99, 99.9 };

	fprintf(file, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#000\" fill-opacity=\"0.04\"/>\n",
	        X_90, TOP, X_999 - X_90, BOTTOM - TOP);
	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		double x = x_of(ticks[i]);
		char words[32];

		snprintf(words, sizeof(words), "%g", ticks[i]);
		rule(file, x, BOTTOM, x, BOTTOM + 5, "#333333");
		text(file, x, BOTTOM + 20, "text-anchor=\"middle\"", words);
	}
	text(file, X_USED_UP, BOTTOM + 20, "text-anchor=\"middle\"", "used up");
	text(file, (X_90 + X_999) / 2.0, BOTTOM + 38, "text-anchor=\"middle\" fill=\"#777\"", "(stretched)");
	text(file, (LEFT + X_90) / 2.0, BOTTOM + 46, "text-anchor=\"middle\"", "ports of the pool that are in use (%)");
	rule(file, LEFT, BOTTOM, RIGHT, BOTTOM, "#333333");
	rule(file, LEFT, TOP, LEFT, BOTTOM, "#333333");
}

static void draw_line(FILE *file, const struct line *line)
{
	if (line->points > 0) {
		fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2.2\" stroke-linejoin=\"round\"",
		        line->colour);
		if (line->dash[0])
			fprintf(file, " stroke-dasharray=\"%s\"", line->dash);
		fprintf(file, " points=\"");
		for (int i = 0; i < line->points; i++)
			fprintf(file, "%s%.1f,%.1f", i ? " " : "", x_of(line->percent[i]), y_of(line->us[i]));
		fprintf(file, "\"/>\n");
	}
	for (int i = 0; i < line->points; i++)
		fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\">"
		        "<title>%s, %g %%: %.1f &#181;s</title></circle>\n", x_of(line->percent[i]), y_of(line->us[i]),
		        line->colour, line->name, line->percent[i], line->us[i]);
	if (!isnan(line->used_up))
		fprintf(file, "<circle cx=\"%d\" cy=\"%.1f\" r=\"5\" fill=\"#ffffff\" stroke=\"%s\" "
		        "stroke-width=\"2.2\"><title>%s, used up: %.1f &#181;s</title></circle>\n", X_USED_UP,
		        y_of(line->used_up), line->colour, line->name, line->used_up);
}

static void draw_legend(FILE *file, const struct line *lines, int n)
{
	double y = TOP + 16;

	for (int i = 0; i < n; i++)
		if (lines[i].points > 0) {
			fprintf(file, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"%s\" "
			        "stroke-width=\"2.6\"", RIGHT + 22, y - 4, RIGHT + 52, y - 4, lines[i].colour);
			if (lines[i].dash[0])
				fprintf(file, " stroke-dasharray=\"%s\"", lines[i].dash);
			fprintf(file, "/>\n");
			text(file, RIGHT + 60, y, "", lines[i].name);
			y += 24;
		}
	fprintf(file, "<circle cx=\"%d\" cy=\"%.1f\" r=\"5\" fill=\"#ffffff\" stroke=\"#555\" stroke-width=\"2.2\"/>\n",
	        RIGHT + 37, y + 4);
	text(file, RIGHT + 60, y + 8, "", "to be told: no port left");
}

void plot_write(const char *path, const struct line *lines, int n, const char *subtitle)
{
	FILE *file = fopen(path, "w");

	if (!file)
		fail(path);
	find_decades(lines, n);
	fprintf(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
	        "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"13\" "
	        "fill=\"#222\">\n", WIDTH, HEIGHT, WIDTH, HEIGHT);
	fprintf(file, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", WIDTH, HEIGHT);
	text(file, LEFT, 32, "font-size=\"18\" font-weight=\"bold\"",
	     "What one more connection costs as the ports run out");
	text(file, LEFT, 54, "fill=\"#555\"", subtitle);
	draw_x_axis(file);
	draw_y_axis(file);
	/* The first are the ones that it is about: they go on top. */
	for (int i = n - 1; i >= 0; i--)
		draw_line(file, &lines[i]);
	draw_legend(file, lines, n);
	fprintf(file, "</svg>\n");
	if (fclose(file) != 0)
		fail(path);
}
