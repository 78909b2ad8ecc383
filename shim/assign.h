/* assign.h - the way of a call: from a hook to the port that the policy gives, or past it.
 *
 * Theory of operation. A hook describes its call as an `act`. decide.c asks, in this order and as cheaply as it can:
 * does any rule of this process name such a call; is the socket one that has ports; has it one already; which rule
 * decides. Then either the call passes as it came, or it is refused, or put off, or try.c gives the socket a port:
 * choice.h proposes one, bind.h takes it, and so on until one is the socket's or none is left. For the late way the
 * try *is* the program's own connect(). Everything that comes from the caller is read, never written. */
#ifndef PORTSHIM_SHIM_ASSIGN_H
#define PORTSHIM_SHIM_ASSIGN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct act {
	int fd;
	uint8_t calls;                /* one bit of enum call; of rcmd(3), which does both: CALL_CONNECT | CALL_BIND */
	const struct sockaddr *addr;  /* CALL_CONNECT, CALL_SEND: the destination; CALL_BIND: the name to bind */
	socklen_t len;
	bool dont_wait;               /* MSG_DONTWAIT: no waiting for a port either */
	bool may_defer;               /* CALL_BIND: the port may be given later, by a call with a destination */
	bool reserved;                /* CALL_BIND: a reserved port, where no rule decides */
	uint16_t *given;              /* CALL_BIND: where to leave the port that the policy gave; may be NULL */
	bool is_option;               /* CALL_CONNECT: setsockopt or getsockopt to the program, and so no cancellation point */
	bool unseen;                  /* nobody sees what `finish` comes to: the port must be sure before */
	ssize_t (*finish)(const struct act *act); /* the program's call, through to libc; NULL: nothing is left to do */
	/* what `finish` needs besides */
	const void *data;
	size_t size;
	int flags;
};

/* Whether sends on `fd` pass whatever their destination: it has its port, and nothing is denied. For the hooks of the
 * sends, which are called more often than all others. Touches neither errno nor the kernel. */
bool assign_passes_sends(int fd);

/* Carries the call out: its result, and errno, as the program is to see them. A bind by the policy takes the place of
 * `finish`; every other call gets its port, if the policy has a say, and goes on to `finish`. */
ssize_t assign(const struct act *act);

/* The name of a socket is about to be asked for: a deferred bind takes place now, unless it is one to a reserved port,
 * which can be told without. errno is kept. */
void assign_deferred(int fd);

/* The same for a descriptor of which nothing is known. Whether there was anything to do. errno is kept. */
bool assign_inherited(int fd);

/* Whether some rule of this process denies calls, so that each destination counts. */
bool assign_denies(void);

/* What later calls need, policy and table, is about to go out of reach. errno is kept. */
void assign_prepare(void);

#endif
