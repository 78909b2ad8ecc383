/* decide.c - which rule decides a call, and what is to be done. */
#define _GNU_SOURCE
#include "attempt.h"
#include "identity.h"
#include "session.h"
#include "way.h"

static void make_question(struct attempt *a)
{
	struct question *question = &a->question;
	bool known = name_read(&question->destination, a->act->addr, a->act->len, a->sock.ipv6);

	question->calls = a->act->calls;
	if (question->calls == CALL_SEND && a->sock.protocol == PROTOCOL_TCP)
		question->calls |= CALL_CONNECT; /* MSG_FASTOPEN: both */
	if (a->sock.state == SOCK_DEFERRED || a->sock.addressed)
		question->calls |= CALL_BIND;
	question->protocol = a->sock.protocol;
	question->family = known ? question->destination.addr.family : a->sock.ipv6 ? FAMILY_IPV6 : FAMILY_IPV4;
	question->has_destination = known && a->act->calls & (CALL_CONNECT | CALL_SEND);
	question->identity = NULL;
}

/* A bind to a port of the program's own choice. */
static enum course decide_explicit(const struct rule *rule)
{
	if (!rule || rule->action != ACTION_ASSIGN)
		return COURSE_PASS;
	switch (rule->explicit_port) {
	case EXPLICIT_KEEP:
		return COURSE_PASS;
	case EXPLICIT_DENY:
		return COURSE_DENY;
	case EXPLICIT_ASSIGN:
		break;
	}
	return COURSE_PLACE;
}

/* Whether the call finds the socket with a port that is to stay. */
static bool has_its_port(const struct attempt *a)
{
	uint8_t call = a->act->calls;

	switch (a->sock.state) {
	case SOCK_SETTLED:
		return true;
	case SOCK_DECIDED:
		return call == CALL_SEND;
	case SOCK_LENT: /* as the program saw it; only a destination can still bring another */
		return call != CALL_CONNECT || !sock_is_idle(a->act->fd);
	case SOCK_TRIED: /* polled, or called again, while it is under way: connect() itself says so (EALREADY, EISCONN) */
		return call == CALL_CONNECT && !sock_is_idle(a->act->fd);
	case SOCK_UNBOUND:
	case SOCK_DEFERRED:
		break;
	}
	return false;
}

static enum course decide_rule(struct attempt *a)
{
	const struct act *act = a->act;

	if (is_bind(act) && name_port(act->addr) != 0)
		return decide_explicit(a->rule);
	if (a->rule && a->rule->action == ACTION_DENY)
		return COURSE_DENY;
	if (!a->rule || a->rule->action == ACTION_PASS || has_its_port(a))
		return COURSE_PASS;
	return COURSE_PLACE;
}

/* Looks the rule up, and whether a bind should wait for one that needs a destination. */
static enum course consult(struct attempt *a, const struct session *session)
{
	struct identity_store store = { .mapped = 0 };
	const struct act *act = a->act;

	if (is_bind(act) && act->finish && a->sock.state == SOCK_DEFERRED)
		return COURSE_BOUND_ALREADY;
	if (session->view.asks_identity) {
		identity_ask(&store);
		a->question.identity = &store.identity;
	}
	a->rule = view_match(&session->view, &a->question);
	if (a->rule) {
		const struct session *renewed = session_renewed(session, a->rule);

		if (renewed != session)
			a->rule = view_match(&renewed->view, &a->question);
	}
	if (is_bind(act) && name_port(act->addr) == 0)
		a->waiting = view_waits_for_destination(&session->view, &a->question);
	if (session->view.asks_identity)
		identity_done(&store);
	a->question.identity = NULL;
	if (is_bind(act) && act->may_defer && name_port(act->addr) == 0 && a->sock.state == SOCK_UNBOUND &&
	    ((a->sock.no_port && !act->reserved) || a->waiting))
		return COURSE_DEFER;
	/* A datagram socket whose port is shown cannot have another later: it gets one of the rule that it waited for. */
	if (!a->rule && !act->finish && !a->sock.stream && a->waiting && a->waiting->action == ACTION_ASSIGN)
		a->rule = a->waiting;
	return decide_rule(a);
}

/* A socket of which nobody may ask what it is: whether a rule would concern it as that of any protocol. Then it is refused, since it
 * cannot be given a port. */
static __attribute__((noinline)) enum course decide_withheld(struct attempt *a, const struct session *session)
{
	struct identity_store store = { .mapped = 0 };
	enum course course = session->broken ? COURSE_DENY : COURSE_PASS;
	union name name;

	if (bind_name_of(a->act->fd, &name) == 0 && name.any.sa_family != AF_INET && name.any.sa_family != AF_INET6)
		return COURSE_PASS;
	make_question(a);
	if (session->view.asks_identity) {
		identity_ask(&store);
		a->question.identity = &store.identity;
	}
	for (uint8_t protocol = 1; protocol & PROTOCOL_ANY && course == COURSE_PASS; protocol = (uint8_t)(protocol << 1)) {
		a->question.protocol = protocol;
		a->rule = view_match(&session->view, &a->question);
		course = decide_rule(a);
	}
	if (session->view.asks_identity)
		identity_done(&store);
	a->question.identity = NULL;
	a->rule = NULL;
	return course == COURSE_PASS ? COURSE_PASS : COURSE_DENY;
}

/* Calls that a rule may name for `act` to matter: a bind may be put off for any of them, MSG_FASTOPEN connects, and a
 * socket may carry a bind that was put off. */
static uint8_t calls_that_matter(const struct act *act)
{
	if (is_bind(act))
		return CALL_ANY;
	return act->calls | CALL_BIND | (act->calls == CALL_SEND && act->flags & MSG_FASTOPEN ? CALL_CONNECT : 0);
}

bool assign_passes_sends(int fd)
{
	const struct session *session = session_made();

	return session && !session->denies && !session->broken && (sock_is_settled(fd) || sock_is_decided(fd)) &&
	       !session_has_news(fd);
}

bool passes_at_once(const struct act *act)
{
	const struct session *session;

	if (sock_is_other(act->fd))
		return true;
	session = session_now(act->fd);
	if (!(session->calls & calls_that_matter(act)))
		return true;
	if (act->calls == CALL_SEND)
		return assign_passes_sends(act->fd);
	return sock_is_settled(act->fd) && !session->denies && !session->broken;
}

enum course decide(struct attempt *a)
{
	const struct act *act = a->act;
	const struct session *session = session_get();

	if (!sock_know(act->fd, &a->sock))
		return a->sock.withheld ? decide_withheld(a, session) : COURSE_PASS;
	if (session->broken)
		return COURSE_DENY;
	if (way_gives_none(act->calls, a->sock.protocol, act->flags)) {
		a->sock = (struct sock){ .protocol = 0 }; /* nor is a bind that was put off its concern */
		return COURSE_PASS;
	}
	make_question(a);
	return consult(a, session);
}
