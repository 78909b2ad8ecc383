/* same.c - a program whose every line of output must be the same with and without the library.
 *
 * `same ROLE [SCENE]`: each scene makes calls with sockets, right and wrong ones, and prints the results, the errnos
 * and the states of the sockets. The role is who makes them: main, a thread, a constructor ... In the role `main` all
 * the scenes are played, or the one that is named; in the others, those that are short. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <net/if.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "same.h"
#include "same_rest.h"

extern char **environ;

static const struct { const char *name; void (*play)(void); bool is_short; } scenes[] = {
	{ "tcp", scene_tcp, false }, { "mptcp", scene_mptcp, false }, { "tcp-ways", scene_tcp_ways, false },
	{ "udp", scene_udp, false }, { "udplite", scene_udplite, false }, { "many", scene_many, false },
	{ "tcp-addresses", scene_tcp_addresses, false }, { "tcp6-addresses", scene_tcp6_addresses, false },
	{ "udp-addresses", scene_udp_addresses, false }, { "udp6-addresses", scene_udp6_addresses, false },
	{ "no-socket", scene_no_socket, false }, { "kinds", scene_kinds, false }, { "options", scene_options, false },
	{ "mapped", scene_mapped, true }, { "unix", scene_unix, true }, { "bindresvport", scene_bindresvport, false },
	{ "copies", scene_copies, true }, { "messages", scene_messages, true }, { "tcp-short", scene_tcp_short, true },
	{ "udp-short", scene_udp_short, true }, { "addresses-short", scene_addresses_short, true },
	{ "process", scene_process, false },
};

static const char *role = "";

static void play(const char *only, bool all)
{
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		if (only ? strcmp(only, scenes[i].name) != 0 : !all && !scenes[i].is_short)
			continue;
		scenario = scenes[i].name;
		scenes[i].play();
	}
	scenario = "end";
	say("%s", role);
}

static void play_short(void)
{
	play(NULL, false);
}

/* --- roles --- */

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

static void as_other_network(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = OPEN(socket(AF_INET, SOCK_STREAM, 0)), lo;

	DO(unshare(CLONE_NEWNET));
	lo = OPEN(socket(AF_INET, SOCK_DGRAM, 0));
	DO(ioctl(lo, SIOCSIFFLAGS, &request));
	close(lo);
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

/* For those that come before main() and after it. */
static bool has_role(const char *name)
{
	const char *given = getenv("SAME_ROLE");

	return given && strcmp(given, name) == 0;
}

static __attribute__((constructor)) void before_main(void)
{
	signal(SIGPIPE, count_pipe);
	if (has_role("constructor") || has_role("loaded"))
		play_short();
}

static __attribute__((destructor)) void after_main(void)
{
	if (has_role("destructor"))
		play_short();
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*act)(void); } roles[] = {
		{ "thread", as_thread }, { "handler", as_handler }, { "exit", as_exit_handler }, { "fork", as_child },
		{ "vfork", as_vfork_child }, { "spawn", as_spawned }, { "exec", as_executed }, { "library", as_library },
		{ "network", as_other_network }, { "user", as_other_user }, { "undumpable", as_undumpable }, { "short", play_short },
	};

	role = argc > 1 ? argv[1] : "main";
	scenario = role;
	if (strcmp(role, "main") == 0)
		play(argc > 2 ? argv[2] : NULL, true);
	if (strcmp(role, "after-exec") == 0 && argc > 2)
		after_exec(atoi(argv[2]));
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(role, roles[i].name) == 0)
			roles[i].act();
	return 0;
}
