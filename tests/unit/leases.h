/* leases.h - peers by number, and what became of their claims. */
#ifndef PORTSHIM_TESTS_UNIT_LEASES_H
#define PORTSHIM_TESTS_UNIT_LEASES_H

#include <stdlib.h>
#include <sys/wait.h>

#include "tests/lib/made_table.h"

static inline struct table *shared_table(void)
{
	return made_mapping(MAP_SHARED | MAP_ANONYMOUS, -1);
}

/* TCP to 10.x.y.z:443 by number; `number` 0 and up. */
static inline struct peer peer_number(const struct table *table, uint32_t number)
{
	const struct endpoint to = { .addr = { .lo = 0x0a000000 + number, .family = FAMILY_IPV4 }, .port = 443 };
	struct peer peer;

	peer_make(&peer, table, PROTOCOL_TCP, &to, NULL);
	return peer;
}

static inline struct lease claimed(struct table *table, const struct peer *peer, uint16_t port)
{
	struct lease lease;

	cr_assert_eq(lease_claim(table, peer, port, 7, NULL, &lease), CLAIM_MADE);
	return lease;
}

static inline struct table_cell *cell_of(struct table *table, const struct lease *lease)
{
	return &table_cells(table, (lease->cell - 1) / BLOCK_PORTS)[(lease->cell - 1) % BLOCK_PORTS];
}

static inline uint32_t block_of(const struct lease *lease)
{
	return (lease->cell - 1) / BLOCK_PORTS;
}

static inline void expect_claim(struct table *table, const struct peer *peer, uint16_t port, enum claim expected)
{
	struct lease lease = { .cell = 99 };
	enum claim saw = lease_claim(table, peer, port, 7, NULL, &lease);

	cr_expect_eq(saw, expected, "port %u: claim %d", port, saw);
	if (saw == CLAIM_MADE)
		lease_drop(table, &lease);
	else
		cr_expect_eq(lease.cell, 0);
}

static inline int status_of(pid_t child)
{
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* The whole table as it is now. */
static inline void *copy_of(const struct table *table)
{
	void *copy = malloc(sizeof(*table));

	cr_assert_not_null(copy);
	return memcpy(copy, table, sizeof(*table));
}

static inline void expect_same(const struct peer *a, const struct peer *b)
{
	cr_expect_eq(a->id, b->id);
	cr_expect_eq(a->protocol, b->protocol);
	cr_expect(a->to.addr.hi == b->to.addr.hi && a->to.addr.lo == b->to.addr.lo);
	cr_expect_eq(a->to.addr.family, b->to.addr.family);
	cr_expect_eq(a->to.port, b->to.port);
	cr_expect(a->source.hi == b->source.hi && a->source.lo == b->source.lo && a->source.family == b->source.family);
}

/* A peer whose block for the port lies in the bucket of `block`, from number `from` on; its number in *found. */
static inline struct peer neighbour(struct table *scratch, uint32_t block, uint16_t port, uint32_t from,
                                    uint32_t *found)
{
	for (uint32_t number = from;; number++) {
		struct peer peer = peer_number(scratch, number);
		struct lease lease = claimed(scratch, &peer, port);

		lease_release(scratch, &lease);
		if (block_of(&lease) / BUCKET_BLOCKS == block / BUCKET_BLOCKS) {
			*found = number;
			return peer;
		}
	}
}

/* Peers 0 to n - 1 of one bucket: that of peer 0. */
static inline void neighbours(struct peer *peer, uint32_t n, uint16_t port)
{
	struct table *scratch = table_in_memory();
	struct lease lease;
	uint32_t number = 0;

	peer[0] = peer_number(scratch, 0);
	lease = claimed(scratch, &peer[0], port);
	for (uint32_t i = 1; i < n; i++)
		peer[i] = neighbour(scratch, block_of(&lease), port, number + 1, &number);
	munmap(scratch, sizeof(*scratch));
}

#endif
