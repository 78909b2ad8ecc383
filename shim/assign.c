/* assign.c - deciding a call and carrying the decision out. */
#define _GNU_SOURCE
#include "assign.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "bind.h"
#include "choice.h"
#include "identity.h"
#include "real.h"
#include "report.h"
#include "session.h"
#include "sock.h"
#include "wait.h"

enum todo { TODO_PASS, TODO_DENY, TODO_DEFER, TODO_PLACE, TODO_BOUND_ALREADY };

/* A call while it is decided and carried out. */
struct attempt {
	const struct act *act;
	const struct rule *rule;
	struct sock sock;
	struct question question;
	union name local;      /* what is bound on the early way; its port is set for each candidate */
	bool source_seen;      /* EADDRNOTAVAIL was found to mean "port taken" */
	bool address_lost;     /* a bind() that failed has taken the address off the socket again */
	bool self_known, self; /* whether the destination is on this machine */
	bool released;         /* a port that the kernel chose was taken off the socket */
	int saved_errno;       /* what a call that succeeds leaves as it was */
};

static bool is_bind(const struct act *act)
{
	return act->calls == CALL_BIND;
}

/* The program's own call, with errno as the program left it. */
static ssize_t finish(const struct attempt *a)
{
	errno = a->saved_errno;
	return a->act->finish(a->act);
}

static void settle(struct attempt *a, enum sock_state state)
{
	a->sock.state = state;
	sock_remember(a->act->fd, &a->sock);
}

/* --- deciding -------------------------------------------------------------------------------------- */

/* Sends and listens that give no socket a port, whatever their arguments say. */
static bool has_no_part(const struct act *act, const struct sock *sock)
{
	if (act->calls == CALL_SEND)
		return (sock->protocol == PROTOCOL_TCP && !(act->flags & MSG_FASTOPEN)) ||
		       sock->protocol == PROTOCOL_DCCP;
	if (act->calls == CALL_LISTEN)
		return sock->protocol == PROTOCOL_UDP || sock->protocol == PROTOCOL_UDPLITE;
	return false;
}

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
static enum todo decide_explicit(const struct rule *rule)
{
	if (!rule || rule->action != ACTION_ASSIGN)
		return TODO_PASS;
	switch (rule->explicit_port) {
	case EXPLICIT_KEEP:
		return TODO_PASS;
	case EXPLICIT_DENY:
		return TODO_DENY;
	case EXPLICIT_ASSIGN:
		break;
	}
	return TODO_PLACE;
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

static enum todo decide_rule(struct attempt *a)
{
	const struct act *act = a->act;

	if (is_bind(act) && name_port(act->addr) != 0)
		return decide_explicit(a->rule);
	if (a->rule && a->rule->action == ACTION_DENY)
		return TODO_DENY;
	if (!a->rule || a->rule->action == ACTION_PASS || has_its_port(a))
		return TODO_PASS;
	return TODO_PLACE;
}

/* Looks the rule up, and whether a bind should wait for one that needs a destination. */
static enum todo consult(struct attempt *a, const struct session *session)
{
	struct identity_store store = { .mapped = 0 };
	const struct act *act = a->act;
	const struct rule *waiting = NULL;

	if (is_bind(act) && act->finish && a->sock.state == SOCK_DEFERRED)
		return TODO_BOUND_ALREADY;
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
		waiting = view_waits_for_destination(&session->view, &a->question);
	if (session->view.asks_identity)
		identity_done(&store);
	a->question.identity = NULL;
	if (is_bind(act) && act->may_defer && name_port(act->addr) == 0 && a->sock.state == SOCK_UNBOUND &&
	    (a->sock.no_port || waiting))
		return TODO_DEFER;
	/* A datagram socket whose port is shown cannot have another later: it gets one of the rule that it waited for. */
	if (!a->rule && !act->finish && !a->sock.stream && waiting && waiting->action == ACTION_ASSIGN)
		a->rule = waiting;
	return decide_rule(a);
}

/* Calls that a rule may name for `act` to matter: a bind may be put off for any of them, MSG_FASTOPEN connects, and a
 * socket may carry a bind that was put off. */
static uint8_t calls_that_matter(const struct act *act)
{
	if (is_bind(act))
		return CALL_ANY;
	return act->calls | CALL_BIND | (act->calls == CALL_SEND && act->flags & MSG_FASTOPEN ? CALL_CONNECT : 0);
}

/* Where nearly every call of a process ends: what is no socket of ours, what no rule names, what has its port. */
static bool passes_at_once(const struct act *act)
{
	const struct session *session;

	if (sock_is_other(act->fd))
		return true;
	session = session_get();
	if (!(session->calls & calls_that_matter(act)))
		return true;
	if (session->denies || session->broken)
		return false;
	return sock_is_settled(act->fd) || (act->calls == CALL_SEND && sock_is_decided(act->fd));
}

static enum todo decide(struct attempt *a)
{
	const struct act *act = a->act;
	const struct session *session = session_get();

