/* paint.h - colour for the word that says of what kind a line is, where a person reads it on a terminal. */
#ifndef PORTSHIM_TOOLS_PAINT_H
#define PORTSHIM_TOOLS_PAINT_H

#include <stdbool.h>
#include <stdio.h>

enum paint { PAINT_ERROR, PAINT_WARNING, PAINT_NOTE, PAINT_GOOD };

/* Whether the user wants colours: not where NO_COLOR is set and not empty (no-color.org), nor where TERM is "dumb". */
bool paint_is_wanted(void);

/* The sequence that begins a colour on that stream, and the one that ends it (ECMA-48, SGR); "" where the stream is no
 * terminal, or no colour is wanted. */
const char *paint_begin(FILE *to, enum paint paint);
const char *paint_end(FILE *to);

#endif
