/* bind.c - the system calls that give a socket its port. */
#define _GNU_SOURCE
#include "bind.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real.h"

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62 /* Linux 5.1 */
#endif

#define SIN6_LEN_RFC2133 24 /* without sin6_scope_id: the least that the kernel takes */
#define NAME_MAX_LEN sizeof(struct sockaddr_storage) /* the most */

/* --- names --------------------------------------------------------------------------------------- */

bool no_pointer(const void *at)
{
	uintptr_t address = (uintptr_t)at;

	return address < 4096 || address > UINTPTR_MAX - 4096 || (sizeof(at) == 8 && (intptr_t)at < 0);
}

/* The kernel takes an address from anywhere, aligned or not. */
static sa_family_t family_of(const struct sockaddr *addr)
{
	sa_family_t family;

	memcpy(&family, (const char *)addr + offsetof(struct sockaddr, sa_family), sizeof(family));
	return family;
}

bool name_is_inet(const struct sockaddr *addr, socklen_t len)
{
	sa_family_t family;

	if (no_pointer(addr) || len < sizeof(family) || len > NAME_MAX_LEN)
		return false;
	family = family_of(addr);
	if (family == AF_INET6)
		return len >= SIN6_LEN_RFC2133;
	return (family == AF_INET || family == AF_UNSPEC) && len >= sizeof(struct sockaddr_in);
}

bool name_is_unspec(const struct sockaddr *addr, socklen_t len)
{
	return !no_pointer(addr) && len >= sizeof(sa_family_t) && len <= NAME_MAX_LEN && family_of(addr) == AF_UNSPEC;
}

bool message_has_name(const struct msghdr *message, const struct sockaddr **addr, socklen_t *len)
{
	if (no_pointer(message))
		return false;
	*addr = message->msg_name;
	*len = message->msg_namelen;
	if (*len > NAME_MAX_LEN && *len <= INT_MAX) /* as the kernel does, in messages alone */
		*len = NAME_MAX_LEN;
	return name_is_inet(*addr, *len);
}

void name_copy(union name *name, const struct sockaddr *addr, socklen_t len)
{
	memset(name, 0, sizeof(*name));
	memcpy(name, addr, len < sizeof(*name) ? len : sizeof(*name));
	if (name->any.sa_family == AF_UNSPEC)
		name->any.sa_family = AF_INET;
}

static uint64_t big_endian(const uint8_t *bytes, int count)
{
	uint64_t number = 0;

	while (count-- > 0)
		number = number << 8 | *bytes++;
	return number;
}

static void set_v4(struct ip_addr *addr, uint32_t host_order)
{
	addr->hi = 0;
	addr->lo = host_order;
	addr->family = FAMILY_IPV4;
}

/* Wildcards included. */
static void read_address(struct ip_addr *addr, const union name *name)
{
	const uint8_t *bytes = name->v6.sin6_addr.s6_addr;

	if (name->any.sa_family == AF_INET) {
		set_v4(addr, ntohl(name->v4.sin_addr.s_addr));
	} else if (IN6_IS_ADDR_V4MAPPED(&name->v6.sin6_addr)) {
		set_v4(addr, (uint32_t)big_endian(bytes + 12, 4));
	} else {
		addr->family = FAMILY_IPV6;
		addr->hi = big_endian(bytes, 8);
		addr->lo = big_endian(bytes + 8, 8);
	}
}

uint32_t name_scope(const struct sockaddr *addr, socklen_t len)
{
	union name name;

	if (family_of(addr) != AF_INET6 || len < sizeof(name.v6))
		return 0;
	name_copy(&name, addr, len);
	return IN6_IS_ADDR_LINKLOCAL(&name.v6.sin6_addr) ? name.v6.sin6_scope_id : 0;
}

struct ip_addr name_address(const union name *name)
{
	struct ip_addr addr;

	read_address(&addr, name);
	if (addr.hi == 0 && addr.lo == 0)
		addr.family = 0;
	return addr;
}

bool name_read(struct endpoint *endpoint, const struct sockaddr *addr, socklen_t len, bool ipv6)
{
	union name name;
	struct ip_addr *to = &endpoint->addr;

	if (!name_is_inet(addr, len) || (family_of(addr) == AF_UNSPEC && ipv6))
		return false;
	name_copy(&name, addr, len);
	endpoint->port = name_port(&name.any);
	read_address(to, &name);
	if (to->hi == 0 && to->lo == 0)
		to->lo = to->family == FAMILY_IPV4 ? INADDR_LOOPBACK : 1;
	return true;
}

/* sin_port and sin6_port lie at the same place. */
uint16_t name_port(const struct sockaddr *addr)
{
	uint16_t port;

	memcpy(&port, (const char *)addr + offsetof(struct sockaddr_in, sin_port), sizeof(port));
	return ntohs(port);
}

