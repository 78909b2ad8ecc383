/* log.c - one message, one write. */
#define _GNU_SOURCE
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "append.h"
#include "caller.h"
#include "real.h"

static struct {
	_Atomic(enum log_level) level;
	_Atomic(enum log_target) target;
	_Atomic(const char *) path;
} settings = { LOG_LEVEL_ERROR, LOG_TO_STDERR, NULL };

static struct {
	bool open;
	dev_t device;
	ino_t inode;
} standard_error;

/* A program of inetd's has its client there, which should hear what the program says, and nothing else. */
static bool is_network_socket(int fd)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);

	return real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && (domain == AF_INET || domain == AF_INET6);
}

void log_start(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;
	struct stat st;

	if (atomic_flag_test_and_set(&done) || fstat(STDERR_FILENO, &st) < 0 ||
	    (S_ISSOCK(st.st_mode) && is_network_socket(STDERR_FILENO)))
		return;
	standard_error.open = true;
	standard_error.device = st.st_dev;
	standard_error.inode = st.st_ino;
}

void log_configure(enum log_level level, enum log_target target, const char *path)
{
	atomic_store(&settings.path, path);
	atomic_store(&settings.target, target);
	atomic_store(&settings.level, level);
}

bool log_wants(enum log_level level)
{
	return level <= atomic_load_explicit(&settings.level, memory_order_relaxed);
}

void log_begin(struct text *text)
{
	text_clear(text);
	text_add(text, "portshim: ");
	text_add(text, caller ? caller->name : program_invocation_short_name);
	text_add(text, "[");
	text_add_number(text, (uint64_t)(caller ? caller->pid : getpid()));
	text_add(text, "]: ");
}

static bool takes_bytes(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	struct timespec now = { 0, 0 };

	/* A full pipe would block: that is not worth a message. */
	return syscall(SYS_ppoll, &pollfd, 1, &now, NULL, 0) == 1 && pollfd.revents == POLLOUT;
}

static __attribute__((noinline)) void to_stderr(const struct text *text)
{
	struct stat st;
	size_t done;

	if (standard_error.open && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == standard_error.device &&
	    st.st_ino == standard_error.inode && takes_bytes(STDERR_FILENO))
		append_to(STDERR_FILENO, text->at, text->length, &done);
}

static __attribute__((noinline)) void to_file(const char *path, const struct text *text)
{
	size_t done;

	append_line(path, text->at, text->length, &done);
}

/* RFC 3164 as syslog(3) writes it to /dev/log, without its locks and malloc. Facility 3: daemon. */
static __attribute__((noinline)) void to_syslog(enum log_level level, const struct text *text)
{
	static const char priority[][5] = { "<31>", "<27>", "<28>", "<30>", "<31>" };
	struct sockaddr_un log = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	struct iovec parts[] = {
		{ .iov_base = (void *)priority[level], .iov_len = 4 },
		{ .iov_base = text->at, .iov_len = text->length },
	};
	struct msghdr message = {
		.msg_name = &log, .msg_namelen = sizeof(log), .msg_iov = parts, .msg_iovlen = 2,
	};
	int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
	syscall(SYS_close, fd);
}

void log_send(enum log_level level, struct text *text)
{
	int saved = errno;

	if (!log_wants(level))
		return;
	if (text->length + 1 >= text->size)
		text->length = text->size - 2;
	text_add(text, "\n");
	switch (atomic_load(&settings.target)) {
	case LOG_TO_STDERR:
		to_stderr(text);
		break;
	case LOG_TO_SYSLOG:
		to_syslog(level, text);
		break;
	case LOG_TO_PATH:
		to_file(atomic_load(&settings.path), text);
		break;
	}
	errno = saved;
}
