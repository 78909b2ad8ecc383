/* serve.c - the servers of the soak: each call that reaches them is held against the pool of the port that it reached. */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FD 4096

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* What a descriptor is. */
struct entry {
	enum { ENTRY_NONE, ENTRY_LISTENER, ENTRY_DATAGRAMS, ENTRY_CONNECTION } what;
	int pool, family; /* family: 0 or 1 */
	int port;         /* the peer's */
};

static struct entry entry[MAX_FD];
static int live[64][2][65536]; /* the descriptor of the connection from there; 0: none */
static struct shared *counts;
static int epoll;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_server(int pool, int family)
{
	union name name = { .any.sa_family = AF_UNSPEC };
	int type = pools[pool].kind == KIND_TCP ? SOCK_STREAM : SOCK_DGRAM, on = 1;
	int fd = socket(family ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t length = family ? sizeof(name.v6) : sizeof(name.v4);

	if (family)
		name.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)pools[pool].server),
		                                 .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	else
		name.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)pools[pool].server),
		                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, &name.any, length) < 0 || (type == SOCK_STREAM && listen(fd, 4096) < 0))
		die("server");
	return fd;
}

static void watch(int fd, const struct entry *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd >= MAX_FD || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll");
	entry[fd] = *what;
}

/* One call of that pool's came from this port. */
static void judge(int pool, int port)
{
	counts->seen++;
	if (pool_has(&pools[pool], port))
		return;
	counts->outside_pool = pool;
	counts->outside_port = port;
	counts->outside++;
}

static int port_of(const union name *name)
{
	return ntohs(name->v4.sin_port); /* in the same place in both */
}

static bool is_closed(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 || info.tcpi_state == TCP_CLOSE;
}

static void end(int fd, bool reset)
{
	const struct linger at_once = { .l_onoff = 1 };
	struct entry *of = &entry[fd];

	if (live[of->pool][of->family][of->port] == fd)
		live[of->pool][of->family][of->port] = 0;
	of->what = ENTRY_NONE;
	if (reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void take(int listener)
{
	struct entry of = entry[listener];
	union name name;
	socklen_t length = sizeof(name);
	int fd = accept4(listener, &name.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK), *before;

	if (fd < 0)
		return;
	of.what = ENTRY_CONNECTION;
	of.port = port_of(&name);
	judge(of.pool, of.port);
	before = &live[of.pool][of.family][of.port];
	if (*before && !is_closed(*before))
		counts->doubled++;
	*before = fd;
	watch(fd, &of);
}

/* A client says how it is to end: 'c', closed from here; 'r', reset from here; else by the client. */
static void hear(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	if (n == 1 && (byte == 'c' || byte == 'r'))
		end(fd, byte == 'r');
	else if (n == 0 || (n < 0 && errno != EAGAIN))
		end(fd, false);
}

static void hear_datagrams(int fd)
{
	union name name;
	char byte;

	for (socklen_t length = sizeof(name); recvfrom(fd, &byte, 1, 0, &name.any, &length) >= 0; length = sizeof(name))
		judge(entry[fd].pool, port_of(&name));
}

void serve(struct shared *shared)
{
	struct epoll_event event[64];

	counts = shared;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < n_pools; i++)
		for (int family = 0; family < 2 && pools[i].server; family++)
			watch(open_server(i, family), &(struct entry){ .pool = i, .family = family,
			                                               .what = pools[i].kind == KIND_TCP ? ENTRY_LISTENER : ENTRY_DATAGRAMS });
	shared->ready = 1;
	for (;;) {
		int n = epoll_wait(epoll, event, 64, -1);

		for (int i = 0; i < n; i++) {
			switch (entry[event[i].data.fd].what) {
			case ENTRY_LISTENER: take(event[i].data.fd); break;
			case ENTRY_DATAGRAMS: hear_datagrams(event[i].data.fd); break;
			case ENTRY_CONNECTION: hear(event[i].data.fd); break;
			case ENTRY_NONE: break;
			}
		}
	}
}
