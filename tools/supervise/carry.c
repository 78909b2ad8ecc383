/* carry.c - deciding and carrying out a call for the program that makes it. */
#define _GNU_SOURCE
#include "tools/supervise/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "shim/assign.h"
#include "shim/bind.h"
#include "shim/session.h"
#include "shim/sock.h"
#include "tools/supervise/birth.h"
#include "tools/supervise/client.h"
#include "tools/supervise/hand.h"
#include "tools/supervise/place.h"
#include "tools/supervise/ring.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define TRIES 3

/* A call while it is carried out. */
struct work {
	struct asking asking; /* first: the engine has its caller from there */
	struct notified_call call;
	const struct carrier *carrier;
	uint64_t id;
	int fd;               /* the copy */
	struct hand hand;     /* its turn */
	bool stream, tcp;
	bool confined;        /* the caller may do less than we */
	bool named;           /* it has an address, in `name` */
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	} name;
	socklen_t len;
	bool goes_on;
};

static struct work *work_of(const struct act *act)
{
	return (struct work *)act->data;
}

/* --- what the engine calls when a port is had, or none is needed ------------------------------------------------- */

static ssize_t go_on(const struct act *act)
{
	work_of(act)->goes_on = true;
	return 0;
}

static long raw_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return syscall(SYS_connect, fd, addr, len);
}

/* Begins a connection of a blocking socket. Nobody else sees O_NONBLOCK but who has the same open file and looks at this
 * very moment. */
static ssize_t begin_connection(const struct act *act, int flags)
{
	ssize_t result;
	int error;

	fcntl(act->fd, F_SETFL, flags | O_NONBLOCK);
	result = raw_connect(act->fd, act->addr, act->len);
	error = errno;
	fcntl(act->fd, F_SETFL, flags);
	work_of(act)->goes_on = result < 0 && (error == EINPROGRESS || error == EALREADY);
	errno = error;
	return result;
}

static ssize_t finish_connect(const struct act *act)
{
	int flags;

	if (act->unseen)
		return go_on(act);
	flags = work_of(act)->stream ? fcntl(act->fd, F_GETFL) : O_NONBLOCK;
	return flags & O_NONBLOCK ? raw_connect(act->fd, act->addr, act->len) : begin_connection(act, flags);
}

static ssize_t finish_bind(const struct act *act)
{
	return work_of(act)->confined ? go_on(act) : place_bind(act->fd, act->addr, act->len);
}

static ssize_t finish_listen(const struct act *act)
{
	return syscall(SYS_listen, act->fd, act->flags);
}

/* --- reading the call ------------------------------------------------------------------------------------------------ */

static int read_arguments(struct work *work)
{
	/* As many as the kernel reads: there may be nothing behind them. */
	static const int counts[NOTIFIED_KINDS] = {
		[NOTIFIED_CONNECT] = 3, [NOTIFIED_BIND] = 3, [NOTIFIED_LISTEN] = 2, [NOTIFIED_SENDTO] = 6, [NOTIFIED_SENDMSG] = 3,
		[NOTIFIED_SENDMMSG] = 4, [NOTIFIED_GETSOCKNAME] = 3, [NOTIFIED_SOCKET] = 3,
	};
	int error, count = counts[work->call.kind];
	uint32_t narrow[6] = { 0 };

	if (!work->call.in_memory)
		return 0;
	error = client_read(work->asking.client, work->call.args[1], narrow, (size_t)count * sizeof(narrow[0]));
	for (int i = 0; !error && i < count; i++)
		work->call.args[i] = narrow[i];
	return error;
}

static int read_name(struct work *work, uint64_t address, int64_t len)
{
	if (len < 0 || len > (int64_t)sizeof(work->name))
		return -EINVAL;
	work->len = (socklen_t)len;
	work->named = true;
	return len ? client_read(work->asking.client, address, &work->name, (size_t)len) : 0;
}

