/* snapshot.c - rows and figures from the table and the kernel's list of sockets. Nothing in the table is trusted. */
#define _GNU_SOURCE
#include "tools/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/clock.h"
#include "shim/owner.h"
#include "shim/rules.h"
#include "tools/memory.h"
#include "tools/utf8.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

/* ---- names ----------------------------------------------------------------------------------------- */

const char *row_state_name(enum row_state state)
{
	static const char *const names[] = {
		[ROW_HELD] = "held", [ROW_CLAIMED] = "claimed", [ROW_STALE] = "stale",
		[ROW_TIME_WAIT] = "time-wait", [ROW_OUTSIDE] = "outside",
	};
	return names[state];
}

const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case PROTOCOL_TCP: return "tcp";
	case PROTOCOL_UDP: return "udp";
	case PROTOCOL_SCTP: return "sctp";
	case PROTOCOL_DCCP: return "dccp";
	case PROTOCOL_UDPLITE: return "udplite";
	default: return "?";
	}
}

/* ---- rules ----------------------------------------------------------------------------------------- */

static void set_add(struct shown_rule *rule, uint16_t port)
{
	rule->set[port / 64] |= UINT64_C(1) << port % 64;
}

bool rule_has_port(const struct shown_rule *rule, uint16_t port)
{
	return rule->set[port / 64] >> port % 64 & 1;
}

/* The set as far as the table has it; reversed intervals and port 0 are nobody's. */
static void set_read(struct shown_rule *rule, const struct table_rule *entry)
{
	uint32_t intervals = atomic_load(&entry->about) >> 16;
	rule->cut = intervals > RULE_INTERVALS;
	for (uint32_t i = 0; i < intervals && i < RULE_INTERVALS; i++) {
		uint32_t interval = atomic_load(&entry->interval[i]);
		for (uint32_t port = interval >> 16; port && port <= (interval & 0xffff); port++)
			set_add(rule, (uint16_t)port);
	}
}

static uint32_t set_count(const struct shown_rule *rule)
{
	uint32_t count = 0;
	for (size_t i = 0; i < sizeof(rule->set) / sizeof(*rule->set); i++)
		count += (uint32_t)__builtin_popcountll(rule->set[i]);
	return count;
}

/* Whether the entry is of a rule that was changed since: another of its name was used later, and no cell names it. */
static bool rule_is_past(const struct table *table, uint32_t number, const struct cells *cells)
{
	char name[RULE_NAME_SIZE], other[RULE_NAME_SIZE];
	bool past = false;
	rules_name(&table->rule[number], name);
	for (uint32_t i = 0; i < TABLE_RULES && !past; i++) {
		rules_name(&table->rule[i], other);
		past = i != number && atomic_load(&table->rule[i].id) && strcmp(name, other) == 0 &&
		       atomic_load(&table->rule[i].used) > atomic_load(&table->rule[number].used);
	}
	for (size_t i = 0; i < cells->n && past; i++)
		past = cell_rule(cells->cell[i].info) != number;
	return past;
}

static void rule_read(struct snapshot *snapshot, const struct table *table, uint32_t number, const char *only,
                      const struct cells *cells)
{
	const struct table_rule *entry = &table->rule[number];
	char name[RULE_NAME_SIZE];
	rules_name(entry, name);
	if (!atomic_load(&entry->id) || (only && strncmp(name, only, RULE_NAME_SIZE - 1) != 0) ||
	    rule_is_past(table, number, cells))
		return;
	snapshot->rule = memory_for_one(snapshot->rule, snapshot->rules, &snapshot->rules_room,
	                                sizeof(*snapshot->rule));
	struct shown_rule *rule = &snapshot->rule[snapshot->rules++];
	*rule = (struct shown_rule){
		.number = number,
		.id = atomic_load(&entry->id),
		.cooldown_ms = atomic_load(&entry->cooldown),
		.given = atomic_load(&entry->given),
		.failures = atomic_load(&entry->failures),
		.waits = atomic_load(&entry->waits),
		.retries = atomic_load(&entry->retries),
		.denied = atomic_load(&entry->denied),
		.ports = atomic_load(&entry->ports),
		.protocols = atomic_load(&entry->about) >> RULE_PROTOCOLS_SHIFT & PROTOCOL_ANY,
	};
	memcpy(rule->name, name, sizeof(name));
	utf8_clean(rule->name);
	set_read(rule, entry);
}

static int compare_rules(const void *a, const void *b)
{
	const struct shown_rule *one = a, *other = b;
	int order = strcmp(one->name, other->name);
	return order ? order : (one->number > other->number) - (one->number < other->number);
}

