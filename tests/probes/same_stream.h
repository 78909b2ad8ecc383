/* same_stream.h - scenarios of same.c: TCP and MPTCP. */
#ifndef PORTSHIM_TESTS_SAME_STREAM_H
#define PORTSHIM_TESTS_SAME_STREAM_H

#include "same.h"

/* From birth to close, each call that is out of place in between. */
static void stream_life(int family, int protocol, bool nonblocking)
{
	socklen_t len = length_of(family);
	int server = listener(family, 7001, 8), fd = OPEN(socket(family, SOCK_STREAM, protocol)), peer;
	char bytes[8];

	if (fd < 0) {
		close(server);
		return;
	}
	set_nonblocking(fd, nonblocking);
	show(fd);
	DO(send(fd, "x", 1, 0));
	DO(sendto(fd, "x", 1, 0, at_loopback(family, 7001), len));
	say("pipes %d", (int)pipes);
	DO(recv(fd, bytes, 1, MSG_DONTWAIT));
	DO(accept(fd, NULL, NULL));
	DO(connect(fd, at_loopback(family, 7001), len));
	if (nonblocking)
		await(fd, POLLOUT);
	show(fd);
	DO(connect(fd, at_loopback(family, 7001), len));
	DO(connect(fd, at_loopback(family, CLOSED_PORT), len));
	DO(bind(fd, at_loopback(family, 0), len));
	DO(bind(fd, at_loopback(family, 7002), len));
	DO(listen(fd, 3));
	show(fd);
	peer = OPEN(accept4(server, NULL, NULL, SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0)));
	show(peer);
	DO(fcntl(peer, F_GETFD));
	DO(send(fd, "abc", 3, 0));
	DO(sendto(fd, "def", 3, 0, at_loopback(family, CLOSED_PORT), len));
	DO(send(fd, "", 0, 0));
	await(peer, POLLIN);
	DO(recv(peer, bytes, 6, MSG_WAITALL));
	DO(shutdown(fd, SHUT_WR));
	DO(send(fd, "x", 1, 0));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	say("pipes %d", (int)pipes);
	await(peer, POLLRDHUP);
	DO(recv(peer, bytes, 1, 0));
	DO(close(peer));
	await(fd, POLLRDHUP);
	DO(recv(fd, bytes, 1, 0));
	DO(close(fd));
	DO(close(fd));
	DO(close(server));
}

static void stream_refused(int family, int protocol)
{
	socklen_t len = length_of(family);
	int server, fd = OPEN(socket(family, SOCK_STREAM, protocol));

	if (fd < 0)
		return;
	DO(connect(fd, at_loopback(family, CLOSED_PORT), len));
	show_options(fd);
	server = listener(family, 7003, 8);
	DO(connect(fd, at_loopback(family, 7003), len));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_STREAM | SOCK_NONBLOCK, protocol));
	DO(connect(fd, at_loopback(family, CLOSED_PORT), len));
	await(fd, POLLOUT);
	show_options(fd);
	DO(connect(fd, at_loopback(family, CLOSED_PORT), len));
	DO(connect(fd, at_loopback(family, 7003), len));
	DO(connect(fd, at_loopback(family, 7003), len));
	close(fd);
	close(server);
}

/* A server that takes no more: the handshake stays where it is. */
static void stream_in_progress(int family)
{
	socklen_t len = length_of(family);
	int server = listener(family, 7004, 0), fd = OPEN(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
	int first = OPEN(socket(family, SOCK_STREAM, 0));
	struct timeval soon = { .tv_usec = 1000 };

	DO(connect(first, at_loopback(family, 7004), len));
	DO(connect(fd, at_loopback(family, 7004), len));
	show(fd);
	DO(connect(fd, at_loopback(family, 7004), len));
	DO(connect(fd, at_loopback(family, CLOSED_PORT), len));
	DO(bind(fd, at_loopback(family, 0), len));
	DO(listen(fd, 1));
	DO(send(fd, "x", 1, 0));
	show(fd);
	DO(connect(fd, nobody(), sizeof(struct sockaddr_in)));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_STREAM, 0));
	DO(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)));
	DO(connect(fd, at_loopback(family, 7004), len));
	show(fd);
	close(fd);
	close(first);
	close(server);
}

static void stream_unspec(int family, int protocol)
{
	socklen_t len = length_of(family);
	int server = listener(family, 7005, 8), fd = OPEN(socket(family, SOCK_STREAM, protocol));

	if (fd < 0) {
		close(server);
		return;
	}
	DO(connect(fd, nobody(), sizeof(struct sockaddr_in)));
	show(fd);
	DO(connect(fd, at_loopback(family, 7005), len));
	show(fd);
	DO(connect(fd, nobody(), sizeof(struct sockaddr_in)));
	show(fd);
	DO(connect(fd, at_loopback(family, 7005), len));
	show(fd);
	close(fd);
	close(server);
}

