/* test_algorithm.c - the algorithms of `choose =`: those of RFC 6056 port by port, and the others. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/wait.h>

#include "choosing.h"

static struct chooser c;

TestSuite(algorithm, .timeout = 60);

/* ---- RFC 6056, 3.3.3, 3.3.4 and the traditional one -------------------------------------------------------- */

/* Where such an algorithm stands, by the RFC's own description: the port at (offset + counter) modulo the size of the
 * set is looked at, the counter goes up, and so on until a port is suitable or all have been looked at. */
struct rfc {
	uint32_t count, offset, counter;
	bool busy[65536]; /* by position */
};

static struct rfc rfc;

static int32_t rfc_select(void)
{
	uint64_t counter = rfc.counter; /* of 32 bits between two calls: the RFC says nothing of its width */

	for (uint32_t left = rfc.count; left > 0; left--) {
		uint32_t position = (uint32_t)((rfc.offset + counter) % rfc.count);

		rfc.counter = (uint32_t)++counter;
		if (!rfc.busy[position])
			return (int32_t)position;
	}
	return -1;
}

static word32 *counter_at(uint32_t i)
{
	return i < DOUBLE_HASH_COUNTERS ? &entry_of(&c)->table[i] : &entry_of(&c)->next;
}

static void set_counters(uint32_t value)
{
	for (uint32_t i = 0; i <= DOUBLE_HASH_COUNTERS; i++)
		atomic_store(counter_at(i), value);
}

/* Which counter a connect moves, and what F is: the position it gets with all counters 0. */
static word32 *observe(uint32_t *offset)
{
	word32 *moved = NULL;

	set_counters(0);
	*offset = position_of(&c, get_and_drop(&c));
	for (uint32_t i = 0; i <= DOUBLE_HASH_COUNTERS; i++) {
		if (atomic_load(counter_at(i)) == 0)
			continue;
		cr_assert_null(moved, "one counter alone");
		cr_assert_eq(atomic_load(counter_at(i)), 1);
		moved = counter_at(i);
	}
	cr_assert_not_null(moved);
	cr_assert_eq(moved == &entry_of(&c)->next, c.rule.choose != CHOOSE_DOUBLE_HASH);
	return moved;
}

static void expect_next(struct given *given, word32 *counter)
{
	int32_t position = rfc_select();

	*given = get(&c);
	cr_assert_eq(given->port, port_at(&c, (uint32_t)position), "%s, count %u, counter %u: %u, not %u",
	             algorithm_name[c.rule.choose], rfc.count, rfc.counter, given->port,
	             port_at(&c, (uint32_t)position));
	cr_assert_eq(atomic_load(counter), rfc.counter);
	rfc.busy[position] = true;
}

/* Port by port until none is free; then with ports that come back, at least two being free at any time, so that the one
 * that came back last is never the only one. That one is as good as busy. */
static void follow(word32 *counter)
{
	static struct given given[65536];
	uint32_t n = 0, last = 0;
	uint64_t seed = 5;

	for (uint32_t i = 0; i < rfc.count; i++)
		n += !rfc.busy[i];
	for (uint32_t i = 0; i < n; i++)
		expect_next(&given[i], counter);
	for (int round = 0; round < 300 && n > 2; round++) {
		uint32_t back[3];

		for (int i = 0; i < 3; i++) {
			back[i] = draw(&seed, n);
			while (!rfc.busy[position_of(&c, given[back[i]].port)])
				back[i] = (back[i] + 1) % n;
			last = position_of(&c, given[back[i]].port);
			rfc.busy[last] = false;
			give_back(&c, &given[back[i]]);
		}
		rfc.busy[last] = true;
		expect_next(&given[back[0]], counter);
		expect_next(&given[back[1]], counter);
		give_back(&c, &given[back[0]]);
		rfc.busy[position_of(&c, given[back[0]].port)] = true;
		rfc.busy[last] = false;
		expect_next(&given[back[2]], counter);
		given[back[0]] = occupy(&c, given[back[0]].port);
	}
}

