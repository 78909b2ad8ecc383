/* lease.h - claiming, holding and giving back a port in the table: the protocol of table.h. */
#ifndef PORTSHIM_SHIM_LEASE_H
#define PORTSHIM_SHIM_LEASE_H

#include "clock.h"
#include "table.h"

/* Whom ports are used towards. */
struct peer {
	uint64_t id;            /* hash of the rest, under the table's key */
	uint8_t protocol;       /* one bit of enum protocol */
	struct endpoint to;     /* family 0: nobody; the port is exclusive */
	struct ip_addr source;  /* a local address that the socket is bound to; family 0: any */
	uint8_t scope;          /* of a link-local destination, the lowest bits; 0: none */
};

void peer_make(struct peer *peer, const struct table *table, uint8_t protocol, const struct endpoint *to,
               const struct ip_addr *source);

/* Link-local destinations are others on each interface. */
void peer_scope(struct peer *peer, const struct table *table, uint32_t scope);

/* Notes that a connection to the peer in TIME_WAIT could not be taken over (it has no timestamps); holds for ten minutes. */
void peer_set_strict(struct table *table, const struct peer *peer);
bool peer_is_strict(const struct table *table, const struct peer *peer);

/* TCP, UDP, others: index of table->used. */
unsigned int peer_space(uint8_t protocol);

/* A claim, or what came of it. */
struct lease {
	uint32_t cell; /* 0: none */
	uint64_t word;
};

enum claim { CLAIM_MADE, CLAIM_BUSY, CLAIM_NO_ROOM /* the table cannot keep it; nothing was changed */ };

/* FREE -> CLAIMED. `rule` is a number of rules.h. The lease is in *note (unless that is NULL) as held.h keeps it, before the
 * claim is made: so it is known by whom it is, if a signal handler never returns here. */
enum claim lease_claim(struct table *table, const struct peer *peer, uint16_t port, uint32_t rule, word64 *note,
                       struct lease *lease);

/* A claim in a spare cell, for as long as the port is being taken: MADE or BUSY. lease_hold() and lease_taken() end it. */
enum claim lease_claim_spare(struct table *table, const struct peer *peer, uint16_t port, word64 *note,
                             struct lease *lease);

/* A claim that is older than any call takes, of whomever: his who would come back to it is late. */
#define LEASE_FORGOTTEN (180 * SECOND)

/* TAKEN -> CLAIMED, to ask the kernel about the port again. */
enum claim lease_retry(struct table *table, const struct peer *peer, uint16_t port, uint32_t rule, word64 *note,
                       struct lease *lease);

/* CLAIMED -> HELD, TAKEN, FREE. Nothing happens to a lease without a cell. */
void lease_hold(struct table *table, struct lease *lease);
void lease_taken(struct table *table, struct lease *lease);
void lease_drop(struct table *table, struct lease *lease);

/* CLAIMED, HELD -> FREE, if it is still this process's and this lease (of its word the nonce counts); with the time and,
 * for its rule, the port that came back last. */
void lease_release(struct table *table, const struct lease *lease);

/* The part of a lease's word, above the lowest 32 bits, by which lease_release() knows it again. */
uint64_t lease_nonce(const struct lease *lease);

/* HELD -> FREE, if its process is known to be gone. (Another may still have the socket: the kernel will say so.) */
void lease_look_after(struct table *table, const struct peer *peer, uint16_t port);

/* Which of the 64 ports from `first` (a multiple of 64) are not free towards the peer, as far as is known. */
uint64_t lease_busy(const struct table *table, const struct peer *peer, uint16_t first);

/* Which of them the kernel refused before the time `before`. */
uint64_t lease_refused(const struct table *table, const struct peer *peer, uint16_t first, uint64_t before);

/* Notes that the port was used now. */
void lease_touch(struct table *table, uint8_t protocol, uint16_t port, uint64_t now);

/* --- for sweeps and for who shows the table ------------------------------------------------------------ */

enum cell_state { CELL_FREE, CELL_CLAIMED, CELL_HELD, CELL_TAKEN };

enum cell_state cell_state(uint64_t word);
/* Of the port towards the peer, and (unless NULL) by whom. */
enum cell_state lease_state(const struct table *table, const struct peer *peer, uint16_t port, uint64_t *owner);
uint64_t cell_owner(uint64_t word);
uint64_t cell_time(uint64_t info);  /* clock_now() when it was last changed */
uint32_t cell_rule(uint64_t info);

/* The block of 64 ports from `first` towards the peer; -1 if it has none. */
int32_t block_find(const struct table *table, const struct peer *peer, uint16_t first);

/* All that have it: two can, for a moment. How many. */
uint32_t block_all(const struct table *table, const struct peer *peer, uint16_t first, uint32_t found[BUCKET_BLOCKS]);

/* Who a block is for, and its first port. False if it is not in use or its name is not yet written. */
bool block_name(const struct table *table, uint32_t block, struct peer *peer, uint16_t *first);

/* -> FREE, if the cell still is what it was. */
bool cell_free(struct table *table, uint32_t block, uint32_t place, uint64_t word);

#endif
