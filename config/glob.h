/* glob.h - shell-like patterns over bytes: * ? [a-z] [!a-z] and \x for x itself; * and ? take '/' too. */
#ifndef PORTSHIM_CONFIG_GLOB_H
#define PORTSHIM_CONFIG_GLOB_H

#include <stdbool.h>

#include "text.h"

/* Whether the pattern covers all of `words`. A pattern that glob_check() refuses matches nothing. No recursion,
 * no allocation; only the last star is ever tried again, so at most pattern length * words length steps. */
bool glob_match(const char *pattern, const char *words);

/* False, with the reason in *why, for an unclosed '[', a reversed range, or a backslash at the end. */
bool glob_check(const char *pattern, struct text *why);

#endif
