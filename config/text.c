/* text.c - words and numbers into a buffer of fixed size, without stdio or locale. */
#include "text.h"

#include <string.h>

#include "address.h"

/* What a message shows at most of a word that a user wrote. */
#define QUOTED_MAX 60

void text_clear(struct text *text)
{
	text->length = 0;
	text->at[0] = '\0';
}

void text_add_bytes(struct text *text, const char *bytes, size_t length)
{
	size_t room = text->size - 1 - text->length;

	if (length > room)
		length = room;
	memcpy(text->at + text->length, bytes, length);
	text->length += length;
	text->at[text->length] = '\0';
}

void text_add(struct text *text, const char *words)
{
	text_add_bytes(text, words, strlen(words));
}

void text_add_quoted(struct text *text, const char *bytes, size_t length)
{
	size_t shown = length > QUOTED_MAX ? QUOTED_MAX : length;

	text_add_bytes(text, "'", 1);
	for (size_t i = 0; i < shown; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		text_add_bytes(text, byte < 0x20 || byte == 0x7f ? "?" : &bytes[i], 1);
	}
	text_add(text, shown < length ? "...'" : "'");
}

void text_add_number(struct text *text, uint64_t number)
{
	char digits[20]; /* 2^64 - 1 has 20 */
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	text_add_bytes(text, digits + at, sizeof(digits) - at);
}

static void add_hex(struct text *text, unsigned int number)
{
	bool begun = false;

	for (int shift = 12; shift >= 0; shift -= 4) {
		unsigned int digit = number >> shift & 15;

		begun = begun || digit || shift == 0;
		if (begun)
			text_add_bytes(text, &"0123456789abcdef"[digit], 1);
	}
}

static void add_ipv4(struct text *text, uint32_t addr)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		text_add_number(text, addr >> shift & 255);
		if (shift)
			text_add_bytes(text, ".", 1);
	}
}

static unsigned int ipv6_group(const struct ip_addr *addr, unsigned int index)
{
	uint64_t half = index < 4 ? addr->hi : addr->lo;

	return (unsigned int)(half >> (48 - index % 4 * 16)) & 0xffff;
}

/* The longest run of zero groups, the first of equals, is what "::" stands for (RFC 5952, section 4.2). */
static unsigned int longest_zeros(const struct ip_addr *addr, unsigned int *start)
{
	unsigned int best = 0;

	*start = 8;
	for (unsigned int i = 0, run = 0; i < 8; i++) {
		run = ipv6_group(addr, i) ? 0 : run + 1;
		if (run > best && run > 1) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return best;
}

static void add_ipv6(struct text *text, const struct ip_addr *addr)
{
	unsigned int start, zeros = longest_zeros(addr, &start);

	for (unsigned int i = 0; i < 8; i++) {
		if (i == start) {
			text_add(text, "::");
			i += zeros - 1;
			continue;
		}
		if (i && i != start + zeros)
			text_add_bytes(text, ":", 1);
		add_hex(text, ipv6_group(addr, i));
	}
}

void text_add_addr(struct text *text, const struct ip_addr *addr, bool brackets)
{
	if (addr->family == FAMILY_IPV4) {
		add_ipv4(text, (uint32_t)addr->lo);
		return;
	}
	if (brackets)
		text_add_bytes(text, "[", 1);
	add_ipv6(text, addr);
	if (brackets)
		text_add_bytes(text, "]", 1);
}

static void add_padded(struct text *text, uint64_t number, uint64_t first_digit, const char *behind)
{
	for (; first_digit > number && first_digit > 1; first_digit /= 10)
		text_add(text, "0");
	text_add_number(text, number);
	text_add(text, behind);
}

/* The date of a day since 1970-01-01, in the Gregorian calendar. Counted from 1 March of the year 0, a leap day is the last of its
 * year, and 400 years (146,097 days) repeat. */
static void add_date(struct text *text, uint64_t day)
{
	const uint64_t from_march = day + 719468, era = from_march / 146097, in_era = from_march % 146097;
	const uint64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	const uint64_t in_year = in_era - (365 * year + year / 4 - year / 100), month = (5 * in_year + 2) / 153;

	add_padded(text, era * 400 + year + (month >= 10), 1000, "-");
	add_padded(text, month < 10 ? month + 3 : month - 9, 10, "-");
	add_padded(text, in_year - (153 * month + 2) / 5 + 1, 10, "T");
}

void text_add_utc(struct text *text, uint64_t ns)
{
	const uint64_t second = UINT64_C(1000000000), minute = 60, hour = 60 * minute, day = 24 * hour, seconds = ns / second;

	add_date(text, seconds / day);
	add_padded(text, seconds % day / hour, 10, ":");
	add_padded(text, seconds % hour / minute, 10, ":");
	add_padded(text, seconds % minute, 10, ".");
	add_padded(text, ns % second / 1000, 100000, "Z");
}

bool text_to_number(const char *words, size_t length, uint64_t max, uint64_t *number)
{
	uint64_t sum = 0;

	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		uint64_t digit = (uint64_t)((unsigned char)words[i] - '0');

		if ((unsigned char)words[i] < '0' || digit > 9 || digit > max || sum > (max - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*number = sum;
	return true;
}
