/* xml.h - words from elsewhere as XML has them: in SVG and in HTML, as text and within an attribute's quotes. */
#ifndef PORTSHIM_TOOLS_XML_H
#define PORTSHIM_TOOLS_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What XML forbids (bytes that are no UTF-8, control characters, U+FFFE and U+FFFF), and what would turn the direction of the
 * words around it, becomes U+FFFD. */
void xml_words(FILE *to, const char *words);

/* No more than `columns` (at least 1) of them: the last ones with `tail`, as of a path, else the first; "…" stands where something
 * is missing. Characters that may be twice as wide as others count so. */
void xml_fit(FILE *to, const char *words, size_t columns, bool tail);

#endif
