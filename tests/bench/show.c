/* show.c - the table that the benchmark prints: a line as soon as it is known. */
#define _GNU_SOURCE
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "bench.h"

static const char *const heads[COLUMNS] = {
	[TO_HAND] = "by hand", [TO_BARE] = "bare", [HAND_TO_BARE] = "hand/", [TO_RANGE] = "kernel's",
	[TO_LINEAR] = "linear", [TO_RANDOM] = "random"
};
static const char *const heads_below[COLUMNS] = {
	[TO_HAND] = "", [TO_BARE] = "", [HAND_TO_BARE] = "bare", [TO_RANGE] = "range", [TO_LINEAR] = "scan",
	[TO_RANDOM] = "probing"
};

struct row row_make(const char *format, ...)
{
	struct row row = { .us = NAN };
	va_list arguments;

	for (int i = 0; i < COLUMNS; i++)
		row.ratio[i] = NAN;
	va_start(arguments, format);
	vsnprintf(row.name, sizeof(row.name), format, arguments);
	va_end(arguments);
	return row;
}

void row_note(struct row *row, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(row->note, sizeof(row->note), format, arguments);
	va_end(arguments);
}

static void print_number(double number)
{
	if (isnan(number))
		printf("%9s", "");
	else if (number < 0.0995)
		printf("%9.4f", number);
	else
		printf("%9.*f", number >= 100 ? 1 : 3, number);
}

void row_print(const struct row *row)
{
	printf("%-30s", row->name);
	if (isnan(row->us))
		printf("%10s", "");
	else
		printf("%10.2f", row->us);
	for (int i = 0; i < COLUMNS; i++)
		print_number(row->ratio[i]);
	printf("%s%s\n", row->note[0] ? "   " : "", row->note);
	fflush(stdout);
}

static void print_heads(const char *name, const char *cost, const char *const *words)
{
	printf("%-30s%10s", name, cost);
	for (int i = 0; i < COLUMNS; i++)
		printf("%9s", words[i]);
	printf("\n");
}

void table_head(void)
{
	print_heads("", "portshim", heads);
	print_heads("portshim's cost, and its ratio to", "us", heads_below);
}

void table_section(const char *words)
{
	printf("\n%s\n", words);
	fflush(stdout);
}
