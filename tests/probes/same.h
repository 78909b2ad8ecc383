/* same.h - what the scenarios of same.c share: lines to print, addresses that must not be touched, states of sockets.
 *
 * What is printed must be the same with and without the library: no number of a port but those that the scenarios name
 * themselves (FIRST_PORT to LAST_PORT), nothing that depends on time. The other ports go to stderr, "port NUMBER". */
#ifndef PORTSHIM_TESTS_SAME_H
#define PORTSHIM_TESTS_SAME_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libc.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

#define FIRST_PORT 7000
#define LAST_PORT 7099
#define CLOSED_PORT 7099 /* nobody listens there */
#define MAGIC 4242       /* no errno: a call that succeeds leaves it alone */
#define PATIENCE_MS 3000

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
	struct sockaddr_nl nl;
	struct sockaddr_ll ll;
	struct sockaddr_storage storage;
	char bytes[256];
};

static const char *scenario = "";
static volatile sig_atomic_t pipes; /* SIGPIPE so far */

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	char line[512];
	int length = snprintf(line, sizeof(line), "%s: ", scenario);
	va_list list;

	va_start(list, format);
	length += vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, list);
	va_end(list);
	line[length++] = '\n';
	if (write(1, line, (size_t)length) != length)
		_exit(3);
}

static const char *errno_name(int error)
{
	const char *name = name_of_errno(error);

	return name ? name : "?";
}

static long said(const char *call, long result, int error)
{
	if (result == -1)
		say("%s = -1 %s", call, errno_name(error));
	else
		say("%s = %ld%s%s", call, result, error == MAGIC ? "" : " errno became ", error == MAGIC ? "" : errno_name(error));
	return result;
}

/* Makes one call, says what came of it, and is its result. */
#define DO(call) DO_AS(#call, call)
#define DO_AS(words, call)                                                                                     \
	__extension__({                                                                                        \
		long result_;                                                                                  \
		errno = MAGIC;                                                                                 \
		result_ = (long)(call);                                                                        \
		said(words, result_, errno);                                                                   \
	})

/* The same where the result is a descriptor whose number is of no interest. */
static int opened(const char *call, int fd, int error)
{
	if (fd < 0)
		say("%s = -1 %s", call, errno_name(error));
	else if (error != MAGIC)
		say("%s: errno became %s", call, errno_name(error));
	return fd;
}

