/* sockets.h - the kernel's own list of sockets, and which processes have them. */
#ifndef PORTSHIM_TOOLS_SOCKETS_H
#define PORTSHIM_TOOLS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/ask.h"

struct sockets {
	struct asked *socket;
	size_t n, room;
	uint8_t unknown; /* protocols of which the kernel tells nothing, bits of enum protocol */
	int error;       /* -errno for TCP or UDP, which every kernel with sock_diag(7) knows */
};

/* All sockets of all protocols in this network namespace. */
void sockets_ask(struct sockets *sockets);
void sockets_free(struct sockets *sockets);

/* For sockets_have(). */
void sockets_sort(struct sockets *sockets);

/* Whether the same socket is among them, its state aside. */
bool sockets_have(const struct sockets *sorted, const struct asked *socket);

/* "ESTAB", "LISTEN" ... as ss(8) has them. */
const char *sockets_state(uint8_t protocol, uint8_t state);

/* A socket whose process is looked for. */
struct holder {
	uint64_t inode;
	uint32_t expected; /* the process that is taken if it is among several; 0: the first */
	uint32_t pid;      /* 0: none that this user may look at */
};

/* Sorts the holders by inode and fills in `pid` from /proc/PID/fd. */
void holders_find(struct holder *holders, size_t n);
const struct holder *holder_of(const struct holder *holders, size_t n, uint64_t inode);

#define PROGRAM_SIZE 64

/* The name of the process's program as ps(1) shows it; false, and "", if there is none. */
bool program_name(uint32_t pid, char name[PROGRAM_SIZE]);

/* The path of its executable, of `size` bytes at most; "" if this user may not know. */
void program_path(uint32_t pid, char *path, size_t size);

#endif
