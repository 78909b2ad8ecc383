/* assign.c - carrying out what was decided: pass, refuse, put off, give a port. */
#define _GNU_SOURCE
#include "assign.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attempt.h"
#include "caller.h"
#include "owner.h"
#include "real.h"
#include "report.h"
#include "rules.h"
#include "session.h"
#include "wait.h"
#include "way.h"

/* A call passed and succeeded: what is known of the socket's port now. */
static void note_passed(struct attempt *a)
{
	const struct act *act = a->act;

	if (is_bind(act) && (act->given || name_port(act->addr) != 0))
		settle(a, SOCK_SETTLED);
	else if (!a->sock.stream && a->sock.state != SOCK_SETTLED)
		settle(a, SOCK_DECIDED);
}

/* The bind that was put off takes place as the program asked for it: the kernel's choice of a port, or a reserved one.
 * Should there be none, the call itself will say so. */
static void bind_as_asked(struct attempt *a)
{
	int fd = a->act->fd, port = a->sock.reserved;

	if (port) {
		settle(a, bind_reserved(fd, &a->local, &port) == 0 ? SOCK_SETTLED : SOCK_UNBOUND);
		return;
	}
	real.bind(fd, &a->local.any, name_length(&a->local));
	if (a->sock.stream)
		sock_mark(fd, &a->sock, MARK_LENT);
	settle(a, a->sock.stream ? SOCK_LENT : SOCK_DECIDED);
}

/* The policy has no say (any more): the socket is put back to what the program made it, and the call passes. */
static ssize_t pass(struct attempt *a)
{
	const struct act *act = a->act;
	ssize_t result;

	if (a->sock.ranged && sock_is_idle(act->fd)) {
		bind_set_range(act->fd, 0, 0);
		a->sock.ranged = false;
		settle(a, a->sock.state == SOCK_TRIED ? SOCK_UNBOUND : a->sock.state);
	} else if (a->sock.state == SOCK_DEFERRED && bind_name_of(act->fd, &a->local) == 0) {
		name_set_port(&a->local, 0);
		bind_as_asked(a);
	}
	if (!act->finish)
		return 0;
	result = finish(a);
	if (result >= 0 && a->sock.protocol)
		note_passed(a);
	return result;
}

/* Whether the socket has the kernel's port, which was asked for before there was a destination: here, or in another process
 * that has the socket. */
static bool has_lent_port(const struct attempt *a)
{
	return a->sock.state == SOCK_LENT ||
	       (a->sock.state == SOCK_DEFERRED && a->sock.stream && a->has_port && sock_is_idle(a->act->fd));
}

/* It gives way to the rule's. */
static int take_back(struct attempt *a)
{
	int error;

	if (a->act->calls != CALL_CONNECT || !has_lent_port(a))
		return 0;
	error = bind_release(a->act->fd, &a->sock);
	if (!error) {
		a->released = true;
		a->address_lost = true;
		sock_mark(a->act->fd, &a->sock, MARK_PUT_OFF);
		settle(a, SOCK_UNBOUND);
	}
	return error;
}

/* connect and send are cancellation points. */
static void end_if_cancelled(const struct act *act)
{
	if (act->calls & (CALL_CONNECT | CALL_SEND) && !act->is_option)
		pthread_testcancel();
}

/* A refusal is a result like another. */
static ssize_t refuse(const struct act *act, int error)
{
	end_if_cancelled(act);
	errno = error;
	return -1;
}

/* What `exhausted` says, where all ports are in use and there was no waiting, or it ended with `error`. */
static ssize_t give_up(struct attempt *a, int error)
{
	rules_count(a->table, a->number, RULE_FAILURES);
	if (a->rule->exhausted == EXHAUSTED_PASS)
		return pass(a);
	if (a->released && a->sock.stream)
		settle(a, SOCK_DEFERRED);
	return refuse(a->act, error == -EINTR ? EINTR : way_used_up(a->act->calls, a->sock.protocol));
}

/* Another call may have given the socket its port while this one waited: a supervisor's callers take turns with it. */
static bool try_again(struct attempt *a, ssize_t *result)
{
	bool has_port = caller && (sock_is_settled(a->act->fd) || sock_is_decided(a->act->fd));

	if (has_port)
		*result = finish(a);
	return has_port || try_all(a, result);
}

