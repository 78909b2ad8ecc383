/* test_lease.c - cells of the table: each step of a lease, what keeps others out, and many processes at once. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "shim/clock.h"
#include "shim/owner.h"
#include "tests/unit/leases.h"

#define CHILD_SECONDS 100

TestSuite(lease, .timeout = 120);

/* --- steps ------------------------------------------------------------------------------------------- */

/* fe80::1 on one link is not fe80::1 on another. */
Test(lease, link_local_destinations_have_a_scope)
{
	const struct endpoint to = { .addr = { .hi = UINT64_C(0xfe80) << 48, .lo = 1, .family = FAMILY_IPV6 }, .port = 443 };
	struct table *table = table_in_memory();
	struct peer peer[3];
	struct lease lease;
	uint16_t first;

	for (uint32_t i = 0; i < 3; i++) {
		peer_make(&peer[i], table, PROTOCOL_TCP, &to, NULL);
		peer_scope(&peer[i], table, i);
		cr_assert_eq(lease_claim(table, &peer[i], 20000, 1, NULL, &lease), CLAIM_MADE);
		cr_expect_eq(lease_claim(table, &peer[i], 20000, 1, NULL, &lease), CLAIM_BUSY);
		cr_assert(block_name(table, (uint32_t)block_find(table, &peer[i], 20000), &peer[i], &first));
		cr_expect_eq(peer[i].scope, i);
	}
}

/* For ten minutes, whatever the table says. */
Test(lease, strict_peers_are_so_for_ten_minutes)
{
	struct table *table = table_in_memory();
	struct peer peer = peer_number(table, 1);
	struct table_sweep *slot = &table->strict[peer.id % TABLE_SWEEPS];

	cr_expect_not(peer_is_strict(table, &peer));
	peer_set_strict(table, &peer);
	cr_expect(peer_is_strict(table, &peer));
	slot->again = clock_now() + 590 * SECOND;
	cr_expect(peer_is_strict(table, &peer));
	slot->again = clock_now() + 700 * SECOND;
	cr_expect_not(peer_is_strict(table, &peer), "written by no process of ours");
	slot->again = UINT64_MAX;
	cr_expect_not(peer_is_strict(table, &peer));
	slot->again = clock_now();
	cr_expect_not(peer_is_strict(table, &peer));
}

Test(lease, a_claim)
{
	struct table *table = table_in_memory();
	struct peer peer = peer_number(table, 1);
	uint64_t before = clock_now(), after, info;
	struct lease lease = claimed(table, &peer, 20005);

	after = clock_now();
	info = cell_of(table, &lease)->info;
	cr_expect_eq(cell_of(table, &lease)->word, lease.word);
	cr_expect_eq(cell_state(lease.word), CELL_CLAIMED);
	cr_expect_eq(cell_owner(lease.word), owner_self(table));
	cr_expect_eq(cell_rule(info), 7);
	cr_expect(cell_time(info) + 1024 > before && cell_time(info) <= after, "a microsecond is cut");
	cr_expect(table->used[0][20005] >= before && table->used[0][20005] <= after);
	cr_expect_eq(lease_busy(table, &peer, 19968), UINT64_C(1) << (20005 - 19968));
	cr_expect_eq(table->rule[7].released[0], 0);
	expect_claim(table, &peer, 20005, CLAIM_BUSY);
	expect_claim(table, &peer, 20006, CLAIM_MADE);
}

