/* addresses.c - the errno for addresses that are short, long, missing or of another family, so
 * that a look at an address before the kernel sees it changes nothing. */
#include "fact.h"

enum call { CONNECT, BIND, SEND };
static const char *const verbs[] = {"connect", "bind", "sendto"};

static const char *give(enum call call, const char *kind, const void *address, socklen_t len)
{
	int fd = sock(kind);
	const char *said = result(call == CONNECT ? connect(fd, address, len) : call == BIND ? bind(fd, address, len)
				  : sendto(fd, "x", 1, MSG_NOSIGNAL, address, len));
	close_reset(fd);
	return said;
}

/* Of a good address: 0, 1, 2, 4, all but one byte, exactly, 24 (IPv6 without scope), 128, 129 and -1
 * bytes; NULL with a good length; an address that cannot be read. */
static void lengths(enum call call, const char *kind, const char *expected)
{
	union { char bytes[256]; struct where w; } big;
	bool six = kind[strlen(kind) - 1] == '6';
	struct where w = at(six ? "::1" : "127.0.0.1", call == BIND ? 0 : ONE);
	char name[64];
	memset(&big, 0, sizeof(big));
	memcpy(&big, &w.u, w.len);
	const int sizes[] = {0, 1, 2, 4, (int)w.len - 1, (int)w.len, 24, 128, 129, -1};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		see("%s", give(call, kind, big.bytes, (socklen_t)sizes[i]));
	see("NULL %s", give(call, kind, NULL, w.len));
	see("NULL 0 %s", give(call, kind, NULL, 0));
	see("unreadable %s", give(call, kind, (void *)8, w.len));
	snprintf(name, sizeof(name), "%s-lengths %s", verbs[call], kind);
	seen(name, expected);
}

/* AF_UNSPEC of 1, 2, 15, 16 and 28 bytes (port and address zero), then with an address and a port. */
static void unspec(enum call call, const char *kind, const char *expected)
{
	char zero[32] = {0}, name[64];
	struct where w = at("127.0.0.1", call == BIND ? 30000 : ONE);
	static const socklen_t sizes[] = {1, 2, 15, 16, 28};
	for (int i = 0; i < 5; i++)
		see("%s", give(call, kind, zero, sizes[i]));
	w.u.sa.sa_family = AF_UNSPEC;
	see("with address %s", give(call, kind, &w.u, w.len));
	snprintf(name, sizeof(name), "%s-unspec %s", verbs[call], kind);
	seen(name, expected);
}

/* The other family's address, in its own length and padded; AF_UNIX; family 99. */
static void foreign(enum call call, const char *kind, const char *expected)
{
	bool six = kind[strlen(kind) - 1] == '6';
	struct where w = at(six ? "127.0.0.1" : "::1", call == BIND ? 30010 : ONE);
	char name[64];
	see("%s", give(call, kind, &w.u, w.len));
	see("%s", give(call, kind, &w.u, sizeof(w.u)));
	w.u.sa.sa_family = AF_UNIX;
	see("unix %s", give(call, kind, &w.u, sizeof(w.u)));
	w.u.sa.sa_family = 99;
	see("99 %s", give(call, kind, &w.u, sizeof(w.u)));
	snprintf(name, sizeof(name), "%s-foreign %s", verbs[call], kind);
	seen(name, expected);
}

/* AF_UNSPEC in sendto is IPv4 on an IPv4 socket; on IPv6 it is no address at all. */
static void unspec_is_sent(void)
{
	char byte;
	int peer = sock("udp4"), fd = sock("udp4"), six = sock("udp6"), mapped = sock("udp6"), four = sock("udp6");
	struct where w = at("127.0.0.1", 30020);
	do_bind(peer, "127.0.0.1", 30020);
	w.u.sa.sa_family = AF_UNSPEC;
	see("sendto %s", result(sendto(fd, "x", 1, 0, &w.u.sa, w.len)));
	see("arrives %s", result(recv(peer, &byte, 1, MSG_DONTWAIT)));
	see("bound to %s", port_of(fd) ? "a port" : "none");
	do_connect(six, "::1", ONE);
	do_connect(mapped, "::ffff:127.0.0.1", 30020);
	see("on connected IPv6: %s", result(sendto(six, "x", 1, 0, &w.u.sa, w.len)));
	see("v4-mapped %s", result(sendto(mapped, "x", 1, 0, &w.u.sa, w.len)));
	see("AF_INET on IPv6: connect %s", do_connect(four, "127.0.0.1", 30020));
	see("from %s", address_of(four));
	seen("udp-unspec-is-sent", "sendto ok, arrives ok, bound to a port, on connected IPv6: ok, v4-mapped ENETUNREACH, "
	     "AF_INET on IPv6: connect ok, from ::ffff:127.0.0.1");
	close(peer), close(fd), close(six), close(mapped), close(four);
}

