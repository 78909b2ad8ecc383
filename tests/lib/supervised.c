/* supervised.c - stories under the supervisor, and the processes that take part. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/supervised.h"

static pid_t guard; /* see guard_start() */

/* The network namespace of a process; "": it is gone. */
static void network_of(pid_t pid, char name[64])
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	length = readlink(path, name, 63);
	name[length > 0 ? length : 0] = '\0';
}

/* Kills all processes of this network but the caller. Whether there were any. */
static bool kill_network(void)
{
	char own[64], its[64];
	DIR *processes = opendir("/proc");
	bool any = false;

	network_of(getpid(), own);
	for (struct dirent *entry; processes && (entry = readdir(processes));) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || pid == getpid())
			continue;
		network_of(pid, its);
		any |= own[0] && strcmp(its, own) == 0 && kill(pid, SIGKILL) == 0;
	}
	if (processes)
		closedir(processes);
	return any;
}

/* A child that waits until this process has ended, by whatever, and then ends all that is left in its network: the runner kills a
 * test that takes too long, and a supervisor outlives that. */
static void guard_start(void)
{
	char own[64], outside[64];
	pid_t parent = getpid();
	sigset_t end;

	network_of(parent, own);
	network_of(getppid(), outside);
	cr_assert(own[0] && strcmp(own, outside) != 0, "not a network of its own");
	guard = fork();
	cr_assert(guard >= 0);
	if (guard > 0)
		return;
	sigemptyset(&end);
	sigaddset(&end, SIGUSR1);
	sigprocmask(SIG_BLOCK, &end, NULL);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	while (getppid() == parent)
		sigwaitinfo(&end, NULL);
	while (kill_network())
		nanosleep(&(struct timespec){ 0, 1000 * 1000 }, NULL); /* who is dying is seen until it is gone */
	_exit(0);
}

void supervised_enter(void)
{
	world_enter();
	setenv("PORTSHIM_TEST_MODE", "supervise", 1);
	cr_assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	guard_start();
}

/* The first child of a process that is not the guard; 0: none. */
static pid_t child_of(pid_t pid)
{
	char path[64];
	int child = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	do {
		if (file && fscanf(file, "%d", &child) != 1)
			child = 0;
	} while (child && child == guard);
	if (file)
		fclose(file);
	return child;
}

/* Whoever is killed hands on its children: until there are none. */
static void end_children(void)
{
	pid_t child;

	while ((child = child_of(getpid())) > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}

void supervised_leave(void)
{
	end_children();
	kill(guard, SIGKILL);
	waitpid(guard, NULL, 0);
	world_leave();
}

const char *supervised_rule(int set, const char *further)
{
	static char text[4][512];
	static int next;
	char *to = text[next++ % 4];

	snprintf(to, sizeof(text[0]), "[rule r]\nports = %s\n%s", set ? LATE_SET : EARLY_SET, further);
	return to;
}

bool supervised_is_ours(int set, int port)
{
	int first = set ? 40500 : 20000;

	return port >= first && port <= first + 9;
}

pid_t only_child_of(pid_t pid)
{
	const struct timespec moment = { 0, 2 * 1000 * 1000 };
	pid_t child = 0;

	for (int left = DEADLINE_MS / 2; left > 0 && (child = child_of(pid)) == 0; left--)
		nanosleep(&moment, NULL);
	cr_assert(child > 0, "process %d has no child", pid);
	return child;
}

/* Whether it has named itself. Before there is one, a child tries out whether there can be one. */
static bool is_supervisor(pid_t pid)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file && !fgets(name, sizeof(name), file))
		name[0] = '\0';
	if (file)
		fclose(file);
	return strcmp(name, "portshim-super\n") == 0;
}

pid_t supervisor_of(const struct run *run)
{
	const struct timespec moment = { 0, 2 * 1000 * 1000 };
	pid_t child = 0;

	for (int left = DEADLINE_MS / 2; left > 0 && !is_supervisor(child = child_of(run->pid)); left--)
		nanosleep(&moment, NULL);
	cr_assert(is_supervisor(child), "there is no supervisor");
	return child;
}

pid_t program_of(const struct run *run)
{
	return only_child_of(supervisor_of(run));
}

void has_ended_within_deadline(pid_t pid)
{
	struct pollfd pollfd = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (pollfd.fd < 0 && errno == ESRCH)
		return;
	cr_assert(pollfd.fd >= 0 && poll(&pollfd, 1, DEADLINE_MS) == 1, "process %d does not end", pid);
	close(pollfd.fd);
}

/* With no room but for one, and that one taken, further attempts are not answered. */
void queue_fill(int listener)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(listen(listener, 0) == 0 && getsockname(listener, (struct sockaddr *)&to, &len) == 0);
	cr_assert(connect(client, (struct sockaddr *)&to, len) == 0, "%s", strerror(errno));
	close(client);
}

int queue_wait_for_attempt(int port)
{
	const struct timespec moment = { 0, 2 * 1000 * 1000 };
	int from = 0;

	for (int left = DEADLINE_MS / 2; left > 0 && (from = socket_seen(0, port, TCP_SYN_SENT)) == 0; left--)
		nanosleep(&moment, NULL);
	cr_assert(from > 0, "nobody tries to connect to port %d", port);
	return from;
}
