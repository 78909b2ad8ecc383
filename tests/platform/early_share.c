/* early_share.c - SO_REUSEADDR and SO_REUSEPORT on early ports: who may share, and what a moment
 * without the option makes of a port. UDP has a file of its own, udp_share.c. */
#include "fact.h"

#define OUT(n) (30000 + (n))

static int option = SO_REUSEADDR;

/* A new socket with the option as wanted during bind() and afterwards; what bind() said in *said. */
static int binder(const char *kind, int port, int during, int after, const char **said)
{
	int fd = sock(kind);
	do_set(fd, SOL_SOCKET, option, during);
	*said = do_bind(fd, "0.0.0.0", port);
	do_set(fd, SOL_SOCKET, option, after);
	return fd;
}

static const char *attempt(const char *kind, int port, int during, int after)
{
	const char *said;
	close(binder(kind, port, during, after, &said));
	return said;
}

#define REMEMBERED "bare EADDRINUSE, treated alike ok, with the option ok, once connected: bare EADDRINUSE, alike ok, with it ok"
#define SHUT_OUT "bare EADDRINUSE, treated alike EADDRINUSE, with the option EADDRINUSE, " \
	"once connected: bare EADDRINUSE, alike EADDRINUSE, with it EADDRINUSE"

/* The holder has the option off around bind() and on afterwards, or the other way around. */
static void moments(const char *kind, int port)
{
	const char *said, *what = option == SO_REUSEADDR ? "reuseaddr" : "reuseport";
	char name[64];
	for (int after = 0; after < 2; after++) {
		int fd = binder(kind, port + after, !after, after, &said);
		see("bare %s", attempt(kind, port + after, 0, 0));
		see("treated alike %s", attempt(kind, port + after, !after, after));
		see("with the option %s", attempt(kind, port + after, 1, 1));
		do_connect(fd, "127.0.0.1", ONE);
		see("once connected: bare %s", attempt(kind, port + after, 0, 0));
		see("alike %s", attempt(kind, port + after, !after, after));
		see("with it %s", attempt(kind, port + after, 1, 1));
		snprintf(name, sizeof(name), "%s-%s %s", what, after ? "off-during-bind-then-on" : "on-during-bind-then-off", kind);
		/* Counted: the holder's setting now, the newcomer's in bind(). TCP's SO_REUSEPORT is remembered by the port
		 * itself: clearing it afterwards shuts nobody out. So was its SO_REUSEADDR by older kernels. */
		if (after)
			seen(name, "bare EADDRINUSE, treated alike EADDRINUSE, with the option ok, "
				   "once connected: bare EADDRINUSE, alike EADDRINUSE, with it ok");
		else if (option == SO_REUSEPORT && kind[0] == 't')
			seen(name, REMEMBERED);
		else if (kind[0] == 'u')
			seen(name, SHUT_OUT);
		else /* TCP and MPTCP */
			seen_since(name, LINUX(6, 18), SHUT_OUT, LINUX(6, 1), REMEMBERED);
		close_reset(fd);
	}
}

static void sharing(const char *kind, int port)
{
	const char *said;
	char name[64];
	int a = binder(kind, port, 1, 1, &said), b = binder(kind, port, 1, 1, &said), c;
	see("second bind %s", said);
	see("connect %s", do_connect(a, "127.0.0.1", ONE));
	c = binder(kind, port, 1, 1, &said);
	see("bind again %s", said);
	see("another destination %s", do_connect(b, "127.0.0.1", TWO));
	see("the same %s", do_connect(c, "127.0.0.1", ONE));
	see("%s", port_of(c) == port ? "port kept" : "port lost");
	see("bind elsewhere %s", do_bind(c, "0.0.0.0", port + 1));
	do_unspec(c);
	see("after AF_UNSPEC %s", do_bind(c, "0.0.0.0", port + 1));
	close_reset(a);
	see("retried when free %s", do_connect(c, "127.0.0.1", ONE));
	snprintf(name, sizeof(name), "early-shared %s", kind);
	seen(name, "second bind ok, connect ok, bind again ok, another destination ok, the same EADDRNOTAVAIL, port kept, "
	     "bind elsewhere EINVAL, after AF_UNSPEC EINVAL, retried when free ok");
	close_reset(b), close_reset(c);
}

static void listening(int port)
{
	const char *said;
	int a = binder("tcp4", port, 1, 1, &said), b = binder("tcp4", port, 1, 1, &said), c = binder("tcp4", port, 1, 1, &said);
	do_connect(a, "127.0.0.1", ONE);
	see("listen %s", do_listen(b));
	see("second listen %s", do_listen(c));
	see("a sharer bound before: connect %s", do_connect(c, "127.0.0.1", TWO));
	see("new sharer %s", attempt("tcp4", port, 1, 1));
	close(b);
	see("when the listener closed %s", attempt("tcp4", port, 1, 1));
	seen("listen-on-shared", "listen ok, second listen EADDRINUSE, a sharer bound before: connect ok, "
	     "new sharer EADDRINUSE, when the listener closed ok");
	close_reset(a), close_reset(c);
}

/* TCP: bind(0) and listen() never join a port, whatever the options say. */
static void zero_tcp(int port)
{
	const char *said;
	int holder = binder("tcp4", port, 1, 1, &said), zero = sock("tcp4"), hears = sock("tcp4");
	do_range(zero, (unsigned)port, (unsigned)port), do_range(hears, (unsigned)port, (unsigned)port);
	do_set(zero, SOL_SOCKET, SO_REUSEADDR, 1), do_set(hears, SOL_SOCKET, SO_REUSEADDR, 1);
	see("bind(0) %s", do_bind(zero, "0.0.0.0", 0));
	see("listen %s", do_listen(hears));
	seen("tcp-zero-never-shares", "bind(0) EADDRINUSE, listen EADDRINUSE");
	close(holder), close(zero), close(hears);
}

int main(void)
{
	fact_begin();
	serve("tcp6", ONE);
	serve("tcp6", TWO);
	sharing("tcp4", OUT(0));
	listening(OUT(5));
	zero_tcp(RANGE_LO);
	moments("tcp4", OUT(10)), moments("udp4", OUT(20));
	option = SO_REUSEPORT;
	moments("tcp4", OUT(12)), moments("udp4", OUT(22));
	option = SO_REUSEADDR;
	int m = sock("mptcp4");
	if (m >= 0)
		sharing("mptcp4", OUT(30)), moments("mptcp4", OUT(34));
	return fact_end();
}
