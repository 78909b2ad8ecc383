/* descriptors.c - what a descriptor tells about its socket, and what fork and vfork do to memory
 * that remembers descriptors. */
#include "fact.h"
#include <poll.h>
#include <sys/mman.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#define FULL 9010 /* a server whose backlog is full */
#define CLOSED 9099

static const char *state(int fd)
{
	static const char *const names[] = {"0", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
					    "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"};
	unsigned char byte = 0xff;
	socklen_t len = 1;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &byte, &len) < 0)
		return errno_word(errno);
	return len == 1 && byte < sizeof(names) / sizeof(names[0]) ? names[byte] : "something else";
}

static void kinds(void)
{
	int un = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	int lite = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDPLITE), pipes[2];
	int ping = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
	int fds[] = {sock("tcp4"), sock("mptcp4"), sock("udp6"), un};
	static const char *const names[] = {"tcp", "mptcp", "udp6", "unix"};
	static const char *const expected[] = {"2 1 6", "2 1 262", "10 2 17", "1 1 0"};
	for (int i = 0; i < 4; i++) {
		char name[32];
		snprintf(name, sizeof(name), "domain-type-protocol %s", names[i]);
		if (fds[i] >= 0)
			fact(name, expected[i], "%d %d %d", get_int(fds[i], SOL_SOCKET, SO_DOMAIN),
			     get_int(fds[i], SOL_SOCKET, SO_TYPE), get_int(fds[i], SOL_SOCKET, SO_PROTOCOL));
		else
			note(name, "not in this kernel");
	}
	if (raw >= 0) /* without the capability there is none */
		fact("domain-type-protocol raw", "2 3 1", "%d %d %d", get_int(raw, SOL_SOCKET, SO_DOMAIN),
		     get_int(raw, SOL_SOCKET, SO_TYPE), get_int(raw, SOL_SOCKET, SO_PROTOCOL));
	if (lite >= 0)
		fact("domain-type-protocol udplite", "2 2 136", "%d %d %d", get_int(lite, SOL_SOCKET, SO_DOMAIN),
		     get_int(lite, SOL_SOCKET, SO_TYPE), get_int(lite, SOL_SOCKET, SO_PROTOCOL));
	else
		note("domain-type-protocol udplite", "not in this kernel");
	if (ping >= 0) /* SOCK_DGRAM, but not UDP */
		fact("domain-type-protocol ping", "2 2 1", "%d %d %d", get_int(ping, SOL_SOCKET, SO_DOMAIN),
		     get_int(ping, SOL_SOCKET, SO_TYPE), get_int(ping, SOL_SOCKET, SO_PROTOCOL));
	if (pipe2(pipes, O_CLOEXEC) < 0)
		broken("pipe");
	see("pipe %s", result(getsockopt(pipes[0], SOL_SOCKET, SO_DOMAIN, &(int){0}, &(socklen_t){4})));
	int old = pipes[0];
	close(old);
	see("closed %s", result(getsockopt(old, SOL_SOCKET, SO_DOMAIN, &(int){0}, &(socklen_t){4})));
	int again = sock("tcp4");
	see("%s", again == old ? "number reused at once" : "another number");
	seen("descriptor-numbers", "pipe ENOTSOCK, closed EBADF, number reused at once");
}

static void settle(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	poll(&p, 1, 1000);
}

static void states(const char *kind)
{
	char name[32];
	int fresh = sock(kind), bound = sock(kind), listening = sock(kind), refused = sock(kind), good = sock(kind);
	int full = sock("tcp4"), fds[4];
	see("fresh %s", state(fresh));
	do_bind(bound, "127.0.0.1", 0);
	see("bound %s", state(bound));
	do_listen(listening);
	see("listening %s", state(listening));
	do_set(full, SOL_SOCKET, SO_REUSEADDR, 1);
	do_bind(full, "127.0.0.1", FULL);
	listen(full, 0);
	for (int i = 0; i < 4; i++) {
		fcntl(fds[i] = sock("tcp4"), F_SETFL, O_NONBLOCK);
		do_connect(fds[i], "127.0.0.1", FULL);
	}
	fcntl(fresh, F_SETFL, O_NONBLOCK);
	see("%s", do_connect(fresh, "127.0.0.1", FULL));
	see("%s", state(fresh));
	see("again %s", do_connect(fresh, "127.0.0.1", FULL));
	fcntl(refused, F_SETFL, O_NONBLOCK);
	see("%s", do_connect(refused, "127.0.0.1", CLOSED));
	settle(refused);
	see("%s", state(refused));
	see("told by the next connect: %s", do_connect(refused, "127.0.0.1", ONE));
	fcntl(good, F_SETFL, O_NONBLOCK);
	do_connect(good, "127.0.0.1", ONE);
	settle(good);
	see("%s", state(good));
	see("connect again %s", do_connect(good, "127.0.0.1", ONE));
	see("and again %s", do_connect(good, "127.0.0.1", ONE));
	snprintf(name, sizeof(name), "tcp-info %s", kind);
	seen(name, "fresh CLOSE, bound CLOSE, listening LISTEN, EINPROGRESS, SYN_SENT, again EALREADY, EINPROGRESS, CLOSE, "
	     "told by the next connect: ECONNREFUSED, ESTABLISHED, connect again ok, and again EISCONN");
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close(fresh), close(listening), close(full), close(refused), close(good), close(bound);
}

static void memory(void)
{
	volatile unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	see("%s", result(madvise((void *)page, 4096, MADV_WIPEONFORK)));
	page[0] = 7;
	pid_t child = fork();
	if (child == 0)
		_exit(page[0]);
	waitpid(child, &status, 0);
	see("fork child reads %d", WEXITSTATUS(status));
	child = vfork();
	if (child == 0) {
		page[1] = 9; /* measured on purpose: the memory is the parent's */
		_exit(page[0]);
	}
	waitpid(child, &status, 0);
	see("vfork child reads %d", WEXITSTATUS(status));
	see("parent keeps %d", page[0]);
	see("and sees the vfork child's %d", page[1]);
	seen("wipe-on-fork", "ok, fork child reads 0, vfork child reads 7, parent keeps 7, and sees the vfork child's 9");
}

int main(void)
{
	fact_begin();
	serve("tcp6", ONE);
	kinds();
	states("tcp4");
	int m = sock("mptcp4");
	if (m >= 0)
		states("mptcp4");
	int udp = sock("udp4"), un = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	see("udp %s", state(udp));
	see("unix %s", state(un));
	seen("tcp-info-elsewhere", "udp EOPNOTSUPP, unix EOPNOTSUPP");
	memory();
	return fact_end();
}
