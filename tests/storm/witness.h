/* witness.h - a server that says from which ports its clients came; and the ways in which a port is had. */
#ifndef PORTSHIM_TESTS_STORM_WITNESS_H
#define PORTSHIM_TESTS_STORM_WITNESS_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/crowd.h"

#define TCP_PORT 5000
#define UDP_PORT 5001
#define LAST_PORT 39999 /* the test itself comes from there, behind all others */

struct way {
	const char *name, *keys;
	int lo, hi;
};

static const struct way early_shared = { "early, shared", "", 20000, 20007 };
static const struct way early_exclusive = { "early, exclusive", "share = never\n", 20000, 20007 };
static const struct way late = { "late", "", 40100, 40107 };
/* With a destination in the rule, so that a bind() to port 0 is put off. */
static const struct way deferred_early = { "deferred, early", "to = 127.0.0.0/8\n", 20000, 20007 };
static const struct way deferred_late = { "deferred, late", "to = 127.0.0.0/8\n", 40100, 40107 };

static struct witness {
	_Atomic int connections, datagrams, outside;
} *witness;

static pid_t witness_pid;
static int witness_says; /* a pipe */

static inline void witness_look(const struct way *way, const struct sockaddr_in *name, _Atomic int *count)
{
	int port = ntohs(name->sin_port);

	(*count)++;
	if (port < way->lo || port > way->hi)
		witness->outside++;
}

static inline bool witness_hear(int udp, const struct way *way)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	char bytes[256];
	bool heard = recvfrom(udp, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&name, &len) > 0;

	if (heard)
		witness_look(way, &name, &witness->datagrams);
	return heard;
}

/* Everybody who came before is in the queues in front of the last. */
static inline void witness_finish(int udp, const struct way *way)
{
	while (witness_hear(udp, way))
		;
	_exit(write(witness_says, "", 1) != 1);
}

static inline void witness_take(int epoll, int listener, int udp, const struct way *way)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	struct epoll_event event = { .events = EPOLLIN };

	event.data.fd = accept4(listener, (struct sockaddr *)&name, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (event.data.fd < 0)
		return;
	if (ntohs(name.sin_port) == LAST_PORT)
		witness_finish(udp, way);
	witness_look(way, &name, &witness->connections);
	epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
}

/* The client ends its connections; a connection is looked at even if it ended before it was taken. */
static inline void witness_serve(int epoll, int tcp, int udp, const struct way *way)
{
	for (;;) {
		struct epoll_event event[64];
		int n = epoll_wait(epoll, event, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = event[i].data.fd;
			char bytes[256];

			if (fd == tcp)
				witness_take(epoll, tcp, udp, way);
			else if (fd == udp)
				witness_hear(udp, way);
			else if (read(fd, bytes, sizeof(bytes)) <= 0)
				close(fd);
		}
	}
}

/* A network of the test's own, with a server in it that knows which ports are right. */
static inline void witness_begin(const struct way *way)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct rlimit limit;
	int tcp, udp, says[2], epoll = epoll_create1(EPOLL_CLOEXEC);

	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	net_set("net/core/somaxconn", "4096");
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	tcp = server_tcp("::", TCP_PORT);
	udp = server_udp("::", UDP_PORT);
	event.data.fd = tcp;
	cr_assert(listen(tcp, 4096) == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, tcp, &event) == 0);
	event.data.fd = udp;
	cr_assert(epoll_ctl(epoll, EPOLL_CTL_ADD, udp, &event) == 0);
	witness = mmap(NULL, sizeof(*witness), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(witness != MAP_FAILED);
	cr_assert(pipe2(says, O_CLOEXEC) == 0);
	witness_pid = fork();
	witness_says = says[witness_pid == 0];
	if (witness_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		witness_serve(epoll, tcp, udp, way);
	}
	close(tcp);
	close(udp);
	close(epoll);
	close(says[1]);
}

/* Waits until it has seen all who came before. */
static inline void witness_ask(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(LAST_PORT) };
	struct pollfd says = { .fd = witness_says, .events = POLLIN };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert(bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	name.sin_port = htons(TCP_PORT);
	cr_assert(connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	cr_assert(poll(&says, 1, DEADLINE_MS) == 1 && says.revents & POLLIN, "the server did not come to the end");
	close(fd);
	close(witness_says);
}

/* Nobody came from elsewhere, unless clients were bare (NULL). */
static inline void witness_end(const struct way *way)
{
	witness_ask();
	crowd_end(witness_pid);
	cr_assert(!way || witness->outside == 0, "%s: %d from outside the ports", way->name, witness->outside);
}

static inline const char *policy_of(const struct way *way)
{
	static char policy[128];

	snprintf(policy, sizeof(policy), "[rule r]\nports = %d-%d\n%s", way->lo, way->hi, way->keys);
	return policy;
}

#endif
