/* glob.c - shell-like patterns over bytes. fnmatch(3) depends on the locale and may allocate; this does not. */
#include "glob.h"

#include <string.h>

/* One byte of a bracket's list, a backslash taken as "the next as it stands"; NULL if the pattern ends there. */
static const char *bracket_byte(const char *at, unsigned char *byte)
{
	if (*at == '\\')
		at++;
	if (!*at)
		return NULL;
	*byte = (unsigned char)*at;
	return at + 1;
}

/* Reads the bracket whose '[' is before `at` and says whether it holds `byte`. Returns what follows the ']', NULL
 * if there is none; *reversed: a range such as [z-a] was seen. As in sh(1), a ']' that stands first is a member. */
static const char *bracket(const char *at, unsigned char byte, bool *holds, bool *reversed)
{
	bool negated = *at == '!', found = false;

	at += negated;
	for (bool first = true; first || *at != ']'; first = false) {
		unsigned char lo, hi;

		at = bracket_byte(at, &lo);
		if (!at)
			return NULL;
		hi = lo;
		if (at[0] == '-' && at[1] && at[1] != ']') {
			at = bracket_byte(at + 1, &hi);
			if (!at)
				return NULL;
		}
		*reversed = *reversed || lo > hi;
		found = found || (lo <= byte && byte <= hi);
	}
	*holds = found != negated;
	return at + 1;
}

/* The pattern behind the one element that takes `byte`; NULL if it does not take it. */
static const char *step(const char *pattern, unsigned char byte)
{
	bool holds = false, reversed = false;

	switch (*pattern) {
	case '\0':
		return NULL;
	case '?':
		return pattern + 1;
	case '[':
		pattern = bracket(pattern + 1, byte, &holds, &reversed);
		return pattern && holds && !reversed ? pattern : NULL;
	case '\\':
		pattern++;
		break;
	default:
		break;
	}
	return *pattern && (unsigned char)*pattern == byte ? pattern + 1 : NULL;
}

bool glob_match(const char *pattern, const char *words)
{
	const char *after_star = NULL, *retry = NULL;

	while (*words) {
		const char *next;

		if (*pattern == '*') {
			after_star = ++pattern;
			retry = words;
			continue;
		}
		next = step(pattern, (unsigned char)*words);
		if (next) {
			pattern = next;
			words++;
		} else if (after_star) { /* let the last star take one byte more; earlier ones never need to */
			pattern = after_star;
			words = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool glob_check(const char *pattern, struct text *why)
{
	bool holds, reversed = false;

	while (*pattern) {
		if (*pattern == '\\') {
			if (!*++pattern) {
				text_add(why, "ends in a backslash; write \\\\ for the backslash itself");
				return false;
			}
			pattern++;
		} else if (*pattern++ == '[') {
			pattern = bracket(pattern, 0, &holds, &reversed);
			if (!pattern) {
				text_add(why, "has a '[' without a ']'; close it, or write \\[ for the bracket itself");
				return false;
			}
		}
	}
	if (reversed)
		text_add(why, "has a reversed range in brackets; write the lower end first, as in [a-z]");
	return !reversed;
}
