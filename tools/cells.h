/* cells.h - the cells of the table that claim or hold a port, and the sockets that go with them.
 *
 * The table and the kernel cannot be looked at in one moment. So the table is looked at twice, before the kernel is
 * asked and after it: a cell that was there both times and has no socket is stale. And the kernel is asked twice,
 * before the second look and after it: a socket that was there both times, and that neither look has a cell for, is
 * not of this table. What came or went meanwhile is neither. */
#ifndef PORTSHIM_TOOLS_CELLS_H
#define PORTSHIM_TOOLS_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/lease.h"
#include "tools/sockets.h"

struct cell {
	uint32_t number;            /* in the table */
	uint16_t port;
	bool before, after;         /* in which of the two looks it was as it is here */
	uint64_t word, info;        /* as in the table: CLAIMED or HELD */
	struct peer peer;
	const struct asked *socket; /* NULL: none */
};

struct cells {
	struct cell *cell; /* in the order of the table, until cells_match() */
	size_t n, room;
};

/* All cells that are claimed or held now. Bounded, whatever the table holds. */
void cells_look(struct cells *cells, const struct table *table);

/* Looks again and joins both looks in `cells`. */
void cells_look_again(struct cells *cells, const struct table *table);

/* Gives each cell the socket that fits it best, and says of each socket whether any cell fits it. */
void cells_match(struct cells *cells, const struct sockets *sockets, bool *fitted);

void cells_free(struct cells *cells);

/* Whether the connection is over, and the kernel alone keeps its port for a while: TIME-WAIT, or closing and without a
 * process. */
bool socket_is_over(const struct asked *socket);

bool socket_has_peer(const struct asked *socket);

/* Whether it is an address, and neither 0.0.0.0 nor [::]. */
bool address_is_one(const struct ip_addr *addr);

bool same_endpoint(const struct endpoint *one, const struct endpoint *other);

#endif
