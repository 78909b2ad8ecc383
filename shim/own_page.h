/* own_page.h - memory that is one process's own: all zero again in a child of fork(2) or clone(2) (MADV_WIPEONFORK). */
#ifndef PORTSHIM_SHIM_OWN_PAGE_H
#define PORTSHIM_SHIM_OWN_PAGE_H

#include <stddef.h>

/* What *slot points to, mapped at the first call; `size` is at most a page. NULL where it cannot be had (before Linux 4.14, under an
 * emulator, or out of memory). Async-signal-safe; errno may change. */
void *own_page(void *_Atomic *slot, size_t size);

#endif
