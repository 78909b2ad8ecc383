/* frame.c - lays out figures and maps in the room that the terminal has. */
#define _GNU_SOURCE
#include "tools/frame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/clock.h"
#include "tools/columns.h"
#include "tools/map.h"
#include "tools/memory.h"

enum {
	LABEL = 6,           /* "20000 " */
	OTHER_LINES = 5,     /* title, legend, blank, heading, and one for the cursor */
	PLAIN_CELLS = 50,    /* in a line, */
	PLAIN_MAP = 8,       /* and lines, where there is no limit */
};

/* ---- maps ------------------------------------------------------------------------------------------ */

/* A line of cells has a round number of them, so that the ports at its left are round where those of the set are. */
static size_t cells_in_line(struct screen_size size)
{
	size_t room = size.columns > LABEL ? size.columns - LABEL : 1;
	if (!size.columns)
		return PLAIN_CELLS;
	if (room >= 100)
		return 100;
	if (room >= 50)
		return 50;
	return room >= 10 ? room / 10 * 10 : room;
}

static const char *colour_of(char cell)
{
	switch (cell) {
	case MAP_FREE: return "2";     /* faint */
	case MAP_OUTSIDE: return "31"; /* red */
	case MAP_COOLING: return "33"; /* yellow */
	case MAP_FULL: return "1;32";  /* bold green */
	default: return "32";
	}
}

static void cells_print(const char *cell, size_t n, bool colour, FILE *to)
{
	for (size_t i = 0; i < n; i++) {
		if (colour && (i == 0 || strcmp(colour_of(cell[i]), colour_of(cell[i - 1])) != 0))
			fprintf(to, "\033[0;%sm", colour_of(cell[i]));
		putc(cell[i], to);
	}
	fputs(colour ? "\033[0m\n" : "\n", to);
}

static void map_print(const struct map *map, size_t in_line, bool colour, FILE *to)
{
	for (size_t i = 0; i < map->n; i += in_line) {
		fprintf(to, "%*u ", LABEL - 1, map->first[i]);
		cells_print(map->cell + i, map->n - i < in_line ? map->n - i : in_line, colour, to);
	}
}

/* Each rule gets an equal part of what those before have left, and at least a line. */
static struct map *maps_make(const struct frame *frame, size_t in_line)
{
	const struct snapshot *snapshot = frame->snapshot;
	struct map *maps = memory_zeroed(snapshot->rules, sizeof(*maps));
	size_t taken = OTHER_LINES + snapshot->rules;
	size_t left = frame->size.lines > taken ? frame->size.lines - taken : 0;
	for (size_t i = 0; i < snapshot->rules; i++) {
		size_t lines = frame->size.lines ? left / (snapshot->rules - i) : PLAIN_MAP;
		map_make(&maps[i], snapshot, &snapshot->rule[i], (lines ? lines : 1) * in_line);
		lines = (maps[i].n + in_line - 1) / in_line;
		left -= lines < left ? lines : left;
	}
	return maps;
}

/* ---- figures --------------------------------------------------------------------------------------- */

static void add_rate(struct columns *columns, const struct frame *frame, uint64_t now, uint64_t before, bool known)
{
	if (known && now >= before && frame->ns >= MILLISECOND)
		columns_add(columns, "%.1f", (double)(now - before) * (double)SECOND / (double)frame->ns);
	else
		columns_add(columns, "-");
}

static void figures_add(struct columns *columns, const struct frame *frame, const struct shown_rule *rule,
                        const struct map *map)
{
	const struct counted none = { .id = 0 };
	const struct counted *before = frame->before ? &frame->before[rule->number % TABLE_RULES] : &none;
	bool known = before->id == rule->id;
	columns_add(columns, "%s", rule->name);
	columns_add(columns, "%" PRIu32, rule->ports);
	columns_add(columns, "%" PRIu32, rule->in_use);
	columns_add(columns, "%" PRIu32, rule->ports - rule->in_use);
	columns_add(columns, "%" PRIu32, rule->cooling);
	columns_add(columns, "%" PRIu64, rule->given);
	add_rate(columns, frame, rule->given, before->given, known);
	columns_add(columns, "%" PRIu64, rule->failures);
	add_rate(columns, frame, rule->failures, before->failures, known);
	columns_add(columns, "%" PRIu64, rule->waits);
	columns_add(columns, "%" PRIu64, rule->denied);
	columns_add(columns, map->group == 1 ? "1 port" : "%" PRIu32 " ports", map->group);
}

/* The heading and a line for each rule, aligned; to be freed. NULL where there is no memory. */
static char *figures_make(const struct frame *frame, const struct map *maps)
{
	static const struct column column[] = {
		{ "RULE", COLUMN_LEFT },      { "PORTS", COLUMN_RIGHT },      { "IN-USE", COLUMN_RIGHT },
		{ "FREE", COLUMN_RIGHT },     { "COOLING", COLUMN_RIGHT },    { "GIVEN", COLUMN_RIGHT },
		{ "GIVEN/S", COLUMN_RIGHT },  { "FAILURES", COLUMN_RIGHT },   { "FAILURES/S", COLUMN_RIGHT },
		{ "WAITS", COLUMN_RIGHT },    { "DENIED", COLUMN_RIGHT },     { "CHARACTER", COLUMN_RIGHT },
	};
	struct columns columns = COLUMNS_OF(column);
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	if (!memory)
		return NULL;
	for (size_t i = 0; i < frame->snapshot->rules; i++)
		figures_add(&columns, frame, &frame->snapshot->rule[i], &maps[i]);
	columns_print(&columns, memory);
	fclose(memory);
	return text;
}

static void title_print(const struct frame *frame, FILE *to)
{
	const struct snapshot *snapshot = frame->snapshot;
	char clock[16] = "";
	time_t now = time(NULL);
	struct tm local;
	if (localtime_r(&now, &local))
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	char *line = memory_words("portshim top  %s  given %" PRIu64 "  asked %" PRIu64 "  swept %" PRIu64 "  %s%s",
	                          clock, snapshot->given, snapshot->asked, snapshot->swept, frame->table,
	                          snapshot->error ? "  (not checked against the kernel's sockets)" : "");
	screen_print_cut(line, frame->size.columns, to);
	free(line);
	screen_print_cut(MAP_LEGEND, frame->size.columns, to);
	putc('\n', to);
}

/* The first line of *text to a string of its own; *text moves behind it. */
static char *line_take(const char **text)
{
	int length = (int)strcspn(*text, "\n");
	char *line = memory_words("%.*s", length, *text);
	*text += length + ((*text)[length] == '\n');
	return line;
}

static void line_print(const char **text, const struct frame *frame, FILE *to)
{
	char *line = line_take(text);
	screen_print_cut(line, frame->size.columns, to);
	free(line);
}

void frame_print(const struct frame *frame, FILE *to)
{
	size_t in_line = cells_in_line(frame->size);
	struct map *maps = maps_make(frame, in_line);
	char *figures = figures_make(frame, maps);
	const char *next = figures ? figures : "";
	title_print(frame, to);
	if (frame->snapshot->rules)
		line_print(&next, frame, to);
	else
		fputs("no rule has been used yet\n", to);
	for (size_t i = 0; i < frame->snapshot->rules; i++) {
		line_print(&next, frame, to);
		map_print(&maps[i], in_line, frame->colour, to);
		map_free(&maps[i]);
	}
	free(figures);
	free(maps);
}
