/* test_scale.c - the axes of a picture: round intervals that fit into each other, round ticks in local time, round numbers. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/scale.h"

static void in_berlin(void)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
}

TestSuite(scale, .init = in_berlin, .timeout = 60);

#define NOW (INT64_C(1795581727) * WHEN_SECOND) /* Wednesday, 2026-11-25 05:42:07 in Berlin */
#define HOURS(n) ((n) * 3600 * WHEN_SECOND)

static int64_t moment(const char *words)
{
	struct span span;
	cr_assert(when_read(words, NOW, &span), "%s", words);
	return span.from;
}

/* ---- intervals --------------------------------------------------------------------------------------- */

static bool is_start(const struct grid *grid, int64_t at)
{
	return grid_start(grid, grid_index(grid, at)) == at;
}

/* A longer one is made of whole shorter ones, and begins where one of these does. */
Test(scale, intervals_fit_into_each_other)
{
	struct grid finer, grid;
	unsigned lengths = 1;
	grid_begin(&grid, NOW);
	cr_expect_eq(grid_length(&grid), WHEN_SECOND);
	for (finer = grid; grid_coarsen(&grid); finer = grid, lengths++) {
		cr_expect_eq(grid_length(&grid) % grid_length(&finer), 0, "%s", grid_words(&grid));
		cr_expect_gt(grid_length(&grid), grid_length(&finer));
		for (int64_t at = NOW; at < NOW + 5 * grid_length(&grid); at += grid_length(&grid) / 3)
			cr_expect(is_start(&finer, grid_start(&grid, grid_index(&grid, at))), "%s", grid_words(&grid));
	}
	cr_expect_eq(lengths, 15);
	/* All moments there are fit into the longest 200. */
	cr_expect_lt(grid_index(&grid, moment("9999-12-31T23:59:59Z")) - grid_index(&grid, 0), 200);
}

Test(scale, intervals_begin_in_local_time)
{
	static const struct { const char *length, *start; } expected[] = {
		{ "1 s", "2026-11-25 05:42:07" }, { "30 s", "2026-11-25 05:42:00" }, { "5 min", "2026-11-25 05:40" },
		{ "15 min", "2026-11-25 05:30" }, { "6 h", "2026-11-25 00:00" }, { "1 day", "2026-11-25 00:00" },
		{ "1 week", "2026-11-23 00:00" },
	};
	struct grid grid;
	size_t next = 0;
	grid_begin(&grid, NOW);
	do {
		char words[SCALE_WORDS];
		int64_t start = grid_start(&grid, grid_index(&grid, NOW));
		cr_expect(start <= NOW && NOW < start + grid_length(&grid));
		if (next < sizeof(expected) / sizeof(*expected) && strcmp(grid_words(&grid), expected[next].length) == 0)
			cr_expect_str_eq(grid_moment(&grid, start, words), expected[next++].start);
	} while (grid_coarsen(&grid));
	cr_expect_eq(next, sizeof(expected) / sizeof(*expected));
}

/* ---- ticks ------------------------------------------------------------------------------------------- */

#define EXPECT_TICKS(from, to, most, ...) expect_ticks(moment(from), moment(to), most, (const char *const[]){ __VA_ARGS__, NULL })

/* "14:00", "14:00/2026-11-25". */
static void expect_ticks(int64_t from, int64_t to, size_t most, const char *const expected[])
{
	struct tick tick[SCALE_TICKS];
	size_t n = scale_ticks(tick, from, to, most), i = 0;
	for (; i < n && expected[i]; i++) {
		char words[2 * SCALE_WORDS + 1];
		strcpy(words, tick[i].words);
		if (tick[i].below[0])
			strcat(strcat(words, "/"), tick[i].below);
		cr_expect_str_eq(words, expected[i]);
	}
	cr_expect_eq(i, n);
	cr_expect_null(expected[i], "%s", expected[i]);
}

