/* choice.h - which port of a rule's set is tried next.
 *
 * The seam between the algorithms of `choose =` (algorithm.h) and the way into the kernel: choice_next() proposes, the
 * caller tries, choice_heard() is told how it went. With a table each proposal is claimed in it first; ports that
 * are in use, as far as is known there, are not proposed, those that cool down or came back last are proposed
 * behind all others, and when none is left the kernel is asked whether that is so: about all of them, if it was not asked
 * just now (sweep.h), and in any case by trying two that it refused before.
 *
 * Without a table, or where it has no room, `random` is what is left of all algorithms: from a random start the
 * ports are walked with a random stride that has no common divisor with the size of the set, each once. Neighbours of a
 * taken port are not favoured. (Where there is a table, spare cells of it keep two processes from one port at one time.)
 *
 * `kernel` proposes the whole set as one candidate first, for the kernel to pick from. Kernels before 6.8 leave one port of
 * an odd number out, and may refuse such a set while that one is free (measured: tests/platform/late_range.c): then all
 * but the first port are proposed, and the first one. */
#ifndef PORTSHIM_SHIM_CHOICE_H
#define PORTSHIM_SHIM_CHOICE_H

#include "algorithm.h"
#include "config/policy.h"
#include "walk.h"

enum outcome {
	OUTCOME_TAKEN,     /* somebody has it */
	OUTCOME_FORBIDDEN, /* below ip_unprivileged_port_start, without the capability */
	OUTCOME_UNFIT,     /* not for this call: it is the destination's own, or the kernel cannot pick from a range */
	OUTCOME_GIVEN,     /* it is the socket's now; what becomes of the lease is the caller's */
};

/* lo == hi: one port. lo < hi: the kernel may pick any between, late. */
struct candidate {
	uint16_t lo, hi;
	struct lease lease; /* the claim to it; none without a table, and for a range */
};

/* What a port is chosen for. */
struct purpose {
	const struct rule *rule;
	const struct kernel *kernel;
	const struct endpoint *to;  /* the destination; NULL: none */
	uint64_t program;           /* hash of the program's path */
	bool lets_kernel_pick;      /* the call can take a range (connect on a TCP socket) */
	struct table *table;        /* NULL: none */
	const struct peer *peer;    /* in the table */
	uint32_t number;            /* of the rule's entry in the table */
	word64 *note;               /* where a claim is noted; NULL: nowhere */
	bool sees_no_close;         /* ports come back by sweeps alone: one is made however short the last was ago, */
	bool comes_again;           /* unless the call waits and will try again */
};

struct choice {
	struct purpose purpose;
	struct algorithm algorithm;
	struct walk walk;
	bool steered;                /* by the table */
	enum part { PART_NONE, PART_WHOLE, PART_BUT_FIRST, PART_FIRST } part; /* the next range for the kernel to pick from */
	uint32_t left;               /* proposals, at most */
	uint32_t position, stride;   /* without a table; stride 0: not chosen yet */
	uint32_t forbidden;
	uint32_t sweeps, churns, retries;
	uint64_t swept_since;        /* when the first of them began */
	uint64_t freed_before;       /* table->freed, when the set was looked through last */
};

void choice_begin(struct choice *choice, const struct purpose *purpose);
bool choice_next(struct choice *choice, struct candidate *candidate);
void choice_heard(struct choice *choice, struct candidate *candidate, enum outcome outcome);

#endif
