/* when.c - reading and writing moments. */
#define _GNU_SOURCE
#include "tools/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- parts of what is read: each moves *at behind itself, or leaves it ------------------------------- */

static bool digits(const char **at, const char *end, unsigned n, int *number)
{
	int value = 0;
	if (end - *at < (ptrdiff_t)n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		unsigned digit = (unsigned)(*at)[i] - '0';
		if (digit > 9)
			return false;
		value = value * 10 + (int)digit;
	}
	*number = value;
	*at += n;
	return true;
}

static bool sign(const char **at, const char *end, char c)
{
	bool there = *at < end && **at == c;
	*at += there;
	return there;
}

/* A date and a time of day as it is written. */
struct clock_face {
	int year, month, day, hour, minute, second;
	int64_t part;  /* of the second, in microseconds */
	int64_t grain; /* how much of time the words stand for */
	bool zoned;
	int ahead;     /* of UTC, in seconds */
};

static bool date_read(const char **at, const char *end, struct clock_face *face)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const char *start = *at;
	if (!digits(at, end, 4, &face->year) || !sign(at, end, '-') || !digits(at, end, 2, &face->month) ||
	    !sign(at, end, '-') || !digits(at, end, 2, &face->day)) {
		*at = start;
		return false;
	}
	bool leap = face->year % 4 == 0 && (face->year % 100 != 0 || face->year % 400 == 0);
	face->grain = WHEN_DAY;
	return face->year >= 1970 && face->month >= 1 && face->month <= 12 && face->day >= 1 &&
	       face->day <= days[face->month - 1] + (leap && face->month == 2);
}

static bool fraction_read(const char **at, const char *end, struct clock_face *face)
{
	const char *start = *at;
	for (face->grain = WHEN_SECOND; *at < end && **at >= '0' && **at <= '9'; ++*at)
		if (face->grain > 1) {
			face->grain /= 10;
			face->part += (**at - '0') * face->grain;
		}
	return *at > start;
}

/* HH:MM, HH:MM:SS, HH:MM:SS.FFFFFF; 60 is a leap second. */
static bool time_read(const char **at, const char *end, struct clock_face *face)
{
	if (!digits(at, end, 2, &face->hour) || !sign(at, end, ':') || !digits(at, end, 2, &face->minute))
		return false;
	face->grain = 60 * WHEN_SECOND;
	if (sign(at, end, ':')) {
		face->grain = WHEN_SECOND;
		if (!digits(at, end, 2, &face->second) || (sign(at, end, '.') && !fraction_read(at, end, face)))
			return false;
	}
	return face->hour < 24 && face->minute < 60 && face->second <= 60;
}

