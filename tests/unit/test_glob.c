/* test_glob.c - patterns: each element, what a star may take, and against a plain recursive definition. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/glob.h"

static const struct {
	const char *pattern, *words;
	bool matches;
} cases[] = {
	{ "", "", true }, { "", "a", false }, { "a", "", false }, { "abc", "abc", true }, { "abc", "abcd", false },
	{ "abc", "ABC", false }, { "*", "", true }, { "*", "anything/at all", true }, { "a*", "a", true },
	{ "a*c", "abbc", true }, { "a*c", "abcb", false }, { "*b*", "abc", true }, { "*a*b*c*", "xxaxxbxxcxx", true },
	{ "*a*b*c*", "xxaxxcxxbxx", false }, { "/opt/erp/bin/*", "/opt/erp/bin/a/b", true },
	{ "/opt/erp/bin/*", "/opt/erp/bin", false }, { "?", "a", true }, { "?", "/", true }, { "?", "", false },
	{ "a?c", "abc", true }, { "[a-c]x", "bx", true }, { "[a-c]x", "dx", false }, { "[!a-c]x", "dx", true },
	{ "[!a-c]x", "ax", false }, { "[abc]", "c", true }, { "[]]", "]", true }, { "[]a]", "a", true },
	{ "[!]]", "]", false }, { "[!]]", "a", true }, { "[a-]", "-", true }, { "[-a]", "-", true }, { "[a\\]]", "]", true },
	{ "[\\!a]", "!", true }, { "[a\\-c]", "b", false }, { "[a\\-c]", "-", true }, { "[a!]", "!", true },
	{ "\\*", "*", true }, { "\\*", "a", false }, { "\\?", "?", true }, { "\\[a]", "[a]", true }, { "\\\\", "\\", true },
	{ "\\a", "a", true }, { "a]", "a]", true }, { "[a-z]*[0-9]", "java17", true }, { "[a-z]*[0-9]", "java17x", false },
	{ "\xc3\xa9*", "\xc3\xa9t\xc3\xa9", true }, { "??", "\xc3\xa9", true }, { "[\x80-\xff]", "\xc3", true },
	{ "[a", "a", false }, { "a\\", "a\\", false },
};

Test(glob, matches_as_said)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(glob_match(cases[i].pattern, cases[i].words), cases[i].matches, "'%s' and '%s'", cases[i].pattern,
		             cases[i].words);
}

/* What * and ? mean, without any thought of speed. */
static bool defined(const char *pattern, const char *words)
{
	if (*pattern == '*')
		return defined(pattern + 1, words) || (*words && defined(pattern, words + 1));
	if (!*pattern || !*words)
		return !*pattern && !*words;
	return (*pattern == '?' || *pattern == *words) && defined(pattern + 1, words + 1);
}

Test(glob, agrees_with_the_definition)
{
	srand(1);
	for (int i = 0; i < 200000; i++) {
		char pattern[9] = "", words[11] = "";

		for (int j = rand() % 9; j > 0; j--)
			pattern[j - 1] = "ab*?*"[rand() % 5];
		for (int j = rand() % 11; j > 0; j--)
			words[j - 1] = "ab"[rand() % 2];
		cr_assert_eq(glob_match(pattern, words), defined(pattern, words), "'%s' and '%s'", pattern, words);
	}
}

Test(glob, many_stars_take_no_time, .timeout = 10)
{
	static char words[20001];

	memset(words, 'a', sizeof(words) - 1);
	cr_assert_not(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab", words));
}

static void expect_bad(const char *pattern, const char *why)
{
	char bytes[200];
	struct text text = TEXT_OVER(bytes);

	text_clear(&text);
	cr_expect_not(glob_check(pattern, &text), "%s", pattern);
	cr_expect(strstr(bytes, why), "%s", bytes);
}

Test(glob, says_what_is_wrong_with_a_pattern)
{
	expect_bad("[", "']'");
	expect_bad("[]", "']'");
	expect_bad("[!", "']'");
	expect_bad("[!]", "']'");
	expect_bad("java[0-9", "']'");
	expect_bad("[a-", "']'");
	expect_bad("[\\]", "']'");
	expect_bad("abc\\", "backslash");
	expect_bad("[z-a]", "reversed");
}

Test(glob, accepts_good_patterns)
{
	char bytes[200];
	struct text text = TEXT_OVER(bytes);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) - 2; i++)
		cr_expect(glob_check(cases[i].pattern, &text), "%s: %s", cases[i].pattern, bytes);
}
