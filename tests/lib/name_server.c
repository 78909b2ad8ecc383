/* name_server.c - answering DNS queries (RFC 1035, 4.1), one question each. */
#define _GNU_SOURCE
#include "name_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/lib/world.h"

#define HEADER 12
#define TYPE_A 1
#define TYPE_PTR 12
#define MESSAGE_MAX 512

void name_server_set(void)
{
	const char *file = file_make("resolv.conf", "nameserver " NAME_SERVER "\noptions timeout:30 attempts:1\n");

	cr_assert(mount(file, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0, "/etc/resolv.conf: %s", strerror(errno));
}

static size_t put(uint8_t *at, const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return n;
}

/* The answer's data, with its length before it. */
static size_t put_data(uint8_t *at, int type)
{
	static const char name[] = "\5there\7example"; /* and the root's length, 0 */
	struct in_addr address;

	cr_assert(inet_pton(AF_INET, NAME_SERVER_ANSWER, &address) == 1);
	at[0] = 0;
	at[1] = type == TYPE_PTR ? sizeof(name) : sizeof(address);
	return 2 + (type == TYPE_PTR ? put(at + 2, name, sizeof(name)) : put(at + 2, &address, sizeof(address)));
}

/* Makes the answer of the query of `size` bytes in place, and is its size. */
static size_t answer(uint8_t *message, size_t size, bool cut)
{
	static const uint8_t record[] = { 0xc0, HEADER }, class_and_ttl[] = { 0, 1, 0, 0, 0, 60 };
	size_t at = HEADER;
	int type;

	cr_assert(size > HEADER, "no query");
	while (at < size && message[at])
		at += message[at] + 1u;
	at++;
	cr_assert(at + 4 <= size, "no question");
	type = message[at + 1];
	at += 4;
	message[2] = (uint8_t)(0x80 | (message[2] & 1) | (cut ? 2 : 0)); /* a response; recursion as desired; cut */
	message[3] = 0x80;                                               /* recursion is available; no error */
	memset(message + 6, 0, HEADER - 6);
	if (cut || (type != TYPE_A && type != TYPE_PTR))
		return at;
	message[7] = 1; /* answer */
	at += put(message + at, record, sizeof(record));
	at += put(message + at, (uint8_t[]){ 0, (uint8_t)type }, 2);
	at += put(message + at, class_and_ttl, sizeof(class_and_ttl));
	return at + put_data(message + at, type);
}

static void wait_for_query(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	cr_assert(poll(&pollfd, 1, DEADLINE_MS) == 1, "nobody asks");
}

int name_server_udp(int fd, bool cut)
{
	uint8_t message[MESSAGE_MAX + 64];
	struct sockaddr_in client;
	socklen_t len = sizeof(client);
	ssize_t n;

	wait_for_query(fd);
	n = recvfrom(fd, message, MESSAGE_MAX, 0, (struct sockaddr *)&client, &len);
	cr_assert(n > 0);
	n = (ssize_t)answer(message, (size_t)n, cut);
	cr_assert(sendto(fd, message, (size_t)n, 0, (struct sockaddr *)&client, len) == n);
	return ntohs(client.sin_port);
}

int name_server_tcp(int listener)
{
	const struct timeval limit = { DEADLINE_MS / 1000, 0 };
	uint8_t message[2 + MESSAGE_MAX + 64];
	int fd, port = server_accept(listener, &fd);
	size_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	cr_assert(recv(fd, message, 2, MSG_WAITALL) == 2);
	n = (size_t)message[0] << 8 | message[1];
	cr_assert(n <= MESSAGE_MAX && recv(fd, message + 2, n, MSG_WAITALL) == (ssize_t)n);
	n = answer(message + 2, n, false);
	message[0] = (uint8_t)(n >> 8);
	message[1] = (uint8_t)n;
	cr_assert(send(fd, message, n + 2, MSG_NOSIGNAL) == (ssize_t)n + 2);
	close(fd);
	return port;
}
