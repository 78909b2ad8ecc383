/* test_ports.c - sets of ports: each name, each form, each error, and properties against a plain definition. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/ports.h"

static const struct port_range kernel = { 33000, 34999 };
static struct arena arena;

static struct port_set parse(const char *spec)
{
	char bytes[300];
	struct text why = TEXT_OVER(bytes);
	struct port_set set;

	text_clear(&why);
	cr_assert(ports_parse(&set, spec, kernel, &arena, &why), "%s: %s", spec, bytes);
	return set;
}

/* The set says of every port what `wanted` says, and ports_nth() counts it up in order. */
static void expect_ports(const char *spec, const bool wanted[65536])
{
	struct port_set set = parse(spec);
	uint32_t n = 0;

	for (uint32_t port = 0; port < 65536; port++) {
		cr_assert_eq(ports_contain(&set, (uint16_t)port), wanted[port], "%s: %u", spec, port);
		if (wanted[port])
			cr_assert_eq(ports_nth(&set, n++, NULL), port, "%s", spec);
	}
	cr_assert_eq(set.count, n, "%s", spec);
	for (uint32_t i = 0, before = 0; i < set.intervals; i++) {
		cr_assert_eq(set.interval[i].before, before);
		cr_assert(set.interval[i].lo >= 1 && set.interval[i].lo <= set.interval[i].hi);
		cr_assert(i == 0 || set.interval[i].lo > set.interval[i - 1].hi);
		before += set.interval[i].hi - set.interval[i].lo + 1U;
	}
}

static void fill(bool ports[65536], uint32_t lo, uint32_t hi, bool value)
{
	for (uint32_t port = lo; port <= hi; port++)
		ports[port] = value;
}

static void expect_range(const char *spec, uint32_t lo, uint32_t hi)
{
	static bool wanted[65536];

	fill(wanted, 0, 65535, false);
	fill(wanted, lo, hi, true);
	expect_ports(spec, wanted);
}

static void expect_bad(const char *spec, const char *words)
{
	char bytes[300];
	struct text why = TEXT_OVER(bytes);
	struct port_set set;

	text_clear(&why);
	cr_expect_not(ports_parse(&set, spec, kernel, &arena, &why), "%s", spec);
	cr_expect(strstr(bytes, words), "%s: '%s' in: %s", spec, words, bytes);
}

Test(ports, numbers_and_ranges)
{
	expect_range("20000", 20000, 20000);
	expect_range("1", 1, 1);
	expect_range("65535", 65535, 65535);
	expect_range("1-65535", 1, 65535);
	expect_range("20000-20099", 20000, 20099);
	expect_range("63-64", 63, 64);
	expect_range("20000-20049,20050-20099", 20000, 20099);
	expect_range(" 20000 - 20099\t,  20005", 20000, 20099);
}

Test(ports, each_name)
{
	expect_range("iana", 49152, 65535);
	expect_range("linux", 32768, 60999);
	expect_range("linux-2.4", 32768, 61000);
	expect_range("bsd", 1024, 5000);
	expect_range("freebsd", 10000, 65535);
	expect_range("windows", 49152, 65535);
	expect_range("windows-xp", 1025, 5000);
	expect_range("solaris", 32768, 65535);
	expect_range("rfc6056", 1024, 65535);
	expect_range("kernel", 33000, 34999);
}

Test(ports, the_names_are_listed)
{
	size_t n = 0;

	while (ports_range_name(n)) {
		struct port_set set = parse(ports_range_name(n));

		cr_expect(set.count > 0 && set.interval[0].named, "%s", ports_range_name(n));
		n++;
	}
	cr_assert_eq(n, 10);
}

Test(ports, knows_whether_the_kernels_range_matters)
{
	cr_expect(parse("kernel").uses_kernel);
	cr_expect(parse("1-1000, kernel slice 1/2").uses_kernel);
	cr_expect(parse("1-65535, !kernel").uses_kernel);
	cr_expect_not(parse("linux").uses_kernel);
	cr_expect_not(parse("33000-34999").uses_kernel);
}

Test(ports, exclusions_count_wherever_they_stand)
{
	static bool wanted[65536];

	fill(wanted, 20000, 20099, true);
	wanted[20050] = false;
	expect_ports("20000-20099, !20050", wanted);
	expect_ports("!20050, 20000-20099", wanted);
	expect_ports("20000-20099, ! 20050, 20050", wanted);
	fill(wanted, 20010, 20019, false);
	expect_ports("20000-20099, !20050, !20010-20019", wanted);
	fill(wanted, 0, 65535, false);
	fill(wanted, 1024, 32767, true);
	fill(wanted, 61000, 65535, true);
	expect_ports("rfc6056, !linux", wanted);
	fill(wanted, 32768, 33999, true);
	fill(wanted, 35000, 60999, true);
	fill(wanted, 34000, 34999, false);
	expect_ports("rfc6056, !kernel slice 2/2", wanted);
}