static void rules_read(struct snapshot *snapshot, const struct table *table, const char *only, const struct cells *cells)
{
	for (uint32_t number = 0; number < TABLE_RULES; number++) {
		rule_read(snapshot, table, number, only, cells);
		snapshot->given += atomic_load(&table->rule[number].id) ? atomic_load(&table->rule[number].given) : 0;
	}
	if (snapshot->rules)
		qsort(snapshot->rule, snapshot->rules, sizeof(*snapshot->rule), compare_rules);
}

static size_t rule_numbered(const struct snapshot *snapshot, uint32_t number)
{
	for (size_t i = 0; i < snapshot->rules; i++)
		if (snapshot->rule[i].number == number)
			return i;
	return NO_RULE;
}

static size_t rule_with_port(const struct snapshot *snapshot, uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < snapshot->rules; i++)
		if (snapshot->rule[i].protocols & protocol && rule_has_port(&snapshot->rule[i], port))
			return i;
	return NO_RULE;
}

/* ---- rows ------------------------------------------------------------------------------------------ */

static void row_keep(struct snapshot *snapshot, const struct row *row)
{
	snapshot->row = memory_for_one(snapshot->row, snapshot->rows, &snapshot->rows_room, sizeof(*snapshot->row));
	snapshot->row[snapshot->rows++] = *row;
}

static uint64_t since_ms(const struct snapshot *snapshot, uint64_t then)
{
	return then < snapshot->now ? (snapshot->now - then) / MILLISECOND : 0;
}

static void port_mark(struct snapshot *snapshot, uint8_t protocol, uint16_t port, enum row_state state)
{
	static const uint8_t use[] = {
		[ROW_HELD] = PORT_OURS, [ROW_CLAIMED] = PORT_OURS, [ROW_STALE] = 0,
		[ROW_TIME_WAIT] = PORT_OVER, [ROW_OUTSIDE] = PORT_OUTSIDE,
	};
	snapshot->use[peer_space(protocol)][port] |= use[state];
}

/* What the socket says of itself. */
static void row_describe(struct row *row, const struct asked *socket)
{
	row->socket = socket->state;
	row->inode = socket->inode;
	row->user = socket->user;
	if (address_is_one(&socket->local.addr))
		row->local.addr = socket->local.addr;
	if (socket_has_peer(socket))
		row->to = socket->remote;
}

/* An owner, and what is known of it: neighbouring cells often have the same. */
struct known_owner {
	const struct table *table;
	uint64_t owner;           /* 0: none yet */
	uint32_t pid;             /* 0: it means nothing here */
	enum owner_life life;
};

static void owner_know(struct known_owner *known, uint64_t owner)
{
	if (owner == known->owner)
		return;
	known->owner = owner;
	known->pid = owner_is_here(known->table, owner) ? owner_pid(owner) : 0;
	known->life = owner_life(known->table, owner);
}

/* `unknown`: protocols of which the kernel tells nothing. */
static enum row_state state_of(const struct cell *cell, struct known_owner *known, uint8_t unknown)
{
	if (cell_state(cell->word) == CELL_CLAIMED) {
		owner_know(known, cell_owner(cell->word));
		return known->life == OWNER_DEAD ? ROW_STALE : ROW_CLAIMED;
	}
	if (cell->socket)
		return socket_is_over(cell->socket) ? ROW_TIME_WAIT : ROW_HELD;
	return cell->before && !(cell->peer.protocol & unknown) ? ROW_STALE : ROW_HELD;
}

static void cell_show(struct snapshot *snapshot, const struct cell *cell, enum row_state state, bool all)
{
	struct row row = {
		.state = state,
		.rule = rule_numbered(snapshot, cell_rule(cell->info)),
		.protocol = cell->peer.protocol,
		.local = { .addr = cell->peer.source, .port = cell->port },
		.to = cell->peer.to,
		.since_ms = since_ms(snapshot, cell_time(cell->info)),
		.since_known = true,
		.owner = cell_owner(cell->word),
	};
	if (cell->socket)
		row_describe(&row, cell->socket);
	port_mark(snapshot, row.protocol, cell->port, row.state);
	if (row.rule != NO_RULE && snapshot->rule[row.rule].cut)
		set_add(&snapshot->rule[row.rule], cell->port);
	if (row.rule != NO_RULE || all)
		row_keep(snapshot, &row);
}

