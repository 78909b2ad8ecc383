/* machine.h - what `portshim check` must know of the machine it runs on, asked once. */
#ifndef PORTSHIM_TOOLS_CHECK_MACHINE_H
#define PORTSHIM_TOOLS_CHECK_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/policy.h"
#include "shim/kernel.h"
#include "tools/sockets.h"

/* A port that a service has a name for. */
struct service {
	uint16_t port;
	uint8_t protocols;  /* bits of enum protocol */
	char name[32];
};

/* A port that a socket has to itself: it listens, or is bound and not connected. */
struct held_port {
	uint16_t port;
	uint8_t protocol;
	struct ip_addr addr;         /* as asked.local.addr */
	uint32_t user;
	uint64_t inode;
	uint32_t pid;                /* 0: this user may not know */
	char program[PROGRAM_SIZE];  /* fit to be shown */
};

/* What the table has of a rule. */
struct tally {
	uint64_t id, given, failures;
};

struct machine {
	struct kernel kernel;
	uint32_t unprivileged;       /* net.ipv4.ip_unprivileged_port_start: from there on every process may bind */
	bool takes_ranges;           /* IP_LOCAL_PORT_RANGE, Linux 6.3 */
	bool rewrites;               /* what is sent from here may have its destination changed (nat.c) */
	const struct service *service;
	size_t services;             /* by port */
	const struct held_port *held;
	size_t n_held;               /* by port, in the sets of the policy, without those of programs under portshim */
	const struct tally *tally;
	size_t tallies;
	const struct target *routed;
	size_t n_routed;             /* networks that a route leads into, the main table's */
	/* Whether a datagram from `source` (NULL or family 0: any address) would find its way to `to`: 0 or -errno. Nothing is sent. */
	int (*route)(const struct ip_addr *source, const struct ip_addr *to);
	/* Whether a socket can be bound to this address: 0 or -errno. */
	int (*address)(const struct ip_addr *addr);
};

/* All of it, as far as it may be known, for this policy. */
void machine_ask(struct machine *machine, const struct policy *policy);
void machine_free(struct machine *machine);

/* nat.c: whether nftables here may rewrite the destination of what this machine sends.
 * Needs CAP_NET_ADMIN; false where nothing may be known. */
bool nat_rewrites(void);

/* routes.c: fills `routed` from /proc/net/route and /proc/net/ipv6_route. */
void routes_ask(struct machine *machine);

/* held.c: fills `held`. */
void held_ask(struct machine *machine, const struct policy *policy);

#endif
