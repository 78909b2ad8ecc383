/* hand.h - the sockets that are being decided, and what is remembered of sockets by their cookie.
 *
 * Two threads of a program, or two processes, may call on one socket at once. The supervisor's threads take turns with
 * each socket, since what one does for a moment (SO_REUSEADDR off, O_NONBLOCK on) is not for another to see. A cookie
 * (SO_COOKIE) is a socket's own, by whatever descriptor and in whatever process, and never used again. What is
 * remembered is a hint: two sockets that share a place forget each other. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_HAND_H
#define PORTSHIM_TOOLS_SUPERVISE_HAND_H

#include <stdbool.h>
#include <stdint.h>

/* What stays as it is for a socket's whole life. */
struct hand_kind {
	uint16_t protocol;
	uint8_t type;
	bool known : 1;      /* it was asked */
	bool elsewhere : 1;  /* it is in another network namespace than this process */
};

/* A socket in hand: on the stack of who has it. */
struct hand {
	uint64_t cookie;
	uint32_t entry;      /* what is remembered of it; see shim/sock.h */
	struct hand_kind kind;
	struct hand *next;
};

/* Waits until nobody else has the socket. */
void hand_take(struct hand *hand, uint64_t cookie);

/* Remembers hand->entry and hand->kind. */
void hand_give_back(struct hand *hand);

#endif
