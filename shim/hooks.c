/* hooks.c - the calls at which a port is given: thin, each a description of the call for assign.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "assign.h"
#include "bind.h"
#include "config/facts.h"
#include "held.h"
#include "hooks.h"
#include "log.h"
#include "rcmd.h"
#include "session.h"
#include "sock.h"

const char *portshim_version(void) __attribute__((visibility("default")));

/* The version of the library; its presence tells that a process is under portshim. */
const char *portshim_version(void)
{
	return PORTSHIM_VERSION;
}

/* The same function by a name that no other copy of this library stands before. */
static const char *own_version(void) __attribute__((alias("portshim_version")));

/* Two copies in one process (two paths in LD_PRELOAD): the second, whose functions the first calls, takes a port that the first
 * chose for the program's own choice. It leaves everything to the first. */
static bool is_second_copy(void)
{
	return portshim_version != own_version;
}

__attribute__((constructor)) static void start(int argc, char **argv)
{
	int saved = errno;

	real_resolve();
	facts_keep_at_start(argc, argv);
	log_start();
	session_start(is_second_copy());
	errno = saved;
}

static ssize_t finish_connect(const struct act *act)
{
	return real.connect(act->fd, act->addr, act->len);
}

static int disconnect(int fd, const struct sockaddr *addr, socklen_t len)
{
	int result = real.connect(fd, addr, len);

	if (result == 0) {
		if (!sock_is_settled(fd))
			held_release(fd);
		sock_disconnected(fd);
	}
	return result;
}

int hook_connect(int fd, const struct sockaddr *addr, socklen_t len) EXPORT("connect");
int hook_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct act act = { .fd = fd, .calls = CALL_CONNECT, .addr = addr, .len = len, .finish = finish_connect };

	if (name_is_unspec(addr, len))
		return disconnect(fd, addr, len);
	if (!name_is_inet(addr, len))
		return real.connect(fd, addr, len);
	return (int)assign(&act);
}

int hook_connect_alias(int fd, const struct sockaddr *addr, socklen_t len) EXPORT("__connect");
int hook_connect_alias(int fd, const struct sockaddr *addr, socklen_t len)
{
	return hook_connect(fd, addr, len);
}

static ssize_t finish_bind(const struct act *act)
{
	return real.bind(act->fd, act->addr, act->len);
}

int hook_bind(int fd, const struct sockaddr *addr, socklen_t len) EXPORT("bind");
int hook_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct act act = {
		.fd = fd, .calls = CALL_BIND, .addr = addr, .len = len, .may_defer = true, .finish = finish_bind,
	};

	if (!name_is_inet(addr, len))
		return real.bind(fd, addr, len);
	return (int)assign(&act);
}

static ssize_t finish_bindresvport(const struct act *act)
{
	return real.bindresvport(act->fd, (struct sockaddr_in *)act->data);
}

static ssize_t finish_bindresvport_sa(const struct act *act)
{
	return real.bindresvport_sa(act->fd, (struct sockaddr *)act->data);
}

/* Binds a port of the rule's, with the address that is in *addr, and leaves the port there. Who has not given one does
 * not look at the port: then it can be put off. */
static int reserve(int fd, struct sockaddr *addr, int family, ssize_t (*finish)(const struct act *act))
{
	union name name = { .any = { .sa_family = (sa_family_t)family } };
	uint16_t port = 0;
	struct act act = {
		.fd = fd, .calls = CALL_BIND, .addr = &name.any, .len = name_length(&name), .given = &port,
		.finish = finish, .data = addr, .may_defer = !addr, .reserved = !addr,
	};
	int result;

	if (addr)
		name_copy(&name, addr, act.len);
	name_set_port(&name, 0);
	result = (int)assign(&act);
	if (port && addr)
		name_set_port((union name *)addr, port);
	return result;
}

/* Of a socket that has ports; else AF_UNSPEC. errno is kept. */
static int family_of(int fd)
{
	int saved = errno;
	struct sock sock;
	bool known = sock_know(fd, &sock);

	errno = saved;
	return !known ? AF_UNSPEC : sock.ipv6 ? AF_INET6 : AF_INET;
}

