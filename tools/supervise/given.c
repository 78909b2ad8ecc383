/* given.c - keeps what the front was given for the program, and lets go of it elsewhere. */
#define _GNU_SOURCE
#include "tools/supervise/given.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of descriptors, where /proc does not tell which there are. */
#define DESCRIPTORS_TRIED 65536

static const int timers[GIVEN_TIMERS] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };

void given_take(struct given *given)
{
	static const struct itimerval none;
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &given->mask);
	/* Where SIGCHLD is ignored, children end without a word; all other dispositions stay: what is blocked is kept. */
	sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, &given->on_child);
	/* A timer survives execve(2), not fork(2): `alarm 10; exec ...` is meant for the program. */
	for (int i = 0; i < GIVEN_TIMERS; i++)
		setitimer(timers[i], &none, &given->timers[i]);
	prctl(PR_GET_PDEATHSIG, &given->death);
	prctl(PR_GET_CHILD_SUBREAPER, &given->subreaper);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void given_restore(const struct given *given)
{
	prctl(PR_SET_PDEATHSIG, given->death);
	prctl(PR_SET_CHILD_SUBREAPER, given->subreaper);
	for (int i = 0; i < GIVEN_TIMERS; i++)
		setitimer(timers[i], &given->timers[i], NULL);
	sigaction(SIGCHLD, &given->on_child, NULL);
	sigprocmask(SIG_SETMASK, &given->mask, NULL);
}

void descriptor_silence(int fd)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing < 0)
		nothing = open("/", O_PATH | O_CLOEXEC); /* neither can be read or written */
	if (nothing == fd)
		return;
	if (nothing < 0 || dup2(nothing, fd) < 0)
		close(fd);
	if (nothing >= 0)
		close(nothing);
}

static void close_if_given(int fd)
{
	int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;
	if (flags >= 0 && !(flags & FD_CLOEXEC))
		close(fd);
}

void given_close(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fd < STDERR_FILENO || fcntl(fd, F_GETFD) < 0)
			descriptor_silence(fd);
	DIR *folder = opendir("/proc/self/fd");
	if (!folder)
		for (int fd = 0; fd < DESCRIPTORS_TRIED; fd++)
			close_if_given(fd);
	for (struct dirent *entry; folder && (entry = readdir(folder));)
		close_if_given((int)strtol(entry->d_name, NULL, 10));
	if (folder)
		closedir(folder);
}

int descriptor_own(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int error = errno;
	close(fd);
	return above < 0 ? -error : above;
}

int pipe_own(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	ends[0] = descriptor_own(ends[0]);
	ends[1] = descriptor_own(ends[1]);
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	return ends[0] < 0 ? ends[0] : ends[1];
}

static int or_error(long result)
{
	return result < 0 ? -errno : (int)result;
}

int process_open(pid_t pid)
{
	return descriptor_own(or_error(syscall(SYS_pidfd_open, pid, 0)));
}

int process_descriptor(int process, int fd)
{
	return descriptor_own(or_error(syscall(SYS_pidfd_getfd, process, fd, 0)));
}

int process_signal(int process, int signal, const siginfo_t *info)
{
	return or_error(syscall(SYS_pidfd_send_signal, process, signal, info, 0));
}
