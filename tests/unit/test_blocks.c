/* test_blocks.c - blocks of the table: how they are named, run out and are named anew; twins and marks. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdlib.h>

#include "shim/clock.h"
#include "shim/owner.h"
#include "tests/unit/leases.h"

#define CELLS (TABLE_BLOCKS * BLOCK_PORTS)
#define MARK (UINT64_C(1) << 63 | UINT64_C(0x1234) << 48) /* of a block that somebody began to rename */

TestSuite(blocks, .timeout = 120);

/* Every cell of the table, by peers that each have one block. The leases, and how many peers there were. */
static uint32_t fill(struct table *table, struct lease *lease)
{
	uint32_t number = 0, made = 0;

	for (; made < CELLS && number < 100000; number++) {
		struct peer peer = peer_number(table, number);
		void *before = made == 0 || block_find(table, &peer, 20032) >= 0 ? NULL : table;
		enum claim saw = lease_claim(table, &peer, 20032, 7, NULL, &lease[made]);

		cr_assert(before || saw == CLAIM_MADE);
		if (saw == CLAIM_NO_ROOM) {
			cr_assert_eq(lease[made].cell, 0);
			continue;
		}
		cr_assert_eq(saw, CLAIM_MADE, "claim %d for peer %u", saw, number);
		made++;
		for (uint16_t i = 1; i < BLOCK_PORTS; i++)
			lease[made++] = claimed(table, &peer, (uint16_t)(20032 + i));
	}
	return number;
}

Test(blocks, a_full_table_and_an_idle_one)
{
	struct table *table = table_in_memory();
	struct lease *lease = calloc(CELLS + 1, sizeof(*lease)), kept;
	uint32_t peers = fill(table, lease);
	struct peer stranger = peer_number(table, peers + 1), first = peer_number(table, 0);
	void *before = copy_of(table);

	for (uint32_t i = 0; i < TABLE_BLOCKS; i++)
		cr_assert_eq(table->busy[i], UINT64_MAX, "%u peers did not fill it", peers);
	cr_expect_eq(lease_claim(table, &stranger, 20032, 7, NULL, &kept), CLAIM_NO_ROOM);
	cr_expect_eq(kept.cell, 0);
	cr_expect_eq(lease_retry(table, &stranger, 20032, 7, NULL, &kept), CLAIM_NO_ROOM);
	cr_expect(memcmp(before, table, sizeof(*table)) == 0, "nothing is changed where there is no room");
	for (uint32_t i = 0; i < CELLS; i++)
		cr_assert_eq(cell_of(table, &lease[i])->word, lease[i].word);
	kept = lease[5]; /* of the first peer's */
	for (uint32_t i = 0; i < CELLS; i++)
		if (i != 5)
			lease_release(table, &lease[i]);
	/* Idle blocks are named anew, again and again; the one that is in use stays. */
	for (uint32_t i = 0; i < 20000; i++) {
		struct peer peer = peer_number(table, peers + i);

		lease[0] = claimed(table, &peer, (uint16_t)(1024 + i));
		lease_release(table, &lease[0]);
	}
	cr_expect_eq(cell_of(table, &kept)->word, kept.word);
	cr_expect_eq(block_find(table, &first, 20032), (int32_t)block_of(&kept));
	expect_claim(table, &first, 20037, CLAIM_BUSY);
}

Test(blocks, the_ninth_of_a_bucket_takes_the_idle_block)
{
	struct table *table = table_in_memory();
	struct peer peer[10];
	struct lease lease[10];
	uint32_t idle;

	neighbours(peer, 10, 20032);
	for (int i = 0; i < 8; i++)
		lease[i] = claimed(table, &peer[i], 20032);
	expect_claim(table, &peer[8], 20032, CLAIM_NO_ROOM);
	idle = block_of(&lease[3]);
	lease_release(table, &lease[3]);
	lease[8] = claimed(table, &peer[8], 20032);
	cr_expect_eq(block_of(&lease[8]), idle);
	cr_expect_eq(block_find(table, &peer[3], 20032), -1);
	expect_claim(table, &peer[9], 20032, CLAIM_NO_ROOM);
	expect_claim(table, &peer[3], 20032, CLAIM_NO_ROOM);
	for (int i = 0; i < 9; i++)
		if (i != 3)
			cr_expect_eq(cell_of(table, &lease[i])->word, lease[i].word);
	/* A bit that nobody took away keeps the block from others until a sweep; but a cell without its bit is seen. */
	table->busy[block_of(&lease[0])] = 0;
	expect_claim(table, &peer[9], 20032, CLAIM_NO_ROOM);
	cr_expect_eq(block_find(table, &peer[0], 20032), (int32_t)block_of(&lease[0]));
	cr_expect_eq(cell_of(table, &lease[0])->word, lease[0].word);
}

/* A name that is new in all its words, or only in some, is written in full. */
Test(blocks, a_renamed_block_has_its_whole_name)
{
	struct table *table = table_in_memory();
	struct peer peer, named;
	struct lease lease;
	uint16_t first;
	int made = 0;

	for (uint32_t round = 0; round < 4; round++) {
		uint64_t words[4] = { 7, 7, 7, 7 }; /* to.hi, to.lo, source.hi, source.lo */

		for (uint32_t block = 0; block < TABLE_BLOCKS; block++)
			table->busy[block] = block < BUCKET_BLOCKS ? 0 : 1;
		for (uint32_t block = 0; block < TABLE_BLOCKS; block++)
			table->tag[block] = table->tag[block] ? table->tag[block] : 1;
		for (; words[round] < 20000; words[round]++) {
			const struct endpoint to = { .addr = { words[0], words[1], FAMILY_IPV6 }, .port = 443 };
			const struct ip_addr source = { words[2], words[3], FAMILY_IPV6 };

			peer_make(&peer, table, PROTOCOL_TCP, &to, &source);
			if (lease_claim(table, &peer, 20000, 7, NULL, &lease) != CLAIM_MADE)
				continue;
			made++;
			cr_assert(block_name(table, block_of(&lease), &named, &first), "word %u", round);
			cr_assert_eq(first, 19968);
			expect_same(&named, &peer);
			lease_release(table, &lease);
		}
	}
	cr_expect_gt(made, 4 * 2 * (int)BUCKET_BLOCKS, "blocks were used again and again: %d", made);
}

