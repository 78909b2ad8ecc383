/* paint.c - when to colour, and with which sequences. */
#define _GNU_SOURCE
#include "tools/paint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool paint_is_wanted(void)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	return (!no_colour || !*no_colour) && (!terminal || strcmp(terminal, "dumb") != 0);
}

static bool is_painted(FILE *to)
{
	return paint_is_wanted() && isatty(fileno(to));
}

const char *paint_begin(FILE *to, enum paint paint)
{
	static const char *const sequence[] = {
		[PAINT_ERROR] = "\033[1;31m", [PAINT_WARNING] = "\033[1;35m", [PAINT_NOTE] = "\033[1;36m",
		[PAINT_GOOD] = "\033[32m",
	};
	return is_painted(to) ? sequence[paint] : "";
}

const char *paint_end(FILE *to)
{
	return is_painted(to) ? "\033[0m" : "";
}
