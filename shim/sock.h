/* sock.h - what is known of a socket, by its descriptor, without asking the kernel.
 *
 * Theory of operation. A send on a bound socket must cost no system call of ours, a connect at most one. So
 * the library remembers, for each descriptor number, what its socket is. The memory is a hint with one rule:
 * whatever makes a descriptor (socket, accept, dup, fcntl, a message with SCM_RIGHTS) writes or forgets its
 * entry, so that no entry outlives the number's reuse; close() need not be watched, and cannot be (close_range,
 * exec, fclose and the kernel itself close as well). A descriptor without an entry is asked of the kernel.
 *
 * What an entry may get wrong is chosen to be harmless. "Unbound" that is not true any more (the socket was
 * bound through a copy of the descriptor) is found out by bind(), which answers EINVAL; a late range on a bound
 * socket changes nothing. A bind that was put off leaves a mark on the socket, for those that have it by another
 * descriptor. "Settled" is only ever written behind a bind to a port by name, which nothing takes away
 * again; it is never copied, since a child of vfork() writes into its parent's memory. close() forgets as well, as
 * a hint. Entries are single atomic words: threads, signal handlers and forks need no lock. */
#ifndef PORTSHIM_SHIM_SOCK_H
#define PORTSHIM_SHIM_SOCK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24 /* Linux 4.2 */
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3 */
#endif

enum sock_state {
	SOCK_UNBOUND,  /* no local port, as far as is known */
	SOCK_DEFERRED, /* the program bound an address and port 0, and portshim put the port off */
	SOCK_LENT,     /* likewise, but the program has asked for the port since, and the kernel gave one that can be
	                * taken back when a rule with a destination decides */
	SOCK_TRIED,    /* TCP with a late range set and connect() called: bound while that lasts */
	SOCK_DECIDED,  /* UDP: the policy let a call pass, and the kernel chose. It stays so for sends; disconnecting (by
	                * whomever) takes such a port away, so that connect() asks again */
	SOCK_SETTLED,  /* has a port that bind() named, for good */
};

struct sock {
	uint8_t protocol;      /* one bit of enum protocol; 0: not a socket that has ports */
	bool ipv6;
	bool reuse;            /* SO_REUSEADDR or SO_REUSEPORT may be on */
	bool lets_share;       /* SO_REUSEADDR is on, and portshim switched it on */
	bool ranged;           /* a late range is set */
	bool no_port;          /* the program set IP_BIND_ADDRESS_NO_PORT */
	uint16_t reserved;     /* the bind that was put off goes to this reserved port, if no rule decides; 0: to any */
	bool copied;           /* the socket has another descriptor, by which it may have been bound */
	bool addressed;        /* bound to an address without a port, by whomever */
	bool early_only;       /* IP_LOCAL_PORT_RANGE is not ours to set: the program did, or the socket came from elsewhere,
	                        * perhaps from another network namespace with another range */
	bool stream;           /* connect() makes a connection: all but UDP and one-to-many SCTP */
	bool withheld;         /* protocol is 0 because nobody may ask what it is (a sandbox): it can be any */
	enum sock_state state;
};

/* What is remembered of `fd`; else, and where a copy may know better, what the kernel says. False if `fd` has no ports
 * (another family, a raw socket, no socket, closed). errno may change. */
bool sock_know(int fd, struct sock *sock);

/* What is remembered of `fd`: something that has no ports; a socket that has its port; a bind put off. False where
 * nothing is. */
bool sock_is_other(int fd);
bool sock_is_known(int fd);
bool sock_is_settled(int fd);
bool sock_is_decided(int fd);
bool sock_is_deferred(int fd);
bool sock_lets_share(int fd);
bool sock_is_copied(int fd);
/* The reserved port that a bind was put off for; 0: none was. */
uint16_t sock_put_off_port(int fd);

/* Whether bounds for the local port that the kernel has of `fd` (IP_LOCAL_PORT_RANGE) are not the program's own. */
bool sock_range_is_ours(int fd);

/* Bounds, as IP_LOCAL_PORT_RANGE takes them, that mark a socket whose bind was put off, and one whose port is lent. They
 * exclude nothing (measured: tests/platform/late_range.c), and tell every process that has the socket. */
enum sock_mark {
	MARK_PUT_OFF = 0, /* the lower bound */
	MARK_LENT = 1,
};
#define MARK_HI 65535

bool sock_is_mark(int bounds);
/* Sets one, but on a socket that has bounds of the program's own. errno may change. */
void sock_mark(int fd, const struct sock *sock, enum sock_mark mark);

void sock_remember(int fd, const struct sock *sock);
void sock_forget(int fd);
/* close_range(2): all from `first` to `last`. */
void sock_forget_range(unsigned int first, unsigned int last);

/* Fills what the arguments of socket(2) say; protocol 0: no socket of ours. */
void sock_classify(struct sock *sock, int domain, int type, int protocol);
/* socket(2) made `fd`. */
void sock_born(int fd, int domain, int type, int protocol);
/* dup(2) and its kin: `to` is another name of the socket behind `fd`. */
void sock_copied(int fd, int to);
/* connect(2) with AF_UNSPEC succeeded: the port may be gone. */
void sock_disconnected(int fd);
/* setsockopt(2) succeeded on `fd`. */
void sock_option_set(int fd, int level, int option, const void *value, socklen_t len);
/* recvmsg(2) filled `message`: descriptors in it are new here. */
void sock_received(const struct msghdr *message);

/* Whether a TCP socket is in no connection and not on its way into one (TCP_INFO). */
bool sock_is_idle(int fd);
bool sock_is_nonblocking(int fd);

#endif
