/* unspec_errno.c - which errno a call gets when there is no port, no route or no address, and how
 * a scratch socket tells these apart. What portshim answers for a used-up pool is what the kernel
 * answers for a used-up range. */
#include "fact.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define OUT(n) (30000 + (n))

static const char *attempt_connect(const char *kind, const char *ip, int port)
{
	int fd = sock(kind);
	const char *said = do_connect(fd, ip, port);
	close_reset(fd);
	return said;
}

static const char *attempt_bind(const char *kind, const char *ip, int port)
{
	int fd = sock(kind);
	const char *said = do_bind(fd, ip, port);
	close(fd);
	return said;
}

/* A range of one port: held by a bound socket of the protocol, or for TCP by the 4-tuple itself. */
static void used_up(void)
{
	range_set(RANGE_LO, RANGE_LO);
	int tcp = sock("tcp4"), udp = sock("udp4"), hears = sock("tcp4"), sends = sock("udp4"), fast = sock("tcp4");
	do_connect(tcp, "127.0.0.1", ONE);
	see("connect %s", attempt_connect("tcp4", "127.0.0.1", ONE));
	see("another destination %s", attempt_connect("tcp4", "127.0.0.1", TWO));
	see("bind(0) %s", attempt_bind("tcp4", "0.0.0.0", 0));
	see("listen %s", do_listen(hears));
	see("fast open %s", do_send(fast, "127.0.0.1", ONE, MSG_FASTOPEN));
	see("scratch udp connect %s", attempt_connect("udp4", "127.0.0.1", ONE));
	seen("used-up-tcp", "connect EADDRNOTAVAIL, another destination ok, bind(0) EADDRINUSE, listen EADDRINUSE, "
	     "fast open EADDRNOTAVAIL, scratch udp connect ok");
	int m = sock("mptcp4"), mhears = sock("mptcp4");
	if (m >= 0) {
		see("connect %s", do_connect(m, "127.0.0.1", ONE));
		see("bind(0) %s", do_bind(m, "0.0.0.0", 0));
		see("listen %s", do_listen(mhears));
		seen("used-up-mptcp", "connect EADDRNOTAVAIL, bind(0) EADDRINUSE, listen EADDRINUSE");
		close(m), close(mhears);
	}
	do_bind(udp, "0.0.0.0", 0);
	see("connect %s", attempt_connect("udp4", "127.0.0.1", ONE));
	see("bind(0) %s", attempt_bind("udp4", "0.0.0.0", 0));
	see("sendto %s", do_send(sends, "127.0.0.1", ONE, 0));
	fcntl(sends, F_SETFL, O_NONBLOCK);
	see("non-blocking %s", do_send(sends, "127.0.0.1", ONE, 0));
	see("connect %s", do_connect(sends, "127.0.0.1", ONE));
	seen("used-up-udp", "connect EAGAIN, bind(0) EADDRINUSE, sendto EAGAIN, non-blocking EAGAIN, connect EAGAIN");
	/* The scratch socket needs a port of its own: with none left it cannot tell. */
	see("no route %s", attempt_connect("udp4", "192.0.2.1", 9));
	see("a reachable one %s", attempt_connect("udp4", "127.0.0.1", 9));
	int scratch = sock("udp4");
	do_bind(scratch, "0.0.0.0", OUT(90));
	see("bound first: no route %s", do_connect(scratch, "192.0.2.1", 9));
	see("a reachable one %s", do_connect(scratch, "127.0.0.1", 9));
	seen("scratch-without-udp-ports", "no route EAGAIN, a reachable one EAGAIN, "
	     "bound first: no route ENETUNREACH, a reachable one ok");
	close_reset(tcp), close(udp), close(hears), close(sends), close(fast), close(scratch);
	range_set(RANGE_LO, RANGE_HI);
}