#define OPEN(call)                                                                                             \
	__extension__({                                                                                        \
		int fd_;                                                                                       \
		errno = MAGIC;                                                                                 \
		fd_ = (call);                                                                                  \
		opened(#call, fd_, errno);                                                                     \
	})

/* --- addresses --- */

static union name inet(int family, const char *address, int port)
{
	union name name = { .any.sa_family = (sa_family_t)family };

	if (family == AF_INET6) {
		inet_pton(AF_INET6, address, &name.v6.sin6_addr);
		name.v6.sin6_port = htons((uint16_t)port);
	} else {
		inet_pton(AF_INET, address, &name.v4.sin_addr);
		name.v4.sin_port = htons((uint16_t)port);
	}
	return name;
}

static union name loopback(int family, int port)
{
	return inet(family, family == AF_INET6 ? "::1" : "127.0.0.1", port);
}

static socklen_t length_of(int family)
{
	return family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* A copy that ends at the end of a page, which may not be written, with nothing behind it: who edits it, or reads past
 * its length, dies. The copy before is gone then. */
static const struct sockaddr *fixed(const void *name, size_t length)
{
	static _Thread_local char *pages;
	char *at;

	if (pages)
		munmap(pages, 8192);
	pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || length > 4096)
		_exit(3);
	at = pages + 4096 - length;
	memcpy(at, name, length < sizeof(union name) ? length : sizeof(union name));
	mprotect(pages, 4096, PROT_READ);
	mprotect(pages + 4096, 4096, PROT_NONE);
	return (const struct sockaddr *)at;
}

static const struct sockaddr *at_inet(int family, const char *address, int port)
{
	union name name = inet(family, address, port);

	return fixed(&name, length_of(family));
}

static const struct sockaddr *at_loopback(int family, int port)
{
	union name name = loopback(family, port);

	return fixed(&name, length_of(family));
}

static const struct sockaddr *nobody(void)
{
	union name name = { .any.sa_family = AF_UNSPEC };

	return fixed(&name, sizeof(name.v4));
}

/* --- states --- */

static const char *port_words(int port)
{
	static _Thread_local char words[16];
	char note[32];
	int length;

	if (port == 0)
		return "none";
	if (port >= FIRST_PORT && port <= LAST_PORT) {
		snprintf(words, sizeof(words), "%d", port);
		return words;
	}
	length = snprintf(note, sizeof(note), "port %d\n", port);
	if (port > 1023 && write(2, note, (size_t)length) != length)
		_exit(3);
	return "PORT";
}

static const char *name_words(const union name *name, socklen_t len)
{
	static _Thread_local char words[160];
	char address[INET6_ADDRSTRLEN] = "";

	switch (len < sizeof(sa_family_t) ? AF_UNSPEC : name->any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &name->v4.sin_addr, address, sizeof(address));
		snprintf(words, sizeof(words), "%s %s", address, port_words(ntohs(name->v4.sin_port)));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &name->v6.sin6_addr, address, sizeof(address));
		snprintf(words, sizeof(words), "%s %s", address, port_words(ntohs(name->v6.sin6_port)));
		break;
	case AF_UNIX:
		snprintf(words, sizeof(words), "unix %d \"%.40s\"", (int)len,
		         len > 2 ? name->un.sun_path + !name->un.sun_path[0] : "");
		break;
	default:
		snprintf(words, sizeof(words), "family %d, %d bytes", name->any.sa_family, (int)len);
	}
	return words;
}

static void show_name(const char *which, int (*get)(int, struct sockaddr *, socklen_t *), int fd)
{
	union name name = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(name);
	int result;

	errno = MAGIC;
	result = get(fd, &name.any, &len);
	if (result == 0)
		say("  %s %s%s", which, name_words(&name, len), errno == MAGIC ? "" : ", errno touched");
	else
		say("  %s %s", which, errno_name(errno));
}

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -errno : value;
}

static int tcp_state(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ? -errno : info.tcpi_state;
}

/* All but the local name. */
static void show_options(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	say("  error %d, type %d, family %d, protocol %d, listens %d, reuse %d %d, nonblock %d, tcp %d",
	    option_of(fd, SO_ERROR), option_of(fd, SO_TYPE), option_of(fd, SO_DOMAIN), option_of(fd, SO_PROTOCOL),
	    option_of(fd, SO_ACCEPTCONN), option_of(fd, SO_REUSEADDR), option_of(fd, SO_REUSEPORT),
	    (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, tcp_state(fd));
	show_name("peer", getpeername, fd);
	say("  poll %d 0x%x", poll(&ready, 1, 0), (unsigned int)ready.revents);
}

static void show(int fd)
{
	show_options(fd);
	show_name("name", getsockname, fd);
}

/* Until one of `events` is there. */
static void await(int fd, short events)
{
	struct pollfd ready = { .fd = fd, .events = events };
	int n = poll(&ready, 1, PATIENCE_MS);

	say("  awaited: %d 0x%x", n, (unsigned int)ready.revents);
}

/* --- sockets --- */

static void set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static int listener(int family, int port, int backlog)
{
	int fd = OPEN(socket(family, SOCK_STREAM, 0));

	if (bind(fd, at_loopback(family, port), length_of(family)) < 0 || listen(fd, backlog) < 0)
		say("no listener on %d: %s", port, errno_name(errno));
	return fd;
}

static int receiver(int family, int type, int protocol, int port)
{
	int fd = OPEN(socket(family, type, protocol));

	if (bind(fd, at_loopback(family, port), length_of(family)) < 0)
		say("no receiver on %d: %s", port, errno_name(errno));
	return fd;
}

static void count_pipe(int number)
{
	(void)number;
	pipes++;
}

#endif
