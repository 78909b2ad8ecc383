/* test_man.c - the man pages know what the program knows: every key, its words, every named range, every subcommand;
 * and no key that the program does not know. (test_documents.c has the rest.) Started in the root of the repository. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "config/keys.h"
#include "config/ports.h"
#include "tools/check/advice.h"
#include "tools/commands.h"

static char page[1 << 20];

static void page_read(const char *path)
{
	FILE *file = fopen(path, "re");
	cr_assert(file, "%s", path);
	size_t length = fread(page, 1, sizeof(page) - 1, file);
	page[length] = '\0';
	fclose(file);
}

/* Whether the page has `word` in one of its requests `macro`: ".Cm word", ".It Cm a , word". */
static bool page_has(const char *macro, const char *word)
{
	char line[512], *next;
	for (const char *at = page; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
		char *start = line[0] == '.' ? strstr(line, macro) : NULL;
		for (char *item = start ? strtok_r(start, " ", &next) : NULL; item; item = strtok_r(NULL, " ", &next))
			if (strcmp(item, word) == 0)
				return true;
	}
	return false;
}

Test(man, every_key_is_documented)
{
	size_t n;
	const struct key *keys = keys_table(&n);
	page_read("tools/man/portshim.conf.5");
	for (size_t i = 0; i < n; i++)
		cr_expect(page_has("It Ic ", keys[i].name), "%s", keys[i].name);
}

Test(man, every_documented_key_is_known)
{
	static const char item[] = "\n.It Ic ";
	size_t documented = 0, n;
	keys_table(&n);
	page_read("tools/man/portshim.conf.5");
	for (const char *at = page; (at = strstr(at, item)) != NULL; documented++) {
		at += sizeof(item) - 1;
		cr_expect(keys_find(SECTION_ANY, at, strcspn(at, " \n")), "%.*s", (int)strcspn(at, "\n"), at);
	}
	cr_expect_eq(documented, n);
}

Test(man, every_word_that_a_key_knows_is_documented)
{
	size_t n;
	const struct key *keys = keys_table(&n);
	page_read("tools/man/portshim.conf.5");
	for (size_t i = 0; i < n; i++)
		for (const struct word *word = keys[i].words; word && word->name; word++)
			cr_expect(page_has("Cm ", word->name), "%s = %s", keys[i].name, word->name);
	for (size_t i = 0; ports_range_name(i); i++)
		cr_expect(page_has("It Cm ", ports_range_name(i)), "%s", ports_range_name(i));
}

/* Those that take no argument worth a page are told in portshim(1) alone. */
static bool has_page(const char *name)
{
	return strcmp(name, "help") != 0 && strcmp(name, "version") != 0;
}

static void check_command(const char *name)
{
	char path[100];
	page_read("tools/man/portshim.1");
	cr_expect(page_has("It Cm ", name), "%s", name);
	if (!has_page(name))
		return;
	snprintf(path, sizeof(path), "portshim-%s", name);
	cr_expect(page_has("Xr ", path), "%s", path);
	snprintf(path, sizeof(path), "tools/man/portshim-%s.1", name);
	page_read(path);
	cr_expect(page_has("Cm ", name), "%s", path);
}

Test(man, every_subcommand_is_documented)
{
#define DOCUMENTED(name, words) check_command(#name);
	COMMANDS(DOCUMENTED)
#undef DOCUMENTED
}

Test(man, every_check_is_documented)
{
	page_read("tools/man/portshim-check.1");
	for (int i = 0; i < ADVICE_CHECK_NAMES; i++)
		cr_expect(page_has("It Cm ", advice_check_word((enum advice_check)i)), "%s",
		          advice_check_word((enum advice_check)i));
}

Test(man, every_documented_check_is_known)
{
	static const char item[] = "\n.It Cm ";
	size_t documented = 0;
	page_read("tools/man/portshim-check.1");
	for (const char *at = page; (at = strstr(at, item)) != NULL; documented++)
		at += sizeof(item) - 1;
	cr_expect_eq(documented + 1, ADVICE_CHECK_NAMES); /* one item has two */
}
