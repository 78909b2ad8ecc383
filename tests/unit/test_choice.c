/* test_choice.c - proposing ports: all of a set and no others, evenly, and those used of late behind the rest. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "choosing.h"
#include "tests/lib/harness.h"

static struct chooser c;
static bool busy[65536]; /* by position */

TestSuite(choice, .timeout = 60);

/* ---- no port is starved or favoured ------------------------------------------------------------------------ */

static uint32_t seen_at[65536]; /* by position */

/* Counts for the free ports alone, one behind the other. Returns their number. */
static uint32_t only_free(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count_of(&c); i++) {
		if (!busy[i])
			seen_at[n++] = seen_at[i];
		else
			cr_assert_eq(seen_at[i], 0, "a busy port");
	}
	return n;
}

static const char *const even_sets[] = { "20000-20999", FIVE_INTERVALS, "20000-20999" };
enum { EVEN_SETS = 3 };

/* The third is nine tenths busy; evenly, or anyhow. */
static uint32_t make_set(enum choose choose, int i, bool anyhow)
{
	chooser_make(&c, table_in_memory(), choose, even_sets[i]);
	memset(seen_at, 0, sizeof(seen_at));
	return occupy_pattern(&c, i < 2 ? NONE : anyhow ? NINE_OF_TEN : NINE_OF_TEN_EVENLY, busy);
}

static void expect_even_by_chance(enum choose choose)
{
	for (int i = 0; i < EVEN_SETS; i++) {
		make_set(choose, i, false);
		set_all_used(&c, clock_now());
		for (int k = 0; k < 80000; k++)
			seen_at[position_of(&c, get_and_give_back(&c))]++;
		cr_expect(fits_even(seen_at, only_free()), "%s, set %d", algorithm_name[choose], i);
		table_gone(c.table);
	}
}

Test(choice, random_is_even_when_all_ports_are_warm)
{
	expect_even_by_chance(CHOOSE_RANDOM);
	expect_even_by_chance(CHOOSE_KERNEL); /* where the kernel is not let to pick */
}

Test(choice, random_increments_are_even)
{
	expect_even_by_chance(CHOOSE_RANDOM_INCREMENTS);
}

/* By draws it is even; when eight of them met busy ports, the next free port above a ninth is given. */
Test(choice, random_among_many_busy_ports_is_what_it_says)
{
	static double expected[1000];
	const int n = 100000;
	double none = 1;
	uint32_t n_free = make_set(CHOOSE_RANDOM, 2, true), gap = 0, at = 0, first = 0;

	set_all_used(&c, clock_now());
	for (int i = 0; i < n; i++) {
		seen_at[position_of(&c, get_and_give_back(&c))]++;
		forget_last(&c);
	}
	for (int i = 0; i < 8; i++)
		none *= (1000 - n_free) / 1000.0;
	while (busy[first])
		first++;
	for (uint32_t i = 1; i <= 1000; i++) {
		gap++;
		if (busy[(first + i) % 1000])
			continue;
		expected[i == 1000 ? 0 : ++at] = n * ((1 - none) / n_free + none * gap / 1000.0);
		gap = 0;
	}
	cr_assert_eq(only_free(), n_free);
	cr_expect(fits(seen_at, expected, n_free));
}

Test(choice, random_increments_starve_nobody_among_many_busy_ports)
{
	uint32_t n_free = make_set(CHOOSE_RANDOM_INCREMENTS, 2, true);

	for (int i = 0; i < 100000; i++)
		seen_at[position_of(&c, get_and_give_back(&c))]++;
	cr_assert_eq(only_free(), n_free);
	for (uint32_t i = 0; i < n_free; i++)
		cr_expect(seen_at[i] > 50000 / n_free && seen_at[i] < 300000 / n_free, "%u", seen_at[i]);
}

/* While there are ports that rested for a minute, one is nearly always found by eight draws. */
Test(choice, random_takes_rested_ports_first)
{
	uint32_t different[2] = { 0, 0 };

	make_set(CHOOSE_RANDOM, 0, false);
	for (int i = 0; i < 1000; i++)
		different[i >= 500] += !seen_at[position_of(&c, get_and_give_back(&c))]++;
	/* By chance alone 393 and 239. */
	cr_expect_gt(different[0], 480, "%u", different[0]);
	cr_expect_gt(different[0] + different[1], 850, "%u", different[0] + different[1]);
}