void name_set_port(union name *name, uint16_t port)
{
	name->v4.sin_port = htons(port);
}

socklen_t name_length(const union name *name)
{
	return name->any.sa_family == AF_INET6 ? sizeof(name->v6) : sizeof(name->v4);
}

bool name_is_wildcard(const union name *name)
{
	return name->any.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&name->v6.sin6_addr) :
	                                         name->v4.sin_addr.s_addr == INADDR_ANY;
}

static void put_big_endian(uint8_t *bytes, uint64_t number, int count)
{
	while (count-- > 0) {
		bytes[count] = (uint8_t)number;
		number >>= 8;
	}
}

void name_make(union name *name, bool ipv6, const struct ip_addr *source)
{
	memset(name, 0, sizeof(*name));
	if (!ipv6) {
		name->v4.sin_family = AF_INET;
		name->v4.sin_addr.s_addr = htonl((uint32_t)source->lo);
		return;
	}
	name->v6.sin6_family = AF_INET6;
	put_big_endian(name->v6.sin6_addr.s6_addr, source->hi, 8);
	put_big_endian(name->v6.sin6_addr.s6_addr + 8, source->lo, 8);
	if (source->family == FAMILY_IPV4)
		name->v6.sin6_addr.s6_addr[10] = name->v6.sin6_addr.s6_addr[11] = 0xff;
}

int bind_name_of(int fd, union name *name)
{
	socklen_t len = sizeof(*name);

	return real.getsockname(fd, &name->any, &len) < 0 ? -errno : 0;
}

uint16_t bind_port_of(int fd)
{
	union name name = { .v6 = { 0 } };
	socklen_t len = sizeof(name);

	return real.getsockname(fd, &name.any, &len) < 0 ? 0 : name_port(&name.any);
}

bool bind_has_peer(int fd)
{
	union name name;
	socklen_t len = sizeof(name);

	return getpeername(fd, &name.any, &len) == 0;
}

/* --- early --------------------------------------------------------------------------------------- */

static bool switch_off(int fd, int option)
{
	int value = 0, off = 0;
	socklen_t len = sizeof(value);

	return real.getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value &&
	       real.setsockopt(fd, SOL_SOCKET, option, &off, sizeof(off)) == 0;
}

static void switch_on(int fd, int option)
{
	int on = 1;

	real.setsockopt(fd, SOL_SOCKET, option, &on, sizeof(on));
}

int bind_early(int fd, const struct sock *sock, const union name *name)
{
	bool address = sock->reuse && switch_off(fd, SO_REUSEADDR);
	bool port = sock->reuse && switch_off(fd, SO_REUSEPORT);
	int error = real.bind(fd, &name->any, name_length(name)) < 0 ? -errno : 0;

	if (port)
		switch_on(fd, SO_REUSEPORT);
	if (address)
		switch_on(fd, SO_REUSEADDR);
	return error;
}

bool bind_reuses(int fd, const struct sock *sock)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return sock->reuse && real.getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &len) == 0 && value;
}

int bind_reserved(int fd, union name *name, int *port)
{
	int first;

	if (*port < BIND_RESERVED_FIRST)
		*port = BIND_RESERVED_FIRST;
	else if (*port > BIND_RESERVED_LAST)
		*port = BIND_RESERVED_LAST;
	first = *port;
	do {
		name_set_port(name, (uint16_t)*port);
		if (real.bind(fd, &name->any, name_length(name)) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
		if ((*port)-- == BIND_RESERVED_FIRST)
			*port = BIND_RESERVED_LAST;
	} while (*port != first);
	return -EAGAIN;
}

/* Processes begin at different ones. */
static int first_reserved(void)
{
	return BIND_RESERVED_FIRST + getpid() % (BIND_RESERVED_LAST - BIND_RESERVED_FIRST + 1);
}

/* A socket has its family in its name, bound or not. */
int bind_reserved_at(int fd, struct sockaddr *addr)
{
	int port = first_reserved(), error;
	union name name;

	if (addr)
		name_copy(&name, addr, addr->sa_family == AF_INET6 ? sizeof(name.v6) : sizeof(name.v4));
	error = addr ? 0 : bind_name_of(fd, &name);
	if (!error && name.any.sa_family != AF_INET && name.any.sa_family != AF_INET6)
		error = -EPFNOSUPPORT;
	if (!error)
		error = bind_reserved(fd, &name, &port);
	if (!error && addr)
		name_set_port((union name *)addr, (uint16_t)port);
	if (error)
		errno = -error;
	return error ? -1 : 0;
}

void bind_let_share(int fd)
{
	switch_on(fd, SO_REUSEADDR);
}

int bind_shared(int fd, const struct sock *sock, const union name *name)
{
	bool was = bind_reuses(fd, sock);
	int error;

	switch_on(fd, SO_REUSEADDR);
	error = real.bind(fd, &name->any, name_length(name)) < 0 ? -errno : 0;
	if (error && !was)
		switch_off(fd, SO_REUSEADDR);
	return error;
}

/* --- late, and put off --------------------------------------------------------------------------- */

/* 0 or -errno; -ENOPROTOOPT where there is no such option. A sandbox that does not let it through is as a kernel that
 * lacks it: the kernel itself refuses neither of the two options for want of rights. */
static int set_ip_option(int fd, int option, const void *value, socklen_t len)
{
	if (real.setsockopt(fd, IPPROTO_IP, option, value, len) == 0)
		return 0;
	return errno == EPERM || errno == EACCES || errno == ENOSYS || errno == EOPNOTSUPP ? -ENOPROTOOPT : -errno;
}

int bind_set_range(int fd, uint16_t lo, uint16_t hi)
{
	uint32_t range = (uint32_t)hi << 16 | lo;

	return set_ip_option(fd, IP_LOCAL_PORT_RANGE, &range, sizeof(range));
}

int bind_address(int fd, const struct sock *sock, const union name *name)
{
	int on = 1, off = 0, error = 0;

	if (!sock->no_port)
		error = set_ip_option(fd, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (error)
		return error;
	error = real.bind(fd, &name->any, name_length(name)) < 0 ? -errno : 0;
	if (!sock->no_port)
		real.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &off, sizeof(off));
	return error;
}

int bind_interface_of(int fd)
{
	int interface = 0;
	socklen_t len = sizeof(interface);

	return real.getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &interface, &len) == 0 ? interface : 0;
}

