/* stage.c - where the benchmark happens: network namespaces, servers, files. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define BACKLOG 65535

static const char *build_folder;
static char scratch_folder[64];
static bool entered;
static int listener = -1, sink = -1;
static pid_t servers[PROCESSES_MAX];

void fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	for (int i = 0; i < PROCESSES_MAX && servers[i] > 0; i++)
		kill(servers[i], SIGKILL);
	if (entered)
		net_leave();
	stage_end();
	exit(1);
}

void pass_time(long us)
{
	struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}

/* --- files --- */

const char *built(const char *name)
{
	static char buffers[8][512];
	static unsigned int next;
	char *path = buffers[next++ % 8];

	snprintf(path, sizeof(buffers[0]), "%s/%s", build_folder, name);
	return path;
}

char *scratch(const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", scratch_folder, name) < 0)
		fail("memory");
	return path;
}

char *policy_make(const char *name, const char *format, ...)
{
	char *path = scratch(name);
	FILE *file = fopen(path, "w");
	va_list arguments;

	if (!file)
		fail(path);
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	fclose(file);
	return path;
}

void stage_begin(const char *build)
{
	build_folder = build;
	strcpy(scratch_folder, "/tmp/portshim-bench-XXXXXX");
	if (!mkdtemp(scratch_folder))
		fail(scratch_folder);
}

void stage_end(void)
{
	glob_t found;
	char *all = scratch("*");

	if (glob(all, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	free(all);
	rmdir(scratch_folder);
}

int descriptors_each(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 100000 ? limit.rlim_max : 100000;
	setrlimit(RLIMIT_NOFILE, &limit);
	return (int)limit.rlim_cur - 64;
}

static void put(const char *path, const char *words)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, words, strlen(words)) != (ssize_t)strlen(words))
		fail(path);
	close(fd);
}

/* --- network namespaces --- */

/* Without root: a user namespace in which files that are made still belong to this user. */
static void own_users(void)
{
	char map[32];
	unsigned int user = geteuid(), group = getegid();

	if (unshare(CLONE_NEWUSER) < 0)
		fail("user namespace");
	put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", user, user);
	put("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", group, group);
	put("/proc/self/gid_map", map);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		fail("lo");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail("lo");
	close(fd);
}

void net_enter(const char *range)
{
	static bool mapped;

	if (entered)
		net_leave();
	if (!mapped && geteuid() != 0)
		own_users();
	mapped = true;
	if (unshare(CLONE_NEWNET) < 0)
		fail("network namespace");
	entered = true;
	loopback_up();
	put("/proc/sys/net/ipv4/ip_local_port_range", range);
	/* No queue of the server's is ever full: a client that waits for a second there would tell nothing. */
	put("/proc/sys/net/core/somaxconn", "65535");
	put("/proc/sys/net/ipv4/tcp_max_syn_backlog", "65535");
}

/* The name holds the namespace's cookie, and the version of the table. */
static bool table_file(glob_t *found)
{
	char pattern[64];
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	close(fd);
	snprintf(pattern, sizeof(pattern), "/dev/shm/portshim-*-%llx.*", (unsigned long long)cookie);
	return cookie && glob(pattern, 0, NULL, found) == 0;
}

void net_leave(void)
{
	glob_t found;

	entered = false;
	if (!table_file(&found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}

bool net_table(long *size, long *resident)
{
	struct stat about;
	glob_t found;

	*size = *resident = 0;
	if (!table_file(&found))
		return false;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (stat(found.gl_pathv[i], &about) == 0) {
			*size += (long)about.st_size / 1024;
			*resident += (long)about.st_blocks / 2;
		}
	globfree(&found);
	return true;
}

/* --- servers --- */

static int open_port(int type)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(SERVER_PORT)) };
	int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		fail("bind");
	return fd;
}

static void serve_drops(void)
{
	for (;;)
		close(accept(listener, NULL, NULL));
}

static void serve_last(void)
{
	for (;;) {
		char bytes[16];
		int fd = accept(listener, NULL, NULL);

		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
		close(fd);
	}
}

static void watch(int poller, int operation, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(poller, operation, fd, &event) < 0)
		_exit(1);
}

/* Leaves what it has no room for to the others. */
static void serve_keeps(void)
{
	int poller = epoll_create1(EPOLL_CLOEXEC), room = descriptors_each();
	struct epoll_event events[256];

	watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN);
	for (;;) {
		int n = epoll_wait(poller, events, 256, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd != listener) { /* the client has ended it */
				close(fd);
				if (room++ == 0)
					watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN);
				continue;
			}
			fd = accept(listener, NULL, NULL);
			if (fd < 0)
				continue;
			watch(poller, EPOLL_CTL_ADD, fd, EPOLLRDHUP);
			if (--room == 0)
				watch(poller, EPOLL_CTL_DEL, listener, 0);
		}
	}
}

static void serve(enum server kind)
{
	cpu_set_t one;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (kind == SERVER_DROPS)
		serve_drops();
	else if (kind == SERVER_LAST)
		serve_last();
	else
		serve_keeps();
}

void server_start(enum server kind, int processes)
{
	listener = open_port(SOCK_STREAM);
	sink = open_port(SOCK_DGRAM);
	if (listen(listener, BACKLOG) < 0)
		fail("listen");
	/* Of several that are woken up, one gets the connection. */
	if (kind == SERVER_KEEPS)
		fcntl(listener, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < processes; i++) {
		servers[i] = fork();
		if (servers[i] == 0)
			serve(kind);
		if (servers[i] < 0)
			fail("fork");
	}
}

void server_settle(void)
{
	struct pollfd waiting = { .fd = listener, .events = POLLIN };

	while (poll(&waiting, 1, 0) > 0)
		pass_time(200);
}

void server_stop(void)
{
	for (int i = 0; i < PROCESSES_MAX && servers[i] > 0; i++) {
		kill(servers[i], SIGKILL);
		waitpid(servers[i], NULL, 0);
		servers[i] = 0;
	}
	close(listener);
	close(sink);
}
