/* fact.h - scaffolding of the programs under tests/platform/.
 *
 * Each program measures one family of kernel or libc facts that portshim relies on. It runs in a
 * network namespace of its own, where it may fill the ephemeral range or change a sysctl without
 * anybody noticing, and it prints one line per fact:
 *
 *	ok NAME: what was seen
 *	differs NAME: what was seen, and on which kernels that is as it should be
 *	DIFFERS NAME: expected ..., saw ...
 *	note NAME: something worth knowing that cannot fail
 *
 * Exit status: 0 when every fact holds, 1 when one differs, 77 when the kernel lacks the feature
 * (or a namespace of one's own) wholly. Everything stays on loopback; every blocking call has a
 * time limit. The calls below return what happened as a word, "ok" or the name of the errno, so
 * that a fact is one line to write and one to read. Where kernels differ, each says what is expected of it: what the older
 * ones did is no reason to look away on a new one. */
#ifndef PORTSHIM_TESTS_PLATFORM_FACT_H
#define PORTSHIM_TESTS_PLATFORM_FACT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

#define RANGE_LO 20000 /* net.ipv4.ip_local_port_range of the namespace, both inclusive */
#define RANGE_HI 20199
#define ONE 9001       /* two TCP servers, on every address of both families */
#define TWO 9002

static bool fact_differed;

static inline const char *errno_word(int err)
{
	static const struct { int err; const char *word; } words[] = {
		{0, "ok"}, {EACCES, "EACCES"}, {EADDRINUSE, "EADDRINUSE"},
		{EADDRNOTAVAIL, "EADDRNOTAVAIL"}, {EAFNOSUPPORT, "EAFNOSUPPORT"}, {EAGAIN, "EAGAIN"},
		{EALREADY, "EALREADY"}, {EBADF, "EBADF"}, {EBUSY, "EBUSY"}, {ECONNREFUSED, "ECONNREFUSED"},
		{EDESTADDRREQ, "EDESTADDRREQ"}, {EFAULT, "EFAULT"}, {EHOSTUNREACH, "EHOSTUNREACH"},
		{EINPROGRESS, "EINPROGRESS"}, {EINTR, "EINTR"}, {EINVAL, "EINVAL"}, {EISCONN, "EISCONN"},
		{ENETUNREACH, "ENETUNREACH"}, {ENOENT, "ENOENT"}, {ENOPROTOOPT, "ENOPROTOOPT"}, {ENOSYS, "ENOSYS"},
		{ENOTCONN, "ENOTCONN"}, {ENOTSOCK, "ENOTSOCK"}, {EOPNOTSUPP, "EOPNOTSUPP"}, {EPERM, "EPERM"},
		{EPIPE, "EPIPE"}, {EPROTONOSUPPORT, "EPROTONOSUPPORT"}, {ETIMEDOUT, "ETIMEDOUT"}, {EXDEV, "EXDEV"},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].err == err)
			return words[i].word;
	return strerror(err);
}

static inline const char *result(long rc) { return rc < 0 ? errno_word(errno) : "ok"; }

/* One fact: the expected text against what was seen. */
__attribute__((format(printf, 3, 4)))
static inline void fact(const char *name, const char *expected, const char *saw, ...)
{
	char text[512];
	va_list args;
	va_start(args, saw);
	vsnprintf(text, sizeof(text), saw, args);
	va_end(args);
	if (strcmp(text, expected) == 0) {
		printf("ok %s: %s\n", name, text);
	} else {
		printf("DIFFERS %s: expected %s, saw %s\n", name, expected, text);
		fact_differed = true;
	}
}

/* The same in steps, for calls whose order counts: C leaves the order of arguments open. */
static char seen_text[512];

__attribute__((format(printf, 1, 2)))
static inline void see(const char *part, ...)
{
	size_t used = strlen(seen_text);
	va_list args;
	va_start(args, part);
	if (used > 0)
		used += (size_t)snprintf(seen_text + used, sizeof(seen_text) - used, ", ");
	vsnprintf(seen_text + used, sizeof(seen_text) - used, part, args);
	va_end(args);
}

static inline void seen(const char *name, const char *expected)
{
	fact(name, expected, "%s", seen_text);
	seen_text[0] = '\0';
}

#define LINUX(major, minor) ((major) * 1000 + (minor))

static inline int kernel_release(void)
{
	struct utsname name;
	int major = 0, minor = 0;
	if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return 0;
	return LINUX(major, minor);
}

/* The same where that was different before: `expected` from Linux `since` on, `before` up to Linux `until`. Of the kernels
 * between, which were not measured or took it over in their minor versions, it may be either. */
static inline void seen_since(const char *name, int since, const char *expected, int until, const char *before)
{
	int release = kernel_release();
	bool is_old = strcmp(seen_text, before) == 0;
	if (release < since && is_old) {
		printf("differs %s: %s, as before Linux %d.%d\n", name, seen_text, since / 1000, since % 1000);
		seen_text[0] = '\0';
	} else {
		seen(name, release <= until ? before : expected);
	}
}

__attribute__((format(printf, 2, 3)))
static inline void note(const char *name, const char *saw, ...)
{
	va_list args;
	va_start(args, saw);
	printf("note %s: ", name);
	vprintf(saw, args);
	putchar('\n');
	va_end(args);
}

__attribute__((noreturn)) static inline void lacks(const char *what)
{
	printf("note lacks: %s\n", what);
	exit(77);
}

