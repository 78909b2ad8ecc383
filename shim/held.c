/* held.c - leases by descriptor. */
#include "held.h"

#include <errno.h>

#include "caller.h"

#define HELD_DESCRIPTORS 65536 /* ports of sockets above come back by sweeps alone */
#define CELL_MASK UINT64_C(0xffffffff)

/* Number of the cell, and the word's nonce where that has it: who the owner is, this process knows. 0: none. */
static word64 held[HELD_DESCRIPTORS];

word64 *held_note(int fd)
{
	if (caller)
		return &caller->note;
	return fd >= 0 && fd < HELD_DESCRIPTORS ? &held[fd] : NULL;
}

struct lease held_take(int fd)
{
	word64 *entry = held_note(fd);
	struct lease none = { .cell = 0 };
	uint64_t had = entry ? atomic_load_explicit(entry, memory_order_relaxed) : 0;

	/* The entry is written by who has the descriptor; two threads that close one at once are a program's mistake, and
	 * the second of two releases does nothing. */
	if (!had)
		return none;
	atomic_store_explicit(entry, 0, memory_order_relaxed);
	return (struct lease){ .cell = (uint32_t)(had & CELL_MASK), .word = had & ~CELL_MASK };
}

void held_return(const struct lease *lease)
{
	struct table *table = table_made();
	int saved = errno;

	if (!lease->cell || !table)
		return;
	lease_release(table, lease);
	errno = saved;
}

void held_release(int fd)
{
	struct lease lease = held_take(fd);

	held_return(&lease);
}