/* bindresvport(3) binds a port below 1024 of libc's choice and leaves it in *addr; with a rule, one of the rule's. */
int hook_bindresvport(int fd, struct sockaddr_in *addr) EXPORT("bindresvport");
int hook_bindresvport(int fd, struct sockaddr_in *addr)
{
	int family = AF_INET;

	if (addr && addr->sin_family != AF_INET)
		return real.bindresvport(fd, addr);
	if (!addr && real_has_libtirpc())
		family = family_of(fd);
	return family ? reserve(fd, (struct sockaddr *)addr, family, finish_bindresvport) : real.bindresvport(fd, addr);
}

/* libtirpc's, which knows IPv6 as well: where there is no address, the socket's family counts. Likewise in its
 * bindresvport(). */
int hook_bindresvport_sa(int fd, struct sockaddr *addr) EXPORT("bindresvport_sa");
int hook_bindresvport_sa(int fd, struct sockaddr *addr)
{
	int family = addr ? addr->sa_family : family_of(fd);

	if (family != AF_INET && family != AF_INET6)
		return real.bindresvport_sa(fd, addr);
	return reserve(fd, addr, family, finish_bindresvport_sa);
}

int hook_rresvport_af(int *port, sa_family_t family) EXPORT("rresvport_af");
int hook_rresvport_af(int *port, sa_family_t family)
{
	int fd;

	if (rcmd_has_rules())
		return rcmd_bound_socket(port, family);
	fd = real.rresvport_af(port, family);
	sock_forget(fd);
	return fd;
}

int hook_rresvport(int *port) EXPORT("rresvport");
int hook_rresvport(int *port)
{
	return hook_rresvport_af(port, AF_INET);
}

int hook_rcmd_af(char **host, unsigned short port, const char *local_user, const char *remote_user,
                 const char *command, int *error_fd, sa_family_t family) EXPORT("rcmd_af");
int hook_rcmd_af(char **host, unsigned short port, const char *local_user, const char *remote_user,
                 const char *command, int *error_fd, sa_family_t family)
{
	const struct rcmd rcmd = {
		.port = port, .local_user = local_user, .remote_user = remote_user, .command = command, .family = family,
	};
	int fd;

	if (rcmd_has_rules())
		return rcmd_run(&rcmd, host, error_fd);
	fd = real.rcmd_af(host, port, local_user, remote_user, command, error_fd, family);
	sock_forget(fd);
	if (fd >= 0 && error_fd)
		sock_forget(*error_fd);
	return fd;
}

int hook_rcmd(char **host, unsigned short port, const char *local_user, const char *remote_user, const char *command,
              int *error_fd) EXPORT("rcmd");
int hook_rcmd(char **host, unsigned short port, const char *local_user, const char *remote_user, const char *command,
              int *error_fd)
{
	return hook_rcmd_af(host, port, local_user, remote_user, command, error_fd, AF_INET);
}

static ssize_t finish_listen(const struct act *act)
{
	return real.listen(act->fd, act->flags);
}

int hook_listen(int fd, int backlog) EXPORT("listen");
int hook_listen(int fd, int backlog)
{
	struct act act = { .fd = fd, .calls = CALL_LISTEN, .finish = finish_listen, .flags = backlog };

	return (int)assign(&act);
}

static ssize_t finish_sendto(const struct act *act)
{
	return real.sendto(act->fd, act->data, act->size, act->flags, act->addr, act->len);
}

ssize_t hook_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *addr,
                    socklen_t len) EXPORT("sendto");
ssize_t hook_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *addr, socklen_t len)
{
	struct act act = {
		.fd = fd, .calls = CALL_SEND, .addr = addr, .len = len, .dont_wait = flags & MSG_DONTWAIT,
		.finish = finish_sendto, .data = data, .size = size, .flags = flags,
	};

	if (assign_passes_sends(fd) || !name_is_inet(addr, len))
		return real.sendto(fd, data, size, flags, addr, len);
	return assign(&act);
}