/* One in ten rested: 1 - 0.9^8 of the draws find one. */
Test(choice, random_finds_the_few_that_rested)
{
	uint64_t now = clock_now(), long_ago = now > 61 * SECOND ? now - 61 * SECOND : 0;
	uint32_t rested[100] = { 0 }, all = 0;
	enum { N = 20000 };

	make_set(CHOOSE_RANDOM, 0, false);
	set_all_used(&c, now);
	for (uint32_t i = 0; i < 100; i++)
		set_used(&c, (uint16_t)(20000 + 10 * i), long_ago);
	for (int i = 0; i < N; i++) {
		uint16_t port = get_and_drop(&c);

		if (port % 10 == 0) {
			rested[(port - 20000) / 10]++;
			all++;
		}
		set_used(&c, port, port % 10 == 0 ? long_ago : now);
	}
	cr_expect(all > N * 0.545 && all < N * 0.595, "%u", all); /* 0.5695 and 7 times its deviation */
	cr_expect(fits_even(rested, 100));
}

static void expect_rounds(enum choose choose)
{
	enum { ROUNDS = 5 };

	for (int i = 0; i < EVEN_SETS; i++) {
		uint32_t n = make_set(choose, i, true);

		for (uint32_t k = 0; k < ROUNDS * n; k++)
			cr_assert_eq(seen_at[position_of(&c, get_and_give_back(&c))]++, k / n, "%s, set %d",
			             algorithm_name[choose], i);
		cr_assert_eq(only_free(), n);
		table_gone(c.table);
	}
}

/* Each port once before any comes again. */
Test(choice, those_that_count_and_least_recent_are_exactly_even)
{
	expect_rounds(CHOOSE_SEQUENTIAL);
	expect_rounds(CHOOSE_HASH);
	expect_rounds(CHOOSE_DOUBLE_HASH);
	expect_rounds(CHOOSE_LEAST_RECENT);
}

Test(choice, destinations_are_spread_evenly)
{
	static const enum choose spread[] = { CHOOSE_HASH, CHOOSE_DOUBLE_HASH, CHOOSE_STABLE };

	for (size_t k = 0; k < sizeof(spread) / sizeof(*spread); k++) {
		for (int i = 0; i < EVEN_SETS; i++) {
			make_set(spread[k], i, false);
			for (uint32_t n = 0; n < 80000; n++) {
				struct endpoint to = local_endpoint(9, 443);

				to.addr.lo = 0x0a000000U + n;
				c.to = to; /* the blocks of one peer will do: this is about F */
				seen_at[position_of(&c, get_and_drop(&c))]++;
			}
			cr_expect(fits_even(seen_at, only_free()), "%s, set %d", algorithm_name[spread[k]], i);
			table_gone(c.table);
		}
	}
}

/* ---- late and last ----------------------------------------------------------------------------------------- */

/* Seventy ports rested and thirty cool: those come last, and each comes. */
Test(choice, ports_that_cool_down_go_last)
{
	static const uint64_t cooldown[] = { 1000, 60000, 3600000 };

	for (int choose = 0; choose < ALGORITHMS; choose++) {
		for (int i = 0; i < 3; i++) {
			uint64_t now = clock_now(), length = cooldown[i] * MILLISECOND;
			uint32_t rested = 0;

			chooser_make(&c, table_in_memory(), (enum choose)choose, "20030-20079, 20100-20149");
			c.rule.cooldown_ms = cooldown[i];
			for (uint32_t k = 0; k < 100; k++) {
				bool cools = k * 7 % 10 < 3;
				uint64_t to_come = now + 3600 * SECOND; /* nonsense */
				uint64_t long_ago = now > length + SECOND ? now - length - SECOND / 1000 : 0;

				set_used(&c, port_at(&c, k), cools ? now - length / 2 : k % 3 ? long_ago : to_come);
				if (cools && length / 2 >= now)
					set_used(&c, port_at(&c, k), 1);
			}
			for (uint32_t k = 0; k < 100; k++) {
				uint16_t port = get(&c).port;
				bool cools;

				cr_assert(port, "%s", algorithm_name[choose]);
				cools = position_of(&c, port) * 7 % 10 < 3;
				cr_expect_eq(cools, k >= 70, "%s: %u", algorithm_name[choose], k);
				rested += !cools;
			}
			cr_expect_eq(rested, 70);
			table_gone(c.table);
		}
	}
}

