/* usage.h - how much of each rule's set was used, and by which programs, over time: counted from the audit.
 *
 * Theory of operation. An audit says when a port was assigned and to whom, not when it was closed. So what is counted in each interval of
 * time is how many ports were assigned, how many different ports these were, and how many the kernel refused thereafter;
 * how long a port was held is not known and not guessed at.
 *
 * The audit is read once and may be of any size. All rules share one row of at most USAGE_INTERVALS intervals, which begins with
 * the finest ones; when a line does not fit into it, intervals are joined to longer ones (scale.h) until it does. Memory is bounded
 * whatever the lines say: there are no more rules, programs for a rule and users for a rule than below; what else comes is
 * counted together. A set of ports takes memory for the parts of it that have some. */
#ifndef PORTSHIM_TOOLS_USAGE_H
#define PORTSHIM_TOOLS_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/audit_read.h"
#include "tools/port_bits.h"
#include "tools/scale.h"

enum { USAGE_INTERVALS = 200, USAGE_RULES = 64, USAGE_PROGRAMS = 256, USAGE_USERS = 256 };

/* A program of a rule. */
struct usage_program {
	char *path;              /* as in the audit: any bytes; "" where it does not say */
	uint64_t hash, total;
	uint64_t count[USAGE_INTERVALS];
};

struct usage_user {
	uint32_t user;           /* UINT32_MAX: the audit does not say */
	uint64_t total;
};

struct usage_rule {
	char *name;              /* likewise */
	uint64_t hash;
	uint64_t assigned, refused; /* those that were refused are among the assigned */
	uint64_t count[USAGE_INTERVALS], refusals[USAGE_INTERVALS];
	struct port_bits ports[USAGE_INTERVALS], all;
	struct usage_program **program; /* after usage_settle() by their totals */
	size_t programs, programs_room;
	uint64_t other_programs; /* assigned to those for which there was no room */
	struct usage_user *user; /* likewise */
	size_t users, users_room;
	uint64_t other_users;
};

/* What is asked. */
struct usage_query {
	bool has_from, has_to;
	int64_t from, to;        /* both belong to it */
	const char *rule;        /* NULL: all */
};

struct usage {
	struct usage_query query;
	struct grid grid;
	int64_t base;            /* index of the first interval */
	bool begun;
	int64_t first, last;     /* of the lines that are counted, or of the query */
	struct usage_rule *rule[USAGE_RULES]; /* after usage_settle() by name */
	size_t rules;
	uint64_t lines;          /* that are counted */
	uint64_t elsewhen;       /* that the query leaves out for their time */
	int64_t seen_first, seen_last; /* of all lines of the query's rule, whenever; 0: there was none */
	uint64_t other_rules;    /* lines of rules for which there was no room */
};

void usage_begin(struct usage *usage, const struct usage_query *query);

/* A listener of evidence.h; `usage` is a struct usage. */
void usage_hear(void *usage, const struct audit_entry *entry);

/* When all is heard. */
void usage_settle(struct usage *usage);

/* Intervals; at least 1 where anything was counted. */
size_t usage_intervals(const struct usage *usage);

void usage_free(struct usage *usage);

#endif
