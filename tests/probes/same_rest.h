/* same_rest.h - scenarios of same.c: addresses that are none, descriptors, options, other kinds, the process. */
#ifndef PORTSHIM_TESTS_SAME_REST_H
#define PORTSHIM_TESTS_SAME_REST_H

#include <grp.h>
#include <net/ethernet.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "same_datagram.h"
#include "same_stream.h"

/* --- addresses --- */

/* Each call once with an address, on a socket of its own. */
static void with_address(int family, int type, const struct sockaddr *addr, socklen_t len)
{
	int fd = OPEN(socket(family, type, 0));

	DO(connect(fd, addr, len));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, type, 0));
	DO(bind(fd, addr, len));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, type, 0));
	DO(sendto(fd, "x", 1, MSG_NOSIGNAL, addr, len));
	DO(send_message(fd, addr, len, 1, MSG_NOSIGNAL));
	show(fd);
	close(fd);
}

static void with_length(int family, int type, const union name *name, size_t length)
{
	say("family %d, %d bytes", name->any.sa_family, (int)length);
	with_address(family, type, fixed(name, length), (socklen_t)length);
}

static void addresses(int family, int type)
{
	static const size_t lengths[] = { 0, 1, 2, 4, 8, 15, 16, 23, 24, 27, 28, 64, 128, 129, 4096 };
	static const int strangers[] = { AF_UNSPEC, AF_UNIX, AF_NETLINK, 99 };
	union name good = loopback(family, CLOSED_PORT);
	union name other = loopback(family == AF_INET ? AF_INET6 : AF_INET, CLOSED_PORT);

	with_address(family, type, NULL, 0);
	with_address(family, type, NULL, 16);
	with_address(family, type, fixed(&good, sizeof(good)), (socklen_t)-1);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		with_length(family, type, &good, lengths[i]);
	with_length(family, type, &other, sizeof(other.v4));
	with_length(family, type, &other, sizeof(other.v6));
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		good.any.sa_family = (sa_family_t)strangers[i];
		with_length(family, type, &good, 2);
		with_length(family, type, &good, 16);
		with_length(family, type, &good, 28);
	}
}

static void scene_tcp_addresses(void)
{
	addresses(AF_INET, SOCK_STREAM);
}

static void scene_tcp6_addresses(void)
{
	addresses(AF_INET6, SOCK_STREAM);
}

static void scene_udp_addresses(void)
{
	addresses(AF_INET, SOCK_DGRAM);
}

static void scene_udp6_addresses(void)
{
	addresses(AF_INET6, SOCK_DGRAM);
}

/* IPv4 by way of IPv6. */
static void scene_mapped(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	int on = 1;

	for (int i = 0; i < 2; i++) {
		union name mapped = inet(AF_INET6, "::ffff:127.0.0.1", 7030);
		int server = i == 0 ? listener(AF_INET, 7030, 4) : receiver(AF_INET, SOCK_DGRAM, 0, 7030);
		int fd = OPEN(socket(AF_INET6, types[i], 0));

		DO(connect(fd, fixed(&mapped, sizeof(mapped.v6)), sizeof(mapped.v6)));
		show(fd);
		DO(send(fd, "x", 1, MSG_NOSIGNAL));
		close(fd);
		fd = OPEN(socket(AF_INET6, types[i], 0));
		DO(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
		DO(connect(fd, fixed(&mapped, sizeof(mapped.v6)), sizeof(mapped.v6)));
		DO(bind(fd, fixed(&mapped, sizeof(mapped.v6)), sizeof(mapped.v6)));
		show(fd);
		close(fd);
		mapped.v6.sin6_port = 0;
		fd = OPEN(socket(AF_INET6, types[i], 0));
		DO(bind(fd, fixed(&mapped, sizeof(mapped.v6)), sizeof(mapped.v6)));
		show(fd);
		DO(connect(fd, at_loopback(AF_INET6, CLOSED_PORT), sizeof(mapped.v6)));
		close(fd);
		close(server);
	}
}

/* --- calls on what is no socket, or none of ours --- */

static void calls_on(int fd)
{
	union name name;
	socklen_t len = sizeof(name), small = 3;
	int value = 0;

	DO_AS("connect", connect(fd, at_loopback(AF_INET, CLOSED_PORT), sizeof(name.v4)));
	DO_AS("bind", bind(fd, at_loopback(AF_INET, 0), sizeof(name.v4)));
	DO_AS("listen", listen(fd, 1));
	DO_AS("accept", accept(fd, &name.any, &len));
	DO_AS("accept4 of unknown flags", accept4(fd, NULL, NULL, 0x40000001));
	DO_AS("send", send(fd, "x", 1, MSG_NOSIGNAL));
	DO_AS("sendto", sendto(fd, "x", 1, MSG_NOSIGNAL, at_loopback(AF_INET, CLOSED_PORT), sizeof(name.v4)));
	DO_AS("sendmsg", send_message(fd, at_loopback(AF_INET, CLOSED_PORT), sizeof(name.v4), 1, MSG_NOSIGNAL));
	DO_AS("getsockname of NULL", getsockname(fd, NULL, NULL));
	DO_AS("getsockname of no room", getsockname(fd, &name.any, &small));
	DO_AS("getsockopt", getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &len));
	DO_AS("getsockopt of NULL", getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, NULL, NULL));
	DO_AS("setsockopt of NULL", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, NULL, sizeof(value)));
	DO_AS("setsockopt too short", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 1));
	DO_AS("bindresvport", bindresvport(fd, NULL));
}