static void expect_rfc(enum choose choose, const char *spec, enum pattern pattern, uint32_t start)
{
	word32 *counter;

	chooser_make(&c, table_in_memory(), choose, spec);
	rfc.count = count_of(&c);
	counter = observe(&rfc.offset);
	cr_assert(choose != CHOOSE_SEQUENTIAL || rfc.offset == 0);
	occupy_pattern(&c, pattern, rfc.busy);
	set_counters(0xabcd);
	atomic_store(counter, start);
	rfc.counter = start;
	follow(counter);
	table_gone(c.table);
}

static void expect_rfc_everywhere(enum choose choose)
{
	static const char *const sets[] = {
		"20000-20999", "20000", "20000-20001", "20063-20064", "20000, 50000", HOLES, FIVE_INTERVALS,
	};
	static const uint32_t starts[] = { 0, 1, 734, 999, 123456789, UINT32_MAX - 3 };

	for (size_t set = 0; set < sizeof(sets) / sizeof(*sets); set++)
		for (int pattern = 0; pattern < PATTERNS; pattern++)
			for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
				expect_rfc(choose, sets[set], (enum pattern)pattern, starts[i]);
}

Test(algorithm, hash_is_that_of_the_rfc)
{
	expect_rfc_everywhere(CHOOSE_HASH);
}

Test(algorithm, double_hash_is_that_of_the_rfc)
{
	expect_rfc_everywhere(CHOOSE_DOUBLE_HASH);
}

Test(algorithm, sequential_is_the_traditional_one)
{
	expect_rfc_everywhere(CHOOSE_SEQUENTIAL);
}

Test(algorithm, counters_begin_as_in_the_rfc)
{
	struct chooser other;
	uint32_t same = 0;

	for (int choose = CHOOSE_HASH; choose <= CHOOSE_SEQUENTIAL; choose++) {
		bool random = choose == CHOOSE_RANDOM_INCREMENTS;

		chooser_make(&c, table_in_memory(), (enum choose)choose, "20000-20999");
		chooser_make(&other, table_in_memory(), (enum choose)choose, "20000-20999");
		cr_expect(random || entry_of(&c)->next == 0);
		cr_expect(!random || entry_of(&c)->next != entry_of(&other)->next);
		for (int i = 0; choose == CHOOSE_DOUBLE_HASH && i < (int)DOUBLE_HASH_COUNTERS; i++)
			same += entry_of(&c)->table[i] == entry_of(&other)->table[i];
	}
	cr_expect_lt(same, 2);
}

/* ---- chi-square -------------------------------------------------------------------------------------------- */

Test(algorithm, the_bound_tells_uneven_from_even)
{
	uint32_t seen[100];

	for (uint32_t i = 0; i < 100; i++)
		seen[i] = i % 2 ? 90 : 110;
	cr_expect(fits_even(seen, 100));
	for (uint32_t i = 0; i < 100; i++)
		seen[i] = i % 2 ? 80 : 120;
	cr_expect_not(fits_even(seen, 100));
	for (uint32_t i = 0; i < 100; i++)
		seen[i] = i ? 50 : 0;
	cr_expect_not(fits_even(seen, 100));
	for (uint32_t i = 0; i < 100; i++)
		seen[i] = i ? 50 : 120;
	cr_expect_not(fits_even(seen, 100));
}

/* ---- RFC 6056, 3.3.5 --------------------------------------------------------------------------------------- */

Test(algorithm, random_increments_are_1_to_500_each_as_likely)
{
	static uint32_t seen[500];

	chooser_make(&c, table_in_memory(), CHOOSE_RANDOM_INCREMENTS, FIVE_INTERVALS);
	for (int i = 0; i < 50000; i++) {
		uint32_t before = atomic_load(&entry_of(&c)->next), after, port = get_and_drop(&c);

		after = atomic_load(&entry_of(&c)->next);
		cr_assert(after - before >= 1 && after - before <= 500);
		cr_assert_eq(port, port_at(&c, after % count_of(&c)));
		seen[after - before - 1]++;
	}
	cr_expect(fits_even(seen, 500));
}

