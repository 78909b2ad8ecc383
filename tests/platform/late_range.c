/* late_range.c - what IP_LOCAL_PORT_RANGE does with bounds, reservations, and sockets that cannot
 * use it. It clamps the machine's range and never widens it: portshim has to know which ports are
 * inside and unreserved before it takes the late way. */
#include "fact.h"
#include <linux/netlink.h>

#define P(n) (RANGE_LO + (n))

static const char *inside(int fd)
{
	return port_of(fd) >= RANGE_LO && port_of(fd) <= RANGE_HI ? "from the machine's range" : "from elsewhere";
}

static void bounds(void)
{
	int a = sock("tcp4"), b = sock("udp4"), c = sock("tcp4"), d = sock("tcp4");
	do_range(a, 30000, 30000);
	do_range(b, 30000, 30000);
	see("tcp %s", do_connect(a, "127.0.0.1", ONE));
	see("%s", inside(a));
	see("udp %s", do_connect(b, "127.0.0.1", ONE));
	see("%s", inside(b));
	seen("range-outside-ignored", "tcp ok, from the machine's range, udp ok, from the machine's range");

	do_range(c, RANGE_LO - 10, RANGE_LO);
	see("%s", do_connect(c, "127.0.0.1", ONE));
	see("%s", port_of(c) == RANGE_LO ? "clamped to the bound inside" : inside(c));
	seen("range-half-outside", "ok, clamped to the bound inside"); /* lo is ignored, hi kept */

	see("%s", do_range(d, P(5), P(4)));
	see("read back %d", get_int(d, IPPROTO_IP, IP_LOCAL_PORT_RANGE));
	seen("range-reversed", "EINVAL, read back 0");
	see("%s", do_range(d, P(4), 0));
	see("read back %d", get_int(d, IPPROTO_IP, IP_LOCAL_PORT_RANGE));
	see("0 clears it: %s", do_range(d, 0, 0));
	see("read back %d", get_int(d, IPPROTO_IP, IP_LOCAL_PORT_RANGE));
	seen("range-one-bound", "ok, read back 20004, 0 clears it: ok, read back 0");
	do_range(d, P(7), P(9));
	see("%s", (unsigned)get_int(d, IPPROTO_IP, IP_LOCAL_PORT_RANGE) == ((unsigned)P(9) << 16 | P(7))
	    ? "hi<<16|lo" : "something else");
	seen("range-read-back", "hi<<16|lo");
	close_reset(a), close(b), close_reset(c), close(d);
}

static void reserved(void)
{
	int t = sock("tcp4"), u = sock("udp4"), s = sock("udp4"), l = sock("tcp4"), b = sock("tcp4"), e = sock("tcp4");
	int all[] = {t, u, s, l, b};
	sysctl_set("ipv4/ip_local_reserved_ports", "%d", P(20));
	for (int i = 0; i < 5; i++)
		do_range(all[i], P(20), P(20));
	see("connect %s", do_connect(t, "127.0.0.1", ONE));
	see("listen %s", do_listen(l));
	see("bind(0) %s", do_bind(b, "127.0.0.1", 0));
	see("udp connect %s", do_connect(u, "127.0.0.1", ONE));
	see("sendto %s", do_send(s, "127.0.0.1", ONE, 0));
	seen("reserved-never-taken", "connect EADDRNOTAVAIL, listen EADDRINUSE, bind(0) EADDRINUSE, "
	     "udp connect EAGAIN, sendto EAGAIN");
	see("%s", do_bind(e, "127.0.0.1", P(20)));
	see("connect %s", do_connect(e, "127.0.0.1", ONE));
	seen("reserved-bound-by-name", "ok, connect ok");
	for (int i = 0; i < 5; i++)
		close(all[i]);
	close(e);
	sysctl_set("ipv4/ip_local_reserved_ports", "\n");
}

static int server;

/* How many calls succeed before the range of `size` ports is said to be used up. */
static int capacity(const char *kind, char call, int size)
{
	const char *ip = kind[strlen(kind) - 1] == '6' ? "::1" : "127.0.0.1";
	int fds[16], done = 0;
	for (; done <= size; done++) {
		int fd = fds[done] = sock(kind);
		do_range(fd, P(30), (unsigned)(P(30) + size - 1));
		const char *said = call == 'c' ? do_connect(fd, ip, ONE) : call == 'l' ? do_listen(fd) : do_bind(fd, ip, 0);
		if (strcmp(said, "ok") != 0)
			break;
	}
	for (int i = 0; i <= done && i <= size; i++)
		close_reset(fds[i]); /* the next round has all ports again */
	for (int i = 0; call == 'c' && kind[0] != 'u' && i < done; i++)
		close(accept4(server, NULL, NULL, SOCK_CLOEXEC)); /* or the reset ones fill the backlog */
	return done;
}

#define ALL "1, 2, 3, 4, 5, 6, 7"
#define ALL_BUT_ONE_OF_ODD "1, 2, 2, 4, 4, 6, 6"

