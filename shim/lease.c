/* lease.c - cells and blocks of the table: each step of the protocol in table.h, once. */
#define _GNU_SOURCE
#include "lease.h"

#include "clock.h"
#include "kernel.h"
#include "owner.h"
#include "random.h"
#include "rules.h"

#define STATE_SHIFT 62
#define NONCE_SHIFT OWNER_BITS
#define NONCE_MASK 0xffffu
#define RULE_BITS 10 /* TABLE_RULES; the time in `info` is cut by as many: a microsecond */
#define RULE_MASK ((UINT64_C(1) << RULE_BITS) - 1)
#define NAME_MASK ((UINT64_C(1) << 48) - 1) /* of a tag */
#define TAG_MARK (UINT64_C(1) << 63)        /* a block that is being renamed: its name stands below, a nonce between */
#define TRIES 3
#define STRICT (600 * SECOND)

_Static_assert(TABLE_RULES == 1u << RULE_BITS && STATE_SHIFT == OWNER_BITS + 16, "bits of a cell");

/* --- peers ----------------------------------------------------------------------------------------- */

static uint64_t rest_word(const struct peer *peer)
{
	return (uint64_t)peer->to.port << 32 | (uint64_t)peer->scope << 24 | (uint64_t)peer->protocol << 16 |
	       (uint64_t)peer->to.addr.family << 8 | peer->source.family;
}

/* Says where the peer's blocks are, to who has the table, and nothing to anybody else: it need not be as strong as F and G. */
static uint64_t peer_hash(const struct table *table, const struct peer *peer)
{
	uint64_t hash = atomic_load_explicit(&table->key[0], memory_order_relaxed);

	hash = random_mix(hash ^ peer->to.addr.hi);
	hash = random_mix(hash ^ peer->to.addr.lo);
	hash = random_mix(hash ^ peer->source.hi);
	hash = random_mix(hash ^ peer->source.lo);
	hash = random_mix(hash ^ rest_word(peer));
	return hash ^ atomic_load_explicit(&table->key[1], memory_order_relaxed);
}

void peer_make(struct peer *peer, const struct table *table, uint8_t protocol, const struct endpoint *to,
               const struct ip_addr *source)
{
	*peer = (struct peer){ .protocol = protocol };
	if (to)
		peer->to = *to;
	if (source)
		peer->source = *source;
	peer->id = peer_hash(table, peer);
}

void peer_scope(struct peer *peer, const struct table *table, uint32_t scope)
{
	if (!scope)
		return;
	peer->scope = (uint8_t)scope;
	peer->id = peer_hash(table, peer);
}

void peer_set_strict(struct table *table, const struct peer *peer)
{
	struct table_sweep *slot = &table->strict[peer->id % TABLE_SWEEPS];

	atomic_store_explicit(&slot->peer, peer->id, memory_order_relaxed);
	atomic_store_explicit(&slot->again, clock_now() + STRICT, memory_order_relaxed);
}

bool peer_is_strict(const struct table *table, const struct peer *peer)
{
	const struct table_sweep *slot = &table->strict[peer->id % TABLE_SWEEPS];

	return atomic_load_explicit(&slot->peer, memory_order_relaxed) == peer->id &&
	       !clock_is_due(clock_now(), atomic_load_explicit(&slot->again, memory_order_relaxed), STRICT);
}

unsigned int peer_space(uint8_t protocol)
{
	return protocol == PROTOCOL_TCP ? 0 : protocol == PROTOCOL_UDP ? 1 : 2;
}

/* --- words ----------------------------------------------------------------------------------------- */

enum cell_state cell_state(uint64_t word)
{
	return (enum cell_state)(word >> STATE_SHIFT);
}

uint64_t cell_owner(uint64_t word)
{
	return word & OWNER_MASK;
}

uint64_t cell_time(uint64_t info)
{
	return info & ~RULE_MASK;
}

uint32_t cell_rule(uint64_t info)
{
	return (uint32_t)(info & RULE_MASK);
}

static uint64_t word_make(struct table *table, enum cell_state state)
{
	static _Atomic uint32_t nonce;
	uint32_t next = atomic_load_explicit(&nonce, memory_order_relaxed);

	if (next == 0)
		atomic_compare_exchange_strong(&nonce, &next, (uint32_t)random_number());
	next = atomic_fetch_add_explicit(&nonce, 1, memory_order_relaxed);
	return (uint64_t)state << STATE_SHIFT | (uint64_t)(next & NONCE_MASK) << NONCE_SHIFT | owner_self(table);
}

