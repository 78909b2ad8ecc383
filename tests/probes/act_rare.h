/* act_rare.h - the steps of act.c that few programs take: limits, sandboxes, descriptors made behind libc's back. */
#ifndef PORTSHIM_TESTS_ACT_RARE_H
#define PORTSHIM_TESTS_ACT_RARE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libc.h"

/* No further descriptor can be had; or as many as before. */
static int limit_descriptors(int on)
{
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit limit;

	close(next);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = on ? (rlim_t)next : limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

/* A child that has all that we have, until we end. */
static long leave_keeper(void)
{
	pid_t parent = getpid(), child = fork();

	if (child != 0)
		return child < 0 ? -1 : 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0); /* gone before that */
	for (;;)
		pause();
}

/* A datagram socket by a raw system call: under the number that `fd` had and that is free now, if any. */
static int raw_socket(int *fd)
{
	int made = (int)syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);

	if (*fd < 0)
		*fd = made;
	return made == *fd ? 0 : -1;
}

static int sandbox(struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = { .len = length, .filter = code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* A kernel before Linux 6.3: setsockopt() of option 51 (IP_LOCAL_PORT_RANGE) is ENOPROTOOPT from here on. */
static int without_late(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 51, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	/* Behind libc's back: a kernel is not a sandbox that the program puts up. */
	return syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : sandbox(code, sizeof(code) / sizeof(code[0]));
}

/* Whoever opens a file from here on dies. */
static int without_open(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : sandbox(code, sizeof(code) / sizeof(code[0]));
}

/* A child goes on in a time namespace whose clocks are the machine's; we wait for it. */
static int in_the_machines_time(void)
{
	static const char offsets[] = "monotonic 0 0\nboottime 0 0\n";
	int fd = unshare(0x80 /* CLONE_NEWTIME */) < 0 ? -1 : open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC), status;

	if (fd < 0 || write(fd, offsets, sizeof(offsets) - 1) < 0)
		return -1;
	close(fd);
	fflush(stdout);
	if (fork() != 0) {
		wait(&status);
		exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
	}
	return 0;
}

/* Another descriptor of the socket behind `fd`, as a process gets it from another one. */
static int through_pidfd(int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), copy = pidfd < 0 ? -1 : pidfd_getfd(pidfd, fd, 0);

	if (pidfd >= 0)
		close(pidfd);
	return copy;
}

/* A child of vfork(), which shares this memory, makes `to` a copy of `from` among its own descriptors. */
static int copy_in_vfork_child(int from, int to)
{
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		dup2(from, to);
		_exit(0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid ? -1 : 0;
}

/* As posix_spawn(3) is used to: the child closes what is not for the program that it is to become. */
static int close_in_vfork_child(void)
{
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		close_range(3, ~0u, 0);
		_exit(0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid ? -1 : 0;
}

/* Disconnects in a child: the socket is the parent's as well. */
static int disconnect_in_child(int fd)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(connect(fd, &nobody, sizeof(nobody)) < 0);
	return pid < 0 || waitpid(pid, &status, 0) != pid || status ? -1 : 0;
}

/* Asks for its name in a child, which is shown a port. */
static int name_in_child(int fd)
{
	struct sockaddr_in name = { .sin_port = 0 };
	socklen_t len = sizeof(name);
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(getsockname(fd, (struct sockaddr *)&name, &len) < 0 || name.sin_port == 0);
	return pid < 0 || waitpid(pid, &status, 0) != pid || status ? -1 : 0;
}

/* The length is at no address of ours. */
static int name_badly(int fd)
{
	struct sockaddr_in name;

	return getsockname(fd, (struct sockaddr *)&name, (socklen_t *)8); /* NOLINT */
}

/* Two datagrams in one call, to two destinations. */
static int send_two(int fd, const struct sockaddr_in *one, const struct sockaddr_in *two)
{
	struct iovec part = { .iov_base = (char[1]){ 'x' }, .iov_len = 1 };
	struct mmsghdr messages[2] = {
		{ .msg_hdr = { .msg_name = (void *)one, .msg_namelen = sizeof(*one), .msg_iov = &part, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_name = (void *)two, .msg_namelen = sizeof(*two), .msg_iov = &part, .msg_iovlen = 1 } },
	};

	return sendmmsg(fd, messages, 2, MSG_NOSIGNAL);
}

/* A child in a network of its own, made without libc, goes on with the next steps; we end as it does. */
static int clone_network(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	long pid = syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);
	int status, fd, result;

	if (pid > 0) {
		waitpid((pid_t)pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	result = ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	return pid < 0 ? -1 : result;
}

/* Until the other side has ended the connection. */
static int drain(int fd)
{
	char bytes[64];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		;
	return (int)n;
}

/* Ends the connection from here, waits for the other side, and closes: what is left of it is in TIME_WAIT. */
static int end_first(int fd)
{
	if (shutdown(fd, SHUT_WR) < 0 || drain(fd) < 0)
		return -1;
	return close(fd);
}

static int no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Another network namespace from here on, with lo and a range of its own. */
static int other_network(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, range, result;

	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	result = ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	range = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);
	if (write(range, "50000 50999", 11) != 11)
		result = -1;
	close(range);
	return result;
}

static int to_ipv4(int fd)
{
	int family = AF_INET;

	return setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family));
}

/* As programs do that show a title: the arguments as they were are gone. */
static int show_title(void)
{
	memset(program_invocation_name, 'z', strlen(program_invocation_name));
	return 0;
}

/* Another process, that shares our descriptors but not our memory, puts a new TCP socket in the place of one. */
static int replaced_by_another(int fd)
{
	int status = -1, other;
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		other = socket(AF_INET, SOCK_STREAM, 0);
		_exit(dup2(other, fd) == fd && close(other) == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return status;
}

#endif
