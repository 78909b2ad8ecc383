/* early_state.c - what becomes of a socket's port when connect() fails or is undone, and when a
 * failed call leaves a port behind. getsockname tells the last port, not whether it is still held. */
#include "fact.h"

#define OUT(n) (30000 + (n))
#define CLOSED 9099 /* nobody listens here */

/* Whether the port that `fd` shows is taken, asked with another socket. */
static const char *held(const char *kind, int port)
{
	int fd = sock(kind);
	const char *said = do_bind(fd, kind[strlen(kind) - 1] == '6' ? "::" : "0.0.0.0", port);
	close(fd);
	return strcmp(said, "ok") == 0 ? "free" : "held";
}

static const char *shows(int fd, int port) { return port_of(fd) == 0 ? "0" : port_of(fd) == port ? "it" : "another"; }

static void refused(const char *kind, const char *ip)
{
	char name[64];
	const char *any = strchr(ip, ':') ? "::" : "0.0.0.0";
	int fd = sock(kind), zero = sock(kind), early = sock(kind), late = sock(kind);
	see("connect %s", do_connect(fd, ip, CLOSED));
	int port = port_of(fd);
	see("its port %s", held(kind, port));
	see("bind %s", do_bind(fd, any, OUT(0)));
	see("getsockname %s", shows(fd, OUT(0)));
	snprintf(name, sizeof(name), "refused-unbound %s", kind);
	seen(name, "connect ECONNREFUSED, its port free, bind ok, getsockname it");
	do_bind(zero, any, 0);
	port = port_of(zero);
	see("connect %s", do_connect(zero, ip, CLOSED));
	see("getsockname %s", shows(zero, port));
	see("its port %s", held(kind, port));
	see("bind %s", do_bind(zero, any, OUT(1)));
	snprintf(name, sizeof(name), "refused-bound-to-0 %s", kind);
	seen(name, "connect ECONNREFUSED, getsockname it, its port free, bind ok");
	do_bind(early, any, OUT(2));
	see("connect %s", do_connect(early, ip, CLOSED));
	see("getsockname %s", shows(early, OUT(2)));
	see("its port %s", held(kind, OUT(2)));
	see("bind %s", do_bind(early, any, OUT(3)));
	see("connect again %s", do_connect(early, ip, ONE));
	see("getsockname %s", shows(early, OUT(2)));
	snprintf(name, sizeof(name), "refused-bound %s", kind);
	seen(name, "connect ECONNREFUSED, getsockname it, its port held, bind EINVAL, connect again ok, getsockname it");
	do_range(late, RANGE_LO, RANGE_LO);
	see("connect %s", do_connect(late, ip, CLOSED));
	see("its port %s", held(kind, RANGE_LO));
	do_range(late, RANGE_LO + 1, RANGE_LO + 1);
	see("connect again %s", do_connect(late, ip, ONE));
	see("getsockname %s", shows(late, RANGE_LO + 1));
	snprintf(name, sizeof(name), "refused-late %s", kind);
	seen(name, "connect ECONNREFUSED, its port free, connect again ok, getsockname it");
	close(fd), close(zero), close_reset(early), close_reset(late);
}

/* connect(AF_UNSPEC): an explicit port stays, one that the kernel chose goes. */
static void undone(const char *kind)
{
	char name[64];
	bool udp = kind[0] == 'u';
	for (int how = 0; how < 4; how++) {
		static const char *const label[] = {"early", "bind(0)", "autobound", "late"};
		int fd = sock(kind);
		if (how == 0)
			do_bind(fd, "0.0.0.0", OUT(10));
		if (how == 1)
			do_bind(fd, "0.0.0.0", 0);
		if (how == 3)
			do_range(fd, RANGE_LO + 3, RANGE_LO + 3);
		do_connect(fd, "127.0.0.1", ONE);
		int port = port_of(fd);
		see("%s", do_unspec(fd));
		see("getsockname %s", shows(fd, port));
		see("port %s", held(kind, port));
		see("bind %s", do_bind(fd, "0.0.0.0", OUT(11)));
		see("connect %s", do_connect(fd, "127.0.0.1", ONE));
		see("from %s", shows(fd, how == 0 ? port : OUT(11)));
		snprintf(name, sizeof(name), "unspec-%s %s", label[how], kind);
		seen(name, how == 0 ? "ok, getsockname it, port held, bind EINVAL, connect ok, from it"
		     : udp ? "ok, getsockname 0, port free, bind ok, connect ok, from it"
			   : "ok, getsockname it, port free, bind ok, connect ok, from it");
		close_reset(fd);
	}
}

/* UDP takes its port before it looks at the address or the route: a failed call leaves it bound. */
static void failed_udp(void)
{
	struct where w = at("192.0.2.1", 9);
	int route = sock("udp4"), sent = sock("udp4"), shorter = sock("udp4"), tiny = sock("udp4");
	int unspec = sock("udp4"), nodest = sock("udp4");
	see("connect %s", do_connect(route, "192.0.2.1", 9));
	see("bind %s", do_bind(route, "0.0.0.0", OUT(20)));
	see("sendto %s", do_send(sent, "192.0.2.1", 9, 0));
	see("bind %s", do_bind(sent, "0.0.0.0", OUT(20)));
	see("short address %s", result(connect(shorter, &w.u.sa, 8)));
	see("bind %s", do_bind(shorter, "0.0.0.0", OUT(20)));
	see("one byte %s", result(connect(tiny, &w.u.sa, 1)));
	see("bind %s", do_bind(tiny, "0.0.0.0", OUT(20)));
	see("AF_UNSPEC %s", do_unspec(unspec));
	see("bind %s", do_bind(unspec, "0.0.0.0", OUT(21)));
	see("send without destination %s", result(send(nodest, "x", 1, 0)));
	see("bind %s", do_bind(nodest, "0.0.0.0", OUT(22)));
	seen("failed-udp-call-binds", "connect ENETUNREACH, bind EINVAL, sendto ENETUNREACH, bind EINVAL, short address EINVAL, "
	     "bind EINVAL, one byte EINVAL, bind ok, AF_UNSPEC ok, bind ok, send without destination EDESTADDRREQ, bind EINVAL");
	int tcp = sock("tcp4");
	see("connect %s", do_connect(tcp, "192.0.2.1", 9));
	see("getsockname %d", port_of(tcp));
	see("bind %s", do_bind(tcp, "0.0.0.0", OUT(23)));
	seen("failed-tcp-call-does-not", "connect ENETUNREACH, getsockname 0, bind ok");
	close(route), close(sent), close(shorter), close(tiny), close(unspec), close(nodest), close(tcp);
}

int main(void)
{
	fact_begin();
	serve("tcp6", ONE);
	refused("tcp4", "127.0.0.1");
	refused("tcp6", "::1");
	undone("tcp4");
	undone("udp4");
	failed_udp();
	int m = sock("mptcp4");
	if (m >= 0)
		refused("mptcp4", "127.0.0.1"), undone("mptcp4");
	return fact_end();
}
