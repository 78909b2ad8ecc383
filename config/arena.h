/* arena.h - memory for a policy: taken with mmap(2), given back as a whole.
 *
 * A policy may have to be read inside the first hooked call, perhaps in a signal handler, where malloc
 * is not allowed. */
#ifndef PORTSHIM_CONFIG_ARENA_H
#define PORTSHIM_CONFIG_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first; NULL: empty */
};

/* `size` zeroed bytes aligned for any type, or NULL when memory is out. Async-signal-safe. */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy of the `length` bytes at `from`, with a NUL behind them; NULL when memory is out. */
char *arena_copy(struct arena *arena, const char *from, size_t length);

/* How often memory was out in this process so far: who asks before and after knows whether it was in between. */
unsigned int arena_failures(void);

/* Makes all that was handed out read-only, until it is retired or freed. */
void arena_seal(struct arena *arena);

/* What was sealed, and stays only for whoever still reads it, becomes memory like its neighbours: the kernel joins them, and so they
 * do not add to the number of mappings that a process may have (vm.max_map_count). */
void arena_retire(const struct arena *arena);

void arena_free(struct arena *arena);

#endif
