/* memory.h - memory for a tool, which ends with a message and EXIT_FAILURE where there is none. */
#ifndef PORTSHIM_TOOLS_MEMORY_H
#define PORTSHIM_TOOLS_MEMORY_H

#include <stddef.h>

/* As calloc(3). */
void *memory_zeroed(size_t n, size_t size);

/* The array, or its new place, with room for one item more than its `n`; `room` is for how many it has memory. */
void *memory_for_one(void *array, size_t n, size_t *room, size_t size);

/* As asprintf(3). */
char *memory_words(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
