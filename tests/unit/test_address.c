/* test_address.c - addresses from words, and what the items of `to =` cover. */
#include <criterion/criterion.h>
#include <string.h>

#include "config/address.h"

static struct endpoint at(const char *words, uint16_t port)
{
	struct endpoint endpoint = { .port = port };

	cr_assert(addr_parse(&endpoint.addr, words), "%s", words);
	return endpoint;
}

static bool covers(const char *item, const char *addr, uint16_t port)
{
	char bytes[300];
	struct text why = TEXT_OVER(bytes);
	struct endpoint to = at(addr, port);
	struct target target;

	text_clear(&why);
	cr_assert(target_parse(&target, item, &why), "%s: %s", item, bytes);
	return target_covers(&target, &to);
}

Test(address, reads_both_families)
{
	struct endpoint four = at("192.0.2.7", 1), six = at("2001:db8::a:1", 1), mapped = at("::ffff:192.0.2.7", 1);

	cr_assert(four.addr.family == FAMILY_IPV4 && four.addr.hi == 0 && four.addr.lo == 0xc0000207);
	cr_assert(six.addr.family == FAMILY_IPV6 && six.addr.hi == 0x20010db800000000 && six.addr.lo == 0xa0001);
	cr_assert(mapped.addr.family == FAMILY_IPV4 && mapped.addr.hi == 0 && mapped.addr.lo == 0xc0000207);
}

Test(address, refuses_what_is_none)
{
	static const char *const bad[] = { "", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "[::1]", "::1%lo", "localhost",
		"1.2.3.4/8", ":::", "1:2:3:4:5:6:7", "g::" };
	struct ip_addr addr;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(addr_parse(&addr, bad[i]), "%s", bad[i]);
}

Test(target, one_address_any_port)
{
	cr_expect(covers("192.0.2.7", "192.0.2.7", 1));
	cr_expect(covers("192.0.2.7", "192.0.2.7", 65535));
	cr_expect(covers("192.0.2.7", "192.0.2.7", 0));
	cr_expect_not(covers("192.0.2.7", "192.0.2.8", 1));
	cr_expect(covers("[2001:db8::1]", "2001:db8::1", 1));
	cr_expect_not(covers("[2001:db8::1]", "2001:db8::2", 1));
	cr_expect_not(covers("[2001:db8::1]", "2001:db9::1", 1));
	cr_expect(covers("192.0.2.7:*", "192.0.2.7", 1));
}

Test(target, networks)
{
	cr_expect(covers("10.20.0.0/16:1521", "10.20.255.255", 1521));
	cr_expect_not(covers("10.20.0.0/16:1521", "10.21.0.0", 1521));
	cr_expect_not(covers("10.20.0.0/16:1521", "10.20.0.1", 1522));
	cr_expect(covers("0.0.0.0/0", "255.255.255.255", 1));
	cr_expect_not(covers("0.0.0.0/0", "::1", 1));
	cr_expect(covers("[::]/0", "::1", 1));
	cr_expect_not(covers("[::]/0", "127.0.0.1", 1));
	cr_expect(covers("128.0.0.0/1", "200.1.1.1", 1));
	cr_expect_not(covers("128.0.0.0/1", "100.1.1.1", 1));
	cr_expect(covers("10.0.0.2/31", "10.0.0.3", 1));
	cr_expect_not(covers("10.0.0.2/31", "10.0.0.4", 1));
	cr_expect(covers("10.0.0.0/8:8000-8099", "10.1.1.1", 8099));
	cr_expect_not(covers("10.0.0.0/8:8000-8099", "10.1.1.1", 8100));
}

Test(target, ipv6_networks_written_either_way)
{
	static const char *const same[] = { "[2001:db8::]/32:443", "[2001:db8::/32]:443" };

	for (int i = 0; i < 2; i++) {
		cr_expect(covers(same[i], "2001:db8:ffff::1", 443));
		cr_expect_not(covers(same[i], "2001:db9::1", 443));
		cr_expect_not(covers(same[i], "2001:db8::1", 444));
	}
	cr_expect(covers("[2001:db8::]/64", "2001:db8::ffff:ffff:ffff:ffff", 1));
	cr_expect_not(covers("[2001:db8::]/64", "2001:db8:0:1::", 1));
	cr_expect(covers("[2001:db8::8000:0:0:0]/65", "2001:db8::ffff:0:0:0", 1));
	cr_expect_not(covers("[2001:db8::8000:0:0:0]/65", "2001:db8::7fff:0:0:0", 1));
	cr_expect(covers("[2001:db8::1]/128", "2001:db8::1", 1));
}

