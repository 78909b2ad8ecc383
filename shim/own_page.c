/* own_page.c - pages that a child of fork() finds empty. */
#define _GNU_SOURCE
#include "own_page.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18 /* Linux 4.14 */
#endif

#define REFUSED ((void *)slot) /* no page, but not NULL */

/* An emulator may say yes to any advice and take none (qemu-user 7.2 does; measured, tests/arm64): one that says so to advice that there is
 * not is not believed. */
static bool wiped_on_fork(void *page, size_t size)
{
	return madvise(page, size, -1) < 0 && madvise(page, size, MADV_WIPEONFORK) == 0;
}

void *own_page(void *_Atomic *slot, size_t size)
{
	void *page = atomic_load_explicit(slot, memory_order_acquire), *expected = NULL;

	if (page)
		return page == REFUSED ? NULL : page;
	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (!wiped_on_fork(page, size)) {
		munmap(page, size);
		page = REFUSED; /* and is not asked for again */
	}
	if (!atomic_compare_exchange_strong(slot, &expected, page)) {
		if (page != REFUSED)
			munmap(page, size);
		page = expected;
	}
	return page == REFUSED ? NULL : page;
}
