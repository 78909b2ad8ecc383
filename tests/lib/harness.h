/* harness.h - what the tests share: a network of their own, servers that see who comes, programs run under the library.
 *
 * The Criterion runner itself is never preloaded: it uses sockets of its own. Each test starts small programs with
 * LD_PRELOAD set for them alone, and looks at what they print and at what a server saw. Everything has a deadline. */
#ifndef PORTSHIM_TESTS_HARNESS_H
#define PORTSHIM_TESTS_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DEADLINE_MS 120000

/* --- network --- */

/* Puts the calling process (Criterion runs each test in one of its own) into a new network namespace with lo up, and
 * gives it a /dev/shm of its own, so that its tables go when it goes. */
void net_own(void);
/* The same where programs of other users are to be run: the build folder may lie in one that is its owner's alone. */
void net_own_for_all_users(void);
/* Sets a file below /proc/sys in it, e.g. "net/ipv4/ip_local_port_range", "40000 40999". */
void net_set(const char *setting, const char *value);

/* Whether the kernel has IP_LOCAL_PORT_RANGE (Linux 6.3): there ports inside its own range are taken late, before that all are
 * early. What getsockopt() says of the option, by `act`, on a socket without a range: "0", or that there is no such thing. */
bool net_takes_late(void);
const char *net_no_range(void);
/* Whether it has MPTCP. */
bool net_has_mptcp(void);

/* A listening TCP or a bound UDP socket on a numeric address; port 0: any, see socket_port(). */
int server_tcp(const char *address, int port);
int server_udp(const char *address, int port);
int socket_port(int fd);

/* Takes the next connection within the deadline. The port that it came from; the connection in *fd, or closed. */
int server_accept(int listener, int *fd);
/* The port of a TCP socket of IPv4 that has it, a peer at that port and that state (of the kernel's states); 0: there is none.
 * Whatever is given as 0 may be any. */
int socket_seen(int local, int remote, int state);
/* Waits until no such socket has the local port: a close() is through when both ends have heard of it. */
void socket_wait_gone(int local);
/* Takes the next datagram within the deadline. The port that it came from. */
int server_receive(int fd);



/* --- programs --- */

struct run {
	const char *policy;    /* the policy's text; NULL: no policy file is written and PORTSHIM_CONF not set */
	bool bare;             /* without the library; else PORTSHIM_TEST_MODE: by `portshim run --mode=` that, and not with it */
	const char *library;   /* which, below the build folder; NULL: the usual one */
	const char *env[8];    /* further NAME=value, NULL behind the last; an item without '=' is unset */
	bool slow;             /* has ten times the time, as a build or an installation needs it */
	/* results */
	int status;            /* as of waitpid */
	char out[65536], err[65536];
	/* under way */
	pid_t pid;
	int in_fd, out_fd, err_fd;
	size_t out_length, err_length;
	char policy_path[64];
};

/* Runs a program to its end: stdin empty, output kept. Fails the test at the deadline (and kills the program). */
void run_program(struct run *run, const char *const argv[]);

/* The same for the probe `act` with steps as arguments, NULL behind the last. */
void run_steps(struct run *run, ...) __attribute__((sentinel));

/* In parts: start; wait until it has printed "paused"; let it go on; wait for its end. */
void run_start(struct run *run, const char *const argv[]);
void run_start_steps(struct run *run, ...) __attribute__((sentinel));
void run_until_paused(struct run *run);
void run_go_on(struct run *run);
void run_end(struct run *run);

/* The path of a file below the build folder; one of a few static buffers. */
const char *built(const char *name);

/* Whether `line` is one of the lines printed. */
bool printed(const struct run *run, const char *line);
/* What stands behind "STEP = " in the last such line; fails the test if there is none. */
const char *result_of(const struct run *run, const char *step);
/* The port in "name SLOT = ADDRESS PORT". */
int port_of(const struct run *run, const char *step);

bool exited(const struct run *run, int code);

#endif
