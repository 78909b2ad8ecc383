/* libc.h - what the probes take from glibc and another C library lacks: there it is done by system call.
 *
 * The references are weak: under portshim's library such a probe calls its functions of these names, as a program does
 * that finds them by dlsym(). */
#ifndef PORTSHIM_TESTS_LIBC_H
#define PORTSHIM_TESTS_LIBC_H

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <sys/pidfd.h>

#define name_of_errno(error) strerrorname_np(error)
#define LIBC_LEAVES_MESSAGES 1 /* to the kernel; musl looks into them */

#else

#define LIBC_LEAVES_MESSAGES 0
#define __connect connect
#define __close close
#define __dup2 dup2
#define __fcntl fcntl
#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define MAY_LACK(result, name, parameters, arguments, raw)                                                     \
	__attribute__((weak)) result name parameters;                                                          \
	__attribute__((unused)) static result any_##name parameters                                            \
	{                                                                                                      \
		return name ? name arguments : (result)(raw);                                                  \
	}

MAY_LACK(int, close_range, (unsigned int first, unsigned int last, int flags), (first, last, flags),
         syscall(SYS_close_range, first, last, flags))
MAY_LACK(void, closefrom, (int first), (first),
         syscall(SYS_close_range, first, ~0u, 0))
MAY_LACK(int, pidfd_getfd, (int pidfd, int fd, unsigned int flags), (pidfd, fd, flags),
         syscall(SYS_pidfd_getfd, pidfd, fd, flags))

#define close_range any_close_range
#define closefrom any_closefrom
#define pidfd_getfd any_pidfd_getfd
#define bindresvport(fd, addr) (errno = ENOSYS, -1)

__attribute__((unused)) static const char *name_of_errno(int error)
{
	static __thread char words[16];

	snprintf(words, sizeof(words), "errno %d", error);
	return words;
}

#endif

#endif
