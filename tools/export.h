/* export.h - a policy as rules for a firewall: what all formats share.
 *
 * Theory of operation. A firewall sees packets, a policy decides calls. What they have in common is the packet that begins
 * an exchange: it leaves because of a connect() or a send, from the local port that the call was given. So each format
 * judges such packets, and lets answers and what was begun before go on. export_plan.c turns the rules, in file order, into
 * entries that hold for all formats: which packets a rule concerns, whether it lets them out from its ports, from any, or
 * refuses them, and whether packets that it concerns and does not let out are refused at once (`closes`) or judged by the
 * rules behind it. The latter is right wherever the firewall cannot see all that the rule asks for: then a packet may as well
 * be that of a program which a later rule decides for. What an entry permits beyond the policy, or less than it, is noted
 * there, and said by all formats in the same words. The formats then only print. */
#ifndef PORTSHIM_TOOLS_EXPORT_H
#define PORTSHIM_TOOLS_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/policy.h"
#include "shim/kernel.h"

enum rest { REST_REJECT, REST_DROP, REST_ACCEPT };

struct net {
	struct ip_addr addr;
	unsigned int prefix;
};

/* What is to be printed, and of what. */
struct export {
	const struct policy *policy;
	const char *name;            /* what the policy is called; no control characters */
	const struct kernel *kernel;
	bool remote;                 /* for a firewall on the way: nothing of a packet's process is known */
	bool cgroup;                 /* ask for control groups, as they are now */
	enum rest rest;              /* what becomes of packets that no rule lets out */
	const struct net *from;      /* with `remote`: the hosts that the policy is in force on */
	size_t n_from;
	FILE *to;
};

/* Each prints its format. True, or the reason said on standard error. */
bool export_nft(const struct export *export);
bool export_iptables(const struct export *export, enum family family);
bool export_firewalld(const struct export *export);
bool export_json(const struct export *export);

#endif
