/* columns.h - a table of words, printed with its columns aligned, as ss(8) and ps(1) do. */
#ifndef PORTSHIM_TOOLS_COLUMNS_H
#define PORTSHIM_TOOLS_COLUMNS_H

#include <stddef.h>
#include <stdio.h>

struct column {
	const char *heading;
	enum { COLUMN_LEFT, COLUMN_RIGHT } side;
};

struct columns {
	const struct column *column;
	size_t n;
	char **cell; /* row by row; each to be freed */
	size_t cells, room;
};

#define COLUMNS_OF(array) { .column = (array), .n = sizeof(array) / sizeof(*(array)) }

/* The next cell, from left to right and from row to row; control characters in it become '?'. */
void columns_add(struct columns *columns, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the heading and all rows, and frees them. */
void columns_print(struct columns *columns, FILE *to);

#endif
