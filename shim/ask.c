/* ask.c - questions to the kernel by sock_diag(7), one at a time or for all sockets. */
#define _GNU_SOURCE
#include "ask.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/policy.h"
#include "kernel.h"

#define MAPPED_PREFIX UINT64_C(0x0000ffff00000000) /* the lower half of ::ffff:0:0 */

/* --- the netlink socket ------------------------------------------------------------------------------ */

static int ask_open(void)
{
	long fd;

	if (!kernel_may_be_asked())
		return -EPERM;
	fd = syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	return fd < 0 ? -errno : (int)fd;
}

static int ask_send(int fd, const void *message, size_t size)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	return syscall(SYS_sendto, fd, message, size, 0, &kernel, sizeof(kernel)) < 0 ? -errno : 0;
}

/* An answer is there when the question is sent, and each further part when the last was read: nothing waits. */
static int ask_receive(int fd, void *buffer, size_t size)
{
	long length;

	do
		length = syscall(SYS_recvfrom, fd, buffer, size, MSG_DONTWAIT, NULL, NULL);
	while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : (int)length;
}

static void ask_close(int fd)
{
	syscall(SYS_close, fd);
}

/* --- addresses --------------------------------------------------------------------------------------- */

static void words_put(__be32 words[4], const struct ip_addr *addr)
{
	if (addr->family == FAMILY_IPV4) {
		words[0] = htonl((uint32_t)addr->lo);
		return;
	}
	words[0] = htonl((uint32_t)(addr->hi >> 32));
	words[1] = htonl((uint32_t)addr->hi);
	words[2] = htonl((uint32_t)(addr->lo >> 32));
	words[3] = htonl((uint32_t)addr->lo);
}

static void words_get(struct ip_addr *addr, uint8_t family, const __be32 words[4])
{
	addr->hi = 0;
	addr->lo = ntohl(words[0]);
	addr->family = FAMILY_IPV4;
	if (family == AF_INET)
		return;
	addr->hi = (uint64_t)ntohl(words[0]) << 32 | ntohl(words[1]);
	addr->lo = (uint64_t)ntohl(words[2]) << 32 | ntohl(words[3]);
	if (addr->hi == 0 && addr->lo >> 32 << 32 == MAPPED_PREFIX)
		addr->lo &= UINT32_MAX;
	else
		addr->family = FAMILY_IPV6;
}

/* --- one connection ------------------------------------------------------------------------------------ */

struct question_message {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

/* FIN_WAIT2 without a process and states that are no state of a connection count as live: only what is surely over may be
 * taken over. A listening socket is found where no connection is. */
static enum tuple tuple_of_state(uint8_t state)
{
	return state == TCP_LISTEN ? TUPLE_FREE : state == TCP_TIME_WAIT ? TUPLE_TIME_WAIT : TUPLE_LIVE;
}

static enum tuple read_answer(const char *buffer, int length)
{
	struct nlmsghdr head;
	struct nlmsgerr error;
	struct inet_diag_msg socket;

	if (length < (int)sizeof(head))
		return TUPLE_UNKNOWN;
	memcpy(&head, buffer, sizeof(head));
	if (head.nlmsg_type == NLMSG_ERROR && length >= (int)NLMSG_LENGTH(sizeof(error))) {
		memcpy(&error, buffer + NLMSG_HDRLEN, sizeof(error));
		return error.error == -ENOENT ? TUPLE_FREE : TUPLE_UNKNOWN;
	}
	if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY || length < (int)NLMSG_LENGTH(sizeof(socket)))
		return TUPLE_UNKNOWN;
	memcpy(&socket, buffer + NLMSG_HDRLEN, sizeof(socket));
	return tuple_of_state(socket.idiag_state);
}

enum tuple ask_tuple(const struct endpoint *local, const struct endpoint *remote, int interface)
{
	struct question_message question = {
		.head = {
			.nlmsg_len = sizeof(question),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.body = {
			.sdiag_family = local->addr.family == FAMILY_IPV4 ? AF_INET : AF_INET6,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0u,
			.id = {
				.idiag_sport = htons(local->port),
				.idiag_dport = htons(remote->port),
				.idiag_if = (uint32_t)interface,
				.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
			},
		},
	};
	char answer[512];
	int fd, length;

