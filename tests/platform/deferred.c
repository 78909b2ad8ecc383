/* deferred.c - bind(address, 0) with IP_BIND_ADDRESS_NO_PORT: the address now, the port later.
 *
 * So portshim puts off a bind() to port 0 until connect, listen, send or getsockname decides. */
#include "fact.h"

#define OUT(n) (30000 + (n))

static bool udp_kind(const char *kind) { return kind[0] == 'u'; }
static bool six_kind(const char *kind) { return kind[strlen(kind) - 1] == '6'; }

static int deferred(const char *kind, const char *ip)
{
	int fd = sock(kind);
	if (strcmp(do_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1), "ok") != 0)
		broken("IP_BIND_ADDRESS_NO_PORT");
	if (strcmp(do_bind(fd, ip, 0), "ok") != 0)
		broken("a deferred bind");
	return fd;
}

static const char *ports(int fd)
{
	static char text[12];
	int port = port_of(fd);
	snprintf(text, sizeof(text), "%d", port);
	return port == 0 ? "0" : port >= RANGE_LO && port <= RANGE_HI ? "the kernel's" : text;
}

static void one(const char *kind, const char *ip, int port)
{
	char name[80], expected[256], text[8];
	const char *to = six_kind(kind) && !strstr(ip, "ffff") ? "::1" : six_kind(kind) ? "::ffff:127.0.0.1" : "127.0.0.1";
	bool wild = strcmp(ip, "::") == 0 || strcmp(ip, "0.0.0.0") == 0;
	const char *source = wild ? to : ip;
	snprintf(text, sizeof(text), "%d", port);

	int fd = deferred(kind, ip);
	see("%s", address_of(fd));
	see("%s", ports(fd));
	do_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0);
	see("option cleared: %s", ports(fd));
	see("bind %s", do_bind(fd, ip, port));
	see("%s", ports(fd));
	see("third bind %s", do_bind(fd, ip, port + 1));
	see("connect %s", do_connect(fd, to, ONE));
	see("%s", address_of(fd));
	snprintf(name, sizeof(name), "deferred-then-bound %s %s", kind, ip);
	snprintf(expected, sizeof(expected), "%s, 0, option cleared: 0, bind ok, %s, third bind EINVAL, connect ok, %s",
		 ip, text, source);
	seen(name, expected);
	close_reset(fd);

	fd = deferred(kind, ip);
	see("connect %s", do_connect(fd, to, ONE));
	see("%s", address_of(fd));
	see("%s", ports(fd));
	close_reset(fd);
	fd = deferred(kind, ip);
	do_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0);
	see("cleared, connect %s", do_connect(fd, to, ONE));
	see("%s", ports(fd));
	close_reset(fd);
	fd = deferred(kind, ip);
	see(udp_kind(kind) ? "sendto %s" : "listen %s", udp_kind(kind) ? do_send(fd, to, ONE, 0) : do_listen(fd));
	see("%s", address_of(fd));
	see("%s", ports(fd));
	snprintf(name, sizeof(name), "deferred-then-used %s %s", kind, ip);
	snprintf(expected, sizeof(expected), "connect ok, %s, the kernel's, cleared, connect ok, the kernel's, %s ok, %s, the kernel's",
		 source, udp_kind(kind) ? "sendto" : "listen", ip);
	seen(name, expected);
	close(fd);
}

/* The second bind() may name another address, or fail; what the first one said is then gone or not. */
static void elsewhere(const char *kind, int port)
{
	char name[64];
	int fd = deferred(kind, "127.0.0.5"), taken = sock(kind), lost = deferred(kind, "127.0.0.5");
	see("%s", do_bind(fd, "127.0.0.6", port));
	see("%s", address_of(fd));
	do_bind(taken, "127.0.0.7", port + 1);
	see("a taken port %s", do_bind(lost, "127.0.0.7", port + 1));
	see("%s", address_of(lost));
	see("connect %s", do_connect(lost, "127.0.0.1", ONE));
	see("%s", address_of(lost));
	snprintf(name, sizeof(name), "deferred-then-bound-elsewhere %s", kind);
	/* A failed second bind() loses the address (MPTCP still shows it, and leaves from another):
	 * it has to be given again with the next port, or alone. */
	seen(name, kind[0] == 'm' ? "ok, 127.0.0.6, a taken port EADDRINUSE, 127.0.0.5, connect ok, 127.0.0.1"
				  : "ok, 127.0.0.6, a taken port EADDRINUSE, 0.0.0.0, connect ok, 127.0.0.1");
	close_reset(fd), close(taken), close_reset(lost);
}

