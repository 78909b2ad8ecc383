/* snapshot.h - who has which port at a moment: the table, held against the kernel's own list of sockets. */
#ifndef PORTSHIM_TOOLS_SNAPSHOT_H
#define PORTSHIM_TOOLS_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/table.h"
#include "tools/cells.h"
#include "tools/sockets.h"

enum row_state {
	ROW_HELD,      /* of the table, and the kernel has such a socket */
	ROW_CLAIMED,   /* of the table: a process is about to take the port */
	ROW_STALE,     /* of the table alone: the kernel has no such socket; or claimed by a process that is no more */
	ROW_TIME_WAIT, /* the connection is over, the kernel keeps its port for a while */
	ROW_OUTSIDE,   /* of the kernel alone: a port of a rule's set that was taken without this table */
};

#define NO_RULE SIZE_MAX

/* A cell of the table, or a socket in the set of a rule that no cell is for. */
struct row {
	enum row_state state;
	size_t rule;             /* index of snapshot->rule, or NO_RULE */
	uint8_t protocol;        /* one bit of enum protocol; a table may say anything else */
	uint8_t socket;          /* its state as in struct asked; 0: the kernel tells of none */
	struct endpoint local;   /* addr.family 0: any address */
	struct endpoint to;      /* addr.family 0: nobody */
	uint64_t since_ms;       /* how long ago it came to this */
	bool since_known;
	uint64_t owner;          /* as in shim/owner.h; 0: none */
	uint64_t inode;          /* of the socket; 0: none */
	uint32_t user;           /* of the socket, where there is an inode */
	uint32_t pid;            /* by snapshot_who(); 0: not known */
	char program[PROGRAM_SIZE];
};

enum { PORT_OURS = 1, PORT_OUTSIDE = 2, PORT_OVER = 4 }; /* what a port is used by */

struct shown_rule {
	uint32_t number;         /* in the table */
	uint64_t id;
	char name[RULE_NAME_SIZE]; /* fit to be shown */
	uint8_t protocols;       /* bits of enum protocol */
	bool cut;                /* the table does not have all intervals of its set */
	uint32_t ports, in_use;  /* in_use <= ports */
	uint32_t cooling;        /* of those that are not in use */
	uint64_t cooldown_ms;
	uint64_t given, failures, waits, retries, denied;
	uint64_t set[65536 / 64]; /* a bit for each port; with `cut` those that are known */
};

struct snapshot {
	struct row *row;         /* by rule, protocol, port */
	size_t rows, rows_room;
	struct shown_rule *rule; /* by name */
	size_t rules, rules_room;
	uint64_t asked, swept, audit_lost;
	uint64_t given;          /* by all rules of the table, also those that are not shown */
	int error;               /* -errno: the kernel does not tell of its sockets */
	uint64_t now;            /* clock_now() */
	uint8_t use[TABLE_SPACES][65536];   /* PORT_OURS ... */
	uint64_t used[TABLE_SPACES][65536]; /* when last; 0: never */
};

/* Of the rule of that name only, or of all (NULL). `cells` are of two looks; `sockets` were asked for between them,
 * `later` after them, and are sorted. */
void snapshot_make(struct snapshot *snapshot, const struct table *table, struct cells *cells,
                   const struct sockets *sockets, const struct sockets *later, const char *rule);

/* The whole way: look, ask, look, ask. The kernel is not asked where the table is another network namespace's
 * (-EXDEV). */
void snapshot_take(struct snapshot *snapshot, const struct table *table, const char *rule);

/* Joins the rules of one name, which differ in something else (a policy that was changed, two policies): their sets become one. What
 * they count becomes the sum of what all of that name have counted since the table was made, also those that are not
 * shown any more: so it never shrinks. */
void snapshot_unite(struct snapshot *snapshot, const struct table *table);

/* Of the rules that are, as they are, in the policy alone: drops the others with their rows. How many it drops. */
size_t snapshot_policy(struct snapshot *snapshot, const struct policy *policy);

/* Of these ports alone: drops the rows of others, and adds sockets of the kernel's that are in no rule's set. */
void snapshot_ports(struct snapshot *snapshot, uint16_t lo, uint16_t hi);

/* Whether the table is, as far as can be told, of this process's network namespace. */
bool snapshot_is_here(const struct table *table);

/* Fills in which processes and programs the rows are of. */
void snapshot_who(struct snapshot *snapshot, const struct table *table);

void snapshot_free(struct snapshot *snapshot);

bool rule_has_port(const struct shown_rule *rule, uint16_t port);

/* PORT_OURS ... of the rule's protocols. */
uint8_t port_use(const struct snapshot *snapshot, const struct shown_rule *rule, uint16_t port);

/* Whether the port came back less than the rule's cooldown ago, and is not in use. */
bool port_is_cooling(const struct snapshot *snapshot, const struct shown_rule *rule, uint16_t port);

const char *row_state_name(enum row_state state);

/* "tcp" ...; "?" for what is none. */
const char *protocol_name(uint8_t protocol);

#endif
