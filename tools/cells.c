/* cells.c - two looks at the table's cells, joined, and held against a list of sockets. */
#define _GNU_SOURCE
#include "tools/cells.h"

#include <netinet/tcp.h>
#include <stdlib.h>

#include "tools/memory.h"

/* ---- looking --------------------------------------------------------------------------------------- */

static void cell_keep(struct cells *cells, const struct cell *cell)
{
	cells->cell = memory_for_one(cells->cell, cells->n, &cells->room, sizeof(*cells->cell));
	cells->cell[cells->n++] = *cell;
}

/* The name is looked at before and after: a block that got another one meanwhile was idle in between. */
static void block_look(struct cells *cells, const struct table *table, uint32_t block)
{
	struct cell cell = { .before = true };
	size_t first_kept = cells->n;
	uint64_t tag = atomic_load(&table->tag[block]);
	uint16_t first;
	if (!block_name(table, block, &cell.peer, &first))
		return;
	for (uint32_t place = 0; place < BLOCK_PORTS; place++) {
		cell.word = atomic_load(&table_cells(table, block)[place].word);
		cell.info = atomic_load(&table_cells(table, block)[place].info);
		cell.number = block * BLOCK_PORTS + place;
		cell.port = (uint16_t)(first + place);
		if (cell_state(cell.word) == CELL_CLAIMED || cell_state(cell.word) == CELL_HELD)
			cell_keep(cells, &cell);
	}
	if (atomic_load(&table->tag[block]) != tag)
		cells->n = first_kept;
}

void cells_look(struct cells *cells, const struct table *table)
{
	*cells = (struct cells){ .n = 0 };
	for (uint32_t block = 0; block < TABLE_BLOCKS; block++)
		block_look(cells, table, block);
}

/* Both are in the order of the table; of one cell, what it was comes before what it is. */
void cells_look_again(struct cells *cells, const struct table *table)
{
	struct cells before = *cells, after;
	cells_look(&after, table);
	*cells = (struct cells){ .n = 0 };
	for (size_t old = 0, new = 0; old < before.n || new < after.n;) {
		bool old_next = new == after.n || (old < before.n && before.cell[old].number <= after.cell[new].number);
		struct cell cell = old_next ? before.cell[old] : after.cell[new];
		bool both = old_next && new < after.n && after.cell[new].number == cell.number &&
		            after.cell[new].word == cell.word;
		cell.before = old_next;
		cell.after = !old_next || both;
		if (both)
			cell.info = after.cell[new].info;
		old += old_next;
		new += !old_next || both;
		cell_keep(cells, &cell);
	}
	cells_free(&before);
	cells_free(&after);
}

void cells_free(struct cells *cells)
{
	free(cells->cell);
	*cells = (struct cells){ .n = 0 };
}

/* ---- sockets --------------------------------------------------------------------------------------- */

bool socket_is_over(const struct asked *socket)
{
	if (socket->protocol != PROTOCOL_TCP)
		return false;
	switch (socket->state) {
	case TCP_TIME_WAIT: return true;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
	case TCP_LAST_ACK: return socket->inode == 0;
	default: return false;
	}
}

bool socket_has_peer(const struct asked *socket)
{
	return socket->remote.port != 0;
}

bool address_is_one(const struct ip_addr *addr)
{
	return addr->family && (addr->hi || addr->lo);
}

static bool same_address(const struct ip_addr *one, const struct ip_addr *other)
{
	return one->family == other->family && one->hi == other->hi && one->lo == other->lo;
}

bool same_endpoint(const struct endpoint *one, const struct endpoint *other)
{
	return one->port == other->port && same_address(&one->addr, &other->addr);
}

/* How well a socket of the cell's protocol and port fits the cell; 0: not at all. A socket that is bound and no more
 * may be on its way to any destination, or back from it. */
static unsigned fit(const struct cell *cell, const struct asked *socket)
{
	const struct peer *peer = &cell->peer;
	if (peer->source.family && !same_address(&peer->source, &socket->local.addr))
		return 0;
	if (socket->state == TCP_LISTEN)
		return peer->to.addr.family ? 0 : 4;
	if (peer->to.addr.family && !socket_has_peer(socket))
		return 1;
	if (peer->to.addr.family && !same_endpoint(&peer->to, &socket->remote))
		return 0;
	return socket_is_over(socket) ? 2 : 3;
}

static int compare_ports(const void *a, const void *b)
{
	const struct cell *one = a, *other = b;
	if (one->peer.protocol != other->peer.protocol)
		return one->peer.protocol < other->peer.protocol ? -1 : 1;
	return (one->port > other->port) - (one->port < other->port);
}

/* The first of the sorted cells with the socket's protocol and port, or one behind it. */
static size_t first_for(const struct cells *cells, const struct cell *key)
{
	size_t low = 0, high = cells->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_ports(&cells->cell[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool socket_match(struct cells *cells, const struct asked *socket)
{
	const struct cell key = { .port = socket->local.port, .peer.protocol = socket->protocol };
	bool fitted = false;
	for (size_t i = first_for(cells, &key); i < cells->n && compare_ports(&cells->cell[i], &key) == 0; i++) {
		struct cell *cell = &cells->cell[i];
		unsigned now = fit(cell, socket);
		fitted |= now > 0;
		if (now > (cell->socket ? fit(cell, cell->socket) : 0))
			cell->socket = socket;
	}
	return fitted;
}

void cells_match(struct cells *cells, const struct sockets *sockets, bool *fitted)
{
	if (cells->n)
		qsort(cells->cell, cells->n, sizeof(*cells->cell), compare_ports);
	for (size_t i = 0; i < sockets->n; i++)
		fitted[i] = socket_match(cells, &sockets->socket[i]);
}
