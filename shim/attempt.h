/* attempt.h - a call while it is decided (decide.c), while ports are tried for it (try.c) and carried out (assign.c). */
#ifndef PORTSHIM_SHIM_ATTEMPT_H
#define PORTSHIM_SHIM_ATTEMPT_H

#include <errno.h>
#include <stdbool.h>

#include "assign.h"
#include "bind.h"
#include "config/policy.h"
#include "lease.h"
#include "sock.h"
#include "wait.h"

struct attempt {
	const struct act *act;
	const struct rule *rule;
	const struct rule *waiting; /* of a bind to port 0: the rule that a destination may still bring */
	struct sock sock;
	struct question question;
	union name local;      /* what is bound on the early way; its port is set for each candidate */
	struct ip_addr source; /* the address that the connection leaves from; family 0: not known yet */
	bool takes_over;       /* the 4-tuple is in TIME_WAIT */
	bool source_seen;      /* EADDRNOTAVAIL was found to mean "port taken" */
	bool address_lost;     /* a bind() that failed has taken the address off the socket again */
	bool self_known, self; /* whether the destination is on this machine */
	bool has_port;         /* getsockname() shows one: real, or what a refused connect has left */
	bool released;         /* a port that the kernel chose was taken off the socket */
	struct table *table;   /* NULL: none, so far */
	uint32_t number;       /* of the rule's entry in it */
	struct peer peer;      /* whom a port is looked for towards */
	struct wait *wait;     /* `exhausted = wait`; NULL: no waiting */
	int saved_errno;       /* what a call that succeeds leaves as it was */
};

static inline bool is_bind(const struct act *act)
{
	return act->calls == CALL_BIND;
}

/* The program's own call, with errno and signals as the program left them. */
static inline ssize_t finish(const struct attempt *a)
{
	bool held = a->wait && wait_let(a->wait);
	ssize_t result;

	errno = a->saved_errno;
	result = a->act->finish(a->act);
	if (held)
		wait_hold(a->wait);
	return result;
}

static inline void settle(struct attempt *a, enum sock_state state)
{
	a->sock.state = state;
	sock_remember(a->act->fd, &a->sock);
}

/* --- decide.c --- */

enum course {
	COURSE_PASS,          /* as it came */
	COURSE_DENY,          /* EPERM */
	COURSE_DEFER,         /* a bind: the port comes later */
	COURSE_PLACE,         /* a port of a->rule */
	COURSE_BOUND_ALREADY, /* a second bind behind one that was put off: EINVAL */
};

/* Where nearly every call of a process ends: what is no socket of ours, what no rule names, what has its port. */
bool passes_at_once(const struct act *act);

/* Fills sock, question and rule, as far as they were needed. */
enum course decide(struct attempt *a);

/* --- try.c --- */

/* The address to bind, into a->local: the program's own, the rule's `source`, or any. 0 or -errno. */
int choose_local(struct attempt *a);

/* Fills table, number and peer, where there is a table. errno may change. */
void find_table(struct attempt *a);

/* Tries every port of the rule's set once, and with the one that is had makes the call. False if none was; an address
 * that the socket had is on it then. */
bool try_all(struct attempt *a, ssize_t *result);

/* What becomes of the call when bind() fails with an error that is not about the port. */
ssize_t other_error(struct attempt *a, int error);

#endif
