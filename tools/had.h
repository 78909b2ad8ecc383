/* had.h - who had a port: the assignments of an audit that can explain a packet.
 *
 * Theory of operation. An audit says when a port was assigned, not when it was closed. So whoever was given the port before a
 * moment can have had it then, until something shows that it was free again in between: another assignment of the port
 * towards the same destination; or one that needed the port for itself (bind, listen, and send, whose ports have no sharers), or that
 * came after one such. (A clash is told by local address: where two lines differ there, neither says anything of the other.)
 * What the kernel refused after the line was written was never used, wherever in the file that is said.
 *
 * Clocks differ, and so does what a user's words stand for: a packet of "10:42", two seconds of doubt, can be of 10:41:58 to
 * 10:43:02. What was assigned up to the end of that time is kept; but only what was assigned before its
 * beginning shows that the port was free again.
 *
 * Files may be large: whenever twice as many assignments are kept as the last time, those are let go that no longer matter.
 * The newest stay even so, since they may turn out to have been refused. */
#ifndef PORTSHIM_TOOLS_HAD_H
#define PORTSHIM_TOOLS_HAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/address.h"
#include "tools/audit_read.h"
#include "tools/when.h"

struct had {
	int64_t moment;
	uint64_t number;      /* of the line, to keep the order of those of one moment */
	uint32_t pid, user;
	uint16_t port, remote_port;
	uint8_t protocol, call;
	const char *rule, *program;
	const char *local, *remote; /* as in struct audit_entry, "" instead of NULL */
	char words[];
};

/* What is asked. */
struct had_query {
	uint16_t lo, hi;
	uint8_t protocols;    /* bits of enum protocol; 0: all, also those that have no bit */
	bool has_to;
	struct target to;     /* only towards these */
	bool has_moment;      /* else the last `last` are asked for */
	struct span moment;   /* with what clocks may differ */
	size_t last;
};

struct had_list {
	struct had_query query;
	struct had **item;    /* after had_settle() the newest first */
	size_t n, room;
	size_t limit;         /* so many, and those are let go that no longer matter */
	uint64_t lines;
	bool cut;             /* there were more than memory should be spent on: the oldest are missing */
};

void had_begin(struct had_list *list, const struct had_query *query);

/* A listener of evidence.h; `list` is a struct had_list. */
void had_hear(void *list, const struct audit_entry *entry);

/* When all is heard: leaves what answers the query. */
void had_settle(struct had_list *list);

void had_free(struct had_list *list);

#endif
