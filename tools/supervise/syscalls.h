/* syscalls.h - the system calls that the supervisor is told of, in each table of calls that a process may use. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_SYSCALLS_H
#define PORTSHIM_TOOLS_SUPERVISE_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum notified {
	NOTIFIED_NOTHING,
	NOTIFIED_CONNECT,
	NOTIFIED_BIND,
	NOTIFIED_LISTEN,
	NOTIFIED_SENDTO,      /* with an address */
	NOTIFIED_SENDMSG,
	NOTIFIED_SENDMMSG,
	NOTIFIED_GETSOCKNAME,
	NOTIFIED_SOCKET,      /* of IPv4 or IPv6 */
	NOTIFIED_IO_URING,    /* io_uring_setup(2) */
	NOTIFIED_LANDLOCK,    /* landlock_restrict_self(2) */
	NOTIFIED_KINDS,
};

/* A table of calls: one for each machine whose programs this kernel may run. */
struct call_table {
	const char *name;     /* "x86_64", "i386", "x32", "aarch64", "arm" */
	uint32_t machine;     /* AUDIT_ARCH_... of <linux/audit.h>, as in struct seccomp_data */
	uint32_t bit;         /* set in each of its numbers (x32), else 0 */
	bool is_32_bit;       /* its messages (struct msghdr, iovec, mmsghdr) have pointers and lengths of 4 bytes */
	bool low_halves;      /* the kernel takes 4 bytes of each argument; what stands above them means nothing */
	int number[NOTIFIED_KINDS]; /* without the bit; -1: it has no such call */
	int socketcall;       /* socketcall(2), by which the same can be asked for; -1: none */
};

/* Those of every program that a kernel which runs this one may run. The first is its own. */
extern const struct call_table call_tables[];
extern const size_t call_tables_count;

/* What socketcall(2) calls it, in its first argument: SYS_CONNECT... of <linux/net.h>; 0: not to be had by it. */
extern const unsigned char socketcall_kinds[NOTIFIED_KINDS];

/* A call as a notification tells of it. */
struct notified_call {
	const struct call_table *table;
	enum notified kind;
	bool in_memory;   /* of socketcall(2): the arguments are in the caller's memory at args[1], 4 bytes each */
	uint64_t args[6]; /* else they are here; as wide as the kernel takes them */
};

/* Whether it is that of IPv4 or of IPv6. */
bool family_is_inet(int family);

/* Reads struct seccomp_data's fields. kind NOTIFIED_NOTHING where it is none of ours: sendto() without an address is none, nor
 * socket() of another family, but by socketcall(2), where only the caller's memory tells. table NULL where the machine is none of call_tables. */
void call_read(struct notified_call *call, uint32_t machine, int number, const uint64_t args[6]);

#endif
