/* when.h - moments: as an audit line has them, as a user writes them, and as they are shown. */
#ifndef PORTSHIM_TOOLS_WHEN_H
#define PORTSHIM_TOOLS_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEN_SECOND INT64_C(1000000) /* moments count microseconds since 1970-01-01 00:00 UTC */
#define WHEN_DAY (86400 * WHEN_SECOND)

/* "2026-11-25T04:30:12.123456Z": RFC 3339, 5.6, with `length` bytes and no others. Years 1970 to 9999; digits behind the
 * sixth of a second are dropped. */
bool when_read_stamp(const char *words, size_t length, int64_t *moment);

/* What a user means by some words: "10:42" is a minute, "2026-11-25" a day. */
struct span {
	int64_t from, to; /* both belong to it */
};

/* "2026-11-25T10:42:07Z", "2026-11-25 10:42:07.25", "2026-11-25", "10:42" (the last time that it was), "yesterday 14:00",
 * "@1795581727", "now", "10 minutes ago". Without a zone in the time zone of the user (tzset(3)). False if it is none. */
bool when_read(const char *words, int64_t now, struct span *span);

/* What these forms are, for a message. */
#define WHEN_FORMS "write it as 2026-11-25T10:42:07Z, '2026-11-25 10:42:07', 10:42, @1795581727 or '10 minutes ago'"

#define WHEN_SIZE 40

/* "2026-11-25 10:42:07.123456+01:00", in the time zone of the user. */
const char *when_words(int64_t moment, char buffer[WHEN_SIZE]);

/* "2026-11-25T09:42:07.123456Z". */
const char *when_stamp(int64_t moment, char buffer[WHEN_SIZE]);

int64_t when_now(void);

/* How far the user's time zone is ahead of UTC then, in seconds. */
int64_t when_offset(int64_t moment);

#endif
