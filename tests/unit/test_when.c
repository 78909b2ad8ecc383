/* test_when.c - moments: those of audit lines, and those that users write. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/when.h"

static void in_berlin(void)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
}

TestSuite(when, .init = in_berlin, .timeout = 60);

#define NOW (INT64_C(1795581727) * WHEN_SECOND) /* 2026-11-25 05:42:07 in Berlin */

static void expect_span(const char *words, const char *from, const char *to)
{
	char first[WHEN_SIZE], last[WHEN_SIZE];
	struct span span;
	cr_assert(when_read(words, NOW, &span), "%s", words);
	cr_expect_str_eq(when_stamp(span.from, first), from, "%s: %s", words, first);
	cr_expect_str_eq(when_stamp(span.to, last), to, "%s: %s", words, last);
}

Test(when, every_day_of_the_calendar)
{
	for (int64_t seconds = 0; seconds < INT64_C(2147483647); seconds += 86399 * 3) {
		char words[32];
		int64_t moment;
		time_t then = (time_t)seconds;
		struct tm parts;
		cr_assert(gmtime_r(&then, &parts));
		strftime(words, sizeof(words), "%Y-%m-%dT%H:%M:%SZ", &parts);
		cr_assert(when_read_stamp(words, strlen(words), &moment), "%s", words);
		cr_assert_eq(moment, seconds * WHEN_SECOND, "%s", words);
	}
}

Test(when, stamps_are_of_rfc_3339)
{
	static const char *const good[] = {
		"2026-11-25T04:42:07Z", "2026-11-25t04:42:07z", "2026-11-25 04:42:07.0Z", "2026-11-25T05:42:07+01:00",
		"2026-11-25T01:12:07.000000999-03:30",
	};
	static const char *const bad[] = {
		"", "2026-11-25", "2026-11-25T04:42:07", "2026-11-25T04:42:07Z ", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00", "1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+01:00", "-026-01-01T00:00:00Z", "2026-1-01T00:00:00Z",
	};
	int64_t moment;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		cr_expect(when_read_stamp(good[i], strlen(good[i]), &moment) && moment == NOW, "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_not(when_read_stamp(bad[i], strlen(bad[i]), &moment), "%s", bad[i]);
	cr_expect_not(when_read_stamp(good[0], strlen(good[0]) - 1, &moment));
}

/* What was written with less is taken for all that it can mean. */
Test(when, words_stand_for_as_long_as_they_say)
{
	expect_span("2026-11-25T04:42:07Z", "2026-11-25T04:42:07.000000Z", "2026-11-25T04:42:07.999999Z");
	expect_span("2026-11-25 05:42:07.25", "2026-11-25T04:42:07.250000Z", "2026-11-25T04:42:07.259999Z");
	expect_span("2026-11-25 05:42", "2026-11-25T04:42:00.000000Z", "2026-11-25T04:42:59.999999Z");
	expect_span("2026-11-25", "2026-11-24T23:00:00.000000Z", "2026-11-25T22:59:59.999999Z");
	expect_span("2026-07-01 12:00", "2026-07-01T10:00:00.000000Z", "2026-07-01T10:00:59.999999Z");
	expect_span("@1795581727", "2026-11-25T04:42:07.000000Z", "2026-11-25T04:42:07.999999Z");
	expect_span("@1795581727.123456", "2026-11-25T04:42:07.123456Z", "2026-11-25T04:42:07.123456Z");
	expect_span("now", "2026-11-25T04:42:07.000000Z", "2026-11-25T04:42:07.000000Z");
	expect_span("10 minutes ago", "2026-11-25T04:32:07.000000Z", "2026-11-25T04:32:07.000000Z");
	expect_span("2h ago", "2026-11-25T02:42:07.000000Z", "2026-11-25T02:42:07.000000Z");
}

Test(when, a_time_of_day_is_the_last_one_that_was)
{
	expect_span("05:42", "2026-11-25T04:42:00.000000Z", "2026-11-25T04:42:59.999999Z");
	expect_span("05:43", "2026-11-24T04:43:00.000000Z", "2026-11-24T04:43:59.999999Z");
	expect_span("00:00:01", "2026-11-24T23:00:01.000000Z", "2026-11-24T23:00:01.999999Z");
	expect_span("today 00:30", "2026-11-24T23:30:00.000000Z", "2026-11-24T23:30:59.999999Z");
	expect_span("yesterday 14:00", "2026-11-24T13:00:00.000000Z", "2026-11-24T13:00:59.999999Z");
	expect_span("yesterday", "2026-11-23T23:00:00.000000Z", "2026-11-24T22:59:59.999999Z");
}

Test(when, other_words_are_refused)
{
	static const char *const bad[] = {
		"", " ", "x", "25:00", "10:60", "10", "10:", "10:4", "@", "@x", "@1.", "@1234567890123", "ago", "ago 5 minutes",
		"5 ago", "5 months ago", "9999999999 weeks ago", "9999999 weeks ago", "2026-02-30", "2026-11-25X10:00",
		"2026-11-25 10:00 x", "yesterdays", "10:42 tomorrow", "tomorrow",
	};
	struct span span;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_not(when_read(bad[i], NOW, &span), "%s", bad[i]);
}

Test(when, shown_in_the_zone_of_the_user)
{
	char words[WHEN_SIZE];
	cr_expect_str_eq(when_words(NOW + 123456, words), "2026-11-25 05:42:07.123456+01:00");
	cr_expect_str_eq(when_stamp(NOW + 1, words), "2026-11-25T04:42:07.000001Z");
	cr_expect_eq(when_offset(NOW), 3600);
	setenv("TZ", "NST3:30", 1);
	tzset();
	cr_expect_str_eq(when_words(NOW, words), "2026-11-25 01:12:07.000000-03:30");
}