static uint64_t with_state(uint64_t word, enum cell_state state)
{
	return (word & ~(UINT64_C(3) << STATE_SHIFT)) | (uint64_t)state << STATE_SHIFT;
}

/* --- blocks ---------------------------------------------------------------------------------------- */

/* The tag of a block that is not being renamed: its name, which is not 0. */
static uint64_t tag_of(const struct peer *peer, uint16_t port)
{
	return (random_mix(peer->id + port / BLOCK_PORTS * UINT64_C(0x9e3779b97f4a7c15)) & NAME_MASK) | 1u << 16;
}

static uint64_t name_of(uint64_t tag)
{
	return tag & NAME_MASK;
}

/* The first block of the bucket. */
static uint32_t bucket_of(const struct peer *peer, uint16_t port)
{
	uint32_t bucket = (uint32_t)(peer->id >> 32) + port / BLOCK_PORTS;

	return bucket % TABLE_BUCKETS * BUCKET_BLOCKS;
}

static int32_t tag_find(const struct table *table, uint32_t first, uint64_t tag)
{
	for (uint32_t i = first; i < first + BUCKET_BLOCKS; i++)
		if (name_of(atomic_load_explicit(&table->tag[i], memory_order_acquire)) == tag)
			return (int32_t)i;
	return -1;
}

int32_t block_find(const struct table *table, const struct peer *peer, uint16_t first)
{
	return tag_find(table, bucket_of(peer, first), tag_of(peer, first));
}

uint32_t block_all(const struct table *table, const struct peer *peer, uint16_t first, uint32_t found[BUCKET_BLOCKS])
{
	uint64_t tag = tag_of(peer, first);
	uint32_t bucket = bucket_of(peer, first), n = 0;

	for (uint32_t i = bucket; i < bucket + BUCKET_BLOCKS; i++)
		if (name_of(atomic_load_explicit(&table->tag[i], memory_order_acquire)) == tag)
			found[n++] = i;
	return n;
}

/* Whether the block has the name, and no other has it. Its own tag comes first, and a mark is taken off it: who marks it from
 * here on sees the claim when he looks at the cells. */
static bool tag_is_unique(struct table *table, uint32_t block, uint64_t tag)
{
	uint32_t first = block / BUCKET_BLOCKS * BUCKET_BLOCKS;
	uint64_t now = atomic_load(&table->tag[block]);

	if (now != tag && (name_of(now) != tag || !atomic_compare_exchange_strong(&table->tag[block], &now, tag)))
		return false;
	for (uint32_t i = first; i < first + BUCKET_BLOCKS; i++)
		if (i != block && name_of(atomic_load(&table->tag[i])) == tag)
			return false;
	return true;
}

static bool block_is_idle(struct table *table, uint32_t block)
{
	for (uint32_t i = 0; i < BLOCK_PORTS; i++)
		if (atomic_load(&table_cells(table, block)[i].word) != 0)
			return false;
	return true;
}

/* Gives an idle block whose tag was `old` the name `tag` (0: none). */
static bool block_rename(struct table *table, uint32_t block, uint64_t old, uint64_t tag)
{
	uint64_t mark = TAG_MARK | (random_number() & ~NAME_MASK) | name_of(old);
	bool idle;

	if (!atomic_compare_exchange_strong(&table->tag[block], &old, mark))
		return false;
	idle = block_is_idle(table, block);
	if (idle)
		atomic_store_explicit(&table->busy[block], 0, memory_order_relaxed);
	return atomic_compare_exchange_strong(&table->tag[block], &mark, idle ? tag : name_of(old)) && idle;
}

/* Two blocks of one name: the one that is idle loses it. */
static void remove_twin(struct table *table, uint32_t first, uint64_t tag)
{
	for (uint32_t i = first + BUCKET_BLOCKS; i-- > first;) {
		uint64_t old = atomic_load(&table->tag[i]);

		if (name_of(old) == tag && block_rename(table, i, old, 0))
			return;
	}
}

/* Names one of the bucket's blocks: a new one, else an idle one, beginning anywhere. */
static bool block_name_one(struct table *table, uint32_t first, uint64_t tag)
{
	uint32_t from = (uint32_t)(random_number() % BUCKET_BLOCKS);

	for (uint32_t i = first; i < first + BUCKET_BLOCKS; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&table->tag[i], &none, tag))
			return true;
	}
	for (uint32_t i = 0; i < BUCKET_BLOCKS; i++) {
		uint32_t block = first + (from + i) % BUCKET_BLOCKS;
		uint64_t old = atomic_load(&table->tag[block]);

		if ((old & TAG_MARK || atomic_load(&table->busy[block]) == 0) && block_rename(table, block, old, tag))
			return true;
	}
	return false;
}