/* Tries until a port is had, for as long as the rule waits. 0 with the call's result, or -errno. */
static __attribute__((noinline)) int wait_for_port(struct attempt *a, ssize_t *result)
{
	struct wait wait;
	int error;

	wait_begin(&wait, a->act->fd, a->rule->wait_ms);
	if (try_all(a, result))
		return 0;
	rules_count(a->table, a->number, RULE_WAITS);
	a->wait = &wait;
	do
		error = wait_a_little(&wait);
	while (!error && !try_again(a, result));
	a->wait = NULL;
	wait_let(&wait);
	return error;
}

/* A port of the rule's, then the call. */
static ssize_t place(struct attempt *a)
{
	const struct act *act = a->act;
	bool waits = a->rule->exhausted == EXHAUSTED_WAIT && !act->dont_wait && !sock_is_nonblocking(act->fd);
	ssize_t result = -1;
	int error = choose_local(a);

	if (!error)
		error = take_back(a);
	if (error)
		return other_error(a, error);
	if (waits)
		error = wait_for_port(a, &result);
	else if (!try_all(a, &result))
		error = -ETIMEDOUT;
	return error ? give_up(a, error) : result;
}

/* Where no bind can be put off (before Linux 4.2, in sandboxes, SCTP), what can be decided without a destination is. A rule
 * that waits for one takes a stream's port back then; a datagram socket keeps its port, and so does one of SCTP: they get one
 * of that rule's. */
static ssize_t bind_at_once(struct attempt *a)
{
	bool gives_back = a->sock.stream && a->sock.protocol != PROTOCOL_SCTP;
	ssize_t result;

	if (!a->rule && !gives_back && a->waiting && a->waiting->action == ACTION_ASSIGN && !a->act->reserved)
		a->rule = a->waiting;
	if (a->rule && a->rule->action == ACTION_ASSIGN)
		return place(a);
	result = pass(a);
	if (result == 0 && gives_back && a->waiting && !a->act->reserved)
		settle(a, SOCK_LENT);
	return result;
}

/* Binds the address now and leaves the port to the call that has a destination. */
static ssize_t defer(struct attempt *a)
{
	int error = -EOPNOTSUPP;

	if (a->sock.protocol == PROTOCOL_SCTP) /* has the option, and pays no heed to it */
		return bind_at_once(a);
	name_copy(&a->local, a->act->addr, a->act->len);
	/* Who cannot have a reserved port is told so now. */
	a->sock.reserved = a->act->reserved ? bind_reserved_next(a->sock.ipv6, a->sock.stream) : 0;
	if (!a->act->reserved || a->sock.reserved)
		error = bind_address(a->act->fd, &a->sock, &a->local);
	if (error == -ENOPROTOOPT || error == -EOPNOTSUPP)
		return bind_at_once(a);
	if (error) {
		errno = -error;
		return -1;
	}
	if (!a->sock.no_port)
		sock_mark(a->act->fd, &a->sock, MARK_PUT_OFF);
	a->sock.addressed = true;
	settle(a, a->sock.no_port ? SOCK_UNBOUND : SOCK_DEFERRED);
	errno = a->saved_errno;
	return 0;
}

static ssize_t deny(struct attempt *a)
{
	if (a->rule) {
		report_denied(a->rule, &a->question);
		find_table(a);
		rules_count(a->table, a->number, RULE_DENIED);
	}
	return refuse(a->act, EPERM);
}

static __attribute__((noinline)) ssize_t consider(const struct act *act, int saved_errno)
{
	struct attempt attempt = { .act = act, .saved_errno = saved_errno };

	/* Who was cancelled before the call ends before the socket is touched, as in libc's own. */
	end_if_cancelled(act);
	switch (decide(&attempt)) {
	case COURSE_DENY:
		return deny(&attempt);
	case COURSE_BOUND_ALREADY:
		return refuse(act, EINVAL);
	case COURSE_DEFER:
		return defer(&attempt);
	case COURSE_PLACE:
		return place(&attempt);
	case COURSE_PASS:
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

	/* It may have a port by now, through a copy of the descriptor. */
	if (bind_name_of(fd, &name) != 0 || name_port(&name.any) != 0)
		return;
	act.addr = &name.any;
	act.len = name_length(&name);
	assign(&act);
}

void assign_deferred(int fd)
{
	int saved = errno;

	if (sock_is_deferred(fd) && !sock_put_off_port(fd))
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

void assign_prepare(void)
{
	int saved = errno, fd;
	const struct session *session = session_get();
	struct table *table;

	if (session->calls && !session->broken && !table_made()) {
		fd = real.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		table = fd < 0 ? NULL : table_get(&session->policy, fd, false);
		if (table)
			owner_self(table);
		if (fd >= 0)
			syscall(SYS_close, fd);
	}
	errno = saved;
}