/* One port, many peers: each of them differs in one thing. */
Test(lease, peers)
{
	const struct endpoint to = local_endpoint(9, 443), port = local_endpoint(9, 444), addr = local_endpoint(8, 443);
	const struct endpoint to6 = { .addr = { .lo = 0x7f000009, .family = FAMILY_IPV6 }, .port = 443 };
	const struct endpoint hi6 = { .addr = { .hi = 1, .lo = 0x7f000009, .family = FAMILY_IPV6 }, .port = 443 };
	const struct ip_addr source = { .lo = 1, .family = FAMILY_IPV4 }, source6 = { .lo = 1, .family = FAMILY_IPV6 };
	const struct ip_addr high6 = { .hi = 1, .lo = 1, .family = FAMILY_IPV6 };
	const struct { uint8_t protocol; const struct endpoint *to; const struct ip_addr *source; } kinds[] = {
		{ PROTOCOL_TCP, NULL, NULL },     { PROTOCOL_UDP, NULL, NULL },    { PROTOCOL_TCP, &to, NULL },
		{ PROTOCOL_UDP, &to, NULL },      { PROTOCOL_SCTP, &to, NULL },    { PROTOCOL_TCP, &port, NULL },
		{ PROTOCOL_TCP, &addr, NULL },    { PROTOCOL_TCP, &to6, NULL },    { PROTOCOL_TCP, &hi6, NULL },
		{ PROTOCOL_TCP, &to, &source },   { PROTOCOL_TCP, &to6, &source6 }, { PROTOCOL_TCP, &to6, &high6 },
		{ PROTOCOL_TCP, NULL, &source },  { PROTOCOL_TCP, NULL, &source6 },
	};
	struct table *table = table_in_memory();

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct peer peer, named;
		struct lease lease;
		uint16_t first;

		peer_make(&peer, table, kinds[i].protocol, kinds[i].to, kinds[i].source);
		lease = claimed(table, &peer, 65535);
		expect_claim(table, &peer, 65535, CLAIM_BUSY);
		cr_expect_eq(block_find(table, &peer, 65472), (int32_t)block_of(&lease));
		cr_assert(block_name(table, block_of(&lease), &named, &first), "kind %zu", i);
		cr_expect_eq(first, 65472);
		expect_same(&named, &peer);
	}
}

Test(lease, hold_and_release)
{
	struct table *table = table_in_memory();
	struct peer peer = peer_number(table, 1);
	struct lease lease = claimed(table, &peer, 20005);
	uint64_t nonce = lease_nonce(&lease), before = clock_now();

	lease_hold(table, &lease);
	cr_expect_neq(lease.cell, 0);
	cr_expect_eq(cell_of(table, &lease)->word, lease.word);
	cr_expect_eq(cell_state(lease.word), CELL_HELD);
	cr_expect_eq(lease_nonce(&lease), nonce);
	cr_expect_eq(cell_owner(lease.word), owner_self(table));
	cr_expect_eq(cell_rule(cell_of(table, &lease)->info), 7);
	cr_expect_gt(cell_time(cell_of(table, &lease)->info) + 1024, before);
	expect_claim(table, &peer, 20005, CLAIM_BUSY);
	before = clock_now();
	lease_release(table, &lease);
	cr_expect_eq(cell_of(table, &lease)->word, 0);
	cr_expect_eq(lease_busy(table, &peer, 19968), 0);
	cr_expect_eq(table->rule[7].released[0], 20005);
	cr_expect_geq(table->used[0][20005], before);
	expect_claim(table, &peer, 20005, CLAIM_MADE);
}

Test(lease, release_of_a_claim_and_by_nonce_alone)
{
	struct table *table = table_in_memory();
	struct peer peer = peer_number(table, 1);
	struct lease lease = claimed(table, &peer, 20005), kept;

	lease_release(table, &lease);
	cr_expect_eq(cell_of(table, &lease)->word, 0);
	lease = claimed(table, &peer, 20006);
	lease_hold(table, &lease);
	kept = (struct lease){ .cell = lease.cell, .word = lease_nonce(&lease) };
	lease_release(table, &kept);
	cr_expect_eq(cell_of(table, &lease)->word, 0);
	cr_expect_eq(table->rule[7].released[0], 20006);
}

/* What came back last is kept for each protocol and rule. */
Test(lease, released_by_protocol_and_rule)
{
	static const uint8_t protocols[] = { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP, PROTOCOL_DCCP,
	                                     PROTOCOL_UDPLITE };
	struct table *table = table_in_memory();

	for (uint32_t rule = 1; rule < 1024; rule += 341) {
		for (uint16_t i = 0; i < 5; i++) {
			uint16_t port = (uint16_t)(1000 + rule + i * 64);
			struct lease lease = made_hold(table, protocols[i], NULL, port, rule);

			lease_release(table, &lease);
			cr_expect_eq(table->rule[rule].released[i < 2 ? i : 2], 1000 + rule + i * 64);
			cr_expect_gt(table->used[i < 2 ? i : 2][1000 + rule + i * 64], 0);
		}
		cr_expect_eq(table->rule[rule].released[0], 1000 + rule);
		cr_expect_eq(table->rule[rule].released[1], 1064 + rule);
	}
}