Test(target, any_address)
{
	cr_expect(covers("*", "10.1.1.1", 1));
	cr_expect(covers("*:53", "10.1.1.1", 53));
	cr_expect(covers("*:53", "2001:db8::1", 53));
	cr_expect_not(covers("*:53", "2001:db8::1", 54));
	cr_expect(covers("*:*", "2001:db8::1", 54));
	cr_expect(covers("*:1-1023", "10.1.1.1", 1023));
}

Test(target, v4_mapped_is_ipv4)
{
	cr_expect(covers("[::ffff:10.0.0.0]/104:53", "10.9.9.9", 53));
	cr_expect(covers("[::ffff:10.0.0.0/104]", "::ffff:10.9.9.9", 53));
	cr_expect_not(covers("[::ffff:10.0.0.0]/104", "11.0.0.0", 53));
	cr_expect(covers("[::ffff:192.0.2.7]", "192.0.2.7", 1));
	cr_expect(covers("[::ffff:0:0]/96", "192.0.2.7", 1));
	cr_expect(covers("10.0.0.0/8", "::ffff:10.1.1.1", 1));
}

static void expect_bad(const char *item, const char *words)
{
	char bytes[300];
	struct text why = TEXT_OVER(bytes);
	struct target target;

	text_clear(&why);
	cr_expect_not(target_parse(&target, item, &why), "%s", item);
	cr_expect(strstr(bytes, words), "%s: '%s' in: %s", item, words, bytes);
}

Test(target, each_error_says_what_to_write)
{
	expect_bad("10.20.0.1/16", "write 10.20.0.0/16");
	expect_bad("[2001:db8::1]/32", "write [2001:db8::]/32");
	expect_bad("[::ffff:10.0.0.1]/104", "write 10.0.0.0/8");
	expect_bad("[::ffff:10.0.0.0]/64", "write the IPv4 network");
	expect_bad("10.0.0.0/33", "from 0 to 32");
	expect_bad("10.0.0.0/", "from 0 to 32");
	expect_bad("10.0.0.0/a", "from 0 to 32");
	expect_bad("[2001:db8::]/129", "from 0 to 128");
	expect_bad("10.0.0.0/255.0.0.0", "from 0 to 32");
	expect_bad("10.0.0.1:", "1 to 65535");
	expect_bad("10.0.0.1:0", "1 to 65535");
	expect_bad("10.0.0.1:65536", "1 to 65535");
	expect_bad("10.0.0.1:http", "1 to 65535");
	expect_bad("10.0.0.1:80-", "1 to 65535");
	expect_bad("10.0.0.1:8099-8000", "write 8000-8099");
	expect_bad("2001:db8::1", "[2001:db8::1]");
	expect_bad("2001:db8::1:443", "brackets");
	expect_bad("2001:db8::/32", "brackets");
	expect_bad("::ffff:10.0.0.1", "brackets");
	expect_bad("10.20.0.0/16:1521:22", "has two ports; write one, or a range");
	expect_bad("10.20.0.1:1521:22", "has two ports");
	expect_bad("*:80:443", "has two ports");
	expect_bad("db.example.org:80:443", "has two ports");
	expect_bad("!10.0.0.0/8", "'to' has none; write a rule with it and action = pass above this one");
	expect_bad("10.0.0.1:80 10.0.0.2:80", "separate the items of a list by commas");
	expect_bad("[2001:db8::1]:80 [2001:db8::2]:80", "separate the items of a list by commas");
	expect_bad("10.0.0.1 10.0.0.2", "separate the items of a list by commas");
	expect_bad("[2001:db8::1", "']'");
	expect_bad("[2001:db8::1]443", "behind the ']'");
	expect_bad("[2001:db8::/32]/32", "two prefixes");
	expect_bad("[10.0.0.1]:80", "not an address");
	expect_bad("[fe80::1%eth0]:80", "interface");
	expect_bad("localhost", "names are not resolved");
	expect_bad("db.example.org:1521", "names are not resolved");
	expect_bad("10.20", "four numbers");
	expect_bad("10.20.0.*", "prefix");
	expect_bad("*/8", "* alone");
	expect_bad(":53", "*:53");
	expect_bad("0.0.0.0", "127.0.0.1");
	expect_bad("[::]:53", "[::1]");
	expect_bad("a-name-that-is-much-longer-than-any-address-ever-is.example.org:80", "names are not resolved");
	expect_bad("", "no address");
}