/* For ranges of 1..7 ports, the least number that could be had in 32 rounds. Before Linux 6.8 connect() as well took turns
 * with ports of one parity, and left one out; which, differs from call to call, so that it may take more rounds to see it. */
static void capacities(const char *name, const char *expected, const char *kind, char call)
{
	bool picks = call == 'c' && kind[0] != 'u';

	for (int size = 1; size <= 7; size++) {
		int least = size + 1, rounds = picks && kernel_release() < LINUX(6, 8) && size > 1 && size % 2 ? 1000 : 32;
		for (int round = 0; round < 32 || (round < rounds && least == size); round++) {
			int now = capacity(kind, call, size);
			least = now < least ? now : least;
		}
		see("%d", least);
	}
	if (picks)
		seen_since(name, LINUX(6, 8), expected, LINUX(6, 7), ALL_BUT_ONE_OF_ODD);
	else
		seen(name, expected);
}

static void other_sockets(void)
{
	int pipes[2];
	if (pipe2(pipes, O_CLOEXEC) < 0)
		broken("pipe");
	see("unix %s", do_range(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), P(1), P(1)));
	see("raw %s", do_range(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1), P(1), P(1)));
	see("raw6 %s", do_range(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 58), P(1), P(1)));
	see("netlink %s", do_range(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), P(1), P(1)));
	see("packet %s", do_range(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), P(1), P(1)));
	see("pipe %s", do_range(pipes[0], P(1), P(1)));
	see("closed %s", do_range(999, P(1), P(1)));
	seen("range-on-other-sockets", "unix EOPNOTSUPP, raw ok, raw6 ENOPROTOOPT, netlink ENOPROTOOPT, "
	     "packet ENOPROTOOPT, pipe ENOTSOCK, closed EBADF");

	int bound = sock("tcp4"), connected = sock("tcp4"), listening = sock("tcp4");
	do_bind(bound, "127.0.0.1", 25000);
	do_connect(connected, "127.0.0.1", ONE);
	do_listen(listening);
	int was = port_of(connected), heard = port_of(listening);
	see("bound %s", do_range(bound, P(2), P(2)));
	see("connected %s", do_range(connected, P(2), P(2)));
	see("listening %s", do_range(listening, P(2), P(2)));
	see("connect of the bound one %s", do_connect(bound, "127.0.0.1", ONE));
	see("ports %s", port_of(bound) == 25000 && port_of(connected) == was && port_of(listening) == heard
	    ? "unchanged" : "changed");
	seen("range-on-bound-sockets", "bound ok, connected ok, listening ok, connect of the bound one ok, ports unchanged");
}

/* Bounds that exclude nothing are kept, and seen by whoever else has the socket: they can stand for "put off". */
static void mark(void)
{
	static const char *const kinds[] = {"tcp4", "tcp6", "udp4", "udp6", "mptcp4", "mptcp6"};
	for (int i = 0; i < 6; i++) {
		int fd = sock(kinds[i]);
		char name[64];
		if (fd < 0)
			continue;
		see("%s", do_range(fd, 0, 65535));
		int copy = dup(fd);
		see("%x", (unsigned)get_int(copy, IPPROTO_IP, IP_LOCAL_PORT_RANGE));
		see("%s", do_connect(fd, strchr(kinds[i], '6') ? "::1" : "127.0.0.1", ONE));
		see("%s", inside(fd));
		snprintf(name, sizeof(name), "range-without-bounds %s", kinds[i]);
		seen(name, "ok, ffff0000, ok, from the machine's range");
		close(copy), close_reset(fd);
	}
	int fds[2] = {sock("tcp4"), sock("udp4")};
	for (int i = 0; i < 2; i++) {
		do_range(fds[i], 0, 65535);
		see("bind(0) %s", do_bind(fds[i], "127.0.0.1", 0));
		see("%s", inside(fds[i]));
		close(fds[i]);
	}
	seen("range-without-bounds-bind0", "bind(0) ok, from the machine's range, bind(0) ok, from the machine's range");
}

int main(void)
{
	fact_begin();
	int probe = sock("tcp4");
	if (strcmp(do_range(probe, P(0), P(0)), "ENOPROTOOPT") == 0)
		lacks("IP_LOCAL_PORT_RANGE (Linux 6.3)");
	server = serve("tcp6", ONE);
	bounds();
	reserved();
	capacities("range-sizes-tcp-bind0-skips", ALL_BUT_ONE_OF_ODD, "tcp4", 'b');
	capacities("range-sizes-tcp-listen-skips", ALL_BUT_ONE_OF_ODD, "tcp4", 'l');
	capacities("range-sizes-udp-bind0", ALL, "udp4", 'b');
	capacities("range-sizes-udp-connect", ALL, "udp4", 'c');
	capacities("range-sizes-tcp-connect", ALL, "tcp4", 'c');
	capacities("range-sizes-tcp6-connect", ALL, "tcp6", 'c');
	if (sock("mptcp4") >= 0)
		capacities("range-sizes-mptcp-connect", ALL, "mptcp4", 'c');
	other_sockets();
	mark();
	return fact_end();
}