Test(ports, a_port_by_number_is_not_named)
{
	struct port_set set = parse("49150-49160, iana");
	bool named = true;

	cr_assert_eq(set.intervals, 2);
	cr_assert_eq(ports_nth(&set, 0, &named), 49150);
	cr_assert_not(named);
	cr_assert_eq(ports_nth(&set, 10, &named), 49160);
	cr_assert_not(named);
	cr_assert_eq(ports_nth(&set, 11, &named), 49161);
	cr_assert(named);
	cr_assert_eq(ports_nth(&set, set.count - 1, &named), 65535);
	cr_assert(named);
	set = parse("psid 6/8/52, 1024-2047 slice 1/2");
	for (uint32_t i = 0; i < set.intervals; i++)
		cr_assert_not(set.interval[i].named);
	cr_assert(parse("linux slice 2/3").interval[0].named);
}

Test(ports, slices_cover_a_range_without_overlap)
{
	static const struct { uint32_t lo, hi; } ranges[] = { { 1024, 65535 }, { 20000, 20099 }, { 1, 65535 }, { 7, 7 } };

	for (size_t r = 0; r < 4; r++) {
		uint32_t lo = ranges[r].lo, hi = ranges[r].hi, ports = hi - lo + 1;

		for (uint32_t n = 1; n <= 40 && n <= ports; n++) {
			uint32_t next = lo;

			for (uint32_t k = 1; k <= n; k++) {
				char spec[64];
				struct port_set set;

				snprintf(spec, sizeof(spec), "%u-%u slice %u/%u", lo, hi, k, n);
				set = parse(spec);
				cr_assert_eq(set.intervals, 1);
				cr_assert_eq(set.interval[0].lo, next, "%s", spec);
				cr_assert(set.count == ports / n || set.count == ports / n + 1, "%s: %u ports", spec, set.count);
				next = set.interval[0].hi + 1U;
			}
			cr_assert_eq(next, hi + 1);
		}
	}
}

Test(ports, slices_of_one_port_each)
{
	expect_range("20000-20099 slice 1/100", 20000, 20000);
	expect_range("20000-20099 slice 100/100", 20099, 20099);
	expect_range("1024-65535 slice 3/16", 9088, 13119);
	expect_range("windows-xp\tslice  1/2", 1025, 3012);
	expect_range("20000 slice 1/1", 20000, 20000);
}

/* RFC 7597, section 5.1, port by port: |  A: a bits, > 0 unless a is 0  |  PSID: k bits  |  j: m bits  | */
static bool in_port_set(uint32_t port, unsigned int a, unsigned int k, uint32_t id)
{
	unsigned int m = 16 - a - k;

	if (port == 0 || (a > 0 && port >> (16 - a) == 0))
		return false;
	return (port >> m & ((1U << k) - 1)) == id;
}

Test(ports, psid_is_that_of_rfc_7597)
{
	static bool wanted[65536];

	for (unsigned int a = 0; a <= 16; a++) {
		for (unsigned int k = 0; a + k <= 16; k += 1 + k / 3) {
			uint32_t ids[3] = { 0, (1U << k) / 2, (1U << k) - 1 };

			for (int i = 0; i < 3; i++) {
				char spec[64];
				uint32_t n = 0;

				snprintf(spec, sizeof(spec), "psid %u/%u/%u", a, k, ids[i]);
				for (uint32_t port = 0; port < 65536; port++)
					n += wanted[port] = in_port_set(port, a, k, ids[i]);
				if (n)
					expect_ports(spec, wanted);
				else
					expect_bad(spec, "empty");
			}
		}
	}
}

Test(ports, psid_example_of_the_rfc)
{
	struct port_set set = parse("psid 6/8/52"); /* RFC 7597, section 5.1: 0x34; 1232-1235, 2256-2259 ... 64720-64723 */

	cr_assert_eq(set.count, 63 * 4);
	cr_assert(set.interval[0].lo == 1232 && set.interval[0].hi == 1235);
	cr_assert(set.interval[1].lo == 2256 && set.interval[1].hi == 2259);
	cr_assert(set.interval[62].lo == 64720 && set.interval[62].hi == 64723);
}

