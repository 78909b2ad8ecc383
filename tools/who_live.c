/* who_live.c - joins what tables and the kernel say of some ports. */
#define _GNU_SOURCE
#include "tools/who_live.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/memory.h"
#include "tools/tables.h"
#include "tools/utf8.h"
#include "tools/when.h"

/* Of one socket, or of one 4-tuple that no process has any more. */
static bool same_use(const struct row *one, const struct row *other)
{
	return one->protocol == other->protocol && one->local.port == other->local.port && one->inode == other->inode &&
	       (one->inode || same_endpoint(&one->to, &other->to));
}

/* A table that gave the port knows more than one that did not. */
static unsigned rank(const struct row *row)
{
	return (row->state != ROW_OUTSIDE) * 2u + (row->rule != NO_RULE);
}

static struct live *place_for(struct live_list *list, const struct row *row)
{
	for (size_t i = 0; i < list->n; i++)
		if (same_use(&list->live[i].row, row))
			return rank(row) > rank(&list->live[i].row) ? &list->live[i] : NULL;
	list->live = memory_for_one(list->live, list->n, &list->room, sizeof(*list->live));
	list->live[list->n] = (struct live){ .program = NULL };
	return &list->live[list->n++];
}

static void live_set(struct live *live, const struct snapshot *snapshot, const struct row *row)
{
	char path[PATH_MAX];
	int64_t now = when_now();
	free(live->program);
	*live = (struct live){ .row = *row };
	if (row->rule != NO_RULE)
		memcpy(live->rule, snapshot->rule[row->rule].name, sizeof(live->rule));
	if (row->since_known && (int64_t)row->since_ms < now / 1000)
		live->since = now - (int64_t)row->since_ms * 1000;
	if (row->program[0] == '\0') /* it is no more, or another one has its number */
		return;
	program_path(row->pid, path, sizeof(path));
	live->program = memory_words("%s", path[0] ? path : row->program);
	utf8_clean(live->program);
}

/* One table's part of it. */
struct part {
	struct live_list *list;
	struct snapshot *snapshot;
	const struct table *table; /* NULL: what the kernel says alone */
	uint16_t lo, hi;
	const struct table_file *file; /* of others_look() */
};

static void part_look(void *context)
{
	const struct part *part = context;
	memset(part->snapshot, 0, sizeof(*part->snapshot));
	if (part->table)
		snapshot_take(part->snapshot, part->table, NULL);
	snapshot_ports(part->snapshot, part->lo, part->hi);
	snapshot_who(part->snapshot, part->table);
}

/* Of a table that is of another network namespace, or cannot be looked into, nothing. */
static void others_look(void *context)
{
	struct part *part = context;
	int error;
	part->table = table_file_look(part->file, &error);
	if (part->table && snapshot_is_here(part->table))
		part_look(part);
}

static void part_join(const struct part *part)
{
	for (size_t i = 0; i < part->snapshot->rows; i++) {
		struct live *live = place_for(part->list, &part->snapshot->row[i]);
		if (live)
			live_set(live, part->snapshot, &part->snapshot->row[i]);
	}
	snapshot_free(part->snapshot);
}

/* Whose tables cannot be looked into is passed over. */
static void others_join(struct part *part, const struct table_file *own)
{
	static struct table_file file;
	struct tables tables;
	tables_find(&tables);
	for (size_t i = 0; i < tables.n; i++) {
		if (strcmp(tables.path[i], own->path) == 0 || table_file_choose(&file, tables.path[i], NULL) != EXIT_SUCCESS)
			continue;
		memset(part->snapshot, 0, sizeof(*part->snapshot));
		part->table = NULL;
		part->file = &file;
		if (table_file_guarded(others_look, part))
			part_join(part);
		table_file_leave(part->table);
	}
	tables_free(&tables);
}

static int by_port(const void *a, const void *b)
{
	const struct row *one = &((const struct live *)a)->row, *other = &((const struct live *)b)->row;
	const uint64_t keys[][2] = {
		{ one->local.port, other->local.port }, { one->protocol, other->protocol },
		{ one->to.addr.family, other->to.addr.family }, { one->to.addr.hi, other->to.addr.hi },
		{ one->to.addr.lo, other->to.addr.lo }, { one->to.port, other->to.port }, { one->inode, other->inode },
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	return 0;
}

int live_find(struct live_list *list, const struct table_file *file, bool others, uint16_t lo, uint16_t hi)
{
	int error;
	*list = (struct live_list){ .n = 0 };
	const struct table *table = table_file_look(file, &error);
	if (error)
		return table_file_failed(file, error);
	struct part part = { .list = list, .snapshot = memory_zeroed(1, sizeof(struct snapshot)), .table = table,
	                     .lo = lo, .hi = hi };
	part_look(&part);
	list->error = part.snapshot->error;
	table_file_warn(file, list->error);
	part_join(&part);
	table_file_leave(table);
	if (others)
		others_join(&part, file);
	free(part.snapshot);
	if (list->n)
		qsort(list->live, list->n, sizeof(*list->live), by_port);
	return EXIT_SUCCESS;
}

void live_free(struct live_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->live[i].program);
	free(list->live);
	*list = (struct live_list){ .n = 0 };
}
