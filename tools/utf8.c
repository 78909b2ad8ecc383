/* utf8.c - characters in words that may hold any bytes. */
#include "tools/utf8.h"

#include <stdbool.h>

/* By its first byte. */
static size_t announced(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* Longer than needed, a surrogate, or above U+10FFFF: the second byte shows it. */
static bool second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0: return second >= 0xa0;
	case 0xed: return second < 0xa0;
	case 0xf0: return second >= 0x90;
	case 0xf4: return second < 0x90;
	default: return true;
	}
}

size_t utf8_length(const char *words)
{
	const unsigned char *at = (const unsigned char *)words;
	size_t length = announced(at[0]);
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return length < 2 || second_fits(at[0], at[1]) ? length : 0;
}

size_t utf8_columns(const char *words)
{
	size_t columns = 0;
	while (*words != '\0') {
		size_t length = utf8_length(words);
		words += length ? length : 1;
		columns++;
	}
	return columns;
}

size_t utf8_cut(const char *words, size_t columns)
{
	const char *at = words;
	while (*at != '\0' && columns-- > 0) {
		size_t length = utf8_length(at);
		at += length ? length : 1;
	}
	return (size_t)(at - words);
}

/* C0, DEL and C1: a terminal obeys them. */
static bool is_control(const char *at, size_t length)
{
	const unsigned char *byte = (const unsigned char *)at;
	return length == 1 ? byte[0] < 0x20 || byte[0] == 0x7f : length == 2 && byte[0] == 0xc2 && byte[1] < 0xa0;
}

void utf8_clean(char *words)
{
	char *to = words;
	while (*words != '\0') {
		size_t length = utf8_length(words);
		bool good = length > 0 && !is_control(words, length);
		size_t step = length ? length : 1;
		if (!good)
			*to++ = '?';
		for (size_t i = 0; i < step; i++, words++)
			if (good)
				*to++ = *words;
	}
	*to = '\0';
}
