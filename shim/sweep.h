/* sweep.h - bringing the table back to what the kernel says, when it looks full.
 *
 * Theory of operation. Not every close() is seen, and none of a process that is killed; so cells stay behind that nobody
 * holds. They do no harm until ports run short. Then the kernel is asked for its sockets, once, and every cell that it
 * does not bear out is freed by the rules of table.h. A sweep that brought nothing is not repeated for four times as long
 * as it took, so that a full set is told at once however often it is asked for. */
#ifndef PORTSHIM_SHIM_SWEEP_H
#define PORTSHIM_SHIM_SWEEP_H

#include "kernel.h"
#include "lease.h"

enum swept {
	SWEPT_NOT,     /* too soon after the last time, or no memory */
	SWEPT_IN_VAIN,
	SWEPT_CHURN,   /* nor did any come free, but some were given since it began: not all are in use for long */
	SWEPT_FREE,    /* some cells came free */
};

/* Cells of one peer and of ports within bounds; `kernel` tells which of them are taken late. What was found taken from
 * `since` (clock_now()) on stays so. `at_once`: however short ago the last one was. */
enum swept sweep_peer(struct table *table, const struct peer *peer, struct port_range ports, const struct kernel *kernel,
                      uint64_t since, bool at_once);

/* Cells of all peers of a protocol: there was no block left for a new one. */
enum swept sweep_protocol(struct table *table, uint8_t protocol, const struct kernel *kernel);

/* What came of a call that swept for `peer` from `since` (clock_now()) on: it has a port, or has tried all in vain. */
void sweep_heard(struct table *table, const struct peer *peer, uint64_t since, bool given);

#endif