/* Z, +01:00, -0330; nothing is no zone. */
static bool zone_read(const char **at, const char *end, struct clock_face *face)
{
	int hours = 0, minutes = 0;
	face->zoned = true;
	if (sign(at, end, 'Z') || sign(at, end, 'z'))
		return true;
	bool behind = sign(at, end, '-');
	if (!behind && !sign(at, end, '+')) {
		face->zoned = false;
		return true;
	}
	if (!digits(at, end, 2, &hours))
		return false;
	sign(at, end, ':');
	if (!digits(at, end, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	face->ahead = (hours * 3600 + minutes * 60) * (behind ? -1 : 1);
	return true;
}

/* ---- moments ----------------------------------------------------------------------------------------- */

/* Days since 1970-01-01 in the Gregorian calendar. By hand: timegm(3) would take most of the time that a line takes. */
static int64_t days_of(int year, int month, int day)
{
	/* The year begins with March, so that the leap day is its last. */
	int64_t y = month > 2 ? year : year - 1, m = (month + 9) % 12;
	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 719469;
}

static int64_t moment_of(const struct clock_face *face)
{
	int of_day = face->hour * 3600 + face->minute * 60 + face->second - face->ahead;
	int64_t seconds = days_of(face->year, face->month, face->day) * 86400 + of_day;
	return seconds * WHEN_SECOND + face->part;
}

bool when_read_stamp(const char *words, size_t length, int64_t *moment)
{
	struct clock_face face = { .zoned = false };
	const char *at = words, *end = words + length;
	if (!date_read(&at, end, &face) || !(sign(&at, end, 'T') || sign(&at, end, 't') || sign(&at, end, ' ')) ||
	    !time_read(&at, end, &face) || !zone_read(&at, end, &face) || !face.zoned || at != end)
		return false;
	*moment = moment_of(&face);
	return *moment >= 0;
}

/* In the user's time zone. False for a moment that is too far away for it. */
static bool moment_here(const struct clock_face *face, int64_t *moment)
{
	struct tm parts = { .tm_year = face->year - 1900, .tm_mon = face->month - 1, .tm_mday = face->day,
	                    .tm_hour = face->hour, .tm_min = face->minute, .tm_sec = face->second, .tm_isdst = -1 };
	time_t seconds = mktime(&parts);
	*moment = (int64_t)seconds * WHEN_SECOND + face->part;
	return seconds != (time_t)-1;
}

static void today(int64_t now, int days_ago, struct clock_face *face)
{
	time_t seconds = (time_t)(now / WHEN_SECOND);
	struct tm parts = { .tm_mday = 0 };
	localtime_r(&seconds, &parts);
	parts.tm_mday -= days_ago;
	parts.tm_hour = 12; /* no change to or from summer time is near */
	parts.tm_isdst = -1;
	mktime(&parts);
	*face = (struct clock_face){ .year = parts.tm_year + 1900, .month = parts.tm_mon + 1, .day = parts.tm_mday,
	                             .grain = WHEN_DAY };
}

static bool word_read(const char **at, const char *word)
{
	size_t length = strlen(word);
	if (strncasecmp(*at, word, length) != 0 || ((*at)[length] != ' ' && (*at)[length] != '\0'))
		return false;
	*at += length;
	*at += strspn(*at, " ");
	return true;
}

/* "1795581727", "1795581727.25", behind the "@". */
static bool epoch_read(const char *at, struct span *span)
{
	struct clock_face face = { .grain = WHEN_SECOND };
	int64_t seconds = 0;
	const char *start = at, *end = at + strlen(at);
	for (; *at >= '0' && *at <= '9' && at - start < 12; at++)
		seconds = seconds * 10 + (*at - '0');
	if (at == start || (sign(&at, end, '.') && !fraction_read(&at, end, &face)) || at != end)
		return false;
	span->from = seconds * WHEN_SECOND + face.part;
	span->to = span->from + face.grain - 1;
	return true;
}

/* "10 minutes ago": the moment itself. */
static bool ago_read(const char *at, int64_t now, struct span *span)
{
	static const struct { const char *word; int64_t seconds; } units[] = {
		{ "s", 1 }, { "sec", 1 }, { "second", 1 }, { "seconds", 1 },
		{ "m", 60 }, { "min", 60 }, { "minute", 60 }, { "minutes", 60 },
		{ "h", 3600 }, { "hour", 3600 }, { "hours", 3600 },
		{ "d", 86400 }, { "day", 86400 }, { "days", 86400 },
		{ "w", 604800 }, { "week", 604800 }, { "weeks", 604800 },
	};
	int64_t number = 0;
	const char *start = at;
	for (; *at >= '0' && *at <= '9' && at - start < 7; at++)
		number = number * 10 + (*at - '0');
	if (at == start)
		return false;
	at += strspn(at, " ");
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		const char *behind = at;
		if (!word_read(&behind, units[i].word) || !word_read(&behind, "ago") || *behind != '\0')
			continue;
		span->from = span->to = now - number * units[i].seconds * WHEN_SECOND;
		return span->from >= 0;
	}
	return false;
}

/* A date, a time of day, or both. */
static bool face_read(const char *at, int64_t now, struct clock_face *face, bool *dated)
{
	const char *end = at + strlen(at);
	*dated = true;
	if (word_read(&at, "today")) {
		today(now, 0, face);
	} else if (word_read(&at, "yesterday")) {
		today(now, 1, face);
	} else if (end - at > 4 && at[4] == '-') {
		if (!date_read(&at, end, face))
			return false;
		if (at < end && !sign(&at, end, 'T') && !sign(&at, end, 't') && !sign(&at, end, ' '))
			return false;
	} else {
		today(now, 0, face);
		*dated = false;
	}
	if (at == end)
		return *dated;
	if (!time_read(&at, end, face))
		return false;
	at += strspn(at, " ");
	return zone_read(&at, end, face) && at == end;
}

bool when_read(const char *words, int64_t now, struct span *span)
{
	struct clock_face face = { .zoned = false };
	bool dated;
	if (strcasecmp(words, "now") == 0) {
		span->from = span->to = now;
		return true;
	}
	if (*words == '@')
		return epoch_read(words + 1, span);
	if (ago_read(words, now, span))
		return true;
	if (!face_read(words, now, &face, &dated))
		return false;
	if (face.zoned)
		span->from = moment_of(&face);
	else if (!moment_here(&face, &span->from))
		return false;
	if (!dated && span->from > now) { /* the last time that it was */
		if (face.zoned) {
			span->from -= WHEN_DAY;
		} else {
			struct clock_face before;
			today(now, 1, &before);
			face.year = before.year, face.month = before.month, face.day = before.day;
			moment_here(&face, &span->from);
		}
	}
	span->to = span->from + face.grain - 1;
	return span->from >= 0;
}

/* ---- shown ------------------------------------------------------------------------------------------- */

int64_t when_offset(int64_t moment)
{
	time_t seconds = (time_t)(moment / WHEN_SECOND);
	struct tm parts = { .tm_gmtoff = 0 };
	return localtime_r(&seconds, &parts) ? (int64_t)parts.tm_gmtoff : 0;
}

/* "2026-11-25", SEPARATOR, "10:42:07.123456"; returns how many bytes. */
static size_t face_write(int64_t moment, const struct tm *parts, char separator, char buffer[WHEN_SIZE])
{
	char day[24], hour[12];
	strftime(day, sizeof(day), "%Y-%m-%d", parts);
	strftime(hour, sizeof(hour), "%H:%M:%S", parts);
	int length = snprintf(buffer, WHEN_SIZE, "%.12s%c%s.%06d", day, separator, hour, (int)(moment % WHEN_SECOND));
	return (size_t)length;
}

const char *when_words(int64_t moment, char buffer[WHEN_SIZE])
{
	time_t seconds = (time_t)(moment / WHEN_SECOND);
	struct tm parts = { .tm_mday = 1 };
	localtime_r(&seconds, &parts);
	size_t length = face_write(moment, &parts, ' ', buffer);
	int ahead = (int)(labs(parts.tm_gmtoff) / 60);
	snprintf(buffer + length, WHEN_SIZE - length, "%c%02d:%02d", parts.tm_gmtoff < 0 ? '-' : '+', ahead / 60 % 100,
	         ahead % 60);
	return buffer;
}

const char *when_stamp(int64_t moment, char buffer[WHEN_SIZE])
{
	time_t seconds = (time_t)(moment / WHEN_SECOND);
	struct tm parts = { .tm_mday = 1 };
	gmtime_r(&seconds, &parts);
	size_t length = face_write(moment, &parts, 'T', buffer);
	snprintf(buffer + length, WHEN_SIZE - length, "Z");
	return buffer;
}

int64_t when_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * WHEN_SECOND + now.tv_nsec / 1000;
}
