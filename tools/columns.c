/* columns.c - rows of words, as wide as the widest of each column. */
#define _GNU_SOURCE
#include "tools/columns.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tools/memory.h"
#include "tools/utf8.h"

void columns_add(struct columns *columns, const char *format, ...)
{
	va_list arguments;
	char *words = NULL;
	va_start(arguments, format);
	if (vasprintf(&words, format, arguments) < 0)
		words = memory_words("?");
	va_end(arguments);
	utf8_clean(words);
	columns->cell = memory_for_one(columns->cell, columns->cells, &columns->room, sizeof(*columns->cell));
	columns->cell[columns->cells++] = words;
}

static size_t width_of(const struct columns *columns, size_t column)
{
	size_t width = utf8_columns(columns->column[column].heading);
	for (size_t i = column; i < columns->cells; i += columns->n) {
		size_t own = utf8_columns(columns->cell[i]);
		width = own > width ? own : width;
	}
	return width;
}

/* No spaces at the end of a line. */
static void cell_print(const struct columns *columns, size_t column, const char *words, size_t width, FILE *to)
{
	int blank = (int)(width - utf8_columns(words));
	bool last = column + 1 == columns->n;
	if (columns->column[column].side == COLUMN_RIGHT)
		fprintf(to, "%*s%s%s", blank, "", words, last ? "\n" : "  ");
	else if (last)
		fprintf(to, "%s\n", words);
	else
		fprintf(to, "%s%*s", words, blank + 2, "");
}

void columns_print(struct columns *columns, FILE *to)
{
	size_t *width = memory_zeroed(columns->n, sizeof(*width));
	for (size_t i = 0; i < columns->n; i++) {
		width[i] = width_of(columns, i);
		cell_print(columns, i, columns->column[i].heading, width[i], to);
	}
	for (size_t i = 0, column = 0; i < columns->cells; i++, column = column + 1 == columns->n ? 0 : column + 1) {
		cell_print(columns, column, columns->cell[i], width[column], to);
		free(columns->cell[i]);
	}
	free(width);
	free(columns->cell);
	columns->cell = NULL;
	columns->cells = columns->room = 0;
}
