/* same_datagram.h - scenarios of same.c: UDP and UDP-Lite. */
#ifndef PORTSHIM_TESTS_SAME_DATAGRAM_H
#define PORTSHIM_TESTS_SAME_DATAGRAM_H

#include "same.h"

/* Takes a datagram, and says who sent it. */
static void take(int fd)
{
	union name from = { .any.sa_family = AF_UNSPEC };
	char bytes[64];
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1 };

	await(fd, POLLIN);
	if (DO(recvmsg(fd, &message, MSG_DONTWAIT)) >= 0)
		say("  from %s, flags 0x%x", name_words(&from, message.msg_namelen), (unsigned int)message.msg_flags);
}

static long send_message(int fd, const struct sockaddr *to, socklen_t len, size_t size, int flags)
{
	struct iovec part = { .iov_base = "0123456789", .iov_len = size };
	struct msghdr message = { .msg_name = (void *)to, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1 };

	return sendmsg(fd, &message, flags);
}

static void datagram_life(int family, int protocol, int flags)
{
	socklen_t len = length_of(family);
	int server = receiver(family, SOCK_DGRAM, protocol, 7020), fd = OPEN(socket(family, SOCK_DGRAM | flags, protocol));
	static char large[70000];
	char byte;

	if (fd < 0)
		return;
	show(fd);
	DO(send(fd, "x", 1, 0));
	show(fd);
	DO(listen(fd, 1));
	DO(accept(fd, NULL, NULL));
	DO(sendto(fd, "abc", 3, 0, at_loopback(family, 7020), len));
	show(fd);
	take(server);
	DO(sendto(fd, "", 0, MSG_DONTWAIT, at_loopback(family, 7020), len));
	take(server);
	DO(send_message(fd, at_loopback(family, 7020), len, 5, 0));
	take(server);
	DO(sendto(fd, large, sizeof(large), 0, at_loopback(family, 7020), len));
	DO(sendto(fd, "x", 1, MSG_OOB, at_loopback(family, 7020), len));
	DO(sendto(fd, "x", 1, 0, at_loopback(family, 0), len));
	DO(recv(fd, &byte, 1, MSG_DONTWAIT));
	DO(bind(fd, at_loopback(family, 0), len));
	DO(bind(fd, at_loopback(family, 7021), len));
	show(fd);
	DO(connect(fd, at_loopback(family, 7020), len));
	show(fd);
	DO(send(fd, "x", 1, 0));
	take(server);
	DO(sendto(fd, "xy", 2, 0, at_loopback(family, CLOSED_PORT), len));
	await(fd, POLLOUT);
	DO(close(fd));
	DO(sendto(fd, "x", 1, 0, at_loopback(family, 7020), len));
	DO(close(server));
}

static void datagram_connects(int family, int protocol)
{
	socklen_t len = length_of(family);
	int one = receiver(family, SOCK_DGRAM, protocol, 7022), two = receiver(family, SOCK_DGRAM, protocol, 7023);
	int fd = OPEN(socket(family, SOCK_DGRAM, protocol));

	if (fd < 0)
		return;
	DO(connect(fd, nobody(), sizeof(struct sockaddr_in)));
	show(fd);
	DO(connect(fd, at_loopback(family, 7022), len));
	show(fd);
	DO(connect(fd, at_loopback(family, 7023), len));
	show(fd);
	DO(send(fd, "x", 1, 0));
	take(two);
	DO(connect(fd, nobody(), sizeof(struct sockaddr_in)));
	show(fd);
	DO(send(fd, "x", 1, 0));
	DO(sendto(fd, "x", 1, 0, at_loopback(family, 7022), len));
	take(one);
	show(fd);
	DO(connect(fd, nobody(), sizeof(struct sockaddr_in)));
	show(fd);
	DO(connect(fd, at_loopback(family, CLOSED_PORT), len));
	DO(send(fd, "x", 1, 0));
	await(fd, POLLERR);
	show(fd);
	DO(send(fd, "x", 1, 0));
	await(fd, POLLERR);
	DO(send(fd, "x", 1, 0));
	show(fd);
	close(fd);
	close(one);
	close(two);
}

static void datagram_binds(int family, int protocol)
{
	const char *foreign = family == AF_INET6 ? "2001:db8::1" : "198.51.100.1";
	const char *all = family == AF_INET6 ? "::" : "0.0.0.0";
	socklen_t len = length_of(family);
	int fd = OPEN(socket(family, SOCK_DGRAM, protocol)), other = OPEN(socket(family, SOCK_DGRAM, protocol));

	if (fd < 0)
		return;
	DO(bind(fd, at_inet(family, foreign, 0), len));
	show(fd);
	DO(bind(fd, at_loopback(family, 7024), len));
	DO(bind(fd, at_loopback(family, 7024), len));
	DO(bind(fd, at_loopback(family, 0), len));
	DO(bind(other, at_loopback(family, 7024), len));
	show(other);
	DO(bind(other, at_inet(family, all, 0), len));
	show(other);
	DO(bind(other, at_inet(family, all, 0), len));
	DO(connect(other, at_loopback(family, 7024), len));
	show(other);
	DO(send(other, "x", 1, 0));
	take(fd);
	DO(connect(other, nobody(), sizeof(struct sockaddr_in)));
	show(other);
	close(other);
	other = OPEN(socket(family, SOCK_DGRAM, protocol));
	DO(bind(other, at_loopback(family, 0), len));
	DO(sendto(other, "x", 1, 0, at_loopback(family, 7024), len));
	take(fd);
	show(other);
	close(other);
	close(fd);
}

