/* held.h - which lease a descriptor's socket has, so that close() can give the port back in the table: from before the claim is
 * made, so that there is no moment at which a jump out of a signal handler leaves a port behind.
 *
 * A hint like all of the table: a descriptor that was closed out of sight, or that has copies, makes the table
 * believe a port in use or free that is not. The kernel says so when it matters. */
#ifndef PORTSHIM_SHIM_HELD_H
#define PORTSHIM_SHIM_HELD_H

#include "lease.h"

/* Where the lease of the descriptor's socket is noted by who makes the claim; NULL: it is not kept. */
word64 *held_note(int fd);

/* What `fd` had, for held_return(); it has nothing from here on. */
struct lease held_take(int fd);

/* Gives it back to the table. errno is kept. */
void held_return(const struct lease *lease);

/* Both at once: the port is the descriptor's no more, or its number is another socket's now. */
void held_release(int fd);

#endif
