/* same_roles.h - who plays the scenes of same.c. */
#ifndef PORTSHIM_TESTS_SAME_ROLES_H
#define PORTSHIM_TESTS_SAME_ROLES_H

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <linux/sched.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "same.h"

extern char **environ;

/* The scenes that are short. */
static void play_short(void);

static void *in_thread(void *nothing)
{
	play_short();
	return nothing;
}

static void in_handler(int number)
{
	(void)number;
	play_short();
}

static void as_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, in_thread, NULL);
	pthread_join(thread, NULL);
}

static void as_handler(void)
{
	signal(SIGUSR1, in_handler);
	raise(SIGUSR1);
}

static void as_exit_handler(void)
{
	atexit(play_short);
}

static void end_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	say("child ended: 0x%x", (unsigned int)status);
}

static void as_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		play_short();
		_exit(0);
	}
	end_of(pid);
}

/* The child shares our memory, and only makes and closes copies. What is left is as it was. */
static void as_vfork_child(void)
{
	int server = listener(AF_INET, 7060, 8), fd = OPEN(socket(AF_INET, SOCK_STREAM, 0));
	pid_t pid;

	DO(bind(fd, at_loopback(AF_INET, 0), sizeof(struct sockaddr_in)));
	pid = vfork();
	if (pid == 0) {
		dup2(fd, 40);
		dup3(fd, 41, O_CLOEXEC);
		close(dup(fd));
		close(fcntl(fd, F_DUPFD, 45));
		close(fd);
		close_range(40, 41, 0);
		close(-1);
		_exit(0);
	}
	end_of(pid);
	show(fd);
	DO(connect(fd, at_loopback(AF_INET, 7060), sizeof(struct sockaddr_in)));
	show(fd);
	DO(close(40));
	close(fd);
	close(server);
	play_short();
}

static void as_spawned(void)
{
	pid_t pid;
	int error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, (char *[]){ "same", "short", NULL }, environ);

	if (error == 0)
		end_of(pid);
	say("posix_spawn: %d", error);
}

/* A socket goes along. */
static void as_executed(void)
{
	int fd = OPEN(socket(AF_INET, SOCK_STREAM, 0));
	char number[16];

	DO(bind(fd, at_loopback(AF_INET, 0), sizeof(struct sockaddr_in)));
	snprintf(number, sizeof(number), "%d", fd);
	execl("/proc/self/exe", "same", "after-exec", number, (char *)NULL);
	say("exec: %s", errno_name(errno));
}

static void after_exec(int fd)
{
	int server = listener(AF_INET, 7061, 8);

	show(fd);
	DO(connect(fd, at_loopback(AF_INET, 7061), sizeof(struct sockaddr_in)));
	show(fd);
	close(fd);
	close(server);
	play_short();
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int lo = OPEN(socket(AF_INET, SOCK_DGRAM, 0));

	DO(ioctl(lo, SIOCSIFFLAGS, &request));
	close(lo);
}

static void as_other_network(void)
{
	int fd = OPEN(socket(AF_INET, SOCK_STREAM, 0));

	DO(unshare(CLONE_NEWNET));
	loopback_up();
	play_short();
	DO(connect(fd, at_loopback(AF_INET, CLOSED_PORT), sizeof(struct sockaddr_in)));
	close(fd);
}

static void as_other_user(void)
{
	DO(setgroups(0, NULL));
	DO(setgid(65534));
	DO(setuid(65534));
	play_short();
}

static void as_undumpable(void)
{
	DO(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	play_short();
}

/* --- children by clone(2) ------------------------------------------------------------------------ */

struct left_behind {
	int fd, other;
};

static void put_new(int at)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd != at) {
		dup2(fd, at);
		close(fd);
	}
}

/* In a child that shares our descriptors, or our memory, or both: plays, and leaves new sockets in place of two. */
static int in_clone(void *given)
{
	const struct left_behind *work = given;

	play_short();
	close(work->fd);
	put_new(work->fd);
	put_new(work->other);
	return 0;
}

static void after_clone(int fd)
{
	show(fd);
	DO(connect(fd, at_loopback(AF_INET, 7062), sizeof(struct sockaddr_in)));
	show(fd);
}

