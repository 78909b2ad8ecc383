/* algorithm.c - proposing a port, by the algorithms of RFC 6056 and some more. */
#define _GNU_SOURCE
#include "algorithm.h"

#include "clock.h"
#include "random.h"

#define DRAWS 8
#define COLD (60 * SECOND)   /* TCP_TIMEWAIT_LEN of the kernel */
#define INCREMENT 500u       /* RFC 6056, 3.3.5: N, "an initial value" */
#define INCREMENTS 16

/* --- random -------------------------------------------------------------------------------------------- */

static bool is_cold(const struct walk *walk, uint32_t position)
{
	uint64_t used = walk_used(walk, ports_nth(walk->set, position, NULL));

	return used == 0 || used + COLD < walk->now;
}

static int32_t propose_random(struct walk *walk)
{
	uint32_t count = walk->set->count;
	int32_t warm = -1;

	for (int i = 0; i < DRAWS; i++) {
		uint32_t position = random_below(count);
		bool cold = is_cold(walk, position);

		if ((!cold && warm >= 0) || !walk_is_free(walk, position))
			continue;
		if (cold)
			return (int32_t)position;
		warm = (int32_t)position;
	}
	return warm >= 0 ? warm : walk_next(walk, random_below(count));
}

static int32_t propose_increments(const struct algorithm *algorithm, struct walk *walk)
{
	uint32_t count = walk->set->count, position = 0;

	for (int i = 0; i < INCREMENTS; i++) {
		uint32_t step = 1 + random_below(INCREMENT);

		position = (atomic_fetch_add_explicit(&algorithm->entry->next, step, memory_order_relaxed) + step) % count;
		if (walk_is_free(walk, position))
			return (int32_t)position;
	}
	return walk_next(walk, position);
}

/* --- counting up --------------------------------------------------------------------------------------- */

/* F and G of RFC 6056: differ by their salt. */
static uint32_t hash_of(const struct algorithm *algorithm, const struct walk *walk, uint64_t salt)
{
	static const struct endpoint nobody;
	const struct endpoint *to = algorithm->to ? algorithm->to : &nobody;
	const struct ip_addr *source = &walk->peer->source;
	const uint64_t key[2] = {
		atomic_load_explicit(&walk->table->key[0], memory_order_relaxed),
		atomic_load_explicit(&walk->table->key[1], memory_order_relaxed),
	};
	const uint64_t words[] = {
		salt, to->addr.hi, to->addr.lo, (uint64_t)to->addr.family << 16 | to->port, source->hi, source->lo,
		source->family, atomic_load_explicit(&algorithm->entry->id, memory_order_relaxed),
	};

	return (uint32_t)siphash(key, words, sizeof(words));
}

/* The next free position from `offset` plus the counter on, which then stands behind it. */
static int32_t count_up(struct walk *walk, word32 *counter, uint32_t offset)
{
	uint32_t count = walk->set->count;
	uint32_t from = (offset % count + atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) % count) % count;
	int32_t position = walk_next(walk, from);
	uint32_t passed = position < 0 ? 0 : ((uint32_t)position + count - from) % count;

	if (passed)
		atomic_fetch_add_explicit(counter, passed, memory_order_relaxed);
	return position;
}

static int32_t propose_double_hash(const struct algorithm *algorithm, struct walk *walk)
{
	uint32_t index = hash_of(algorithm, walk, 'G') % DOUBLE_HASH_COUNTERS;

	return count_up(walk, &algorithm->entry->table[index], hash_of(algorithm, walk, 'F'));
}

static int32_t propose_stable(const struct algorithm *algorithm, struct walk *walk)
{
	return walk_next(walk, hash_of(algorithm, walk, algorithm->program) % walk->set->count);
}

/* --- least recent -------------------------------------------------------------------------------------- */

/* Of 64 ports none was used before this. What is stored is never too high, since times of use only grow. */
static uint64_t bound_of(const struct walk *walk, uint16_t port)
{
	return atomic_load_explicit(&walk->table->oldest[peer_space(walk->peer->protocol)][port / BLOCK_PORTS],
	                            memory_order_relaxed);
}

static void renew_bound(struct walk *walk, uint16_t port)
{
	uint16_t first = (uint16_t)(port - port % BLOCK_PORTS);
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < BLOCK_PORTS; i++) {
		uint64_t used = walk_used(walk, (uint16_t)(first + i));

		if (used < least)
			least = used;
	}
	atomic_store_explicit(&walk->table->oldest[peer_space(walk->peer->protocol)][port / BLOCK_PORTS], least,
	                      memory_order_relaxed);
}

/* Ports that are in use are in use now: their time would keep the bound low. */
static void touch_busy(struct walk *walk, const struct span *span)
{
	uint32_t shift = span->port % BLOCK_PORTS;
	uint64_t busy = lease_busy(walk->table, walk->peer, (uint16_t)(span->port - shift)) >> shift;

	for (; busy; busy &= busy - 1) {
		uint32_t place = (uint32_t)__builtin_ctzll(busy);

		if (place < span->length)
			lease_touch(walk->table, walk->peer->protocol, (uint16_t)(span->port + place), walk->now);
	}
}

/* The port of the span that was used before *least, if it has one: its position, and *least lower. */
static int32_t older_in(struct walk *walk, const struct span *span, uint64_t *least)
{
	int32_t found = -1;

	for (uint64_t bits = walk_free(walk, span); bits; bits &= bits - 1) {
		uint32_t place = (uint32_t)__builtin_ctzll(bits);
		uint64_t used = walk_used(walk, (uint16_t)(span->port + place));

		if (used >= *least)
			continue;
		*least = used;
		found = (int32_t)(span->position + place);
	}
	touch_busy(walk, span);
	renew_bound(walk, span->port);
	return found;
}

static int32_t propose_least_recent(struct walk *walk)
{
	uint32_t count = walk->set->count, position = random_below(count);
	uint64_t least = UINT64_MAX;
	int32_t found = -1;

	for (uint32_t left = count; left > 0 && least > 0;) {
		struct span span = walk_span(walk, position, left);
		int32_t older = bound_of(walk, span.port) < least ? older_in(walk, &span, &least) : -1;

		if (older >= 0)
			found = older;
		left -= span.length;
		position = (position + span.length) % count;
	}
	return found;
}

int32_t algorithm_propose(const struct algorithm *algorithm, struct walk *walk)
{
	switch (algorithm->choose) {
	case CHOOSE_HASH:
		return count_up(walk, &algorithm->entry->next, hash_of(algorithm, walk, 'F'));
	case CHOOSE_DOUBLE_HASH:
		return propose_double_hash(algorithm, walk);
	case CHOOSE_RANDOM_INCREMENTS:
		return propose_increments(algorithm, walk);
	case CHOOSE_SEQUENTIAL:
		return count_up(walk, &algorithm->entry->next, 0);
	case CHOOSE_LEAST_RECENT:
		return propose_least_recent(walk);
	case CHOOSE_STABLE:
		return propose_stable(algorithm, walk);
	case CHOOSE_RANDOM:
	case CHOOSE_KERNEL:
		break;
	}
	return propose_random(walk);
}
