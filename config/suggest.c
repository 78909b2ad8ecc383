/* suggest.c - the known word nearest to one that is not known, by edit distance. */
#include "suggest.h"

#include <stdint.h>
#include <string.h>

/* Longer than any word of the format; what is longer is no slip of the finger. */
#define LONGEST 24

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: one row for each letter of `a`, of which the last three are kept. */
static unsigned int distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	uint8_t rows[3][LONGEST + 1];

	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= a_length; i++) {
		uint8_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned int cost = lower(a[i - 1]) != lower(b[j - 1]);
			unsigned int best = least(least(above[j] + 1U, row[j - 1] + 1U), above[j - 1] + cost);

			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
				best = least(best, before[j - 2] + 1U);
			row[j] = (uint8_t)best;
		}
	}
	return rows[a_length % 3][b_length];
}

void suggest_consider(struct suggestion *suggestion, const char *name)
{
	size_t length = strlen(name), longer = length > suggestion->length ? length : suggestion->length;
	unsigned int far, allowed = longer < 6 ? 1 : (unsigned int)longer / 3;

	if (longer > LONGEST)
		return;
	far = distance(suggestion->words, suggestion->length, name, length);
	if (far <= allowed && far < suggestion->distance) {
		suggestion->distance = far;
		suggestion->best = name;
	}
}

void suggest_add(const struct suggestion *suggestion, struct text *to, const char *otherwise)
{
	if (!suggestion->best) {
		text_add(to, otherwise);
		return;
	}
	text_add(to, "did you mean '");
	text_add(to, suggestion->best);
	text_add(to, "'?");
}
