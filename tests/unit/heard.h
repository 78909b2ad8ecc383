/* heard.h - reads a policy from a string and keeps what was found, for the tests of config/. */
#ifndef PORTSHIM_TESTS_UNIT_HEARD_H
#define PORTSHIM_TESTS_UNIT_HEARD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "config/policy.h"

struct heard {
	int n, errors;
	struct {
		enum severity severity;
		int line;
		char words[512];
	} at[64];
};

static const struct policy_world test_world = {
	.kernel = { 32768, 60999 },
	.passwd = "root:x:0:0:root:/root:/bin/sh\nerp:x:1001:1002::/opt/erp:/bin/sh\nbroken\nerplong:x:7:7::/:/bin/sh\n",
	.group = "root:x:0:\nstaff:x:50:erp,root\nlast:x:77:",
};

static void hear(void *context, enum severity severity, int line, const char *words)
{
	struct heard *heard = context;

	if (heard->n < 64) {
		heard->at[heard->n].severity = severity;
		heard->at[heard->n].line = line;
		snprintf(heard->at[heard->n].words, sizeof(heard->at[0].words), "%s", words);
	}
	heard->n++;
	heard->errors += severity == SEVERITY_ERROR;
	cr_expect_null(strchr(words, '\n'), "a finding is one line: %s", words);
}

static inline bool read_bytes(struct policy *policy, const char *text, size_t length, struct heard *heard)
{
	bool good;

	memset(heard, 0, sizeof(*heard));
	good = policy_read(policy, text, length, &test_world, hear, heard);
	cr_expect_eq(good, heard->errors == 0, "refused if and only if there was an error");
	return good;
}

static inline bool read_text(struct policy *policy, const char *text, struct heard *heard)
{
	return read_bytes(policy, text, strlen(text), heard);
}

static inline void heard_print(const char *text, const struct heard *heard)
{
	printf("--- of:\n%s\n--- was heard:\n", text);
	for (int i = 0; i < heard->n && i < 64; i++)
		printf("%d: %s\n", heard->at[i].line, heard->at[i].words);
}

/* A good policy without any finding; to be freed. */
static inline struct policy good_policy(const char *text)
{
	struct policy policy;
	struct heard heard;
	bool good = read_text(&policy, text, &heard);

	if (heard.n)
		heard_print(text, &heard);
	cr_assert(good && heard.n == 0);
	return policy;
}

/* Exactly one finding: this severity, line and words among others. */
static inline void expect_finding(const char *text, enum severity severity, int line, const char *words)
{
	struct policy policy;
	struct heard heard;

	if (read_text(&policy, text, &heard))
		policy_free(&policy);
	if (heard.n != 1 || !strstr(heard.at[0].words, words))
		heard_print(text, &heard);
	cr_expect_eq(heard.n, 1, "one finding, and nothing that follows from it");
	cr_expect_eq(heard.at[0].severity, severity);
	cr_expect_eq(heard.at[0].line, line, "line %d, not %d", line, heard.at[0].line);
	cr_expect(strstr(heard.at[0].words, words), "'%s' in: %s", words, heard.at[0].words);
}

static inline void expect_error(const char *text, int line, const char *words)
{
	expect_finding(text, SEVERITY_ERROR, line, words);
}

/* The line `line` in a rule that is good without it; it is the file's third. */
static inline void expect_key_error(const char *line, const char *words)
{
	char text[2048];

	snprintf(text, sizeof(text), "[rule a]\nports = 20000-20099\n%s\n", line);
	expect_error(text, 3, words);
}

#endif
