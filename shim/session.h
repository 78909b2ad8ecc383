/* session.h - the policy of this process: read at the first call that needs it, then only looked at.
 *
 * Theory of operation. A session is a policy, the facts of the process and the rules that concern it, in one
 * immutable object behind an atomic pointer. Whoever finds no session makes one and publishes it with a
 * compare-and-swap; who loses that race throws its own away. So a signal that interrupts the making, a fork in the
 * middle of it or a thread that does the same find nothing locked and nothing half-made. What fails for want of a
 * descriptor or of memory is not published: such calls are refused, and the next one tries again. The same step replaces a session
 * whose meaning the kernel's range has changed (`ports = kernel`); the old one stays mapped for those who still
 * look at it.
 *
 * And the same step takes up a policy that was changed (`portshim reload`): the table has a *generation*, a number that
 * reload raises when the new file is in place. Each call compares it with the one that was acted upon last, which costs a look
 * into memory; where it is another, the policy is looked for and read again as at the first time. One that reads as before is
 * left as it is; one that cannot be had leaves the old one in force. A process that has no shared table mapped looks for the
 * one that it would have, at most once a second, and reads the number from the file. */
#ifndef PORTSHIM_SHIM_SESSION_H
#define PORTSHIM_SHIM_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "config/policy.h"

struct session {
	struct arena arena;
	struct policy policy;
	struct facts facts;
	struct view view;
	const char *text;     /* the policy as it was read: to be read again in another range */
	size_t text_length;
	const char *ports;    /* likewise where PORTSHIM_PORTS stands for it */
	uint64_t program;     /* hash of the executable's path */
	uint8_t calls;        /* calls that some live rule names; 0: the library has nothing to do */
	bool denies;          /* some live rule has `action = deny` */
	bool broken;          /* no policy could be had and PORTSHIM_STRICT=1: network calls get EPERM */
	const struct session *of; /* of session_for(): the session of this process that it was made from */
};

/* Never NULL; one with `calls` 0 where there is no policy or the library is off. Async-signal-safe, no cancellation
 * point; errno may change. */
const struct session *session_get(void);

/* The same at the begin of a call on the socket `fd` (-1: there is none): a policy that was reloaded is taken up. */
const struct session *session_now(int fd);

/* The same, but NULL where none was made yet; as it is. */
const struct session *session_made(void);

/* Whether the policy was reloaded since it was read. errno may change, about once a second. */
bool session_has_news(int fd);

/* The same ahead of the first call: before a socket takes the last descriptor, or chroot() hides the policy. */
void session_prepare(void);

/* The session in which `rule` (of `session`) means what it says now: the same, or a new one in whose rules the
 * caller looks again. */
const struct session *session_renewed(const struct session *session, const struct rule *rule);

/* A session by the policy of this one for another process (caller.h), and its end. NULL with -errno in *error: what facts_of()
 * says; -ENOMEM; -EPROTO: there is no policy here, or it is broken in the kernel's present range. */
struct session *session_for(uint32_t pid, int *error);
void session_end(struct session *session);

/* Before a reloaded policy is taken up, `judge` is asked: NULL, or why it cannot be, in one sentence. */
void session_judge_by(const char *(*judge)(const struct policy *policy));

/* Called from the constructor: PORTSHIM_DISABLE=1 is looked at once, before anything else. `leave_all`: the library is off
 * whatever it says. */
void session_start(bool leave_all);

#endif