	if (local->addr.family != remote->addr.family)
		return TUPLE_UNKNOWN;
	words_put(question.body.id.idiag_src, &local->addr);
	words_put(question.body.id.idiag_dst, &remote->addr);
	fd = ask_open();
	if (fd < 0)
		return TUPLE_UNKNOWN;
	length = ask_send(fd, &question, sizeof(question));
	if (!length)
		length = ask_receive(fd, answer, sizeof(answer));
	ask_close(fd);
	return read_answer(answer, length);
}

/* --- all of them --------------------------------------------------------------------------------------- */

/* Ports within bounds, as a program for the kernel: two comparisons, each of which leads on or out. */
struct dump_message {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
	struct nlattr attribute;
	struct inet_diag_bc_op code[4];
};

static void dump_make(struct dump_message *message, const struct ask_what *what, uint8_t family, uint8_t protocol)
{
	const uint8_t step = 2 * sizeof(struct inet_diag_bc_op);

	memset(message, 0, sizeof(*message));
	message->head.nlmsg_len = sizeof(*message);
	message->head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	message->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->body.sdiag_family = family;
	message->body.sdiag_protocol = protocol;
	message->body.idiag_states = ~0u;
	message->attribute.nla_type = INET_DIAG_REQ_BYTECODE;
	message->attribute.nla_len = sizeof(message->attribute) + sizeof(message->code);
	message->code[0] = (struct inet_diag_bc_op){ INET_DIAG_BC_S_GE, step, 2 * step + 4 };
	message->code[1].no = what->ports.lo;
	message->code[2] = (struct inet_diag_bc_op){ INET_DIAG_BC_S_LE, step, step + 4 };
	message->code[3].no = what->ports.hi;
}

static bool goes_to(const struct asked *socket, const struct endpoint *to)
{
	return socket->remote.port == to->port && socket->remote.addr.family == to->addr.family &&
	       socket->remote.addr.hi == to->addr.hi && socket->remote.addr.lo == to->addr.lo;
}

static void tell(const struct ask_what *what, const struct inet_diag_msg *message, ask_listener *listener, void *context)
{
	struct asked socket = {
		.protocol = what->protocol,
		.state = message->idiag_state,
		.local.port = ntohs(message->id.idiag_sport),
		.remote.port = ntohs(message->id.idiag_dport),
		.user = message->idiag_uid,
		.inode = message->idiag_inode,
	};

	words_get(&socket.local.addr, message->idiag_family, message->id.idiag_src);
	words_get(&socket.remote.addr, message->idiag_family, message->id.idiag_dst);
	if (socket.local.port < what->ports.lo || socket.local.port > what->ports.hi)
		return;
	if (!what->to || goes_to(&socket, what->to) || socket.state == TCP_LISTEN)
		listener(context, &socket);
}

/* Both ways to end begin with an errno; a protocol that is not known ends the list, and that alone. */
static int read_end(const struct nlmsghdr *head, const void *body)
{
	int error = 0;

	if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
		memcpy(&error, body, sizeof(error));
	if (error < 0)
		return error;
	return head->nlmsg_type == NLMSG_DONE ? 1 : -EPROTO;
}

/* One part of the answer: 1 when it was the last, 0 when there is more, or -errno. */
static int read_part(const struct ask_what *what, const char *buffer, size_t length, ask_listener *listener,
                     void *context)
{
	const struct nlmsghdr *head = (const void *)buffer;
	size_t left = length;

	while (left >= sizeof(*head) && head->nlmsg_len >= sizeof(*head) && head->nlmsg_len <= left) {
		const void *body = (const char *)head + NLMSG_HDRLEN;
		size_t size = NLMSG_ALIGN(head->nlmsg_len);

		if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR)
			return read_end(head, body);
		if (head->nlmsg_type == SOCK_DIAG_BY_FAMILY && head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			tell(what, body, listener, context);
		if (size >= left)
			break;
		left -= size;
		head = (const void *)((const char *)head + size);
	}
	return 0;
}

static int ask_family(const struct ask_what *what, uint8_t family, uint8_t protocol, void *buffer,
                      ask_listener *listener, void *context)
{
	struct dump_message message;
	int fd = ask_open(), done;

	if (fd < 0)
		return fd;
	dump_make(&message, what, family, protocol);
	done = ask_send(fd, &message, sizeof(message));
	while (done == 0) {
		int length = ask_receive(fd, buffer, ASK_BUFFER_SIZE);

		done = length <= 0 ? (length < 0 ? length : -EPROTO)
		                   : read_part(what, buffer, (size_t)length, listener, context);
	}
	ask_close(fd);
	return done < 0 ? done : 0;
}

int ask_all(const struct ask_what *what, void *buffer, ask_listener *listener, void *context)
{
	uint8_t protocol = what->protocol == PROTOCOL_TCP  ? IPPROTO_TCP :
	                   what->protocol == PROTOCOL_UDP  ? IPPROTO_UDP :
	                   what->protocol == PROTOCOL_SCTP ? IPPROTO_SCTP :
	                   what->protocol == PROTOCOL_DCCP ? IPPROTO_DCCP : IPPROTO_UDPLITE;
	int error = ask_family(what, AF_INET, protocol, buffer, listener, context);

	return error ? error : ask_family(what, AF_INET6, protocol, buffer, listener, context);
}