/* What cools down is given when nothing else is left: by the same algorithm, so that no port is left out. */
Test(choice, those_that_count_go_on_one_by_one_when_all_ports_cool)
{
	static const enum choose counting[] = {
		CHOOSE_SEQUENTIAL, CHOOSE_HASH, CHOOSE_DOUBLE_HASH, CHOOSE_LEAST_RECENT,
	};

	for (size_t i = 0; i < sizeof(counting) / sizeof(*counting); i++) {
		uint32_t uneven = 0;

		make_set(counting[i], 0, false);
		c.rule.cooldown_ms = 3600000;
		set_all_used(&c, clock_now());
		for (uint32_t k = 0; k < 2000; k++)
			uneven += seen_at[position_of(&c, get_and_give_back(&c))]++ != k / 1000;
		cr_expect_eq(uneven, 0, "%s: %u of 2000", algorithm_name[counting[i]], uneven);
		table_gone(c.table);
	}
}

static const char *const sets[] = {
	"20000", "20000-20001", "20000-20062", "20000-20063", "20000-20064", "20063-20064", "20000-20999", HOLES,
	FIVE_INTERVALS, "33000-33099",
};
enum { SETS = sizeof(sets) / sizeof(*sets) };

Test(choice, the_port_that_came_back_last_is_not_given_while_another_is_free)
{
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		if (choose == CHOOSE_STABLE)
			continue;
		for (int set = 1; set < SETS; set++) {
			uint16_t last = 0;

			chooser_make(&c, table_in_memory(), (enum choose)choose, sets[set]);
			for (int i = 0; i < 500; i++) {
				uint16_t port = get_and_give_back(&c);

				cr_assert_neq(port, last, "%s, %s", algorithm_name[choose], sets[set]);
				last = port;
			}
			table_gone(c.table);
		}
	}
}

/* Not even before ports that cool down, when it does not itself. */
Test(choice, the_port_that_came_back_last_goes_behind_those_that_cool)
{
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		struct given one, other;
		uint16_t port;

		if (choose == CHOOSE_STABLE)
			continue;
		chooser_make(&c, table_in_memory(), (enum choose)choose, "20000-20001");
		c.rule.cooldown_ms = 60000;
		port = get_and_give_back(&c);
		set_all_used(&c, clock_now());
		set_used(&c, port, 0);
		one = get(&c);
		other = get(&c);
		cr_expect_eq(one.port, port ^ 1, "%s", algorithm_name[choose]);
		cr_expect_eq(other.port, port, "%s", algorithm_name[choose]);
		table_gone(c.table);
	}
}

Test(choice, the_port_that_came_back_last_is_given_when_it_is_the_only_one)
{
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		for (int set = 0; set < SETS; set++) {
			uint16_t port;

			chooser_make(&c, table_in_memory(), (enum choose)choose, sets[set]);
			port = get_and_give_back(&c);
			for (uint32_t i = 0; i < count_of(&c); i++)
				if (port_at(&c, i) != port)
					occupy(&c, port_at(&c, i));
			c.rule.cooldown_ms = set % 2 ? 60000 : 0;
			for (int i = 0; i < 5; i++)
				cr_expect_eq(get_and_give_back(&c), port, "%s, %s", algorithm_name[choose], sets[set]);
			table_gone(c.table);
		}
	}
}

/* ---- all of the set, and nothing else ---------------------------------------------------------------------- */

static uint32_t times[65536]; /* how often a port was proposed, by position */

/* More proposals than this make no call longer; without room in the table it starts again without one. */
static uint32_t most_proposals(void)
{
	return 3 * count_of(&c) + 100;
}

/* A call that is refused everywhere; the port `own`, if it is not 0, does not fit. Returns the number of proposals.
 * Nothing is answered within a microsecond of the beginning: times in the table are that coarse. */
static uint32_t exhaust(enum outcome answer, uint16_t own)
{
	struct choice choice;
	struct candidate candidate;
	uint64_t began;
	uint32_t n = 0, refused = 0;

	memset(times, 0, sizeof(times));
	begin(&c, &choice);
	for (began = clock_now(); clock_now() < began + 2000;)
		;
	while (choice_next(&choice, &candidate)) {
		cr_assert_eq(candidate.lo, candidate.hi);
		times[position_of(&c, candidate.lo)]++;
		cr_assert_leq(++n, most_proposals(), "%s", algorithm_name[c.rule.choose]);
		refused += candidate.lo != own;
		choice_heard(&choice, &candidate, candidate.lo == own ? OUTCOME_UNFIT : answer);
	}
	cr_expect_eq(choice.forbidden, answer == OUTCOME_FORBIDDEN ? refused : 0);
	return n;
}

