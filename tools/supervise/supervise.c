/* supervise.c - trying out whether a program can be supervised, and doing it. */
#define _GNU_SOURCE
#include "tools/supervise/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/message.h"
#include "tools/supervise/filter.h"
#include "tools/supervise/front.h"
#include "tools/supervise/place.h"
#include "tools/supervise/serve.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438 /* Linux 5.6; the same everywhere */
#endif

enum { FAILED = 125 };

/* Whether /proc tells of the processes that have numbers here. */
static bool proc_is_ours(void)
{
	char words[16] = "";

	return readlink("/proc/self", words, sizeof(words) - 1) > 0 && strtol(words, NULL, 10) == getpid();
}

/* Whether memory of other processes is read (CONFIG_CROSS_MEMORY_ATTACH): tried with our own. */
static int read_memory(void)
{
	char from = 0, to;
	struct iovec here = { &to, 1 }, there = { &from, 1 };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1 ? 0 : -errno;
}

/* In a child, which ends: a filter that tells of nothing, and a look at what else is needed. */
static int try_out(void)
{
	static const struct filter_wants nothing;
	int listener, error = filter_install(&nothing, &listener);

	if (!error && syscall(SYS_pidfd_getfd, -1, 0, 0) < 0 && errno != EBADF)
		error = -errno;
	if (!error)
		error = read_memory();
	return error || proc_is_ours() ? error : -ENODEV;
}

int supervise_possible(void)
{
	struct sigaction given;
	int status = 0, error;
	pid_t child, ended;

	sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, &given); /* ignored, nothing could be waited for */
	child = fork();
	if (child == 0)
		_exit(-try_out());
	error = -errno;
	do
		ended = child < 0 ? -1 : waitpid(child, &status, 0);
	while (child > 0 && ended < 0 && errno == EINTR);
	sigaction(SIGCHLD, &given, NULL);
	if (child < 0)
		return error;
	return ended == child && WIFEXITED(status) ? -WEXITSTATUS(status) : -EPERM;
}

bool supervise_takes_privileges(void)
{
	return !filter_is_admin();
}

int supervise_run(int (*become)(void *context), void *context)
{
	struct front front = { .become = become, .serve = serve, .context = context };

	if (!place_prepare()) {
		say_error("the policy cannot be read any more; put it back and start again");
		return FAILED;
	}
	place_wants(&front.wants);
	return front_run(&front);
}
