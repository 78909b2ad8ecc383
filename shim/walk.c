/* walk.c - going over the free ports of a set, 64 at a time. */
#define _GNU_SOURCE
#include "walk.h"

#include "random.h"

#define REFUSED_SPANS 8

static uint64_t lowest(uint32_t bits)
{
	return bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
}

struct span walk_run(const struct walk *walk, uint32_t position, uint32_t most, uint32_t unit)
{
	const struct port_interval *interval = ports_interval(walk->set, position);
	struct span run = {
		.position = position,
		.port = (uint16_t)(interval->lo + (position - interval->before)),
		.named = interval->named,
	};
	uint32_t in_unit = unit - run.port % unit;

	run.length = interval->hi - run.port + 1u;
	if (run.length > in_unit)
		run.length = in_unit;
	if (run.length > most)
		run.length = most;
	return run;
}

struct span walk_span(const struct walk *walk, uint32_t position, uint32_t most)
{
	return walk_run(walk, position, most, BLOCK_PORTS);
}

uint64_t walk_used(const struct walk *walk, uint16_t port)
{
	return atomic_load_explicit(&walk->table->used[peer_space(walk->peer->protocol)][port], memory_order_relaxed);
}

static unsigned int level_of(const struct walk *walk, uint16_t port)
{
	uint64_t used;

	if (port == walk->last)
		return LEVEL_LAST;
	if (!walk->cooldown)
		return LEVEL_WELCOME;
	used = walk_used(walk, port);
	return used && used <= walk->now && used + walk->cooldown > walk->now ? LEVEL_COOLING : LEVEL_WELCOME;
}

/* Takes the bits of ports that are on another level than the one that is asked for out of `bits`. */
static uint64_t of_level(struct walk *walk, const struct span *span, uint64_t bits)
{
	uint64_t kept = 0;

	if (!walk->cooldown && (walk->last < span->port || walk->last >= span->port + span->length)) {
		walk->seen |= bits ? 1u << LEVEL_WELCOME : 0;
		return walk->level == LEVEL_WELCOME ? bits : 0;
	}
	for (uint64_t left = bits; left; left &= left - 1) {
		unsigned int place = (unsigned int)__builtin_ctzll(left);
		unsigned int level = level_of(walk, (uint16_t)(span->port + place));

		walk->seen |= (uint8_t)(1u << level);
		if (level == walk->level)
			kept |= UINT64_C(1) << place;
	}
	return kept;
}

uint64_t walk_free(struct walk *walk, const struct span *span)
{
	uint32_t shift = span->port % BLOCK_PORTS;
	uint64_t taken = lease_busy(walk->table, walk->peer, (uint16_t)(span->port - shift));

	if (span->named)
		taken |= walk->kernel->reserved[span->port / BLOCK_PORTS];
	taken >>= shift;
	if (walk->skipped >= span->port && walk->skipped < span->port + span->length)
		taken |= UINT64_C(1) << (walk->skipped - span->port);
	return of_level(walk, span, ~taken & lowest(span->length));
}

int32_t walk_next(struct walk *walk, uint32_t from)
{
	uint32_t count = walk->set->count, position = from;

	for (uint32_t left = count; left > 0;) {
		struct span span = walk_span(walk, position, left);
		uint64_t bits = walk_free(walk, &span);

		if (bits)
			return (int32_t)(position + (uint32_t)__builtin_ctzll(bits));
		left -= span.length;
		position += span.length;
		if (position >= count)
			position = 0;
	}
	return -1;
}

bool walk_is_free(struct walk *walk, uint32_t position)
{
	struct span span = walk_span(walk, position, 1);

	return walk_free(walk, &span) != 0;
}

uint16_t walk_refused(const struct walk *walk)
{
	uint32_t count = walk->set->count, position = random_below(count), left = count;

	for (int i = 0; i < REFUSED_SPANS && left > 0; i++) {
		struct span span = walk_span(walk, position, left);
		uint32_t shift = span.port % BLOCK_PORTS;
		uint64_t bits = lease_refused(walk->table, walk->peer, (uint16_t)(span.port - shift), walk->now) >> shift &
		                lowest(span.length);

		if (span.named)
			bits &= ~(walk->kernel->reserved[span.port / BLOCK_PORTS] >> shift);
		if (bits)
			return (uint16_t)(span.port + __builtin_ctzll(bits));
		left -= span.length;
		position = (position + span.length) % count;
	}
	return 0;
}
