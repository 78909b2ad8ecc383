/* storm.h - what the probes storm_* share: calls that judge their own result, and interruptions at every instruction.
 *
 * A process that sets the trap flag of its processor gets SIGTRAP behind each instruction, and the kernel takes the flag
 * off for the handler. So a handler runs at a point that is exactly known, on the stack and in the state of the interrupted
 * flow, and at full speed. Elsewhere than on x86 a timer stands in for the flag: it goes off once, each time a little later,
 * and not at every instruction. */
#ifndef PORTSHIM_TESTS_PROBES_STORM_H
#define PORTSHIM_TESTS_PROBES_STORM_H

#include <elf.h>
#include <errno.h>
#include <glob.h>
#include <link.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define TCP_PORT 5000
#define UDP_PORT 5001
#define ERRNO_KEPT 4711 /* what no call sets */

/* Shared with all children. */
struct storm {
	_Atomic int calls, wrong, error, line;
};

static struct storm *storm;
static int pool_lo, pool_hi;

static inline void storm_begin(const char *lo, const char *hi)
{
	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pool_lo = atoi(lo);
	pool_hi = atoi(hi);
}

/* Counts a call; what was not as it must be is told at the end, with the first place and errno. */
static inline bool judge(bool right, int line)
{
	int error = errno;

	storm->calls++;
	if (!right) {
		if (storm->wrong++ == 0) {
			storm->error = error;
			storm->line = line;
		}
	}
	return right;
}

#define RIGHT(condition) judge(condition, __LINE__)

static inline void storm_tell(void)
{
	printf("calls %d\nwrong %d\n", storm->calls, storm->wrong);
	if (storm->wrong)
		printf("first: line %d, %s\n", storm->line, strerror(storm->error));
}

static inline void remove_table(void)
{
	glob_t found;

	if (glob("/dev/shm/portshim-*", 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
	globfree(&found);
}

/* --- calls --- */

static inline struct sockaddr_in loopback(int port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return name;
}

static inline int connect_to(int fd, int port)
{
	struct sockaddr_in name = loopback(port);

	return connect(fd, (struct sockaddr *)&name, sizeof(name));
}

static inline int bind_to(int fd, int port)
{
	struct sockaddr_in name = loopback(port);

	return bind(fd, (struct sockaddr *)&name, sizeof(name));
}

static inline ssize_t send_to(int fd, int port)
{
	struct sockaddr_in name = loopback(port);

	return sendto(fd, "x", 1, 0, (struct sockaddr *)&name, sizeof(name));
}

static inline int port_of(int fd)
{
	struct sockaddr_in name = { .sin_port = 0 };
	socklen_t len = sizeof(name);

	return getsockname(fd, (struct sockaddr *)&name, &len) < 0 ? -1 : ntohs(name.sin_port);
}

static inline bool in_pool(int fd)
{
	int port = port_of(fd);

	return port >= pool_lo && port <= pool_hi;
}

/* The connection's end is to be its end, without TIME_WAIT. */
static inline void end_by_reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static inline void reset(int fd)
{
	end_by_reset(fd);
	close(fd);
}

static inline void talk_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	RIGHT(fd >= 0 && connect_to(fd, TCP_PORT) == 0 && in_pool(fd));
	reset(fd);
}

static inline void talk_udp(int kind)
{
	struct sockaddr_in name = loopback(UDP_PORT);
	struct iovec byte = { .iov_base = "x", .iov_len = 1 };
	struct mmsghdr message = {
		.msg_hdr = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &byte, .msg_iovlen = 1 },
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	RIGHT(fd >= 0 && (kind == 0 ? send_to(fd, UDP_PORT) :
	                  kind == 1 ? sendmsg(fd, &message.msg_hdr, 0) : sendmmsg(fd, &message, 1, 0)) == 1 && in_pool(fd));
	close(fd);
}

/* A port as a whole; looked at through a copy. */
static inline void talk_bind(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), copy;

	RIGHT(fd >= 0 && bind_to(fd, 0) == 0 && (copy = dup(fd)) >= 0 && close(fd) == 0 && in_pool(copy) && close(copy) == 0);
}

