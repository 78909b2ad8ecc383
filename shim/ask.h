/* ask.h - asking the kernel which sockets there are (sock_diag(7), NETLINK_SOCK_DIAG).
 *
 * Unprivileged, sees the sockets of all users in the network namespace of the calling thread, IPv4 on IPv6 sockets
 * included. Each call opens a netlink socket and closes it again: nothing is kept. Only raw system calls are made
 * (no hooked name, no cancellation point), no malloc, frames below 1 KiB: async-signal-safe. Functions return 0 or
 * -errno, and errno may change. What was measured of these answers is in tests/platform/ask.c. */
#ifndef PORTSHIM_SHIM_ASK_H
#define PORTSHIM_SHIM_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/address.h"
#include "config/ports.h"

enum tuple {
	TUPLE_FREE,      /* no such connection */
	TUPLE_TIME_WAIT, /* one that is over: an early bind takes it over */
	TUPLE_LIVE,      /* in any other state, but listening */
	TUPLE_UNKNOWN,   /* the kernel cannot be asked */
};

/* The state of exactly this TCP connection, as a socket that is bound to `interface` (0: to none) would meet it. `local`
 * needs its concrete address. One request, about 10 us. */
enum tuple ask_tuple(const struct endpoint *local, const struct endpoint *remote, int interface);

/* A socket as sock_diag tells of it. */
struct asked {
	uint8_t protocol;     /* one bit of enum protocol */
	uint8_t state;        /* TCP_ESTABLISHED ... of <netinet/tcp.h>; TCP_CLOSE for an unconnected datagram socket,
	                       * and for a stream that is bound and no more (told of since Linux 6.8) */
	struct endpoint local, remote; /* v4-mapped as IPv4; port 0 where there is none */
	uint32_t user;
	uint64_t inode;       /* 0: no process has it any more */
};
typedef void ask_listener(void *context, const struct asked *socket);

/* What is asked for. */
struct ask_what {
	uint8_t protocol;           /* one bit of enum protocol */
	struct port_range ports;    /* local ports, both inclusive */
	const struct endpoint *to;  /* only sockets connected there, and listening ones; NULL: all */
};

#define ASK_BUFFER_SIZE 32768

/* Tells the listener of every such socket, IPv4 and IPv6. `buffer` of ASK_BUFFER_SIZE, aligned for any type. A socket that
 * comes or goes meanwhile may be told of or not; one that stays is told of. */
int ask_all(const struct ask_what *what, void *buffer, ask_listener *listener, void *context);

#endif
