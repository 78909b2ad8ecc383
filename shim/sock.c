/* sock.c - the memory by descriptor. */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>

#include "config/policy.h"
#include "caller.h"
#include "held.h"
#include "real.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
/* Descriptors from here on are asked each time. The array costs the pages that are written. */
#define SOCK_REMEMBERED (1 << 20)
static _Atomic int highest; /* no entry above was ever written */

#define BOUNDS(mark) (int)((unsigned)MARK_HI << 16 | (unsigned)(mark))

/* An entry: 0 is "nothing known". */
#define ENTRY_KNOWN (1u << 0)
#define ENTRY_IPV6 (1u << 1)
#define ENTRY_REUSE (1u << 2)
#define ENTRY_NO_PORT (1u << 3)
#define ENTRY_STREAM (1u << 4)
#define ENTRY_ADDRESSED (1u << 5)
#define ENTRY_STATE_SHIFT 6 /* 3 bits */
#define ENTRY_STATE_MASK 7u
#define ENTRY_PROTOCOL_SHIFT 9 /* 5 bits */
#define ENTRY_EARLY_ONLY (1u << 14)
#define ENTRY_LETS_SHARE (1u << 15)
#define ENTRY_RANGED (1u << 16)
#define ENTRY_COPIED (1u << 17)
#define ENTRY_RESERVED_SHIFT 18 /* 10 bits */
#define ENTRY_RESERVED_MASK 1023u

static _Atomic uint32_t memory[SOCK_REMEMBERED];

static bool remembered(int fd)
{
	return fd >= 0 && fd < SOCK_REMEMBERED;
}

static uint32_t entry_of(int fd)
{
	if (caller)
		return caller->entry;
	return remembered(fd) ? atomic_load_explicit(&memory[fd], memory_order_relaxed) : 0;
}

static void entry_write(int fd, uint32_t entry)
{
	if (caller)
		caller->entry = entry;
	if (caller || !remembered(fd))
		return;
	if (fd > atomic_load_explicit(&highest, memory_order_relaxed))
		atomic_store_explicit(&highest, fd, memory_order_relaxed);
	atomic_store_explicit(&memory[fd], entry, memory_order_relaxed);
}

static uint32_t entry_pack(const struct sock *sock)
{
	return ENTRY_KNOWN | (sock->ipv6 ? ENTRY_IPV6 : 0) | (sock->reuse ? ENTRY_REUSE : 0) |
	       (sock->no_port ? ENTRY_NO_PORT : 0) | (sock->stream ? ENTRY_STREAM : 0) |
	       (sock->addressed ? ENTRY_ADDRESSED : 0) | (sock->early_only ? ENTRY_EARLY_ONLY : 0) |
	       (sock->lets_share ? ENTRY_LETS_SHARE : 0) | (sock->ranged ? ENTRY_RANGED : 0) |
	       (sock->copied ? ENTRY_COPIED : 0) | (unsigned)sock->reserved << ENTRY_RESERVED_SHIFT |
	       (unsigned)sock->state << ENTRY_STATE_SHIFT |
	       (unsigned)sock->protocol << ENTRY_PROTOCOL_SHIFT;
}

static void entry_unpack(struct sock *sock, uint32_t entry)
{
	sock->protocol = (uint8_t)(entry >> ENTRY_PROTOCOL_SHIFT & PROTOCOL_ANY);
	sock->ipv6 = entry & ENTRY_IPV6;
	sock->reuse = entry & ENTRY_REUSE;
	sock->no_port = entry & ENTRY_NO_PORT;
	sock->stream = entry & ENTRY_STREAM;
	sock->addressed = entry & ENTRY_ADDRESSED;
	sock->early_only = entry & ENTRY_EARLY_ONLY;
	sock->lets_share = entry & ENTRY_LETS_SHARE;
	sock->ranged = entry & ENTRY_RANGED;
	sock->copied = entry & ENTRY_COPIED;
	sock->reserved = (uint16_t)(entry >> ENTRY_RESERVED_SHIFT & ENTRY_RESERVED_MASK);
	sock->state = (enum sock_state)(entry >> ENTRY_STATE_SHIFT & ENTRY_STATE_MASK);
}

/* Fills family, protocol and kind from the arguments that socket(2) takes. A protocol of 0 is the type's usual. */
void sock_classify(struct sock *sock, int domain, int type, int protocol)
{
	memset(sock, 0, sizeof(*sock));
	if (domain != AF_INET && domain != AF_INET6)
		return;
	sock->ipv6 = domain == AF_INET6;
	switch (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) {
	case SOCK_STREAM:
		sock->stream = true;
		if (protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
			sock->protocol = PROTOCOL_TCP;
		else if (protocol == IPPROTO_SCTP)
			sock->protocol = PROTOCOL_SCTP;
		break;
	case SOCK_DGRAM:
		if (protocol == 0 || protocol == IPPROTO_UDP)
			sock->protocol = PROTOCOL_UDP;
		else if (protocol == IPPROTO_UDPLITE)
			sock->protocol = PROTOCOL_UDPLITE;
		break;
	case SOCK_SEQPACKET:
		if (protocol == 0 || protocol == IPPROTO_SCTP)
			sock->protocol = PROTOCOL_SCTP;
		break;
	case SOCK_DCCP:
		sock->stream = true;
		sock->protocol = PROTOCOL_DCCP;
		break;
	}
}

static int option_of(int fd, int level, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return real.getsockopt(fd, level, option, &value, &len) == 0 ? value : -1;
}

static int bounds_of(int fd)
{
	return option_of(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE);
}

void sock_mark(int fd, const struct sock *sock, enum sock_mark mark)
{
	int bounds = BOUNDS(mark), had = sock->early_only ? bounds_of(fd) : 0;

	if (had == 0 || sock_is_mark(had))
		real.setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &bounds, sizeof(bounds));
}

