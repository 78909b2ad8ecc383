/* utf8.c - characters in words that may hold any bytes. */
#include "tools/utf8.h"

#include <stdbool.h>

#include "tools/memory.h"

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

void utf8_clean(char *words)
{
	char *to = words;
	while (*words != '\0') {
		size_t length = utf8_length(words);
		bool good = length > 0 && !utf8_is_control(words);
		size_t step = length ? length : 1;
		if (!good)
			*to++ = '?';
		for (size_t i = 0; i < step; i++, words++)
			if (good)
				*to++ = *words;
	}
	*to = '\0';
}

char *utf8_cleaned(const char *words)
{
	char *copy = memory_words("%s", words);
	utf8_clean(copy);
	return copy;
}