/* The numbers are those of sockets that are bound, before the child makes others of them. */
static void as_cloned(int flags)
{
	static char stack[1 << 20] __attribute__((aligned(16)));
	int server = listener(AF_INET, 7062, 8);
	struct left_behind work = { OPEN(socket(AF_INET, SOCK_DGRAM, 0)), OPEN(socket(AF_INET, SOCK_STREAM, 0)) };

	DO(connect(work.fd, at_loopback(AF_INET, 7062), sizeof(struct sockaddr_in)));
	DO(bind(work.other, at_loopback(AF_INET, 0), sizeof(struct sockaddr_in)));
	show(work.fd);
	end_of(clone(in_clone, stack + sizeof(stack), flags | SIGCHLD, &work));
	after_clone(work.fd);
	after_clone(work.other);
	close(work.fd);
	close(work.other);
	close(server);
}

static void as_clone(void)
{
	as_cloned(0);
}

static void as_clone_of_memory(void)
{
	as_cloned(CLONE_VM | CLONE_VFORK);
}

static void as_clone_of_files(void)
{
	as_cloned(CLONE_FILES);
}

static void as_clone_of_both(void)
{
	as_cloned(CLONE_VM | CLONE_VFORK | CLONE_FILES);
}

/* As fork(2), but libc does not come to know of it. */
static void as_raw_clone(void)
{
	struct clone_args arguments = { .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0) {
		play_short();
		_exit(0);
	}
	end_of(pid);
	play_short();
}

/* --- between networks --------------------------------------------------------------------------------- */

/* Sockets of one network used in the other: each stays in its own. */
struct network {
	int space, server, fresh, bound, datagram;
};

static void furnish(struct network *network, const char *words)
{
	say("%s", words);
	network->space = OPEN(open("/proc/self/ns/net", O_RDONLY));
	network->server = listener(AF_INET, 7063, 8);
	network->fresh = OPEN(socket(AF_INET, SOCK_STREAM, 0));
	network->bound = OPEN(socket(AF_INET, SOCK_STREAM, 0));
	network->datagram = OPEN(socket(AF_INET, SOCK_DGRAM, 0));
	DO(bind(network->bound, at_loopback(AF_INET, 0), sizeof(struct sockaddr_in)));
}

static void use(const struct network *network)
{
	int peer;

	DO(connect(network->fresh, at_loopback(AF_INET, 7063), sizeof(struct sockaddr_in)));
	show(network->fresh);
	peer = OPEN(accept4(network->server, NULL, NULL, SOCK_NONBLOCK));
	show(peer);
	close(peer);
	DO(connect(network->bound, at_loopback(AF_INET, 7063), sizeof(struct sockaddr_in)));
	show(network->bound);
	DO(sendto(network->datagram, "x", 1, 0, at_loopback(AF_INET, CLOSED_PORT), sizeof(struct sockaddr_in)));
	show(network->datagram);
	close(network->fresh);
	close(network->bound);
	close(network->datagram);
	close(network->server);
}

static void as_traveller(void)
{
	struct network home, abroad;

	furnish(&home, "home");
	DO(unshare(CLONE_NEWNET));
	loopback_up();
	furnish(&abroad, "abroad");
	use(&home);
	play_short();
	DO(setns(home.space, CLONE_NEWNET));
	use(&abroad);
	play_short();
	DO(setns(abroad.space, 0));
	furnish(&home, "abroad again");
	use(&home);
}

/* A copy of this file that the loader does not know for a program: loaded as a library that looks for its functions in
 * its own libraries first. Its constructor plays. */
static void as_library(void)
{
	struct { unsigned char *bytes; off_t size; } file;
	int from = open("/proc/self/exe", O_RDONLY), to = memfd_create("same", 0);
	char path[32];
	const ElfW(Ehdr) *head;
	const ElfW(Phdr) *part;
	void *library;

	file.size = lseek(from, 0, SEEK_END);
	file.bytes = mmap(NULL, (size_t)file.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, from, 0);
	head = (const ElfW(Ehdr) *)file.bytes;
	part = (const ElfW(Phdr) *)(file.bytes + head->e_phoff);
	for (int i = 0; i < head->e_phnum; i++) {
		ElfW(Dyn) *entry = (ElfW(Dyn) *)(file.bytes + part[i].p_offset);

		for (; part[i].p_type == PT_DYNAMIC && entry->d_tag != DT_NULL; entry++)
			if (entry->d_tag == DT_FLAGS_1)
				entry->d_un.d_val &= ~(ElfW(Addr))DF_1_PIE;
	}
	if (write(to, file.bytes, (size_t)file.size) != file.size)
		_exit(3);
	close(from);
	setenv("SAME_ROLE", "loaded", 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	say("dlopen: %s", library ? "done" : dlerror());
}

#endif
