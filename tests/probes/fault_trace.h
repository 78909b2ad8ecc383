/* fault_trace.h - a child whose system calls are stopped at, one after the other, and made to fail as they are told to.
 *
 * A child is traced (ptrace(2)) between two marks of its own, which are system calls that do nothing. Each call between them, or
 * each with one number (a filter sees to that, seccomp(2): all others go at full speed), is stopped at twice, before and behind
 * it: there it can be left out and have another result, be cut short, or be the last thing that the child ever did. */
#ifndef PORTSHIM_TESTS_PROBES_FAULT_TRACE_H
#define PORTSHIM_TESTS_PROBES_FAULT_TRACE_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK_BEGIN 0x7a57be61L
#define MARK_END 0x7a57e4dL
#define SLOW_SECONDS 30   /* no call of ours takes as long */
#define ENDLESS 20000    /* nor as many system calls */

/* --- what can become of a call ------------------------------------------------------------------------------------- */

enum manner {
	NOT_AT_ALL, /* it is not made, and fails */
	MADE,       /* it is made, and said to have failed: what ends something ends it all the same */
	SHORT_ONE,  /* it is made of one byte, or of half of them */
	SHORT_HALF,
};

struct failing {
	enum manner manner;
	int error;
};

/* A call, which argument says how much it is to move (-1: none), and the ways in which it fails. */
struct call_kind {
	long number;
	const char *name;
	enum manner manner;
	int size_argument;
	int errors[12]; /* 0 behind the last */
};

#define EVERYWHERE EPERM, ENOSYS

