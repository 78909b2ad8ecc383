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

/* The draws of one call come from one random number; of it, a port that is seen tells next to nothing. */
static uint32_t draw(uint64_t number, int i, uint32_t count)
{
	uint64_t x = random_mix(number + (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15));

	return (uint32_t)((x >> 32) * count >> 32);
}

static int32_t propose_random(struct walk *walk)
{
	uint32_t count = walk->set->count;
	uint64_t number = random_number();
	int32_t warm = -1;

	for (int i = 0; i < DRAWS; i++) {
		uint32_t position = draw(number, i, count);
		bool cold = is_cold(walk, position);

		if ((!cold && warm >= 0) || !walk_is_free(walk, position))
			continue;
		if (cold)
			return (int32_t)position;
		warm = (int32_t)position;
	}
	return warm >= 0 ? warm : walk_next(walk, draw(number, DRAWS, count));
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

/* The next free position from `offset` plus the counter on, which then stands behind it; all the way round where there is
 * none. */
static int32_t count_up(struct walk *walk, word32 *counter, uint32_t offset)
{
	uint32_t count = walk->set->count;
	uint32_t from = (offset % count + atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) % count) % count;
	int32_t position = walk_next(walk, from);
	uint32_t passed = position < 0 ? count - 1 : ((uint32_t)position + count - from) % count;

	if (passed)
		atomic_fetch_add_explicit(counter, passed, memory_order_relaxed);
	return position;
}

static int32_t propose_double_hash(const struct algorithm *algorithm, struct walk *walk)
{
	uint32_t index = hash_of(algorithm, walk, 'G') % DOUBLE_HASH_COUNTERS;

	return count_up(walk, &algorithm->entry->table[index], hash_of(algorithm, walk, 'F'));
}

static uint32_t home_of(const struct algorithm *algorithm, const struct walk *walk)
{
	return (uint32_t)(hash_of(algorithm, walk, algorithm->program) % walk->set->count);
}

static int32_t propose_stable(const struct algorithm *algorithm, struct walk *walk)
{
	return walk_next(walk, home_of(algorithm, walk));
}

void algorithm_look_home(const struct algorithm *algorithm, const struct walk *walk)
{
	lease_look_after(walk->table, walk->peer, ports_nth(walk->set, home_of(algorithm, walk), NULL));
}

/* --- least recent -------------------------------------------------------------------------------------- */

/* Of 64 ports none was used before `oldest` says, of 2,048 none before `eldest`: what is stored is never too high, since
 * times of use only grow. */
static word64 *oldest_of(const struct walk *walk, uint16_t port)
{
	return &walk->table->oldest[peer_space(walk->peer->protocol)][port / BLOCK_PORTS];
}

static word64 *eldest_of(const struct walk *walk, uint16_t port)
{
	return &walk->table->eldest[peer_space(walk->peer->protocol)][port / GROUP_PORTS];
}

static uint64_t least_of(const word64 *word, uint32_t n)
{
	uint64_t least = UINT64_MAX;

	while (n-- > 0) {
		uint64_t value = atomic_load_explicit(word++, memory_order_relaxed);

		if (value < least)
			least = value;
	}
	return least;
}

/* A time to come is no better than now: it was written by no process of ours, or while this one was stopped. */
static uint64_t until_now(const struct walk *walk, uint64_t time)
{
	return time < walk->now ? time : walk->now;
}

static bool is_below(const struct walk *walk, const word64 *word, uint64_t least)
{
	return until_now(walk, atomic_load_explicit(word, memory_order_relaxed)) < least;
}

static void renew_oldest(struct walk *walk, uint16_t port)
{
	const word64 *used = &walk->table->used[peer_space(walk->peer->protocol)][port - port % BLOCK_PORTS];

	atomic_store_explicit(oldest_of(walk, port), least_of(used, BLOCK_PORTS), memory_order_relaxed);
}

static void renew_eldest(struct walk *walk, uint16_t port)
{
	const word64 *oldest = oldest_of(walk, (uint16_t)(port - port % GROUP_PORTS));

	atomic_store_explicit(eldest_of(walk, port), least_of(oldest, GROUP_PORTS / BLOCK_PORTS), memory_order_relaxed);
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

/* What was found so far. */
struct oldest {
	int32_t position; /* -1: nothing */
	uint64_t used;
};

static void look_in_span(struct walk *walk, const struct span *span, struct oldest *found)
{
	uint64_t bits = walk_free(walk, span);

	if (!bits) {
		if (span->length == BLOCK_PORTS) /* all are in use, or not to be used, now */
			atomic_store_explicit(oldest_of(walk, span->port), walk->now, memory_order_relaxed);
		return;
	}
	for (; bits; bits &= bits - 1) {
		uint32_t place = (uint32_t)__builtin_ctzll(bits);
		uint64_t used = until_now(walk, walk_used(walk, (uint16_t)(span->port + place)));

		if (used < found->used)
			*found = (struct oldest){ .position = (int32_t)(span->position + place), .used = used };
	}
	if (!walk->sees_no_close)
		touch_busy(walk, span);
	renew_oldest(walk, span->port);
}

static void look_in_group(struct walk *walk, const struct span *group, struct oldest *found)
{
	for (uint32_t done = 0; done < group->length;) {
		struct span span = walk_span(walk, group->position + done, group->length - done);

		if (is_below(walk, oldest_of(walk, span.port), found->used))
			look_in_span(walk, &span, found);
		done += span.length;
	}
	renew_eldest(walk, group->port);
}

/* From where the last one was found on, since the next oldest is often near; at first from anywhere. */
static int32_t propose_least_recent(const struct algorithm *algorithm, struct walk *walk)
{
	uint32_t count = walk->set->count, position;
	struct oldest found = { .position = -1, .used = UINT64_MAX };

	position = atomic_load_explicit(&algorithm->entry->next, memory_order_relaxed) % count;
	for (uint32_t left = count; left > 0 && found.used > 0;) {
		struct span group = walk_run(walk, position, left, GROUP_PORTS);

		if (is_below(walk, eldest_of(walk, group.port), found.used))
			look_in_group(walk, &group, &found);
		left -= group.length;
		position = (position + group.length) % count;
	}
	if (found.position >= 0)
		atomic_store_explicit(&algorithm->entry->next, (uint32_t)found.position, memory_order_relaxed);
	return found.position;
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
		return propose_least_recent(algorithm, walk);
	case CHOOSE_STABLE:
		return propose_stable(algorithm, walk);
	case CHOOSE_RANDOM:
	case CHOOSE_KERNEL:
		break;
	}
	return propose_random(walk);
}
