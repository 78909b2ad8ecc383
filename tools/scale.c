/* scale.c - round lengths of time, round moments, round numbers. */
#define _GNU_SOURCE
#include "tools/scale.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- intervals --------------------------------------------------------------------------------------- */

#define MINUTE INT64_C(60)
#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)

/* Each is a whole number of the one before. From a week on each is of whole weeks. */
static const struct { int64_t seconds; const char *words; } lengths[] = {
	{ 1, "1 s" },            { 5, "5 s" },            { 10, "10 s" },         { 30, "30 s" },
	{ MINUTE, "1 min" },     { 5 * MINUTE, "5 min" }, { 15 * MINUTE, "15 min" }, { HOUR, "1 h" },
	{ 6 * HOUR, "6 h" },     { DAY, "1 day" },        { 7 * DAY, "1 week" },  { 28 * DAY, "4 weeks" },
	{ 364 * DAY, "52 weeks" }, { 3640 * DAY, "520 weeks" }, { 36400 * DAY, "5200 weeks" },
};
enum { LENGTHS = sizeof(lengths) / sizeof(*lengths) };

void grid_begin(struct grid *grid, int64_t moment)
{
	grid->step = 0;
	grid->shift = when_offset(moment) * WHEN_SECOND + 3 * WHEN_DAY; /* 1970-01-01 was a Thursday */
}

bool grid_coarsen(struct grid *grid)
{
	if (grid->step + 1 == LENGTHS)
		return false;
	grid->step++;
	return true;
}

int64_t grid_length(const struct grid *grid)
{
	return lengths[grid->step].seconds * WHEN_SECOND;
}

int64_t grid_index(const struct grid *grid, int64_t moment)
{
	return (moment + grid->shift) / grid_length(grid);
}

int64_t grid_start(const struct grid *grid, int64_t index)
{
	return index * grid_length(grid) - grid->shift;
}

const char *grid_words(const struct grid *grid)
{
	return lengths[grid->step].words;
}

/* As strftime(3) has it, in the user's zone. */
static const char *written(int64_t moment, const char *format, char buffer[SCALE_WORDS])
{
	time_t seconds = (time_t)(moment / WHEN_SECOND);
	struct tm parts = { .tm_mday = 1 };
	localtime_r(&seconds, &parts);
	if (strftime(buffer, SCALE_WORDS, format, &parts) == 0)
		buffer[0] = '\0';
	return buffer;
}

