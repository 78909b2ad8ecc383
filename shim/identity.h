/* identity.h - who the calling process is at this moment, for rules with `user` or `group`. */
#ifndef PORTSHIM_SHIM_IDENTITY_H
#define PORTSHIM_SHIM_IDENTITY_H

#include "config/facts.h"

#define IDENTITY_ROOM 32 /* supplementary groups held in place; more take a mapping of their own */

struct identity_store {
	struct identity identity;
	gid_t groups[IDENTITY_ROOM];
	size_t mapped; /* bytes; 0: `groups` holds them */
};

/* Asks the kernel: three system calls. Async-signal-safe. (Or `caller`, see caller.h.) */
void identity_ask(struct identity_store *store);
/* Where so many groups may be put, for who fills the store; NULL: there is no memory. */
gid_t *identity_room(struct identity_store *store, size_t n);

/* The effective user alone. */
uid_t identity_user(void);
void identity_done(struct identity_store *store);

#endif
