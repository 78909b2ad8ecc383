/* company.h - the library among others: one story that is told under whatever keeps it company, in which it must go as
 * it always does. */
#ifndef PORTSHIM_TESTS_COMPANY_H
#define PORTSHIM_TESTS_COMPANY_H

#include "tests/lib/harness.h"

#define EARLY "[rule r]\nports = 20000-20099\n"
#define LATE "[rule r]\nports = 40500-40599\n"
#define ELSEWHERE "[rule r]\nto = 203.0.113.0/24\nports = 20000-20099\n"

/* A new network, with servers at 127.0.0.1: 5000 and 5001 (TCP), 5000 (UDP). */
void company_meet(void);
int company_udp(void);

/* Tells the story in such a network: a client, a datagram, a client that binds, a server, a child. `before` (may be
 * NULL) are words that come before the probe's path, with a NULL behind the last; the probe is `act` where none is
 * named. */
void company_tell(struct run *run, const char *const before[], const char *probe);
/* The same for other steps, NULL behind the last. */
void company_run(struct run *run, const char *const before[], const char *probe, const char *const steps[]);

/* The story came to its end, and everybody saw ports of lo-hi alone: the program, and the servers. */
void company_ours(const struct run *run, int lo, int hi);
/* How many connections and datagrams came to the servers; each from a port of lo-hi. */
int company_came(const struct run *run, int lo, int hi);
/* Output, errors and status are those of another run, but for the numbers of ports that nobody named. */
void company_like(const struct run *bare, const struct run *run);

/* Tells the story under the library, and bare, with these variables each time (NULL behind the last): ours, and alike.
 * {} in a variable stands for the library's path: with it for a name in LD_PRELOAD, without it there bare. */
void company_keep(const char *const env[]);

/* The probe `same` prints the same with the library, where no rule concerns it, as without. */
void company_same(const char *const env[], const char *role, const char *scene);

/* The one file that a pattern of glob(7) stands for. */
const char *company_file(const char *pattern);

#endif
