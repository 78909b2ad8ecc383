/* sockets.c - asking for sockets, and looking in /proc for who has them. */
#define _GNU_SOURCE
#include "tools/sockets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/policy.h"
#include "tools/memory.h"

/* ---- the kernel's list ----------------------------------------------------------------------------- */

static void socket_keep(void *context, const struct asked *socket)
{
	struct sockets *sockets = context;
	sockets->socket = memory_for_one(sockets->socket, sockets->n, &sockets->room, sizeof(*sockets->socket));
	sockets->socket[sockets->n++] = *socket;
}

void sockets_ask(struct sockets *sockets)
{
	void *buffer = memory_zeroed(1, ASK_BUFFER_SIZE);
	*sockets = (struct sockets){ .n = 0 };
	for (unsigned bit = 1; bit & PROTOCOL_ANY; bit <<= 1) {
		const struct ask_what what = { .protocol = (uint8_t)bit, .ports = { 1, 65535 } };
		int error = ask_all(&what, buffer, socket_keep, sockets);
		if (!error)
			continue;
		sockets->unknown |= (uint8_t)bit;
		if (bit & (PROTOCOL_TCP | PROTOCOL_UDP))
			sockets->error = error;
	}
	free(buffer);
}

void sockets_free(struct sockets *sockets)
{
	free(sockets->socket);
	*sockets = (struct sockets){ .n = 0 };
}

static int compare_sockets(const void *a, const void *b)
{
	const struct asked *one = a, *other = b;
	const uint64_t keys[][2] = {
		{ one->local.port, other->local.port },       { one->inode, other->inode },
		{ one->protocol, other->protocol },           { one->remote.port, other->remote.port },
		{ one->local.addr.hi, other->local.addr.hi },   { one->local.addr.lo, other->local.addr.lo },
		{ one->remote.addr.hi, other->remote.addr.hi }, { one->remote.addr.lo, other->remote.addr.lo },
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	return 0;
}

void sockets_sort(struct sockets *sockets)
{
	if (sockets->n)
		qsort(sockets->socket, sockets->n, sizeof(*sockets->socket), compare_sockets);
}

bool sockets_have(const struct sockets *sorted, const struct asked *socket)
{
	return sorted->n && bsearch(socket, sorted->socket, sorted->n, sizeof(*socket), compare_sockets);
}

const char *sockets_state(uint8_t protocol, uint8_t state)
{
	static const char *const names[] = {
		[TCP_ESTABLISHED] = "ESTAB", [TCP_SYN_SENT] = "SYN-SENT", [TCP_SYN_RECV] = "SYN-RECV",
		[TCP_FIN_WAIT1] = "FIN-WAIT-1", [TCP_FIN_WAIT2] = "FIN-WAIT-2", [TCP_TIME_WAIT] = "TIME-WAIT",
		[TCP_CLOSE] = "UNCONN", [TCP_CLOSE_WAIT] = "CLOSE-WAIT", [TCP_LAST_ACK] = "LAST-ACK",
		[TCP_LISTEN] = "LISTEN", [TCP_CLOSING] = "CLOSING",
		[12] = "SYN-RECV", /* TCP_NEW_SYN_RECV */
		[13] = "BOUND",    /* TCP_BOUND_INACTIVE */
	};
	if (state >= sizeof(names) / sizeof(*names) || !names[state])
		return "?";
	return protocol == PROTOCOL_TCP && state == TCP_CLOSE ? "BOUND" : names[state];
}

/* ---- who has them ---------------------------------------------------------------------------------- */

static int by_inode(const void *a, const void *b)
{
	uint64_t first = ((const struct holder *)a)->inode, second = ((const struct holder *)b)->inode;
	return (first > second) - (first < second);
}

const struct holder *holder_of(const struct holder *holders, size_t n, uint64_t inode)
{
	const struct holder key = { .inode = inode };
	return n ? bsearch(&key, holders, n, sizeof(key), by_inode) : NULL;
}

/* The inode in "socket:[N]"; 0 for any other file. */
static uint64_t inode_of_link(int folder, const char *name)
{
	char target[64];
	uint64_t inode = 0;
	ssize_t length = readlinkat(folder, name, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	return sscanf(target, "socket:[%" SCNu64 "]", &inode) == 1 ? inode : 0; // NOLINT(cert-err34-c): the kernel's own words
}

static void descriptors_look(DIR *folder, uint32_t pid, struct holder *holders, size_t n)
{
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		uint64_t inode = inode_of_link(dirfd(folder), entry->d_name);
		struct holder *holder = inode ? (struct holder *)(uintptr_t)holder_of(holders, n, inode) : NULL;
		if (holder && (!holder->pid || pid == holder->expected))
			holder->pid = pid;
	}
}

/* The number that a name is as a whole; 0 if it is none. */
static uint32_t pid_of(const char *name)
{
	uint64_t pid = 0;
	return text_to_number(name, strlen(name), INT32_MAX, &pid) ? (uint32_t)pid : 0;
}

void holders_find(struct holder *holders, size_t n)
{
	DIR *processes = n ? opendir("/proc") : NULL;
	if (!processes)
		return;
	qsort(holders, n, sizeof(*holders), by_inode);
	for (const struct dirent *entry; (entry = readdir(processes)) != NULL;) {
		char path[sizeof(entry->d_name) + 16];
		uint32_t pid = pid_of(entry->d_name);
		snprintf(path, sizeof(path), "/proc/%s/fd", entry->d_name);
		DIR *folder = pid ? opendir(path) : NULL;
		if (!folder)
			continue; /* no process, gone, or another user's */
		descriptors_look(folder, pid, holders, n);
		closedir(folder);
	}
	closedir(processes);
}

bool program_name(uint32_t pid, char name[PROGRAM_SIZE])
{
	char path[32];
	ssize_t length = -1;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/comm", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, name, PROGRAM_SIZE - 1);
		close(fd);
	}
	name[length < 0 ? 0 : length] = '\0';
	name[strcspn(name, "\n")] = '\0'; /* a name with a newline in it is shown to there */
	return name[0] != '\0';
}

void program_path(uint32_t pid, char *path, size_t size)
{
	char link[40];
	snprintf(link, sizeof(link), "/proc/%" PRIu32 "/exe", pid);
	ssize_t length = pid ? readlink(link, path, size - 1) : -1;
	path[length > 0 ? length : 0] = '\0';
}