Test(scale, ticks_are_round)
{
	EXPECT_TICKS("2026-11-25 05:42:07", "2026-11-25 05:42:11", 6, "05:42:07/2026-11-25", "05:42:08", "05:42:09", "05:42:10",
	             "05:42:11");
	EXPECT_TICKS("2026-11-25 05:42:07", "2026-11-25 06:11", 9, "05:45/2026-11-25", "05:50", "05:55", "06:00", "06:05", "06:10");
	EXPECT_TICKS("2026-11-24 20:00", "2026-11-25 05:00", 6, "20:00/2026-11-24", "22:00", "00:00/2026-11-25", "02:00", "04:00");
	EXPECT_TICKS("2026-11-25 00:00", "2026-11-26 00:00", 9, "00:00/2026-11-25", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00",
	             "21:00", "00:00/2026-11-26");
	EXPECT_TICKS("2026-12-30 10:00", "2027-01-02 10:00", 9, "12:00/2026-12-30", "00:00/2026-12-31", "12:00",
	             "00:00/2027-01-01", "12:00", "00:00/2027-01-02");
	EXPECT_TICKS("2026-12-20 00:00", "2027-01-20 00:00", 9, "Dec 21/2026", "Dec 26", "Jan 1/2027", "Jan 6", "Jan 11", "Jan 16");
	EXPECT_TICKS("2026-01-15 00:00", "2026-06-20 00:00", 9, "Feb/2026", "Mar", "Apr", "May", "Jun");
	EXPECT_TICKS("2001-01-15 00:00", "2026-06-20 00:00", 9, "2005", "2010", "2015", "2020", "2025");
}

/* Where summer time begins and ends, hours are still those of the clock. */
Test(scale, ticks_when_the_clock_is_put_forward_and_back)
{
	EXPECT_TICKS("2026-03-28 23:00", "2026-03-29 06:00", 9, "23:00/2026-03-28", "00:00/2026-03-29", "01:00", "03:00", "04:00", "05:00",
	             "06:00");
	EXPECT_TICKS("2026-03-29 00:00", "2026-03-30 00:00", 9, "00:00/2026-03-29", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00",
	             "21:00", "00:00/2026-03-30");
	EXPECT_TICKS("2026-10-24 12:00", "2026-10-26 12:00", 6, "12:00/2026-10-24", "00:00/2026-10-25", "12:00", "00:00/2026-10-26",
	             "12:00");
}

/* Whatever the span: within it, in order, not too many, and some. */
Test(scale, ticks_of_any_span)
{
	struct tick tick[SCALE_TICKS];
	for (int64_t span = WHEN_SECOND; span < 4000 * WHEN_DAY; span += span / 7)
		for (size_t most = 4; most <= SCALE_TICKS; most++) {
			int64_t from = NOW - span, last = from - 1;
			size_t n = scale_ticks(tick, from, NOW, most);
			cr_assert(n >= 1 && n <= most, "%zu ticks", n);
			for (size_t i = 0; i < n; i++) {
				cr_assert(tick[i].moment > last && tick[i].moment <= NOW);
				cr_assert(tick[i].words[0]);
				last = tick[i].moment;
			}
		}
	cr_expect_leq(scale_ticks(tick, 0, HOURS(1), 5), 5); /* the zone is ahead: the last round moment is before 1970 */
}

/* ---- numbers ----------------------------------------------------------------------------------------- */

Test(scale, steps)
{
	for (uint64_t max = 1; max < UINT64_C(1) << 62; max += max / 3 + 1) {
		uint64_t step = scale_step(max, 4), power = step;
		cr_expect_leq(max / step, 4);
		while (power % 10 == 0)
			power /= 10;
		cr_expect(power == 1 || power == 2 || power == 5, "%zu", (size_t)step);
	}
	cr_expect_eq(scale_step(0, 4), 1);
	cr_expect_eq(scale_step(4, 4), 1);
	cr_expect_eq(scale_step(100, 4), 50);
	cr_expect_gt(scale_step(UINT64_MAX, 2), 0);
}

Test(scale, numbers)
{
	char words[SCALE_WORDS];
	cr_expect_str_eq(scale_number(0, words), "0");
	cr_expect_str_eq(scale_number(999, words), "999");
	cr_expect_str_eq(scale_number(1000, words), "1,000");
	cr_expect_str_eq(scale_number(UINT64_MAX, words), "18,446,744,073,709,551,615");
	cr_expect_str_eq(scale_short(0, 1000, words), "0");
	cr_expect_str_eq(scale_short(1500, 500, words), "1,500");
	cr_expect_str_eq(scale_short(20000, 5000, words), "20k");
	cr_expect_str_eq(scale_short(1000000, 500000, words), "1,000k");
	cr_expect_str_eq(scale_short(3000000, 1000000, words), "3M");
}
