/* load.c - one program of the crowd: `load FD SLOT` makes calls of every kind until it is told to stop; `load FD fill POOL` takes
 * all ports of a pool at once and tells how many it was given. FD: the counts. */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEPT 6
#define REST_US 20000 /* between two calls, on average: the crowd leaves the machine some time for the faults */
#define FILL_TRIES 300 /* of 10 ms: until a sweep may be asked for again */

/* A thread, and the sockets that it keeps for a while. */
struct caller {
	uint32_t seed;
	int kept[KEPT]; /* -1: none */
};

static struct shared *shared;
static char *const *arguments;
static int slot;
static bool is_binder;

static uint32_t below(struct caller *caller, uint32_t n)
{
	caller->seed ^= caller->seed << 13;
	caller->seed ^= caller->seed >> 17;
	caller->seed ^= caller->seed << 5;
	return caller->seed % n;
}

static void rest(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

/* --- sockets --------------------------------------------------------------------------------------------- */

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t name_of(union name *name, bool v6, bool anywhere, int port)
{
	memset(name, 0, sizeof(*name));
	if (v6) {
		name->v6.sin6_family = AF_INET6;
		name->v6.sin6_port = htons((uint16_t)port);
		name->v6.sin6_addr = anywhere ? in6addr_any : in6addr_loopback;
		return sizeof(name->v6);
	}
	name->v4.sin_family = AF_INET;
	name->v4.sin_port = htons((uint16_t)port);
	name->v4.sin_addr.s_addr = htonl(anywhere ? INADDR_ANY : INADDR_LOOPBACK);
	return sizeof(name->v4);
}

static int make(bool v6, int type)
{
	return socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);
}

/* errno of a call that failed: what it means when the ports are used up, or a fault. */
static void count_failure(const struct pool *pool, int error)
{
	int used_up = pool->kind == KIND_TCP ? EADDRNOTAVAIL : pool->kind == KIND_UDP ? EAGAIN : EADDRINUSE;

	if (error == used_up || (pool->binders && error == EADDRINUSE)) {
		shared->no_port++;
		return;
	}
	shared->last_error = error;
	shared->last_pool = (int)(pool - pools);
	shared->failed++;
}

/* bind() to port 0. Where a rule for its destination decides, it is put off until then. */
static bool bind_any(int fd, bool v6, bool anywhere)
{
	union name name;
	socklen_t length = name_of(&name, v6, anywhere, 0);

	return bind(fd, &name.any, length) == 0;
}

static bool connect_to(int fd, bool v6, int port)
{
	union name name;
	socklen_t length = name_of(&name, v6, false, port);
	struct pollfd writable = { .fd = fd, .events = POLLOUT };
	int error = 0;

	if (connect(fd, &name.any, length) == 0)
		return true;
	if (errno != EINPROGRESS)
		return false;
	length = sizeof(error);
	if (poll(&writable, 1, 10000) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && !error)
		return true;
	errno = error ? error : ETIMEDOUT;
	return false;
}

static ssize_t send_to(int fd, bool v6, int port, uint32_t how)
{
	union name name;
	socklen_t length = name_of(&name, v6, false, port);
	struct iovec piece = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_name = &name, .msg_namelen = length, .msg_iov = &piece, .msg_iovlen = 1 } };

	switch (how % 4) {
	case 0: return sendto(fd, "x", 1, 0, &name.any, length);
	case 1: return sendmsg(fd, &message.msg_hdr, 0);
	case 2: return sendmmsg(fd, &message, 1, 0);
	default: return connect(fd, &name.any, length) < 0 ? -1 : send(fd, "x", 1, 0);
	}
}

static void keep(struct caller *caller, int fd)
{
	int *place = &caller->kept[below(caller, KEPT)];

	if (*place >= 0)
		close(*place);
	*place = fd;
}

static void close_all(struct caller *caller)
{
	for (int i = 0; i < KEPT; i++) {
		if (caller->kept[i] >= 0)
			close(caller->kept[i]);
		caller->kept[i] = -1;
	}
}

/* --- calls of every kind --------------------------------------------------------------------------------- */