static void expect_each_once(const char *what)
{
	for (uint32_t i = 0; i < count_of(&c); i++)
		cr_assert_eq(times[i], !busy[i], "%s, %s: %u came %u times", algorithm_name[c.rule.choose], what,
		             port_at(&c, i), times[i]);
}

static void expect_all(int choose, const char *spec, enum pattern pattern)
{
	static const enum outcome answers[] = { OUTCOME_TAKEN, OUTCOME_FORBIDDEN };

	for (int i = 0; i < 2 * 2; i++) {
		chooser_make(&c, table_in_memory(), (enum choose)choose, spec);
		c.rule.cooldown_ms = i % 2 ? 60000 : 0;
		get_and_give_back(&c); /* so that there is one that came back last */
		for (uint32_t k = 0; k < count_of(&c); k += 3)
			set_used(&c, port_at(&c, k), clock_now());
		occupy_pattern(&c, pattern, busy);
		exhaust(answers[i / 2], i % 2 && !busy[0] ? port_at(&c, 0) : 0);
		expect_each_once(spec);
		table_gone(c.table);
	}
}

static struct criterion_test_params algorithms(void)
{
	static int index[ALGORITHMS];

	for (int i = 0; i < ALGORITHMS; i++)
		index[i] = i;
	return cr_make_param_array(int, index, ALGORITHMS);
}

ParameterizedTestParameters(choice, each_free_port_is_proposed_once)
{
	return algorithms();
}

ParameterizedTest(int *choose, choice, each_free_port_is_proposed_once)
{
	net_own();
	for (int set = 0; set < SETS; set++)
		for (int pattern = 0; pattern < PATTERNS; pattern++)
			expect_all(*choose, sets[set], (enum pattern)pattern);
}

Test(choice, each_port_is_proposed_once_without_a_table)
{
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		for (int set = 0; set < SETS; set++) {
			for (int i = 0; i < 30; i++) {
				chooser_make(&c, NULL, (enum choose)choose, sets[set]);
				exhaust(i % 2 ? OUTCOME_TAKEN : OUTCOME_FORBIDDEN, i % 3 ? 0 : port_at(&c, 0));
				expect_each_once(sets[set]);
			}
		}
	}
}

/* Blocks that are others', all but `kept`. */
static void fill_blocks(uint64_t word, uint32_t kept)
{
	for (uint32_t i = 0; i < TABLE_BLOCKS; i++) {
		if (i == kept)
			continue;
		atomic_store(&c.table->tag[i], 1 + i);
		atomic_store(&c.table->busy[i], UINT64_MAX);
		for (uint32_t k = 0; k < BLOCK_PORTS; k++)
			atomic_store(&table_cells(c.table, i)[k].word, word);
	}
}

/* A full table keeps nothing of this peer: then it is as without one. Where it has room for some ports, those come
 * before and may come again, but for the one that does not fit. */
Test(choice, each_port_is_proposed_when_the_table_has_no_room)
{
	net_own();
	memset(busy, 0, sizeof(busy));
	for (int i = 0; i < 2 * ALGORITHMS; i++) {
		struct given one;

		chooser_make(&c, table_in_memory(), (enum choose)(i / 2), FIVE_INTERVALS);
		one = occupy(&c, 20001);
		fill_blocks(one.lease.word, i % 2 ? (one.lease.cell - 1) / BLOCK_PORTS : TABLE_BLOCKS);
		lease_drop(c.table, &one.lease);
		exhaust(OUTCOME_TAKEN, i % 2 ? 20001 : 0);
		for (uint32_t k = 0; k < count_of(&c); k++)
			cr_expect(times[k] == 1 || (i % 2 && k && times[k] == 2), "%s: %u came %u times",
			          algorithm_name[i / 2], port_at(&c, k), times[k]);
		table_gone(c.table);
	}
}

/* The destination's own port is left over when all others are in use: it comes once, and that is all. */
Test(choice, a_port_that_does_not_fit_comes_once)
{
	net_own();
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		for (int set = 0; set < SETS; set++) {
			chooser_make(&c, table_in_memory(), (enum choose)choose, sets[set]);
			for (uint32_t i = 1; i < count_of(&c); i++)
				occupy(&c, port_at(&c, i));
			cr_expect_eq(exhaust(OUTCOME_TAKEN, port_at(&c, 0)), 1, "%s", algorithm_name[choose]);
			cr_expect_eq(times[0], 1);
			table_gone(c.table);
		}
	}
}

