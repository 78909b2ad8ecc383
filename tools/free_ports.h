/* free_ports.h - how many ports of a set nobody has now, by the table and the kernel's list of sockets. */
#ifndef PORTSHIM_TOOLS_FREE_PORTS_H
#define PORTSHIM_TOOLS_FREE_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/kernel.h"
#include "shim/table.h"

#define PORT_WORDS (65536 / 64)

static inline bool port_is_in(const uint64_t set[PORT_WORDS], uint16_t port)
{
	return set[port / 64] >> port % 64 & 1;
}

static inline void port_add(uint64_t set[PORT_WORDS], uint16_t port)
{
	set[port / 64] |= UINT64_C(1) << port % 64;
}

/* What is counted: ports of `wanted`, of one protocol. */
struct free_question {
	const uint64_t *wanted;     /* PORT_WORDS of them, a bit for each port */
	const struct endpoint *to;  /* where a port serves a connection to each destination: that one; NULL: it does not */
	bool early_shares;          /* ports that are bound early do so, too */
	uint8_t protocol;           /* one bit of enum protocol */
	const struct kernel *kernel;
	const struct table *table;  /* NULL: none is there */
};

struct free_ports {
	bool known;       /* the kernel tells of such sockets */
	uint32_t towards; /* nobody has a connection to `to` from them, nor the port as a whole; without `to` as `whole` */
	uint32_t whole;   /* nobody uses them at all */
};

/* Asks twice, as cells.h says. What a program without portshim has early is taken to be its alone, since the kernel does
 * not tell; so there may be more that are free towards the destination, and not fewer. */
void free_ports_count(struct free_ports *free, const struct free_question *question);

#endif
