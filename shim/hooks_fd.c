/* hooks_fd.c - the calls that make descriptors, end them, or change what must be known of one: notes for sock.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "held.h"
#include "hooks.h"
#include "sctp.h"
#include "session.h"
#include "sock.h"

int hook_socket(int domain, int type, int protocol) EXPORT("socket");
int hook_socket(int domain, int type, int protocol)
{
	int fd;

	if (domain == AF_INET || domain == AF_INET6)
		session_prepare();
	fd = real.socket(domain, type, protocol);
	sock_born(fd, domain, type, protocol);
	return fd;
}

int hook_setsockopt(int fd, int level, int option, const void *value, socklen_t len) EXPORT("setsockopt");
int hook_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	int result;

	if (level == IPPROTO_SCTP && sctp_calls_by_setting(option))
		return sctp_set(fd, option, value, len);
	result = real.setsockopt(fd, level, option, value, len);
	if (result == 0)
		sock_option_set(fd, level, option, value, len);
	return result;
}

/* Options that the library set on the program's socket are shown as the program left them. Marks are hidden on copies and
 * on the connections that a listener accepts, too: those have them from it. */
static bool hides_option(int fd, int level, int option, const void *value, socklen_t len)
{
	int bounds = 0;

	if (level == SOL_SOCKET && option == SO_REUSEADDR)
		return sock_lets_share(fd);
	if (level != IPPROTO_IP || option != IP_LOCAL_PORT_RANGE)
		return false;
	if (len == sizeof(bounds))
		memcpy(&bounds, value, sizeof(bounds));
	return sock_range_is_ours(fd) || sock_is_mark(bounds);
}

int hook_getsockopt(int fd, int level, int option, void *value, socklen_t *len) EXPORT("getsockopt");
int hook_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	int result;

	if (level == IPPROTO_SCTP && sctp_calls_by_asking(option))
		return sctp_get(fd, option, value, len);
	result = real.getsockopt(fd, level, option, value, len);
	if (result == 0 && hides_option(fd, level, option, value, *len))
		memset(value, 0, *len);
	return result;
}

int hook_accept(int fd, struct sockaddr *addr, socklen_t *len) EXPORT("accept");
int hook_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	int accepted = real.accept(fd, addr, len);

	sock_forget(accepted);
	return accepted;
}

int hook_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags) EXPORT("accept4");
int hook_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	int accepted = real.accept4(fd, addr, len, flags);

	sock_forget(accepted);
	return accepted;
}

int hook_pidfd_getfd(int pidfd, int fd, unsigned int flags) EXPORT("pidfd_getfd");
int hook_pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	int copy = real.pidfd_getfd(pidfd, fd, flags);

	sock_forget(copy);
	return copy;
}

/* Forgotten before it is closed: right after, the number may be another thread's. */
int hook_close(int fd) EXPORT("close");
int hook_close(int fd)
{
	struct lease lease = held_take(fd);
	int result;

	sock_forget(fd);
	result = real.close(fd);
	held_return(&lease);
	return result;
}

int hook_close_alias(int fd) EXPORT("__close");
int hook_close_alias(int fd)
{
	return hook_close(fd);
}

int hook_close_range(unsigned int first, unsigned int last, int flags) EXPORT("close_range");
int hook_close_range(unsigned int first, unsigned int last, int flags)
{
	sock_forget_range(first, last);
	return real.close_range(first, last, flags);
}

void hook_closefrom(int first) EXPORT("closefrom");
void hook_closefrom(int first)
{
	sock_forget_range(first < 0 ? 0 : (unsigned int)first, ~0u);
	real.closefrom(first);
}

int hook_dup(int fd) EXPORT("dup");
int hook_dup(int fd)
{
	int copy = real.dup(fd);

	sock_copied(fd, copy);
	return copy;
}

int hook_dup2(int fd, int to) EXPORT("dup2");
int hook_dup2(int fd, int to)
{
	int copy = real.dup2(fd, to);

	sock_copied(fd, copy);
	return copy;
}

int hook_dup2_alias(int fd, int to) EXPORT("__dup2");
int hook_dup2_alias(int fd, int to)
{
	return hook_dup2(fd, to);
}

int hook_dup3(int fd, int to, int flags) EXPORT("dup3");
int hook_dup3(int fd, int to, int flags)
{
	int copy = real.dup3(fd, to, flags);

	sock_copied(fd, copy);
	return copy;
}

static void note_fcntl(int fd, int command, int result)
{
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		sock_copied(fd, result);
}

/* The commands of fcntl take nothing, an int or a pointer: a word in each case. */
#define THIRD_ARGUMENT(last)                                                                                   \
	__extension__({                                                                                        \
		va_list list;                                                                                  \
		void *third;                                                                                   \
		va_start(list, last);                                                                          \
		third = va_arg(list, void *);                                                                  \
		va_end(list);                                                                                  \
		third;                                                                                         \
	})

int hook_fcntl(int fd, int command, ...) EXPORT("fcntl");
int hook_fcntl(int fd, int command, ...)
{
	int result = real.fcntl(fd, command, THIRD_ARGUMENT(command));

	note_fcntl(fd, command, result);
	return result;
}

int hook_fcntl_alias(int fd, int command, ...) EXPORT("__fcntl");
int hook_fcntl_alias(int fd, int command, ...)
{
	int result = real.fcntl(fd, command, THIRD_ARGUMENT(command));

	note_fcntl(fd, command, result);
	return result;
}

int hook_fcntl64(int fd, int command, ...) EXPORT("fcntl64");
int hook_fcntl64(int fd, int command, ...)
{
	int result = real.fcntl64(fd, command, THIRD_ARGUMENT(command));

	note_fcntl(fd, command, result);
	return result;
}

ssize_t hook_recvmsg(int fd, struct msghdr *message, int flags) EXPORT("recvmsg");
ssize_t hook_recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t result = real.recvmsg(fd, message, flags);

	if (result >= 0)
		sock_received(message);
	return result;
}

int hook_recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
                  struct timespec *timeout) EXPORT("recvmmsg");
int hook_recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout)
{
	int result = real.recvmmsg(fd, messages, count, flags, timeout);

	for (int i = 0; i < result; i++)
		sock_received(&messages[i].msg_hdr);
	return result;
}

/* --- names that only 32-bit programs call ------------------------------------------------------------------ */

#ifdef TIME64_NAMES

ALSO_BY_TIME64("__setsockopt64", setsockopt);
ALSO_BY_TIME64("__getsockopt64", getsockopt);
ALSO_BY_TIME64("__fcntl_time64", fcntl64);

/* Functions of their own in libc: they hand on the kernel's time stamps as 64 bits. */
ssize_t hook_recvmsg_time64(int fd, struct msghdr *message, int flags) EXPORT("__recvmsg64");
ssize_t hook_recvmsg_time64(int fd, struct msghdr *message, int flags)
{
	ssize_t result = real.__recvmsg64(fd, message, flags);

	if (result >= 0)
		sock_received(message);
	return result;
}

int hook_recvmmsg_time64(int fd, struct mmsghdr *messages, unsigned int count, int flags,
                         void *timeout) EXPORT("__recvmmsg64");
int hook_recvmmsg_time64(int fd, struct mmsghdr *messages, unsigned int count, int flags, void *timeout)
{
	int result = real.__recvmmsg64(fd, messages, count, flags, timeout);

	for (int i = 0; i < result; i++)
		sock_received(&messages[i].msg_hdr);
	return result;
}

#endif
