/* utf8.h - characters in words that may hold any bytes, and how JSON has them. */
#ifndef PORTSHIM_CONFIG_UTF8_H
#define PORTSHIM_CONFIG_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* How many bytes at `words` are one character, as RFC 3629 has them; 0 if they are none. */
size_t utf8_length(const char *words);

/* Whether the character there is one that a terminal obeys: C0, DEL, or C1 (U+0080 to U+009F, two bytes). */
bool utf8_is_control(const char *at);

#define UTF8_JSON_MOST 6 /* \u0000 */

/* The first character of `words` (not empty), as a JSON string has it (RFC 8259, section 7), into `piece`: how many bytes it has
 * there; in *taken, how many it had. Bytes that are no character become U+FFFD, control characters \u00XX. */
size_t utf8_json(char piece[UTF8_JSON_MOST], const char *words, size_t *taken);

#endif
