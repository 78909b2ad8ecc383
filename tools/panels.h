/* panels.h - what `portshim report` shows of each rule: its use by the audit, its set by the policy or the table, its use now by
 * the table. The picture, the tables and the JSON are made from this. */
#ifndef PORTSHIM_TOOLS_PANELS_H
#define PORTSHIM_TOOLS_PANELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/evidence.h"
#include "tools/usage.h"

/* Programs with a colour of their own; all others have one together. */
enum { PANEL_SHARES = 6 };

/* A program and how much it had. */
struct portion {
	const char *name;    /* any bytes */
	uint64_t total;
	unsigned colour;     /* below PANEL_SHARES */
};

struct shares {
	struct portion portion[PANEL_SHARES]; /* the largest first */
	size_t n;
	uint64_t others;     /* what all others had */
	size_t programs;     /* how many programs there are */
};

/* The present, by the table. */
struct present {
	bool known;
	uint32_t ports, in_use, cooling;
	uint64_t failures, waits; /* since the table was made */
	struct shares shares;     /* ports; `others` also those in TIME-WAIT and those taken from outside */
};

struct panel {
	char *name;
	const struct usage_rule *usage; /* NULL: the audit has no line of it */
	struct shares shares;           /* assignments */
	uint32_t set;                   /* ports in its set; 0: not known */
	uint32_t strange;               /* ports assigned that are not in it (now) */
	size_t busiest, fullest;        /* the first intervals with the most assignments, the most different ports */
	struct present present;
};

struct panels {
	const struct usage *usage;
	const struct evidence *evidence;
	struct panel *panel;     /* in the order of the policy, others behind them by name */
	size_t n, room;
	char **idle;             /* rules of the policy that have no panel: nothing is known of their use */
	size_t idles, idle_room;
	uint64_t assigned, refused;
	bool has_present, unchecked; /* by the table alone: the kernel could not be asked */
	int64_t moment;          /* of the present */
	char *table;             /* the table's file; NULL: there is none */
	uint64_t audit_lost;     /* lines of the audit that could not be written since it was made */
	char **name;             /* of programs of the present */
	size_t names, names_room;
};

/* `usage` is settled. `rule`: that one alone; NULL: all. EXIT_SUCCESS, or the code to exit with, the reason said. */
int panels_make(struct panels *panels, const struct usage *usage, const struct evidence *evidence, const char *rule);

void panels_free(struct panels *panels);

/* Assigned in that interval to those programs that have no colour of their own. */
uint64_t panel_others(const struct panel *panel, size_t interval);

/* "curl" of "/usr/bin/curl". */
const char *base_name(const char *path);

/* A part of a whole in thousandths; 0 of nothing. */
uint64_t part_of(uint64_t part, uint64_t whole);

#endif