Test(lease, taken_and_retry)
{
	struct table *table = table_in_memory();
	struct peer peer = peer_number(table, 1);
	struct lease lease = claimed(table, &peer, 20005), first = lease, other;
	uint64_t before = clock_now();

	lease_taken(table, &lease);
	cr_expect_eq(lease.cell, 0);
	cr_expect_eq(cell_state(cell_of(table, &first)->word), CELL_TAKEN);
	cr_expect_eq(cell_rule(cell_of(table, &first)->info), 7);
	expect_claim(table, &peer, 20005, CLAIM_BUSY);
	cr_expect_eq(lease_refused(table, &peer, 19968, clock_now()), UINT64_C(1) << 37);
	cr_expect_eq(lease_refused(table, &peer, 19968, before - 2048), 0);
	lease_release(table, &first);
	cr_expect_eq(cell_state(cell_of(table, &first)->word), CELL_TAKEN, "nobody's to release");
	cr_assert_eq(lease_retry(table, &peer, 20005, 8, NULL, &lease), CLAIM_MADE);
	cr_expect_eq(lease.cell, first.cell);
	cr_expect_neq(lease_nonce(&lease), lease_nonce(&first));
	cr_expect_eq(cell_state(cell_of(table, &lease)->word), CELL_CLAIMED);
	cr_expect_eq(cell_rule(cell_of(table, &lease)->info), 8);
	cr_expect_eq(lease_refused(table, &peer, 19968, clock_now()), 0);
	cr_expect_eq(lease_retry(table, &peer, 20005, 8, NULL, &other), CLAIM_BUSY, "claimed");
	lease_hold(table, &lease);
	cr_expect_eq(lease_retry(table, &peer, 20005, 8, NULL, &other), CLAIM_BUSY, "held");
	lease_release(table, &lease);
	cr_expect_eq(lease_retry(table, &peer, 20005, 8, NULL, &other), CLAIM_BUSY, "free");
	cr_expect_eq(lease_busy(table, &peer, 19968), 0, "a free port must not look busy");
}

Test(lease, drop)
{
	struct table *table = table_in_memory();
	struct peer peer = peer_number(table, 1);
	struct lease lease = claimed(table, &peer, 20005), same = lease;

	lease_drop(table, &lease);
	cr_expect_eq(lease.cell, 0);
	cr_expect_eq(cell_of(table, &same)->word, 0);
	cr_expect_eq(lease_busy(table, &peer, 19968), 0);
	cr_expect_eq(table->rule[7].released[0], 0, "it was not used");
	lease = claimed(table, &peer, 20005);
	lease_drop(table, &same);
	cr_expect_eq(cell_of(table, &lease)->word, lease.word, "a claim that was dropped before");
}

Test(lease, without_a_cell_nothing_happens)
{
	struct table *table = table_in_memory();
	struct lease none = { .cell = 0, .word = UINT64_MAX };
	struct lease beyond = { .cell = TABLE_BLOCKS * BLOCK_PORTS + 1, .word = 5 };
	void *before;

	made_claim(table, PROTOCOL_TCP, NULL, 20000, 1);
	before = copy_of(table);
	lease_hold(table, &none);
	lease_taken(table, &none);
	lease_drop(table, &none);
	lease_release(table, &none);
	lease_release(table, &beyond);
	lease_drop(table, &beyond);
	cr_expect(memcmp(before, table, sizeof(*table)) == 0);
}

/* A child of fork() has its parent's descriptors, and closes them. */
Test(lease, release_by_another_process_does_nothing)
{
	struct table *table = shared_table();
	struct peer peer = peer_number(table, 1);
	struct lease claim = claimed(table, &peer, 20005), held = claimed(table, &peer, 20006);
	pid_t child;

	lease_hold(table, &held);
	child = fork();
	if (child == 0) {
		lease_release(table, &claim);
		lease_release(table, &held);
		_exit(0);
	}
	cr_assert_eq(status_of(child), 0);
	cr_expect_eq(cell_of(table, &claim)->word, claim.word);
	cr_expect_eq(cell_of(table, &held)->word, held.word);
	cr_expect_eq(table->rule[7].released[0], 0);
	lease_release(table, &held);
	cr_expect_eq(cell_of(table, &held)->word, 0);
}

