/* hearers.h - the running processes that can be told that their policy has changed, and telling them.
 *
 * Theory of operation. A process hears of a new policy by the generation in the table that it has mapped (shim/session.h), or that it
 * would map: so all there is to do is to raise that number in each table. Those are the table that the policy names, the automatic
 * ones in /dev/shm, as far as this user may write to them, and those that running processes have mapped, wherever their files are
 * (another root, another name, removed since): /proc/PID/maps names them, and /proc/PID/map_files leads to them. Where a process has
 * the library and no table yet, the one that it would have is made, by a child that goes there as its user: of such a
 * table the header alone takes memory. */
#ifndef PORTSHIM_TOOLS_HEARERS_H
#define PORTSHIM_TOOLS_HEARERS_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* A table whose generation was raised. */
struct told {
	char path[PATH_MAX];
	uint64_t device, inode, generation;
	unsigned int processes; /* that have it mapped */
};

/* Where processes are that have the library and no table. */
struct place {
	uint32_t pid, user, group; /* of one of them */
	uint64_t network, files, users; /* its namespaces */
	uint64_t device, root;     /* its root directory */
	unsigned int processes;
};

struct hearers {
	struct told *told;
	size_t tables, tables_room;
	struct place *place;
	size_t places, places_room;
	unsigned int waiting; /* processes that have no table yet, and look for one */
	unsigned int untold;  /* processes that could not be told */
	const struct stat *policy;     /* a file; NULL: none is asked about */
	unsigned int readers, strangers; /* of those told: who reads its policy from there, and who from elsewhere */
};

/* Raises the generation of the table in that file, unless that was done. 0 or -errno, as table_look() has them. */
int hearers_tell_file(struct hearers *hearers, const char *path);

/* The same for this user's in this network namespace: the file `named`, or the automatic one (NULL). It is made if there is none. */
int hearers_tell_own(struct hearers *hearers, const char *named);

/* All others that can be found. */
void hearers_tell_all(struct hearers *hearers);

/* Counts the processes that have what was told. */
void hearers_count(struct hearers *hearers);

void hearers_free(struct hearers *hearers);

#endif
