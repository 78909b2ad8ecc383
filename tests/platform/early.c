/* early.c - the early way: bind() to a port of our choice, then connect().
 *
 * Who else may bind it, and how bind() tells that a socket is bound already. Sharing on purpose is
 * in early_share.c, early against late in early_late.c, what a socket keeps in early_state.c. */
#include "fact.h"
#include <linux/capability.h>
#include <sys/syscall.h>

#define OUT(n) (30000 + (n)) /* outside the ephemeral range */

static int bound(const char *kind, int port, int reuse)
{
	int fd = sock(kind);
	do_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
	if (strcmp(do_bind(fd, kind[strlen(kind) - 1] == '6' ? "::" : "0.0.0.0", port), "ok") != 0)
		broken("an early bind");
	return fd;
}

static const char *fresh_bind(const char *kind, const char *ip, int port, int reuse)
{
	int fd = sock(kind);
	do_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
	const char *said = do_bind(fd, ip, port);
	close(fd);
	return said;
}

static void exclusive(const char *kind, int port)
{
	int fd = bound(kind, port, 0);
	char name[64];
	for (int connected = 0; connected < 2; connected++) {
		if (connected)
			do_connect(fd, "127.0.0.1", ONE);
		see("bare %s", fresh_bind(kind, "0.0.0.0", port, 0));
		see("with SO_REUSEADDR %s", fresh_bind(kind, "0.0.0.0", port, 1));
		see("another address %s", fresh_bind(kind, "127.0.0.9", port, 1));
		snprintf(name, sizeof(name), "early-exclusive-%s %s", connected ? "connected" : "bound", kind);
		/* connect() narrows a wildcard bind to the source address: the others become free */
		seen(name, connected ? "bare EADDRINUSE, with SO_REUSEADDR EADDRINUSE, another address ok"
			   : "bare EADDRINUSE, with SO_REUSEADDR EADDRINUSE, another address EADDRINUSE");
	}
	close_reset(fd);
}

/* bind() as the question "already bound?" */
static void already(const char *kind, int port)
{
	char name[64];
	const char *any = kind[strlen(kind) - 1] == '6' ? "::" : "0.0.0.0";
	const char *ip = kind[strlen(kind) - 1] == '6' ? "::1" : "127.0.0.1";
	int early = bound(kind, port, 0), connected = sock(kind), zero = sock(kind), listening = sock(kind);
	int closed = sock(kind);
	see("bound %s", do_bind(early, any, port + 1));
	do_connect(early, ip, ONE);
	see("bound and connected %s", do_bind(early, any, port + 1));
	do_connect(connected, ip, ONE);
	see("connected %s", do_bind(connected, any, port + 1));
	do_bind(zero, any, 0);
	see("bound to 0 %s", do_bind(zero, any, port + 1));
	if (kind[0] != 'u') {
		do_listen(listening);
		see("listening %s", do_bind(listening, any, port + 1));
		shutdown(connected, SHUT_RDWR);
		see("shut down %s", do_bind(connected, any, port + 1));
		fcntl(closed, F_SETFL, O_NONBLOCK);
		sysctl_set("ipv4/tcp_syn_retries", "1");
		int full = sock("tcp4"), fds[4]; /* a listener whose backlog is full leaves SYN_SENT */
		do_bind(full, "127.0.0.1", port + 2);
		listen(full, 0);
		for (int i = 0; i < 4; i++) {
			fcntl(fds[i] = sock("tcp4"), F_SETFL, O_NONBLOCK);
			do_connect(fds[i], "127.0.0.1", port + 2);
		}
		if (strcmp(ip, "127.0.0.1") == 0) {
			do_connect(closed, ip, port + 2);
			see("connecting %s", do_bind(closed, any, port + 1));
		}
		close(full);
		for (int i = 0; i < 4; i++)
			close(fds[i]);
	}
	snprintf(name, sizeof(name), "already-bound-is-einval %s", kind);
	seen(name, kind[0] == 'u' ? "bound EINVAL, bound and connected EINVAL, connected EINVAL, bound to 0 EINVAL"
	     : *any == ':' ? "bound EINVAL, bound and connected EINVAL, connected EINVAL, bound to 0 EINVAL, "
			   "listening EINVAL, shut down EINVAL"
	     : "bound EINVAL, bound and connected EINVAL, connected EINVAL, bound to 0 EINVAL, "
	       "listening EINVAL, shut down EINVAL, connecting EINVAL");
	close_reset(early), close_reset(connected), close(zero), close(listening), close(closed);
}

/* [::]:p against 0.0.0.0:p, and what a v4-mapped bind is. */
static void families(const char *kind, int port)
{
	char name[64];
	const char *four = kind[0] == 'u' ? "udp4" : "tcp4";
	int v4 = bound(four, port, 0), v6 = bound(kind, port + 1, 0), only = sock(kind);
	see("[::] onto 0.0.0.0 %s", fresh_bind(kind, "::", port, 0));
	see("mapped %s", fresh_bind(kind, "::ffff:127.0.0.1", port, 0));
	see("[::1] %s", fresh_bind(kind, "::1", port, 0));
	do_set(only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	see("v6only %s", do_bind(only, "::", port));
	see("0.0.0.0 onto [::] %s", fresh_bind(four, "0.0.0.0", port + 1, 0));
	see("127.0.0.1 %s", fresh_bind(four, "127.0.0.1", port + 1, 0));
	snprintf(name, sizeof(name), "wildcards-of-both-families %s", kind);
	seen(name, "[::] onto 0.0.0.0 EADDRINUSE, mapped EADDRINUSE, [::1] ok, v6only ok, "
	     "0.0.0.0 onto [::] EADDRINUSE, 127.0.0.1 EADDRINUSE");
	close(v4), close(v6), close(only);
}

/* Privileged ports, in a child without the capability. */
static void privileged(void)
{
	pid_t child = fork();
	if (child == 0) {
		struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct none[2] = {{0}};
		syscall(SYS_capset, &header, none);
		see("1023 %s", fresh_bind("tcp4", "0.0.0.0", 1023, 0));
		see("udp %s", fresh_bind("udp4", "0.0.0.0", 1023, 0));
		see("1024 %s", fresh_bind("tcp4", "0.0.0.0", 1024, 0));
		seen("privileged-bind", "1023 EACCES, udp EACCES, 1024 ok");
		_exit(fact_end());
	}
	int status = 1;
	waitpid(child, &status, 0);
	fact_differed |= status != 0;
	see("with the capability %s", fresh_bind("tcp4", "0.0.0.0", 1023, 0));
	bool written = write_file("/proc/sys/net/ipv4/ip_local_port_range", "1000 2000");
	see("a range that begins there %s", result(written ? 0 : -1));
	seen("privileged-range", "with the capability ok, a range that begins there EINVAL");
}

int main(void)
{
	fact_begin();
	serve("tcp6", ONE);
	exclusive("tcp4", OUT(0));
	exclusive("udp4", OUT(0));
	already("tcp4", OUT(10)), already("tcp6", OUT(20));
	already("udp4", OUT(30)), already("udp6", OUT(40));
	int m = sock("mptcp4");
	if (m >= 0) {
		exclusive("mptcp4", OUT(1));
		already("mptcp4", OUT(50)), already("mptcp6", OUT(60));
	}
	families("tcp6", OUT(70)), families("udp6", OUT(70));
	privileged();
	return fact_end();
}
