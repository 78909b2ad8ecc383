/* harness_net.c - networks and servers for the tests. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "tcp_list.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
	request.ifr_flags |= IFF_UP;
	cr_assert(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
	close(fd);
}

void net_own(void)
{
	cr_assert(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "no network namespace (the tests run as root): %s", strerror(errno));
	loopback_up();
	cr_assert(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	          mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777,size=64m") == 0, "/dev/shm: %s", strerror(errno));
}

/* A folder that is its owner's alone, and what lies on the way through it: from here on that is all that is in it. */
static void open_folder(const char *folder, const char *way)
{
	cr_assert(mount(way, "/mnt", NULL, MS_BIND | MS_REC, NULL) == 0 &&
	          mount("tmpfs", folder, "tmpfs", 0, "mode=755,size=1m") == 0 && mkdir(way, 0755) == 0 &&
	          mount("/mnt", way, NULL, MS_MOVE, NULL) == 0, "%s: %s", way, strerror(errno));
}

void net_own_for_all_users(void)
{
	char path[PATH_MAX], folder[PATH_MAX] = "/";
	struct stat about;

	net_own();
	cr_assert(realpath(built(""), path));
	for (char *end = path + 1; *end;) {
		char after;

		end += strcspn(end, "/");
		after = *end;
		*end = '\0';
		if (stat(folder, &about) == 0 && !(about.st_mode & S_IXOTH))
			open_folder(folder, path);
		strcpy(folder, path);
		*end = after;
		end += after == '/';
	}
}

void net_set(const char *setting, const char *value)
{
	char path[256] = "/proc/sys/";
	int fd;

	strncat(path, setting, sizeof(path) - strlen(path) - 1);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value), "%s: %s", path, strerror(errno));
	close(fd);
}

bool net_takes_late(void)
{
	int bounds, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(bounds);
	bool has = getsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &bounds, &len) == 0;

	close(fd);
	return has;
}

const char *net_no_range(void)
{
	return net_takes_late() ? "0" : "-1 ENOPROTOOPT";
}

bool net_has_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static socklen_t name_of(union name *name, const char *address, int port)
{
	memset(name, 0, sizeof(*name));
	if (inet_pton(AF_INET, address, &name->v4.sin_addr) == 1) {
		name->v4.sin_family = AF_INET;
		name->v4.sin_port = htons((uint16_t)port);
		return sizeof(name->v4);
	}
	cr_assert(inet_pton(AF_INET6, address, &name->v6.sin6_addr) == 1);
	name->v6.sin6_family = AF_INET6;
	name->v6.sin6_port = htons((uint16_t)port);
	return sizeof(name->v6);
}

static int port_in(const union name *name)
{
	return ntohs(name->v4.sin_port);
}

static int bound(const char *address, int port, int type)
{
	union name name;
	socklen_t len = name_of(&name, address, port);
	int on = 1, fd = socket(name.any.sa_family, type | SOCK_CLOEXEC, 0);

	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert(fd >= 0 && bind(fd, &name.any, len) == 0, "bind %s %d: %s", address, port, strerror(errno));
	return fd;
}

int server_tcp(const char *address, int port)
{
	int fd = bound(address, port, SOCK_STREAM);

	cr_assert(listen(fd, 1024) == 0);
	return fd;
}

int server_udp(const char *address, int port)
{
	return bound(address, port, SOCK_DGRAM);
}

int socket_port(int fd)
{
	union name name;
	socklen_t len = sizeof(name);

	cr_assert(getsockname(fd, &name.any, &len) == 0);
	return port_in(&name);
}

static void wait_readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	cr_assert(poll(&pollfd, 1, DEADLINE_MS) == 1, "nobody came");
}

int server_accept(int listener, int *fd)
{
	union name name;
	socklen_t len = sizeof(name);
	int accepted;

	wait_readable(listener);
	accepted = accept4(listener, &name.any, &len, SOCK_CLOEXEC);
	cr_assert(accepted >= 0);
	if (fd)
		*fd = accepted;
	else
		close(accepted);
	return port_in(&name);
}

int socket_seen(int local, int remote, int state)
{
	FILE *table = fopen("/proc/self/net/tcp", "re");
	struct tcp_entry entry;
	int seen = 0;

	while (table && !seen && tcp_next(table, &entry))
		if ((!local || (int)entry.local == local) && (!remote || (int)entry.remote == remote) &&
		    (!state || (int)entry.state == state))
			seen = (int)entry.local;
	if (table)
		fclose(table);
	return seen;
}

void socket_wait_gone(int local)
{
	const struct timespec moment = { 0, 2 * 1000 * 1000 };

	for (int left = DEADLINE_MS / 2; left > 0 && socket_seen(local, 0, 0); left--)
		nanosleep(&moment, NULL);
	cr_assert(!socket_seen(local, 0, 0), "port %d is still in use", local);
}

int server_receive(int fd)
{
	union name name;
	socklen_t len = sizeof(name);
	char byte;

	wait_readable(fd);
	cr_assert(recvfrom(fd, &byte, 1, 0, &name.any, &len) >= 0);
	return port_in(&name);
}
