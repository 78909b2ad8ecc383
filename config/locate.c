/* locate.c - where the policy of a process is, and how a file is read without stdio and without malloc.
 *
 * Files are opened, read and closed by raw system calls: libc's functions are cancellation points. */
#include "locate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "text.h"

#define SYSTEM_POLICY "/etc/portshim.conf"
#define OWN_POLICY "portshim/portshim.conf"
#define LARGEST ((size_t)16 << 20)
#define FIRST_ROOM ((size_t)8192)

/* Where paths begin. */
struct beginning {
	const char *root, *folder; /* before absolute ones, and relative ones */
};

/* directory/rest/OWN_POLICY, if that file is there. Relative directories do not count (XDG base directories). */
static bool try_own(struct location *location, const struct beginning *from, const char *directory, const char *rest)
{
	struct text path = TEXT_OVER(location->path);

	if (!directory || *directory != '/' ||
	    strlen(from->root) + strlen(directory) + strlen(rest) + sizeof("/" OWN_POLICY) > sizeof(location->path))
		return false;
	text_clear(&path);
	text_add(&path, from->root);
	text_add(&path, directory);
	text_add(&path, rest);
	text_add(&path, "/" OWN_POLICY);
	return access(location->path, F_OK) == 0;
}

/* A path that is too long becomes "", which no file has: rather an error than another file. */
static void take_path(struct location *location, const struct beginning *from, const char *path)
{
	const char *begin = !*path ? "" : *path == '/' ? from->root : from->folder;
	struct text words = TEXT_OVER(location->path);

	text_clear(&words);
	if (strlen(begin) + strlen(path) < sizeof(location->path)) {
		text_add(&words, begin);
		text_add(&words, path);
	}
	location->found = FOUND_FILE;
}

static bool try_variables(struct location *location, const struct beginning *from, variable_lookup *lookup)
{
	const char *value = lookup("PORTSHIM_PORTS"), *directory;

	if (value) {
		location->found = FOUND_PORTS;
		location->ports = value;
		return true;
	}
	value = lookup("PORTSHIM_CONF");
	if (value) {
		take_path(location, from, value);
		return true;
	}
	location->found = FOUND_FILE;
	directory = lookup("XDG_CONFIG_HOME");
	if (directory && *directory)
		return try_own(location, from, directory, "");
	return try_own(location, from, lookup("HOME"), "/.config");
}

void locate_policy_from(struct location *location, variable_lookup *lookup, const char *root, const char *folder)
{
	const struct beginning from = { root, folder };

	location->ports = NULL;
	location->path[0] = '\0';
	if (lookup && try_variables(location, &from, lookup))
		return;
	take_path(location, &from, SYSTEM_POLICY);
	if (access(location->path, F_OK) != 0) {
		location->found = FOUND_NOTHING;
		location->path[0] = '\0';
	}
}

void locate_policy(struct location *location, variable_lookup *lookup)
{
	locate_policy_from(location, lookup, "", "");
}

/* --- reading ----------------------------------------------------------------------------------- */

static int open_file(const char *path)
{
	int fd;

	do /* O_NONBLOCK: a FIFO without a writer must not hang the program that asks */
		fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* Bytes read, 0 at the end, -errno. A pipe with a writer is waited for. */
static long read_some(int fd, char *to, size_t room)
{
	for (;;) {
		long n = syscall(SYS_read, fd, to, room);
		struct pollfd readable = { .fd = fd, .events = POLLIN };

		if (n >= 0)
			return n;
		if (errno == EAGAIN)
			syscall(SYS_ppoll, &readable, 1, NULL, NULL, 0);
		else if (errno != EINTR)
			return -errno;
	}
}

static int may_be_read(const struct stat *about, file_judge *judge, void *context)
{
	if (S_ISDIR(about->st_mode))
		return -EISDIR;
	if (judge && !judge(about, context))
		return -EKEYREJECTED;
	return S_ISREG(about->st_mode) && about->st_size > (off_t)LARGEST ? -EFBIG : 0;
}

/* How much room to begin with: a file's size and one byte more, so that its end is seen; a guess for /proc. */
static size_t room_at_first(const struct stat *about)
{
	return S_ISREG(about->st_mode) && about->st_size > 0 ? (size_t)about->st_size + 1 : FIRST_ROOM;
}

static char *read_all(int fd, struct arena *arena, size_t room, size_t *length, int *error)
{
	char *bytes = arena_alloc(arena, room + 1), *larger;
	long n;

	*length = 0;
	while (bytes) {
		n = read_some(fd, bytes + *length, room - *length);
		if (n <= 0 || *length + (size_t)n > LARGEST) {
			*error = n > 0 ? -EFBIG : (int)n;
			bytes[n > 0 ? 0 : *length] = '\0';
			return *error ? NULL : bytes;
		}
		*length += (size_t)n;
		if (*length < room)
			continue;
		larger = arena_alloc(arena, 2 * room + 1);
		/* a setting of /proc/sys is had in one read or not at all (tests/platform/reserved.c): from the start again */
		if (syscall(SYS_lseek, fd, (off_t)0, SEEK_SET) == 0)
			*length = 0;
		if (larger)
			memcpy(larger, bytes, *length);
		bytes = larger;
		room *= 2;
	}
	*error = -ENOMEM;
	return NULL;
}

char *locate_read_judged(struct arena *arena, const char *path, size_t *length, int *error, file_judge *judge, void *context)
{
	int fd = open_file(path);
	struct stat about;
	char *bytes = NULL;
	bool known;

	*length = 0;
	*error = fd < 0 ? fd : 0;
	if (fd < 0)
		return NULL;
	/* Where a sandbox does not let it be asked what the file is, it is read all the same: nobody can put a process with
	 * more privileges than his own into one (PR_SET_NO_NEW_PRIVS). */
	known = fstat(fd, &about) == 0;
	*error = known ? may_be_read(&about, judge, context) : 0;
	if (*error == 0)
		bytes = read_all(fd, arena, known ? room_at_first(&about) : FIRST_ROOM, length, error);
	/* Of a pipe that nobody writes to, or that another has read, not even a policy without rules can be had. */
	if (bytes && *length == 0 && known && S_ISFIFO(about.st_mode)) {
		*error = -ENODATA;
		bytes = NULL;
	}
	syscall(SYS_close, fd);
	return bytes;
}

char *locate_read(struct arena *arena, const char *path, size_t *length, int *error)
{
	return locate_read_judged(arena, path, length, error, NULL, NULL);
}

const char *locate_error_words(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
		return "no such file; write it, or name another";
	case -EACCES:
	case -EPERM:
		return "may not be read by this user; make it readable, or name another";
	case -EFBIG:
		return "larger than a policy may be (16 MiB)";
	case -EISDIR:
		return "a folder; name the file in it";
	case -ENODATA:
		return "a pipe with nothing in it; name a regular file, which each program can read for itself";
	case -ENOMEM:
		return "out of memory";
	}
	return "cannot be read; name a regular file";
}
