/* test_needs.c - what the library asks of a sandbox: the system calls that it makes are those that libportshim(7) names, each in its
 * place. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/faulty.h"

#define PAGE "tools/man/libportshim.7"
#define NAMES 64

struct names {
	char name[NAMES][24];
	int n;
};

static bool has(const struct names *names, const char *name)
{
	for (int i = 0; i < names->n; i++)
		if (strcmp(names->name[i], name) == 0)
			return true;
	return false;
}

static void add(struct names *names, const char *name)
{
	if (has(names, name))
		return;
	cr_assert_lt(names->n, NAMES);
	snprintf(names->name[names->n++], sizeof(names->name[0]), "%s", name);
}

/* Those that the page names in an item of its list. */
static struct names named(const char *item)
{
	struct names names = { .n = 0 };
	char line[256], name[24];
	FILE *page = fopen(PAGE, "re");
	bool within = false;

	cr_assert_not_null(page, "%s: the tests run in the top folder", PAGE);
	while (fgets(line, sizeof(line), page)) {
		if (strncmp(line, ".It ", 4) == 0 || strncmp(line, ".El", 3) == 0)
			within = strncmp(line + 4, item, strlen(item)) == 0 && line[1] == 'I';
		else if (within && sscanf(line, ".Xr %23s 2", name) == 1 && strcmp(name, "fork") != 0)
			add(&names, name);
	}
	fclose(page);
	cr_assert_gt(names.n, 0, "no item \"%s\"", item);
	return names;
}

/* Names as the manual's section 2 has them. */
static const char *page_of(const char *call)
{
	return strcmp(call, "newfstatat") == 0 ? "fstat" : strcmp(call, "prlimit64") == 0 ? "prlimit" : call;
}

/* Those that a scene makes, the program's own among them. */
static struct names made(const char *scene, const char *keys, int lo)
{
	const struct faulty faulty = { scene, "", keys, lo, 0 };
	struct names names = { .n = 0 };

	faulty_play("list", &faulty);
	for (const char *line = faulty_run.out; line; line = strchr(line, '\n')) {
		char call[24];

		line += *line == '\n';
		if (sscanf(line, "call %*d %*d %23[^(]", call) == 1)
			add(&names, page_of(call));
	}
	cr_assert_gt(names.n, 0, "%s", faulty_run.out);
	return names;
}

static void all_named(const char *scene, const char *keys, int lo, const char *const items[])
{
	struct names names = made(scene, keys, lo);

	for (int i = 0; i < names.n; i++) {
		/* the program's own */
		bool found = strcmp(names.name[i], "connect") == 0 || strcmp(names.name[i], "socket") == 0 || strcmp(names.name[i], "sendto") == 0;

		for (int item = 0; items[item] && !found; item++) {
			struct names those = named(items[item]);

			found = has(&those, names.name[i]);
		}
		cr_expect(found, "%s: %s(2) is not in " PAGE, scene, names.name[i]);
	}
}

#define FIRST "The first call"
#define EACH "Each call"
#define SOMEBODY "Where somebody"
#define SHORT "Where ports run short"
#define ITEMS(...) ((const char *const[]){ __VA_ARGS__, NULL })

TestSuite(needs, .timeout = 120);

Test(needs, first_calls)
{
	all_named("first-connect", NONE, ITEMS(FIRST, EACH));
	all_named("first-connect6", LATE, ITEMS(FIRST, EACH));
	all_named("first-send", NONE, ITEMS(FIRST, EACH));
}

Test(needs, later_calls)
{
	all_named("connect", NONE, ITEMS(EACH));
	all_named("connect", LATE, ITEMS(EACH));
	all_named("connect", "share = never\n", 20000, ITEMS(EACH));
	all_named("send", NONE, ITEMS(EACH));
}

Test(needs, doubt_and_want)
{
	all_named("doubt", NONE, ITEMS(EACH, SOMEBODY));
	all_named("sweep", NONE, ITEMS(EACH, SOMEBODY, SHORT));
	all_named("used-up", NONE, ITEMS(EACH, SOMEBODY, SHORT));
	all_named("used-up", "exhausted = wait 10ms\n", 20000, ITEMS(EACH, SOMEBODY, SHORT));
}

/* Each of the first item is made: nothing is asked for in vain. (access(2) looks for a policy that no variable names.) */
Test(needs, nothing_in_vain)
{
	struct names names = named(FIRST), those = made("first-connect", NONE);

	for (int i = 0; i < names.n; i++)
		cr_expect(has(&those, names.name[i]) || strcmp(names.name[i], "access") == 0, "%s(2)",
		          names.name[i]);
}