/* A busy port is left by another increment: not by counting up, which would favour what is behind busy ones. */
Test(algorithm, random_increments_pass_busy_ports_by_incrementing_again)
{
	uint64_t sum = 0;
	enum { N = 20000 };

	chooser_make(&c, table_in_memory(), CHOOSE_RANDOM_INCREMENTS, "20000-20999");
	occupy_pattern(&c, EVERY_OTHER, rfc.busy);
	for (int i = 0; i < N; i++) {
		uint32_t before = atomic_load(&entry_of(&c)->next), position = position_of(&c, get_and_drop(&c));
		uint32_t after = atomic_load(&entry_of(&c)->next);

		cr_assert(!rfc.busy[position]);
		cr_assert(after - before <= 16 * 500);
		cr_assert(position == after % 1000 || after - before >= 16);
		sum += after - before;
	}
	/* Two increments on the average, 501; the deviation of one is 409, of the mean 2.9. */
	cr_expect(sum > N * 481 && sum < N * 521, "%f", (double)sum / N);
}

Test(algorithm, random_increments_find_the_only_free_port)
{
	static const char *const sets[] = { "20000", "20000-20001", HOLES, "20000-20999", "1024-65535" };

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		chooser_make(&c, table_in_memory(), CHOOSE_RANDOM_INCREMENTS, sets[i]);
		for (uint32_t k = 0; k < count_of(&c); k++)
			if (k != count_of(&c) / 3)
				occupy(&c, port_at(&c, k));
		for (int k = 0; k < 20; k++)
			cr_expect_eq(get_and_drop(&c), port_at(&c, count_of(&c) / 3));
		table_gone(c.table);
	}
}

/* ---- destinations ------------------------------------------------------------------------------------------ */

static const enum choose hashing[] = { CHOOSE_HASH, CHOOSE_DOUBLE_HASH, CHOOSE_STABLE };
enum { HASHING = 3 };

/* F for a destination: all counters at 0. */
static uint32_t offset_to(struct endpoint to)
{
	uint32_t position;

	aim(&c, to);
	set_counters(0);
	position = position_of(&c, get_and_drop(&c));
	set_counters(0);
	return position;
}

static void expect_different(const char *what, uint32_t *offset, uint32_t n)
{
	uint32_t same = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < i; k++)
			same += offset[i] == offset[k];
	cr_expect_leq(same, 2, "%s, %s: %u of %u alike", algorithm_name[c.rule.choose], what, same, n);
}

/* Of 64 offsets in 64,512 two are alike in 3 % of all keys. */
Test(algorithm, each_part_of_a_destination_counts)
{
	for (int i = 0; i < HASHING; i++) {
		struct ip_addr source = { .lo = 0x7f000001, .family = FAMILY_IPV4 };
		uint32_t address[64], port[64], upper[64], local[64];

		chooser_make(&c, table_in_memory(), hashing[i], "1024-65535");
		for (uint32_t k = 0; k < 64; k++) {
			struct endpoint to = local_endpoint((uint8_t)k, 443), six = { .port = 443 };

			address[k] = offset_to(to);
			port[k] = offset_to(local_endpoint(9, (uint16_t)(440 + k)));
			six.addr = (struct ip_addr){ .hi = UINT64_C(0x20010db800000000) + k, .family = FAMILY_IPV6 };
			upper[k] = offset_to(six);
			source.lo++;
			c.to = local_endpoint(9, 443);
			peer_make(&c.peer, c.table, PROTOCOL_TCP, &c.to, &source);
			local[k] = position_of(&c, get_and_drop(&c));
			set_counters(0);
		}
		expect_different("address", address, 64);
		expect_different("port", port, 64);
		expect_different("upper half", upper, 64);
		expect_different("source", local, 64);
		table_gone(c.table);
	}
}