static ssize_t finish_sendmsg(const struct act *act)
{
	return real.sendmsg(act->fd, act->data, act->flags);
}

ssize_t hook_sendmsg(int fd, const struct msghdr *message, int flags) EXPORT("sendmsg");
ssize_t hook_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct act act = {
		.fd = fd, .calls = CALL_SEND, .dont_wait = flags & MSG_DONTWAIT, .finish = finish_sendmsg,
		.data = message, .flags = flags,
	};

	if (!assign_passes_sends(fd) && message_has_name(message, &act.addr, &act.len))
		return assign(&act);
	return real.sendmsg(fd, message, flags);
}

static ssize_t finish_sendmmsg(const struct act *act)
{
	return real.sendmmsg(act->fd, (struct mmsghdr *)act->data, (unsigned int)act->size, act->flags);
}

/* The array may be NULL or no array at all: that is the kernel's to say, so nothing is reached through it here. */
static const struct msghdr *message_at(const struct mmsghdr *messages, unsigned int number)
{
	return (const struct msghdr *)((uintptr_t)messages + number * sizeof(*messages));
}

/* A policy that denies destinations sees each message; else the first decides for all, since an unconnected socket has
 * one port. As the kernel does, an error counts only if no message was sent before. */
static int send_each(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	unsigned int sent = 0;
	int saved = errno;

	for (; sent < count; sent++) {
		ssize_t n = hook_sendmsg(fd, message_at(messages, sent), flags);

		if (n < 0)
			break;
		messages[sent].msg_len = (unsigned int)n;
	}
	if (sent == 0 && count > 0)
		return -1;
	errno = saved;
	return (int)sent;
}

int hook_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags) EXPORT("sendmmsg");
int hook_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	struct act act = {
		.fd = fd, .calls = CALL_SEND, .dont_wait = flags & MSG_DONTWAIT, .finish = finish_sendmmsg,
		.data = messages, .size = count, .flags = flags,
	};

	if (assign_passes_sends(fd))
		return real.sendmmsg(fd, messages, count, flags);
	if (count > 1 && !sock_is_other(fd) && assign_denies())
		return send_each(fd, messages, count, flags);
	if (count > 0 && message_has_name(message_at(messages, 0), &act.addr, &act.len))
		return (int)assign(&act);
	return real.sendmmsg(fd, messages, count, flags);
}

/* How long a name may get; 0 where the kernel will refuse the call. */
static socklen_t room_for_name(const socklen_t *len)
{
	return no_pointer(len) ? 0 : *len;
}

/* A reserved port that was put off is shown before the socket has it. */
static int name_with_port(int fd, struct sockaddr *addr, socklen_t *len, uint16_t port)
{
	socklen_t room = room_for_name(len);
	int result = real.getsockname(fd, addr, len);

	if (result == 0 && room >= sizeof(struct sockaddr_in) && name_is_inet(addr, *len) && name_port(addr) == 0)
		name_set_port((union name *)addr, port);
	return result;
}

int hook_getsockname(int fd, struct sockaddr *addr, socklen_t *len) EXPORT("getsockname");
int hook_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	uint16_t reserved = sock_put_off_port(fd);
	/* A descriptor that came from elsewhere, or has a copy, may be of a socket whose bind was put off there. */
	bool elsewhere = !sock_is_known(fd) || sock_is_copied(fd);
	socklen_t room = elsewhere ? room_for_name(len) : 0;
	int result;

	assign_deferred(fd);
	if (reserved)
		return name_with_port(fd, addr, len, reserved);
	result = real.getsockname(fd, addr, len);
	if (result == 0 && room >= sizeof(struct sockaddr_in) && name_is_inet(addr, *len) && name_port(addr) == 0 &&
	    assign_inherited(fd)) {
		*len = room;
		return real.getsockname(fd, addr, len);
	}
	return result;
}

#ifdef TIME64_NAMES
ALSO_BY_TIME64("__sendmsg64", sendmsg);
ALSO_BY_TIME64("__sendmmsg64", sendmmsg);
#endif
