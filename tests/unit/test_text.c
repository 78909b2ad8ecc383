/* test_text.c - words, numbers and addresses into a buffer of fixed size; numbers from words; suggestions. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/address.h"
#include "config/suggest.h"
#include "config/text.h"

Test(text, cuts_what_does_not_fit_and_stays_terminated)
{
	char bytes[8] = "xxxxxxx";
	struct text text = TEXT_OVER(bytes);

	text_clear(&text);
	text_add(&text, "abc");
	text_add_number(&text, 12345);
	cr_assert_str_eq(bytes, "abc1234");
	text_add(&text, "more");
	cr_assert_str_eq(bytes, "abc1234");
	cr_assert_eq(text.length, 7);
}

Test(text, a_buffer_of_one_byte_holds_the_terminator)
{
	char bytes[1] = "x";
	struct text text = TEXT_OVER(bytes);

	text_add(&text, "abc");
	cr_assert_eq(bytes[0], '\0');
}

Test(text, writes_numbers)
{
	char bytes[64];
	struct text text = TEXT_OVER(bytes);

	text_add_number(&text, 0);
	text_add(&text, " ");
	text_add_number(&text, UINT64_MAX);
	cr_assert_str_eq(bytes, "0 18446744073709551615");
}

Test(text, quotes_without_control_bytes_and_not_for_ever)
{
	char bytes[128], many[100];
	struct text text = TEXT_OVER(bytes);

	text_add_quoted(&text, "a\nb\x7f", 4);
	cr_assert_str_eq(bytes, "'a?b?'");
	memset(many, 'm', sizeof(many));
	text_clear(&text);
	text_add_quoted(&text, many, sizeof(many));
	cr_assert_eq(text.length, 60 + strlen("''..."));
	cr_assert_str_eq(bytes + text.length - 5, "m...'");
}

Test(text, reads_numbers_strictly)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "65536", "99999999999999999999999", "1a", "\xb2" };
	uint64_t number;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(text_to_number(bad[i], strlen(bad[i]), 65535, &number), "%s", bad[i]);
	cr_assert(text_to_number("65535", 5, 65535, &number) && number == 65535);
	cr_assert(text_to_number("0", 1, 0, &number) && number == 0);
	cr_assert(text_to_number("18446744073709551615", 20, UINT64_MAX, &number) && number == UINT64_MAX);
	cr_assert_not(text_to_number("18446744073709551616", 20, UINT64_MAX, &number));
	cr_assert(text_to_number("123", 2, 100, &number) && number == 12);
}

static void expect_ipv6(uint64_t hi, uint64_t lo, const char *words)
{
	char bytes[64];
	struct text text = TEXT_OVER(bytes);
	struct ip_addr addr = { hi, lo, FAMILY_IPV6 };

	text_add_addr(&text, &addr, false);
	cr_expect_str_eq(bytes, words);
}

Test(text, writes_ipv6_as_rfc_5952_says)
{
	expect_ipv6(0, 0, "::");
	expect_ipv6(0, 1, "::1");
	expect_ipv6(0x20010db800000000, 1, "2001:db8::1");
	expect_ipv6(0x20010db800000001, 0x0001000100010001, "2001:db8:0:1:1:1:1:1"); /* 4.2.2: one group stays 0 */
	expect_ipv6(0x2001000000000001, 0x0000000000000001, "2001:0:0:1::1");        /* 4.2.3: the longest */
	expect_ipv6(0x20010db800000000, 0x0001000000000001, "2001:db8::1:0:0:1");    /* 4.2.3: the first */
	expect_ipv6(0xfe80000000000000, 0, "fe80::");
	expect_ipv6(0x00010002000300ab, 0xcd00000000000000, "1:2:3:ab:cd00::");
	expect_ipv6(0xffffffffffffffff, 0xffffffffffffffff, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

Test(text, writes_any_ipv6_so_that_it_is_read_back)
{
	srand(6);
	for (int i = 0; i < 20000; i++) {
		char bytes[64];
		struct text text = TEXT_OVER(bytes);
		struct ip_addr addr = { 0, 0, FAMILY_IPV6 }, again;
		uint64_t half[2] = { 0, 0 };

		for (int group = 0; group < 8; group++)
			half[group / 4] = half[group / 4] << 16 | (rand() % 2 ? 0 : (unsigned int)rand() & 0xffff);
		addr.hi = half[0] | 1ULL << 63; /* not v4-mapped */
		addr.lo = half[1];
		text_add_addr(&text, &addr, false);
		cr_assert(addr_parse(&again, bytes), "%s", bytes);
		cr_assert(again.hi == addr.hi && again.lo == addr.lo && again.family == FAMILY_IPV6, "%s", bytes);
	}
}

Test(text, writes_ipv4_and_brackets)
{
	char bytes[64];
	struct text text = TEXT_OVER(bytes);
	struct ip_addr four = { 0, 0xc0000207, FAMILY_IPV4 }, six = { 0, 1, FAMILY_IPV6 };

	text_add_addr(&text, &four, true);
	text_add(&text, " ");
	text_add_addr(&text, &six, true);
	cr_assert_str_eq(bytes, "192.0.2.7 [::1]");
}

static const char *nearest(const char *words)
{
	struct suggestion suggestion = SUGGESTION_FOR(words, strlen(words));
	static const char *const names[] = { "ports", "protocol", "program", "to", "cooldown" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		suggest_consider(&suggestion, names[i]);
	return suggestion.best ? suggestion.best : "";
}

Test(suggest, finds_the_slip_of_a_finger)
{
	cr_expect_str_eq(nearest("port"), "ports");
	cr_expect_str_eq(nearest("prots"), "ports");
	cr_expect_str_eq(nearest("PORTS"), "ports");
	cr_expect_str_eq(nearest("protcol"), "protocol");
	cr_expect_str_eq(nearest("programm"), "program");
	cr_expect_str_eq(nearest("ot"), "to");
}

Test(suggest, does_not_guess_wildly)
{
	cr_expect_str_eq(nearest("xyz"), "");
	cr_expect_str_eq(nearest(""), "");
	cr_expect_str_eq(nearest("destination"), "");
	cr_expect_str_eq(nearest("a-word-that-is-longer-than-any-key-of-the-format"), "");
}

/* Each day of 400 years, or for as long as libc's time goes (32 bits end in 2038). */
Test(text, utc)
{
	for (uint64_t day = 0; day < 146097; day++) {
		const uint64_t ns = (day * 86400 + day * 7919 % 86400) * UINT64_C(1000000000) + day * 6007 % 1000000 * 1000 + 999;
		const time_t seconds = (time_t)(ns / 1000000000);
		char buffer[64], expected[64];
		struct text text = TEXT_OVER(buffer);
		struct tm tm;
		size_t length;

		if ((uint64_t)seconds != ns / 1000000000 || seconds < 0)
			break;
		length = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));

		snprintf(expected + length, sizeof(expected) - length, ".%06uZ", (unsigned int)(ns % 1000000000 / 1000));
		text_add_utc(&text, ns);
		cr_assert_str_eq(buffer, expected);
	}
}
