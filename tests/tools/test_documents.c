/* test_documents.c - the documents against the code: the options of each page are those of the command's own help, the
 * variables those that the code reads, the files those that it names, and the example is a policy without a finding.
 * (test_man.c has the keys, their words and the subcommands.) Started in the root of the repository. */
#include <criterion/criterion.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/policy.h"
#include "shim/table.h"
#include "tests/tools/show.h"
#include "tools/commands.h"
#include "tools/help_text.h"

TestSuite(documents, .init = world_enter, .fini = world_leave, .timeout = 60);

static char text[1 << 22];

/* A file, behind what is in `text` up to `at`. The new end. */
static size_t read_into(size_t at, const char *path)
{
	FILE *file = fopen(path, "re");
	cr_assert(file, "%s", path);
	size_t length = fread(text + at, 1, sizeof(text) - 1 - at, file);
	fclose(file);
	cr_assert_lt(at + length, sizeof(text) - 1);
	text[at + length] = '\0';
	return at + length;
}

/* All files of these patterns, one after the other, into `text`. */
static void read_all(const char *const patterns[])
{
	size_t at = 0;
	for (size_t i = 0; patterns[i]; i++) {
		glob_t found;
		cr_assert_eq(glob(patterns[i], 0, NULL, &found), 0, "%s", patterns[i]);
		for (size_t j = 0; j < found.gl_pathc; j++)
			at = read_into(at, found.gl_pathv[j]);
		globfree(&found);
	}
}

#define READ_ALL(...) read_all((const char *const[]){ __VA_ARGS__, NULL })
#define SOURCES "config/*.[ch]", "shim/*.[ch]", "tools/*.[ch]", "tools/supervise/*.[ch]"
#define PAGES "tools/man/*.[157]"

/* --- options ---------------------------------------------------------------------------------------------- */

/* In `text`, a page: whether an item begins with the option, ".It Fl c Ar file , Fl Fl config Ns = Ns Ar file". */
static bool page_has_option(const char *option)
{
	bool is_long = strncmp(option, "--", 2) == 0;
	char wanted[64];
	snprintf(wanted, sizeof(wanted), is_long ? " Fl Fl %s " : " Fl %s ", option + (is_long ? 2 : 1));
	for (const char *at = text; (at = strstr(at, "\n.It Fl ")) != NULL; at++) {
		char line[256];
		snprintf(line, sizeof(line), "%.*s ", (int)strcspn(at + 1, "\n"), at + 1);
		if (strstr(line, wanted))
			return true;
	}
	return false;
}

static void expect_documented(const char *page, const struct help *help)
{
	for (size_t i = 0; i < help->options; i++) {
		char name[40], letter[3] = { '-', help->option[i].letter, '\0' };
		snprintf(name, sizeof(name), "--%s", help->option[i].name);
		cr_expect(!help->option[i].name[0] || page_has_option(name), "%s: %s", page, name);
		cr_expect(!help->option[i].letter || page_has_option(letter), "%s: %s", page, letter);
	}
}

/* Each option that begins an item of the page is one of the help. */
static void expect_known(const char *page, const struct help *help)
{
	for (const char *at = text; (at = strstr(at, "\n.It Fl ")) != NULL; at++) {
		char line[256], *next;
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
		bool flag = false, twice = false;
		for (char *word = strtok_r(line, " ", &next); word; word = strtok_r(NULL, " ", &next)) {
			if (strcmp(word, "Fl") == 0) {
				twice = flag;
				flag = true;
				continue;
			}
			if (flag && twice)
				cr_expect(help_named(help, word, strlen(word)), "%s: --%s", page, word);
			else if (flag)
				cr_expect(help_lettered(help, word[0]), "%s: -%s", page, word);
			flag = twice = false;
		}
	}
}

static void check_options(const char *name)
{
	char page[100];
	struct help help;
	snprintf(page, sizeof(page), "tools/man/portshim-%s.1", name);
	if (access(page, F_OK) != 0) /* told in portshim(1), without options */
		return;
	SHOW(name, "--help");
	EXPECT_DONE();
	help_read(&help, shown.out);
	cr_expect_gt(help.options, 0, "%s", name);
	read_into(0, page);
	expect_documented(page, &help);
	expect_known(page, &help);
	help_free(&help);
}

