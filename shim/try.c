/* try.c - trying the ports of a rule, each in its way, until one is the socket's. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

#include "ask.h"
#include "attempt.h"
#include "audit.h"
#include "caller.h"
#include "choice.h"
#include "held.h"
#include "log.h"
#include "owner.h"
#include "report.h"
#include "rules.h"
#include "session.h"
#include "way.h"

#define YIELDS 4

/* --- what is to be bound -------------------------------------------------------------------------------- */

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

		a->has_port = name_port(&a->local.any) != 0;
		name_set_port(&a->local, 0);
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

/* A port of this call can be shared with connections to other destinations. */
static bool can_share(const struct attempt *a)
{
	return way_shares(a->rule, &a->question);
}

/* A port taken late is shared; `share = never` has it bound. So has a connect() whose end is not seen: there is no other try. */
static bool can_be_late(const struct attempt *a)
{
	return can_share(a) && !a->sock.early_only && !a->act->unseen;
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

/* --- what the table is told ------------------------------------------------------------------------------ */

/* A connection takes its port towards its destination, where that can be arbitrated; all else takes it as a whole. */
void find_table(struct attempt *a)
{
	const struct session *session = session_get();
	const struct ip_addr source = name_address(&a->local);
	bool shares;

	if (!a->sock.early_only && owner_is_new())
		table_check_home(a->act->fd);
	a->table = table_get(&session->policy, a->act->fd, a->sock.early_only);
	if (!a->table)
		return;
	owner_self(a->table); /* the first time it reads files, and is better not deep in the stack */
	shares = can_share(a) && (can_be_late(a) || table_is_shared(a->table));
	a->number = rules_number(a->table, a->rule);
	peer_make(&a->peer, a->table, a->sock.protocol, shares ? &a->question.destination : NULL, &source);
	if (shares)
		peer_scope(&a->peer, a->table, name_scope(a->act->addr, a->act->len));
}

static void given(const struct attempt *a, struct candidate *c)
{
	int saved = errno;

	lease_hold(a->table, &c->lease);
	if (caller && a->table) /* it will not be seen when the port comes back */
		rules_note_last(a->table, a->number, peer_space(a->sock.protocol), c->lo);
	rules_count(a->table, a->number, RULE_GIVEN);
	errno = saved;
}

/* The port was not even tried. */
static void drop(const struct attempt *a, struct candidate *c)
{
	lease_drop(a->table, &c->lease);
	held_take(a->act->fd);
}

/* The connection has not come about: its port is the socket's no more. */
static void came_to_nothing(const struct attempt *a)
{
	held_release(a->act->fd);
}

/* --- early ------------------------------------------------------------------------------------------------ */

static ssize_t early_success(struct attempt *a, struct candidate *c, bool shared)
{
	const struct act *act = a->act;
	ssize_t result = 0;

	settle(a, SOCK_SETTLED);
	report_assigned(a->rule, &a->question, c->lo, false);
	audit(a, AUDIT_ASSIGNED, c->lo);
	if (act->given)
		*act->given = c->lo;
	if (is_bind(act))
		errno = a->saved_errno;
	else
		result = finish(a);
	if (shared && result < 0 && errno == EADDRNOTAVAIL) {
		audit(a, AUDIT_REFUSED, c->lo);
		came_to_nothing(a);
		if (a->takes_over)
			peer_set_strict(a->table, &a->peer);
	} else {
		given(a, c);
	}
	return result;
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

/* The concrete address that the connection will leave from. 0 or -errno. */
static int find_source(struct attempt *a)
{
	const struct act *act = a->act;

	if (!a->source.family)
		a->source = name_address(&a->local);
	return a->source.family ? 0 : source_of(act->fd, act->addr, act->len, &a->source);
}

static int interface_of(const struct act *act)
{
	uint32_t scope = name_scope(act->addr, act->len);

	return scope ? (int)scope : bind_interface_of(act->fd);
}

/* Whether another process is about to take the same 4-tuple by another cell: a socket that is bound to the address and one that
 * is not have different peers. Each claims before it looks. */
static bool is_claimed_otherwise(const struct attempt *a, uint16_t port)
{
	struct peer other;

	peer_make(&other, a->table, a->sock.protocol, &a->question.destination, a->peer.source.family ? NULL : &a->source);
	peer_scope(&other, a->table, a->peer.scope);
	return lease_state(a->table, &other, port, NULL) == CELL_CLAIMED;
}

/* Whether a living process has the port as a whole, though its socket would let others in: the program set SO_REUSEADDR. */
static bool is_exclusive(const struct attempt *a, uint16_t port)
{
	struct peer whole;
	uint64_t owner;
	enum cell_state state;

	peer_make(&whole, a->table, a->sock.protocol, NULL, NULL);
	state = lease_state(a->table, &whole, port, &owner);
	return (state == CELL_CLAIMED || state == CELL_HELD) && owner_life(a->table, owner) != OWNER_DEAD;
}

/* 0: nobody has a connection from this port to the destination, and between this answer and connect() no other process goes
 * for one: the claim in the table is ours. -EADDRINUSE: somebody has, or may have. Else the destination cannot be reached. */
static int tuple_check(struct attempt *a, uint16_t port)
{
	enum tuple tuple;
	int error;

	if (!kernel_may_be_asked())
		return -EADDRINUSE;
	error = find_source(a);
	if (error == -ENETUNREACH || error == -EHOSTUNREACH)
		return error;
	if (error || is_exclusive(a, port))
		return -EADDRINUSE;
	atomic_fetch_add_explicit(&a->table->asked, 1, memory_order_relaxed);
	tuple = ask_tuple(&(struct endpoint){ .addr = a->source, .port = port }, &a->question.destination,
	                  interface_of(a->act));
	a->takes_over = tuple == TUPLE_TIME_WAIT;
	if (tuple != TUPLE_FREE &&
	    (!a->takes_over || kernel_known()->no_timestamps || peer_is_strict(a->table, &a->peer)))
		return -EADDRINUSE;
	return is_claimed_otherwise(a, port) ? -EADDRINUSE : 0;
}

/* Over others. Who has the port may be between his bind() and letting others in; a listener never lets anybody. */
static int bind_over(const struct attempt *a)
{
	int error = -EADDRINUSE;

	for (int i = 0; i < YIELDS && error == -EADDRINUSE; i++) {
		if (i > 0)
			syscall(SYS_sched_yield);
		error = bind_shared(a->act->fd, &a->sock, &a->local);
	}
	return error;
}

/* Exclusively at first: that succeeds where nobody has the port, and so no connection can be in the way. Only where
 * somebody has it, it matters who. *shared: it was bound over others. */
static int bind_candidate(struct attempt *a, const struct candidate *c, bool *shared)
{
	int fd = a->act->fd, error = bind_early(fd, &a->sock, &a->local);
	bool reuses;

	*shared = false;
	if (!c->lease.cell || !a->peer.to.addr.family || !table_is_shared(a->table))
		return error;
	reuses = bind_reuses(fd, &a->sock);
	if (!error) {
		bind_let_share(fd);
	} else if (error == -EADDRINUSE) {
		error = tuple_check(a, c->lo);
		if (!error)
			error = bind_over(a);
		*shared = !error;
	}
	if (!error) {
		a->sock.lets_share = !reuses;
		a->sock.reuse = true;
	}
	return error;
}

/* *outcome as bind() has it. True when the call has its result. */
static bool try_early(struct attempt *a, struct candidate *c, enum outcome *outcome, ssize_t *result)
{
	bool shared;
	int error;

	name_set_port(&a->local, c->lo);
	error = bind_candidate(a, c, &shared);
	if (error == -EINVAL && shed_port(a))
		error = bind_candidate(a, c, &shared);
	*outcome = error == -EACCES ? OUTCOME_FORBIDDEN : error == -EADDRINUSE ? OUTCOME_TAKEN : OUTCOME_GIVEN;
	if (*outcome != OUTCOME_GIVEN) {
		a->address_lost = a->sock.addressed;
		return false;
	}
	if (error) {
		drop(a, c);
		*result = other_error(a, error);
	} else {
		*result = early_success(a, c, shared);
	}
	return true;
}

/* A signal ends the waiting: nothing further is tried. */
static bool is_interrupted(const struct attempt *a)
{
	return a->wait && wait_has_signal(a->wait);
}

/* --- late ------------------------------------------------------------------------------------------------- */

/* Whether the socket has its port after a connect() that returned `result`. */
static bool is_connecting(ssize_t result)
{
	return result >= 0 || errno == EINPROGRESS || errno == EINTR;
}

/* One that the kernel picked from a range is known behind the call only. errno is kept. */
static void tell_late(struct attempt *a, const struct candidate *c)
{
	bool picked = c->lo < c->hi;
	uint16_t port = c->lo;
	int saved = errno;

	if (picked && (log_wants(LOG_LEVEL_INFO) || audit_is_on()))
		port = bind_port_of(a->act->fd);
	if (picked && port)
		audit(a, AUDIT_ASSIGNED, port);
	report_assigned(a->rule, &a->question, port, true);
	errno = saved;
}

/* Tries one candidate late: the try is the program's own call. True when the call has its result. */
static bool try_late(struct attempt *a, struct candidate *c, enum outcome *outcome, ssize_t *result)
{
	const struct act *act = a->act;
	int error = bind_local_address(a);

	if (!error)
		error = bind_set_range(act->fd, c->lo, c->hi);
	if (error == -ENOPROTOOPT) {
		kernel_forgo_late();
		*outcome = OUTCOME_UNFIT;
		return c->lo == c->hi && try_early(a, c, outcome, result);
	}
	if (error) {
		drop(a, c);
		*result = other_error(a, error);
		return true;
	}
	a->sock.ranged = true;
	settle(a, SOCK_TRIED);
	if (is_interrupted(a)) {
		*outcome = OUTCOME_UNFIT;
		return false;
	}
	if (c->lo == c->hi)
		audit(a, AUDIT_ASSIGNED, c->lo);
	*result = finish(a);
	if (*result >= 0 || errno != EADDRNOTAVAIL) {
		tell_late(a, c);
		if (is_connecting(*result))
			given(a, c);
		else
			came_to_nothing(a);
		return true;
	}
	if (c->lo == c->hi)
		audit(a, AUDIT_REFUSED, c->lo);
	*outcome = OUTCOME_TAKEN;
	if (!a->source_seen && !a->sock.addressed &&
	    source_of(act->fd, act->addr, act->len, &a->source) == -EADDRNOTAVAIL) {
		drop(a, c);
		errno = EADDRNOTAVAIL;
		return true;
	}
	a->source_seen = true;
	return false;
}

/* --- one after the other ----------------------------------------------------------------------------------- */

/* Tries one candidate in the way that is its port's. True when the call has its result. From its claim on a lease is the
 * descriptor's: the call may end by a cancellation, or a jump out of a signal handler, and close() gives it back. */
static bool try_candidate(struct attempt *a, struct choice *choice, struct candidate *c, ssize_t *result)
{
	const struct kernel *kernel = choice->purpose.kernel;
	enum outcome outcome = OUTCOME_UNFIT;
	bool done = false;

	if (can_be_late(a) && kernel_takes_late(kernel, c->lo))
		kernel = kernel_now(); /* about to be relied on */
	if (meets_itself(a, c))
		done = false;
	else if (can_be_late(a) && kernel_takes_late(kernel, c->lo))
		done = try_late(a, c, &outcome, result);
	else if (c->lo == c->hi)
		done = try_early(a, c, &outcome, result);
	if (outcome == OUTCOME_TAKEN && !done && c->lo == c->hi)
		rules_count(a->table, a->number, RULE_RETRIES);
	choice_heard(choice, c, done ? OUTCOME_GIVEN : outcome);
	if (!done)
		held_take(a->act->fd);
	return done;
}

bool try_all(struct attempt *a, ssize_t *result)
{
	struct choice choice;
	struct candidate candidate;
	struct purpose purpose = {
		.rule = a->rule,
		.kernel = kernel_known(),
		.to = a->question.has_destination ? &a->question.destination : NULL,
		.program = session_get()->program,
		.lets_kernel_pick = can_be_late(a),
		.note = held_note(a->act->fd),
		.sees_no_close = caller != NULL,
		.comes_again = a->wait != NULL,
	};

	held_release(a->act->fd);
	find_table(a);
	purpose.table = a->table;
	purpose.peer = &a->peer;
	purpose.number = a->number;
	choice_begin(&choice, &purpose);
	while (!is_interrupted(a) && choice_next(&choice, &candidate))
		if (try_candidate(a, &choice, &candidate, result))
			return true;
	if (a->address_lost)
		bind_local_address(a);
	report_used_up(a->rule, &a->question, choice.forbidden);
	return false;
}
