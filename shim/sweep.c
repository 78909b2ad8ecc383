/* sweep.c - freeing the cells that the kernel does not bear out. */
#define _GNU_SOURCE
#include "sweep.h"

#include <netinet/tcp.h>
#include <sys/mman.h>

#include "ask.h"
#include "clock.h"
#include "owner.h"

#define PATIENCE 4              /* times its duration, until a sweep is repeated that brought nothing */
#define REST SECOND             /* until the kernel may take a port in TIME_WAIT again, late (tcp_tw_reuse) */

struct sweep {
	struct table *table;
	const struct peer *peer; /* NULL: all of the protocol */
	uint8_t protocol;
	struct port_range ports;
	const struct kernel *kernel;
	uint64_t started;
	uint64_t since;          /* what was found taken after that stays so */
	uint32_t freed;
	uint32_t young;          /* given since it began */
	bool blind;              /* the kernel could not be asked */
	uint64_t asked_of;       /* the owner that was looked at last, and what came of it: neighbours are often one's */
	enum owner_life life;
	uint64_t used[TABLE_BLOCKS];    /* cells that the kernel has a socket for */
	uint64_t resting[TABLE_BLOCKS]; /* in TIME_WAIT, taken late */
	alignas(8) char buffer[ASK_BUFFER_SIZE];
};

/* --- what the kernel has --------------------------------------------------------------------------------- */

static bool source_covers(const struct ip_addr *source, const struct ip_addr *local)
{
	bool wildcard = local->hi == 0 && local->lo == 0;

	return !source->family || wildcard ||
	       (source->family == local->family && source->hi == local->hi && source->lo == local->lo);
}

/* A socket of the peer's has the port. A connection in TIME_WAIT is taken over by an early bind of a port that is shared, if
 * there are timestamps; a late one must wait a while; an exclusive bind does not get the port. */
static void mark(struct sweep *sweep, const struct peer *peer, const struct asked *socket)
{
	uint16_t port = socket->local.port;
	bool over = socket->state == TCP_TIME_WAIT && peer->to.addr.family && !sweep->kernel->no_timestamps &&
	            !peer_is_strict(sweep->table, peer);
	uint32_t block[BUCKET_BLOCKS], n;

	if (over && !kernel_takes_late(sweep->kernel, port))
		return;
	n = block_all(sweep->table, peer, (uint16_t)(port / BLOCK_PORTS * BLOCK_PORTS), block);
	while (n-- > 0)
		(over ? sweep->resting : sweep->used)[block[n]] |= UINT64_C(1) << port % BLOCK_PORTS;
}

/* Every peer whose cell this socket may be. */
static void mark_all(struct sweep *sweep, const struct asked *socket)
{
	const struct endpoint *to = socket->remote.port ? &socket->remote : NULL;
	const struct ip_addr *local = &socket->local.addr;
	struct peer peer;

	for (int kind = 0; kind < 4; kind++) {
		if (kind & 1 && !to)
			continue;
		peer_make(&peer, sweep->table, sweep->protocol, kind & 1 ? to : NULL, kind & 2 ? local : NULL);
		mark(sweep, &peer, socket);
	}
}

static void hear(void *context, const struct asked *socket)
{
	struct sweep *sweep = context;

	if (!sweep->peer)
		mark_all(sweep, socket);
	else if (source_covers(&sweep->peer->source, &socket->local.addr))
		mark(sweep, sweep->peer, socket);
}

static void ask(struct sweep *sweep)
{
	const struct ask_what what = {
		.protocol = sweep->protocol,
		.ports = sweep->ports,
		.to = sweep->peer && sweep->peer->to.addr.family ? &sweep->peer->to : NULL,
	};

	sweep->blind = ask_all(&what, sweep->buffer, hear, sweep) < 0;
}

/* --- what becomes of a cell -------------------------------------------------------------------------------- */

static enum owner_life life_of(struct sweep *sweep, uint64_t owner)
{
	if (sweep->asked_of != owner) {
		sweep->asked_of = owner;
		sweep->life = owner_life(sweep->table, owner);
	}
	return sweep->life;
}

/* Whether nobody can be behind a claim: the owner is dead, or has called something else since (exec, a jump out of a signal
 * handler). The kernel would know of a connection that takes so long. */
static bool is_forsaken(struct sweep *sweep, uint64_t owner, uint64_t changed)
{
	return changed + LEASE_FORGOTTEN < sweep->started || life_of(sweep, owner) == OWNER_DEAD;
}

/* Likewise a lease that the kernel cannot be asked about; a live process may hold one for days. */
static bool is_left(struct sweep *sweep, uint64_t owner, uint64_t changed)
{
	enum owner_life life = life_of(sweep, owner);

	return life == OWNER_DEAD || (life == OWNER_UNKNOWN && changed + LEASE_FORGOTTEN < sweep->started);
}

static bool is_over(struct sweep *sweep, uint64_t word, uint64_t changed)
{
	uint64_t now = clock_now();

	if (changed > now)
		changed = 0; /* written by no process of ours */
	switch (cell_state(word)) {
	case CELL_FREE:
		return false;
	case CELL_CLAIMED:
		return is_forsaken(sweep, cell_owner(word), changed);
	case CELL_HELD:
		if (sweep->blind)
			return is_left(sweep, cell_owner(word), changed);
		break;
	case CELL_TAKEN:
		return changed < (sweep->blind ? now - REST : sweep->since);
	}
	return changed < sweep->started;
}

/* Whoever looked meanwhile looks again. */
static void count_freed(struct sweep *sweep)
{
	sweep->freed++;
	atomic_fetch_add_explicit(&sweep->table->freed, 1, memory_order_release);
}

