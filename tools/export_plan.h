/* export_plan.h - a policy's rules as a firewall can hold them: entries in file order, and what differs from the policy. */
#ifndef PORTSHIM_TOOLS_EXPORT_PLAN_H
#define PORTSHIM_TOOLS_EXPORT_PLAN_H

#include "tools/export.h"

/* What a format can ask a packet for. */
struct ability {
	bool user;                 /* its user, and the user's effective group */
	bool supplementary;        /* also groups that the user is in besides */
	bool cgroup;
	bool both_ports;           /* the ports of both ends in one rule */
	uint8_t protocols;
	uint8_t families;
};

/* Bits: why an entry is not what the policy says. */
enum note {
	NOTE_PROCESS = 1, NOTE_WHO = 2, NOTE_CGROUP_OFF = 4, NOTE_CGROUP_UNKNOWN = 8, NOTE_CGROUP_BELOW = 16,
	NOTE_GROUP = 32, NOTE_BOTH_PORTS = 64, NOTE_CALL = 128, NOTE_EXHAUSTED = 256, NOTE_PROTOCOL = 512,
	NOTE_LISTEN = 1024
};

enum permit {
	PERMIT_PORTS,   /* from the rule's ports (and source) */
	PERMIT_ANY,     /* whatever they come from */
	PERMIT_NONE,    /* refused */
	PERMIT_LEFT_OUT /* the entry is only told of */
};

/* A rule, or the part of it that concerns some protocols. */
struct entry {
	const struct rule *rule;
	enum permit permit;
	bool closes;               /* what it concerns and does not let out is refused; else the next entry is asked */
	bool asks_user, asks_group, asks_cgroup;
	uint8_t protocols, families;
	uint32_t notes;
};

struct plan {
	struct entry *entry;
	size_t n, room;
};

/* The entries of export->policy. Free with plan_free(). */
void plan_make(struct plan *plan, const struct export *export, const struct ability *ability);
void plan_free(struct plan *plan);

/* Says on standard error, once for each reason, where the plan permits more or less than the policy. */
void plan_warn(const struct plan *plan);

/* The same for one entry as comments, each line between `begin` and `end`: the rule's name, then the notes. */
void plan_comment(const struct export *export, const struct entry *entry, const char *begin, const char *end);

/* --- parts of an entry, each to be freed --- */

struct ports { uint16_t lo, hi; };

/* Its ports, in order, without neighbours; of a range given by name without what is reserved now. */
size_t entry_ports(const struct export *export, const struct entry *entry, struct ports **ports);

/* The ports that rules name by number, and so are nobody else's: a set, not empty, for protocols that have the same ones. */
struct own {
	struct { uint8_t protocols; struct ports *ports; size_t n; } set[5];
	unsigned int n;
};
void plan_own(struct own *own, const struct export *export, const struct plan *plan);
void own_free(struct own *own);

/* Whether all of `b` lies in `a`. */
bool net_covers(const struct net *a, const struct net *b);

/* Destinations with the same ports; `any`: of whatever address. lo 0 and hi 65535: any port. */
struct destination {
	struct ports ports;
	bool any;
	struct net *net;
	size_t n, room;
};

/* What stands in `to`, in as few groups as that takes; none where it is not given. */
size_t entry_destinations(const struct entry *entry, struct destination **destination);
void destinations_free(struct destination *destination, size_t n);

/* The same as one, of any port. */
void entry_addresses(const struct entry *entry, struct destination *addresses);

/* The control groups to ask for, below the root and without the first '/'. */
size_t entry_cgroups(const struct entry *entry, char ***path);
void cgroups_free(char **path, size_t n);

/* --- words --- */

/* A rule's name that cannot end a quoted string, a comment or a line of any format. To be freed. */
char *plan_name(const struct rule *rule);

struct words { char at[64]; }; /* good until the end of the expression that asks for it */

/* "192.0.2.0/24", "2001:db8::1". */
struct words net_words(const struct net *net);

/* "20000", or "20000-20099" with `between` between. */
struct words range_words(struct ports ports, const char *between);

/* The five protocols as iptables and nft call them, in the order of their bits; NULL: there is no more. */
const char *plan_protocol(unsigned int index);

static inline bool ports_are_any(struct ports ports)
{
	return ports.lo == 0 && ports.hi == 65535;
}

#endif
