/* out_file.c - writes beside the file, then renames over it (rename(2) is atomic). */
#define _GNU_SOURCE
#include "tools/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/memory.h"
#include "tools/message.h"

static void failed(const char *path, int error)
{
	say_error("%s cannot be written: %s", path, strerror(error));
}

static mode_t mode_for_new(void)
{
	mode_t mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/* A file in the folder of `path`, open. A name of its own kind: what looks for files by their endings passes it over. */
static int temporary_make(struct out_file *out, const char *path, mode_t mode)
{
	const char *slash = strrchr(path, '/');
	out->temporary = memory_words("%.*s.portshim-XXXXXX", slash ? (int)(slash - path) + 1 : 0, path);
	int fd = mkostemp(out->temporary, O_CLOEXEC);
	if (fd >= 0 && fchmod(fd, mode) == 0)
		return fd;
	int error = errno;
	if (fd >= 0) {
		close(fd);
		unlink(out->temporary);
	}
	errno = error;
	return -1;
}

bool out_begin(struct out_file *out, const char *path)
{
	struct stat about;
	*out = (struct out_file){ .to = stdout, .named = path };
	if (!path || strcmp(path, "-") == 0)
		return true;
	bool there = stat(path, &about) == 0;
	if (there && !S_ISREG(about.st_mode)) {
		out->to = fopen(path, "we");
	} else {
		out->path = there ? realpath(path, NULL) : memory_words("%s", path);
		int fd = out->path ? temporary_make(out, out->path, there ? about.st_mode & 07777 : mode_for_new()) : -1;
		out->to = fd < 0 ? NULL : fdopen(fd, "w");
	}
	if (out->to)
		return true;
	failed(path, errno);
	free(out->path);
	free(out->temporary);
	return false;
}

/* 0, or the errno of what is missing in it. */
static int contents_finish(FILE *to)
{
	errno = 0;
	bool bad = fflush(to) != 0 || ferror(to);
	return !bad ? 0 : errno ? errno : EIO;
}

bool out_finish(struct out_file *out, bool whole)
{
	int error = contents_finish(out->to);
	if (out->temporary && !error && whole && fsync(fileno(out->to)) < 0 && errno != EINVAL && errno != ENOSYS)
		error = errno;
	if (out->to != stdout && fclose(out->to) != 0 && !error)
		error = errno;
	if (out->temporary && whole && !error && rename(out->temporary, out->path) < 0)
		error = errno;
	if (out->temporary && (error || !whole))
		unlink(out->temporary);
	if (error && out->to != stdout) /* main() says so of standard output */
		failed(out->named, error);
	free(out->path);
	free(out->temporary);
	return whole && !error;
}
