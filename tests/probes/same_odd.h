/* same_odd.h - scenarios of same.c: options and calls that few programs know, when a port is given. */
#ifndef PORTSHIM_TESTS_SAME_ODD_H
#define PORTSHIM_TESTS_SAME_ODD_H

#include <net/if.h>
#include <sys/sendfile.h>

#include "same_datagram.h"
#include "same_stream.h"

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static void set(int fd, int level, int option, int value)
{
	DO(setsockopt(fd, level, option, &value, sizeof(value)));
}

static void show_option(int fd, const char *name, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, level, option, &value, &len) < 0)
		say("  %s %s", name, errno_name(errno));
	else
		say("  %s 0x%x", name, (unsigned int)value);
}

static int server_of(int family, int type, int port)
{
	return type == SOCK_STREAM ? listener(family, port, 8) : receiver(family, type, 0, port);
}

/* --- another family ----------------------------------------------------------------------------- */

/* A socket of IPv6 that becomes one of IPv4. */
static void becomes_v4(int type, bool bound)
{
	union name mapped = inet(AF_INET6, "::ffff:127.0.0.1", 7070), any = inet(AF_INET6, "::", 0);
	int server = server_of(AF_INET, type, 7070), fd = OPEN(socket(AF_INET6, type, 0)), family = AF_INET;

	DO(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)));
	if (bound)
		DO(bind(fd, fixed(&any, sizeof(any.v6)), sizeof(any.v6)));
	DO(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)));
	DO(connect(fd, fixed(&mapped, sizeof(mapped.v6)), sizeof(mapped.v6)));
	DO(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)));
	show(fd);
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	DO(connect(fd, at_loopback(AF_INET, 7070), sizeof(mapped.v4)));
	DO(connect(fd, nobody(), sizeof(mapped.v4)));
	show_options(fd);
	DO(connect(fd, at_loopback(AF_INET, 7070), sizeof(mapped.v4)));
	show(fd);
	close(fd);
	close(server);
}

static void scene_other_family(void)
{
	becomes_v4(SOCK_STREAM, false);
	becomes_v4(SOCK_STREAM, true);
	becomes_v4(SOCK_DGRAM, false);
	becomes_v4(SOCK_DGRAM, true);
}

/* --- devices, foreign sources, what the program says of ports itself -------------------------------- */

static void device(int family, int type)
{
	socklen_t len = length_of(family);
	int server = server_of(family, type, 7071), fd = OPEN(socket(family, type, 0));

	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nonesuch", 9));
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	DO(connect(fd, at_loopback(family, 7071), len));
	show(fd);
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	close(fd);
	fd = OPEN(socket(family, type, 0));
	DO(bind(fd, at_loopback(family, 0), len));
	DO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	DO(connect(fd, at_loopback(family, 7071), len));
	show(fd);
	close(fd);
	close(server);
}

static void foreign_source(int type, int option)
{
	socklen_t len = length_of(AF_INET);
	int server = server_of(AF_INET, type, 7072), fd = OPEN(socket(AF_INET, type, 0));

	set(fd, IPPROTO_IP, option, 1);
	DO(bind(fd, at_inet(AF_INET, "198.51.100.1", 0), len));
	show(fd);
	if (type == SOCK_STREAM) {
		DO(listen(fd, 1));
		show(fd);
	}
	close(fd);
	close(server);
}

