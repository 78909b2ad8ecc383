/* sctp.c - sctp_connectx(3), sctp_bindx(3), sctp_peeloff(3): finding the addresses in an option's value. */
#define _GNU_SOURCE
#include "sctp.h"

#include <netinet/in.h>
#include <string.h>

#include "assign.h"
#include "bind.h"
#include "real.h"
#include "sock.h"

/* Of the kernel's <linux/sctp.h>, which not every machine has. */
#define BINDX_ADD 100
#define PEELOFF 102
#define CONNECTX_OLD 107
#define CONNECTX 110
#define CONNECTX3 111
#define PEELOFF_FLAGS 122

/* What CONNECTX3 is asked with: so many bytes of addresses. */
struct addresses {
	int32_t association;
	int32_t size;
	const struct sockaddr *first;
};

/* What PEELOFF answers; that of PEELOFF_FLAGS begins so. */
struct peeled {
	int32_t association;
	int32_t fd;
};

bool sctp_calls_by_setting(int option)
{
	return option == CONNECTX || option == CONNECTX_OLD || option == BINDX_ADD;
}

bool sctp_calls_by_asking(int option)
{
	return option == CONNECTX3 || option == PEELOFF || option == PEELOFF_FLAGS;
}

/* The length of the address at `at`, of which there are `size` bytes; 0 where the kernel will refuse it. */
static socklen_t length_of(const void *at, size_t size)
{
	sa_family_t family;
	socklen_t len;

	if (no_pointer(at) || size < sizeof(family))
		return 0;
	memcpy(&family, at, sizeof(family));
	len = family == AF_INET ? sizeof(struct sockaddr_in) : family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
	return len <= size ? len : 0;
}

/* Whether the call gives a port: the socket is one of SCTP, and has none. Who has one has it for all addresses. */
static bool gives_port(int fd)
{
	struct sock sock;

	return sock_know(fd, &sock) && sock.protocol == PROTOCOL_SCTP && bind_port_of(fd) == 0;
}

static ssize_t finish_set(const struct act *act)
{
	return real.setsockopt(act->fd, IPPROTO_SCTP, act->flags, act->data, (socklen_t)act->size);
}

/* The caller's own pointers: the answer, an association's number, goes to where the question is. */
struct asking {
	void *value;
	socklen_t *len;
};

static ssize_t finish_get(const struct act *act)
{
	const struct asking *asking = act->data;

	return real.getsockopt(act->fd, IPPROTO_SCTP, act->flags, asking->value, asking->len);
}

/* The others get the port that the first was given. What has been bound stays so, should one of them fail. */
static int bind_others(int fd, const char *at, size_t size, uint16_t port)
{
	int result = 0;

	for (socklen_t len; result == 0 && (len = length_of(at, size)) > 0; at += len, size -= len) {
		union name name;

		name_copy(&name, (const struct sockaddr *)at, len);
		name_set_port(&name, port);
		result = real.setsockopt(fd, IPPROTO_SCTP, BINDX_ADD, &name, len);
	}
	return result;
}

int sctp_set(int fd, int option, const void *value, socklen_t len)
{
	socklen_t first = length_of(value, len);
	uint16_t port = 0;
	struct act act = {
		.fd = fd, .calls = option == BINDX_ADD ? CALL_BIND : CALL_CONNECT, .addr = value, .len = first,
		.may_defer = option == BINDX_ADD, .given = &port, .finish = finish_set, .data = value, .size = len, .flags = option,
		.is_option = true,
	};
	int result;

	if (!first || !gives_port(fd))
		return (int)finish_set(&act);
	result = (int)assign(&act);
	if (result == 0 && option == BINDX_ADD && port != 0)
		result = bind_others(fd, (const char *)value + first, len - first, port);
	return result;
}

static int connect_to_list(int fd, void *value, socklen_t *len)
{
	struct addresses list;
	const struct asking asking = { value, len };
	struct act act = { .fd = fd, .calls = CALL_CONNECT, .finish = finish_get, .data = &asking, .flags = CONNECTX3,
	                   .is_option = true };

	if (no_pointer(value) || no_pointer(len) || *len < sizeof(list))
		return real.getsockopt(fd, IPPROTO_SCTP, CONNECTX3, value, len);
	memcpy(&list, value, sizeof(list));
	act.addr = list.first;
	act.len = list.size > 0 ? length_of(list.first, (size_t)list.size) : 0;
	return (int)(act.len && gives_port(fd) ? assign(&act) : finish_get(&act));
}

int sctp_get(int fd, int option, void *value, socklen_t *len)
{
	struct peeled peeled;
	int result;

	if (option == CONNECTX3)
		return connect_to_list(fd, value, len);
	result = real.getsockopt(fd, IPPROTO_SCTP, option, value, len);
	if (result >= 0 && *len >= sizeof(peeled)) { /* the kernel returns the descriptor as well */
		memcpy(&peeled, value, sizeof(peeled));
		sock_forget(peeled.fd);
	}
	return result;
}
