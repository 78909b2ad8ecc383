/* bind.h - the two ways into the kernel by which a socket gets a port.
 *
 * Late: the port is handed over as a range of one (IP_LOCAL_PORT_RANGE, Linux 6.3) and the kernel takes it inside
 * connect(), where it knows the whole 4-tuple, so that a port serves one connection to each destination. Only TCP is
 * taken late, and only ports inside ip_local_port_range that are not reserved: outside, the kernel ignores the range
 * without a word.
 *
 * Early: bind() before the call. It says at once whether the port is free. The port is the socket's alone, or shared with
 * connections to other destinations: then bind() says nothing of them, a clash shows in connect() and the socket
 * keeps the port for good, so the 4-tuple must be known to be free before.
 *
 * The two do not mix on one port (each finds the other's ports taken), so the way is a property of the port,
 * the same in every process: kernel_takes_late() says which. Functions return 0 or -errno. */
#ifndef PORTSHIM_SHIM_BIND_H
#define PORTSHIM_SHIM_BIND_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/policy.h"
#include "sock.h"

/* A local or remote name in the form that the kernel takes. */
union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Whether an address from the program is one to look at: not plainly a wrong pointer (the kernel is to say EFAULT), of
 * IPv4, IPv6 or AF_UNSPEC (which bind() and UDP's sendto() take for IPv4), and of a length that the kernel takes for that. */
bool name_is_inet(const struct sockaddr *addr, socklen_t len);

/* AF_UNSPEC, for connect(): the socket is to be disconnected. */
bool name_is_unspec(const struct sockaddr *addr, socklen_t len);

/* The destination of a message, if it has one to look at. */
bool message_has_name(const struct msghdr *message, const struct sockaddr **addr, socklen_t *len);

/* Reads such an address (false if it is none; AF_UNSPEC is none for a socket of IPv6). v4-mapped addresses come out as
 * IPv4, 0.0.0.0 and :: as loopback, which is where they lead. */
bool name_read(struct endpoint *endpoint, const struct sockaddr *addr, socklen_t len, bool ipv6);

/* Copies such an address, AF_UNSPEC as AF_INET. */
void name_copy(union name *name, const struct sockaddr *addr, socklen_t len);

/* Its port in host byte order. */
uint16_t name_port(const struct sockaddr *addr);
void name_set_port(union name *name, uint16_t port);
socklen_t name_length(const union name *name);
bool name_is_wildcard(const union name *name);

/* The interface that a link-local destination is on; 0 for all others. */
uint32_t name_scope(const struct sockaddr *addr, socklen_t len);

/* Its address, v4-mapped as IPv4; family 0 for a wildcard. */
struct ip_addr name_address(const union name *name);

/* The wildcard address of the socket's family, or `source` in it. Port 0. */
void name_make(union name *name, bool ipv6, const struct ip_addr *source);

/* What cannot be an address of this process (the first and the last page, and the kernel's half of 64 bits); anything
 * else is read, as libc reads what it is given. */
bool no_pointer(const void *at);

/* The address and the port that the socket is bound to. 0 or -errno. */
int bind_name_of(int fd, union name *name);

/* Binds `name` exclusively: SO_REUSEADDR and SO_REUSEPORT, where the program has set them, are off for as long as
 * the kernel decides and on again after (with them on, bind() would succeed on a port that others hold, and
 * the clash would show in connect() only, when the port cannot be given back any more). Where it fails, an address that
 * the socket had without a port is off it again. */
int bind_early(int fd, const struct sock *sock, const union name *name);

/* Whether SO_REUSEADDR is on, by the program's own doing. */
bool bind_reuses(int fd, const struct sock *sock);

/* After bind_early(): connections to other destinations may have the port as well. SO_REUSEADDR stays on: who comes later
 * is refused if it is ever off. */
void bind_let_share(int fd);

/* Binds `name`, whose port others that let share have. Where it fails, the socket's options are as before. */
int bind_shared(int fd, const struct sock *sock, const union name *name);

/* The range that the kernel is to pick from, inside connect(); 0, 0: its own again. */
int bind_set_range(int fd, uint16_t lo, uint16_t hi);

/* Binds the address alone; the port is given later (IP_BIND_ADDRESS_NO_PORT, Linux 4.2). */
int bind_address(int fd, const struct sock *sock, const union name *name);

/* Takes the port away again that the kernel chose (one that bind() named cannot be taken away), of a stream that is in no
 * connection or of a datagram socket. The address must be bound again with the next port. */
int bind_release(int fd, const struct sock *sock);

/* The port that a datagram socket has, 0 if none; and whether it has a peer. */
uint16_t bind_port_of(int fd);
bool bind_has_peer(int fd);

/* Whether the address is one of this machine's, so that a connection could meet itself. In doubt: true. */
bool addr_is_local(const struct endpoint *to);

/* The address that a connection of `fd` to `addr` would leave from, if the socket is bound to none. -EADDRNOTAVAIL: this
 * machine has none (IPv6 switched off); connect() says that just as it does where a port is taken. */
int source_of(int fd, const struct sockaddr *addr, socklen_t len, struct ip_addr *source);

/* Binds a reserved port (bindresvport(3), rresvport(3)): *port, or the next one below that is free, and round; leaves it in
 * *port. -EAGAIN: all are in use. */
#define BIND_RESERVED_FIRST 512
#define BIND_RESERVED_LAST 1023
int bind_reserved(int fd, union name *name, int *port);

/* The same at *addr, of IPv4 or IPv6, where the port is left; NULL: at no address, of the socket's family. Returns -1 and
 * errno, as libtirpc's bindresvport_sa() does, for which it stands in. */
int bind_reserved_at(int fd, struct sockaddr *addr);

/* The port that it would be for a socket of this kind; 0 if none is free, or this process may not have one. */
uint16_t bind_reserved_next(bool ipv6, bool stream);

/* The interface that the socket is bound to (SO_BINDTODEVICE), 0 if none. */
int bind_interface_of(int fd);

#endif
