/* forbid.c - `forbid WHAT ERRNO PROGRAM ARGUMENT...`: a sandbox around a program, put up before it starts, as container
 * engines and service managers do. The kernel answers one kind of system call with the errno (EPERM, EACCES, ENOSYS,
 * EAFNOSUPPORT), or ends who makes it ("KILL"). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ANY UINT32_MAX
#define NO_ARGUMENT 6

/* A call, and what two of its arguments must be: (argument & mask) == value. */
static const struct kind {
	const char *name;
	uint32_t call;
	struct { uint32_t number, mask, value; } argument[2];
} kinds[] = {
	{ "nothing", ANY, { { NO_ARGUMENT, 0, 0 } } },
	{ "netlink", SYS_socket, { { 0, ANY, AF_NETLINK } } },
	{ "second-socket", SYS_socket, { { 1, ANY, SOCK_DGRAM | SOCK_CLOEXEC } } },
	{ "create", SYS_openat, { { 2, O_CREAT, O_CREAT } } },
	{ "write", SYS_openat, { { 2, O_ACCMODE, O_RDWR } } },
	{ "allocate", SYS_fallocate, { { NO_ARGUMENT, 0, 0 } } },
	{ "share-memory", SYS_mmap, { { 3, MAP_SHARED, MAP_SHARED } } },
	{ "unmap", SYS_munmap, { { NO_ARGUMENT, 0, 0 } } },
	{ "advise", SYS_madvise, { { NO_ARGUMENT, 0, 0 } } },
	{ "random", SYS_getrandom, { { NO_ARGUMENT, 0, 0 } } },
	{ "cookie", SYS_getsockopt, { { 1, ANY, SOL_SOCKET }, { 2, ANY, 71 } } },
	{ "ask-option", SYS_getsockopt, { { NO_ARGUMENT, 0, 0 } } },
	{ "range", SYS_setsockopt, { { 1, ANY, IPPROTO_IP }, { 2, ANY, 51 } } },
	{ "no-port", SYS_setsockopt, { { 1, ANY, IPPROTO_IP }, { 2, ANY, 24 } } },
	{ "set-option", SYS_setsockopt, { { NO_ARGUMENT, 0, 0 } } },
	{ "bind", SYS_bind, { { NO_ARGUMENT, 0, 0 } } },
	{ "own-name", SYS_getsockname, { { NO_ARGUMENT, 0, 0 } } },
	{ "links", SYS_readlink, { { NO_ARGUMENT, 0, 0 } } },
	{ "sleep", SYS_ppoll, { { NO_ARGUMENT, 0, 0 } } },
	{ "pending", SYS_rt_sigpending, { { NO_ARGUMENT, 0, 0 } } },
	{ "flags", SYS_fcntl, { { NO_ARGUMENT, 0, 0 } } },
	{ "kill", SYS_kill, { { NO_ARGUMENT, 0, 0 } } },
};

static const struct { const char *name; uint32_t action; } answers[] = {
	{ "EPERM", SECCOMP_RET_ERRNO | EPERM }, { "EACCES", SECCOMP_RET_ERRNO | EACCES },
	{ "ENOSYS", SECCOMP_RET_ERRNO | ENOSYS }, { "EAFNOSUPPORT", SECCOMP_RET_ERRNO | EAFNOSUPPORT },
	{ "KILL", SECCOMP_RET_KILL_PROCESS },
};

static struct sock_filter code[16];
static unsigned short length;

static void add(struct sock_filter step)
{
	code[length++] = step;
}

/* Falls through where the word is as wanted; else the next step, "go on", is taken. */
static void add_test(uint32_t offset, uint32_t mask, uint32_t value)
{
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
	add((struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

/* The lower half of an argument lies first on the machines that this runs on. */
static int put_up(const struct kind *kind, uint32_t action)
{
	struct sock_fprog program = { .filter = code };

	add_test(offsetof(struct seccomp_data, nr), ANY, kind->call);
	for (int i = 0; i < 2 && kind->argument[i].mask; i++)
		add_test((uint32_t)(offsetof(struct seccomp_data, args) + kind->argument[i].number * 8),
		         kind->argument[i].mask,
		         kind->argument[i].value);
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
	program.len = length;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int main(int argc, char **argv)
{
	const struct kind *kind = NULL;
	uint32_t action = 0;

	for (size_t i = 0; argc > 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			kind = &kinds[i];
	for (size_t i = 0; argc > 3 && i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(argv[2], answers[i].name) == 0)
			action = answers[i].action;
	if (!kind || !action || put_up(kind, action) < 0) {
		fprintf(stderr, "forbid: usage, or no filter: %s\n", strerrorname_np(errno));
		return 2;
	}
	execv(argv[3], argv + 3);
	return 127;
}
