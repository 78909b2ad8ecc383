/* udp_share.c - UDP has no 4-tuple arbitration: where both sides have SO_REUSEADDR (or SO_REUSEPORT)
 * a port is shared however it was taken, and of two identical sockets one gets nothing. */
#include "fact.h"

#define IN(n) (RANGE_LO + (n))
#define OUT(n) (30000 + (n))

static int reusing(int port)
{
	int fd = sock("udp4");
	do_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (strcmp(do_bind(fd, "0.0.0.0", port), "ok") != 0)
		broken("a shared bind");
	return fd;
}

/* Who gets a datagram from `peer` to `port`. */
static const char *receiver(int peer, int port, const int *fds, const char *const *names, int count)
{
	char byte;
	do_send(peer, "127.0.0.1", port, 0);
	for (int i = 0; i < count; i++)
		if (recv(fds[i], &byte, 1, MSG_DONTWAIT) == 1)
			return names[i];
	return "nobody";
}

static void identical(int port)
{
	static const char *const names[] = {"first", "second", "unconnected third"};
	int peer = sock("udp4"), stranger = sock("udp4"), fds[3] = {reusing(port), reusing(port), -1};
	do_bind(peer, "127.0.0.1", port + 1);
	see("first %s", do_connect(fds[0], "127.0.0.1", port + 1));
	see("identical %s", do_connect(fds[1], "127.0.0.1", port + 1));
	see("the datagram goes to the %s", receiver(peer, port, fds, names, 2));
	fds[2] = reusing(port);
	see("with an unconnected third to the %s", receiver(peer, port, fds, names, 3));
	see("a stranger's to the %s", receiver(stranger, port, fds, names, 3));
	seen("udp-shared-identical", "first ok, identical ok, the datagram goes to the second, "
	     "with an unconnected third to the second, a stranger's to the unconnected third");
	close(fds[0]), close(fds[1]), close(fds[2]), close(peer), close(stranger);
}

static void thief(int port)
{
	static const char *const names[] = {"first", "second"};
	int peer = sock("udp4"), fds[2] = {reusing(port), -1};
	see("alone to the %s", receiver(peer, port, fds, names, 1));
	fds[1] = reusing(port);
	see("of two unconnected ones to the %s", receiver(peer, port, fds, names, 2));
	seen("udp-shared-unconnected", "alone to the first, of two unconnected ones to the second");
	close(fds[0]), close(fds[1]), close(peer);
}

/* Late and bind(0): a range of one port whose holder took it late. The kernel shares it without a
 * word when both sides have the option: the late way is exclusive only without it. */
static void zero_udp(int option, int port)
{
	for (int reuse = 0; reuse < 2; reuse++) {
		int holder = sock("udp4"), fds[3];
		do_set(holder, SOL_SOCKET, option, reuse);
		do_range(holder, (unsigned)port, (unsigned)port);
		do_connect(holder, "127.0.0.1", ONE); /* late */
		for (int i = 0; i < 3; i++) {
			fds[i] = sock("udp4");
			do_range(fds[i], (unsigned)port, (unsigned)port);
			do_set(fds[i], SOL_SOCKET, option, 1);
		}
		see("bind(0) %s", do_bind(fds[0], "0.0.0.0", 0));
		see("connect %s", do_connect(fds[1], "127.0.0.1", TWO));
		see("sendto %s", do_send(fds[2], "127.0.0.1", TWO, 0));
		seen(option == SO_REUSEADDR ? reuse ? "udp-late-shares-with-reuseaddr" : "udp-late-exclusive-with-reuseaddr-on-one"
					    : reuse ? "udp-late-shares-with-reuseport" : "udp-late-exclusive-with-reuseport-on-one",
		     reuse ? "bind(0) ok, connect ok, sendto ok" : "bind(0) EADDRINUSE, connect EAGAIN, sendto EAGAIN");
		close(holder), close(fds[0]), close(fds[1]), close(fds[2]);
	}
}

int main(void)
{
	fact_begin();
	if (strcmp(do_range(sock("udp4"), IN(0), IN(0)), "ok") == 0)
		zero_udp(SO_REUSEADDR, IN(0)), zero_udp(SO_REUSEPORT, IN(1));
	else
		note("udp-late-shares", "this kernel has no IP_LOCAL_PORT_RANGE");
	identical(OUT(0));
	thief(OUT(2));
	return fact_end();
}