static void judge(struct sweep *sweep, uint32_t block, uint32_t place)
{
	struct table_cell *cell = &table_cells(sweep->table, block)[place];
	uint64_t bit = UINT64_C(1) << place;
	uint64_t word = atomic_load(&cell->word), changed = cell_time(atomic_load(&cell->info));
	bool rests = sweep->resting[block] & bit && changed + REST > sweep->started;

	sweep->young += cell_state(word) == CELL_HELD && changed >= sweep->started;
	if (word && !(sweep->used[block] & bit) && !rests && is_over(sweep, word, changed) &&
	    cell_free(sweep->table, block, place, word))
		count_freed(sweep);
	/* A hint that outlived its cell hides the port. */
	if (atomic_load(&cell->word) == 0 &&
	    atomic_fetch_and_explicit(&sweep->table->busy[block], ~bit, memory_order_relaxed) & bit)
		count_freed(sweep);
}

/* Of a block whose peer is not known, no socket can be known either: only claims are judged. */
static void judge_block(struct sweep *sweep, uint32_t block, bool known)
{
	for (uint32_t place = 0; place < BLOCK_PORTS; place++)
		if (known || cell_state(atomic_load(&table_cells(sweep->table, block)[place].word)) == CELL_CLAIMED)
			judge(sweep, block, place);
}

static void judge_peer(struct sweep *sweep)
{
	for (uint32_t first = sweep->ports.lo / BLOCK_PORTS * BLOCK_PORTS; first <= sweep->ports.hi; first += BLOCK_PORTS) {
		uint32_t block[BUCKET_BLOCKS], n = block_all(sweep->table, sweep->peer, (uint16_t)first, block);

		while (n-- > 0)
			judge_block(sweep, block[n], true);
	}
}

static void judge_protocol(struct sweep *sweep)
{
	struct peer peer;
	uint16_t first;

	for (uint32_t block = 0; block < TABLE_BLOCKS; block++) {
		bool known = block_name(sweep->table, block, &peer, &first);

		if (!known || peer.protocol == sweep->protocol)
			judge_block(sweep, block, known);
	}
}

/* --- when ---------------------------------------------------------------------------------------------------- */

static struct table_sweep *slot_of(struct table *table, uint64_t id)
{
	return &table->sweep[id % TABLE_SWEEPS];
}

static bool is_too_soon(struct table *table, uint64_t id, uint64_t now)
{
	struct table_sweep *slot = slot_of(table, id);
	uint64_t again = atomic_load_explicit(&slot->again, memory_order_relaxed);

	return atomic_load_explicit(&slot->peer, memory_order_relaxed) == id && !clock_is_due(now, again, 10 * SECOND);
}

static void put_off(struct table *table, uint64_t id, uint64_t until)
{
	struct table_sweep *slot = slot_of(table, id);

	atomic_store_explicit(&slot->peer, id, memory_order_relaxed);
	atomic_store_explicit(&slot->again, until, memory_order_relaxed);
}

static uint64_t id_of(const struct peer *peer, uint8_t protocol)
{
	return peer ? peer->id : protocol;
}

static enum swept run(struct sweep *sweep, uint64_t id)
{
	uint64_t now;

	ask(sweep);
	if (sweep->peer)
		judge_peer(sweep);
	else
		judge_protocol(sweep);
	atomic_fetch_add_explicit(&sweep->table->swept, 1, memory_order_relaxed);
	now = clock_now();
	put_off(sweep->table, id, sweep->blind ? now + SECOND : now + PATIENCE * (now - sweep->started));
	return sweep->freed ? SWEPT_FREE : sweep->young ? SWEPT_CHURN : SWEPT_IN_VAIN;
}

static enum swept begin(struct table *table, const struct peer *peer, uint8_t protocol, struct port_range ports,
                  const struct kernel *kernel, uint64_t since, bool at_once)
{
	uint64_t now = clock_now(), id = id_of(peer, protocol);
	struct sweep *sweep;
	enum swept swept;

	if (!at_once && is_too_soon(table, id, now))
		return SWEPT_NOT;
	sweep = mmap(NULL, sizeof(*sweep), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sweep == MAP_FAILED)
		return SWEPT_NOT;
	sweep->table = table;
	sweep->peer = peer;
	sweep->protocol = protocol;
	/* Whole blocks, since whole blocks are judged. */
	sweep->ports.lo = (uint16_t)(ports.lo / BLOCK_PORTS * BLOCK_PORTS);
	sweep->ports.hi = (uint16_t)(ports.hi | (BLOCK_PORTS - 1));
	sweep->kernel = kernel;
	sweep->started = now;
	sweep->since = since < now ? since : now;
	swept = run(sweep, id);
	munmap(sweep, sizeof(*sweep));
	return swept;
}

enum swept sweep_peer(struct table *table, const struct peer *peer, struct port_range ports, const struct kernel *kernel,
                      uint64_t since, bool at_once)
{
	return begin(table, peer, peer->protocol, ports, kernel, since, at_once);
}

/* The whole table is judged: at most once a second by one process, whatever the table says of the last time. */
enum swept sweep_protocol(struct table *table, uint8_t protocol, const struct kernel *kernel)
{
	static _Atomic uint64_t again;
	uint64_t now = clock_now(), due = atomic_load_explicit(&again, memory_order_relaxed);

	if (!clock_is_due(now, due, SECOND) || !atomic_compare_exchange_strong(&again, &due, now + SECOND))
		return SWEPT_NOT;
	return begin(table, NULL, protocol, (struct port_range){ 1, 65535 }, kernel, clock_now(), false);
}

void sweep_heard(struct table *table, const struct peer *peer, uint64_t since, bool given)
{
	uint64_t now = clock_now();

	put_off(table, peer->id, given ? 0 : now + PATIENCE * (now - since));
}