static void name_write(struct table *table, uint32_t block, const struct peer *peer, uint16_t port)
{
	struct table_name *name = &table->name[block];
	uint64_t rest = rest_word(peer) | (uint64_t)(port / BLOCK_PORTS) << 48;

	if (atomic_load_explicit(&name->rest, memory_order_relaxed) == rest &&
	    atomic_load_explicit(&name->to[1], memory_order_relaxed) == peer->to.addr.lo &&
	    atomic_load_explicit(&name->to[0], memory_order_relaxed) == peer->to.addr.hi &&
	    atomic_load_explicit(&name->source[0], memory_order_relaxed) == peer->source.hi &&
	    atomic_load_explicit(&name->source[1], memory_order_relaxed) == peer->source.lo)
		return;
	atomic_store_explicit(&name->to[0], peer->to.addr.hi, memory_order_relaxed);
	atomic_store_explicit(&name->to[1], peer->to.addr.lo, memory_order_relaxed);
	atomic_store_explicit(&name->source[0], peer->source.hi, memory_order_relaxed);
	atomic_store_explicit(&name->source[1], peer->source.lo, memory_order_relaxed);
	atomic_store_explicit(&name->rest, rest, memory_order_release);
}

bool block_name(const struct table *table, uint32_t block, struct peer *peer, uint16_t *first)
{
	const struct table_name *name = &table->name[block];
	uint64_t tag = atomic_load_explicit(&table->tag[block], memory_order_acquire);
	uint64_t rest = atomic_load_explicit(&name->rest, memory_order_acquire);

	if (!tag)
		return false;
	*first = (uint16_t)((rest >> 48) * BLOCK_PORTS);
	*peer = (struct peer){
		.protocol = (uint8_t)(rest >> 16),
		.to.addr = {
			.hi = atomic_load_explicit(&name->to[0], memory_order_relaxed),
			.lo = atomic_load_explicit(&name->to[1], memory_order_relaxed),
			.family = (uint8_t)(rest >> 8),
		},
		.to.port = (uint16_t)(rest >> 32),
		.scope = (uint8_t)(rest >> 24),
		.source = {
			.hi = atomic_load_explicit(&name->source[0], memory_order_relaxed),
			.lo = atomic_load_explicit(&name->source[1], memory_order_relaxed),
			.family = (uint8_t)rest,
		},
	};
	peer->id = peer_hash(table, peer);
	return tag_of(peer, *first) == name_of(tag);
}

uint64_t lease_busy(const struct table *table, const struct peer *peer, uint16_t first)
{
	int32_t block = block_find(table, peer, first);

	return block < 0 ? 0 : atomic_load_explicit(&table->busy[block], memory_order_relaxed);
}

/* Whether the cell may be claimed as it is. Once more (`again`): what the kernel refused, and where it may not be asked what
 * becomes of leases, these too; bind() and connect() will say. */
static bool is_claimable(uint64_t word, bool again)
{
	enum cell_state state = cell_state(word);

	return again ? state == CELL_TAKEN || (state == CELL_HELD && !kernel_may_be_asked()) : word == 0;
}

enum cell_state lease_state(const struct table *table, const struct peer *peer, uint16_t port, uint64_t *owner)
{
	int32_t block = block_find(table, peer, port);
	uint64_t word = block < 0 ? 0 : atomic_load(&table_cells(table, (uint32_t)block)[port % BLOCK_PORTS].word);

	if (owner)
		*owner = cell_owner(word);
	return cell_state(word);
}

uint64_t lease_refused(const struct table *table, const struct peer *peer, uint16_t first, uint64_t before)
{
	int32_t block = block_find(table, peer, first);
	uint64_t bits = 0;

	for (uint32_t i = 0; block >= 0 && i < BLOCK_PORTS; i++) {
		const struct table_cell *cell = &table_cells(table, (uint32_t)block)[i];

		if (is_claimable(atomic_load_explicit(&cell->word, memory_order_relaxed), true) &&
		    cell_time(atomic_load_explicit(&cell->info, memory_order_relaxed)) < before)
			bits |= UINT64_C(1) << i;
	}
	return bits;
}

/* --- claims ---------------------------------------------------------------------------------------- */

static void busy_set(struct table *table, uint32_t cell)
{
	atomic_fetch_or_explicit(&table->busy[cell / BLOCK_PORTS], UINT64_C(1) << cell % BLOCK_PORTS,
	                         memory_order_relaxed);
}