static void scene_no_socket(void)
{
	int file = OPEN(open("/dev/null", O_RDWR)), path = OPEN(open("/", O_PATH));
	int local = OPEN(socket(AF_UNIX, SOCK_STREAM, 0));
	int pair[2];

	calls_on(-1);
	calls_on(1000);
	calls_on(1 << 30);
	calls_on(file);
	calls_on(path);
	calls_on(local);
	DO(pipe(pair));
	calls_on(pair[1]);
	close(pair[0]);
	close(pair[1]);
	close(local);
	close(path);
	close(file);
	DO(socket(99, SOCK_STREAM, 0));
	DO(socket(AF_INET, 77, 0));
	DO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	DO(socket(AF_INET6, SOCK_DGRAM, IPPROTO_TCP));
}

static void kind(int family, int type, int protocol)
{
	int fd = OPEN(socket(family, type, protocol));

	say("socket(%d, 0x%x, %d)", family, (unsigned int)type, protocol);
	if (fd < 0)
		return;
	show(fd);
	calls_on(fd);
	show(fd);
	close(fd);
}

static void scene_kinds(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (size_t i = 0; i < 3; i++)
		kind(AF_UNIX, types[i] | SOCK_NONBLOCK, 0);
	kind(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	kind(AF_INET, SOCK_RAW, 253);
	kind(AF_INET, SOCK_RAW, IPPROTO_RAW);
	kind(AF_INET6, SOCK_RAW, 253);
	kind(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	kind(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	kind(AF_PACKET, SOCK_RAW, 0);
	kind(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
	kind(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	kind(AF_INET, SOCK_SEQPACKET, 132);
	kind(40, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

static void unix_pair(int type)
{
	union name name = { .un.sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(sizeof(sa_family_t) + 6);
	int server = OPEN(socket(AF_UNIX, type, 0)), fd = OPEN(socket(AF_UNIX, type, 0)), peer;
	char bytes[8];

	memcpy(name.un.sun_path, "\0same1", 6);
	DO(connect(fd, fixed(&name, len), len));
	DO(bind(server, fixed(&name, len), len));
	DO(bind(server, fixed(&name, len), len));
	DO(bind(fd, fixed(&name, len), len));
	DO(listen(server, 2));
	DO(connect(fd, fixed(&name, len), len));
	DO(connect(fd, fixed(&name, len), len));
	show(fd);
	DO(send(fd, "abc", 3, 0));
	peer = type == SOCK_DGRAM ? server : OPEN(accept(server, NULL, NULL));
	DO(recv(peer, bytes, 8, 0));
	DO(connect(fd, nobody(), sizeof(struct sockaddr_in)));
	show(server);
	if (peer != server)
		close(peer);
	close(server);
	DO(send(fd, "x", 1, 0));
	say("pipes %d", (int)pipes);
	close(fd);
}

static void scene_unix(void)
{
	unix_pair(SOCK_STREAM);
	unix_pair(SOCK_DGRAM);
	unix_pair(SOCK_SEQPACKET);
}

/* --- options --- */

static void options(int family, int type)
{
	static const int names[] = { SO_REUSEADDR };
	socklen_t len = length_of(family);
	int server = type == SOCK_STREAM ? listener(family, 7040, 8) : receiver(family, type, 0, 7040);

	for (int i = 0; i < 4; i++) {
		int fd = OPEN(socket(family, type, 0)), on = 1, off = 0, value;
		socklen_t size = sizeof(value);

		say("options %d", i);
		if (i & 1)
			DO(setsockopt(fd, SOL_SOCKET, names[0], &on, sizeof(on)));
		if (i & 2)
			DO(bind(fd, at_loopback(family, 0), len));
		show(fd);
		DO(connect(fd, at_loopback(family, 7040), len));
		show(fd);
		DO(setsockopt(fd, SOL_SOCKET, names[0], i & 1 ? &off : &on, sizeof(on)));
		show(fd);
		value = -1;
		DO(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size));
		say("  read back %d, %d bytes", value, (int)size);
		size = 1;
		value = -1;
		DO(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size));
		say("  read back 0x%x, %d bytes", (unsigned int)value, (int)size);
		size = 0;
		DO(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size));
		close(fd);
	}
	close(server);
}

static void scene_options(void)
{
	options(AF_INET, SOCK_STREAM);
	options(AF_INET6, SOCK_STREAM);
	options(AF_INET, SOCK_DGRAM);
}

static void scene_bindresvport(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	int fd = OPEN(socket(AF_INET, SOCK_STREAM, 0)), six = OPEN(socket(AF_INET6, SOCK_STREAM, 0));

	DO(bindresvport(fd, NULL));
	show(fd);
	DO(bindresvport(fd, NULL));
	DO(bindresvport(six, NULL));
	close(fd);
	fd = OPEN(socket(AF_INET, SOCK_DGRAM, 0));
	DO(bindresvport(fd, &name));
	say("  port %s", port_words(ntohs(name.sin_port)));
	show(fd);
	name.sin_family = AF_UNIX;
	DO(bindresvport(fd, &name));
	close(fd);
	close(six);
}

/* --- descriptors --- */

/* The name of a socket where there is room for so much and no more: behind it lies nothing. */
static void name_in(int fd, size_t room)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	socklen_t len = (socklen_t)room;

	if (pages == MAP_FAILED || mprotect(pages + 4096, 4096, PROT_NONE) < 0)
		_exit(3);
	DO(getsockname(fd, (struct sockaddr *)(pages + 4096 - room), &len));
	say("  of %d bytes", (int)len);
	munmap(pages, 8192);
}

static void scene_copies(void)
{
	socklen_t len = length_of(AF_INET);
	int server = listener(AF_INET, 7050, 8), fd = OPEN(socket(AF_INET, SOCK_STREAM, 0)), copy;

	DO(dup(-1));
	DO(dup2(-1, 50));
	DO(dup2(fd, -1));
	DO(dup2(fd, 1 << 30));
	DO(dup3(fd, fd, 0));
	DO(dup3(fd, 51, 0x40000000));
	DO(fcntl(-1, F_GETFD));
	DO(fcntl(fd, 9999, 0));
	DO(fcntl(fd, F_DUPFD, 1 << 30));
	copy = (int)DO(dup(fd));
	for (size_t room = 0; room <= len; room++)
		name_in(copy, room);
	DO(dup2(fd, fd));
	DO(dup2(fd, 50));
	DO(dup3(fd, 51, O_CLOEXEC));
	DO(fcntl(51, F_GETFD));
	DO(fcntl(fd, F_DUPFD, 52));
	DO(fcntl(fd, F_DUPFD_CLOEXEC, 52));
	DO(fcntl(53, F_GETFD));
	DO(bind(copy, at_loopback(AF_INET, 0), len));
	DO(bind(fd, at_loopback(AF_INET, 0), len));
	show(fd);
	show(copy);
	DO(connect(copy, at_loopback(AF_INET, 7050), len));
	show(copy);
	DO(connect(52, at_loopback(AF_INET, 7050), len));
	DO(close_range(60, 50, 0));
	DO(close_range(50, 51, 0x40000000));
	DO(close_range(50, 51, CLOSE_RANGE_CLOEXEC));
	DO(close_range(50, 51, 0));
	DO(close(50));
	closefrom(52);
	DO(close(53));
	DO(close(fd));
	show(copy);
	DO(close(copy));
	fd = OPEN(socket(AF_INET, SOCK_STREAM, 0));
	DO(connect(fd, at_loopback(AF_INET, 7050), len));
	copy = OPEN(dup(fd)); /* of one that is connected */
	show(copy);
	DO(connect(copy, at_loopback(AF_INET, 7050), len));
	DO(connect(copy, nobody(), sizeof(struct sockaddr_in)));
	DO(connect(fd, at_loopback(AF_INET, 7050), len));
	show(fd);
	show(copy);
	DO(close(fd));
	show(copy);
	DO(close(copy));
	DO(close(-1));
	DO(close(server));
}

/* A socket that goes through a message, and one through a pidfd: used under each of its names. */
static void through_message(int type, bool before)
{
	union { struct cmsghdr head; char bytes[CMSG_SPACE(2 * sizeof(int))]; } control = { 0 };
	struct iovec part = { .iov_base = (char[1]){ 'x' }, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control) };
	socklen_t len = length_of(AF_INET);
	int server = type == SOCK_STREAM ? listener(AF_INET, 7051, 8) : receiver(AF_INET, type, 0, 7051);
	int fds[2] = { OPEN(socket(AF_INET, type, 0)), OPEN(socket(AF_INET, type, 0)) }, got[2] = { -1, -1 }, pair[2];

	if (before)
		DO(bind(fds[0], at_loopback(AF_INET, 0), len));
	DO(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(fds)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	DO(sendmsg(pair[0], &message, 0));
	memset(&control, 0, sizeof(control));
	DO(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC));
	say("  %d bytes of control, flags 0x%x", (int)message.msg_controllen, (unsigned int)message.msg_flags);
	memcpy(got, CMSG_DATA(&control.head), sizeof(got));
	say("  got %d %d", got[0], got[1]);
	show(got[0]);
	DO(connect(got[0], at_loopback(AF_INET, 7051), len));
	show_name("peer", getpeername, got[0]);
	DO(connect(fds[0], at_loopback(AF_INET, 7051), len));
	DO(connect(fds[1], at_loopback(AF_INET, 7051), len));
	show(fds[1]);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(fds[i]);
		close(got[i]);
	}
	close(server);
}

static void scene_messages(void)
{
	int pidfd, fd, copy, server = listener(AF_INET, 7052, 8);

	through_message(SOCK_STREAM, false);
	through_message(SOCK_STREAM, true);
	through_message(SOCK_DGRAM, false);
	pidfd = OPEN((int)syscall(SYS_pidfd_open, getpid(), 0));
	fd = OPEN(socket(AF_INET, SOCK_STREAM, 0));
	DO(pidfd_getfd(pidfd, 999, 0));
	DO(pidfd_getfd(-1, fd, 0));
	DO(pidfd_getfd(pidfd, fd, 1));
	copy = (int)DO(pidfd_getfd(pidfd, fd, 0));
	DO(connect(copy, at_loopback(AF_INET, 7052), sizeof(struct sockaddr_in)));
	show_name("peer", getpeername, copy);
	close(copy);
	close(fd);
	close(pidfd);
	close(server);
}

/* --- the process --- */

/* The calls after which the library reads its policy no more, where they change nothing; then again where they do. */
static void scene_process(void)
{
	int net = OPEN(open("/proc/self/ns/net", O_RDONLY));

	DO(setns(-1, CLONE_NEWNET));
	DO(setns(1, CLONE_NEWNET));
	DO(setns(net, CLONE_NEWUTS));
	DO(setns(net, CLONE_NEWNET));
	DO(setns(net, 0));
	close(net);
	DO(unshare(0));
	DO(unshare(0x1));
	DO(chroot("/nonexistent"));
	DO(chroot("/"));
	DO(setuid(getuid()));
	DO(seteuid(geteuid()));
	DO(seteuid((uid_t)-1));
	DO(setreuid((uid_t)-1, (uid_t)-1));
	DO(setresuid((uid_t)-1, geteuid(), (uid_t)-1));
	DO(prctl(9999, 0, 0, 0, 0));
	DO(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	DO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	DO(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	DO(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	stream_unspec(AF_INET, 0);
	datagram_connects(AF_INET, 0);
	stream_any_port(AF_INET, 0);
}

static void scene_addresses_short(void)
{
	union name good = loopback(AF_INET, CLOSED_PORT);

	with_address(AF_INET, SOCK_STREAM, NULL, 16);
	with_length(AF_INET, SOCK_STREAM, &good, 8);
	with_length(AF_INET, SOCK_DGRAM, &good, 15);
	calls_on(-1);
	calls_on(1);
}

#endif
