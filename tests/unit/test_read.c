/* test_read.c - raw lines: whatever inih would cut, merge or mistake is refused with its line. */
#include <ini.h>

#include "heard.h"

/* A rule whose program list is made of these bytes behind "program = ", and nothing is found wrong. */
static struct policy with_program(const char *rest)
{
	char text[2048];

	snprintf(text, sizeof(text), "[rule a]\nports = 1-2\nprogram = %s", rest);
	return good_policy(text);
}

static void expect_program(const char *rest, uint32_t n, const char *const *wanted)
{
	struct policy policy = with_program(rest);

	cr_expect_eq(policy.rule[0].program.n, n, "%s", rest);
	for (uint32_t i = 0; i < n && i < policy.rule[0].program.n; i++)
		cr_expect_str_eq(policy.rule[0].program.item[i], wanted[i]);
	policy_free(&policy);
}

Test(read, comments)
{
	struct policy policy = good_policy("; a comment\n# another = one\n\n  ; indented\n\t# too\n"
	                                   "[rule a] ; behind a section\nports = 1-2 ; behind a value\n"
	                                   "program = a;b, c\t; behind a tab\nenv = A=x ;y");

	cr_assert_eq(policy.rules, 1);
	cr_assert_str_eq(policy.rule[0].program.item[0], "a;b");
	cr_assert_str_eq(policy.rule[0].program.item[1], "c");
	cr_assert_str_eq(policy.rule[0].env.item[0], "A=x");
	policy_free(&policy);
}

Test(read, a_comment_may_be_long_and_sets_nothing)
{
	char text[1000] = "[rule a]\nports = 1-2\n;";

	memset(text + strlen(text), 'x', 200);
	strcat(text, "\n;");
	memset(text + strlen(text), ' ', 197); /* where inih would begin a new line */
	strcat(text, "action = deny\n");
	struct policy policy = good_policy(text);

	cr_assert_eq(policy.rule[0].action, ACTION_ASSIGN);
	policy_free(&policy);
}

Test(read, a_number_sign_behind_a_value_is_no_comment)
{
	expect_key_error("program = java # the JVM", "' ;'");
	expect_key_error("call = #connect", "' ;'");
	expect_error("[rule a]\nports = 1\nprogram = a,\n  b # x\n", 4, "' ;'");
}

Test(read, the_longest_line)
{
	char text[1000] = "[rule a]\nports = 1-2\nprogram = ", name[400];
	struct policy policy;

	memset(name, 'x', sizeof(name));
	name[198 - strlen("program = ")] = '\0'; /* with newline and NUL: the 200 bytes that inih has */
	strcat(text, name);
	strcat(text, "\r\naction = assign\n");
	policy = good_policy(text);
	cr_assert_str_eq(policy.rule[0].program.item[0], name);
	policy_free(&policy);
}

Test(read, a_line_too_long_is_refused)
{
	char line[1000] = "program = ";

	for (size_t length = 199; length < 450; length += length < 205 ? 1 : 49) {
		memset(line + 10, 'x', sizeof(line) - 10);
		line[length] = '\0';
		expect_key_error(line, "no more than 198");
	}
}

Test(read, the_tail_of_a_long_line_sets_nothing)
{
	char text[600];

	snprintf(text, sizeof(text), "[rule a]\nports = 1-2\nprogram = x%*s\n", 195, "action=deny");
	expect_error(text, 3, "no more than 198");
	snprintf(text, sizeof(text), "[rule a]\nports = 1-2\n%*s\n", 230, "program = x");
	expect_error(text, 3, "no more than 198");
	snprintf(text, sizeof(text), "[rule a]\nports = 1-2\n[rule b]%*s\nports = 1-2\n", 230, "[rule c]");
	expect_error(text, 3, "no more than 198");
}

Test(read, section_names_that_inih_would_cut_and_merge)
{
	char text[300], name[46];
	struct policy policy;
	struct heard heard;

	memset(name, 'n', sizeof(name));
	name[45] = '\0';
	snprintf(text, sizeof(text), "[rule %.44s]\nports = 1\n", name);
	policy = good_policy(text);
	cr_assert_str_eq(policy.rule[0].name, name + 1);
	policy_free(&policy);
	snprintf(text, sizeof(text), "[rule %.45s]\nports = 1\n", name);
	expect_error(text, 1, "no more than 49");
	snprintf(text, sizeof(text), "[rule %.44s1]\nports = 1\n[rule %.44s2]\nports = 2\n", name, name);
	cr_assert_not(read_text(&policy, text, &heard));
	cr_assert(heard.n == 2 && heard.at[0].line == 1 && heard.at[1].line == 3);
}