/* The name in message `number` of sendmmsg(2), or in that of sendmsg(2). */
static int read_message(struct work *work, unsigned int number)
{
	struct {
		uint64_t name;
		int32_t len;
	} wide = { 0 };
	struct {
		uint32_t name;
		int32_t len;
	} narrow = { 0 };
	bool is_32_bit = work->call.table->is_32_bit;
	uint64_t at = work->call.args[1] + number * (is_32_bit ? UINT64_C(32) : UINT64_C(64));
	int error = is_32_bit ? client_read(work->asking.client, at, &narrow, 8) :
	                        client_read(work->asking.client, at, &wide, 12);

	work->named = false;
	if (error)
		return error;
	if (is_32_bit) {
		wide.name = narrow.name;
		wide.len = narrow.len;
	}
	if (!wide.name || !wide.len)
		return 0;
	return read_name(work, wide.name, wide.len > (int)sizeof(work->name) ? (int)sizeof(work->name) : wide.len);
}

/* Reads what the call has in memory, besides its socket. */
static int read_call(struct work *work)
{
	const uint64_t *args = work->call.args;

	switch (work->call.kind) {
	case NOTIFIED_CONNECT:
	case NOTIFIED_BIND:
		return read_name(work, args[1], (int)args[2]);
	case NOTIFIED_SENDTO:
		return args[4] ? read_name(work, args[4], (int)args[5]) : 0;
	case NOTIFIED_SENDMSG:
		return read_message(work, 0);
	case NOTIFIED_SENDMMSG:
		return (unsigned int)args[2] ? read_message(work, 0) : 0;
	default:
		break;
	}
	return 0;
}

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -errno;
}

/* --- the kinds of calls -------------------------------------------------------------------------------------------- */

/* Whether a blocking connect() waits for so long only. */
static bool gives_up(int fd)
{
	struct timeval limit = { 0, 0 };
	socklen_t len = sizeof(limit);

	return getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &len) == 0 && (limit.tv_sec || limit.tv_usec);
}

static ssize_t connect_for(struct work *work, struct act *act)
{
	ssize_t result;

	act->calls = CALL_CONNECT;
	act->finish = finish_connect;
	/* How others than TCP go on that somebody else has begun is their own affair; and a connect() that gives up waiting
	 * says EALREADY then, where it would say EINPROGRESS. */
	act->unseen = work->confined ||
	              (work->asking.caller.type != SOCK_DGRAM && (!work->tcp || gives_up(act->fd)));
	if (name_is_inet(act->addr, act->len) && !name_is_unspec(act->addr, act->len))
		return assign(act);
	result = raw_connect(act->fd, act->addr, act->len);
	if (result == 0 && name_is_unspec(act->addr, act->len))
		sock_disconnected(act->fd);
	return result;
}

static ssize_t bind_for(struct act *act)
{
	act->calls = CALL_BIND;
	act->finish = finish_bind;
	act->may_defer = true;
	return name_is_inet(act->addr, act->len) ? assign(act) : finish_bind(act);
}

static ssize_t listen_for(struct work *work, struct act *act)
{
	act->calls = CALL_LISTEN;
	act->finish = finish_listen;
	act->flags = (int)work->call.args[1];
	return assign(act);
}

/* A message that has no name, or one that is no address, as the kernel would answer it if it were empty. (A real one could
 * have a good name by the time that the kernel reads it.) */
static ssize_t send_without_address(struct work *work, struct act *act)
{
	static const struct sockaddr_storage nobody;
	bool whole = work->stream && !(act->flags & MSG_FASTOPEN);
	ssize_t result;

	if (!whole && !work->named && !work->stream && !bind_has_peer(act->fd) && bind_port_of(act->fd) == 0) {
		errno = EDESTADDRREQ;
		return -1;
	}
	if (!whole && (work->named || work->stream)) {
		result = syscall(SYS_sendto, act->fd, &nobody, 0, act->flags | MSG_DONTWAIT | MSG_NOSIGNAL, act->addr, act->len);
		if (result < 0 && errno != EAGAIN)
			return -1;
	}
	return go_on(act);
}

/* Where destinations are denied, each message has its own. One that may not be sent keeps them all back. */
static ssize_t check_messages(struct work *work, struct act *act)
{
	unsigned int count = (unsigned int)work->call.args[2];

	for (unsigned int i = 1; i < count && i < 1024; i++) {
		int error = read_message(work, i);

		if (error || !work->named)
			continue;
		act->addr = &work->name.any;
		act->len = work->len;
		if (name_is_inet(act->addr, act->len) && assign(act) < 0) {
			work->goes_on = false;
			return -1;
		}
	}
	return 0;
}

