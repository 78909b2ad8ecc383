/* caller.h - for whom the engine works.
 *
 * In the library a call is the process's own: its policy is that of this process, its user the one that the kernel
 * tells, its sockets are remembered by descriptor. A supervisor (`portshim run --supervise`) decides calls of other
 * processes, on a copy of their socket, with the same engine: for as long as it does, `caller` says who asks. Whatever
 * means "this process" looks here first: the policy (session.h), user and groups (identity.h), the owner of a claim
 * (owner.h), what is known of the socket (sock.h, held.h), the name in messages (log.h), what ends a wait (wait.h).
 *
 * All that lies behind it belongs to one thread while it decides. */
#ifndef PORTSHIM_SHIM_CALLER_H
#define PORTSHIM_SHIM_CALLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct identity_store;
struct session;

struct caller {
	pid_t pid;
	const char *name;              /* of the program, for messages */
	const struct session *session; /* replaced where the kernel's range has changed */
	uint64_t owner;                /* owner_of() */
	uint32_t entry;                /* what is remembered of the one socket in hand; 0: nothing */
	_Atomic uint64_t note;         /* its lease */
	int domain, type, protocol;    /* of that socket, as socket(2) takes them */
	bool elsewhere;                /* the socket is in another network namespace than this process */
	/* Fills user, group and groups. */
	void (*identify)(const struct caller *caller, struct identity_store *store);
	/* The same policy again, in the kernel's present range; the old one stays. May return the old one. */
	const struct session *(*renew)(const struct caller *caller);
	/* Whether a signal waits for the thread whose call this is, or it is gone. */
	bool (*is_interrupted)(const struct caller *caller);
	/* A pause of a wait begins, or is over. False: it must not begin. */
	bool (*rest)(struct caller *caller, bool begins);
};

/* NULL: this process itself. */
extern __thread struct caller *caller __attribute__((tls_model("initial-exec")));

#endif
