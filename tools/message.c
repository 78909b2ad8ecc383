/* message.c - one line on standard error, fit for a terminal. */
#define _GNU_SOURCE
#include "tools/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/utf8.h"

/* stderr is unbuffered: glibc and musl write the line as a whole. */
void say(const char *before, const char *format, ...)
{
	va_list arguments;
	char *words = NULL;
	va_start(arguments, format);
	int length = vasprintf(&words, format, arguments);
	va_end(arguments);
	if (length >= 0)
		utf8_clean(words);
	fprintf(stderr, "portshim: %s%s\n", before, length >= 0 ? words : "memory is out");
	if (length >= 0)
		free(words);
}