static const struct call_kind call_kinds[] = {
	{ SYS_openat, "openat", NOT_AT_ALL, -1, { EVERYWHERE, EMFILE, ENFILE, ENOMEM, EINTR, EACCES, EIO, ENOSPC, EROFS, ENOENT } },
	{ SYS_socket, "socket", NOT_AT_ALL, -1, { EVERYWHERE, EMFILE, ENFILE, ENOMEM, ENOBUFS, EACCES, EAFNOSUPPORT } },
	{ SYS_mmap, "mmap", NOT_AT_ALL, -1, { EVERYWHERE, ENOMEM, EACCES, EAGAIN, ENODEV } },
	{ SYS_munmap, "munmap", MADE, -1, { EVERYWHERE, ENOMEM } },
	{ SYS_mprotect, "mprotect", NOT_AT_ALL, -1, { EVERYWHERE, ENOMEM, EACCES } },
	{ SYS_madvise, "madvise", NOT_AT_ALL, -1, { EVERYWHERE, EINVAL, ENOMEM, EAGAIN } },
	{ SYS_read, "read", NOT_AT_ALL, 2, { EVERYWHERE, EINTR, EIO, ENOMEM, EISDIR } },
	{ SYS_pread64, "pread64", NOT_AT_ALL, 2, { EVERYWHERE, EINTR, EIO } },
	{ SYS_pwrite64, "pwrite64", NOT_AT_ALL, -1, { EVERYWHERE, EINTR, EIO, ENOSPC } },
	{ SYS_write, "write", NOT_AT_ALL, 2, { EVERYWHERE, EINTR, EIO, ENOSPC, EAGAIN, EPIPE, EFBIG, EDQUOT } },
	{ SYS_close, "close", MADE, -1, { EVERYWHERE, EINTR, EIO } },
	{ SYS_fstat, "fstat", NOT_AT_ALL, -1, { EVERYWHERE, EIO, ENOMEM, EOVERFLOW } },
	{ SYS_newfstatat, "newfstatat", NOT_AT_ALL, -1, { EVERYWHERE, EIO, ENOMEM, EACCES, ENOENT } },
	{ SYS_lseek, "lseek", NOT_AT_ALL, -1, { EVERYWHERE, ESPIPE, EINVAL } },
	{ SYS_fallocate, "fallocate", NOT_AT_ALL, -1, { EVERYWHERE, EINTR, EIO, ENOSPC, EFBIG, EOPNOTSUPP } },
	{ SYS_ftruncate, "ftruncate", NOT_AT_ALL, -1, { EVERYWHERE, EINTR, EIO, ENOSPC, EFBIG } },
	{ SYS_getrandom, "getrandom", NOT_AT_ALL, 1, { EVERYWHERE, EINTR, EAGAIN } },
	{ SYS_readlink, "readlink", NOT_AT_ALL, -1, { EVERYWHERE, EACCES, ENOENT, ENOMEM, EIO } },
	{ SYS_access, "access", NOT_AT_ALL, -1, { EVERYWHERE, EACCES, ENOENT, EIO } },
	{ SYS_getsockopt, "getsockopt", NOT_AT_ALL, -1, { EVERYWHERE, ENOPROTOOPT, EACCES, EINVAL, EOPNOTSUPP } },
	{ SYS_setsockopt, "setsockopt", NOT_AT_ALL, -1, { EVERYWHERE, ENOPROTOOPT, EACCES, ENOMEM, EINVAL, EOPNOTSUPP } },
	{ SYS_getsockname, "getsockname", NOT_AT_ALL, -1, { EVERYWHERE, ENOBUFS } },
	{ SYS_getpeername, "getpeername", NOT_AT_ALL, -1, { EVERYWHERE, ENOBUFS } },
	{ SYS_bind, "bind", NOT_AT_ALL, -1, { EVERYWHERE, EACCES, EADDRINUSE, EADDRNOTAVAIL, ENOMEM, EINVAL } },
	{ SYS_listen, "listen", NOT_AT_ALL, -1, { EVERYWHERE, EADDRINUSE, ENOMEM } },
	{ SYS_connect, "connect", NOT_AT_ALL, -1,
	  { EVERYWHERE, EACCES, EADDRNOTAVAIL, EADDRINUSE, EAGAIN, EINTR, ENETUNREACH, EHOSTUNREACH, ENOBUFS, ETIMEDOUT } },
	{ SYS_sendto, "sendto", NOT_AT_ALL, -1, { EVERYWHERE, EINTR, EAGAIN, ENOBUFS, ENOMEM, ECONNREFUSED } },
	{ SYS_sendmsg, "sendmsg", NOT_AT_ALL, -1, { EVERYWHERE, EINTR, EAGAIN, ENOBUFS, ENOMEM, ENOENT } },
	{ SYS_recvfrom, "recvfrom", NOT_AT_ALL, 2, { EVERYWHERE, EINTR, EAGAIN, ENOBUFS, ENOMEM } },
	{ SYS_kill, "kill", NOT_AT_ALL, -1, { EVERYWHERE, ESRCH } },
	{ SYS_fcntl, "fcntl", NOT_AT_ALL, -1, { EVERYWHERE } },
	{ SYS_prlimit64, "prlimit64", NOT_AT_ALL, -1, { EVERYWHERE } },
	{ SYS_ppoll, "ppoll", NOT_AT_ALL, -1, { EVERYWHERE, EINTR, ENOMEM } },
	{ SYS_rt_sigprocmask, "rt_sigprocmask", NOT_AT_ALL, -1, { EVERYWHERE } },
	{ SYS_rt_sigpending, "rt_sigpending", NOT_AT_ALL, -1, { EVERYWHERE } },
	{ SYS_rt_sigtimedwait, "rt_sigtimedwait", NOT_AT_ALL, -1, { EVERYWHERE, EINTR, EAGAIN } },
	{ SYS_sched_yield, "sched_yield", NOT_AT_ALL, -1, { EVERYWHERE } },
	{ SYS_getpid, "getpid", NOT_AT_ALL, -1, { 0 } }, /* these cannot fail */
	{ SYS_geteuid, "geteuid", NOT_AT_ALL, -1, { 0 } },
	{ SYS_clock_gettime, "clock_gettime", NOT_AT_ALL, -1, { EVERYWHERE } },
};

/* NULL: one that the library does not make, as far as is known. */
static inline const struct call_kind *kind_of(long number)
{
	for (size_t i = 0; i < sizeof(call_kinds) / sizeof(call_kinds[0]); i++)
		if (call_kinds[i].number == number)
			return &call_kinds[i];
	return NULL;
}

/* The nth way in which such a call fails. False behind the last. */
static inline bool failing_of(const struct call_kind *kind, int n, struct failing *failing)
{
	int errors = 0;

	while (errors < 12 && kind->errors[errors])
		errors++;
	*failing = (struct failing){ kind->manner, n < errors ? kind->errors[n] : 0 };
	if (n >= errors)
		failing->manner = n == errors ? SHORT_ONE : SHORT_HALF;
	return n < errors + (kind->size_argument < 0 ? 0 : 2);
}

