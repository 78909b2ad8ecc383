/* late.c - the late way: IP_LOCAL_PORT_RANGE with lo == hi, and the port taken inside connect().
 *
 * portshim's first choice: the kernel knows the whole 4-tuple when it takes the port, so one port
 * serves many destinations, and a clash is an errno after which another port can be tried. */
#include "fact.h"

#define P(n) (RANGE_LO + (n))

/* A socket of `kind`, of one port, with what setsockopt said checked. */
static int late(const char *kind, int port)
{
	int fd = sock(kind);
	if (strcmp(do_range(fd, (unsigned)port, (unsigned)port), "ok") != 0)
		broken("IP_LOCAL_PORT_RANGE");
	return fd;
}

/* Taken, told so, tried again with another port, shared with another destination. */
static void arbitration(const char *kind, const char *ip, int port)
{
	char name[64];
	int a = late(kind, port), b = late(kind, port), c = late(kind, port), n = late(kind, port);

	snprintf(name, sizeof(name), "late-connect %s to %s", kind, ip);
	const char *first = do_connect(a, ip, ONE);
	fact(name, "ok, its port", "%s, %s", first, port_of(a) == port ? "its port" : "another port");

	snprintf(name, sizeof(name), "late-taken-then-retried %s to %s", kind, ip);
	first = do_connect(b, ip, ONE);
	int after = port_of(b);
	do_range(b, (unsigned)port + 1, (unsigned)port + 1);
	const char *again = do_connect(b, ip, ONE);
	fact(name, "EADDRNOTAVAIL, getsockname 0, then ok, its port", "%s, getsockname %d, then %s, %s",
	     first, after, again, port_of(b) == port + 1 ? "its port" : "another port");

	snprintf(name, sizeof(name), "late-taken-nonblocking %s to %s", kind, ip);
	fcntl(n, F_SETFL, O_NONBLOCK);
	first = do_connect(n, ip, ONE);
	do_range(n, (unsigned)port + 2, (unsigned)port + 2);
	again = do_connect(n, ip, ONE);
	fact(name, "EADDRNOTAVAIL, then EINPROGRESS, its port", "%s, then %s, %s", first, again,
	     port_of(n) == port + 2 ? "its port" : "another port");

	snprintf(name, sizeof(name), "late-shared-between-destinations %s to %s", kind, ip);
	first = do_connect(c, ip, TWO);
	fact(name, "ok, its port", "%s, %s", first, port_of(c) == port ? "its port" : "another port");
	close(a), close(b), close(c), close(n);
}

static void udp(const char *kind, const char *ip, int port)
{
	char name[64];
	int a = late(kind, port), b = late(kind, port), c = late(kind, port), d = late(kind, port + 1);

	snprintf(name, sizeof(name), "late-udp-connect %s to %s", kind, ip);
	const char *first = do_connect(a, ip, ONE);
	fact(name, "ok, its port", "%s, %s", first, port_of(a) == port ? "its port" : "another port");
	snprintf(name, sizeof(name), "late-udp-sendto %s to %s", kind, ip);
	first = do_send(d, ip, ONE, 0);
	fact(name, "ok, its port", "%s, %s", first, port_of(d) == port + 1 ? "its port" : "another port");

	snprintf(name, sizeof(name), "late-udp-taken-then-retried %s to %s", kind, ip);
	first = do_connect(b, ip, TWO); /* another destination makes no difference */
	const char *sent = do_send(c, ip, TWO, 0), *dont = do_send(c, ip, TWO, MSG_DONTWAIT);
	do_range(b, (unsigned)port + 2, (unsigned)port + 2);
	do_range(c, (unsigned)port + 3, (unsigned)port + 3);
	const char *again = do_connect(b, ip, TWO), *resent = do_send(c, ip, TWO, 0);
	fact(name, "connect EAGAIN, sendto EAGAIN EAGAIN, then ok ok, their ports",
	     "connect %s, sendto %s %s, then %s %s, %s", first, sent, dont, again, resent,
	     port_of(b) == port + 2 && port_of(c) == port + 3 ? "their ports" : "other ports");
	close(a), close(b), close(c), close(d);
}

