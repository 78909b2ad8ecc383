/* facts.h - what a rule may ask of the process: who it is, how it was started.
 *
 * The facts that cannot change while a program runs are kept as exec(2) left them: a program that
 * rewrites its argv to show a title, or its environment, is still the program that was started. */
#ifndef PORTSHIM_CONFIG_FACTS_H
#define PORTSHIM_CONFIG_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena.h"

struct facts {
	const char *executable;  /* /proc/self/exe resolved, without " (deleted)"; "" if unknown */
	const char *started_as;  /* what exec was given (AT_EXECFN): a script's or link's own name; "" if unknown */
	const char *command;     /* the arguments, joined by single spaces */
	const char *environment; /* NAME=value strings one after the other, an empty one behind the last */
	const char *cgroup;      /* path of each line of /proc/self/cgroup, one after the other likewise */
	bool secure;             /* AT_SECURE: privileges that the user lacks; no variable of the user's counts */
	uint64_t random;         /* of another process: where exec(2) left random bytes in its memory (AT_RANDOM); 0: unknown */
};

/* Effective user, group and supplementary groups of the caller: asked at the call, since daemons change them. */
struct identity {
	uid_t user;
	gid_t group;
	const gid_t *groups;
	size_t n_groups;
};

/* Copies arguments and environment as they are now (called from a constructor: as exec left them). No system
 * call where they fit into a static buffer of 32 KiB, one mmap otherwise; what finds no memory is left out. */
void facts_keep(int argc, char *const argv[], char *const envp[]);

/* The same for a library's constructor. glibc passes it the arguments; musl passes nothing, and what stands in their
 * place may lead anywhere: then they are found by `environ`, which points where exec left it unless another constructor
 * has moved it. If so nothing is kept, and facts_read() asks /proc. */
void facts_keep_at_start(int argc, char *const argv[]);

/* The facts of this process, from what facts_keep() kept and from /proc; strings live in `arena`. Any number
 * of threads may ask. What /proc does not tell is "". Async-signal-safe. */
void facts_read(struct facts *facts, struct arena *arena);

/* The facts of another process (0: of this one, of which none are kept then), as far as /proc tells; where it does not say
 * by which name it was started, that is its first argument. 0, or -errno where it is not there (-ENOENT) or may not be looked
 * at (-EACCES). For the tools. */
int facts_of(struct facts *facts, struct arena *arena, uint32_t pid);

/* A variable among the facts; NULL if unset. */
const char *facts_variable_in(const struct facts *facts, const char *name);

/* The value of a variable in the environment that was kept; NULL if unset or if facts are `secure`. */
const char *facts_variable(const char *name);

#endif