static void stream_no_route(int family)
{
	const char *address = family == AF_INET6 ? "2001:db8::1" : "198.51.100.1";
	socklen_t len = length_of(family);
	int server = listener(family, 7006, 8), fd = OPEN(socket(family, SOCK_STREAM, 0));

	DO(connect(fd, at_inet(family, address, 80), len));
	show(fd);
	DO(connect(fd, at_inet(family, address, 80), len));
	DO(connect(fd, at_loopback(family, 7006), len));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_STREAM, 0));
	DO(bind(fd, at_loopback(family, 0), len));
	DO(connect(fd, at_inet(family, address, 80), len));
	show_options(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_STREAM, 0));
	DO(connect(fd, at_inet(family, family == AF_INET6 ? "ff02::1" : "224.0.0.1", 80), len));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_STREAM, 0));
	DO(connect(fd, at_inet(family, family == AF_INET6 ? "::" : "0.0.0.0", 7006), len));
	show(fd);
	close(fd);
	close(server);
}

static void stream_binds(int family, int protocol)
{
	const char *foreign = family == AF_INET6 ? "2001:db8::1" : "198.51.100.1";
	const char *all = family == AF_INET6 ? "::" : "0.0.0.0";
	socklen_t len = length_of(family);
	int fd = OPEN(socket(family, SOCK_STREAM, protocol)), other = OPEN(socket(family, SOCK_STREAM, protocol));
	int on = 1;

	if (fd < 0)
		return;
	DO(bind(fd, at_inet(family, foreign, 0), len));
	DO(bind(fd, at_inet(family, foreign, 7007), len));
	show(fd);
	DO(bind(fd, at_loopback(family, 7007), len));
	show(fd);
	DO(bind(fd, at_loopback(family, 7007), len));
	DO(bind(fd, at_loopback(family, 0), len));
	DO(bind(other, at_loopback(family, 7007), len));
	DO(bind(other, at_inet(family, all, 7007), len));
	show(other);
	DO(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	DO(bind(other, at_loopback(family, 7007), len));
	DO(listen(fd, 4));
	DO(listen(fd, 2));
	DO(listen(fd, -1));
	show(fd);
	DO(connect(fd, at_loopback(family, CLOSED_PORT), len));
	DO(bind(fd, at_loopback(family, 7008), len));
	DO(connect(other, at_loopback(family, 7007), len));
	show(other);
	DO(connect(fd, nobody(), sizeof(struct sockaddr_in)));
	show(fd);
	close(other);
	close(fd);
}

/* A bind to port 0, and listen without one. */
static void stream_any_port(int family, int protocol)
{
	const char *all = family == AF_INET6 ? "::" : "0.0.0.0";
	socklen_t len = length_of(family);
	int server = listener(family, 7009, 8), fd = OPEN(socket(family, SOCK_STREAM, protocol));

	if (fd < 0) {
		close(server);
		return;
	}
	DO(bind(fd, at_loopback(family, 0), len));
	show(fd);
	DO(bind(fd, at_loopback(family, 0), len));
	DO(bind(fd, at_loopback(family, 7010), len));
	DO(connect(fd, at_loopback(family, 7009), len));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_STREAM, protocol));
	DO(bind(fd, at_inet(family, all, 0), len));
	DO(connect(fd, at_loopback(family, 7009), len));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_STREAM, protocol));
	DO(bind(fd, at_inet(family, all, 0), len));
	DO(bind(fd, at_inet(family, all, 0), len));
	DO(listen(fd, 1));
	show(fd);
	close(fd);
	fd = OPEN(socket(family, SOCK_STREAM, protocol));
	DO(listen(fd, 1));
	show(fd);
	DO(listen(fd, 1));
	DO(bind(fd, at_loopback(family, 0), len));
	DO(connect(fd, at_loopback(family, 7009), len));
	close(fd);
	close(server);
}

static void stream(int protocol)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		stream_life(families[i], protocol, false);
		stream_life(families[i], protocol, true);
		stream_refused(families[i], protocol);
		stream_unspec(families[i], protocol);
		stream_binds(families[i], protocol);
		stream_any_port(families[i], protocol);
	}
}

static void scene_tcp(void)
{
	stream(0);
}

static void scene_mptcp(void)
{
	stream(IPPROTO_MPTCP);
}

static void scene_tcp_ways(void)
{
	stream_in_progress(AF_INET);
	stream_in_progress(AF_INET6);
	stream_no_route(AF_INET);
	stream_no_route(AF_INET6);
}

static void scene_tcp_short(void)
{
	stream_life(AF_INET, 0, false);
	stream_life(AF_INET6, 0, true);
	stream_unspec(AF_INET, 0);
	stream_any_port(AF_INET, 0);
}

#endif
