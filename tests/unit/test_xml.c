/* test_xml.c - words from elsewhere in XML: nothing in them is markup, and nothing in them is what XML forbids. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/utf8.h"
#include "tools/xml.h"

TestSuite(xml, .timeout = 60);

static char *written;

static const char *words(const char *from, size_t columns, bool tail)
{
	size_t size;
	free(written);
	FILE *to = open_memstream(&written, &size);
	cr_assert(to);
	if (columns)
		xml_fit(to, from, columns, tail);
	else
		xml_words(to, from);
	cr_assert_eq(fclose(to), 0);
	return written;
}

#define BAD "\xef\xbf\xbd"
#define DOTS "\xe2\x80\xa6"

Test(xml, markup_is_escaped)
{
	cr_expect_str_eq(words("", 0, false), "");
	cr_expect_str_eq(words("<a b=\"c\" d='e'>&amp;]]>", 0, false),
	                 "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;]]&gt;");
}

Test(xml, what_xml_forbids_is_replaced)
{
	cr_expect_str_eq(words("a\x01\tb\x1b[2J\x7f\n", 0, false), "a" BAD BAD "b" BAD "[2J" BAD BAD);
	cr_expect_str_eq(words("\xff\xc3(\xc3\xa9\xed\xa0\x80", 0, false), BAD BAD "(\xc3\xa9" BAD BAD BAD);
	cr_expect_str_eq(words("\xef\xbf\xbe\xef\xbf\xbf\xc2\x80\xc2\x9f\xc2\xa0", 0, false), BAD BAD BAD BAD "\xc2\xa0");
	/* what turns the direction of the words behind it: U+202E, U+2066, U+200F, U+061C */
	cr_expect_str_eq(words("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c" "exe", 0, false), BAD BAD BAD BAD "exe");
	cr_expect_str_eq(words("\xf0\x9f\x98\x80\xe6\x97\xa5", 0, false), "\xf0\x9f\x98\x80\xe6\x97\xa5");
}

Test(xml, cut_to_fit)
{
	cr_expect_str_eq(words("/usr/bin/curl", 13, true), "/usr/bin/curl");
	cr_expect_str_eq(words("/usr/bin/curl", 12, true), DOTS "sr/bin/curl");
	cr_expect_str_eq(words("/usr/bin/curl", 12, false), "/usr/bin/cu" DOTS);
	cr_expect_str_eq(words("/usr/bin/curl", 1, true), DOTS);
	cr_expect_str_eq(words("/usr/bin/curl", 1, false), DOTS);
	cr_expect_str_eq(words("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6, true), "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"); /* each is wide */
	cr_expect_str_eq(words("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5, true), DOTS "\xe6\x9c\xac\xe8\xaa\x9e");
	cr_expect_str_eq(words("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, false), "\xe6\x97\xa5" DOTS);
	cr_expect_str_eq(words("<<<<", 3, false), "&lt;&lt;" DOTS); /* cut before it is escaped */
	cr_expect_str_eq(words("\xff\xff\xff\xff", 3, true), DOTS BAD BAD);
}

/* Bytes that nobody chose: what comes out is UTF-8 without control characters, and no wider than asked. */
Test(xml, any_bytes)
{
	uint64_t seed = 1;
	for (unsigned i = 0; i < 20000; i++) {
		char from[24], clean[512];
		size_t length = i % (sizeof(from) - 1);
		for (size_t j = 0; j < length; j++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			from[j] = (char)(seed >> 56 ? seed >> 56 : 1);
		}
		from[length] = '\0';
		cr_assert_lt(strlen(words(from, 0, false)), sizeof(clean));
		utf8_clean(strcpy(clean, written));
		cr_assert_str_eq(clean, written);
		cr_assert_null(strpbrk(written, "<>\"'"));
		for (size_t columns = 1; columns < 12; columns++) {
			const char *fit = words(from, columns, i & 1);
			size_t shown = 0;
			for (const char *at = fit; *at; shown++)
				at += *at == '&' ? strcspn(at, ";") + 1 : utf8_length(at);
			cr_assert_leq(shown, columns, "%s", fit);
		}
	}
	free(written);
}