/* --- twins and marks ----------------------------------------------------------------------------------- */

/* The table as it is when two processes have named a block each: the second, with `port` claimed in it or not (0). */
static struct lease make_twin(struct table *table, uint32_t block, uint32_t twin, uint16_t port)
{
	struct lease lease = { .cell = 0 };

	if (port) {
		lease.cell = twin * BLOCK_PORTS + port % BLOCK_PORTS + 1;
		lease.word = (uint64_t)CELL_CLAIMED << 62 | UINT64_C(0x4321) << 46 | owner_self(table);
		atomic_store(&table_cells(table, twin)[port % BLOCK_PORTS].word, lease.word);
		atomic_store(&table->busy[twin], UINT64_C(1) << port % BLOCK_PORTS);
	}
	atomic_store(&table->tag[twin], atomic_load(&table->tag[block]));
	return lease;
}

static int blocks_of_the_name(const struct table *table, uint32_t block, uint64_t tag)
{
	uint32_t first = block / BUCKET_BLOCKS * BUCKET_BLOCKS;
	int n = 0;

	for (uint32_t i = first; i < first + BUCKET_BLOCKS; i++)
		n += table->tag[i] == tag;
	return n;
}

/* Each of the two idle, or with a claim in it to another port: 20000 in the one, 20001 in the other. */
static void resolve(bool first_used, bool second_used)
{
	struct table *table = table_in_memory();
	struct peer peer = peer_number(table, 1);
	struct lease lease = claimed(table, &peer, 20000), other, again;
	uint32_t block = block_of(&lease), twin = block ^ 1;
	uint64_t tag = table->tag[block];

	other = make_twin(table, block, twin, second_used ? 20001 : 0);
	if (!first_used)
		lease_drop(table, &lease);
	if (first_used && second_used) {
		/* Nobody gets a claim until one of them is idle. */
		for (uint16_t port = 20000; port < 20003; port++)
			cr_expect_neq(lease_claim(table, &peer, port, 7, NULL, &again), CLAIM_MADE);
		cr_expect_eq(blocks_of_the_name(table, block, tag), 2);
		cr_expect_eq(cell_of(table, &lease)->word, lease.word);
		cr_expect_eq(cell_of(table, &other)->word, other.word);
		lease_release(table, &lease);
	}
	again = claimed(table, &peer, 20002);
	cr_expect_eq(blocks_of_the_name(table, block, tag), 1);
	if (first_used && !second_used) {
		cr_expect_eq(block_of(&again), block);
		expect_claim(table, &peer, 20000, CLAIM_BUSY);
	}
	if (second_used) {
		cr_expect_eq(block_of(&again), twin);
		expect_claim(table, &peer, 20001, CLAIM_BUSY);
		lease_release(table, &other);
		cr_expect_eq(cell_of(table, &other)->word, 0);
	}
	lease_release(table, &again);
	munmap(table, sizeof(*table));
}

Test(blocks, twins_are_resolved)
{
	for (int i = 0; i < 4; i++)
		resolve(i & 1, i & 2);
}

/* The same port, claimed where a look does not find it first. */
Test(blocks, a_claim_in_either_twin_keeps_others_out)
{
	for (uint32_t i = 0; i < BUCKET_BLOCKS; i++) {
		struct table *table = table_in_memory();
		struct peer peer = peer_number(table, 1);
		struct lease lease = claimed(table, &peer, 20000), held;
		uint32_t block = block_of(&lease), twin = block / BUCKET_BLOCKS * BUCKET_BLOCKS + i;

		if (twin != block) {
			held = make_twin(table, block, twin, 20000);
			lease_drop(table, &lease);
			expect_claim(table, &peer, 20000, CLAIM_BUSY);
			cr_expect_eq(cell_of(table, &held)->word, held.word);
			cr_expect_eq(block_find(table, &peer, 20000), (int32_t)twin);
		}
		munmap(table, sizeof(*table));
	}
}

/* A process that renames a block was stopped, or killed, after its first step. */
Test(blocks, a_mark_left_behind_keeps_nobody_out_and_lets_no_second_in)
{
	struct table *table = table_in_memory();
	struct peer peer[9];
	struct lease lease, other;
	uint32_t block;

	neighbours(peer, 9, 20032);
	lease = claimed(table, &peer[0], 20032);
	block = block_of(&lease);
	atomic_fetch_or(&table->tag[block], MARK);
	expect_claim(table, &peer[0], 20032, CLAIM_BUSY);
	cr_expect_eq(lease_busy(table, &peer[0], 20032) & 1, 1);
	atomic_fetch_or(&table->tag[block], MARK);
	other = claimed(table, &peer[0], 20033);
	cr_expect_eq(block_of(&other), block);
	atomic_fetch_or(&table->tag[block], MARK);
	lease_release(table, &lease);
	lease_release(table, &other);
	cr_expect(table_cells(table, block)[0].word == 0 && table_cells(table, block)[1].word == 0);
	/* Idle, it is another's like any. */
	for (int i = 1; i < 9; i++)
		lease = claimed(table, &peer[i], 20032);
	cr_expect_eq(block_of(&lease), block);
	cr_expect_eq(block_find(table, &peer[0], 20032), -1);
}