/* Fills in what somebody else may have done to the socket: bound an address alone; put a bind off, or carried it out; made
 * it one of IPv4. What was put off by this descriptor stays so while there is no port, marked or not; a port that it has since
 * then is lent where no mark can say what it is (before Linux 6.3). */
static void ask_binding(int fd, struct sock *sock, int bounds)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name = { .v6 = { 0 } };
	socklen_t len = sizeof(name);
	bool deferred = sock->state == SOCK_DEFERRED;

	sock->no_port = option_of(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) > 0;
	sock->state = SOCK_UNBOUND;
	sock->addressed = false;
	if (real.getsockname(fd, &name.any, &len) < 0)
		return;
	sock->ipv6 = name.any.sa_family == AF_INET6;
	if (name.v4.sin_port != 0) {
		sock->state = sock->stream && (bounds == BOUNDS(MARK_LENT) || (deferred && bounds == -1)) ? SOCK_LENT : SOCK_UNBOUND;
		return;
	}
	sock->addressed = sock->ipv6 ? !IN6_IS_ADDR_UNSPECIFIED(&name.v6.sin6_addr) : name.v4.sin_addr.s_addr != 0;
	if (deferred || (!sock->no_port && (sock->addressed || bounds == BOUNDS(MARK_PUT_OFF))))
		sock->state = SOCK_DEFERRED;
}

/* Of what is no socket, or none of these, the kernel says so. */
static void classify_by_kernel(int fd, struct sock *sock)
{
	static const int options[] = { SO_DOMAIN, SO_TYPE, SO_PROTOCOL };
	int value[3];

	for (int i = 0; i < 3; i++) {
		value[i] = option_of(fd, SOL_SOCKET, options[i]);
		if (value[i] < 0) {
			memset(sock, 0, sizeof(*sock));
			sock->withheld = errno != EBADF && errno != ENOTSOCK;
			return;
		}
	}
	sock_classify(sock, value[0], value[1], value[2]);
}

/* A socket that came from elsewhere (inherited, passed, made by a raw system call). Whether it is bound is left to
 * bind(), which knows; getsockname() does not (it goes on showing the port of a refused connect). */
static void ask(int fd, struct sock *sock)
{
	int bounds;

	if (caller)
		sock_classify(sock, caller->domain, caller->type, caller->protocol);
	else
		classify_by_kernel(fd, sock);
	if (!sock->protocol)
		return;
	bounds = bounds_of(fd);
	sock->reuse = true;
	/* In the supervisor all sockets come from elsewhere, and it knows from where; some have bounds of the program's own. */
	sock->early_only = !caller || caller->elsewhere || (bounds != 0 && bounds != -1 && !sock_is_mark(bounds));
	sock->copied = caller != NULL;
	ask_binding(fd, sock, bounds);
}

bool sock_know(int fd, struct sock *sock)
{
	uint32_t entry = entry_of(fd);

	if (entry) {
		entry_unpack(sock, entry);
		if (sock->copied && sock->protocol && (sock->state == SOCK_UNBOUND || sock->state == SOCK_DEFERRED))
			ask_binding(fd, sock, bounds_of(fd));
	} else if (fd >= 0) {
		ask(fd, sock);
		if (sock->protocol)
			sock_remember(fd, sock);
	} else {
		memset(sock, 0, sizeof(*sock));
	}
	return sock->protocol != 0;
}

bool sock_is_other(int fd)
{
	uint32_t entry = entry_of(fd);

	return entry && !(entry >> ENTRY_PROTOCOL_SHIFT & PROTOCOL_ANY);
}

static enum sock_state state_of(int fd)
{
	return (enum sock_state)(entry_of(fd) >> ENTRY_STATE_SHIFT & ENTRY_STATE_MASK);
}

bool sock_is_known(int fd)
{
	return entry_of(fd) != 0;
}

bool sock_is_decided(int fd)
{
	return state_of(fd) == SOCK_DECIDED;
}

bool sock_is_settled(int fd)
{
	return state_of(fd) == SOCK_SETTLED;
}

bool sock_is_deferred(int fd)
{
	return state_of(fd) == SOCK_DEFERRED;
}

bool sock_lets_share(int fd)
{
	return entry_of(fd) & ENTRY_LETS_SHARE;
}

bool sock_is_copied(int fd)
{
	return entry_of(fd) & ENTRY_COPIED;
}