/* A socket that no cell is for; shown where a rule has its port, unless it only came and went. */
static void socket_show(struct snapshot *snapshot, const struct asked *socket, const struct sockets *later)
{
	if (!socket_is_over(socket) && !(later->unknown & socket->protocol) && !sockets_have(later, socket))
		return;
	struct row row = {
		.state = socket_is_over(socket) ? ROW_TIME_WAIT : ROW_OUTSIDE,
		.rule = rule_with_port(snapshot, socket->protocol, socket->local.port),
		.protocol = socket->protocol,
		.local = { .port = socket->local.port },
	};
	row_describe(&row, socket);
	port_mark(snapshot, row.protocol, socket->local.port, row.state);
	if (row.state == ROW_TIME_WAIT) { /* the port came back when the connection ended */
		uint64_t used = snapshot->used[peer_space(row.protocol)][socket->local.port];
		row.since_known = used != 0;
		row.since_ms = since_ms(snapshot, used);
	}
	if (row.rule != NO_RULE)
		row_keep(snapshot, &row);
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *one = a, *other = b;
	const uint64_t keys[][2] = {
		{ one->rule, other->rule },
		{ one->protocol, other->protocol },
		{ one->local.port, other->local.port },
		{ one->to.addr.family, other->to.addr.family },
		{ one->to.addr.hi, other->to.addr.hi },
		{ one->to.addr.lo, other->to.addr.lo },
		{ one->to.port, other->to.port },
		{ one->inode, other->inode },
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	return 0;
}

/* ---- figures --------------------------------------------------------------------------------------- */

/* Whether one of the rule's protocols numbers its ports there. */
static bool rule_has_space(const struct shown_rule *rule, unsigned int space)
{
	for (unsigned int bit = 1; bit & PROTOCOL_ANY; bit <<= 1)
		if (rule->protocols & bit && peer_space((uint8_t)bit) == space)
			return true;
	return false;
}

uint8_t port_use(const struct snapshot *snapshot, const struct shown_rule *rule, uint16_t port)
{
	uint8_t use = 0;
	for (unsigned int space = 0; space < TABLE_SPACES; space++)
		if (rule_has_space(rule, space))
			use |= snapshot->use[space][port];
	return use;
}

static uint64_t port_used(const struct snapshot *snapshot, const struct shown_rule *rule, uint16_t port)
{
	uint64_t used = 0;
	for (unsigned int space = 0; space < TABLE_SPACES; space++)
		if (rule_has_space(rule, space) && snapshot->used[space][port] > used)
			used = snapshot->used[space][port];
	return used;
}

bool port_is_cooling(const struct snapshot *snapshot, const struct shown_rule *rule, uint16_t port)
{
	uint64_t used = port_used(snapshot, rule, port);
	return used && since_ms(snapshot, used) < rule->cooldown_ms && !port_use(snapshot, rule, port);
}

static void rule_count(const struct snapshot *snapshot, struct shown_rule *rule)
{
	uint32_t known = set_count(rule);
	if (!rule->cut || rule->ports < known)
		rule->ports = known;
	if (rule->ports > 65535)
		rule->ports = 65535;
	for (uint32_t port = 1; port < 65536; port++) {
		if (!rule_has_port(rule, (uint16_t)port))
			continue;
		rule->in_use += port_use(snapshot, rule, (uint16_t)port) != 0;
		rule->cooling += port_is_cooling(snapshot, rule, (uint16_t)port);
	}
}

static void times_read(struct snapshot *snapshot, const struct table *table)
{
	for (size_t space = 0; space < TABLE_SPACES; space++)
		for (size_t port = 0; port < 65536; port++) {
			uint64_t used = atomic_load_explicit(&table->used[space][port], memory_order_relaxed);
			snapshot->used[space][port] = used;
		}
}

/* ---- the whole ------------------------------------------------------------------------------------- */

void snapshot_make(struct snapshot *snapshot, const struct table *table, struct cells *cells,
                   const struct sockets *sockets, const struct sockets *later, const char *rule)
{
	struct known_owner known = { .table = table, .life = OWNER_UNKNOWN };
	bool *fitted = memory_zeroed(sockets->n, sizeof(*fitted));
	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->asked = atomic_load(&table->asked);
	snapshot->swept = atomic_load(&table->swept);
	snapshot->audit_lost = atomic_load(&table->audit_lost);
	snapshot->error = sockets->error;
	rules_read(snapshot, table, rule, cells);
	cells_match(cells, sockets, fitted);
	snapshot->now = clock_now();
	times_read(snapshot, table);
	for (size_t i = 0; i < cells->n; i++) {
		const struct cell *cell = &cells->cell[i];
		if (cell->after)
			cell_show(snapshot, cell, state_of(cell, &known, sockets->unknown), !rule);
	}
	for (size_t i = 0; i < sockets->n; i++)
		if (!fitted[i])
			socket_show(snapshot, &sockets->socket[i], later);
	for (size_t i = 0; i < snapshot->rules; i++)
		rule_count(snapshot, &snapshot->rule[i]);
	if (snapshot->rows)
		qsort(snapshot->row, snapshot->rows, sizeof(*snapshot->row), compare_rows);
	free(fitted);
}

/* Where the kernel does not say (before Linux 5.14), or the table (one in memory), they are taken to be the same. */
bool snapshot_is_here(const struct table *table)
{
	uint64_t own = 0, of_table = atomic_load(&table->netns);
	socklen_t length = sizeof(own);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool known = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &own, &length) == 0;
	if (fd >= 0)
		close(fd);
	return !known || !of_table || !table_netns_differs(own, of_table);
}