/* Ends as the server, the client, or a reset has it; or stays for a while. */
static void finish_stream(struct caller *caller, int fd)
{
	static const char ways[] = "ccccrrk";
	const struct timeval patience = { .tv_sec = 10 };
	const struct linger at_once = { .l_onoff = 1 };
	char way = ways[below(caller, sizeof(ways) - 1)], byte;

	if (below(caller, 8) == 0) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(fd);
		return;
	}
	if (below(caller, 8) == 0) {
		keep(caller, fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	send(fd, &way, 1, MSG_NOSIGNAL);
	while (way != 'k' && recv(fd, &byte, 1, 0) > 0)
		;
	close(fd);
}

static void call_tcp(struct caller *caller, const struct pool *pool, bool v6)
{
	int fd = make(v6, SOCK_STREAM | (below(caller, 4) ? 0 : SOCK_NONBLOCK)), other;

	if (!is_binder && below(caller, 10) == 0)
		bind_any(fd, v6, below(caller, 2));
	if (!connect_to(fd, v6, pool->server)) {
		count_failure(pool, errno);
		close(fd);
		return;
	}
	shared->tcp++;
	if (below(caller, 16) == 0 && (other = dup(fd)) >= 0) {
		close(fd);
		fd = other;
	}
	finish_stream(caller, fd);
}

static void call_udp(struct caller *caller, const struct pool *pool, bool v6)
{
	int fd = make(v6, SOCK_DGRAM);
	bool bound = pool->binders || (!is_binder && below(caller, 8) == 0);

	if ((bound && !bind_any(fd, v6, below(caller, 2))) || send_to(fd, v6, pool->server, below(caller, 4)) < 0) {
		count_failure(pool, errno);
		close(fd);
		return;
	}
	if (bound)
		shared->bound++;
	else
		shared->udp++;
	if (below(caller, 3) == 0)
		keep(caller, fd);
	else
		close(fd);
}

static void call_listen(struct caller *caller, const struct pool *pool, bool v6)
{
	union name name;
	socklen_t length = sizeof(name);
	int fd = make(v6, SOCK_STREAM);

	if (listen(fd, 8) < 0) {
		count_failure(pool, errno);
		close(fd);
		return;
	}
	shared->listened++;
	shared->seen++; /* nobody comes there: it is looked at here */
	if (getsockname(fd, &name.any, &length) < 0 || !pool_has(pool, ntohs(name.v4.sin_port))) {
		shared->outside_pool = (int)(pool - pools);
		shared->outside_port = ntohs(name.v4.sin_port);
		shared->outside++;
	}
	keep(caller, fd);
}

static void call_any(struct caller *caller)
{
	const struct pool *pool = &pools[below(caller, (uint32_t)n_pools)];
	bool v6 = below(caller, 2);

	if (pool->binders && !is_binder)
		pool++;
	switch (pool->kind) {
	case KIND_TCP: call_tcp(caller, pool, v6); break;
	case KIND_UDP: call_udp(caller, pool, v6); break;
	case KIND_LISTEN: call_listen(caller, pool, v6); break;
	}
}

/* A child has its parent's sockets, makes calls of its own, and ends. */
static void fork_once(struct caller *caller)
{
	pid_t parent = getpid(), child = fork();

	if (child != 0) {
		shared->forks++;
		if (child > 0)
			waitpid(child, NULL, 0);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 3 && getppid() == parent; i++)
		call_any(caller);
	_exit(0);
}

/* --- for as long as it lasts ----------------------------------------------------------------------------- */

static void measure(struct caller *caller, int which)
{
	struct figures *figures = which == 1 ? &shared->start[slot] : &shared->end[slot];

	close_all(caller);
	figures_take(figures);
	shared->measured[slot] = which;
}

static void start_anew(void)
{
	shared->execs++;
	execv(arguments[0], arguments);
	_exit(127);
}

static void *call_on(void *of)
{
	struct caller *caller = of;
	bool elder = slot < ELDERS;

	while (shared->phase != PHASE_STOP) {
		uint32_t chance = below(caller, 4000);

		if (elder && shared->phase == PHASE_MEASURE && shared->measured[slot] == 0)
			measure(caller, 1);
		if (chance < 20)
			fork_once(caller);
		else if (chance == 20 && !elder)
			start_anew();
		else
			call_any(caller);
		rest((long)below(caller, 2 * REST_US));
	}
	if (elder)
		measure(caller, 2);
	return NULL;
}

static struct caller caller_make(void)
{
	struct caller caller;

	if (getrandom(&caller.seed, sizeof(caller.seed), 0) < 0)
		caller.seed = (uint32_t)getpid();
	caller.seed |= 1;
	for (int i = 0; i < KEPT; i++)
		caller.kept[i] = -1;
	return caller;
}

static bool take_one(const struct pool *pool)
{
	int fd = make(false, pool->kind == KIND_UDP ? SOCK_DGRAM : SOCK_STREAM);
	bool had = pool->binders ? bind_any(fd, false, false) : pool->kind == KIND_TCP ? connect_to(fd, false, pool->server) :
	           pool->kind == KIND_UDP ? send_to(fd, false, pool->server, 0) == 1 : listen(fd, 8) == 0;

	if (!had)
		close(fd);
	return had;
}

static int fill(const struct pool *pool)
{
	int had = 0;

	for (int tries = 0; had < pool_size(pool) && tries < FILL_TRIES;) {
		if (take_one(pool)) {
			had++;
		} else {
			rest(10000);
			tries++;
		}
	}
	shared->filled[pool - pools] = had;
	return 0;
}

int main(int argc, char **argv)
{
	struct caller first = caller_make(), second = caller_make();
	pthread_t thread;

	if (argc < 3)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	arguments = argv;
	shared = shared_map(dup(atoi(argv[1]))); /* what it is started anew with stays */
	if (!shared)
		return 1;
	if (argc == 4)
		return fill(&pools[atoi(argv[3])]);
	slot = atoi(argv[2]);
	is_binder = strstr(argv[0], BINDER) != NULL;
	if (slot % 8 == 5 && pthread_create(&thread, NULL, call_on, &second) == 0) {
		call_on(&first);
		pthread_join(thread, NULL);
	} else {
		call_on(&first);
	}
	return 0;
}
