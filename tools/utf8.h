/* utf8.h - words from elsewhere (a process, a table), fit for a terminal or for JSON. */
#ifndef PORTSHIM_TOOLS_UTF8_H
#define PORTSHIM_TOOLS_UTF8_H

#include <stddef.h>

#include "config/utf8.h"

/* Characters, each of which is taken for one column. */
size_t utf8_columns(const char *words);

/* The bytes of the first `columns` characters. */
size_t utf8_cut(const char *words, size_t columns);

/* Puts '?' in the place of control characters and of bytes that are no character. */
void utf8_clean(char *words);

/* The same of a copy, to be freed. */
char *utf8_cleaned(const char *words);

#endif