/* --- stopping at calls --------------------------------------------------------------------------------------------- */

#define ALL_CALLS (-1L)

/* A stop at a call. */
struct stop {
	pid_t pid;
	unsigned int index; /* the how manieth call of those that are stopped at */
	bool behind;        /* else before it */
	long number;
	struct user_regs_struct regs;
};

enum next { GO_ON, END_HERE };

/* In the child: from here on calls of a number, or all, are stopped at. */
static inline void trace_begin(long number)
{
	struct sock_filter only[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE) };
	struct sock_fprog program = { .len = number == ALL_CALLS ? 1 : 5, .filter = number == ALL_CALLS ? all : only };

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program); /* root may; prctl() would tell the library of a sandbox */
	syscall(SYS_getpgid, MARK_BEGIN);
}

static inline void trace_end(void)
{
	syscall(SYS_getpgid, MARK_END);
}

static inline void on_slow(int signal)
{
	(void)signal;
}

/* As waitpid(), but not for longer than any call takes: then the child is killed. */
static inline bool wait_a_while(pid_t pid, int *status)
{
	struct sigaction action = { .sa_handler = on_slow };
	bool done;

	sigaction(SIGALRM, &action, NULL);
	alarm(SLOW_SECONDS);
	done = waitpid(pid, status, 0) == pid;
	alarm(0);
	if (!done) {
		kill(pid, SIGKILL);
		waitpid(pid, status, 0);
	}
	return done;
}

static inline long *argument_of(struct user_regs_struct *regs, int which)
{
	unsigned long long *at[] = { &regs->rdi, &regs->rsi, &regs->rdx, &regs->r10, &regs->r8, &regs->r9 };

	return (long *)at[which];
}

static inline void set_regs(const struct stop *stop)
{
	ptrace(PTRACE_SETREGS, stop->pid, NULL, &stop->regs);
}

/* Before a call: it is not made. */
static inline void leave_out(struct stop *stop)
{
	stop->regs.orig_rax = (unsigned long long)-1;
	set_regs(stop);
}

/* Behind it. */
static inline void set_result(struct stop *stop, long result)
{
	stop->regs.rax = (unsigned long long)result;
	set_regs(stop);
}

/* Before it. */
static inline void cut_short(struct stop *stop, enum manner manner, int size_argument)
{
	long *size = argument_of(&stop->regs, size_argument);

	if (*size > 1)
		*size = manner == SHORT_ONE ? 1 : *size / 2;
	set_regs(stop);
}

/* The child's next stop before or behind a call, or its end. Other signals are its own. */
static inline bool go_to_stop(pid_t pid, bool behind, int *status)
{
	for (int signal = 0;; signal = WSTOPSIG(*status)) {
		ptrace(behind ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, (void *)(long)signal);
		if (!wait_a_while(pid, status))
			return false;
		if (!WIFSTOPPED(*status) || *status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8) ||
		    WSTOPSIG(*status) == (SIGTRAP | 0x80))
			return true;
	}
}

/* Traces a child to its end; between its marks `at` is asked at each stop. *status is how it ended. The number of calls that were
 * stopped at, or -1: it did not come to an end and was killed. */
static inline int trace(pid_t pid, enum next (*at)(struct stop *stop), int *status)
{
	struct stop stop = { .pid = pid };
	bool within = false;

	if (!wait_a_while(pid, status) || !WIFSTOPPED(*status))
		return -1;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP));
	while (go_to_stop(pid, stop.behind, status)) {
		bool behind = stop.behind;

		if (!WIFSTOPPED(*status))
			return (int)stop.index;
		ptrace(PTRACE_GETREGS, pid, NULL, &stop.regs);
		if (!behind)
			stop.number = (long)stop.regs.orig_rax;
		if (!behind && stop.number == SYS_getpgid) {
			within = (long)stop.regs.rdi == MARK_BEGIN;
			continue;
		}
		if (within && (stop.index > ENDLESS || at(&stop) == END_HERE))
			kill(pid, SIGKILL);
		if (within && behind)
			stop.index++;
		stop.behind = within && !behind;
	}
	return -1;
}

#endif