/* All that is async-signal-safe here, one after the other from call to call. */
static inline void talk(unsigned int which)
{
	switch (which % 6) {
	case 0: case 3: talk_tcp(); break;
	case 1: talk_udp(0); break;
	case 2: talk_udp(1); break;
	case 4: talk_udp(2); break;
	case 5: talk_bind(SOCK_DGRAM); break;
	}
}

/* How many sockets of a type get a port of the pool at once, each another; one more must get none. */
static inline int fill(int type)
{
	static int fd[4096], port[4096];
	int n = 0, want = pool_hi - pool_lo + 1;

	for (; n <= want; n++) {
		fd[n] = socket(AF_INET, type | SOCK_CLOEXEC | (n == want ? SOCK_NONBLOCK : 0), 0); /* that one is not to wait */
		if ((type == SOCK_STREAM ? connect_to(fd[n], TCP_PORT) : (int)send_to(fd[n], UDP_PORT) - 1) != 0)
			break;
		port[n] = port_of(fd[n]);
		for (int i = 0; i < n; i++)
			RIGHT(port[i] != port[n]);
		RIGHT(port[n] >= pool_lo && port[n] <= pool_hi);
	}
	RIGHT(errno == (type == SOCK_STREAM ? EADDRNOTAVAIL : EAGAIN));
	for (int i = 0; i <= n; i++)
		reset(fd[i]);
	return n;
}

/* --- interruptions --- */

#if defined(__x86_64__) || defined(__i386__)

#include <x86intrin.h>

#define TRAP_FLAG 0x100u
#define STEP_REPEATS 1 /* what is played once is played at each instruction */

static inline void steps_begin(void)
{
	__writeeflags(__readeflags() | TRAP_FLAG);
}

static inline void steps_end(void)
{
	__writeeflags(__readeflags() & ~(unsigned long)TRAP_FLAG);
}

/* In the handler: no further interruptions when it returns. */
static inline void steps_stop(ucontext_t *context)
{
	context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static inline const unsigned char *next_instruction(const ucontext_t *context)
{
#ifdef __x86_64__
	return (const unsigned char *)context->uc_mcontext.gregs[REG_RIP];
#else
	return (const unsigned char *)context->uc_mcontext.gregs[REG_EIP];
#endif
}

/* The kernel's own code in a process (vDSO): who reads the time there reads again if it changed meanwhile, and where a fork takes
 * longer than a tick, one at a time would never let it end. */
static inline bool in_kernels_code(const ucontext_t *context)
{
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
	const unsigned char *begin = (const unsigned char *)header;
	const ElfW(Phdr) *part = header ? (const ElfW(Phdr) *)(begin + header->e_phoff) : NULL;

	return part && next_instruction(context) >= begin && next_instruction(context) < begin + part->p_memsz;
}

/* Whether the instruction that comes next is one that others can see: a system call, or locked. */
static inline bool at_a_turn(const ucontext_t *context)
{
	const unsigned char *at = next_instruction(context);

	if (at[0] == 0xf0 || (at[0] == 0x0f && at[1] == 0x05) || (at[0] == 0xcd && at[1] == 0x80))
		return true;
	return at[0] == 0x87 || (at[0] >= 0x48 && at[0] <= 0x4f && at[1] == 0x87);
}

#else

#define STEP_NS 50
#define STEP_REPEATS 200

static timer_t step_timer;

static inline void steps_begin(void)
{
	static long next;
	struct itimerspec soon = { .it_value.tv_nsec = 1 + next++ % 2000 * STEP_NS };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTRAP };

	timer_create(CLOCK_MONOTONIC, &event, &step_timer);
	timer_settime(step_timer, 0, &soon, NULL);
}

static inline void steps_end(void)
{
	int saved = errno;

	timer_delete(step_timer); /* a handler's own may be gone already */
	errno = saved;
}

static inline void steps_stop(ucontext_t *context)
{
	(void)context;
}

static inline bool in_kernels_code(const ucontext_t *context)
{
	(void)context;
	return false;
}

static inline bool at_a_turn(const ucontext_t *context)
{
	(void)context;
	return true;
}

#endif

static inline void steps_to(void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART | flags };

	sigaction(SIGTRAP, &action, NULL);
}

#endif
