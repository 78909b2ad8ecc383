/* text.h - words and numbers into a buffer of fixed size, without stdio or locale.
 *
 * Used where printf is not safe: in a hooked call, perhaps inside a signal handler. What does not fit is
 * cut; the text is always NUL-terminated. */
#ifndef PORTSHIM_CONFIG_TEXT_H
#define PORTSHIM_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip_addr;

struct text {
	char *at;      /* `size` bytes, at least 1 */
	size_t size;
	size_t length; /* without the NUL */
};

/* A text over an array. */
#define TEXT_OVER(array) { .at = (array), .size = sizeof(array), .length = 0 }

void text_clear(struct text *text);
void text_add(struct text *text, const char *words);
void text_add_bytes(struct text *text, const char *bytes, size_t length);

/* The bytes in single quotes, as messages show what a user wrote: control bytes as '?', no more than 60. */
void text_add_quoted(struct text *text, const char *bytes, size_t length);

/* What is said of an item that has a blank where none can be: the commas are missing. */
#define TEXT_WANTS_COMMAS "has a blank in it; separate the items of a list by commas, as in a, b"

void text_add_number(struct text *text, uint64_t number);

/* "192.0.2.1" or, for IPv6, the form of RFC 5952 in brackets where `brackets` is set. */
void text_add_addr(struct text *text, const struct ip_addr *addr, bool brackets);

/* Nanoseconds since 1970 as "2026-11-25T04:30:12.123456Z" (RFC 3339). */
void text_add_utc(struct text *text, uint64_t ns);

/* Decimal digits alone, no sign, no space: *number and true if `words` of `length` bytes is one that is <= max. */
bool text_to_number(const char *words, size_t length, uint64_t max, uint64_t *number);

#endif
