/* packets.h - what the tests of `portshim export` share: one packet from a given port, and whether a firewall lets it out. */
#ifndef PORTSHIM_TESTS_TOOLS_PACKETS_H
#define PORTSHIM_TESTS_TOOLS_PACKETS_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/world.h"

enum outcome { REFUSED = 1, LET_OUT, NEITHER };

union name {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static inline socklen_t name_of(union name *name, const char *address, uint16_t port)
{
	memset(name, 0, sizeof(*name));
	if (inet_pton(AF_INET, address, &name->in.sin_addr) == 1) {
		name->in.sin_family = AF_INET;
		name->in.sin_port = htons(port);
		return sizeof(name->in);
	}
	name->in6.sin6_family = AF_INET6;
	name->in6.sin6_port = htons(port);
	return inet_pton(AF_INET6, address, &name->in6.sin6_addr) == 1 ? sizeof(name->in6) : 0;
}

/* Whether it has arrived at the server from that port (0: any). */
static inline enum outcome arrived(int server, bool tcp, uint16_t port)
{
	struct pollfd pollfd = { .fd = server, .events = POLLIN };
	union name name;
	socklen_t length = sizeof(name);
	char byte;

	if (poll(&pollfd, 1, DEADLINE_MS) != 1)
		return NEITHER;
	if (tcp) {
		int accepted = accept4(server, &name.any, &length, SOCK_CLOEXEC);
		close(accepted);
	} else if (recvfrom(server, &byte, 1, 0, &name.any, &length) != 1) {
		return NEITHER;
	}
	return port == 0 || ntohs(name.in.sin_port) == port ? LET_OUT : NEITHER;
}

/* A connection or a datagram from a port (0: one of the kernel's) to the server, which is at that address. A rejected
 * connection is ECONNREFUSED, and a datagram that the firewall takes is EPERM. May be called in any process. */
static inline enum outcome attempt(int server, bool tcp, const char *address, uint16_t to_port, uint16_t port)
{
	const struct linger reset = { .l_onoff = 1 };
	union name to, from;
	socklen_t length = name_of(&to, address, to_port);
	int fd = socket(to.any.sa_family, tcp ? SOCK_STREAM : SOCK_DGRAM, 0), one = 1;
	enum outcome outcome = NEITHER;

	name_of(&from, to.any.sa_family == AF_INET ? "0.0.0.0" : "::", port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* the port can be had again at once */
	if (bind(fd, &from.any, length) != 0)
		outcome = NEITHER;
	else if (tcp)
		outcome = connect(fd, &to.any, length) == 0 ? arrived(server, true, port) :
		          errno == ECONNREFUSED             ? REFUSED :
		                                              NEITHER;
	else
		outcome = sendto(fd, "x", 1, 0, &to.any, length) == 1 ? arrived(server, false, port) :
		          errno == EPERM                              ? REFUSED :
		                                                        NEITHER;
	if (outcome == NEITHER)
		perror("neither refused nor let out");
	close(fd);
	return outcome;
}

/* Becomes a user with that effective group and one more, for good. */
static inline bool become(uid_t user, gid_t group, gid_t besides)
{
	return setgroups(1, &besides) == 0 && setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0;
}

/* The same as that user, in a process of its own. */
static inline enum outcome attempt_as(uid_t user, gid_t group, gid_t besides, int server, bool tcp, const char *address,
                                      uint16_t to_port, uint16_t port)
{
	pid_t child = fork();
	int status;

	cr_assert(child >= 0);
	if (child == 0)
		_exit(become(user, group, besides) ? (int)attempt(server, tcp, address, to_port, port) : NEITHER);
	cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return (enum outcome)WEXITSTATUS(status);
}

#endif