Test(documents, options_are_those_of_the_help)
{
#define CHECK(name, words) check_options(#name);
	COMMANDS(CHECK)
#undef CHECK
}

/* The help and what getopt_long() knows: each option that the help has is taken. */
static void expect_taken(const char *name, const struct help_option *option)
{
	char word[48];
	snprintf(word, sizeof(word), "--%s%s", option->name, option->value[0] ? "=" : "");
	SHOW(name, word, "--help"); /* a value may be refused, the option not */
	cr_expect_not(strstr(shown.err, "no such option"), "%s %s: %s", name, word, shown.err);
	snprintf(word, sizeof(word), "-%c%s", option->letter, option->value[0] ? "1" : "");
	if (!option->letter)
		return;
	SHOW(name, word, "--help");
	cr_expect_not(strstr(shown.err, "no such option"), "%s %s: %s", name, word, shown.err);
}

Test(documents, options_of_the_help_are_taken)
{
	static const char *const names[] = {
#define NAME(name, words) #name,
		COMMANDS(NAME)
#undef NAME
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct help help;
		if (strcmp(names[i], "help") == 0)
			continue;
		SHOW(names[i], "--help");
		help_read(&help, shown.out);
		for (size_t j = 0; j < help.options; j++)
			if (help.option[j].name[0])
				expect_taken(names[i], &help.option[j]);
		help_free(&help);
	}
}

/* A page for each command, and no page for none. */
Test(documents, no_page_without_a_command)
{
	glob_t found;
	cr_assert_eq(glob("tools/man/portshim-*.1", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char name[64], words[80];
		snprintf(name, sizeof(name), "%s", strrchr(found.gl_pathv[i], '-') + 1);
		name[strlen(name) - 2] = '\0';
		SHOW("help");
		snprintf(words, sizeof(words), "\n  %s ", name);
		cr_expect(strstr(shown.out, words), "%s", found.gl_pathv[i]);
	}
	globfree(&found);
}

/* --- variables -------------------------------------------------------------------------------------------- */

enum { NAMES_MAX = 64, NAME_SIZE = 48 };

struct names {
	char name[NAMES_MAX][NAME_SIZE];
	size_t n;
};

static bool has_name(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->name[i], name) == 0)
			return true;
	return false;
}

static void add_name(struct names *names, const char *at, size_t length)
{
	char name[NAME_SIZE];
	snprintf(name, sizeof(name), "%.*s", (int)length, at);
	if (has_name(names, name))
		return;
	cr_assert_lt(names->n, NAMES_MAX);
	strcpy(names->name[names->n++], name);
}

static size_t name_length(const char *at)
{
	return strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
}

/* Words of `text` that begin with PORTSHIM_, behind this character ('\0': any). */
static void collect_own(struct names *names, char before)
{
	for (const char *at = text; (at = strstr(at, "PORTSHIM_")) != NULL; at += strlen("PORTSHIM_"))
		if (!before || at[-1] == before)
			add_name(names, at, name_length(at));
}

/* Names that getenv() or a look-up of the same form is asked for in `text`. */
static void collect_asked(struct names *names)
{
	static const char *const functions[] = { "getenv(\"", "lookup(\"", "variable(\"", "facts_variable(\"" };
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		for (const char *at = text; (at = strstr(at, functions[i])) != NULL;) {
			at += strlen(functions[i]);
			add_name(names, at, name_length(at));
		}
}

/* In `text`, the pages. */
static bool page_has_variable(const char *name)
{
	for (const char *at = text; (at = strstr(at, "Ev ")) != NULL; at++) {
		char line[256], *next;
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
		for (char *word = strtok_r(line, " ,$", &next); word; word = strtok_r(NULL, " ,$", &next))
			if (strcmp(word, name) == 0)
				return true;
	}
	return false;
}

