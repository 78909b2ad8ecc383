/* choice.h - which port of a rule's set is tried next.
 *
 * The seam between the algorithms of `choose =` and the way into the kernel: choice_next() proposes, the
 * caller tries, choice_heard() is told how it went. Each port of the set is proposed at most once a call,
 * and all are before choice_next() says that none is left.
 *
 * `random` is RFC 6056 algorithm 1 (section 3.3.1) with one change: from a random start the ports are walked with
 * a random stride that has no common divisor with the size of the set, where the RFC takes the next higher.
 * Every port is as likely as another to be the first, and neighbours of a taken port are not favoured.
 * `kernel` proposes the whole set as one candidate first, for the kernel to pick from. */
#ifndef PORTSHIM_SHIM_CHOICE_H
#define PORTSHIM_SHIM_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/policy.h"
#include "kernel.h"

enum outcome {
	OUTCOME_TAKEN,     /* somebody has it */
	OUTCOME_FORBIDDEN, /* below ip_unprivileged_port_start, without the capability */
	OUTCOME_UNTRIED,   /* the kernel cannot pick from a range */
	OUTCOME_GIVEN,     /* it is the socket's now */
};

/* lo == hi: one port. lo < hi: the kernel may pick any between, late. */
struct candidate {
	uint16_t lo, hi;
};

struct choice {
	const struct port_set *set;
	const struct kernel *kernel;
	uint32_t position, stride;   /* stride 0: not chosen yet */
	uint32_t left;               /* ports not yet proposed */
	uint32_t forbidden;
	bool whole;                  /* the set as one candidate comes first */
};

/* `lets_kernel_pick`: the call can take a range (connect on a TCP socket). */
void choice_begin(struct choice *choice, const struct rule *rule, const struct kernel *kernel, bool lets_kernel_pick);
bool choice_next(struct choice *choice, struct candidate *candidate);
void choice_heard(struct choice *choice, const struct candidate *candidate, enum outcome outcome);

#endif
