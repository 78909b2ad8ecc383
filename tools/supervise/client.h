/* client.h - the processes whose calls the supervisor decides: their memory, their sockets, their rules.
 *
 * Theory of operation. A notification names a thread. What is needed to serve it is kept from call to call: above all a pidfd
 * of the thread, by which its sockets are copied. It is of that very thread and never of one that got the same number later: of
 * one that has ended it fails. Memory is read by the number, and the kernel asked afterwards whether the call still waits. The facts that rules ask for are read when a
 * process makes its first call. When it becomes another program by exec(2), the random bytes that the kernel gave it
 * (AT_RANDOM) are others: that is how exec is noticed. (Before its exec, a child of vfork is its parent's program.)
 * What is kept is bounded; who has not been heard of for longest goes first. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_CLIENT_H
#define PORTSHIM_TOOLS_SUPERVISE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/caller.h"

/* A thread that makes a call. */
struct client;

/* Finds or makes it. NULL with -errno in *error: -ESRCH: it is gone; -EACCES, -EPERM: it may not be looked into. */
struct client *client_get(uint32_t tid, int *error);
void client_put(struct client *client);

/* It is another program by now: what is known of it is thrown away at client_put(). */
void client_forget(struct client *client);

/* Whether it still is the thread that it was. */
bool client_is_there(const struct client *client);

/* Its number; and a pidfd, of the thread (Linux 6.9) or of its process: client_pidfd_of_thread() is -1 then. */
uint32_t client_tid(const struct client *client);
int client_pidfd(const struct client *client);
int client_pidfd_of_thread(const struct client *client);

/* Whether it runs the program that it was taken for. */
bool client_is_same_program(const struct client *client);

/* Closes what is kept of threads that make no call now: descriptors are short. */
void client_drop_idle(void);

/* Reads the memory of the thread that has its number: 0; -EFAULT: not all of it is there; -ESRCH. */
int client_read(const struct client *client, uint64_t address, void *to, size_t size);

/* Its memory, opened to be written: -errno. Who asks then makes sure that it still is whose it was. */
int client_memory(const struct client *client);

/* A copy of its descriptor (O_CLOEXEC), or -errno: -EBADF: it has no such. */
int client_copy(const struct client *client, int fd);

/* A call under way: what the engine is told of its caller, and who that is. */
struct asking {
	struct caller caller; /* first: the engine hands it back */
	struct client *client;
};

/* Fills it; what ends a wait is left to who serves the call. */
void client_ask(struct asking *asking, struct client *client);

/* What is said of a program no more than once. Whether this is the first time. */
enum told { TOLD_NO_RING, TOLD_REFUSED, TOLD_CGROUP };
bool client_is_told(struct client *client, enum told what);

/* Whether it may do less than this process: it has another security label (SELinux, AppArmor), or somebody of the tree has
 * put himself under Landlock's rules (client_landlocked()), which are inherited and not to be seen from outside. */
bool client_is_confined(const struct client *client);
bool client_is_labelled(const struct client *client);
void client_landlocked(void);

/* Whether a signal waits for it that it handles, or that stops it. */
bool client_has_signal(const struct client *client);

/* Whether it may bind ports below ip_unprivileged_port_start, of a socket in another network namespace than that of this
 * process (`elsewhere`) or in the same. */
bool client_binds_low_ports(const struct client *client, bool elsewhere);

#endif