static void retried(const char *kind, int port)
{
	char name[64];
	int taken = sock(kind), fd = deferred(kind, "127.0.0.5");
	do_bind(taken, "127.0.0.5", port);
	see("%s", do_bind(fd, "127.0.0.5", port));
	see("address alone %s", do_bind(fd, "127.0.0.5", 0));
	see("%s", address_of(fd));
	see("again %s", do_bind(fd, "127.0.0.5", port));
	see("next port %s", do_bind(fd, "127.0.0.5", port + 1));
	see("%s", address_of(fd));
	see("%s", port_of(fd) == port + 1 ? "it" : "another");
	snprintf(name, sizeof(name), "deferred-second-bind-retried %s", kind);
	seen(name, "EADDRINUSE, address alone ok, 127.0.0.5, again EADDRINUSE, next port ok, 127.0.0.5, it");
	close(taken), close(fd);

	int late = deferred(kind, "127.0.0.5"), holder = deferred(kind, "127.0.0.5"); /* a failed late take keeps it */
	do_range(late, RANGE_LO, RANGE_LO), do_range(holder, RANGE_LO, RANGE_LO);
	do_connect(holder, "127.0.0.1", ONE);
	see("%s", do_connect(late, "127.0.0.1", ONE));
	see("%s", address_of(late));
	do_range(late, RANGE_LO + 1, RANGE_LO + 1);
	see("next port %s", do_connect(late, "127.0.0.1", ONE));
	see("%s", address_of(late));
	snprintf(name, sizeof(name), "deferred-late-retried %s", kind);
	seen(name, udp_kind(kind) ? "EAGAIN, 127.0.0.5, next port ok, 127.0.0.5" : "EADDRNOTAVAIL, 127.0.0.5, next port ok, 127.0.0.5");
	close_reset(late), close_reset(holder);
}

static void receiving(void)
{
	char byte;
	int fd = deferred("udp4", "127.0.0.1"), peer = sock("udp4");
	see("sending to port 0 %s", do_send(peer, "127.0.0.1", 0, 0));
	see("recv %s", result(recv(fd, &byte, 1, MSG_DONTWAIT)));
	see("still %s", ports(fd));
	do_send(fd, "127.0.0.1", ONE, 0);
	do_send(peer, "127.0.0.1", port_of(fd), 0);
	see("after its first send, recv %s", result(recv(fd, &byte, 1, MSG_DONTWAIT)));
	seen("deferred-udp-receives-nothing", "sending to port 0 EINVAL, recv EAGAIN, still 0, after its first send, recv ok");
	close(fd), close(peer);
	fd = deferred("udp4", "127.0.0.5");
	do_connect(fd, "127.0.0.1", ONE);
	see("AF_UNSPEC %s", do_unspec(fd));
	see("%s", address_of(fd));
	see("%s", ports(fd));
	seen("deferred-udp-unspec", "AF_UNSPEC ok, 127.0.0.5, 0");
	close(fd);
}

int main(void)
{
	fact_begin();
	serve("tcp6", ONE);
	static const char *const kinds[] = {"tcp4", "tcp6", "udp4", "udp6", "mptcp4", "mptcp6"};
	for (int i = 0; i < 6; i++) {
		int probe = sock(kinds[i]);
		if (probe < 0)
			continue;
		if (strcmp(do_set(probe, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1), "ok") != 0) {
			note("deferred", "no IP_BIND_ADDRESS_NO_PORT on %s", kinds[i]);
			continue;
		}
		one(kinds[i], six_kind(kinds[i]) ? "::1" : "127.0.0.5", OUT(10 * i));
		one(kinds[i], six_kind(kinds[i]) ? "::" : "0.0.0.0", OUT(10 * i + 2));
		if (six_kind(kinds[i]))
			one(kinds[i], "::ffff:127.0.0.5", OUT(10 * i + 4));
		else
			elsewhere(kinds[i], OUT(10 * i + 6)), retried(kinds[i], OUT(10 * i + 8));
	}
	receiving();
	return fact_end();
}
