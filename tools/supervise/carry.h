/* carry.h - one notified call: read, decided by the engine, carried out on a copy of its socket.
 *
 * Theory of operation. What the caller's memory holds is read once; then the kernel is asked whether the call still waits
 * (its thread may have ended, and its number be another's); from there on nothing of the caller's is looked at again. The
 * call is not let go on where another address could then lead to something else than what was decided, since a program's
 * other thread may write one in the meantime.
 *
 *  connect   of TCP is begun here, without waiting. If the program's socket is a blocking one and the connection not there
 *            yet, the program's own connect() goes on: the kernel makes it wait for the connection that is under way, as
 *            long as the program's timeout says, and interruptible as ever; whatever address it finds now is not looked at.
 *            Everything else has its result from here.
 *  bind, listen   are made here.
 *  socket    is told of where it decides the port (birth.h).
 *  send      binds the socket here and goes on: the port is decided, wherever the message now goes. (Where no rule named the
 *            first destination the kernel chooses the port, and it stays, as it does without us.)
 *
 * A program that may do less than the supervisor (a label of its own, Landlock) makes its connections and the binds to
 * ports that it names itself: its socket is only given a port before.
 *
 * What fails here fails with the errno that the kernel gave to us. Calls on other sockets (AF_UNIX, ...) go on as they came.
 *
 * Not covered: a program that puts another socket into the descriptor's place between decision and call. It leaves from the
 * kernel's ports then; to keep the call here until it has its result would take signals away from every program. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_CARRY_H
#define PORTSHIM_TOOLS_SUPERVISE_CARRY_H

#include <linux/seccomp.h>
#include <stdbool.h>

#include "tools/supervise/verdict.h"

/* By whom calls are carried out. */
struct carrier {
	int listener;           /* is asked whether a call still waits */
	bool (*may_sleep)(void); /* whether somebody else listens, so that a call may wait for a port */
};

/* Decides and carries out a call. */
void carry(const struct carrier *carrier, const struct seccomp_notif *notification, struct verdict *verdict);

#endif