Test(read, sections_that_are_not_closed_or_go_on)
{
	expect_error("[rule a\nports = 1\n", 1, "']'");
	expect_error("[rule a ;b]\nports = 1\n", 1, "']'");
	expect_error("[rule a] ports = 1\nports = 2\n", 1, "behind the ']'");
	expect_error("[rule a]b]\nports = 1\n", 1, "behind the ']'");
	expect_error("[rule a] # c\nports = 1\n", 1, "' ;'");
	expect_error("[]\nports = 1\n", 1, "[rule NAME]");
}

Test(read, what_follows_a_refused_section_is_not_the_last_ones)
{
	struct policy policy;
	struct heard heard;

	cr_assert_not(read_text(&policy, "[rule a]\nports = 1\n[rule b\nports = 2\nprots = 3\n", &heard));
	cr_assert_eq(heard.n, 2); /* no "ports is there already" */
	cr_assert_eq(heard.at[0].line, 3);
	cr_assert_eq(heard.at[1].line, 5);
}

Test(read, colons)
{
	expect_error("[rule a]\nports: 1-2\n", 2, "KEY = VALUE");
	expect_key_error("to:x = 10.0.0.1", "before the '='");
	expect_key_error(":program = x", "before the '='");
	expect_key_error("program : a = b", "before the '='");
	struct policy policy = good_policy("[rule a]\nports=1\nto=10.0.0.1:80\n"); /* in a value it is one byte of many */

	cr_assert_eq(policy.rule[0].to[0].port_lo, 80);
	policy_free(&policy);
}

Test(read, lines_that_say_nothing)
{
	expect_key_error("program", "no '='");
	expect_key_error("program ; = x", "no '='");
	expect_key_error("= x", "no key");
	expect_key_error("program =", "no value");
	expect_key_error("program =   ; x", "no value");
	expect_key_error("program = \t", "no value");
	expect_key_error("a-key-that-is-so-long-that-inih-would-have-cut-it-off = 1", "too long");
}

Test(read, control_bytes)
{
	struct policy policy;
	struct heard heard;
	static const char with_nul[] = "[rule a]\nports = 1\nprogram = a\0b\n";

	cr_assert_not(read_bytes(&policy, with_nul, sizeof(with_nul) - 1, &heard));
	cr_assert(heard.n == 1 && heard.at[0].line == 3);
	cr_assert(strstr(heard.at[0].words, "control byte 0 in column 12"), "%s", heard.at[0].words);
	expect_key_error("program = a\x01", "control byte 1");
	expect_key_error("program = a\x7f", "control byte 127");
	expect_key_error("program = a\vb", "control byte 11");
	expect_key_error("program = a\rcall = send", "control byte 13");
	expect_key_error("; a comment\f", "control byte 12");
	expect_error("[rule a\x02]\nports = 1\n", 1, "control byte 2");
}

/* U+0080 to U+009F: a terminal obeys them like those below 32 (U+009B is ESC and '['). */
Test(read, control_characters_of_two_bytes)
{
	expect_key_error("program = a\xc2\x9b", "control character U+009B in column 12");
	expect_error("[rule a\xc2\x80]\nports = 1\n", 1, "control character U+0080 in column 8");
	cr_assert_str_eq(good_policy("[rule a\xc2\xa0]\nports = 1\n").rule[0].name, "a\xc2\xa0");
}

Test(read, ends_of_lines)
{
	struct policy policy = good_policy("\xef\xbb\xbf[rule a]\r\nports = 1\r\n\r\nprogram = x,\r\n y");

	cr_assert_str_eq(policy.rule[0].name, "a");
	cr_assert_eq(policy.rule[0].program.n, 2);
	cr_assert_str_eq(policy.rule[0].program.item[1], "y");
	policy_free(&policy);
	policy = good_policy("");
	cr_assert_eq(policy.rules, 0);
	policy_free(&policy);
	policy = good_policy("\xef\xbb\xbf");
	policy_free(&policy);
	policy = good_policy("; nothing but a comment, no newline");
	policy_free(&policy);
	policy = good_policy("[rule a]\nports = 1"); /* what is behind the last byte is not looked at */
	policy_free(&policy);
}

Test(read, does_not_read_beyond_the_length)
{
	struct policy policy;
	struct heard heard;

	cr_assert(read_bytes(&policy, "[rule a]\nports = 12345", 19, &heard));
	cr_assert_eq(policy.rule[0].ports.count, 1);
	cr_assert(ports_contain(&policy.rule[0].ports, 12));
	policy_free(&policy);
}

