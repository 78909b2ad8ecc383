/* utf8.c - telling characters from other bytes, and escaping them. */
#include "utf8.h"

#include <string.h>

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
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second < 0xa0;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second < 0x90;
	default:
		return true;
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

bool utf8_is_control(const char *at)
{
	const unsigned char *byte = (const unsigned char *)at;

	return byte[0] < 0x20 || byte[0] == 0x7f || (byte[0] == 0xc2 && byte[1] >= 0x80 && byte[1] < 0xa0);
}

static size_t piece_number(char piece[UTF8_JSON_MOST], unsigned int number)
{
	piece[0] = '\\';
	piece[1] = 'u';
	for (unsigned int i = 0; i < 4; i++)
		piece[2 + i] = "0123456789abcdef"[number >> (12 - 4 * i) & 15];
	return UTF8_JSON_MOST;
}

size_t utf8_json(char piece[UTF8_JSON_MOST], const char *words, size_t *taken)
{
	size_t length = utf8_length(words), quoted = *words == '"' || *words == '\\';
	unsigned char c = (unsigned char)*words;

	*taken = length ? length : 1;
	if (length == 0)
		return piece_number(piece, 0xfffd);
	if (utf8_is_control(words))
		return piece_number(piece, length == 1 ? c : (unsigned char)words[1]);
	piece[0] = '\\';
	memcpy(piece + quoted, words, length);
	return quoted + length;
}