static void busy_clear(struct table *table, uint32_t cell)
{
	atomic_fetch_and_explicit(&table->busy[cell / BLOCK_PORTS], ~(UINT64_C(1) << cell % BLOCK_PORTS),
	                          memory_order_relaxed);
}

#define CELLS (TABLE_BLOCKS * BLOCK_PORTS) /* spare cells are numbered from here on */

static bool is_spare(uint32_t cell)
{
	return cell >= CELLS;
}

static struct table_cell *cell_at(struct table *table, uint32_t cell)
{
	if (is_spare(cell))
		return &table->spare[cell % TABLE_SPARES];
	return &table_cells(table, cell / BLOCK_PORTS)[cell % BLOCK_PORTS];
}

static uint64_t info_make(uint64_t now, uint32_t rule)
{
	return (now & ~RULE_MASK) | (rule & RULE_MASK);
}

static void info_write(struct table *table, uint32_t cell, uint64_t now, uint32_t rule)
{
	atomic_store(&cell_at(table, cell)->info, info_make(now, rule));
}

/* The owner may have let go since, and taken his bit away: then it must not stand again. */
static enum claim tell_busy(struct table *table, uint32_t cell)
{
	busy_set(table, cell);
	if (atomic_load(&cell_at(table, cell)->word) == 0)
		busy_clear(table, cell);
	return CLAIM_BUSY;
}

/* The lease's number of a cell is one more than its own, so that 0 is none. */
static bool step(struct table *table, uint32_t number, uint64_t from, uint64_t to)
{
	uint32_t cell = number - 1;
	bool done;

	if (!number || cell >= CELLS + TABLE_SPARES)
		return false;
	done = atomic_compare_exchange_strong(&cell_at(table, cell)->word, &from, to);
	if (done && to == 0 && !is_spare(cell))
		busy_clear(table, cell);
	return done;
}

bool cell_free(struct table *table, uint32_t block, uint32_t place, uint64_t word)
{
	return step(table, block * BLOCK_PORTS + place + 1, word, 0);
}

static int32_t block_get(struct table *table, uint32_t first, uint64_t tag)
{
	int32_t block = tag_find(table, first, tag);

	return block < 0 && block_name_one(table, first, tag) ? tag_find(table, first, tag) : block;
}

/* The step to a claim, with the lease noted before. Nothing is noted of a claim that is not made. */
static bool step_noted(struct table *table, uint32_t cell, uint64_t old, word64 *note, struct lease *lease)
{
	*lease = (struct lease){ .cell = cell + 1, .word = word_make(table, CELL_CLAIMED) };
	if (note)
		atomic_store_explicit(note, lease_nonce(lease) | lease->cell, memory_order_relaxed);
	if (step(table, lease->cell, old, lease->word))
		return true;
	if (note)
		atomic_store_explicit(note, 0, memory_order_relaxed);
	lease->cell = 0;
	return false;
}

static enum claim claim(struct table *table, const struct peer *peer, uint16_t port, uint32_t rule, bool again,
                        word64 *note, struct lease *lease)
{
	uint64_t tag = tag_of(peer, port), now = clock_now();
	uint32_t bucket = bucket_of(peer, port);

	lease->cell = 0;
	for (int i = 0; i < TRIES; i++) {
		int32_t block = block_get(table, bucket, tag);
		uint32_t cell = (uint32_t)block * BLOCK_PORTS + port % BLOCK_PORTS;
		uint64_t old;

		if (block < 0)
			return CLAIM_NO_ROOM;
		old = atomic_load(&cell_at(table, cell)->word);
		if (!is_claimable(old, again))
			return tell_busy(table, cell);
		/* Before the word, so that nobody takes the claim for an old one; after it, as others may have come between. */
		info_write(table, cell, now, rule);
		if (!step_noted(table, cell, old, note, lease))
			return tell_busy(table, cell);
		if (!tag_is_unique(table, (uint32_t)block, tag)) {
			lease_drop(table, lease);
			remove_twin(table, bucket, tag);
			continue;
		}
		info_write(table, cell, now, rule);
		name_write(table, (uint32_t)block, peer, port);
		busy_set(table, cell);
		lease_touch(table, peer->protocol, port, now);
		return CLAIM_MADE;
	}
	return CLAIM_NO_ROOM;
}

enum claim lease_claim(struct table *table, const struct peer *peer, uint16_t port, uint32_t rule, word64 *note,
                       struct lease *lease)
{
	return claim(table, peer, port, rule, false, note, lease);
}

