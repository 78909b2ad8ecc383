/* early_late.c - early and late ports exclude each other, and what TIME_WAIT means to each. So the
 * way is a property of the port, the same in every process. */
#include "fact.h"

#define IN(n) (RANGE_LO + (n)) /* inside the ephemeral range: may be taken late as well */

static int server;

static int bound(int port, int reuse)
{
	int fd = sock("tcp4");
	do_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
	if (strcmp(do_bind(fd, "0.0.0.0", port), "ok") != 0)
		broken("an early bind");
	return fd;
}

static const char *fresh_bind(const char *ip, int port, int reuse)
{
	int fd = sock("tcp4");
	do_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
	const char *said = do_bind(fd, ip, port);
	close(fd);
	return said;
}

static int late_taken(int port, int to, const char **said)
{
	int fd = sock("tcp4");
	do_range(fd, (unsigned)port, (unsigned)port);
	*said = do_connect(fd, "127.0.0.1", to);
	return fd;
}

static const char *late_connect(int port, int to)
{
	const char *said;
	close_reset(late_taken(port, to, &said));
	return said;
}

/* Early and late exclude each other, in life and in TIME_WAIT. */
static void mixing(void)
{
	int late = sock("tcp4"), late_reuse = sock("tcp4"), early = bound(IN(2), 1), plain = bound(IN(3), 0);
	do_range(late, IN(0), IN(0));
	do_connect(late, "127.0.0.1", ONE);
	do_set(late_reuse, SOL_SOCKET, SO_REUSEADDR, 1);
	do_range(late_reuse, IN(1), IN(1));
	do_connect(late_reuse, "127.0.0.1", ONE);
	for (int dead = 0; dead < 2; dead++) {
		see("bind %s", fresh_bind("0.0.0.0", IN(0), 0));
		see("with SO_REUSEADDR %s", fresh_bind("0.0.0.0", IN(0), 1));
		see("another address %s", fresh_bind("127.0.0.9", IN(0), 1));
		see("both with SO_REUSEADDR %s", fresh_bind("0.0.0.0", IN(1), 1));
		seen(dead ? "bind-onto-late-time-wait" : "bind-onto-late",
		     "bind EADDRINUSE, with SO_REUSEADDR EADDRINUSE, another address ok, both with SO_REUSEADDR ok");
		if (!dead) {
			leave_time_wait(late, server);
			leave_time_wait(late_reuse, server);
		}
	}
	see("bound only %s", late_connect(IN(2), ONE));
	do_connect(early, "127.0.0.1", ONE);
	do_connect(plain, "127.0.0.1", ONE);
	see("same destination %s", late_connect(IN(2), ONE));
	see("another %s", late_connect(IN(2), TWO));
	see("another, exclusive %s", late_connect(IN(3), TWO));
	leave_time_wait(early, server);
	leave_time_wait(plain, server);
	see("TIME_WAIT %s", late_connect(IN(2), ONE));
	see("another %s", late_connect(IN(2), TWO));
	see("another, exclusive %s", late_connect(IN(3), TWO));
	seen("late-onto-early", "bound only EADDRNOTAVAIL, same destination EADDRNOTAVAIL, another EADDRNOTAVAIL, "
	     "another, exclusive EADDRNOTAVAIL, TIME_WAIT EADDRNOTAVAIL, another EADDRNOTAVAIL, another, exclusive EADDRNOTAVAIL");
	see("bare %s", fresh_bind("0.0.0.0", IN(3), 0));
	see("with SO_REUSEADDR %s", fresh_bind("0.0.0.0", IN(3), 1));
	see("both %s", fresh_bind("0.0.0.0", IN(2), 1));
	seen("bind-onto-early-time-wait", "bare EADDRINUSE, with SO_REUSEADDR EADDRINUSE, both ok");
}

#define JOINED_BY_REUSEADDR "late sharer before ok, bind ok, late sharer EADDRNOTAVAIL, its connect, same destination EADDRNOTAVAIL, " \
	"another ok, late sharer after its close "