static void own_ports(int type)
{
	socklen_t len = length_of(AF_INET);
	int server = server_of(AF_INET, type, 7073), fd = OPEN(socket(AF_INET, type, 0));

	set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	DO(bind(fd, at_loopback(AF_INET, 0), len));
	DO(connect(fd, at_loopback(AF_INET, 7073), len));
	show(fd);
	show_option(fd, "no port", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	close(fd);
	fd = OPEN(socket(AF_INET, type, 0));
	show_option(fd, "no port", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	show_option(fd, "range", IPPROTO_IP, IP_LOCAL_PORT_RANGE);
	DO(bind(fd, at_loopback(AF_INET, 0), len));
	show_option(fd, "no port", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	DO(connect(fd, at_loopback(AF_INET, 7073), len));
	show_option(fd, "no port", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	show_option(fd, "range", IPPROTO_IP, IP_LOCAL_PORT_RANGE);
	close(fd);
	fd = OPEN(socket(AF_INET, type, 0));
	DO(connect(fd, at_loopback(AF_INET, 7073), len));
	show_option(fd, "range", IPPROTO_IP, IP_LOCAL_PORT_RANGE);
	close(fd);
	close(server);
}

static void scene_devices(void)
{
	device(AF_INET, SOCK_STREAM);
	device(AF_INET6, SOCK_STREAM);
	device(AF_INET, SOCK_DGRAM);
	foreign_source(SOCK_STREAM, IP_FREEBIND);
	foreign_source(SOCK_DGRAM, IP_FREEBIND);
	foreign_source(SOCK_STREAM, IP_TRANSPARENT);
	own_ports(SOCK_STREAM);
	own_ports(SOCK_DGRAM);
}

/* --- data with the first packet -------------------------------------------------------------------------- */

static void one_fast_open(int server, int family, int way, int port, int flags)
{
	socklen_t len = length_of(family);
	int fd = OPEN(socket(family, SOCK_STREAM | flags, 0)), peer;
	char bytes[8];

	say("way %d to %s", way, port == CLOSED_PORT ? "nobody" : "the server");
	if (way == 0)
		DO(sendto(fd, "abc", 3, MSG_FASTOPEN | MSG_NOSIGNAL, at_loopback(family, port), len));
	if (way == 1)
		DO(send_message(fd, at_loopback(family, port), len, 3, MSG_FASTOPEN | MSG_NOSIGNAL));
	if (way == 2) {
		set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
		DO(connect(fd, at_loopback(family, port), len));
		show_name("peer", getpeername, fd);
		DO(send(fd, "abc", 3, MSG_NOSIGNAL));
	}
	if (port != CLOSED_PORT) {
		peer = OPEN(accept(server, NULL, NULL));
		await(fd, POLLOUT);
		if (way != 2 && flags)
			DO(sendto(fd, "abc", 3, MSG_FASTOPEN | MSG_NOSIGNAL, at_loopback(family, port), len));
		await(peer, POLLIN);
		DO(recv(peer, bytes, 3, 0));
		close(peer);
	}
	show_name("name", getsockname, fd);
	close(fd);
}

static void fast_opens(int family)
{
	int server = listener(family, 7074, 8);

	set(server, IPPROTO_TCP, TCP_FASTOPEN, 5);
	for (int way = 0; way < 3; way++) {
		one_fast_open(server, family, way, 7074, 0);
		one_fast_open(server, family, way, 7074, 0); /* with a cookie, if the server gives any */
		one_fast_open(server, family, way, CLOSED_PORT, 0);
		one_fast_open(server, family, way, 7074, SOCK_NONBLOCK);
	}
	close(server);
}

static void scene_fast_open(void)
{
	fast_opens(AF_INET);
	fast_opens(AF_INET6);
}

/* --- data by other calls, ends of all kinds ---------------------------------------------------------------- */

static void other_writes(int type)
{
	socklen_t len = length_of(AF_INET);
	int server = server_of(AF_INET, type, 7075), fd = OPEN(socket(AF_INET, type, 0));
	int file = OPEN(open("/proc/self/exe", O_RDONLY));
	int pair[2];

	DO(pipe(pair));
	DO(write(pair[1], "abc", 3));
	DO(write(fd, "x", 1));
	DO(sendfile(fd, file, NULL, 4));
	DO(splice(pair[0], NULL, fd, NULL, 3, 0));
	show(fd);
	DO(connect(fd, at_loopback(AF_INET, 7075), len));
	DO(write(fd, "x", 1));
	DO(sendfile(fd, file, NULL, 4));
	DO(write(pair[1], "abc", 3));
	DO(splice(pair[0], NULL, fd, NULL, 3, SPLICE_F_NONBLOCK));
	show(fd);
	close(pair[0]);
	close(pair[1]);
	close(file);
	close(fd);
	close(server);
}

static void half_ends(int type)
{
	socklen_t len = length_of(AF_INET);
	int server = server_of(AF_INET, type, 7076), fd = OPEN(socket(AF_INET, type, 0));

	DO(shutdown(fd, SHUT_RDWR));
	show(fd);
	DO(bind(fd, at_loopback(AF_INET, 0), len));
	DO(shutdown(fd, SHUT_WR));
	DO(connect(fd, at_loopback(AF_INET, 7076), len));
	DO(shutdown(fd, SHUT_RD));
	DO(shutdown(fd, 7));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	DO(shutdown(fd, SHUT_WR));
	DO(connect(fd, at_loopback(AF_INET, 7076), len));
	DO(send(fd, "x", 1, MSG_NOSIGNAL));
	show_name("peer", getpeername, fd); /* not the state: the answer to the FIN may be there or not */
	show_name("name", getsockname, fd);
	DO(shutdown(server, SHUT_RDWR));
	DO(accept4(server, NULL, NULL, SOCK_NONBLOCK));
	show_options(server);
	DO(listen(server, 3));
	close(fd);
	fd = OPEN(socket(AF_INET, type, 0));
	DO(connect(fd, at_loopback(AF_INET, 7076), len));
	show(fd);
	close(fd);
	close(server);
}

static void accept_on_closed(void)
{
	int server = listener(AF_INET, 7077, 8), copy = OPEN(dup(server)), fd = OPEN(socket(AF_INET, SOCK_STREAM, 0));

	DO(connect(fd, at_loopback(AF_INET, 7077), sizeof(struct sockaddr_in)));
	DO(close(server));
	DO(accept(server, NULL, NULL));
	DO(accept4(server, NULL, NULL, SOCK_CLOEXEC));
	server = OPEN(accept(copy, NULL, NULL));
	show(server);
	close(server);
	DO(close(copy));
	DO(accept(copy, NULL, NULL));
	DO(accept(fd, NULL, NULL));
	close(fd);
}

static void scene_ends(void)
{
	other_writes(SOCK_STREAM);
	other_writes(SOCK_DGRAM);
	half_ends(SOCK_STREAM);
	half_ends(SOCK_DGRAM);
	accept_on_closed();
}

/* --- ports for several ---------------------------------------------------------------------------------------- */

static int with_options(int type, int options)
{
	int fd = OPEN(socket(AF_INET, type, 0));

	if (options & 1)
		set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (options & 2)
		set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return fd;
}

/* One gets a port that it does not name; another asks for the same. */
static void two_of(int type, int first, int second, bool listening)
{
	union name name = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(name);
	int one = with_options(type, first), two = with_options(type, second);

	say("options %d and %d, %d", first, second, (int)listening);
	DO(bind(one, at_loopback(AF_INET, 0), length_of(AF_INET)));
	if (listening)
		DO(listen(one, 3));
	getsockname(one, &name.any, &len);
	DO(bind(two, fixed(&name, len), len));
	if (listening)
		DO(listen(two, 3));
	show_options(one);
	show_options(two);
	DO(close(one));
	DO(bind(two, fixed(&name, len), len));
	close(two);
}

static void scene_several(void)
{
	for (int first = 0; first < 4; first++)
		for (int second = 0; second < 4; second++) {
			two_of(SOCK_STREAM, first, second, false);
			two_of(SOCK_STREAM, first, second, true);
			two_of(SOCK_DGRAM, first, second, false);
		}
}

#endif