const char *grid_moment(const struct grid *grid, int64_t moment, char buffer[SCALE_WORDS])
{
	return written(moment, lengths[grid->step].seconds < MINUTE ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", buffer);
}

/* ---- ticks ------------------------------------------------------------------------------------------- */

/* Every `n` of a part of the date or the time, which there are `seconds` long. */
struct pace {
	enum { BY_SECOND, BY_MINUTE, BY_HOUR, BY_DAY, BY_MONTH, BY_YEAR } part;
	int n;
	int64_t seconds;
};

static const struct pace paces[] = {
	{ BY_SECOND, 1, 1 },        { BY_SECOND, 2, 2 },        { BY_SECOND, 5, 5 },         { BY_SECOND, 10, 10 },
	{ BY_SECOND, 15, 15 },      { BY_SECOND, 30, 30 },      { BY_MINUTE, 1, MINUTE },    { BY_MINUTE, 2, 2 * MINUTE },
	{ BY_MINUTE, 5, 5 * MINUTE }, { BY_MINUTE, 10, 10 * MINUTE }, { BY_MINUTE, 15, 15 * MINUTE },
	{ BY_MINUTE, 30, 30 * MINUTE }, { BY_HOUR, 1, HOUR },   { BY_HOUR, 2, 2 * HOUR },    { BY_HOUR, 3, 3 * HOUR },
	{ BY_HOUR, 6, 6 * HOUR },   { BY_HOUR, 12, 12 * HOUR }, { BY_DAY, 1, DAY },          { BY_DAY, 2, 2 * DAY },
	{ BY_DAY, 5, 5 * DAY },     { BY_DAY, 10, 9 * DAY },    { BY_MONTH, 1, 28 * DAY },   { BY_MONTH, 3, 89 * DAY },
	{ BY_MONTH, 6, 181 * DAY }, { BY_YEAR, 1, 365 * DAY },  { BY_YEAR, 2, 730 * DAY },   { BY_YEAR, 5, 1826 * DAY },
	{ BY_YEAR, 10, 3652 * DAY }, { BY_YEAR, 50, 18262 * DAY }, { BY_YEAR, 200, 73048 * DAY },
	{ BY_YEAR, 1000, 365242 * DAY }, { BY_YEAR, 5000, 1826211 * DAY },
};
enum { PACES = sizeof(paces) / sizeof(*paces) };

static const struct pace *pace_for(int64_t span, size_t most)
{
	for (size_t i = 0; i < PACES; i++)
		if (span / (paces[i].seconds * WHEN_SECOND) + 1 <= (int64_t)most)
			return &paces[i];
	return &paces[PACES - 1];
}

static int *part_of_date(struct tm *parts, int part)
{
	switch (part) {
	case BY_SECOND: return &parts->tm_sec;
	case BY_MINUTE: return &parts->tm_min;
	case BY_HOUR: return &parts->tm_hour;
	case BY_DAY: return &parts->tm_mday;
	case BY_MONTH: return &parts->tm_mon;
	default: return &parts->tm_year;
	}
}

/* What a part begins with. */
static int least_of(int part)
{
	return part == BY_DAY ? 1 : part == BY_YEAR ? -1900 : 0;
}

/* To the last round moment. Days are counted from the first of the month. */
static void round_down(struct tm *parts, const struct pace *pace)
{
	for (int part = BY_SECOND; part < (int)pace->part; part++)
		*part_of_date(parts, part) = least_of(part);
	int *last = part_of_date(parts, (int)pace->part);
	*last -= (*last - least_of((int)pace->part)) % pace->n;
}

/* To the next, which mktime(3) puts in order. Of a month's days the last ones are followed by the 1st: 1, 11, 21, 1. */
static void step_on(struct tm *parts, const struct pace *pace)
{
	*part_of_date(parts, (int)pace->part) += pace->n;
	if (pace->part == BY_DAY && pace->n > 1 && parts->tm_mday > 31 - pace->n / 2) {
		parts->tm_mday = 1;
		parts->tm_mon++;
	}
}

/* The moment of these parts; an hour that does not exist, where summer time begins, becomes another one. */
static int64_t moment_of(const struct tm *parts)
{
	struct tm copy = *parts;
	copy.tm_isdst = -1;
	return (int64_t)mktime(&copy) * WHEN_SECOND;
}

static void tick_name(struct tick *tick, const struct tick *before, const struct pace *pace)
{
	static const char *const words[] = { "%H:%M:%S", "%H:%M", "%H:%M", "%b %-d", "%b", "%Y" };
	static const char *const below[] = { "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d", "%Y", "%Y", "" };
	char last[SCALE_WORDS] = "";
	written(tick->moment, words[pace->part], tick->words);
	written(tick->moment, below[pace->part], tick->below);
	if (before && strcmp(written(before->moment, below[pace->part], last), tick->below) == 0)
		tick->below[0] = '\0';
}

size_t scale_ticks(struct tick tick[SCALE_TICKS], int64_t from, int64_t to, size_t most)
{
	const struct pace *pace = pace_for(to - from, most);
	time_t seconds = (time_t)(from / WHEN_SECOND);
	struct tm parts = { .tm_mday = 1 };
	size_t n = 0;
	localtime_r(&seconds, &parts);
	round_down(&parts, pace);
	for (int64_t moment = moment_of(&parts); n < most && moment <= to;) {
		if (moment >= from && (n == 0 || moment > tick[n - 1].moment)) {
			tick[n].moment = moment;
			tick_name(&tick[n], n ? &tick[n - 1] : NULL, pace);
			n++;
		}
		step_on(&parts, pace);
		moment = pace->part < BY_HOUR ? moment + pace->seconds * WHEN_SECOND : moment_of(&parts);
	}
	return n;
}

/* ---- numbers ----------------------------------------------------------------------------------------- */

uint64_t scale_step(uint64_t max, unsigned most)
{
	uint64_t power = 1;
	for (;; power *= 10) {
		static const unsigned round[] = { 1, 2, 5 };
		for (size_t i = 0; i < 3; i++)
			if (max / (round[i] * power) <= most || power > UINT64_MAX / 100)
				return round[i] * power;
	}
}

const char *scale_number(uint64_t number, char buffer[SCALE_WORDS])
{
	char digits[SCALE_WORDS];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, number), to = 0;
	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			buffer[to++] = ',';
		buffer[to++] = digits[i];
	}
	buffer[to] = '\0';
	return buffer;
}

const char *scale_short(uint64_t number, uint64_t step, char buffer[SCALE_WORDS])
{
	static const struct { uint64_t unit; const char *letter; } units[] = {
		{ UINT64_C(1000000000), "G" }, { 1000000, "M" }, { 1000, "k" },
	};
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (number && step % units[i].unit == 0) {
			size_t length = strlen(scale_number(number / units[i].unit, buffer));
			snprintf(buffer + length, SCALE_WORDS - length, "%s", units[i].letter);
			return buffer;
		}
	return scale_number(number, buffer);
}