enum claim lease_retry(struct table *table, const struct peer *peer, uint16_t port, uint32_t rule, word64 *note,
                       struct lease *lease)
{
	return claim(table, peer, port, rule, true, note, lease);
}

/* Nobody is behind it any more, or it is older than any call takes. */
static bool is_forsaken(struct table *table, const struct table_cell *cell, uint64_t word, uint64_t now)
{
	uint64_t changed = cell_time(atomic_load(&cell->info));

	return changed > now || changed + LEASE_FORGOTTEN < now || owner_life(table, cell_owner(word)) == OWNER_DEAD;
}

enum claim lease_claim_spare(struct table *table, const struct peer *peer, uint16_t port, word64 *note,
                             struct lease *lease)
{
	uint32_t cell = CELLS + (uint32_t)random_mix(peer->id + port) % TABLE_SPARES;
	struct table_cell *at = cell_at(table, cell);
	uint64_t old = atomic_load(&at->word), now = clock_now();

	lease->cell = 0;
	if (old && !is_forsaken(table, at, old, now))
		return CLAIM_BUSY;
	info_write(table, cell, now, 0);
	return step_noted(table, cell, old, note, lease) ? CLAIM_MADE : CLAIM_BUSY;
}

static void finish_claim(struct table *table, struct lease *lease, enum cell_state state)
{
	uint64_t to = with_state(lease->word, state);
	word64 *info;

	if (!lease->cell)
		return;
	if (is_spare(lease->cell - 1)) {
		lease_drop(table, lease);
		return;
	}
	info = &cell_at(table, lease->cell - 1)->info;
	atomic_store(info, info_make(clock_now(), cell_rule(atomic_load_explicit(info, memory_order_relaxed))));
	if (!step(table, lease->cell, lease->word, to))
		lease->cell = 0; /* somebody wrote over the table */
	lease->word = to;
}

void lease_hold(struct table *table, struct lease *lease)
{
	finish_claim(table, lease, CELL_HELD);
}

void lease_taken(struct table *table, struct lease *lease)
{
	finish_claim(table, lease, CELL_TAKEN);
	lease->cell = 0;
}

void lease_drop(struct table *table, struct lease *lease)
{
	step(table, lease->cell, lease->word, 0);
	lease->cell = 0;
}

void lease_touch(struct table *table, uint8_t protocol, uint16_t port, uint64_t now)
{
	atomic_store_explicit(&table->used[peer_space(protocol)][port], now, memory_order_relaxed);
}

uint64_t lease_nonce(const struct lease *lease)
{
	return lease->word & (uint64_t)NONCE_MASK << NONCE_SHIFT;
}

/* Whether the word is this lease's and this process's, claimed or held. */
static bool is_of(struct table *table, uint64_t word, const struct lease *lease)
{
	enum cell_state state = cell_state(word);

	return (state == CELL_CLAIMED || state == CELL_HELD) && (word & (uint64_t)NONCE_MASK << NONCE_SHIFT) == lease_nonce(lease) &&
	       cell_owner(word) == owner_self(table);
}

void lease_release(struct table *table, const struct lease *lease)
{
	uint32_t cell = (lease->cell - 1) % (CELLS + TABLE_SPARES);
	uint64_t word = atomic_load(&cell_at(table, cell)->word), info, rest;
	uint16_t port;
	uint8_t protocol;

	if (!lease->cell || !is_of(table, word, lease))
		return;
	if (is_spare(cell)) {
		step(table, lease->cell, word, 0);
		return;
	}
	info = atomic_load_explicit(&cell_at(table, cell)->info, memory_order_relaxed);
	rest = atomic_load_explicit(&table->name[cell / BLOCK_PORTS].rest, memory_order_relaxed);
	if (!step(table, lease->cell, word, 0))
		return;
	port = (uint16_t)((rest >> 48) * BLOCK_PORTS + cell % BLOCK_PORTS);
	protocol = (uint8_t)(rest >> 16);
	lease_touch(table, protocol, port, clock_now());
	rules_note_last(table, cell_rule(info), peer_space(protocol), port);
}

void lease_look_after(struct table *table, const struct peer *peer, uint16_t port)
{
	int32_t block = block_find(table, peer, port);
	uint64_t word = block < 0 ? 0 : atomic_load(&table_cells(table, (uint32_t)block)[port % BLOCK_PORTS].word);

	if (cell_state(word) == CELL_HELD && owner_life(table, cell_owner(word)) == OWNER_DEAD)
		cell_free(table, (uint32_t)block, port % BLOCK_PORTS, word);
}