Test(ports, random_lists_agree_with_the_definition)
{
	static bool in[65536], out[65536];

	srand(20);
	for (int i = 0; i < 60; i++) {
		char spec[400] = "";
		bool any = false;

		memset(in, 0, sizeof(in));
		memset(out, 0, sizeof(out));
		for (int item = rand() % 8 + 1; item > 0; item--) {
			uint32_t lo = (uint32_t)rand() % 65535 + 1, hi = lo + (uint32_t)rand() % 300;
			bool not = rand() % 3 == 0;

			if (rand() % 4 == 0)
				lo = lo / 64 * 64 + 1, hi = lo + 62 + (uint32_t)rand() % 2;
			hi = hi > 65535 ? 65535 : hi;
			snprintf(spec + strlen(spec), sizeof(spec) - strlen(spec), "%s%s%u-%u", *spec ? ", " : "", not ? "!" : "", lo, hi);
			fill(not ? out : in, lo, hi, true);
		}
		for (uint32_t port = 0; port < 65536; port++)
			any |= in[port] = in[port] && !out[port];
		if (any)
			expect_ports(spec, in);
		else
			expect_bad(spec, "empty");
	}
}

Test(ports, without_holes)
{
	struct port_set set = parse("33000-33999");

	cr_expect(ports_without_holes_inside(&set, kernel));
	set = parse("kernel");
	cr_expect(ports_without_holes_inside(&set, kernel));
	set = parse("33000-33999, kernel"); /* two intervals, no hole */
	cr_expect(set.intervals == 2 && ports_without_holes_inside(&set, kernel));
	set = parse("33000-33999, !33500");
	cr_expect_not(ports_without_holes_inside(&set, kernel));
	set = parse("32999-33999");
	cr_expect_not(ports_without_holes_inside(&set, kernel));
	set = parse("34000-35000");
	cr_expect_not(ports_without_holes_inside(&set, kernel));
}

Test(ports, each_error_says_what_to_write)
{
	expect_bad("", "empty item");
	expect_bad("20000,", "empty item");
	expect_bad("20000,,20001", "empty item");
	expect_bad("!", "empty item");
	expect_bad("0", "port 0");
	expect_bad("0-100", "port 0");
	expect_bad("65536", "65535");
	expect_bad("1-99999", "65535");
	expect_bad("20099-20000", "write 20000-20099");
	expect_bad("20000-", "range");
	expect_bad("-20000", "no port, range or name");
	expect_bad("20000-20010-20020", "range");
	expect_bad("20 000", "no port, range or name");
	expect_bad("20000;20001", "no port, range or name");
	expect_bad("0x4e20", "no port, range or name");
	expect_bad("linx", "did you mean 'linux'?");
	expect_bad("IANA", "did you mean 'iana'?");
	expect_bad("plan9-ports", "names no range");
	expect_bad("20000, !20000", "empty");
	expect_bad("!20000", "empty");
	expect_bad("1-100 slice 0/4", "counted from 1");
	expect_bad("1-100 slice 5/4", "counted from 1");
	expect_bad("1-100 slice", "slice 3/16");
	expect_bad("1-100 slice 1", "slice 3/16");
	expect_bad("1-100 slice 1/2/3", "slice 3/16");
	expect_bad("1-100 slice 1/101", "at most slice 1/100");
	expect_bad("slice 1/2", "names no range");
	expect_bad("psid 6/8/52 slice 1/2", "behind a range or a name");
	expect_bad("psid 6/8", "psid OFFSET/LENGTH/VALUE");
	expect_bad("psid 6/8/52/1", "psid OFFSET/LENGTH/VALUE");
	expect_bad("psid", "psid OFFSET/LENGTH/VALUE");
	expect_bad("psid6/8/52", "psid OFFSET/LENGTH/VALUE");
	expect_bad("psid 9/8/1", "more than 16 bits");
	expect_bad("psid 6/8/256", "at most 255");
	expect_bad("psid 0/16/0", "empty");
}

Test(ports, a_builder_is_used_again)
{
	char bytes[300];
	struct text why = TEXT_OVER(bytes);
	struct port_set set;
	struct ports_builder *builder = ports_begin(NULL, kernel, &arena);

	cr_assert(ports_add(builder, "1-65535", &why) && ports_add(builder, "!kernel", &why));
	cr_assert(ports_end(builder, &set, &arena, &why) && set.uses_kernel);
	cr_assert_eq(ports_begin(builder, kernel, &arena), builder);
	cr_assert(ports_add(builder, "33500", &why));
	cr_assert(ports_end(builder, &set, &arena, &why));
	cr_assert(set.count == 1 && !set.uses_kernel && ports_contain(&set, 33500));
}