Test(read, lists_go_on_behind_a_comma)
{
	static const char *const three[] = { "a", "b", "c" };

	expect_program("a, b, c", 3, three);
	expect_program("a,\n  b,\n\tc\n", 3, three);
	expect_program("a, ; first\n  b, ; second\n\n  ; a comment between\n  c ; third\n", 3, three);
	expect_program("a,b\t,\n c\naction = assign\n", 3, three);
	expect_program("a,\r\n b,\r\n c\r\n", 3, three);
}

Test(read, an_indented_line_behind_a_whole_value_is_a_key)
{
	struct policy policy = good_policy("[rule a]\n\tports = 1-2\n\tprogram = a\n    call = connect\n  [rule b]\n  ports = 3\n");

	cr_assert_eq(policy.rules, 2);
	cr_assert_eq(policy.rule[0].program.n, 1);
	cr_assert_eq(policy.rule[0].calls, CALL_CONNECT);
	cr_assert_str_eq(policy.rule[1].name, "b");
	policy_free(&policy);
	expect_error("[rule a]\nports = 1-2\nprogram = a\n  b\n", 4, "no '='");
}

Test(read, a_comma_at_the_end_wants_a_line_to_follow)
{
	expect_key_error("program = a,", "ends in a comma");
	expect_key_error("program = a,\naction = assign", "ends in a comma");
	expect_key_error("program = a,\n[rule b]\nports = 1", "ends in a comma");
	expect_key_error("program = a,\n; nothing but comments\n", "ends in a comma");
	expect_error("[rule a]\nports = 1\nprogram = a,\n  b,\n", 4, "ends in a comma");
}

Test(read, an_indented_key_or_section_is_no_item)
{
	expect_key_error("program = a,\n  action = assign", "ends in a comma");
	expect_key_error("program = a,\n  share=never", "ends in a comma");
	expect_key_error("env = A=x,\n  user=erp", "ends in a comma");
	expect_key_error("program = a,\n  [rule b]\n  ports = 1", "ends in a comma");
	expect_key_error("program = a,\n  [portshim]\n  log = info", "ends in a comma");
}

Test(read, items_that_look_like_something_else)
{
	struct policy policy = good_policy("[rule a]\nports = 1\nto = 10.0.0.1,\n  [2001:db8::]/32:443\n"
	                                   "env = A=x,\n  B=y,\n  lower=z\nprogram = a,\n  [abc]*\n");

	cr_assert_eq(policy.rule[0].n_to, 2);
	cr_assert_eq(policy.rule[0].to[1].net.family, FAMILY_IPV6);
	cr_assert_eq(policy.rule[0].env.n, 3);
	cr_assert_str_eq(policy.rule[0].env.item[2], "lower=z");
	cr_assert_str_eq(policy.rule[0].program.item[1], "[abc]*");
	policy_free(&policy);
}

Test(read, empty_items)
{
	expect_key_error("program = a,,b", "empty item");
	expect_key_error("program = , a", "empty item");
	expect_key_error("program = a, ,\n  b", "empty item");
	expect_error("[rule a]\nports = 1\nprogram = a,\n  , b\n", 4, "empty item");
}

Test(read, a_scalar_cannot_go_on)
{
	expect_key_error("choose = random,\n  random", "takes one value");
	expect_key_error("share = never,", "'never,'");
}

Test(read, what_continues_a_refused_line_says_nothing)
{
	char text[700];

	snprintf(text, sizeof(text), "[rule a]\nports = 1\nprogram = %*s,\n  x,\n  y\ncall = sned\n", 220, "x");
	struct policy policy;
	struct heard heard;

	cr_assert_not(read_text(&policy, text, &heard));
	cr_assert_eq(heard.n, 2);
	cr_assert_eq(heard.at[0].line, 3);
	cr_assert_eq(heard.at[1].line, 6);
}

Test(read, a_refused_continuation_causes_no_other_error)
{
	expect_error("[rule a]\nports = 1,\n  2,\n  3\x01,\n  oops,\n  4\nprogram = x\n", 4, "control byte");
}

Test(read, keys_before_a_section)
{
	expect_error("ports = 1\nprogram = x\n[rule a]\nports = 1\n", 1, "before any section");
}

Test(read, inih_is_as_the_reader_takes_it_to_be)
{
	cr_assert(ini_use_stack, "or it would call malloc");
	cr_assert_eq(ini_max_line, 200);
	cr_assert(ini_allow_multiline && ini_allow_inline_comments && !ini_allow_no_value);
}