Test(lease, release_of_an_old_lease_does_nothing)
{
	struct table *table = table_in_memory();
	struct peer peer = peer_number(table, 1);
	struct lease old = claimed(table, &peer, 20005), young;

	lease_hold(table, &old);
	lease_release(table, &old);
	young = claimed(table, &peer, 20005);
	cr_assert_eq(young.cell, old.cell);
	lease_release(table, &old);
	cr_expect_eq(cell_of(table, &young)->word, young.word);
	lease_hold(table, &young);
	lease_release(table, &old);
	cr_expect_eq(cell_of(table, &young)->word, young.word);
}

Test(lease, cell_free_frees_what_was_seen)
{
	struct table *table = shared_table();
	struct peer peer = peer_number(table, 1);
	struct lease mine, *theirs = mmap(NULL, sizeof(*theirs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                                  -1, 0);
	pid_t child = fork();

	if (child == 0)
		_exit(lease_claim(table, &peer, 20005, 7, NULL, theirs) != CLAIM_MADE);
	cr_assert_eq(status_of(child), 0);
	expect_claim(table, &peer, 20005, CLAIM_BUSY);
	cr_expect_eq(owner_life(table, cell_owner(theirs->word)), OWNER_DEAD);
	cr_expect(!cell_free(table, block_of(theirs), 37, theirs->word ^ 1));
	cr_expect(cell_free(table, block_of(theirs), 37, theirs->word));
	cr_expect_eq(lease_busy(table, &peer, 19968), 0);
	mine = claimed(table, &peer, 20005);
	cr_expect(!cell_free(table, block_of(theirs), 37, theirs->word));
	cr_expect_eq(cell_of(table, &mine)->word, mine.word);
}

Test(lease, masks)
{
	struct table *table = table_in_memory();
	struct peer peer = peer_number(table, 1), other = peer_number(table, 2);
	uint64_t wanted = UINT64_C(0x8421300000000ff1);
	struct lease lease[BLOCK_PORTS];

	for (uint16_t i = 0; i < BLOCK_PORTS; i++)
		lease[i] = claimed(table, &peer, (uint16_t)(20032 + i));
	cr_expect_eq(lease_busy(table, &peer, 20032), UINT64_MAX);
	cr_expect_eq(lease_busy(table, &peer, 20096) | lease_busy(table, &peer, 19968), 0);
	cr_expect_eq(lease_busy(table, &other, 20032), 0);
	for (uint32_t i = 0; i < BLOCK_PORTS; i++)
		if (!(wanted >> i & 1))
			lease_release(table, &lease[i]);
	cr_expect_eq(lease_busy(table, &peer, 20032), wanted);
	for (uint32_t i = 0; i < BLOCK_PORTS; i++)
		if (wanted >> i & 1)
			lease_taken(table, &lease[i]);
	cr_expect_eq(lease_busy(table, &peer, 20032), wanted);
	cr_expect_eq(lease_refused(table, &peer, 20032, UINT64_MAX), wanted);
	cr_expect_eq(lease_refused(table, &other, 20032, UINT64_MAX), 0);
}

/* --- contents that nobody wrote ------------------------------------------------------------------------ */

Test(lease, any_contents_are_survived)
{
	struct table *table = table_in_memory();

	for (uint64_t seed = 1; seed <= 6; seed++) {
		made_random(table, seed);
		for (uint32_t i = 0; i < 5000; i++) {
			struct peer peer = peer_number(table, i), named;
			struct lease lease;
			uint16_t port = (uint16_t)(i * 7919), first;

			if (lease_claim(table, &peer, port, i, NULL, &lease) == CLAIM_MADE ||
			    lease_retry(table, &peer, port, i, NULL, &lease) == CLAIM_MADE)
				(i & 1 ? lease_hold : lease_taken)(table, &lease);
			lease_release(table, &lease);
			lease_busy(table, &peer, port & 0xffc0);
			lease_refused(table, &peer, port & 0xffc0, clock_now());
			block_name(table, i % TABLE_BLOCKS, &named, &first);
			lease.cell = (uint32_t)table->name[i % TABLE_BLOCKS].rest;
			lease.word = table->key[1];
			lease_release(table, &lease);
		}
	}
}

/* --- many at once ---------------------------------------------------------------------------------------- */

#define PEERS_MAX 24
#define PROCESSES 4

/* Who has which port: never two. */
struct crowd {
	_Atomic uint32_t holder[PEERS_MAX][BLOCK_PORTS]; /* a process's number, from 1; 0: nobody */
	_Atomic uint32_t doubled, made, done;
	atomic_bool stop;
	uint32_t peers, ports;
	struct peer peer[PEERS_MAX];
};

static struct crowd *new_crowd(struct table *table, uint32_t peers, uint32_t ports)
{
	struct crowd *crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(crowd != MAP_FAILED);
	crowd->peers = peers;
	crowd->ports = ports;
	for (uint32_t i = 0; i < peers; i++)
		crowd->peer[i] = peer_number(table, i);
	return crowd;
}

/* A claim, which is found to be the only one, and one of its ends; the holder is noted from the one to the other. */
static void one_lease(struct table *table, struct crowd *crowd, uint32_t number, uint64_t chance)
{
	uint32_t peer = (uint32_t)(chance >> 8) % crowd->peers, port = (uint32_t)(chance >> 24) % crowd->ports;
	uint32_t nobody = 0;
	_Atomic uint32_t *holder = &crowd->holder[peer][port];
	struct lease lease;

	if (lease_claim(table, &crowd->peer[peer], (uint16_t)(20032 + port), 7, NULL, &lease) != CLAIM_MADE &&
	    lease_retry(table, &crowd->peer[peer], (uint16_t)(20032 + port), 7, NULL, &lease) != CLAIM_MADE)
		return;
	atomic_fetch_add(&crowd->made, 1);
	if (!atomic_compare_exchange_strong(holder, &nobody, number))
		atomic_fetch_add(&crowd->doubled, 1);
	if (chance & 1)
		lease_hold(table, &lease);
	if (chance % 32 == 5)
		sched_yield();
	atomic_compare_exchange_strong(holder, &number, 0);
	if (chance & 1)
		lease_release(table, &lease);
	else if (chance & 2)
		lease_drop(table, &lease);
	else
		lease_taken(table, &lease);
}

static pid_t one_process(struct table *table, struct crowd *crowd, uint32_t number, uint32_t rounds)
{
	pid_t child = fork();
	uint64_t chance = number;

	if (child != 0)
		return child;
	alarm(CHILD_SECONDS);
	for (uint32_t i = 0; i < rounds && !atomic_load(&crowd->stop); i++) {
		chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		one_lease(table, crowd, number, chance >> 20);
		atomic_fetch_add(&crowd->done, 1);
	}
	_exit(0);
}

static uint32_t not_free(const struct table *table)
{
	uint32_t n = 0;

	for (uint32_t block = 0; block < TABLE_BLOCKS; block++)
		for (uint32_t i = 0; i < BLOCK_PORTS; i++)
			n += table_cells(table, block)[i].word != 0 && cell_state(table_cells(table, block)[i].word) != CELL_TAKEN;
	return n;
}

static void stress(struct table *table, struct crowd *crowd, uint32_t rounds)
{
	pid_t child[PROCESSES];

	for (uint32_t i = 0; i < PROCESSES; i++)
		child[i] = one_process(table, crowd, i + 1, rounds);
	for (uint32_t i = 0; i < PROCESSES; i++)
		cr_assert_eq(status_of(child[i]), 0);
	cr_expect_eq(crowd->doubled, 0, "%u of %u claims were second ones", crowd->doubled, crowd->made);
	cr_expect_eq(not_free(table), 0);
}

Test(lease, four_processes_never_hold_one_port_twice)
{
	struct table *table = shared_table();
	struct crowd *crowd = new_crowd(table, 3, 64);

	stress(table, crowd, 100000);
	cr_expect_gt(crowd->made, PROCESSES * 50000);
}

Test(lease, four_processes_and_few_ports)
{
	struct table *table = shared_table();
	struct crowd *crowd = new_crowd(table, 1, 2);

	stress(table, crowd, 100000);
	cr_expect_gt(crowd->made, 1000);
}

/* 24 peers want the eight blocks of one bucket: names come and go all the time. */
Test(lease, four_processes_in_one_bucket)
{
	for (int round = 0; round < 4; round++) {
		struct table *table = shared_table();
		struct crowd *crowd = new_crowd(table, PEERS_MAX, 2);

		neighbours(crowd->peer, PEERS_MAX, 20032);
		stress(table, crowd, 50000);
		cr_expect_gt(crowd->made, 1000);
		munmap(table, sizeof(*table));
		munmap(crowd, sizeof(*crowd));
	}
}

/* What a sweep does with claims of the dead; the test's notes of them go first. */
static uint32_t free_of_dead(struct table *table, struct crowd *crowd, uint32_t number)
{
	uint32_t freed = 0;

	for (uint32_t block = 0; block < TABLE_BLOCKS; block++) {
		for (uint32_t i = 0; i < BLOCK_PORTS; i++) {
			uint64_t word = table_cells(table, block)[i].word;

			if (!word || owner_life(table, cell_owner(word)) != OWNER_DEAD)
				continue;
			for (uint32_t peer = 0; peer < crowd->peers; peer++) {
				uint32_t dead = number;

				if (block_find(table, &crowd->peer[peer], 20032) == (int32_t)block)
					atomic_compare_exchange_strong(&crowd->holder[peer][i], &dead, 0);
			}
			freed += cell_free(table, block, i, word);
		}
	}
	return freed;
}

/* Until the crowd has done `more` rounds. */
static void let_run(struct crowd *crowd, uint32_t more)
{
	uint32_t from = atomic_load(&crowd->done);
	uint64_t end = clock_now() + 60 * SECOND;

	while (atomic_load(&crowd->done) - from < more) {
		cr_assert_lt(clock_now(), end, "the others do not go on");
		sched_yield();
	}
}

static void stress_with_kills(struct table *table, struct crowd *crowd, uint32_t kills)
{
	pid_t child[PROCESSES];
	uint32_t number[PROCESSES], next = 1;

	for (uint32_t i = 0; i < PROCESSES; i++, next++)
		child[i] = one_process(table, crowd, number[i] = next, UINT32_MAX);
	for (uint32_t i = 0; i < kills; i++, next++) {
		uint32_t victim = i * 7 % PROCESSES;

		let_run(crowd, 2000 + i * 37);
		cr_assert_eq(kill(child[victim], SIGKILL), 0);
		cr_assert_eq(status_of(child[victim]), 256 + SIGKILL);
		free_of_dead(table, crowd, number[victim]);
		child[victim] = one_process(table, crowd, number[victim] = next, UINT32_MAX);
	}
	let_run(crowd, 20000);
	atomic_store(&crowd->stop, true);
	for (uint32_t i = 0; i < PROCESSES; i++)
		cr_assert_eq(status_of(child[i]), 0);
	cr_expect_eq(crowd->doubled, 0, "%u of %u claims were second ones", crowd->doubled, crowd->made);
	cr_expect_eq(not_free(table), 0);
}

Test(lease, whoever_is_killed_the_others_go_on)
{
	struct table *table = shared_table();

	stress_with_kills(table, new_crowd(table, 3, 64), 60);
}

Test(lease, whoever_is_killed_in_a_full_bucket_the_others_go_on)
{
	struct table *table = shared_table();
	struct crowd *crowd = new_crowd(table, PEERS_MAX, 2);

	neighbours(crowd->peer, PEERS_MAX, 20032);
	stress_with_kills(table, crowd, 60);
	/* Whatever they left behind: each peer has its ports. */
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		struct lease lease;

		if (lease_claim(table, &crowd->peer[i], 20032, 7, NULL, &lease) == CLAIM_BUSY)
			cr_expect_eq(lease_retry(table, &crowd->peer[i], 20032, 7, NULL, &lease), CLAIM_MADE);
		lease_drop(table, &lease);
	}
}
