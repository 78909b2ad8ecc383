/* append.c - writing to a file that may be anything, without a trace in the program that it happens in.
 *
 * All by raw system calls: write, open and close of libc are cancellation points, which bind() and getsockname() are not. */
#define _GNU_SOURCE
#include "append.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"
#include "wait.h"

#define WORD_BITS (8 * sizeof(long))

static int write_all(int fd, const char *bytes, size_t length, size_t *done)
{
	while (*done < length) {
		long n = syscall(SYS_write, fd, bytes + *done, length - *done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		*done += (size_t)n;
	}
	return 0;
}

/* --- the signals that a write can bring ---------------------------------------------------------------------- */

static void signals_add(struct signals *signals, unsigned int signal)
{
	signals->word[(signal - 1) / WORD_BITS] |= 1UL << (signal - 1) % WORD_BITS;
}

static bool signals_have(const struct signals *signals, unsigned int signal)
{
	return signals->word[(signal - 1) / WORD_BITS] >> (signal - 1) % WORD_BITS & 1;
}

/* They come to the thread that writes: held back, one that was not pending before is ours, and is taken away. */
static __attribute__((noinline)) int write_quietly(int fd, const char *bytes, size_t length, size_t *done)
{
	static const unsigned int ours[] = { SIGPIPE, SIGXFSZ };
	static const long no_time[4];
	struct signals held = { { 0 } }, before, pending = { { 0 } };
	int error;

	signals_add(&held, SIGPIPE);
	signals_add(&held, SIGXFSZ);
	signals_add(&held, SIGTTOU);
	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &held, &before, sizeof(held)) < 0)
		return -errno;
	syscall(SYS_rt_sigpending, &pending, sizeof(pending));
	error = write_all(fd, bytes, length, done);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		struct signals one = { { 0 } };

		signals_add(&one, ours[i]);
		if (error == (ours[i] == SIGPIPE ? -EPIPE : -EFBIG) && !signals_have(&pending, ours[i]))
			syscall(SYS_rt_sigtimedwait, &one, NULL, no_time, sizeof(one));
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
	return error;
}

/* --- what the file is -------------------------------------------------------------------------------------------- */

/* A regular file that is open-ended brings no signal. *fits: the bytes do not pass the limit. */
static __attribute__((noinline)) bool is_plain(int fd, size_t length, bool *fits)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	struct stat64 about;
	off64_t at;

	*fits = true;
	if (fstat64(fd, &about) < 0 || !S_ISREG(about.st_mode))
		return false;
	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return true;
	at = lseek64(fd, 0, SEEK_CUR);
	if (at < about.st_size)
		at = about.st_size;
	*fits = (uint64_t)at + length <= limit.rlim_cur;
	return false; /* others may write to it meanwhile */
}

int append_to(int fd, const char *bytes, size_t length, size_t *done)
{
	bool fits, plain;

	*done = 0;
	/* A sandbox may end who asks for a limit, or touches signals. */
	if (!kernel_may_be_asked())
		return write_all(fd, bytes, length, done);
	plain = is_plain(fd, length, &fits);
	if (!fits)
		return -EFBIG;
	return plain ? write_all(fd, bytes, length, done) : write_quietly(fd, bytes, length, done);
}

/* O_CREAT only where there is none: in a folder of all it may be refused for another's file (fs.protected_regular). */
static int open_end(const char *path)
{
	int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_LARGEFILE;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);

	if (fd < 0 && errno == ENOENT)
		fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CREAT, 0600);
	return fd < 0 ? -errno : fd;
}

int append_line(const char *path, const char *bytes, size_t length, size_t *done)
{
	int fd = open_end(path), error;

	*done = 0;
	if (fd < 0)
		return fd;
	error = append_to(fd, bytes, length, done);
	syscall(SYS_close, fd);
	return error;
}
