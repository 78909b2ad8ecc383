/* xml.c - escaping. (XML 1.0, 2.2: which characters there may be.) */
#include "tools/xml.h"

#include <stdint.h>

#include "config/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

/* The number of a character of `length` bytes. */
static uint32_t code_of(const char *at, size_t length)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t code = (unsigned char)at[0] & first[length];
	for (size_t i = 1; i < length; i++)
		code = code << 6 | ((unsigned char)at[i] & 0x3f);
	return code;
}

/* A control character; what XML forbids; what turns directions (Unicode's Bidi_Control). */
static bool is_bad(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xfffe || code == 0xffff || code == 0x61c ||
	       code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static const char *escape_for(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	default: return NULL;
	}
}

/* The first character; how many bytes it had. */
static size_t put_one(FILE *to, const char *at)
{
	size_t length = utf8_length(at);
	const char *escape = escape_for(*at);
	if (length == 0 || is_bad(code_of(at, length)))
		fputs(REPLACEMENT, to);
	else if (escape)
		fputs(escape, to);
	else
		fwrite(at, 1, length, to);
	return length ? length : 1;
}

void xml_words(FILE *to, const char *words)
{
	while (*words)
		words += put_one(to, words);
}

/* How wide the first character may be. From U+1100 on there are scripts of wide characters. */
static size_t width_of(const char *at, size_t *length)
{
	*length = utf8_length(at);
	bool wide = *length > 2 && code_of(at, *length) >= 0x1100;
	*length = *length ? *length : 1;
	return wide ? 2 : 1;
}

static size_t width_of_all(const char *words)
{
	size_t width = 0, length;
	for (; *words; words += length)
		width += width_of(words, &length);
	return width;
}

void xml_fit(FILE *to, const char *words, size_t columns, bool tail)
{
	size_t width = width_of_all(words), length, used = 1;
	if (width <= columns) {
		xml_words(to, words);
	} else if (tail) {
		for (; width > columns - 1; words += length)
			width -= width_of(words, &length);
		fputs(ELLIPSIS, to);
		xml_words(to, words);
	} else {
		while (*words && (used += width_of(words, &length)) <= columns)
			words += put_one(to, words);
		fputs(ELLIPSIS, to);
	}
}