static void bind_interface(int fd, int interface)
{
	real.setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &interface, sizeof(interface));
}

/* Disconnecting releases such a port: of a datagram socket at once, of a stream only on its way out of another state, and
 * listening is the one that sends nothing (measured: tests/platform/release.c). */
int bind_release(int fd, const struct sock *sock)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int interface = bind_interface_of(fd);

	if (sock->stream && real.listen(fd, 0) < 0)
		return -errno;
	if (syscall(SYS_connect, fd, &nobody, sizeof(nobody)) < 0)
		return -errno;
	/* Disconnecting a datagram socket takes it off its interface as well. */
	if (interface)
		bind_interface(fd, interface);
	return 0;
}

/* --- what a second, short-lived socket can tell ---------------------------------------------------- */

static int scratch_socket(sa_family_t family)
{
	return real.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void scratch_close(int fd)
{
	syscall(SYS_close, fd); /* libc's is a cancellation point */
}

static bool is_multicast(const struct ip_addr *addr)
{
	return addr->family == FAMILY_IPV6 ? addr->hi >> 56 == 0xff : IN_MULTICAST(addr->lo);
}

uint16_t bind_reserved_next(bool ipv6, bool stream)
{
	static const struct ip_addr any;
	int fd = real.socket(ipv6 ? AF_INET6 : AF_INET, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	int port = first_reserved(), error;
	union name name;

	if (fd < 0)
		return 0;
	name_make(&name, ipv6, &any);
	error = bind_reserved(fd, &name, &port);
	scratch_close(fd);
	return error ? 0 : (uint16_t)port;
}

/* Local is what can be bound and then connected to from there: broadcast addresses can only be bound. libc's connect is
 * a cancellation point, the system call is not; a datagram socket never waits in it. */
bool addr_is_local(const struct endpoint *to)
{
	union name name;
	bool ipv6 = to->addr.family == FAMILY_IPV6, local;
	int fd;

	if (ipv6 ? to->addr.hi == 0 && to->addr.lo == 1 : to->addr.lo >> 24 == IN_LOOPBACKNET)
		return true;
	if (is_multicast(&to->addr))
		return false;
	name_make(&name, ipv6, &to->addr);
	fd = scratch_socket(name.any.sa_family);
	if (fd < 0)
		return true;
	local = real.bind(fd, &name.any, name_length(&name)) == 0;
	name_set_port(&name, 9);
	local = local && syscall(SYS_connect, fd, &name, name_length(&name)) == 0;
	scratch_close(fd);
	return local;
}

/* Routes may depend on the interface and on the mark. */
static void copy_route(int fd, int scratch)
{
	int interface = bind_interface_of(fd), mark = 0;
	socklen_t len = sizeof(mark);

	if (interface)
		bind_interface(scratch, interface);
	if (real.getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &len) == 0 && mark)
		real.setsockopt(scratch, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

int source_of(int fd, const struct sockaddr *addr, socklen_t len, struct ip_addr *source)
{
	int scratch = scratch_socket(family_of(addr)), error = 0;
	union name name = { .any = { 0 } };

	if (scratch < 0)
		return -errno;
	copy_route(fd, scratch);
	if (syscall(SYS_connect, scratch, addr, len) < 0)
		error = -errno;
	else
		error = bind_name_of(scratch, &name);
	scratch_close(scratch);
	if (!error)
		*source = name_address(&name);
	return error;
}