static ssize_t send_for(struct work *work, struct act *act, int flags)
{
	ssize_t result;

	act->calls = CALL_SEND;
	act->finish = go_on;
	act->unseen = true;
	act->flags = flags;
	act->dont_wait = flags & MSG_DONTWAIT;
	if (work->call.kind == NOTIFIED_SENDMMSG && (unsigned int)work->call.args[2] == 0)
		return go_on(act);
	if (!work->named || !name_is_inet(act->addr, act->len))
		return send_without_address(work, act);
	result = assign(act);
	if (result == 0 && work->call.kind == NOTIFIED_SENDMMSG && assign_denies())
		result = check_messages(work, act);
	return result;
}

static ssize_t carry_kind(struct work *work)
{
	struct act act = { .fd = work->fd, .data = work };
	const uint64_t *args = work->call.args;

	if (work->named) {
		act.addr = &work->name.any;
		act.len = work->len;
	}
	switch (work->call.kind) {
	case NOTIFIED_CONNECT:
		return connect_for(work, &act);
	case NOTIFIED_BIND:
		return bind_for(&act);
	case NOTIFIED_LISTEN:
		return listen_for(work, &act);
	case NOTIFIED_SENDTO:
		return send_for(work, &act, (int)args[3]);
	case NOTIFIED_SENDMSG:
		return send_for(work, &act, (int)args[2]);
	case NOTIFIED_SENDMMSG:
		return send_for(work, &act, (int)args[3]);
	case NOTIFIED_GETSOCKNAME:
		assign_inherited(act.fd);
		break;
	default:
		break;
	}
	return go_on(&act);
}

/* --- one after the other --------------------------------------------------------------------------------------------- */

