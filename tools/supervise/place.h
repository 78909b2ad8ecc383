/* place.h - what the supervisor is itself: its policy and table, its network namespace, its rights. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_PLACE_H
#define PORTSHIM_TOOLS_SUPERVISE_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tools/supervise/filter.h"

/* Reads the policy that the environment names, makes the table, says what is to be said of both. False if no policy can be
 * had. */
bool place_prepare(void);

/* What must be notified for this policy. */
void place_wants(struct filter_wants *wants);

/* SO_COOKIE. False where the kernel does not tell. */
bool place_cookie(int fd, uint64_t *cookie);

/* Whether the socket is in another network namespace than this process. In doubt, it is. */
bool place_is_elsewhere(int fd);

/* bind(2) with no more rights than the caller has: -1 and EACCES for a port below ip_unprivileged_port_start that it may
 * not have. */
int place_bind(int fd, const struct sockaddr *addr, socklen_t len);

/* Says, once for each process, that calls of it are refused because it cannot be looked into. */
void place_refuse(uint32_t tid, int error);

#endif
