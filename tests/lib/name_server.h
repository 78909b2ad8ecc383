/* name_server.h - a DNS server within the test, that says from which port it was asked. */
#ifndef PORTSHIM_TESTS_NAME_SERVER_H
#define PORTSHIM_TESTS_NAME_SERVER_H

#include <stdbool.h>

#define NAME_SERVER "127.0.0.53"
#define NAME_SERVER_ANSWER "127.0.0.9"    /* to every question for an address */
#define NAME_SERVER_NAME "there.example"  /* to every question for a name */

/* Lets libc's resolver ask NAME_SERVER, port 53, in this mount namespace. */
void name_server_set(void);

/* Answers the next query that comes to a socket of server_udp() or server_tcp() within the deadline; `cut`: only that
 * the answer is too long for a datagram. The port that it came from. */
int name_server_udp(int fd, bool cut);
int name_server_tcp(int listener);

#endif