static void datagram_no_way(int family, int protocol)
{
	const char *address = family == AF_INET6 ? "2001:db8::1" : "198.51.100.1";
	socklen_t len = length_of(family);
	int fd = OPEN(socket(family, SOCK_DGRAM, protocol));

	if (fd < 0)
		return;
	DO(sendto(fd, "x", 1, 0, at_inet(family, address, 9), len));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_DGRAM, protocol));
	DO(connect(fd, at_inet(family, address, 9), len));
	show(fd);
	DO(connect(fd, at_loopback(family, CLOSED_PORT), len));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_DGRAM, protocol));
	DO(connect(fd, at_inet(AF_INET, "255.255.255.255", 9), sizeof(struct sockaddr_in)));
	DO(sendto(fd, "x", 1, 0, at_inet(AF_INET, "127.255.255.255", 9), sizeof(struct sockaddr_in)));
	show(fd);
	close(fd);
}

/* Several in one call: one of them bad, each place. */
static void many(int family, int connected)
{
	union name good = loopback(family, 7025), bad = good;
	struct iovec part = { .iov_base = "xyz", .iov_len = 3 };
	int server = receiver(family, SOCK_DGRAM, 0, 7025), fd;

	bad.any.sa_family = AF_UNIX;
	for (int at = 0; at < 4; at++) {
		struct mmsghdr messages[3];

		fd = OPEN(socket(family, SOCK_DGRAM, 0));
		if (connected)
			DO(connect(fd, &good.any, length_of(family)));
		for (int i = 0; i < 3; i++)
			messages[i] = (struct mmsghdr){ .msg_len = 77,
				.msg_hdr = { .msg_name = i == at ? &bad : connected ? NULL : &good, .msg_iov = &part, .msg_iovlen = 1,
				             .msg_namelen = i != at && connected ? 0 : length_of(family) } };
		DO(sendmmsg(fd, messages, 3, MSG_NOSIGNAL));
		say("  lengths %u %u %u", messages[0].msg_len, messages[1].msg_len, messages[2].msg_len);
		show(fd);
		for (int i = 0; i < at && i < 3; i++)
			take(server);
		close(fd);
	}
	close(server);
}

static void many_and_none(void)
{
	union name good = loopback(AF_INET, 7025);
	char bytes[2][8];
	struct iovec part = { .iov_base = "", .iov_len = 0 };
	struct iovec room[2] = { { bytes[0], 8 }, { bytes[1], 8 } };
	struct mmsghdr out = { .msg_hdr = { .msg_name = &good, .msg_namelen = sizeof(good.v4),
	                                    .msg_iov = &part, .msg_iovlen = 1 } };
	struct mmsghdr in[2] = { { .msg_hdr = { .msg_iov = &room[0], .msg_iovlen = 1 } },
	                         { .msg_hdr = { .msg_iov = &room[1], .msg_iovlen = 1 } } };
	struct timespec none = { 0 };
	int server = receiver(AF_INET, SOCK_DGRAM, 0, 7025), fd = OPEN(socket(AF_INET, SOCK_DGRAM, 0));

	DO(sendmmsg(fd, &out, 0, 0));
	DO(sendmmsg(fd, NULL, 0, 0));
	if (LIBC_LEAVES_MESSAGES) {
		DO(sendmmsg(fd, NULL, 1, 0));
		DO(sendmsg(fd, NULL, 0));
	}
	show(fd);
	DO(sendmmsg(-1, &out, 1, 0));
	DO(sendmmsg(fd, &out, 1, 0));
	DO(sendmmsg(fd, &out, 1, 0));
	show(fd);
	await(server, POLLIN);
	DO(recvmmsg(server, in, 2, MSG_DONTWAIT, &none));
	say("  lengths %u %u", in[0].msg_len, in[1].msg_len);
	DO(recvmmsg(server, in, 2, MSG_DONTWAIT, NULL));
	DO(recvmmsg(-1, in, 2, MSG_DONTWAIT, NULL));
	if (LIBC_LEAVES_MESSAGES)
		DO(recvmsg(server, NULL, MSG_DONTWAIT));
	close(fd);
	close(server);
}

static void datagram(int family, int protocol)
{
	datagram_life(family, protocol, 0);
	datagram_life(family, protocol, SOCK_NONBLOCK);
	datagram_connects(family, protocol);
	datagram_binds(family, protocol);
	datagram_no_way(family, protocol);
}

static void scene_udp(void)
{
	datagram(AF_INET, 0);
	datagram(AF_INET6, 0);
}

static void scene_udplite(void)
{
	datagram(AF_INET, IPPROTO_UDPLITE);
	datagram(AF_INET6, IPPROTO_UDPLITE);
}

static void scene_many(void)
{
	many(AF_INET, 0);
	many(AF_INET, 1);
	many(AF_INET6, 0);
	many(AF_INET6, 1);
	many_and_none();
}

static void scene_udp_short(void)
{
	datagram_life(AF_INET, 0, 0);
	datagram_connects(AF_INET6, 0);
	many_and_none();
}

#endif
