/* try.c - trying the ports of a rule, each in its way, until one is the socket's. */
#define _GNU_SOURCE
#include "attempt.h"
#include "choice.h"
#include "report.h"

int choose_local(struct attempt *a)
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
	       !a->sock.early_only;
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

ssize_t other_error(struct attempt *a, int error)
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
		kernel_forgo_late();
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

bool try_all(struct attempt *a, ssize_t *result)
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
