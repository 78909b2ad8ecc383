/* port_bits.c - a set of ports, in pages. */
#include "tools/port_bits.h"

#include <stddef.h>
#include <stdlib.h>

#include "tools/memory.h"

enum { PAGE_WORDS = PORT_PAGE / 64 };

static uint64_t bit_of(uint16_t port)
{
	return UINT64_C(1) << port % 64;
}

void port_bits_add(struct port_bits *bits, uint16_t port)
{
	uint64_t **page = &bits->page[port / PORT_PAGE];
	if (!*page)
		*page = memory_zeroed(PAGE_WORDS, sizeof(**page));
	uint64_t *word = &(*page)[port % PORT_PAGE / 64];
	bits->n += !(*word & bit_of(port));
	*word |= bit_of(port);
}

bool port_bits_have(const struct port_bits *bits, uint16_t port)
{
	const uint64_t *page = bits->page[port / PORT_PAGE];
	return page && page[port % PORT_PAGE / 64] & bit_of(port);
}

static uint32_t page_join(uint64_t *page, const uint64_t *from)
{
	uint32_t more = 0;
	for (size_t i = 0; i < PAGE_WORDS; i++) {
		more += (uint32_t)__builtin_popcountll(from[i] & ~page[i]);
		page[i] |= from[i];
	}
	return more;
}

void port_bits_join(struct port_bits *bits, struct port_bits *from)
{
	if (bits->n == 0) {
		port_bits_free(bits);
		*bits = *from;
		*from = (struct port_bits){ .n = 0 };
		return;
	}
	for (size_t i = 0; i < PORT_PAGES; i++) {
		if (!from->page[i])
			continue;
		if (!bits->page[i])
			bits->page[i] = memory_zeroed(PAGE_WORDS, sizeof(**bits->page));
		bits->n += page_join(bits->page[i], from->page[i]);
	}
	port_bits_free(from);
}

void port_bits_free(struct port_bits *bits)
{
	for (size_t i = 0; i < PORT_PAGES; i++)
		free(bits->page[i]);
	*bits = (struct port_bits){ .n = 0 };
}