static uint32_t in_a_child(struct endpoint to)
{
	static uint32_t *told;
	pid_t child;

	if (!told)
		told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child = fork();
	if (child == 0) {
		*told = offset_to(to);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
	return *told;
}

Test(algorithm, a_table_has_one_hash_for_all_processes)
{
	for (int i = 0; i < HASHING; i++) {
		chooser_make(&c, made_mapping(MAP_SHARED | MAP_ANONYMOUS, -1), hashing[i], "1024-65535");
		for (uint8_t k = 0; k < 20; k++) {
			struct endpoint to = local_endpoint(k, 443);
			uint32_t offset = offset_to(to);

			cr_expect_eq(offset_to(to), offset);
			cr_expect_eq(in_a_child(to), offset);
		}
		table_gone(c.table);
	}
}

Test(algorithm, another_table_has_another_hash)
{
	for (int i = 0; i < HASHING; i++) {
		for (int half = 0; half < 2; half++) {
			uint32_t same = 0;

			chooser_make(&c, table_in_memory(), hashing[i], "1024-65535");
			for (uint8_t k = 0; k < 64; k++) {
				uint32_t offset;

				atomic_store(&c.table->key[half], 100);
				offset = offset_to(local_endpoint(k, 443));
				atomic_store(&c.table->key[half], 101);
				same += offset == offset_to(local_endpoint(k, 443));
			}
			cr_expect_leq(same, 1, "%s: %u", algorithm_name[hashing[i]], same);
			table_gone(c.table);
		}
	}
}

Test(algorithm, hash_has_one_counter_for_all_destinations)
{
	uint32_t one, other;

	chooser_make(&c, table_in_memory(), CHOOSE_HASH, "20000-20999");
	one = offset_to(local_endpoint(1, 443));
	other = offset_to(local_endpoint(2, 443));
	for (uint32_t i = 0; i < 2000; i += 2) {
		aim(&c, local_endpoint(1, 443));
		cr_assert_eq(position_of(&c, get_and_drop(&c)), (one + i) % 1000);
		aim(&c, local_endpoint(2, 443));
		cr_assert_eq(position_of(&c, get_and_drop(&c)), (other + i + 1) % 1000);
	}
}

/* One counter of the 16 for a destination, always the same; and each is somebody's. */
Test(algorithm, double_hash_moves_the_counter_of_its_group_alone)
{
	uint32_t groups = 0, members[DOUBLE_HASH_COUNTERS] = { 0 };

	chooser_make(&c, table_in_memory(), CHOOSE_DOUBLE_HASH, "20000-20999");
	for (uint32_t k = 0; k < 1600; k++) {
		uint32_t offset;
		word32 *counter;

		aim(&c, local_endpoint((uint8_t)k, (uint16_t)(443 + k / 256)));
		counter = observe(&offset);
		for (uint32_t i = 1; i < 10; i++) {
			cr_assert_eq(position_of(&c, get_and_drop(&c)), (offset + i) % 1000);
			cr_assert_eq(atomic_load(counter), i + 1);
		}
		for (uint32_t i = 0; i <= DOUBLE_HASH_COUNTERS; i++)
			cr_assert(counter_at(i) == counter || atomic_load(counter_at(i)) == 0);
		members[counter - entry_of(&c)->table]++;
	}
	for (uint32_t i = 0; i < DOUBLE_HASH_COUNTERS; i++)
		groups += members[i] > 0;
	cr_expect_eq(groups, DOUBLE_HASH_COUNTERS);
	cr_expect(fits_even(members, DOUBLE_HASH_COUNTERS));
}

/* G is no function of F: destinations of one group are anywhere. */
Test(algorithm, double_hash_has_two_hashes)
{
	static double expected[16 * DOUBLE_HASH_COUNTERS];
	uint32_t seen[16 * DOUBLE_HASH_COUNTERS] = { 0 };

	chooser_make(&c, table_in_memory(), CHOOSE_DOUBLE_HASH, "20000-20999");
	for (uint32_t k = 0; k < 25600; k++) {
		uint32_t offset;
		word32 *counter;

		c.to = local_endpoint((uint8_t)k, (uint16_t)(443 + k / 256));
		counter = observe(&offset);
		seen[(uint32_t)(counter - entry_of(&c)->table) * 16 + offset * 16 / 1000]++;
	}
	for (uint32_t i = 0; i < 16 * DOUBLE_HASH_COUNTERS; i++) {
		uint32_t part = i % 16, from = (part * 1000 + 15) / 16, to = ((part + 1) * 1000 + 15) / 16;

		expected[i] = 25600 * (to - from) / 1000.0 / DOUBLE_HASH_COUNTERS;
	}
	cr_expect(fits(seen, expected, 16 * DOUBLE_HASH_COUNTERS));
}

/* ---- nobody can foretell ----------------------------------------------------------------------------------- */

/* r^2 * n of each position and the one `lag` before it is chi-square with one degree: above 36 once in 500 million. */
static void expect_uncorrelated(const uint32_t *position, uint32_t n, uint32_t lag)
{
	double mean = 0, own = 0, joint = 0;

	for (uint32_t i = 0; i < n; i++)
		mean += (double)position[i] / n;
	for (uint32_t i = lag; i < n; i++) {
		own += (position[i] - mean) * (position[i] - mean);
		joint += (position[i] - mean) * (position[i - lag] - mean);
	}
	cr_expect_lt(joint * joint / own / own * n, 36, "lag %u: %f", lag, joint / own);
}

Test(algorithm, random_ports_tell_nothing_of_the_next)
{
	static uint32_t position[30000], step[1000];

	for (int warm = 0; warm < 2; warm++) {
		chooser_make(&c, table_in_memory(), CHOOSE_RANDOM, warm ? "20000-20999" : "1024-65535");
		memset(step, 0, sizeof(step));
		if (warm)
			set_all_used(&c, clock_now());
		for (int i = 0; i < 30000; i++)
			position[i] = position_of(&c, warm ? get_and_drop(&c) : get_and_give_back(&c));
		for (uint32_t lag = 1; lag < 6; lag++)
			expect_uncorrelated(position, 30000, lag);
		for (int i = 1; i < 30000 && warm; i++)
			step[(position[i] + 1000 - position[i - 1]) % 1000]++;
		cr_expect(!warm || fits_even(step, 500), "each distance is as likely");
		table_gone(c.table);
	}
}

enum { FIRST = 8 };

/* The first ports that a process of its own gets: without a table, and with one. */
static void first_of_a_child(uint16_t told[2][FIRST])
{
	pid_t child = fork();

	if (child == 0) {
		for (int i = 0; i < 2; i++) {
			chooser_make(&c, i ? table_in_memory() : NULL, CHOOSE_RANDOM, "1024-65535");
			for (int k = 0; k < FIRST; k++)
				told[i][k] = get(&c).port;
		}
		_exit(0);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
}

/* The first three are the first of all to draw, as after exec; then the parent draws, and they go on from there. */
Test(algorithm, random_begins_anew_in_each_process)
{
	uint16_t(*told)[2][FIRST] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t same = 0;

	for (int i = 0; i < 6; i++) {
		first_of_a_child(told[i]);
		if (i < 2)
			continue;
		chooser_make(&c, NULL, CHOOSE_RANDOM, "1024-65535");
		get(&c);
	}
	for (int i = 0; i < 6 * 2; i++)
		for (int k = 0; k < i; k++)
			for (int at = 0; at < FIRST; at++)
				same += told[i / 2][i % 2][at] == told[k / 2][k % 2][at];
	cr_expect_leq(same, 3, "%u", same); /* 528 pairs, each alike by chance once in 64,512 */
}

/* ---- stable ------------------------------------------------------------------------------------------------ */

Test(algorithm, stable_stays)
{
	struct given given;
	uint32_t home;

	chooser_make(&c, table_in_memory(), CHOOSE_STABLE, FIVE_INTERVALS);
	home = position_of(&c, get_and_give_back(&c));
	for (uint32_t i = 0; i < 2 * count_of(&c); i++) {
		uint32_t n = i % 5 ? 1 : i % count_of(&c);
		static struct given busy[65536];

		for (uint32_t k = 0; k < n; k++)
			busy[k] = occupy(&c, port_at(&c, (home + k) % count_of(&c)));
		given = get(&c);
		cr_assert_eq(position_of(&c, given.port), (home + n) % count_of(&c), "the next free one");
		give_back(&c, &given);
		for (uint32_t k = 0; k < n; k++)
			give_back(&c, &busy[k]);
		cr_assert_eq(position_of(&c, get_and_give_back(&c)), home);
	}
}

Test(algorithm, stable_depends_on_program_and_destination)
{
	uint32_t by_program[64], by_both[64];

	chooser_make(&c, table_in_memory(), CHOOSE_STABLE, "1024-65535");
	for (uint32_t i = 0; i < 64; i++) {
		c.program = i;
		aim(&c, local_endpoint(9, 443));
		by_program[i] = position_of(&c, get_and_give_back(&c));
		cr_expect_eq(position_of(&c, get_and_give_back(&c)), by_program[i]);
		aim(&c, local_endpoint((uint8_t)i, 444));
		by_both[i] = position_of(&c, get_and_give_back(&c));
		aim(&c, local_endpoint(9, 443));
		cr_expect_eq(position_of(&c, get_and_give_back(&c)), by_program[i]);
	}
	expect_different("program", by_program, 64);
	expect_different("program and destination", by_both, 64);
}

/* ---- least recent ------------------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
	const uint64_t *one = a, *other = b;

	return *one < *other ? -1 : *one > *other;
}

/* Gets all free ports, whose times are set: those never used come first, then each later than the one before. */
static void expect_oldest_first(uint32_t n_free)
{
	static uint64_t used[65536], when[65536];
	uint32_t n = 0;

	for (uint32_t i = 0; i < count_of(&c); i++) {
		used[i] = rfc.busy[i] ? UINT64_MAX : atomic_load(&c.table->used[0][port_at(&c, i)]);
		if (!rfc.busy[i])
			when[n++] = used[i];
	}
	cr_assert_eq(n, n_free);
	qsort(when, n, sizeof(*when), by_number);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t position = position_of(&c, get(&c).port);

		cr_assert_eq(used[position], when[i], "%u of %u", i, n);
		used[position] = UINT64_MAX;
	}
}

Test(algorithm, least_recent_is_the_one_unused_longest)
{
	static const char *const sets[] = { "20000", "20000-20001", HOLES, FIVE_INTERVALS, "20000-20999" };
	uint64_t seed = 1;

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		for (int pattern = 0; pattern < PATTERNS; pattern++) {
			uint32_t n_free;

			chooser_make(&c, table_in_memory(), CHOOSE_LEAST_RECENT, sets[i]);
			n_free = occupy_pattern(&c, (enum pattern)pattern, rfc.busy);
			for (uint32_t k = 0; k < count_of(&c); k++)
				set_used(&c, port_at(&c, k), draw(&seed, 3) ? 1 + draw(&seed, 1000000) : 0);
			expect_oldest_first(n_free);
			table_gone(c.table);
		}
	}
}

