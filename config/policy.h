/* policy.h - the policy: what a file's rules say, and which of them decides a call.
 *
 * Theory of operation. A file becomes a policy in three steps, each with its own module:
 *
 *   read.c     raw lines -> inih -> (section, key, value, line), with everything that inih would cut,
 *              merge or mistake refused first;
 *   keys.c     one function for each key of the format, which checks the value and fills the rule;
 *   policy.c   the frame, with sections.c (rules in file order), collect.c (a key's value from its lines) and
 *              whole.c (what only a whole rule can show to be wrong).
 *
 * The result is immutable and lives in one arena. For one process, narrow.c then drops the rules whose
 * conditions on the process (program, command, environment, cgroup) do not hold and lays the others out as
 * a compact array that match.c walks at each call: no string is looked at again.
 *
 * Nothing here knows of sockets, and nothing here uses malloc or stdio: a policy can be read inside the
 * first hooked call of a program, wherever that happens. */
#ifndef PORTSHIM_CONFIG_POLICY_H
#define PORTSHIM_CONFIG_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"
#include "arena.h"
#include "facts.h"
#include "ports.h"
#include "text.h"

/* Bits, since a rule names several. */
enum call { CALL_CONNECT = 1, CALL_SEND = 2, CALL_BIND = 4, CALL_LISTEN = 8, CALL_ANY = 15 };
enum protocol {
	PROTOCOL_TCP = 1, PROTOCOL_UDP = 2, PROTOCOL_SCTP = 4, PROTOCOL_DCCP = 8, PROTOCOL_UDPLITE = 16,
	PROTOCOL_ANY = 31
};

enum action { ACTION_ASSIGN, ACTION_PASS, ACTION_DENY };
enum choose {
	CHOOSE_RANDOM, CHOOSE_HASH, CHOOSE_DOUBLE_HASH, CHOOSE_RANDOM_INCREMENTS, CHOOSE_SEQUENTIAL,
	CHOOSE_LEAST_RECENT, CHOOSE_STABLE, CHOOSE_KERNEL
};
enum share { SHARE_DESTINATION, SHARE_NEVER };
enum exhausted { EXHAUSTED_FAIL, EXHAUSTED_PASS, EXHAUSTED_WAIT };
enum explicit_port { EXPLICIT_KEEP, EXPLICIT_ASSIGN, EXPLICIT_DENY };
enum log_level { LOG_LEVEL_NONE, LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum table_kind { TABLE_AUTO, TABLE_NONE, TABLE_PATH };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_PATH };

/* A list of patterns or ids; n == 0: the rule does not ask. */
struct string_list { const char *const *item; uint32_t n; };
struct id_list { const uint32_t *item; uint32_t n; };

struct rule {
	const char *name;
	int line;                    /* of its section header */
	uint64_t id;                 /* hash of name, protocols, ports, algorithm and cooldown: the same rule in every process; not 0 */
	/* what must hold of the process */
	struct string_list program, command, cgroup;
	struct string_list env;      /* "NAME=glob"; like every list: one that holds is enough */
	struct id_list user, group;
	/* what must hold of the call */
	uint8_t calls, protocols, families;
	const struct target *to;
	uint32_t n_to;
	/* what is done */
	enum action action;
	struct port_set ports;       /* count 0 unless action is assign */
	enum choose choose;
	enum share share;
	uint64_t cooldown_ms;
	enum exhausted exhausted;
	uint64_t wait_ms;
	enum explicit_port explicit_port;
	struct ip_addr source;       /* family 0: none */
};

struct policy {
	struct arena arena;
	const struct rule *rule;     /* in file order */
	uint32_t rules;
	enum table_kind table;
	const char *table_path;
	enum log_level log;
	enum log_target log_to;
	const char *log_path;
	const char *audit_path;      /* NULL: off */
	bool uses_kernel_range;      /* some rule's meaning depends on ip_local_port_range */
	struct port_range kernel;    /* the range it was built with */
};

