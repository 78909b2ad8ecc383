/* soak.h - the soak: a crowd of programs under one policy for as long as one likes, with every fault that can be injected, and
 * servers that see where each call came from.
 *
 *   soak.c    the conductor: a network namespace and a /dev/shm of its own, the policy, the crowd, the faults, the verdict;
 *   load.c    one program of the crowd, under the library;
 *   serve.c   the servers: they know which ports may come to which of theirs;
 *   figures.c what a process has of memory, mappings and descriptors;
 *   pools.c   the rules.
 *
 * What they count is in memory that all of them share. Nothing is sent but over the namespace's own loopback. */
#ifndef PORTSHIM_TESTS_SOAK_H
#define PORTSHIM_TESTS_SOAK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SLOTS 64
#define ELDERS 4 /* the first slots: never killed, stopped or started anew */
#define BINDER "binder" /* the name under which every eighth is started */

enum kind { KIND_TCP, KIND_UDP, KIND_LISTEN };

struct pool {
	const char *name, *keys; /* of its rule */
	enum kind kind;
	int server;              /* the servers' port that the rule is for; 0: none */
	int lo, hi, hole;        /* hole 0: none */
	int other_lo, other_hi;  /* what a reload puts in their place; 0: nothing */
	bool binders;            /* for programs of that name, in bind() to port 0 */
};

extern const struct pool pools[];
extern const int n_pools;

bool pool_has(const struct pool *pool, int port);
int pool_size(const struct pool *pool);
/* The policy's text; `other`: with the pools that a reload changes. */
void pools_policy(char *to, size_t size, bool other);

enum phase { PHASE_WARM, PHASE_MEASURE, PHASE_STOP };

struct figures { long anonymous_kib, mappings, descriptors; };

typedef _Atomic uint64_t count64;

struct shared {
	_Atomic int phase, ready; /* ready: the servers listen */
	count64 tcp, udp, bound, listened; /* calls that were given a port */
	count64 no_port, failed, forks, execs;
	_Atomic int last_error, last_pool;
	count64 seen, outside, doubled; /* by the servers */
	_Atomic int outside_port, outside_pool;
	_Atomic int filled[64]; /* ports of each pool that could be had at the end */
	struct figures start[ELDERS], end[ELDERS];
	_Atomic int measured[ELDERS]; /* 1: start, 2: both */
};

/* Maps what the descriptor holds, and closes it. */
struct shared *shared_map(int fd);

/* Of the calling process. */
void figures_take(struct figures *figures);

/* Serves until it is killed. */
void serve(struct shared *shared) __attribute__((noreturn));

#endif
