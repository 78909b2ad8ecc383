/* memory.c - memory, or the end. */
#define _GNU_SOURCE
#include "tools/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/message.h"

static _Noreturn void give_up(void)
{
	say_error("memory is out");
	exit(EXIT_FAILURE);
}

void *memory_zeroed(size_t n, size_t size)
{
	void *memory = calloc(n ? n : 1, size);
	if (!memory)
		give_up();
	return memory;
}

void *memory_for_one(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	*room = *room ? 2 * *room : 64;
	array = reallocarray(array, *room, size);
	if (!array)
		give_up();
	return array;
}

char *memory_words(const char *format, ...)
{
	va_list arguments;
	char *words = NULL;
	va_start(arguments, format);
	int length = vasprintf(&words, format, arguments);
	va_end(arguments);
	if (length < 0)
		give_up();
	return words;
}