uint16_t sock_put_off_port(int fd)
{
	if (!sock_is_deferred(fd))
		return 0;
	return (uint16_t)(entry_of(fd) >> ENTRY_RESERVED_SHIFT & ENTRY_RESERVED_MASK);
}

bool sock_is_mark(int bounds)
{
	return bounds == BOUNDS(MARK_PUT_OFF) || bounds == BOUNDS(MARK_LENT);
}

bool sock_range_is_ours(int fd)
{
	uint32_t entry = entry_of(fd);

	return entry >> ENTRY_PROTOCOL_SHIFT & PROTOCOL_ANY && !(entry & ENTRY_EARLY_ONLY);
}

void sock_remember(int fd, const struct sock *sock)
{
	entry_write(fd, entry_pack(sock));
}

void sock_forget(int fd)
{
	held_release(fd);
	if (entry_of(fd))
		entry_write(fd, 0);
}

void sock_forget_range(unsigned int first, unsigned int last)
{
	int end = atomic_load_explicit(&highest, memory_order_relaxed);

	if (last > (unsigned int)end)
		last = (unsigned int)end;
	/* Leases stay until the number is another socket's: a child of vfork() that closes all that it inherited is no end
	 * of its parent's connections. */
	for (unsigned int fd = first; fd <= last; fd++)
		if (entry_of((int)fd))
			entry_write((int)fd, 0);
}

void sock_born(int fd, int domain, int type, int protocol)
{
	struct sock sock;

	if (!remembered(fd))
		return;
	held_release(fd);
	sock_classify(&sock, domain, type, protocol);
	sock_remember(fd, &sock);
}

/* What is true of each descriptor of a socket that has its port; the rest the copy is to ask for. */
#define ENTRY_COPIED_ALWAYS                                                                                    \
	(ENTRY_KNOWN | ENTRY_IPV6 | ENTRY_STREAM | ENTRY_REUSE | ENTRY_COPIED | ENTRY_LETS_SHARE |             \
	 (unsigned)PROTOCOL_ANY << ENTRY_PROTOCOL_SHIFT)

void sock_copied(int fd, int to)
{
	enum sock_state state = state_of(fd);

	if (fd == to)
		return;
	held_release(to);
	/* What is done through one is not seen at the other. */
	if (entry_of(fd))
		entry_write(fd, entry_of(fd) | ENTRY_REUSE | ENTRY_COPIED);
	if (state == SOCK_SETTLED || state == SOCK_DECIDED)
		entry_write(to, (entry_of(fd) & ENTRY_COPIED_ALWAYS) | ENTRY_EARLY_ONLY);
	else
		entry_write(to, entry_of(fd));
}

void sock_disconnected(int fd)
{
	enum sock_state state = state_of(fd);

	if (state != SOCK_UNBOUND && state != SOCK_DEFERRED)
		entry_write(fd, entry_of(fd) & ~(ENTRY_STATE_MASK << ENTRY_STATE_SHIFT));
}

/* An option's value as the kernel reads it: an int, or what there is of one byte. */
static bool option_is_on(const void *value, socklen_t len)
{
	int number = 0;

	if (len >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	else if (len > 0)
		number = *(const unsigned char *)value;
	return number != 0;
}

void sock_option_set(int fd, int level, int option, const void *value, socklen_t len)
{
	uint32_t entry = entry_of(fd), bit = 0;

	if (!entry)
		return;
	if (level == SOL_SOCKET && option == SO_REUSEADDR)
		entry_write(fd, (entry | ENTRY_REUSE) & ~ENTRY_LETS_SHARE);
	else if (level == SOL_SOCKET && option == SO_REUSEPORT)
		entry_write(fd, entry | ENTRY_REUSE);
	else if (level == IPPROTO_IPV6 && option == IPV6_ADDRFORM)
		entry_write(fd, entry & ~ENTRY_IPV6); /* it is a socket of IPv4 from here on */
	else if (level == IPPROTO_IP && option == IP_BIND_ADDRESS_NO_PORT)
		bit = ENTRY_NO_PORT;
	else if (level == IPPROTO_IP && option == IP_LOCAL_PORT_RANGE)
		entry_write(fd, entry | ENTRY_EARLY_ONLY);
	if (bit)
		entry_write(fd, option_is_on(value, len) ? entry | bit : entry & ~bit);
}

/* CMSG_NXTHDR of a read-only message; the kernel wrote these headers, so they are well formed. */
void sock_received(const struct msghdr *message)
{
	struct msghdr *m = (struct msghdr *)message;

	if (!m->msg_control || m->msg_controllen < sizeof(struct cmsghdr))
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			sock_forget(fd);
		}
	}
}

bool sock_is_idle(int fd)
{
	uint8_t state = TCP_CLOSE;
	socklen_t len = sizeof(state);

	/* The state is the first byte of struct tcp_info. */
	if (real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &len) < 0)
		return true;
	return state == TCP_CLOSE;
}

bool sock_is_nonblocking(int fd)
{
	int flags = real.fcntl(fd, F_GETFL, NULL);

	return flags >= 0 && flags & O_NONBLOCK;
}