/* Two sweeps that bring nothing say that all are in use; but not those that had nothing left to free because another was faster,
 * whose ports others may have taken by now. */
Test(choice, what_another_sweep_freed_is_no_sign_of_a_full_set)
{
	struct choice choice;
	struct candidate candidate;

	net_own();
	for (uint64_t others = 0; others < 2; others++) {
		chooser_make(&c, table_in_memory(), CHOOSE_RANDOM, "20000-20009");
		c.sees_no_close = true;
		for (uint32_t i = 0; i < count_of(&c); i++)
			occupy(&c, port_at(&c, i));
		begin(&c, &choice);
		atomic_fetch_add(&c.table->freed, others);
		cr_expect_not(choice_next(&choice, &candidate));
		cr_expect_eq(c.table->swept, 2 + others);
		table_gone(c.table);
	}
}

/* A bit of `busy` that outlived its cell (its owner was killed between the two, or another set it late) hides a port;
 * the look at the kernel before the call fails brings it back. */
Test(choice, a_hint_that_outlived_its_cell_hides_no_port)
{
	net_own();
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		int32_t block;

		chooser_make(&c, table_in_memory(), (enum choose)choose, "20032-20063");
		get_and_drop(&c);
		block = block_find(c.table, &c.peer, 20032);
		cr_assert_geq(block, 0);
		atomic_store(&c.table->busy[block], UINT64_MAX);
		cr_expect(get(&c).port, "%s", algorithm_name[choose]);
		table_gone(c.table);
	}
}

/* As after a look at the kernel for this destination, which is not repeated until then. */
static void not_again(uint64_t until)
{
	struct table_sweep *sweep = &c.table->sweep[c.peer.id % TABLE_SWEEPS];

	atomic_store(&sweep->peer, c.peer.id);
	atomic_store(&sweep->again, until);
}

/* What was refused in an earlier call is found: by a look at the kernel, or, soon after one, by trying two. */
Test(choice, ports_refused_before_are_tried_again)
{
	net_own();
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		chooser_make(&c, table_in_memory(), (enum choose)choose, "20000-20099");
		memset(busy, 0, sizeof(busy));
		exhaust(OUTCOME_TAKEN, 0);
		expect_each_once("first");
		not_again(clock_now() + 5 * SECOND);
		cr_expect_eq(exhaust(OUTCOME_TAKEN, 0), 2, "%s: the kernel was asked just now", algorithm_name[choose]);
		not_again(0);
		exhaust(OUTCOME_TAKEN, 0);
		expect_each_once("after a while");
		table_gone(c.table);
	}
}

/* ---- reserved ports ---------------------------------------------------------------------------------------- */

static void reserve(uint16_t from, uint16_t to)
{
	for (uint32_t port = from; port <= to; port++)
		c.kernel.reserved[port / 64] |= UINT64_C(1) << port % 64;
}

/* Of `bsd`, 1024 to 5000, and of some numbers. */
static void make_reserved(enum choose choose, bool with_table)
{
	chooser_make(&c, with_table ? table_in_memory() : NULL, choose, "bsd, 20000-20099");
	reserve(1024, 1100);
	reserve(2047, 2048);
	reserve(3000, 5000);
	reserve(20000, 20050);
	for (uint32_t i = 0; i < count_of(&c); i++)
		busy[i] = port_at(&c, i) < 20000 && kernel_reserves(&c.kernel, port_at(&c, i));
}

Test(choice, reserved_ports_of_named_ranges_are_left_out)
{
	net_own();
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		for (int with_table = 0; with_table < 2; with_table++) {
			make_reserved((enum choose)choose, with_table);
			exhaust(OUTCOME_TAKEN, 0);
			expect_each_once("reserved");
			if (c.table)
				table_gone(c.table);
		}
	}
}

/* They were tried for another rule, which names them by number, or before they were reserved. */
Test(choice, reserved_ports_are_left_out_even_when_refused_ones_are_tried_again)
{
	net_own();
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		make_reserved((enum choose)choose, true);
		for (uint32_t i = 0; i < count_of(&c); i++) {
			struct given given = occupy(&c, port_at(&c, i));

			if (busy[i])
				lease_taken(c.table, &given.lease);
		}
		/* The kernel was asked just now: cells that it does not bear out stay. */
		not_again(clock_now() + 5 * SECOND);
		cr_expect_eq(exhaust(OUTCOME_TAKEN, 0), 0, "%s", algorithm_name[choose]);
		table_gone(c.table);
	}
}