Test(algorithm, least_recent_finds_the_few_of_28000)
{
	uint64_t seed = 7, now;
	uint32_t n_free = 0;

	chooser_make(&c, table_in_memory(), CHOOSE_LEAST_RECENT, "30000-57999");
	for (uint32_t i = 0; i < 28000; i++) {
		rfc.busy[i] = draw(&seed, 1000) > 0;
		n_free += !rfc.busy[i];
		if (rfc.busy[i])
			occupy(&c, port_at(&c, i));
	}
	now = clock_now();
	for (uint32_t i = 0; i < 28000; i++)
		if (!rfc.busy[i])
			set_used(&c, port_at(&c, i), now - draw(&seed, 1000000));
	cr_assert(n_free > 10 && n_free < 60);
	expect_oldest_first(n_free);
}

/* Given and given back in any order: against the times themselves. */
Test(algorithm, least_recent_keeps_the_order_over_a_long_time)
{
	static struct given given[200];
	static uint32_t place[200], used[200]; /* by position: place in given[] + 1, step of the last use */
	uint64_t seed = 3;
	uint32_t n = 0;

	chooser_make(&c, table_in_memory(), CHOOSE_LEAST_RECENT, "20010-20109, 20200-20299");
	for (uint32_t step = 1; step < 20000; step++) {
		if (n < 200 && draw(&seed, 400) >= n) {
			uint32_t least = UINT32_MAX, position;

			for (uint32_t i = 0; i < 200; i++)
				if (!place[i] && used[i] < least)
					least = used[i];
			given[n] = get(&c);
			position = position_of(&c, given[n].port);
			cr_assert_eq(place[position], 0);
			cr_assert_eq(used[position], least, "step %u", step);
			place[position] = ++n;
			used[position] = step;
		} else if (n) {
			uint32_t i = draw(&seed, n), position = position_of(&c, given[i].port);

			give_back(&c, &given[i]);
			given[i] = given[--n];
			place[position_of(&c, given[i].port)] = i + 1;
			place[position] = 0;
			used[position] = step;
		}
	}
}
