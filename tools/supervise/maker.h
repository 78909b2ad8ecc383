/* maker.h - making a socket as another process would have made it.
 *
 * Theory of operation. A socket keeps for life what its maker was: the network namespace, the user and group of the file
 * system (fstat(2); `meta skuid` of nftables, `-m owner` of iptables, `uidrange` of ip-rule(8)), and the control group (BPF
 * programs of cgroups, `socket cgroupv2` of nftables, whom its memory is charged to). So who makes one in another's place
 * takes these on. The user is changed for this thread and this moment. Into another namespace or control group goes a
 * process of its own, which shares the descriptors, makes the socket and ends: nothing has to be found back from there.
 *
 * Not taken on: the groups of cgroup v1 (net_cls, net_prio). */
#ifndef PORTSHIM_TOOLS_SUPERVISE_MAKER_H
#define PORTSHIM_TOOLS_SUPERVISE_MAKER_H

#include "config/ports.h"
#include "shim/kernel.h"
#include "tools/supervise/client.h"

struct newborn {
	int domain, type, protocol; /* as socket(2) takes them */
	struct port_range range;    /* IP_LOCAL_PORT_RANGE */
};

/* The socket, O_CLOEXEC; or what socket(2) says, as -errno; or
 * -ESRCH   the client is gone;
 * -EXDEV   its network namespace cannot be entered from here;
 * -ERANGE  ip_local_port_range there does not hold the range, or keeps some of it reserved;
 * -EUSERS  its user's identity cannot be taken on;
 * -ENOBUFS no process can be started to make it. */
int maker_socket(struct client *client, const struct newborn *newborn);

/* Something else, which make() makes by system calls alone and returns, or -errno: in a process of its own in any case, in the
 * client's control group. -EUSERS: the client has another user or group than this process. */
int maker_apart(struct client *client, int (*make)(const void *context), const void *context);

/* Whether the kernel keeps sockets within the range by itself, by the settings read. */
bool maker_can_hold(const struct kernel *kernel, struct port_range range);

#endif