Test(documents, variables_are_those_that_the_code_reads)
{
	struct names read = { .n = 0 }, told = { .n = 0 };
	READ_ALL(SOURCES);
	collect_own(&read, '"');
	collect_asked(&read);
	cr_assert(has_name(&read, "PORTSHIM_CONF") && has_name(&read, "NO_COLOR") && has_name(&read, "XDG_CONFIG_HOME") &&
	          has_name(&read, "HOME"), "the search finds those that are known to be there");
	READ_ALL(PAGES);
	for (size_t i = 0; i < read.n; i++)
		cr_expect(page_has_variable(read.name[i]), "%s is read, and no page has it", read.name[i]);
	collect_own(&told, '\0');
	for (size_t i = 0; i < told.n; i++)
		cr_expect(has_name(&read, told.name[i]), "%s is in a page, and nothing reads it", told.name[i]);
	read_into(0, "README.md");
	told.n = 0;
	collect_own(&told, '\0');
	for (size_t i = 0; i < told.n; i++)
		cr_expect(has_name(&read, told.name[i]), "%s is in the README, and nothing reads it", told.name[i]);
}

/* --- files ------------------------------------------------------------------------------------------------ */

/* The last part of a path as a page has it, up to what stands for something else: "/dev/shm/portshim-*" is "portshim-". */
static void stem_of(const char *path, char stem[NAME_SIZE])
{
	size_t length = strcspn(path, " ,\n"), from = length;
	while (from > 0 && path[from - 1] != '/')
		from--;
	snprintf(stem, NAME_SIZE, "%.*s", (int)(length - from), path + from);
	stem[strcspn(stem, "*$")] = '\0';
}

Test(documents, files_are_those_that_the_code_names)
{
	struct names stems = { .n = 0 };
	READ_ALL(PAGES);
	for (const char *page = text; (page = strstr(page, "\n.Sh FILES")) != NULL; page++) {
		const char *end = strstr(page + 1, "\n.Sh ");
		for (const char *at = page; (at = strstr(at, "\n.It ")) != NULL && (!end || at < end); at++) {
			char line[512];
			snprintf(line, sizeof(line), "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
			for (const char *path = line; (path = strstr(path, "Pa ")) != NULL;) {
				char stem[NAME_SIZE];
				path += 3;
				stem_of(path, stem);
				cr_expect(stem[0], "%s", line);
				add_name(&stems, stem, strlen(stem));
			}
		}
	}
	cr_assert_gt(stems.n, 2);
	READ_ALL(SOURCES, "Makefile");
	for (size_t i = 0; i < stems.n; i++)
		cr_expect(strstr(text, stems.name[i]), "no source names %s", stems.name[i]);
}

/* The table's file has the version of its layout in its name. */
Test(documents, the_tables_version)
{
	char words[64];
	snprintf(words, sizeof(words), "Ns .%s\n", TABLE_VERSION);
	read_into(0, "tools/man/libportshim.7");
	cr_expect(strstr(text, words), "%s", words);
}

/* --- the example ------------------------------------------------------------------------------------------ */

static void hear(void *context, enum severity severity, int line, const char *words)
{
	cr_expect_fail("line %d: %s", line, words);
}

Test(documents, the_example_is_without_a_finding)
{
	static const struct policy_world world = { .kernel = { 32768, 60999 }, .passwd = "", .group = "" };
	struct policy policy;
	size_t length = read_into(0, "portshim.conf.example");
	cr_assert(policy_read(&policy, text, length, &world, hear, NULL));
	cr_expect_gt(policy.rules, 5);
	policy_free(&policy);
}

/* So is the policy that portshim.conf(5) shows, but for its users and addresses. */
Test(documents, the_policy_of_the_page)
{
	static const struct policy_world world = { .kernel = { 32768, 60999 }, .passwd = "erp:x:1001:1001:::\n", .group = "" };
	struct policy policy;
	read_into(0, "tools/man/portshim.conf.5");
	char *begin = strstr(text, "\n.Sh EXAMPLES\n.Bd -literal\n");
	cr_assert(begin);
	begin = strchr(begin + 1, '\n') + 1;
	begin = strchr(begin, '\n') + 1;
	char *end = strstr(begin, ".Ed\n");
	cr_assert(end);
	cr_assert(policy_read(&policy, begin, (size_t)(end - begin), &world, hear, NULL));
	policy_free(&policy);
}