static bool still_waits(const struct work *work)
{
	uint64_t id = work->id;

	return ioctl(work->carrier->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static bool is_interrupted(const struct caller *as)
{
	const struct work *work = (const struct work *)as;

	return !still_waits(work) || client_has_signal(work->asking.client);
}

/* While a call waits for a port others may use its socket; but somebody must be there to serve them. */
static bool rest(struct caller *as, bool begins)
{
	struct work *work = (struct work *)as;

	if (begins && !work->carrier->may_sleep())
		return false;
	if (begins) {
		work->hand.entry = as->entry;
		hand_give_back(&work->hand);
	} else {
		hand_take(&work->hand, work->hand.cookie);
		as->entry = work->hand.entry;
	}
	return true;
}

/* Asks for the socket in hand what does not change, unless that is known. */
static void know_kind(struct work *work)
{
	struct caller *as = &work->asking.caller;
	struct hand_kind *kind = &work->hand.kind;

	if (!kind->known)
		*kind = (struct hand_kind){
			.protocol = (uint16_t)option_of(work->fd, SO_PROTOCOL),
			.type = (uint8_t)option_of(work->fd, SO_TYPE),
			.elsewhere = place_is_elsewhere(work->fd),
			.known = true,
		};
	as->type = kind->type;
	as->protocol = kind->protocol;
	as->elsewhere = kind->elsewhere;
	work->stream = as->type == SOCK_STREAM || as->type == SOCK_DCCP;
	work->tcp = as->type == SOCK_STREAM && (as->protocol == IPPROTO_TCP || as->protocol == IPPROTO_MPTCP);
}

static int carry_inet(struct work *work, struct verdict *verdict)
{
	struct caller *as = &work->asking.caller;
	uint64_t cookie;
	ssize_t result;

	if (!place_cookie(work->fd, &cookie))
		return -EPERM;
	work->confined = client_is_confined(work->asking.client);
	hand_take(&work->hand, cookie);
	know_kind(work);
	as->entry = work->hand.entry;
	as->is_interrupted = is_interrupted;
	as->rest = rest;
	caller = as;
	errno = 0;
	result = carry_kind(work);
	verdict->error = result < 0 ? -errno : 0;
	verdict->value = result;
	verdict->go_on = work->goes_on;
	caller = NULL;
	work->hand.entry = as->entry;
	hand_give_back(&work->hand);
	return 0;
}

static int carry_socket(struct work *work, struct verdict *verdict)
{
	int domain = option_of(work->fd, SO_DOMAIN), error;

	if (domain < 0 || (domain != AF_INET && domain != AF_INET6)) {
		verdict->go_on = domain >= 0;
		return domain < 0 ? domain : 0;
	}
	work->asking.caller.domain = domain;
	error = read_call(work);
	if (!error && !still_waits(work))
		error = -EINTR;
	return error ? error : carry_inet(work, verdict);
}

/* Calls that have no descriptor yet, but are to get one. */
static int carry_new(struct work *work, struct verdict *verdict)
{
	const struct birth birth = { work->carrier->listener, work->id, (int)work->call.args[0], (int)work->call.args[1],
	                             (int)work->call.args[2] };
	const struct ring ring = { work->carrier->listener, work->id, (uint32_t)work->call.args[0], work->call.args[1],
	                           work->call.table->is_32_bit };
	int error = client_is_there(work->asking.client) ? 0 : -ESRCH;

	if (error)
		return error;
	caller = &work->asking.caller;
	if (work->call.kind == NOTIFIED_SOCKET)
		error = birth_carry(&birth, &work->asking, verdict);
	else
		error = ring_carry(&ring, work->asking.client, verdict);
	caller = NULL;
	return error;
}

/* 0; -ESTALE, -ESRCH: the caller is not what it was taken for. Whose descriptor can be copied is there; and if its call still
 * waits behind that, it is the thread that made it, for no other has had its number meanwhile. */
static int carry_for(struct work *work, struct verdict *verdict)
{
	int error;

	if (!client_is_same_program(work->asking.client))
		return -ESTALE;
	if (work->asking.caller.session->calls == 0) {
		verdict->go_on = client_is_there(work->asking.client);
		return verdict->go_on ? 0 : -ESRCH;
	}
	error = read_arguments(work);
	if (!error && (work->call.kind == NOTIFIED_SOCKET || work->call.kind == NOTIFIED_IO_URING))
		return carry_new(work, verdict);
	work->fd = error ? error : client_copy(work->asking.client, (int)work->call.args[0]);
	if (work->fd < 0)
		return work->fd;
	error = carry_socket(work, verdict);
	close(work->fd);
	return error;
}

static bool try_carry(const struct carrier *carrier, const struct seccomp_notif *notification, struct verdict *verdict, bool last)
{
	struct work work = { .carrier = carrier, .id = notification->id, .fd = -1 };
	struct client *client;
	int error;

	call_read(&work.call, notification->data.arch, notification->data.nr,
	          (const uint64_t *)notification->data.args);
	if (work.call.kind == NOTIFIED_LANDLOCK)
		client_landlocked();
	if (work.call.kind == NOTIFIED_NOTHING || work.call.kind == NOTIFIED_LANDLOCK) {
		verdict->go_on = true;
		return true;
	}
	client = client_get(notification->pid, &error);
	if (error == -EMFILE || error == -ENFILE)
		client_drop_idle();
	if (!client && !last && (error == -EMFILE || error == -ENFILE || error == -ESRCH)) {
		verdict->error = -EPERM;
		return false;
	}
	if (!client) {
		place_refuse(notification->pid, error);
		verdict->error = -EPERM;
		return true;
	}
	client_ask(&work.asking, client);
	error = carry_for(&work, verdict);
	/* Whose call does not wait any more may have become another program while it was looked at. */
	if (error == -ESTALE || error == -ESRCH || error == -EINTR)
		client_forget(client);
	client_put(client);
	if (error == -EMFILE || error == -ENFILE)
		client_drop_idle();
	if (error)
		verdict->error = error;
	return error != -ESTALE && error != -ESRCH && error != -EMFILE && error != -ENFILE;
}

void carry(const struct carrier *carrier, const struct seccomp_notif *notification, struct verdict *verdict)
{
	for (int i = 0; i < TRIES; i++) {
		*verdict = (struct verdict){ .error = 0 };
		if (try_carry(carrier, notification, verdict, i == TRIES - 1))
			return;
	}
}