/* With a source address that was bound under IP_BIND_ADDRESS_NO_PORT. */
static void with_source(const char *kind, int port)
{
	char name[64], own[64];
	int a = late(kind, port), b = late(kind, port), c = late(kind, port);
	int fds[] = {a, b, c};
	for (int i = 0; i < 3; i++) {
		do_set(fds[i], IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		do_bind(fds[i], i == 2 ? "127.0.0.6" : "127.0.0.5", 0);
	}
	const char *first = do_connect(a, "127.0.0.1", ONE);
	snprintf(own, sizeof(own), "%s:%d", address_of(a), port_of(a) - port);
	const char *second = do_connect(b, "127.0.0.1", ONE);
	const char *other = do_connect(c, "127.0.0.1", ONE);
	snprintf(name, sizeof(name), "late-with-source %s", kind);
	fact(name, kind[0] == 'u' ? "ok 127.0.0.5:0, again EAGAIN, another source ok"
				  : "ok 127.0.0.5:0, again EADDRNOTAVAIL, another source ok",
	     "%s %s, again %s, another source %s", first, own, second, other);
	close(a), close(b), close(c);
}

static void fast_open(int port)
{
	int a = late("tcp4", port), b = late("tcp4", port);
	const char *first = do_send(a, "127.0.0.1", ONE, MSG_FASTOPEN);
	const char *taken = do_send(b, "127.0.0.1", ONE, MSG_FASTOPEN);
	do_range(b, (unsigned)port + 1, (unsigned)port + 1);
	const char *again = do_send(b, "127.0.0.1", ONE, MSG_FASTOPEN);
	fact("late-fastopen", "ok, taken EADDRNOTAVAIL, then ok, their ports", "%s, taken %s, then %s, %s",
	     first, taken, again,
	     port_of(a) == port && port_of(b) == port + 1 ? "their ports" : "other ports");
	close(a), close(b);
}

int main(void)
{
	fact_begin();
	int probe = sock("tcp4");
	if (strcmp(do_range(probe, P(0), P(0)), "ENOPROTOOPT") == 0)
		lacks("IP_LOCAL_PORT_RANGE (Linux 6.3)");
	close(probe);
	serve("tcp6", ONE);
	serve("tcp6", TWO);

	arbitration("tcp4", "127.0.0.1", P(0));
	arbitration("tcp6", "::1", P(3));
	arbitration("tcp6", "::ffff:127.0.0.1", P(6));
	udp("udp4", "127.0.0.1", P(10));
	udp("udp6", "::1", P(14));
	udp("udp6", "::ffff:127.0.0.1", P(18));
	with_source("tcp4", P(22));
	with_source("udp4", P(23));
	fast_open(P(24));

	int m = sock("mptcp4");
	if (m < 0 || strcmp(do_range(m, P(26), P(26)), "ok") != 0) {
		note("late-mptcp", "this kernel has no MPTCP, or none with IP_LOCAL_PORT_RANGE (%s)", result(-1));
		return fact_end();
	}
	arbitration("mptcp4", "127.0.0.1", P(30));
	arbitration("mptcp6", "::1", P(33));
	arbitration("mptcp6", "::ffff:127.0.0.1", P(36));
	with_source("mptcp4", P(40));
	close(m);
	/* The same to a server that speaks MPTCP itself. */
	serve("mptcp6", ONE + 10);
	int a = late("mptcp4", P(41)), b = late("mptcp4", P(41)), plain = late("tcp4", P(41));
	see("%s", do_connect(a, "127.0.0.1", ONE + 10));
	see("taken %s", do_connect(b, "127.0.0.1", ONE + 10));
	do_range(b, P(42), P(42));
	see("then %s", do_connect(b, "127.0.0.1", ONE + 10));
	see("plain TCP onto it %s", do_connect(plain, "127.0.0.1", ONE + 10));
	seen("late-mptcp-to-mptcp", "ok, taken EADDRNOTAVAIL, then ok, plain TCP onto it EADDRNOTAVAIL");
	return fact_end();
}