/* ---- a table that others wrote over ------------------------------------------------------------------------ */

static void overwrite(void *at, size_t size, uint64_t *seed)
{
	uint64_t *word = at;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		word[i] = (uint64_t)draw(seed, 1U << 31) << 33 ^ (uint64_t)draw(seed, 1U << 31) << 7 ^ draw(seed, 128);
}

/* What is proposed lies in the set and comes to an end; whether all of it comes is another matter. */
static void expect_sane(uint64_t *seed)
{
	for (int i = 0; i < 2; i++) {
		struct given given;

		exhaust(i ? OUTCOME_FORBIDDEN : OUTCOME_TAKEN, i ? port_at(&c, 0) : 0);
		exhaust(OUTCOME_UNFIT, 0);
		given = get(&c);
		give_back(&c, &given);
		lease_hold(c.table, &given.lease);
		c.number = draw(seed, UINT32_MAX);
	}
}

ParameterizedTestParameters(choice, random_bytes_for_a_table)
{
	return algorithms();
}

ParameterizedTest(int *choose, choice, random_bytes_for_a_table)
{
	net_own();
	for (uint64_t seed = 1; seed < 3; seed++) {
		for (int set = 0; set < SETS; set += 4) {
			struct table *table = table_in_memory();
			uint64_t from = seed;

			made_random(table, seed);
			if (seed % 2)
				overwrite(table->key, sizeof(table->key), &from);
			chooser_make(&c, table, (enum choose)*choose, sets[set]);
			c.rule.cooldown_ms = set % 8 ? 60000 : 0;
			expect_sane(&from);
			table_gone(table);
		}
	}
}

ParameterizedTestParameters(choice, random_cells_in_blocks_that_are_right)
{
	return algorithms();
}

/* Tags are those that are looked for; all else is anything. */
ParameterizedTest(int *choose, choice, random_cells_in_blocks_that_are_right)
{
	net_own();
	for (uint64_t seed = 1; seed < 3; seed++) {
		for (int set = 0; set < SETS; set++) {
			uint64_t from = seed;

			chooser_make(&c, table_in_memory(), (enum choose)*choose, sets[set]);
			c.rule.cooldown_ms = set % 2 ? 60000 : 0;
			for (uint32_t i = 0; i < count_of(&c); i++)
				occupy(&c, port_at(&c, i));
			overwrite(c.table->busy, sizeof(c.table->busy), &from);
			overwrite(c.table->cell, sizeof(c.table->cell), &from);
			overwrite(c.table->used, sizeof(c.table->used), &from);
			overwrite(c.table->oldest, sizeof(c.table->oldest), &from);
			overwrite(c.table->sweep, sizeof(c.table->sweep), &from);
			overwrite(c.table->namespaces, sizeof(c.table->namespaces), &from);
			overwrite(entry_of(&c)->released, sizeof(entry_of(&c)->released) / 2, &from);
			overwrite(entry_of(&c)->table, sizeof(entry_of(&c)->table), &from);
			if (seed == 2)
				memset(c.table->name, 0xff, sizeof(c.table->name));
			expect_sane(&from);
			table_gone(c.table);
		}
	}
}

/* Two blocks of one name, neither of which is idle: no claim can be made there. */
Test(choice, blocks_of_one_name_are_passed_by)
{
	net_own();
	for (int choose = 0; choose < ALGORITHMS; choose++) {
		struct given one, other;
		uint32_t block, twin;

		chooser_make(&c, table_in_memory(), (enum choose)choose, "20032-20095");
		one = occupy(&c, 20032);
		other = occupy(&c, 20033);
		block = (one.lease.cell - 1) / BLOCK_PORTS;
		twin = block ^ 1;
		atomic_store(&table_cells(c.table, twin)[60].word, other.lease.word);
		atomic_store(&c.table->tag[twin], atomic_load(&c.table->tag[block]));
		exhaust(OUTCOME_TAKEN, 0);
		for (uint32_t i = 2; i < 64; i++)
			cr_expect_geq(times[i], 1, "%s: %u", algorithm_name[choose], port_at(&c, i));
		table_gone(c.table);
	}
}
