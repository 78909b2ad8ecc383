/* sctp.h - the calls of SCTP that come as socket options.
 *
 * libsctp's sctp_connectx(3), sctp_bindx(3) and sctp_peeloff(3) are no system calls of their own: they set or ask for an
 * option. sctp_connectx() is a connect() to a peer that has several addresses, the first of which decides; sctp_bindx() is a
 * bind() to several of this machine's, with one port for all; sctp_peeloff() makes a descriptor. */
#ifndef PORTSHIM_SHIM_SCTP_H
#define PORTSHIM_SHIM_SCTP_H

#include <stdbool.h>
#include <sys/socket.h>

/* Whether an option of IPPROTO_SCTP is one of these. */
bool sctp_calls_by_setting(int option);
bool sctp_calls_by_asking(int option);

/* setsockopt(2) and getsockopt(2) of one. */
int sctp_set(int fd, int option, const void *value, socklen_t len);
int sctp_get(int fd, int option, void *value, socklen_t *len);

#endif
