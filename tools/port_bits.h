/* port_bits.h - a set of ports that takes memory for those parts of it alone that have one. */
#ifndef PORTSHIM_TOOLS_PORT_BITS_H
#define PORTSHIM_TOOLS_PORT_BITS_H

#include <stdbool.h>
#include <stdint.h>

enum { PORT_PAGE = 1024, PORT_PAGES = 65536 / PORT_PAGE };

struct port_bits {
	uint64_t *page[PORT_PAGES]; /* a bit for each port; NULL: none of these */
	uint32_t n;                 /* ports in it */
};

void port_bits_add(struct port_bits *bits, uint16_t port);
bool port_bits_have(const struct port_bits *bits, uint16_t port);

/* Adds what is in `from`, which is empty then. */
void port_bits_join(struct port_bits *bits, struct port_bits *from);

void port_bits_free(struct port_bits *bits);

#endif
