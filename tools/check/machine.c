/* machine.c - asking the kernel and the machine's files. */
#define _GNU_SOURCE
#include "tools/check/machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/locate.h"
#include "shim/bind.h"
#include "tools/memory.h"
#include "tools/snapshot.h"
#include "tools/utf8.h"

#define UNPRIVILEGED_FILE "/proc/sys/net/ipv4/ip_unprivileged_port_start"
#define UNPRIVILEGED_USUAL 1024

/* --- settings ------------------------------------------------------------------------------------------- */

static uint32_t unprivileged_read(void)
{
	struct arena arena = { .chunks = NULL };
	size_t length;
	int error;
	uint64_t number = UNPRIVILEGED_USUAL;
	const char *words = locate_read(&arena, UNPRIVILEGED_FILE, &length, &error);
	if (words && !text_to_number(words, strspn(words, "0123456789"), 65536, &number))
		number = UNPRIVILEGED_USUAL;
	arena_free(&arena);
	return (uint32_t)number;
}

static bool ranges_are_taken(void)
{
	const int range = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool taken = fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) == 0;
	if (fd >= 0)
		close(fd);
	return taken;
}

/* --- addresses ------------------------------------------------------------------------------------------ */

static void name_of(union name *name, const struct ip_addr *addr, uint16_t port)
{
	name_make(name, addr->family == FAMILY_IPV6, addr);
	name_set_port(name, port);
}

/* For any address: SO_BROADCAST, or a broadcast address is refused (EACCES) as a prohibited one is. */
static int scratch_open(const struct ip_addr *addr)
{
	const int one = 1;
	int fd = socket(addr->family == FAMILY_IPV6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	return fd < 0 ? -errno : fd;
}

static int address_ask(const struct ip_addr *addr)
{
	union name name;
	int fd = scratch_open(addr);
	if (fd < 0)
		return fd;
	name_of(&name, addr, 0);
	int error = syscall(SYS_bind, fd, &name.any, name_length(&name)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* connect() of a datagram socket looks for the route and sends nothing (tests/platform/routes.c). The system calls themselves:
 * this program may have the library in it, and takes no port of a set. */
static int route_ask(const struct ip_addr *source, const struct ip_addr *to)
{
	union name name;
	int fd = scratch_open(to);
	if (fd < 0)
		return fd;
	if (source && source->family == to->family) {
		name_of(&name, source, 0);
		syscall(SYS_bind, fd, &name.any, name_length(&name)); /* where that fails, the route is asked for without */
	}
	name_of(&name, to, 9);
	int error = syscall(SYS_connect, fd, &name.any, name_length(&name)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* --- services ------------------------------------------------------------------------------------------- */

static uint8_t protocol_of(const char *name)
{
	for (unsigned bit = 1; bit & PROTOCOL_ANY; bit <<= 1)
		if (strcmp(name, protocol_name((uint8_t)bit)) == 0)
			return (uint8_t)bit;
	return 0;
}

static int by_port(const void *a, const void *b)
{
	const struct service *one = a, *other = b;
	if (one->port != other->port)
		return one->port < other->port ? -1 : 1;
	return strcmp(one->name, other->name);
}

/* The same name for another protocol is the same service. */
static size_t services_join(struct service *service, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (kept && by_port(&service[kept - 1], &service[i]) == 0)
			service[kept - 1].protocols |= service[i].protocols;
		else
			service[kept++] = service[i];
	}
	return kept;
}

/* One pass through services(5), or where else nsswitch.conf(5) says that they are. */
static void services_read(struct machine *machine)
{
	struct service *service = NULL;
	size_t n = 0, room = 0;
	setservent(1);
	for (const struct servent *entry; (entry = getservent()) != NULL;) {
		uint16_t port = ntohs((uint16_t)entry->s_port);
		uint8_t protocol = protocol_of(entry->s_proto);
		if (!port || !protocol)
			continue;
		service = memory_for_one(service, n, &room, sizeof(*service));
		service[n] = (struct service){ .port = port, .protocols = protocol };
		snprintf(service[n].name, sizeof(service[n].name), "%s", entry->s_name);
		utf8_clean(service[n++].name);
	}
	endservent();
	if (n)
		qsort(service, n, sizeof(*service), by_port);
	machine->service = service;
	machine->services = services_join(service, n);
}

/* -------------------------------------------------------------------------------------------------------- */

void machine_ask(struct machine *machine, const struct policy *policy)
{
	memset(machine, 0, sizeof(*machine));
	kernel_read(&machine->kernel);
	machine->unprivileged = unprivileged_read();
	machine->takes_ranges = ranges_are_taken();
	machine->rewrites = nat_rewrites();
	machine->route = route_ask;
	machine->address = address_ask;
	routes_ask(machine);
	services_read(machine);
	held_ask(machine, policy);
}

void machine_free(struct machine *machine)
{
	free((void *)(uintptr_t)machine->service);
	free((void *)(uintptr_t)machine->held);
	free((void *)(uintptr_t)machine->tally);
	free((void *)(uintptr_t)machine->routed);
	memset(machine, 0, sizeof(*machine));
}