static void unreachable(void)
{
	static const char *const kinds[] = {"tcp4", "udp4", "tcp6", "udp6"};
	for (int i = 0; i < 4; i++)
		see("%s %s", kinds[i], attempt_connect(kinds[i], i < 2 ? "192.0.2.1" : "2001:db8::1", 9));
	see("mapped tcp %s", attempt_connect("tcp6", "::ffff:192.0.2.1", 9));
	see("udp %s", attempt_connect("udp6", "::ffff:192.0.2.1", 9));
	seen("no-route", "tcp4 ENETUNREACH, udp4 ENETUNREACH, tcp6 ENETUNREACH, udp6 ENETUNREACH, "
	     "mapped tcp ENETUNREACH, udp ENETUNREACH");
	see("foreign %s", attempt_bind("udp4", "192.0.2.1", 0));
	see("any of 127/8 %s", attempt_bind("udp4", "127.1.2.3", 0));
	see("::1 %s", attempt_bind("udp6", "::1", 0));
	see("foreign v6 %s", attempt_bind("udp6", "2001:db8::1", 0));
	see("mapped %s", attempt_bind("udp6", "::ffff:127.0.0.1", 0));
	see("broadcast %s", attempt_bind("udp4", "127.255.255.255", 0));
	see("multicast %s", attempt_bind("udp4", "224.0.0.1", 0));
	see("tcp multicast %s", attempt_bind("tcp4", "224.0.0.1", 0));
	seen("scratch-bind-tells-local", "foreign EADDRNOTAVAIL, any of 127/8 ok, ::1 ok, foreign v6 EADDRNOTAVAIL, mapped ok, "
	     "broadcast ok, multicast ok, tcp multicast ok");
	int tcp = sock("tcp4"), udp = sock("udp4"); /* a source that cannot reach the destination */
	do_bind(tcp, "127.0.0.1", OUT(3)), do_bind(udp, "127.0.0.1", OUT(3));
	see("tcp %s", do_connect(tcp, "192.0.2.1", 9));
	see("udp %s", do_connect(udp, "192.0.2.1", 9));
	close(tcp), close(udp);
	tcp = sock("tcp6"), udp = sock("udp6");
	do_set(tcp, IPPROTO_IPV6, IPV6_V6ONLY, 1), do_set(udp, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	see("ipv4 on v6only %s", do_connect(tcp, "::ffff:127.0.0.1", ONE));
	see("udp %s", do_connect(udp, "::ffff:127.0.0.1", ONE));
	close(tcp), close(udp);
	seen("no-route-from-source", "tcp ENETUNREACH, udp ENETUNREACH, ipv4 on v6only ENETUNREACH, udp ENETUNREACH");
}

static void not_connecting(void)
{
	int fd = sock("tcp4"), self = sock("tcp4"), late = sock("tcp4");
	see("sendto %s", do_send(fd, "127.0.0.1", ONE, 0));
	see("getsockname %d", port_of(fd));
	see("bind %s", do_bind(fd, "0.0.0.0", OUT(0)));
	seen("tcp-sendto-binds-nothing", "sendto EPIPE, getsockname 0, bind ok");
	do_bind(self, "127.0.0.1", OUT(1));
	see("bound %s", do_connect(self, "127.0.0.1", OUT(1)));
	do_range(late, RANGE_LO + 1, RANGE_LO + 1);
	see("late %s", do_connect(late, "127.0.0.1", RANGE_LO + 1));
	char byte;
	bool echoed = send(self, "x", 1, MSG_NOSIGNAL) == 1 && recv(self, &byte, 1, 0) == 1;
	see("nobody listens and a byte %s", echoed ? "comes back" : "is lost");
	seen("tcp-connects-to-itself", "bound ok, late ok, nobody listens and a byte comes back");
	close(fd), close_reset(self), close_reset(late);
}

static void cookies(void)
{
	uint64_t one = 0, two = 0, net = 0, net_udp = 0, other = 0;
	int a = sock("tcp4"), b = sock("udp4"), un = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(one);
	see("SO_COOKIE %s", result(getsockopt(a, SOL_SOCKET, SO_COOKIE, &one, &len)));
	getsockopt(b, SOL_SOCKET, SO_COOKIE, &two, &len);
	see("%s", one != 0 && two != 0 && one != two ? "one each" : "not telling");
	see("SO_NETNS_COOKIE %s", result(getsockopt(a, SOL_SOCKET, SO_NETNS_COOKIE, &net, &len)));
	getsockopt(un, SOL_SOCKET, SO_NETNS_COOKIE, &net_udp, &len);
	see("%s", net != 0 && net == net_udp ? "the same for every family" : "not telling");
	if (unshare(CLONE_NEWNET) == 0) {
		int fd = sock("tcp4");
		getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &other, &len);
		see("another namespace %s", other != net ? "another" : "the same");
		getsockopt(a, SOL_SOCKET, SO_NETNS_COOKIE, &other, &len);
		see("an old socket %s", other == net ? "keeps its own" : "changes");
	}
	seen("cookies", "SO_COOKIE ok, one each, SO_NETNS_COOKIE ok, the same for every family, another namespace another, "
	     "an old socket keeps its own");
}

int main(void)
{
	fact_begin();
	serve("tcp6", ONE);
	serve("tcp6", TWO);
	used_up();
	unreachable();
	not_connecting();
	sysctl_set("ipv6/conf/all/disable_ipv6", "1");
	see("::1 tcp %s", attempt_connect("tcp6", "::1", ONE));
	see("udp %s", attempt_connect("udp6", "::1", ONE));
	see("elsewhere tcp %s", attempt_connect("tcp6", "2001:db8::1", ONE));
	see("udp %s", attempt_connect("udp6", "2001:db8::1", ONE));
	see("bind ::1 %s", attempt_bind("tcp6", "::1", 0));
	see("bind :: %s", attempt_bind("tcp6", "::", 0));
	see("mapped tcp %s", attempt_connect("tcp6", "::ffff:127.0.0.1", ONE));
	seen("ipv6-disabled", "::1 tcp EADDRNOTAVAIL, udp EADDRNOTAVAIL, elsewhere tcp EADDRNOTAVAIL, udp EADDRNOTAVAIL, "
	     "bind ::1 EADDRNOTAVAIL, bind :: ok, mapped tcp ok");
	cookies();
	return fact_end();
}