#define JOINED_FROM_ELSEWHERE "late sharer before ok, bind ok, late sharer EADDRNOTAVAIL, its connect, same destination ok, " \
	"another EISCONN, late sharer after its close "

/* bind() from another address, or with SO_REUSEADDR on both, gets onto a port taken late. */
static void late_poisoned(bool reuse, int port)
{
	int late = sock("tcp4"), fd = sock("tcp4");
	do_set(late, SOL_SOCKET, SO_REUSEADDR, reuse);
	do_range(late, (unsigned)port, (unsigned)port);
	do_connect(late, "127.0.0.1", ONE);
	do_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
	see("late sharer before %s", late_connect(port, TWO));
	see("bind %s", do_bind(fd, reuse ? "0.0.0.0" : "127.0.0.9", port));
	see("late sharer %s", late_connect(port, TWO));
	see("its connect, same destination %s", do_connect(fd, "127.0.0.1", ONE));
	see("another %s", do_connect(fd, "127.0.0.1", TWO));
	close_reset(fd);
	see("late sharer after its close %s", late_connect(port, TWO));
	/* Older kernels have the port a late one again only when nobody has it any more. */
	if (reuse)
		seen_since("late-joined-by-reuseaddr", LINUX(6, 18), JOINED_BY_REUSEADDR "ok", LINUX(6, 1), JOINED_BY_REUSEADDR "EADDRNOTAVAIL");
	else
		seen_since("late-joined-from-another-address", LINUX(6, 18), JOINED_FROM_ELSEWHERE "ok", LINUX(6, 1),
			   JOINED_FROM_ELSEWHERE "EADDRNOTAVAIL");
	close_reset(late);
}

/* The same 4-tuple again, while it is in TIME_WAIT. */
static void time_wait(int port)
{
	for (int timestamps = 1; timestamps >= 0; timestamps--, port += 4) {
		sysctl_set("ipv4/tcp_timestamps", "%d", timestamps);
		int early = bound(port, 1);
		do_connect(early, "127.0.0.1", ONE);
		leave_time_wait(early, server);
		early = bound(port, 1);
		see("early %s", do_connect(early, "127.0.0.1", ONE));
		if (timestamps) /* it was taken over: its end of the connection is the next to accept */
			close(accept4(server, NULL, NULL, SOCK_CLOEXEC));
		close_reset(early);
		bool refused = false, elsewhere = true; /* late it works only once the clock shows the next second */
		for (int i = 1; i <= 3; i++) {
			const char *said;
			leave_time_wait(late_taken(port + i, ONE, &said), server);
			elsewhere &= strcmp(late_connect(port + i, TWO), "ok") == 0;
			if (strcmp(late_connect(port + i, ONE), "ok") != 0)
				refused = true;
			else
				close(accept4(server, NULL, NULL, SOCK_CLOEXEC));
		}
		see("late, in one of three tries or more, %s", refused ? "EADDRNOTAVAIL" : "ok");
		see("to another destination %s", elsewhere ? "ok" : "not always");
		seen(timestamps ? "time-wait-same-tuple" : "time-wait-same-tuple-without-timestamps",
		     timestamps ? "early ok, late, in one of three tries or more, EADDRNOTAVAIL, to another destination ok"
				: "early EADDRNOTAVAIL, late, in one of three tries or more, EADDRNOTAVAIL, to another destination ok");
	}
}

int main(void)
{
	fact_begin();
	if (strcmp(do_range(sock("tcp4"), IN(0), IN(0)), "ok") != 0)
		lacks("IP_LOCAL_PORT_RANGE (Linux 6.3)");
	server = serve("tcp6", ONE);
	serve("tcp6", TWO);
	time_wait(IN(20)); /* first, with mixing: accept() has to see their connections and no others */
	mixing();
	late_poisoned(true, IN(10)), late_poisoned(false, IN(11));
	return fact_end();
}
