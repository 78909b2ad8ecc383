/* test_append.c - writing to a file that may be anything: what came there is told, and no signal. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/append.h"

static char folder[64], path[96];

static void enter(void)
{
	strcpy(folder, "/dev/shm/append-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
}

static void leave(void)
{
	unlink(path);
	rmdir(folder);
}

TestSuite(append, .init = enter, .fini = leave);

static void expect_file(const char *words)
{
	char bytes[256] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && read(fd, bytes, sizeof(bytes) - 1) >= 0);
	close(fd);
	cr_expect_str_eq(bytes, words);
}

static bool is_pending(int signal)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, signal);
}

Test(append, lines_of_a_file)
{
	struct stat about;
	size_t done;

	umask(0);
	cr_expect_eq(append_line(path, "one\n", 4, &done), 0);
	cr_expect_eq(done, 4);
	cr_expect_eq(append_line(path, "two\n", 4, &done), 0);
	expect_file("one\ntwo\n");
	cr_assert_eq(stat(path, &about), 0);
	cr_expect_eq(about.st_mode & 07777, 0600);
	cr_expect_eq(append_line("/dev/shm/none/such", "x", 1, &done), -ENOENT);
	cr_expect_eq(done, 0);
	cr_expect_eq(append_line("/dev/full", "x", 1, &done), -ENOSPC);
}

/* The default action would end the test; and the program's own, which waited before, is still there. */
Test(append, a_pipe_whose_reader_has_gone)
{
	sigset_t one, before;
	size_t done;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	cr_expect_eq(append_to(ends[1], "x", 1, &done), -EPIPE);
	cr_expect_not(is_pending(SIGPIPE));
	sigprocmask(SIG_SETMASK, NULL, &before);
	cr_expect_not(sigismember(&before, SIGPIPE) || sigismember(&before, SIGXFSZ) || sigismember(&before, SIGTTOU));
	sigemptyset(&one);
	sigaddset(&one, SIGPIPE);
	sigprocmask(SIG_BLOCK, &one, NULL);
	raise(SIGPIPE);
	cr_expect_eq(append_to(ends[1], "x", 1, &done), -EPIPE);
	cr_expect(is_pending(SIGPIPE));
	signal(SIGPIPE, SIG_IGN);
	close(ends[1]);
}

Test(append, a_pipe_that_is_full)
{
	static const char bytes[1 << 17];
	size_t done;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	cr_expect_eq(append_to(ends[1], bytes, sizeof(bytes), &done), -EAGAIN);
	cr_expect(done > 0 && done < sizeof(bytes), "%zu", done);
	cr_expect_eq(append_to(ends[1], bytes, 1, &done), -EAGAIN);
	cr_expect_eq(done, 0);
}

Test(append, the_limit_on_files)
{
	const struct rlimit limit = { 10, RLIM_INFINITY };
	size_t done;

	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(append_line(path, "12345\n", 6, &done), 0);
	cr_expect_eq(append_line(path, "12345\n", 6, &done), -EFBIG);
	cr_expect_eq(done, 0);
	expect_file("12345\n");
}
