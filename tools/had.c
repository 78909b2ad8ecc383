/* had.c - keeps the assignments of some ports, and lets go of those that no longer matter. */
#define _GNU_SOURCE
#include "tools/had.h"

#include <stdlib.h>
#include <string.h>

#include "config/policy.h"
#include "tools/memory.h"

#define LIMIT_LEAST 8192u
#define NEWEST 2048u        /* so many are never let go of before the end */
#define MOST (1u << 20)     /* some 300 MB of them */

/* ---- order ------------------------------------------------------------------------------------------- */

static int compare_age(const struct had *one, const struct had *other)
{
	if (one->moment != other->moment)
		return one->moment > other->moment ? -1 : 1;
	return one->number > other->number ? -1 : one->number < other->number;
}

static int newest_first(const void *a, const void *b)
{
	return compare_age(*(const struct had *const *)a, *(const struct had *const *)b);
}

/* Those that can only have had the port one after the other stand together. */
static int compare_place(const struct had *one, const struct had *other)
{
	if (one->port != other->port)
		return one->port < other->port ? -1 : 1;
	if (one->protocol != other->protocol)
		return one->protocol < other->protocol ? -1 : 1;
	return strcmp(one->local, other->local);
}

static int compare_destination(const struct had *one, const struct had *other)
{
	if (one->remote_port != other->remote_port)
		return one->remote_port < other->remote_port ? -1 : 1;
	return strcmp(one->remote, other->remote);
}

static int by_place(const void *a, const void *b)
{
	const struct had *one = *(const struct had *const *)a, *other = *(const struct had *const *)b;
	int order = compare_place(one, other);
	return order ? order : compare_age(one, other);
}

static int by_destination(const void *a, const void *b)
{
	const struct had *one = *(const struct had *const *)a, *other = *(const struct had *const *)b;
	int order = compare_place(one, other);
	order = order ? order : compare_destination(one, other);
	return order ? order : compare_age(one, other);
}

static void sort(struct had_list *list, size_t from, int (*compare)(const void *, const void *))
{
	if (list->n > from)
		qsort(list->item + from, list->n - from, sizeof(struct had *), compare);
}

/* ---- what no longer matters ---------------------------------------------------------------------------- */

/* Whether the port could have no sharers. */
static bool is_exclusive(const struct had *had)
{
	return had->call != CALL_CONNECT;
}

/* Drops the item at `i`; the others of [from, n) move up at the end of the pass, over what became NULL. */
static void drop(struct had_list *list, size_t i)
{
	free(list->item[i]);
	list->item[i] = NULL;
}

static void close_up(struct had_list *list, size_t from)
{
	size_t kept = from;
	for (size_t i = from; i < list->n; i++)
		if (list->item[i])
			list->item[kept++] = list->item[i];
	list->n = kept;
}

/* Behind one that needed the port for itself, and such a one behind any. */
static void drop_by_place(struct had_list *list, size_t from)
{
	struct had *place = NULL; /* the newest of those that were kept */
	bool any = false, exclusive = false;
	sort(list, from, by_place);
	for (size_t i = from; i < list->n; i++) {
		struct had *had = list->item[i];
		if (!place || compare_place(place, had) != 0) {
			place = had;
			any = exclusive = false;
		}
		if (exclusive || (any && is_exclusive(had))) {
			drop(list, i); /* never `place`: nothing is known yet where that is set */
			continue;
		}
		any |= had->moment <= list->query.moment.from;
		exclusive |= had->moment <= list->query.moment.from && is_exclusive(had);
	}
	close_up(list, from);
}

/* Behind one towards the same destination. */
static void drop_by_destination(struct had_list *list, size_t from)
{
	const struct had *newer = NULL; /* the oldest of those that were kept */
	sort(list, from, by_destination);
	for (size_t i = from; i < list->n; i++) {
		struct had *had = list->item[i];
		if (newer && newer->moment <= list->query.moment.from && compare_place(newer, had) == 0 &&
		    compare_destination(newer, had) == 0)
			drop(list, i);
		else
			newer = had;
	}
	close_up(list, from);
}

static void keep_newest(struct had_list *list, size_t most)
{
	for (size_t i = most; i < list->n; i++)
		free(list->item[i]);
	list->n = list->n < most ? list->n : most;
}

