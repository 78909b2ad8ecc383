/* held.c - which ports of the policy's sets somebody has to himself now, who is not under portshim; and what the table has
 * counted. */
#define _GNU_SOURCE
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/check/machine.h"
#include "tools/memory.h"
#include "tools/patient.h"
#include "tools/snapshot.h"
#include "tools/table_file.h"
#include "tools/utf8.h"

enum { TCP_BOUND = 13 }; /* TCP_BOUND_INACTIVE: bound and no more, Linux 6.8 */

/* The ports of all sets, a bit for each port, for each protocol. */
struct wanted {
	uint64_t port[5][65536 / 64];
};

static void wanted_add(struct wanted *wanted, const struct rule *rule)
{
	for (uint32_t i = 0; i < rule->ports.intervals; i++)
		for (uint32_t port = rule->ports.interval[i].lo; port <= rule->ports.interval[i].hi; port++)
			for (unsigned bit = 0; bit < 5; bit++)
				wanted->port[bit][port / 64] |= (uint64_t)(rule->protocols >> bit & 1) << port % 64;
}

static bool is_wanted(const struct wanted *wanted, const struct asked *socket)
{
	unsigned bit = (unsigned)__builtin_ctz(socket->protocol);
	return wanted->port[bit][socket->local.port / 64] >> socket->local.port % 64 & 1;
}

/* A socket that listens, or is bound and not connected: nobody else gets its port. */
static bool is_exclusive(const struct asked *socket)
{
	return (socket->state == TCP_LISTEN || socket->state == TCP_CLOSE || socket->state == TCP_BOUND) &&
	       socket->remote.port == 0;
}

/* --- the table -------------------------------------------------------------------------------------------- */

static int by_inode(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
	return (one > other) - (one < other);
}

/* Inodes of the sockets that the table knows of. */
struct known {
	uint64_t *inode;
	size_t n;
};

static void table_read(struct machine *machine, struct known *known, const struct table *table)
{
	struct snapshot *snapshot = memory_zeroed(1, sizeof(*snapshot));
	snapshot_take(snapshot, table, NULL);
	known->inode = memory_zeroed(snapshot->rows, sizeof(*known->inode));
	for (size_t i = 0; i < snapshot->rows; i++)
		if (snapshot->row[i].state != ROW_OUTSIDE && snapshot->row[i].inode)
			known->inode[known->n++] = snapshot->row[i].inode;
	if (known->n)
		qsort(known->inode, known->n, sizeof(*known->inode), by_inode);
	struct tally *tally = memory_zeroed(snapshot->rules, sizeof(*tally));
	for (size_t i = 0; i < snapshot->rules; i++)
		tally[i] = (struct tally){
			snapshot->rule[i].id, snapshot->rule[i].given, snapshot->rule[i].failures
		};
	machine->tally = tally;
	machine->tallies = snapshot->rules;
	snapshot_free(snapshot);
	free(snapshot);
}

/* A table that is not there or cannot be read tells nothing; files.c says so where it matters. */
static void table_ask(struct machine *machine, struct known *known, const struct policy *policy)
{
	struct table_file *file = memory_zeroed(1, sizeof(*file));
	int error;
	const struct table *table = table_file_of(file, policy, geteuid(), "") == EXIT_SUCCESS ?
	                            table_file_look(file, &error) : NULL;
	if (table)
		table_read(machine, known, table);
	table_file_leave(table);
	free(file);
}

/* --- sockets ---------------------------------------------------------------------------------------------- */

static int by_port(const void *a, const void *b)
{
	const struct held_port *one = a, *other = b;
	if (one->port != other->port)
		return one->port < other->port ? -1 : 1;
	return one->protocol < other->protocol ? -1 : one->protocol > other->protocol;
}

static struct held_port *sockets_pick(const struct wanted *wanted, const struct known *known, size_t *n)
{
	struct sockets sockets;
	struct held_port *held = NULL;
	size_t room = 0;
	sockets_ask(&sockets);
	for (size_t i = 0; i < sockets.n; i++) {
		const struct asked *socket = &sockets.socket[i];
		if (!is_exclusive(socket) || !is_wanted(wanted, socket) ||
		    (known->n && bsearch(&socket->inode, known->inode, known->n, sizeof(*known->inode), by_inode)))
			continue;
		held = memory_for_one(held, *n, &room, sizeof(*held));
		held[(*n)++] = (struct held_port){
			.port = socket->local.port, .protocol = socket->protocol, .addr = socket->local.addr,
			.user = socket->user, .inode = socket->inode,
		};
	}
	sockets_free(&sockets);
	if (*n)
		qsort(held, *n, sizeof(*held), by_port);
	return held;
}

/* Fills in the processes, and leaves out those that are under portshim, perhaps with another table. */
static size_t owners_find(struct held_port *held, size_t n)
{
	struct holder *holders = memory_zeroed(n, sizeof(*holders));
	uint32_t asked = 0;
	bool under = false;
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		holders[i].inode = held[i].inode;
	holders_find(holders, n);
	for (size_t i = 0; i < n; i++) {
		const struct holder *holder = holder_of(holders, n, held[i].inode);
		uint32_t pid = holder ? holder->pid : 0;
		if (pid && pid != asked)
			under = patient_is_under(asked = pid);
		if (pid && under)
			continue;
		held[kept] = held[i];
		held[kept].pid = pid;
		if (pid && program_name(pid, held[kept].program))
			utf8_clean(held[kept].program);
		kept++;
	}
	free(holders);
	return kept;
}

void held_ask(struct machine *machine, const struct policy *policy)
{
	struct known known = { .n = 0 };
	struct wanted *wanted = memory_zeroed(1, sizeof(*wanted));
	for (uint32_t i = 0; i < policy->rules; i++)
		wanted_add(wanted, &policy->rule[i]);
	table_ask(machine, &known, policy);
	size_t n = 0;
	struct held_port *held = sockets_pick(wanted, &known, &n);
	machine->n_held = owners_find(held, n);
	machine->held = held;
	free(known.inode);
	free(wanted);
}
