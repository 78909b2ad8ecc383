/* way.c - a call's way into the kernel, by its rule and its kind. */
#define _GNU_SOURCE
#include "way.h"

#include <errno.h>
#include <sys/socket.h>

bool way_gives_none(uint8_t call, uint8_t protocol, int flags)
{
	if (call == CALL_SEND)
		return (protocol == PROTOCOL_TCP && !(flags & MSG_FASTOPEN)) || protocol == PROTOCOL_DCCP;
	if (call == CALL_LISTEN)
		return protocol == PROTOCOL_UDP || protocol == PROTOCOL_UDPLITE;
	return false;
}

bool way_shares(const struct rule *rule, const struct question *question)
{
	return question->protocol == PROTOCOL_TCP && question->calls & CALL_CONNECT && question->has_destination &&
	       rule->share != SHARE_NEVER;
}

bool way_kernel_picks(const struct rule *rule, const struct kernel *kernel)
{
	const struct port_set *set = &rule->ports;

	return rule->choose == CHOOSE_KERNEL && ports_without_holes_inside(set, kernel->ephemeral) &&
	       kernel_takes_late(kernel, ports_nth(set, 0, NULL));
}

int way_used_up(uint8_t calls, uint8_t protocol)
{
	if (calls & CALL_BIND || (calls & CALL_LISTEN && protocol != PROTOCOL_SCTP))
		return EADDRINUSE;
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_DCCP ? EADDRNOTAVAIL : EAGAIN;
}