	if (!sock_know(act->fd, &a->sock))
		return TODO_PASS;
	if (session->broken)
		return TODO_DENY;
	if (has_no_part(act, &a->sock))
		return TODO_PASS;
	make_question(a);
	return consult(a, session);
}

/* --- carrying out ---------------------------------------------------------------------------------- */

/* The address to bind: the program's own, the rule's `source`, or any. */
static int choose_local(struct attempt *a)
{
	static const struct ip_addr any;
	const struct ip_addr *source = a->rule->source.family ? &a->rule->source : &any;

	if (is_bind(a->act)) {
		name_copy(&a->local, a->act->addr, a->act->len);
		if (!name_is_wildcard(&a->local) || source == &any)
			return 0;
	} else if (a->sock.addressed) {
		int error = bind_name_of(a->act->fd, &a->local);

		if (error || !name_is_wildcard(&a->local) || source == &any)
			return error;
	}
	name_make(&a->local, a->sock.ipv6, source);
	return 0;
}

static bool meets_itself(struct attempt *a, const struct candidate *c)
{
	uint16_t port = a->question.destination.port;

	if (!a->question.has_destination || port < c->lo || port > c->hi)
		return false;
	if (!a->self_known) {
		a->self = addr_is_local(&a->question.destination);
		a->self_known = true;
	}
	return a->self;
}

static bool can_be_late(const struct attempt *a)
{
	/* A port taken late is shared between destinations; `share = never` has it bound. */
	return a->sock.protocol == PROTOCOL_TCP && a->question.calls & CALL_CONNECT && a->rule->share != SHARE_NEVER &&
	       !a->sock.own_range;
}

/* A late port needs the address on the socket before: that of `source`, or the program's own if it was lost. */
static int bind_local_address(struct attempt *a)
{
	int error;

	if (a->sock.addressed ? !a->address_lost : !a->rule->source.family)
		return 0;
	name_set_port(&a->local, 0);
	error = bind_address(a->act->fd, &a->sock, &a->local);
	if (!error) {
		a->sock.addressed = true;
		a->address_lost = false;
	}
	return error;
}

/* After EINVAL: whether the socket really has a port, so that the call goes on with it. A stream may be in a connection.
 * (EINVAL can also be about the address: a `source` that this socket cannot take.) */
static bool is_bound(const struct attempt *a)
{
	return (a->sock.stream && !sock_is_idle(a->act->fd)) || bind_port_of(a->act->fd) != 0;
}

/* What bind() said, when it is not about the port. */
static ssize_t other_error(struct attempt *a, int error)
{
	const struct act *act = a->act;

	if (!is_bind(act) && (error == -EBADF || error == -ENOTSOCK || (error == -EINVAL && is_bound(a)))) {
		if (error == -EINVAL && !a->sock.stream)
			settle(a, a->released ? SOCK_SETTLED : SOCK_DECIDED);
		return finish(a);
	}
	errno = -error;
	return -1;
}

static ssize_t early_success(struct attempt *a, uint16_t port)
{
	const struct act *act = a->act;

	settle(a, SOCK_SETTLED);
	report_assigned(a->rule, &a->question, port, false);
	if (act->given)
		*act->given = port;
	if (!is_bind(act))
		return finish(a);
	errno = a->saved_errno;
	return 0;
}

/* The kernel gives a datagram socket a port inside calls that then fail (a send without a destination, a connect to a
 * family that it lacks). Such a port is taken off again, if it is not one of the rule's and nobody is connected to it. */
static bool shed_port(struct attempt *a)
{
	const struct act *act = a->act;

	if (a->sock.stream || a->released || a->sock.state == SOCK_DECIDED || is_bind(act) || bind_has_peer(act->fd) ||
	    ports_contain(&a->rule->ports, bind_port_of(act->fd)))
		return false;
	a->released = true;
	return bind_release(act->fd, &a->sock) == 0;
}

/* *outcome as bind() has it. True when the call has its result. */
static bool try_early(struct attempt *a, uint16_t port, enum outcome *outcome, ssize_t *result)
{
	int error;

	name_set_port(&a->local, port);
	error = bind_early(a->act->fd, &a->sock, &a->local);
	if (error == -EINVAL && shed_port(a))
		error = bind_early(a->act->fd, &a->sock, &a->local);
	*outcome = error == -EACCES ? OUTCOME_FORBIDDEN : error == -EADDRINUSE ? OUTCOME_TAKEN : OUTCOME_GIVEN;
	if (*outcome != OUTCOME_GIVEN) {
		a->address_lost = a->sock.addressed;
		return false;
	}
	*result = error ? other_error(a, error) : early_success(a, port);
	return true;
}

/* Tries one candidate late: the try is the program's own call. True when the call has its result. */
static bool try_late(struct attempt *a, const struct candidate *c, enum outcome *outcome, ssize_t *result)
{
	const struct act *act = a->act;
	int error = bind_local_address(a);

	if (!error)
		error = bind_set_range(act->fd, c->lo, c->hi);
	if (error == -ENOPROTOOPT) {
		kernel_lacks_late();
		*outcome = OUTCOME_UNTRIED;
		return c->lo == c->hi && try_early(a, c->lo, outcome, result);
	}
	if (error) {
		*result = other_error(a, error);
		return true;
	}
	settle(a, SOCK_TRIED);
	*result = finish(a);
	if (*result >= 0 || errno != EADDRNOTAVAIL) {
		report_assigned(a->rule, &a->question, c->lo, true);
		return true;
	}
	if (!a->source_seen && !a->sock.addressed && !source_exists(act->fd, act->addr, act->len)) {
		errno = EADDRNOTAVAIL;
		return true;
	}
	a->source_seen = true;
	return false;
}

/* Tries one candidate in the way that is its port's. True when the call has its result. */
static bool try_candidate(struct attempt *a, struct choice *choice, const struct candidate *c, ssize_t *result)
{
	enum outcome outcome = OUTCOME_TAKEN;
	bool done;

	if (meets_itself(a, c))
		return false;
	if (can_be_late(a) && kernel_takes_late(choice->kernel, c->lo))
		choice->kernel = kernel_now(); /* about to be relied on */
	if (can_be_late(a) && kernel_takes_late(choice->kernel, c->lo))
		done = try_late(a, c, &outcome, result);
	else if (c->lo < c->hi)
		return false;
	else
		done = try_early(a, c->lo, &outcome, result);
	choice_heard(choice, c, done ? OUTCOME_GIVEN : outcome);
	return done;
}

/* Tries every port of the rule's set once. False if none could be had. */
static bool try_all(struct attempt *a, ssize_t *result)
{
	struct choice choice;
	struct candidate candidate;

	choice_begin(&choice, a->rule, kernel_known(), can_be_late(a));
	while (choice_next(&choice, &candidate))
		if (try_candidate(a, &choice, &candidate, result))
			return true;
	if (a->address_lost)
		bind_local_address(a);
	report_used_up(a->rule, &a->question, choice.forbidden);
	return false;
}

/* What the kernel itself says when its ephemeral ports are used up. */
static int used_up_errno(const struct attempt *a)
{
	if (a->act->calls & (CALL_BIND | CALL_LISTEN))
		return EADDRINUSE;
	return a->sock.protocol == PROTOCOL_TCP || a->sock.protocol == PROTOCOL_DCCP ? EADDRNOTAVAIL : EAGAIN;
}

/* A call passed and succeeded: what is known of the socket's port now. */
static void note_passed(struct attempt *a)
{
	const struct act *act = a->act;

	if (is_bind(act) && (act->given || name_port(act->addr) != 0))
		settle(a, SOCK_SETTLED);
	else if (!a->sock.stream && a->sock.state != SOCK_SETTLED)
		settle(a, SOCK_DECIDED);
}

/* The policy has no say (any more): the socket is put back to what the program made it, and the call passes. */
static ssize_t pass(struct attempt *a)
{
	const struct act *act = a->act;
	ssize_t result;

	if (a->sock.state == SOCK_TRIED && sock_is_idle(act->fd)) {
		bind_set_range(act->fd, 0, 0);
		settle(a, SOCK_UNBOUND);
	} else if (a->sock.state == SOCK_DEFERRED && bind_name_of(act->fd, &a->local) == 0) {
		/* The kernel's choice of a port, as the program asked; should it have none, the call itself will say so. */
		real.bind(act->fd, &a->local.any, name_length(&a->local));
		settle(a, a->sock.stream ? SOCK_LENT : SOCK_DECIDED);
	}
	if (!act->finish)
		return 0;
	result = finish(a);
	if (result >= 0 && a->sock.protocol)
		note_passed(a);
	return result;
}

/* The kernel's port, which the program asked to see before there was a destination, gives way to the rule's. */
static int take_back(struct attempt *a)
{
	int error;

	if (a->sock.state != SOCK_LENT || is_bind(a->act))
		return 0;
	error = bind_release(a->act->fd, &a->sock);
	if (!error) {
		a->released = true;
		a->address_lost = true;
		settle(a, SOCK_UNBOUND);
	}
	return error;
}

/* A refusal is a result like another; connect and send are cancellation points. */
static ssize_t refuse(const struct act *act, int error)
{
	if (act->calls & (CALL_CONNECT | CALL_SEND))
		pthread_testcancel();
	errno = error;
	return -1;
}

/* A port of the rule's, then the call. When none is free: what `exhausted` says. */
static ssize_t place(struct attempt *a)
{
	const struct act *act = a->act;
	bool waits = a->rule->exhausted == EXHAUSTED_WAIT && !act->dont_wait && !sock_is_nonblocking(act->fd);
	struct wait wait;
	ssize_t result = -1;
	int error = take_back(a);

	if (!error)
		error = choose_local(a);
	if (error)
		return other_error(a, error);
	if (waits)
		wait_begin(&wait, act->fd, a->rule->wait_ms);
	while (!try_all(a, &result)) {
		error = waits ? wait_a_little(&wait) : -ETIMEDOUT;
		if (!error)
			continue;
		if (a->rule->exhausted == EXHAUSTED_PASS)
			return pass(a);
		if (a->released && a->sock.stream)
			settle(a, SOCK_DEFERRED);
		return refuse(act, error == -EINTR ? EINTR : used_up_errno(a));
	}
	return result;
}

/* Binds the address now and leaves the port to the call that has a destination. */
static ssize_t defer(struct attempt *a)
{
	int error;

	name_copy(&a->local, a->act->addr, a->act->len);
	error = bind_address(a->act->fd, &a->sock, &a->local);
	if (error == -ENOPROTOOPT || error == -EOPNOTSUPP) /* then what can be decided without a destination is */
		return a->rule && a->rule->action == ACTION_ASSIGN ? place(a) : pass(a);
	if (error) {
		errno = -error;
		return -1;
	}
	a->sock.addressed = true;
	settle(a, a->sock.no_port ? SOCK_UNBOUND : SOCK_DEFERRED);
	errno = a->saved_errno;
	return 0;
}

static __attribute__((noinline)) ssize_t consider(const struct act *act, int saved_errno)
{
	struct attempt attempt = { .act = act, .saved_errno = saved_errno };

	switch (decide(&attempt)) {
	case TODO_DENY:
		if (attempt.rule)
			report_denied(attempt.rule, &attempt.question);
		return refuse(act, EPERM);
	case TODO_BOUND_ALREADY:
		return refuse(act, EINVAL);
	case TODO_DEFER:
		return defer(&attempt);
	case TODO_PLACE:
		return place(&attempt);
	case TODO_PASS:
		break;
	}
	return pass(&attempt);
}

ssize_t assign(const struct act *act)
{
	int saved = errno;

	if (!passes_at_once(act))
		return consider(act, saved);
	errno = saved;
	return act->finish ? act->finish(act) : 0;
}

/* Binds what was put off, at the name that the socket has. It must not wait. */
static void bind_now(int fd)
{
	struct act act = { .fd = fd, .calls = CALL_BIND, .dont_wait = true };
	union name name;

	if (bind_name_of(fd, &name) != 0)
		return;
	act.addr = &name.any;
	act.len = name_length(&name);
	assign(&act);
}

void assign_deferred(int fd)
{
	int saved = errno;

	if (sock_is_deferred(fd))
		bind_now(fd);
	errno = saved;
}

bool assign_inherited(int fd)
{
	int saved = errno;
	struct sock sock;
	bool deferred = session_get()->calls && sock_know(fd, &sock) && sock.state == SOCK_DEFERRED;

	if (deferred)
		bind_now(fd);
	errno = saved;
	return deferred;
}

bool assign_denies(void)
{
	int saved = errno;
	bool denies = session_get()->denies;

	errno = saved;
	return denies;
}
