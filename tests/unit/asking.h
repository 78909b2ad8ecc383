/* asking.h - sockets to ask the kernel about: endpoints from words, connections from and to named ports. */
#ifndef PORTSHIM_TESTS_UNIT_ASKING_H
#define PORTSHIM_TESTS_UNIT_ASKING_H

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/ask.h"
#include "tests/lib/harness.h"

static inline struct endpoint endpoint(const char *address, uint16_t port)
{
	struct endpoint made = { .port = port };

	cr_assert(addr_parse(&made.addr, address), "%s", address);
	return made;
}

static inline socklen_t name_make(struct sockaddr_storage *name, int family, const char *address, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)name;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)name;

	memset(name, 0, sizeof(*name));
	name->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		v4->sin_port = htons(port);
		cr_assert_eq(inet_pton(AF_INET, address, &v4->sin_addr), 1, "%s", address);
		return sizeof(*v4);
	}
	v6->sin6_port = htons(port);
	cr_assert_eq(inet_pton(AF_INET6, address, &v6->sin6_addr), 1, "%s", address);
	return sizeof(*v6);
}

/* A socket of the address's family that is bound to it; v4-mapped addresses are IPv6's. */
static inline int bound_socket(int type, const char *address, uint16_t port)
{
	struct sockaddr_storage name;
	int family = strchr(address, ':') ? AF_INET6 : AF_INET, on = 1;
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	socklen_t length = name_make(&name, family, address, port);

	cr_assert_geq(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert_eq(bind(fd, (struct sockaddr *)&name, length), 0, "bind %s %u: %s", address, port, strerror(errno));
	return fd;
}

static inline void connect_it(int fd, const char *address, uint16_t port)
{
	struct sockaddr_storage name;
	socklen_t length = name_make(&name, strchr(address, ':') ? AF_INET6 : AF_INET, address, port);

	cr_assert_eq(connect(fd, (struct sockaddr *)&name, length), 0, "connect %s %u: %s", address, port,
	             strerror(errno));
}

static inline int connected_socket(int type, const char *from, uint16_t port, const char *to, uint16_t to_port)
{
	int fd = bound_socket(type, from, port);

	connect_it(fd, to, to_port);
	return fd;
}

/* A connection that the client has closed first, on both sides. */
static inline void leave_in_time_wait(int client, int listener)
{
	char byte;
	int fd;

	server_accept(listener, &fd);
	close(client);
	cr_assert_eq(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

/* Until descriptors_again(), no descriptor can be had. */
static inline struct rlimit descriptors_none(void)
{
	struct rlimit limit, none;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	return limit;
}

static inline void descriptors_again(struct rlimit limit)
{
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

#endif
