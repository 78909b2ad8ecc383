/* arena.c - memory for a policy, straight from mmap(2): chunks that grow, handed out from front to back. */
#include "arena.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

#define ALIGNMENT _Alignof(max_align_t)
#define FIRST_CHUNK ((size_t)64 << 10)
#define LARGEST_STEP ((size_t)4 << 20)

/* Lies at the front of its own mapping; the kernel zeroes what follows and provides pages as they are touched. */
struct arena_chunk {
	struct arena_chunk *older;
	size_t size; /* of the whole mapping */
	size_t used; /* the chunk's head included; == size: sealed or full */
};

static _Atomic unsigned int failures;

static size_t round_up(size_t size, size_t step)
{
	return (size + step - 1) / step * step;
}

/* Each chunk is twice the one before, so that a large policy costs few system calls and a small one little. */
static size_t size_of_next(const struct arena *arena, size_t wanted)
{
	size_t size = FIRST_CHUNK;

	if (arena->chunks)
		size = arena->chunks->size >= LARGEST_STEP / 2 ? LARGEST_STEP : arena->chunks->size * 2;
	return wanted > size ? round_up(wanted, FIRST_CHUNK) : size;
}

static struct arena_chunk *chunk_add(struct arena *arena, size_t wanted)
{
	size_t size = size_of_next(arena, wanted);
	struct arena_chunk *chunk;

	chunk = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED) {
		atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
		return NULL;
	}
	chunk->older = arena->chunks;
	chunk->size = size;
	chunk->used = round_up(sizeof(*chunk), ALIGNMENT);
	arena->chunks = chunk;
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunks;
	char *at;

	if (size > SIZE_MAX / 4)
		return NULL;
	size = round_up(size ? size : 1, ALIGNMENT);
	if (!chunk || chunk->size - chunk->used < size)
		chunk = chunk_add(arena, size + round_up(sizeof(*chunk), ALIGNMENT));
	if (!chunk)
		return NULL;
	at = (char *)chunk + chunk->used;
	chunk->used += size;
	return at;
}

char *arena_copy(struct arena *arena, const char *from, size_t length)
{
	char *to = arena_alloc(arena, length + 1);

	if (!to)
		return NULL;
	for (size_t i = 0; i < length; i++)
		to[i] = from[i];
	return to; /* arena_alloc zeroed the last byte */
}

unsigned int arena_failures(void)
{
	return atomic_load_explicit(&failures, memory_order_relaxed);
}

void arena_seal(struct arena *arena)
{
	for (struct arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->older) {
		if (chunk->used == chunk->size) /* sealed before (a write would fault), or so full that no seal matters */
			continue;
		chunk->used = chunk->size; /* a later arena_alloc takes a new chunk */
		mprotect(chunk, chunk->size, PROT_READ);
	}
}

void arena_retire(const struct arena *arena)
{
	for (struct arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->older)
		mprotect(chunk, chunk->size, PROT_READ | PROT_WRITE);
}

void arena_free(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks;

	arena->chunks = NULL;
	while (chunk) {
		struct arena_chunk *older = chunk->older;

		munmap(chunk, chunk->size);
		chunk = older;
	}
}
