/* storm_forks.c - `storm_forks THREADS COUNT LO HI`: threads that connect and close all the time, while the main thread makes
 * COUNT children, by fork, clone, vfork and posix_spawn in turn, no more than a few at once. Each makes calls of its own, and
 * ends by itself or is killed. A child that is spawned is this program with the one argument `child`.
 *
 * The connections of the threads that are open while children come and go must keep their ports: each thread holds one back
 * for as long. Prints what was wrong and how many ports can be had at once in the end. */
#define _GNU_SOURCE
#include "storm.h"

#include <pthread.h>
#include <sched.h>
#include <spawn.h>

#define MAX_THREADS 8
#define MAX_CHILDREN 4

extern char **environ;

static atomic_bool stop;
static _Atomic unsigned int connects;

/* --- threads --- */

static int connected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	RIGHT(fd >= 0 && connect_to(fd, TCP_PORT) == 0 && in_pool(fd));
	connects++;
	return fd;
}

static void *connect_on(void *unused)
{
	int kept = connected(), port = port_of(kept);

	(void)unused;
	while (!stop)
		reset(connected());
	RIGHT(port_of(kept) == port && send(kept, "x", 1, MSG_NOSIGNAL) == 1);
	reset(kept);
	return NULL;
}

/* --- children --- */

/* What a child does that shares nothing. Where it is to be killed, its connection is open then. */
static void live(unsigned int which)
{
	if (which % 4 == 3) {
		end_by_reset(connected());
		kill(getpid(), SIGKILL);
	}
	talk(which);
	_exit(0);
}

static pid_t make_by_clone(unsigned int which)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		live(which);
	return pid;
}

static pid_t make_by_fork(unsigned int which)
{
	pid_t pid = fork();

	if (pid == 0)
		live(which);
	return pid;
}

static char *const as_child[] = { "storm_forks", "child", NULL };

static pid_t make_by_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execve("/proc/self/exe", as_child, environ);
		_exit(127);
	}
	return pid;
}

static pid_t make_by_spawn(void)
{
	pid_t pid = -1;

	RIGHT(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, as_child, environ) == 0);
	return pid;
}

/* One in a hundred is another program: that takes far longer. */
static pid_t make(unsigned int which)
{
	if (which % 100 == 0)
		return which % 200 ? make_by_vfork() : make_by_spawn();
	return which % 2 ? make_by_fork(which) : make_by_clone(which);
}

static void reap(unsigned int *children)
{
	int status = -1;

	RIGHT(waitpid(-1, &status, 0) > 0 && (WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL));
	--*children;
}

static void make_all(unsigned int count)
{
	unsigned int children = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (children == MAX_CHILDREN)
			reap(&children);
		RIGHT(make(i) > 0);
		children++;
	}
	while (children > 0)
		reap(&children);
}

/* --- all --- */

int main(int argc, char **argv)
{
	pthread_t thread[MAX_THREADS];
	int threads;

	if (argc == 2) {
		storm_begin(getenv("STORM_LO"), getenv("STORM_HI"));
		talk_tcp();
		return storm->wrong != 0;
	}
	threads = argc == 5 ? atoi(argv[1]) : 0;
	if (threads < 1 || threads > MAX_THREADS)
		return 2;
	setenv("STORM_LO", argv[3], 1);
	setenv("STORM_HI", argv[4], 1);
	storm_begin(argv[3], argv[4]);
	for (int i = 0; i < threads; i++)
		RIGHT(pthread_create(&thread[i], NULL, connect_on, NULL) == 0);
	make_all((unsigned int)atoi(argv[2]));
	stop = true;
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("connects %u\n", connects);
	storm_tell();
	printf("tcp again %d\n", fill(SOCK_STREAM));
	printf("udp again %d\n", fill(SOCK_DGRAM));
	printf("wrong at last %d\n", storm->wrong);
	return 0;
}