void snapshot_take(struct snapshot *snapshot, const struct table *table, const char *rule)
{
	struct sockets sockets = { .unknown = PROTOCOL_ANY, .error = -EXDEV }, later = sockets;
	bool may_ask = snapshot_is_here(table);
	struct cells cells;
	cells_look(&cells, table);
	if (may_ask)
		sockets_ask(&sockets);
	cells_look_again(&cells, table);
	if (may_ask)
		sockets_ask(&later);
	sockets_sort(&later);
	snapshot_make(snapshot, table, &cells, &sockets, &later, rule);
	sockets_free(&sockets);
	sockets_free(&later);
	cells_free(&cells);
}

/* What all entries of the table by the rule's name have counted. */
static void counts_sum(struct shown_rule *rule, const struct table *table)
{
	rule->given = rule->failures = rule->waits = rule->retries = rule->denied = 0;
	for (uint32_t number = 0; number < TABLE_RULES; number++) {
		const struct table_rule *entry = &table->rule[number];
		char name[RULE_NAME_SIZE];
		if (!atomic_load(&entry->id))
			continue;
		rules_name(entry, name);
		utf8_clean(name);
		if (strcmp(name, rule->name) != 0)
			continue;
		rule->given += atomic_load(&entry->given);
		rule->failures += atomic_load(&entry->failures);
		rule->waits += atomic_load(&entry->waits);
		rule->retries += atomic_load(&entry->retries);
		rule->denied += atomic_load(&entry->denied);
	}
}

static void rule_join(const struct snapshot *snapshot, struct shown_rule *rule, const struct shown_rule *other)
{
	for (size_t i = 0; i < sizeof(rule->set) / sizeof(*rule->set); i++)
		rule->set[i] |= other->set[i];
	rule->protocols |= other->protocols;
	rule->cut |= other->cut;
	if (rule->cooldown_ms < other->cooldown_ms)
		rule->cooldown_ms = other->cooldown_ms;
	if (rule->ports < other->ports)
		rule->ports = other->ports;
	rule->in_use = rule->cooling = 0;
	rule_count(snapshot, rule);
}

void snapshot_unite(struct snapshot *snapshot, const struct table *table)
{
	size_t kept = 0;
	for (size_t i = 0; i < snapshot->rules; i++) {
		struct shown_rule *last = kept ? &snapshot->rule[kept - 1] : NULL;
		if (last && strcmp(last->name, snapshot->rule[i].name) == 0) {
			rule_join(snapshot, last, &snapshot->rule[i]);
			continue;
		}
		if (kept != i)
			snapshot->rule[kept] = snapshot->rule[i];
		counts_sum(&snapshot->rule[kept++], table);
	}
	snapshot->rules = kept;
}

static bool policy_has(const struct policy *policy, uint64_t id)
{
	for (uint32_t i = 0; i < policy->rules; i++)
		if (policy->rule[i].id == id)
			return true;
	return false;
}

/* What no cell is for is of the first rule that has its port: of those that remain, perhaps another one. */
static size_t row_rule_now(const struct snapshot *snapshot, const struct row *row, uint32_t number)
{
	size_t rule = rule_numbered(snapshot, number);
	if (rule == NO_RULE && (row->state == ROW_OUTSIDE || row->state == ROW_TIME_WAIT))
		rule = rule_with_port(snapshot, row->protocol, row->local.port);
	return rule;
}