/* What the outside world says while a policy is read. */
struct policy_world {
	struct port_range kernel;    /* net.ipv4.ip_local_port_range now */
	/* Contents of /etc/passwd and /etc/group (or of stand-ins in a test); NULL where unreadable. */
	const char *passwd, *group;
};

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

/* Hears each finding, in line order: `line` counts from 1, 0 where none applies; `words` says what is wrong
 * and what to write instead, in one line without newline or file name. */
typedef void policy_listener(void *context, enum severity severity, int line, const char *words);

/* Reads a whole policy from `text` of `length` bytes (the caller's; copied where needed). True and *policy
 * filled if there was no error; false and nothing kept if there was any. All findings are reported. */
bool policy_read(struct policy *policy, const char *text, size_t length, const struct policy_world *world,
                 policy_listener *listener, void *context);

/* The policy of one rule that PORTSHIM_PORTS and `run -p` stand for. Findings have line 0. */
bool policy_from_ports(struct policy *policy, const char *ports, const struct policy_world *world,
                       policy_listener *listener, void *context);

void policy_free(struct policy *policy);

/* The families in which the rule can match, by its `family`, `to` and `source`: what a call's family is compared with. */
uint8_t rule_live_families(const struct rule *rule);

/* --- one process's view ------------------------------------------------------------------------ */

/* A rule that can still decide for this process. 16 bytes and cache-friendly: match walks these. */
struct live_rule {
	uint8_t calls, protocols, families, flags;
	uint32_t index;              /* into policy->rule */
	uint32_t first_target, n_targets;
};
enum { LIVE_HAS_TO = 1, LIVE_ASKS_IDENTITY = 2, LIVE_HAS_SOURCE = 4 };

struct view {
	const struct policy *policy;
	const struct live_rule *live;
	uint32_t n_live;
	const struct target *target; /* all rules' targets, one after the other */
	bool asks_identity;          /* some live rule asks for user or group */
	struct arena arena;
};

/* Works out once which rules concern a process with these facts. `facts` NULL: all rules, each at its own index, for who
 * asks why one does not decide. False when memory is out. */
bool view_make(struct view *view, const struct policy *policy, const struct facts *facts);
void view_free(struct view *view);

/* A call to be decided. */
struct question {
	uint8_t calls;               /* the call; two bits where one call is two things (a deferred bind's connect) */
	uint8_t protocol;            /* one bit */
	uint8_t family;              /* one bit; of the destination if there is one (v4-mapped: IPv4) */
	bool has_destination;
	struct endpoint destination;
	const struct identity *identity; /* needed only where view->asks_identity; NULL: no such rule matches */
};

/* The first rule, in file order, that matches; NULL: none concerns the call. */
const struct rule *view_match(const struct view *view, const struct question *question);

/* What a rule asks, in the order in which it is asked: first of the process, then of the call, then of who makes it. */
enum condition {
	CONDITION_PROGRAM = 1, CONDITION_COMMAND = 2, CONDITION_CGROUP = 4, CONDITION_ENV = 8,
	CONDITION_CALL = 16, CONDITION_PROTOCOL = 32, CONDITION_FAMILY = 64, /* with the families of `to` and `source` */
	CONDITION_TO = 128, CONDITION_USER = 256, CONDITION_GROUP = 512,
	CONDITIONS_END = 1024
};

/* Why not: all conditions that do not hold, bits of enum condition; 0: the rule concerns the process, or the view's rule at
 * `i` (an index of view->live) the call. view_make() and view_match() ask the same, and stop at the first. */
unsigned int rule_misses(const struct rule *rule, const struct facts *facts);
unsigned int view_misses(const struct view *view, uint32_t i, const struct question *question);

/* For a bind() to port 0, which has no destination: the rule that stands before the first one that decides it and could
 * decide once there is a destination (it has `to`, or names connect or send and not bind); NULL: none. Where there is
 * one, the bind is deferred. */
const struct rule *view_waits_for_destination(const struct view *view, const struct question *question);

#endif