/* `newest`: of so many nothing is let go. */
static void let_go(struct had_list *list, size_t newest)
{
	sort(list, 0, newest_first);
	if (!list->query.has_moment) {
		keep_newest(list, list->query.last + newest);
		return;
	}
	if (list->n > newest) {
		drop_by_place(list, newest);
		drop_by_destination(list, newest);
		sort(list, 0, newest_first);
	}
	list->cut |= list->n > MOST;
	keep_newest(list, MOST);
}

/* ---- heard ------------------------------------------------------------------------------------------- */

static bool is_towards(const struct target *target, const struct audit_entry *entry)
{
	struct endpoint to = { .port = entry->remote_port };
	return entry->remote && addr_parse(&to.addr, entry->remote) && target_covers(target, &to);
}

static bool is_asked_for(const struct had_query *query, const struct audit_entry *entry)
{
	return entry->port >= query->lo && entry->port <= query->hi &&
	       (!query->protocols || entry->protocol & query->protocols) &&
	       (!query->has_moment || entry->moment <= query->moment.to || entry->event == AUDIT_REFUSED) &&
	       (!query->has_to || is_towards(&query->to, entry));
}

/* One piece of memory with its words. */
static struct had *had_new(const struct audit_entry *entry, uint64_t number)
{
	const char *words[] = { entry->rule, entry->program, entry->local ? entry->local : "",
	                        entry->remote ? entry->remote : "" };
	size_t length[4], size = 0;
	for (size_t i = 0; i < 4; i++)
		size += length[i] = strlen(words[i]) + 1;
	struct had *had = memory_zeroed(1, sizeof(*had) + size);
	const char **place[] = { &had->rule, &had->program, &had->local, &had->remote };
	char *to = had->words;
	for (size_t i = 0; i < 4; to += length[i++])
		*place[i] = memcpy(to, words[i], length[i]);
	had->moment = entry->moment;
	had->number = number;
	had->pid = entry->pid;
	had->user = entry->user;
	had->port = entry->port;
	had->remote_port = entry->remote_port;
	had->protocol = entry->protocol;
	had->call = entry->call;
	return had;
}

static bool is_of(const struct had *had, const struct audit_entry *entry)
{
	return had->pid == entry->pid && had->port == entry->port && had->protocol == entry->protocol &&
	       had->remote_port == entry->remote_port && had->call == entry->call && had->moment <= entry->moment &&
	       strcmp(had->remote, entry->remote ? entry->remote : "") == 0 && strcmp(had->rule, entry->rule) == 0;
}

/* The line that it takes back is the last one like it, and not long before: it is looked for among those that were heard last,
 * which stand at the end, and among the newest of the others, which stand at the beginning. */
static void take_back(struct had_list *list, const struct audit_entry *entry)
{
	size_t best = list->n, last = list->n > NEWEST ? list->n - NEWEST : 0;
	for (size_t i = 0; i < list->n; i = i + 1 == NEWEST && last > i ? last : i + 1)
		if (is_of(list->item[i], entry) && (best == list->n || compare_age(list->item[i], list->item[best]) < 0))
			best = i;
	if (best == list->n)
		return;
	free(list->item[best]);
	list->item[best] = list->item[--list->n];
}

void had_begin(struct had_list *list, const struct had_query *query)
{
	*list = (struct had_list){ .query = *query, .limit = LIMIT_LEAST };
}

void had_hear(void *context, const struct audit_entry *entry)
{
	struct had_list *list = context;
	list->lines++;
	if (!is_asked_for(&list->query, entry))
		return;
	if (entry->event == AUDIT_REFUSED) {
		take_back(list, entry);
		return;
	}
	list->item = memory_for_one(list->item, list->n, &list->room, sizeof(struct had *));
	list->item[list->n++] = had_new(entry, list->lines);
	if (list->n < list->limit)
		return;
	let_go(list, NEWEST);
	list->limit = 2 * list->n > LIMIT_LEAST ? 2 * list->n : LIMIT_LEAST;
}

void had_settle(struct had_list *list)
{
	let_go(list, 0);
}

void had_free(struct had_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->item[i]);
	free(list->item);
	*list = (struct had_list){ .n = 0 };
}