/* A step that is no fact itself but without which nothing can be measured. */
__attribute__((noreturn)) static inline void broken(const char *step)
{
	printf("DIFFERS setup: expected %s to work, saw %s\n", step, errno_word(errno));
	exit(1);
}

static inline bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return written;
}

__attribute__((format(printf, 2, 3)))
static inline void sysctl_set(const char *name, const char *value, ...)
{
	char path[128], text[64];
	va_list args;
	va_start(args, value);
	vsnprintf(text, sizeof(text), value, args);
	va_end(args);
	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	if (!write_file(path, text))
		broken(path);
}

static inline void range_set(int lo, int hi) { sysctl_set("ipv4/ip_local_port_range", "%d %d", lo, hi); }

/* Enter a network namespace of our own, with `lo` up and the range RANGE_LO..RANGE_HI. */
static inline void fact_begin(void)
{
	char map[32];
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (unshare(CLONE_NEWNET) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			lacks("a network namespace of one's own");
		if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", map))
			broken("uid_map");
	}
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		broken("bringing lo up");
	close(fd);
	range_set(RANGE_LO, RANGE_HI);
}

static inline int fact_end(void) { return fact_differed ? 1 : 0; }

struct where {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	socklen_t len;
};

static inline struct where at(const char *ip, int port)
{
	struct where w;
	memset(&w, 0, sizeof(w));
	if (strchr(ip, ':')) {
		w.u.in6.sin6_family = AF_INET6;
		w.u.in6.sin6_port = htons((uint16_t)port);
		inet_pton(AF_INET6, ip, &w.u.in6.sin6_addr);
		w.len = sizeof(w.u.in6);
	} else {
		w.u.in.sin_family = AF_INET;
		w.u.in.sin_port = htons((uint16_t)port);
		inet_pton(AF_INET, ip, &w.u.in.sin_addr);
		w.len = sizeof(w.u.in);
	}
	return w;
}

/* A socket of kind "tcp4", "tcp6", "udp4", "udp6", "mptcp4", "mptcp6"; -1 if the kernel has none.
 * Nothing on it blocks for longer than two seconds. */
static inline int sock(const char *kind)
{
	const struct timeval limit = {.tv_sec = 2};
	int family = kind[strlen(kind) - 1] == '6' ? AF_INET6 : AF_INET;
	int fd = socket(family, (kind[0] == 'u' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC,
			kind[0] == 'm' ? IPPROTO_MPTCP : 0);
	if (fd < 0 && kind[0] != 'm')
		broken(kind);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

static inline const char *do_set(int fd, int level, int option, int value)
{
	return result(setsockopt(fd, level, option, &value, sizeof(value)));
}

static inline int get_int(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);
	return getsockopt(fd, level, option, &value, &len) < 0 ? -errno : value;
}

/* The late way: this socket's own ephemeral range. */
static inline const char *do_range(int fd, unsigned lo, unsigned hi)
{
	uint32_t range = hi << 16 | lo;
	return result(setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)));
}

static inline const char *do_bind(int fd, const char *ip, int port)
{
	struct where w = at(ip, port);
	return result(bind(fd, &w.u.sa, w.len));
}

static inline const char *do_connect(int fd, const char *ip, int port)
{
	struct where w = at(ip, port);
	return result(connect(fd, &w.u.sa, w.len));
}

static inline const char *do_unspec(int fd)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	return result(connect(fd, &none, sizeof(none)));
}

static inline const char *do_send(int fd, const char *ip, int port, int flags)
{
	struct where w = at(ip, port);
	return result(sendto(fd, "x", 1, flags | MSG_NOSIGNAL, &w.u.sa, w.len));
}

static inline const char *do_listen(int fd) { return result(listen(fd, 8)); }

/* The local port and address as getsockname tells them. */
static inline int port_of(int fd)
{
	struct where w = {.len = sizeof(w.u)};
	return getsockname(fd, &w.u.sa, &w.len) < 0 ? -errno : ntohs(w.u.in.sin_port);
}

static inline const char *address_of(int fd)
{
	static char text[INET6_ADDRSTRLEN];
	struct where w = {.len = sizeof(w.u)};
	if (getsockname(fd, &w.u.sa, &w.len) < 0)
		return errno_word(errno);
	return inet_ntop(w.u.sa.sa_family, w.u.sa.sa_family == AF_INET6 ? (void *)&w.u.in6.sin6_addr
			 : (void *)&w.u.in.sin_addr, text, sizeof(text));
}

/* A listening socket of `kind`, on every address. */
static inline int serve(const char *kind, int port)
{
	int fd = sock(kind);
	do_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (strcmp(do_bind(fd, kind[strlen(kind) - 1] == '6' ? "::" : "0.0.0.0", port), "ok") != 0 ||
	    listen(fd, 512) < 0)
		broken("a server");
	return fd;
}

/* Close by reset: no TIME_WAIT stays behind. */
static inline void close_reset(int fd)
{
	const struct linger reset = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

/* Close `client`, then the server's end of it: `client`'s 4-tuple is then in TIME_WAIT. */
static inline void leave_time_wait(int client, int server)
{
	char byte;
	int peer = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	close(client);
	if (peer < 0 || recv(peer, &byte, 1, 0) != 0)
		broken("an orderly close");
	close(peer);
}

#endif
