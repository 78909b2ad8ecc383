/* folder.h - a folder of its own for each test, with files made in it. */
#ifndef PORTSHIM_TESTS_TOOLS_FOLDER_H
#define PORTSHIM_TESTS_TOOLS_FOLDER_H

#include <criterion/criterion.h>

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* snprintf() into a buffer that must be large enough. */
__attribute__((format(printf, 3, 4))) static inline void put(char *to, size_t size, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	cr_assert_lt(vsnprintf(to, size, format, arguments), (int)size);
	va_end(arguments);
}

static char folder[] = "/tmp/portshim-test-XXXXXX";

/* For a suite's .init and .fini. */
static inline void folder_make(void)
{
	cr_assert(mkdtemp(folder));
	cr_assert_eq(chmod(folder, 0755), 0); /* tests with another user look into it */
}

static inline void folder_remove(void)
{
	char command[sizeof(folder) + 32];
	put(command, sizeof(command), "/bin/rm -rf %s", folder);
	cr_expect_eq(system(command), 0);
}

/* Skips the test at hand; Criterion leaves out .fini then. */
static inline void folder_skip(const char *why)
{
	folder_remove();
	cr_skip_test("%s", why);
}

/* "FOLDER/name", in one of a few buffers. */
static inline const char *inside(const char *name)
{
	static char paths[8][PATH_MAX];
	static int next;
	char *path = paths[next++ % 8];
	put(path, PATH_MAX, "%s/%s", folder, name);
	return path;
}

static inline const char *file_make(const char *name, const void *bytes, size_t size, mode_t mode)
{
	const char *path = inside(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static inline const char *text_make(const char *name, const char *text, mode_t mode)
{
	return file_make(name, text, strlen(text), mode);
}

#endif
