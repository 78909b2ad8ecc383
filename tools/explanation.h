/* explanation.h - what will become of a call, and why: the engine's own answers, put together.
 *
 * Nothing here decides anything. Which rule it is, is view_match()'s and view_waits_for_destination()'s answer; why another
 * is not, that of the predicates which these two ask; by which way a port is taken, way.h's and kernel.h's. */
#ifndef PORTSHIM_TOOLS_EXPLANATION_H
#define PORTSHIM_TOOLS_EXPLANATION_H

#include "config/policy.h"
#include "tools/free_ports.h"

enum decision {
	DECISION_NO_RULE,  /* none concerns the call: it is left alone */
	DECISION_NO_PORT,  /* such a call gives no socket a port, whatever a rule says */
	DECISION_ASSIGN,
	DECISION_PASS,
	DECISION_DENY,
	DECISION_PUT_OFF,  /* a bind: `rule` could decide once there is a destination */
};

/* A rule that stands before the one that decides. */
struct missed {
	const struct rule *rule;
	unsigned int conditions; /* that do not hold, bits of enum condition */
};

/* Some ports of the set that are taken alike, or left out. */
struct way {
	const char *name;        /* "late", "early"; NULL: never assigned to this call */
	bool shared;             /* a port serves a connection to each destination */
	uint32_t ports;
	char why[160];
};

enum { WAYS_MAX = 8 };

struct explanation {
	struct question question;
	enum decision decision;
	const struct rule *rule;     /* that decides, or puts off; NULL: none */
	struct missed *missed;       /* all rules before it, or all */
	size_t n_missed;
	/* where a port is assigned */
	struct way way[WAYS_MAX];
	size_t ways;
	bool kernel_picks;           /* out of the whole set */
	struct free_ports free_ports;
};

/* What is asked about besides the call. */
struct circumstances {
	const struct policy *policy;
	const struct facts *facts;
	bool may_bind_low;           /* ports below ip_unprivileged_port_start */
	const struct table *table;   /* to count by; NULL: there is none yet */
};

/* False when memory is out. `question` and its identity must outlive it. explanation_free() it. */
bool explanation_make(struct explanation *explanation, const struct circumstances *of, const struct question *question);
void explanation_free(struct explanation *explanation);

#endif