int main(void)
{
	const char *four = "EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, ok, ok, ok, EINVAL, EINVAL, "
			   "NULL EFAULT, NULL 0 EINVAL, unreadable EFAULT";
	const char *six = "EINVAL, EINVAL, EINVAL, EINVAL, ok, ok, ok, ok, EINVAL, EINVAL, "
			  "NULL EFAULT, NULL 0 EINVAL, unreadable EFAULT";
	fact_begin();
	serve("tcp6", ONE);
	lengths(CONNECT, "tcp4", four);
	lengths(CONNECT, "tcp6", six);
	lengths(CONNECT, "udp4", four);
	lengths(CONNECT, "udp6", six);
	lengths(BIND, "tcp4", four);
	lengths(BIND, "tcp6", six);
	lengths(BIND, "udp4", four);
	lengths(SEND, "udp4",
		"EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, ok, ok, ok, EINVAL, EINVAL, "
		"NULL EDESTADDRREQ, NULL 0 EDESTADDRREQ, unreadable EFAULT");
	lengths(SEND, "udp6",
		"EINVAL, EINVAL, EINVAL, EINVAL, ok, ok, ok, ok, EINVAL, EINVAL, "
		"NULL EDESTADDRREQ, NULL 0 EDESTADDRREQ, unreadable EFAULT");
	unspec(CONNECT, "tcp4", "EINVAL, ok, ok, ok, ok, with address ok");
	unspec(CONNECT, "tcp6", "EINVAL, ok, ok, ok, ok, with address ok");
	unspec(CONNECT, "udp4", "EINVAL, ok, ok, ok, ok, with address ok");
	unspec(CONNECT, "udp6", "EINVAL, ok, ok, ok, ok, with address ok");
	unspec(BIND, "tcp4", "EINVAL, EINVAL, EINVAL, ok, ok, with address EAFNOSUPPORT");
	unspec(BIND, "udp6", "EINVAL, EINVAL, EINVAL, EINVAL, EAFNOSUPPORT, with address EINVAL");
	unspec(SEND, "udp4", "EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, with address ok");
	unspec(SEND, "udp6",
		"EINVAL, EDESTADDRREQ, EDESTADDRREQ, EDESTADDRREQ, EDESTADDRREQ, with address EDESTADDRREQ");
	foreign(CONNECT, "tcp4", "EAFNOSUPPORT, EAFNOSUPPORT, unix EAFNOSUPPORT, 99 EAFNOSUPPORT");
	foreign(CONNECT, "tcp6", "EINVAL, EAFNOSUPPORT, unix EAFNOSUPPORT, 99 EAFNOSUPPORT");
	foreign(CONNECT, "udp4", "EAFNOSUPPORT, EAFNOSUPPORT, unix EAFNOSUPPORT, 99 EAFNOSUPPORT");
	foreign(CONNECT, "udp6", "ok, ok, unix EAFNOSUPPORT, 99 EAFNOSUPPORT");
	foreign(BIND, "tcp4", "EAFNOSUPPORT, EAFNOSUPPORT, unix EAFNOSUPPORT, 99 EAFNOSUPPORT");
	foreign(BIND, "tcp6", "EINVAL, EAFNOSUPPORT, unix EAFNOSUPPORT, 99 EAFNOSUPPORT");
	foreign(SEND, "udp4", "EAFNOSUPPORT, EAFNOSUPPORT, unix EAFNOSUPPORT, 99 EAFNOSUPPORT");
	foreign(SEND, "udp6", "ok, ok, unix EINVAL, 99 EINVAL");
	if (sock("mptcp4") >= 0) {
		lengths(CONNECT, "mptcp4", four);
		unspec(CONNECT, "mptcp4", "EINVAL, ok, ok, ok, ok, with address ok");
		foreign(CONNECT, "mptcp6", "EINVAL, EAFNOSUPPORT, unix EAFNOSUPPORT, 99 EAFNOSUPPORT");
	}
	unspec_is_sent();
	see("connect %s", result(connect(999, &(struct sockaddr){.sa_family = AF_INET}, 16)));
	see("bind %s", result(bind(999, NULL, 16)));
	see("sendto %s", result(sendto(999, "x", 1, 0, NULL, 16)));
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);
	see("no socket: %s", do_connect(file, "127.0.0.1", ONE));
	see("%s", do_bind(file, "127.0.0.1", 0));
	see("%s", do_send(file, "127.0.0.1", ONE, 0));
	see("and no address: %s", result(connect(file, NULL, 16)));
	see("%s", result(bind(file, NULL, 16)));
	seen("bad-descriptor", "connect EBADF, bind EBADF, sendto EBADF, no socket: ENOTSOCK, ENOTSOCK, ENOTSOCK, "
	     "and no address: EFAULT, ENOTSOCK");
	return fact_end();
}
