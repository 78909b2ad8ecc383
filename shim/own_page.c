/* own_page.c - pages that a child of fork() finds empty. */
#define _GNU_SOURCE
#include "own_page.h"

#include <stdatomic.h>
#include <sys/mman.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18 /* Linux 4.14 */
#endif

void *own_page(void *_Atomic *slot, size_t size)
{
	void *page = atomic_load_explicit(slot, memory_order_acquire), *expected = NULL;

	if (page)
		return page;
	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, size, MADV_WIPEONFORK) == 0 && atomic_compare_exchange_strong(slot, &expected, page))
		return page;
	munmap(page, size);
	return expected;
}
