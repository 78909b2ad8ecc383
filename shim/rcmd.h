/* rcmd.h - rresvport(3) and rcmd(3) under a policy. */
#ifndef PORTSHIM_SHIM_RCMD_H
#define PORTSHIM_SHIM_RCMD_H

#include <stdbool.h>
#include <sys/socket.h>

/* What rcmd_af(3) is given, but for what it changes. */
struct rcmd {
	unsigned short port; /* in network byte order */
	const char *local_user, *remote_user, *command;
	sa_family_t family;
};

/* Whether this process has rules at all: without any, libc's own functions do. errno is kept. */
bool rcmd_has_rules(void);

/* As rresvport_af(3), but that the port is a rule's, if one concerns bind() to port 0. */
int rcmd_bound_socket(int *port, sa_family_t family);

/* As rcmd_af(3), but that the connection leaves from a rule's port, if one concerns connect() to where it goes, or
 * bind(). The second connection, which the server makes, comes to a port as of rcmd_bound_socket(). */
int rcmd_run(const struct rcmd *rcmd, char **host, int *error_fd);

#endif
