/* free_ports.c - counting ports that nobody has. */
#define _GNU_SOURCE
#include "tools/free_ports.h"

#include <stdlib.h>
#include <string.h>

#include "shim/owner.h"
#include "tools/cells.h"
#include "tools/memory.h"

struct used {
	uint64_t towards[PORT_WORDS], whole[PORT_WORDS];
};

/* A connection that is over is taken over on the early way, where the other end can tell old from new. */
static bool is_taken_over(const struct free_question *question, const struct asked *socket)
{
	return socket_is_over(socket) && !question->kernel->no_timestamps &&
	       !kernel_takes_late(question->kernel, socket->local.port);
}

/* Whether the port can serve a connection to each destination. */
static bool is_shared(const struct free_question *question, uint16_t port)
{
	return question->to && (question->early_shares || kernel_takes_late(question->kernel, port));
}

/* `fits`: it is of a cell of the table, so whoever has it lets others share. */
static bool is_in_the_way(const struct free_question *question, const struct asked *socket, bool fits)
{
	if (!is_shared(question, socket->local.port) || !socket_has_peer(socket))
		return true;
	if (same_endpoint(&socket->remote, question->to))
		return !is_taken_over(question, socket);
	return !fits && !socket_is_over(socket) && !kernel_takes_late(question->kernel, socket->local.port);
}

static void mark_sockets(struct used *used, const struct free_question *question, const struct sockets *sockets,
                         const bool *fitted)
{
	for (size_t i = 0; i < sockets->n; i++) {
		const struct asked *socket = &sockets->socket[i];
		if (socket->protocol != question->protocol)
			continue;
		port_add(used->whole, socket->local.port);
		if (is_in_the_way(question, socket, fitted[i]))
			port_add(used->towards, socket->local.port);
	}
}

/* Whether the port is somebody's by the table: a claim of a process that lives, or a port that the kernel has a socket for or
 * that was given between the two looks. */
static bool cell_counts(const struct cell *cell, const struct table *table)
{
	if (!cell->after)
		return false;
	if (cell_state(cell->word) == CELL_CLAIMED)
		return owner_life(table, cell_owner(cell->word)) != OWNER_DEAD;
	return cell->socket ? !socket_is_over(cell->socket) : !cell->before;
}

static void mark_cells(struct used *used, const struct free_question *question, const struct cells *cells)
{
	for (size_t i = 0; i < cells->n; i++) {
		const struct cell *cell = &cells->cell[i];
		if (cell->peer.protocol != question->protocol || !cell_counts(cell, question->table))
			continue;
		port_add(used->whole, cell->port);
		if (!is_shared(question, cell->port) || !cell->peer.to.addr.family ||
		    same_endpoint(&cell->peer.to, question->to))
			port_add(used->towards, cell->port);
	}
}

static uint32_t count_free(const uint64_t *wanted, const uint64_t *used)
{
	uint32_t count = 0;
	for (size_t i = 0; i < PORT_WORDS; i++)
		count += (uint32_t)__builtin_popcountll(wanted[i] & ~used[i]);
	return count;
}

void free_ports_count(struct free_ports *free_ports, const struct free_question *question)
{
	struct used *used = memory_zeroed(1, sizeof(*used));
	struct sockets sockets = { .n = 0 };
	struct cells cells = { .n = 0 };
	if (question->table)
		cells_look(&cells, question->table);
	sockets_ask(&sockets);
	if (question->table)
		cells_look_again(&cells, question->table);
	bool *fitted = memory_zeroed(sockets.n, sizeof(*fitted));
	cells_match(&cells, &sockets, fitted);
	mark_sockets(used, question, &sockets, fitted);
	mark_cells(used, question, &cells);
	*free_ports = (struct free_ports){
		.known = !(sockets.unknown & question->protocol),
		.towards = count_free(question->wanted, used->towards),
		.whole = count_free(question->wanted, used->whole),
	};
	free(fitted);
	free(used);
	cells_free(&cells);
	sockets_free(&sockets);
}