size_t snapshot_policy(struct snapshot *snapshot, const struct policy *policy)
{
	uint32_t *number = memory_zeroed(snapshot->rows, sizeof(*number)); /* of each row's rule */
	size_t rules = 0, rows = 0, dropped;
	for (size_t i = 0; i < snapshot->rows; i++)
		number[i] = snapshot->row[i].rule == NO_RULE ? TABLE_RULES : snapshot->rule[snapshot->row[i].rule].number;
	for (size_t i = 0; i < snapshot->rules; i++)
		if (policy_has(policy, snapshot->rule[i].id))
			snapshot->rule[rules++] = snapshot->rule[i];
	dropped = snapshot->rules - rules;
	snapshot->rules = rules;
	for (size_t i = 0; i < snapshot->rows; i++) {
		struct row row = snapshot->row[i];
		row.rule = row_rule_now(snapshot, &row, number[i]);
		if (row.rule != NO_RULE || number[i] == TABLE_RULES)
			snapshot->row[rows++] = row;
	}
	snapshot->rows = rows;
	free(number);
	return dropped;
}

/* Whether a row is of this socket. */
static bool is_shown(const struct snapshot *snapshot, size_t rows, const struct asked *socket)
{
	for (size_t i = 0; i < rows; i++) {
		const struct row *row = &snapshot->row[i];
		if (row->socket && row->protocol == socket->protocol && row->local.port == socket->local.port &&
		    row->inode == socket->inode && (socket->inode || same_endpoint(&row->to, &socket->remote)))
			return true;
	}
	return false;
}

void snapshot_ports(struct snapshot *snapshot, uint16_t lo, uint16_t hi)
{
	struct sockets sockets;
	size_t kept = 0;
	for (size_t i = 0; i < snapshot->rows; i++)
		if (snapshot->row[i].local.port >= lo && snapshot->row[i].local.port <= hi)
			snapshot->row[kept++] = snapshot->row[i];
	snapshot->rows = kept;
	if (snapshot->error == -EXDEV)
		return;
	sockets_ask(&sockets);
	for (size_t i = 0; i < sockets.n; i++) {
		const struct asked *socket = &sockets.socket[i];
		if (socket->local.port < lo || socket->local.port > hi || is_shown(snapshot, kept, socket))
			continue;
		struct row row = { .state = socket_is_over(socket) ? ROW_TIME_WAIT : ROW_OUTSIDE, .rule = NO_RULE,
		                   .protocol = socket->protocol, .local = { .port = socket->local.port } };
		row_describe(&row, socket);
		row_keep(snapshot, &row);
	}
	sockets_free(&sockets);
}

void snapshot_free(struct snapshot *snapshot)
{
	free(snapshot->row);
	free(snapshot->rule);
	memset(snapshot, 0, sizeof(*snapshot));
}

/* ---- who ------------------------------------------------------------------------------------------- */

static int compare_holders(const void *a, const void *b)
{
	const struct holder *one = a, *other = b;
	return (one->inode > other->inode) - (one->inode < other->inode);
}

/* One for each inode: several rows can be of one socket. */
static size_t holders_unite(struct holder *holders, size_t n)
{
	size_t kept = 0;
	if (n)
		qsort(holders, n, sizeof(*holders), compare_holders);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || holders[i].inode != holders[kept - 1].inode)
			holders[kept++] = holders[i];
	return kept;
}

/* A process that has the socket; else the one in the table, with its program's name if it still is that process. */
static void row_who(struct row *row, struct known_owner *known, const struct holder *holder)
{
	row->pid = holder ? holder->pid : 0;
	bool alive = row->pid != 0;
	if (!alive) {
		owner_know(known, row->owner);
		row->pid = known->pid;
		alive = known->pid && known->life == OWNER_ALIVE;
	}
	if (alive && program_name(row->pid, row->program))
		utf8_clean(row->program);
}

void snapshot_who(struct snapshot *snapshot, const struct table *table)
{
	struct known_owner known = { .table = table, .life = OWNER_UNKNOWN };
	struct holder *holders = memory_zeroed(snapshot->rows, sizeof(*holders));
	size_t n = 0;
	for (size_t i = 0; i < snapshot->rows; i++) {
		const struct row *row = &snapshot->row[i];
		if (!row->inode)
			continue;
		owner_know(&known, row->owner);
		holders[n++] = (struct holder){ .inode = row->inode, .expected = known.pid };
	}
	n = holders_unite(holders, n);
	holders_find(holders, n);
	for (size_t i = 0; i < snapshot->rows; i++)
		row_who(&snapshot->row[i], &known, holder_of(holders, n, snapshot->row[i].inode));
	free(holders);
}
