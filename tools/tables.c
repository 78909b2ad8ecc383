/* tables.c - looks for tables by their names. */
#define _GNU_SOURCE
#include "tools/tables.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shim/table.h"
#include "tools/memory.h"

#define FOLDER "/dev/shm"
#define PREFIX "portshim-"

static size_t digits(const char *at)
{
	return strspn(at, "0123456789");
}

/* "portshim-UID-NETNS.VERSION", as table_path() makes it. */
static bool is_table(const char *name)
{
	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0)
		return false;
	name += sizeof(PREFIX) - 1;
	size_t user = digits(name);
	if (!user || name[user] != '-')
		return false;
	name += user + 1;
	size_t network = strcspn(name, ".");
	return network && strcmp(name + network, "." TABLE_VERSION) == 0;
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

void tables_find(struct tables *tables)
{
	DIR *folder = opendir(FOLDER);
	*tables = (struct tables){ .n = 0 };
	for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
		if (!is_table(entry->d_name))
			continue;
		tables->path = memory_for_one(tables->path, tables->n, &tables->room, sizeof(*tables->path));
		tables->path[tables->n++] = memory_words(FOLDER "/%s", entry->d_name);
	}
	if (folder)
		closedir(folder);
	if (tables->n)
		qsort(tables->path, tables->n, sizeof(*tables->path), by_name);
}

size_t tables_of_others(const struct tables *tables, uint32_t user)
{
	size_t n = 0;
	for (size_t i = 0; i < tables->n; i++)
		n += strtoul(tables->path[i] + sizeof(FOLDER "/" PREFIX) - 1, NULL, 10) != user;
	return n;
}

void tables_free(struct tables *tables)
{
	for (size_t i = 0; i < tables->n; i++)
		free(tables->path[i]);
	free(tables->path);
	*tables = (struct tables){ .n = 0 };
}
