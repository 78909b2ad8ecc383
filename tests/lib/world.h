/* world.h - what the stories need beside harness.h: programs under the command itself, servers that are programs, two
 * hosts joined by a wire, a folder for files. world_leave() stops and removes what is left of it all. */
#ifndef PORTSHIM_TESTS_WORLD_H
#define PORTSHIM_TESTS_WORLD_H

#include "tests/lib/harness.h"

#define PYTHON "/usr/bin/python3" /* the one in PATH may be a wrapper */

/* The kernel's own ephemeral range in a world; no rule of a story names a port of it. */
#define EPHEMERAL "40000 40999"
bool is_ephemeral(int port);

/* A network of the test's own with that range; no proxies in the environment. For the .init and
 * .fini of a suite. */
void world_enter(void);
void world_leave(void);

/* What is started from here on has process numbers of its own, and what begins with IN_OWN_PROC sees no other processes: for
 * commands that look at all there are. */
void world_own_processes(void);
#define IN_OWN_PROC "unshare -m sh -c 'mount -t proc proc /proc && exec \"$@\"' sh "

/* --- two hosts: the test and what it starts stay on the near one --- */

#define NEAR4 "10.99.0.1"
#define FAR4 "10.99.0.2"
#define NEAR6 "fd00:99::1"
#define FAR6 "fd00:99::2"

void wire_lay(void);
/* As server_tcp() and server_udp(), on the far host. */
int far_tcp(const char *address, int port);
int far_udp(const char *address, int port);
/* Anything else there. */
void far_do(void (*what)(void));

/* --- servers within the test --- */

/* The next client is read from once, told `reply` and hung up on. The port that it came from. */
int answer_tcp(int listener, const char *reply);
int answer_udp(int fd, const char *reply);
/* Whether no connection and no datagram is waiting. */
bool nobody_came(int fd);

/* --- programs --- */

/* As run_start() and run_program(), but by `portshim run`, with the policy of the run; bare where the run says so.
 * PORTSHIM_TEST_MODE: what --mode= is to say. */
void story_start(struct run *run, const char *const argv[]);
void story_run(struct run *run, const char *const argv[]);
/* Gives a started program these words to read, and the end of its input. */
void story_tell(struct run *run, const char *words);
/* Output, errors and exit status are those of the bare run. */
void story_same(const char *what, const struct run *bare, const struct run *run);
/* A line of sh(1), bare, that must succeed. */
void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Starts a server and waits until it listens on the port, on TCP, or on UDP. It ends with daemon_stop(), or at the
 * latest with the test. */
void daemon_start(struct run *run, const char *const argv[], int port);
void daemon_start_udp(struct run *run, const char *const argv[], int port);
void daemon_stop(struct run *run);

/* --- files --- */

/* The path of a name in the test's own folder; one of a few static buffers. */
const char *file_path(const char *name);
/* The same, of a file written there. */
const char *file_make(const char *name, const char *text);

#endif
