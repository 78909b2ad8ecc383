/* taken.c - each rule's set against who has its ports: sockets now, services by name; and how often it was used up. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/check/advice.h"
#include "tools/cells.h"
#include "tools/memory.h"
#include "tools/snapshot.h"

#define SHOWN_MAX 5 /* ports that one finding lists */

/* A list for one finding: the first few, and how many more. */
struct list {
	char *words;
	size_t size;
	FILE *to;
	uint32_t n;
};

static void list_begin(struct list *list)
{
	*list = (struct list){ .n = 0 };
	list->to = open_memstream(&list->words, &list->size);
	if (!list->to)
		abort(); /* a few hundred bytes */
}

/* Where to print the next item; NULL: it is only counted. */
static FILE *list_next(struct list *list)
{
	if (list->n++ >= SHOWN_MAX)
		return NULL;
	if (list->n > 1)
		fputs(", ", list->to);
	return list->to;
}

/* To be freed. */
static char *list_end(struct list *list)
{
	if (list->n > SHOWN_MAX)
		fprintf(list->to, " and %u more", list->n - SHOWN_MAX);
	fclose(list->to);
	return list->words;
}

static int ports_line(const struct subject *subject, uint32_t index)
{
	return lines_of(subject->lines, index, KEY_PORTS, subject->policy->rule[index].line);
}

/* --- sockets ---------------------------------------------------------------------------------------------- */

static void held_print(const struct held_port *held, FILE *to)
{
	char buffer[64] = "";
	struct text addr = TEXT_OVER(buffer);
	if (address_is_one(&held->addr))
		text_add_addr(&addr, &held->addr, true);
	fprintf(to, "%u/%s", held->port, protocol_name(held->protocol));
	if (addr.length)
		fprintf(to, " on %s", buffer);
	if (held->pid)
		fprintf(to, " (%s, process %" PRIu32 ")", held->program, held->pid);
	else
		fprintf(to, " (a process of user %" PRIu32 ")", held->user);
}

/* One port is counted once: for several sockets of one protocol (IPv4 and IPv6) the first is shown. */
static void check_held(const struct subject *subject, uint32_t index)
{
	const struct rule *rule = &subject->policy->rule[index];
	const struct held_port *held = subject->machine->held, *before = NULL;
	struct list list;
	uint32_t ports = 0;
	bool known = true;
	list_begin(&list);
	for (size_t i = 0; i < subject->machine->n_held; before = &held[i++]) {
		if (!(held[i].protocol & rule->protocols) || !ports_contain(&rule->ports, held[i].port) ||
		    (before && before->port == held[i].port && before->protocol == held[i].protocol))
			continue;
		ports += !before || before->port != held[i].port;
		known = known && held[i].pid;
		FILE *to = list_next(&list);
		if (to)
			held_print(&held[i], to);
	}
	char *words = list_end(&list);
	if (list.n) {
		struct advice *advice = advice_add(subject->found, ADVICE_WARNING, ports_line(subject, index), CHECK_HELD_PORTS, rule);
		advice->words = memory_words("rule %s: ports: %u of %u %s held by programs that are not under portshim%s: %s",
		                             rule->name, ports, rule->ports.count, ports == 1 ? "is" : "are",
		                             known ? "" : ", as far as this user may know", words);
		advice->fix = memory_words("exclude %s with !, or move these programs", ports == 1 ? "it" : "them");
	}
	free(words);
}

/* --- services --------------------------------------------------------------------------------------------- */

/* By name or by number makes a difference: who names a range of another system's means no port of it in particular. */
static bool is_given_by_number(const struct rule *rule, uint16_t port)
{
	for (uint32_t i = 0; i < rule->ports.intervals; i++)
		if (port >= rule->ports.interval[i].lo && port <= rule->ports.interval[i].hi)
			return !rule->ports.interval[i].named;
	return false;
}

static void check_services(const struct subject *subject, uint32_t index)
{
	const struct rule *rule = &subject->policy->rule[index];
	struct list list;
	list_begin(&list);
	for (size_t i = 0; i < subject->machine->services; i++) {
		const struct service *service = &subject->machine->service[i];
		if (!(service->protocols & rule->protocols) || !is_given_by_number(rule, service->port))
			continue;
		FILE *to = list_next(&list);
		if (to)
			fprintf(to, "%u (%s)", service->port, service->name);
	}
	char *words = list_end(&list);
	if (list.n) {
		struct advice *advice = advice_add(subject->found, ADVICE_NOTE, ports_line(subject, index), CHECK_SERVICE_PORTS, rule);
		advice->words = memory_words("rule %s: ports: /etc/services has names for %s", rule->name, words);
		advice->fix = memory_words("exclude those with ! that such a service may want here");
	}
	free(words);
}

/* --- the table -------------------------------------------------------------------------------------------- */

static void check_exhausted(const struct subject *subject, uint32_t index)
{
	const struct rule *rule = &subject->policy->rule[index];
	for (size_t i = 0; i < subject->machine->tallies; i++) {
		const struct tally *tally = &subject->machine->tally[i];
		if (tally->id != rule->id || !tally->failures)
			continue;
		struct advice *advice = advice_add(subject->found, ADVICE_WARNING, ports_line(subject, index), CHECK_USED_UP, rule);
		advice->words = memory_words("rule %s: ports: %" PRIu64 " calls found no free port since the table was made, beside "
		                             "%" PRIu64 " that did", rule->name, tally->failures, tally->given);
		advice->fix = memory_words("name more ports, or write exhausted = wait 5s; 'portshim top' shows who has them");
		return;
	}
}

void check_taken(const struct subject *subject)
{
	for (uint32_t i = 0; i < subject->policy->rules; i++) {
		if (subject->policy->rule[i].action != ACTION_ASSIGN)
			continue;
		check_held(subject, i);
		check_services(subject, i);
		check_exhausted(subject, i);
	}
}
