/* syscalls.c - the numbers of the calls that the supervisor is told of, and reading a call by them.
 *
 * A process uses the table of the machine that its program was built for, or of another one by an instruction of its own (int
 * 0x80 in a 64-bit program), and its children may be programs of any machine that the kernel runs. So all of these are here,
 * whichever of them portshim itself is built for. The numbers are those of the kernel's files named below; they are part of
 * its promise to programs and never change. */
#include "tools/supervise/syscalls.h"

#include <linux/audit.h>
#include <linux/net.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446 /* Linux 5.13; the same everywhere */
#endif
#define X32_BIT UINT32_C(0x40000000) /* __X32_SYSCALL_BIT of <asm/unistd.h>, which 32-bit headers lack */
#define NO_NUMBER (-1)

/* arch/x86/entry/syscalls/syscall_64.tbl, lines "common" and "64" */
#define X86_64_NUMBERS(NUMBER) \
	NUMBER(CONNECT, 42, connect) \
	NUMBER(BIND, 49, bind) \
	NUMBER(LISTEN, 50, listen) \
	NUMBER(SENDTO, 44, sendto) \
	NUMBER(SENDMSG, 46, sendmsg) \
	NUMBER(SENDMMSG, 307, sendmmsg) \
	NUMBER(GETSOCKNAME, 51, getsockname) \
	NUMBER(SOCKET, 41, socket) \
	NUMBER(IO_URING, 425, io_uring_setup) \
	NUMBER(LANDLOCK, 446, landlock_restrict_self)

/* The same file, lines "common" and "x32": only what is handed over in messages differs. */
#define X32_NUMBERS(NUMBER) \
	NUMBER(CONNECT, 42, connect) \
	NUMBER(BIND, 49, bind) \
	NUMBER(LISTEN, 50, listen) \
	NUMBER(SENDTO, 44, sendto) \
	NUMBER(SENDMSG, 518, sendmsg) \
	NUMBER(SENDMMSG, 538, sendmmsg) \
	NUMBER(GETSOCKNAME, 51, getsockname) \
	NUMBER(SOCKET, 41, socket) \
	NUMBER(IO_URING, 425, io_uring_setup) \
	NUMBER(LANDLOCK, 446, landlock_restrict_self)

/* arch/x86/entry/syscalls/syscall_32.tbl */
#define I386_NUMBERS(NUMBER) \
	NUMBER(CONNECT, 362, connect) \
	NUMBER(BIND, 361, bind) \
	NUMBER(LISTEN, 363, listen) \
	NUMBER(SENDTO, 369, sendto) \
	NUMBER(SENDMSG, 370, sendmsg) \
	NUMBER(SENDMMSG, 345, sendmmsg) \
	NUMBER(GETSOCKNAME, 367, getsockname) \
	NUMBER(SOCKET, 359, socket) \
	NUMBER(IO_URING, 425, io_uring_setup) \
	NUMBER(LANDLOCK, 446, landlock_restrict_self)

/* scripts/syscall.tbl, earlier include/uapi/asm-generic/unistd.h */
#define AARCH64_NUMBERS(NUMBER) \
	NUMBER(CONNECT, 203, connect) \
	NUMBER(BIND, 200, bind) \
	NUMBER(LISTEN, 201, listen) \
	NUMBER(SENDTO, 206, sendto) \
	NUMBER(SENDMSG, 211, sendmsg) \
	NUMBER(SENDMMSG, 269, sendmmsg) \
	NUMBER(GETSOCKNAME, 204, getsockname) \
	NUMBER(SOCKET, 198, socket) \
	NUMBER(IO_URING, 425, io_uring_setup) \
	NUMBER(LANDLOCK, 446, landlock_restrict_self)

/* arch/arm/tools/syscall.tbl, lines "common"; the old ABI's socketcall is in no kernel that has seccomp filters */
#define ARM_NUMBERS(NUMBER) \
	NUMBER(CONNECT, 283, connect) \
	NUMBER(BIND, 282, bind) \
	NUMBER(LISTEN, 284, listen) \
	NUMBER(SENDTO, 290, sendto) \
	NUMBER(SENDMSG, 296, sendmsg) \
	NUMBER(SENDMMSG, 374, sendmmsg) \
	NUMBER(GETSOCKNAME, 286, getsockname) \
	NUMBER(SOCKET, 281, socket) \
	NUMBER(IO_URING, 425, io_uring_setup) \
	NUMBER(LANDLOCK, 446, landlock_restrict_self)

#define IN_TABLE(kind, number, call_name) [NOTIFIED_##kind] = (number),

#define X86_64_TABLE \
	{ .name = "x86_64", .machine = AUDIT_ARCH_X86_64, .socketcall = NO_NUMBER, \
	  .number = { [NOTIFIED_NOTHING] = NO_NUMBER, X86_64_NUMBERS(IN_TABLE) } }
/* Its arguments are as wide as those of x86_64; only what they point at is laid out for 32 bits. */
#define X32_TABLE \
	{ .name = "x32", .machine = AUDIT_ARCH_X86_64, .bit = X32_BIT, .is_32_bit = true, .socketcall = NO_NUMBER, \
	  .number = { [NOTIFIED_NOTHING] = NO_NUMBER, X32_NUMBERS(IN_TABLE) } }
#define I386_TABLE \
	{ .name = "i386", .machine = AUDIT_ARCH_I386, .is_32_bit = true, .low_halves = true, .socketcall = 102, \
	  .number = { [NOTIFIED_NOTHING] = NO_NUMBER, I386_NUMBERS(IN_TABLE) } }
#define AARCH64_TABLE \
	{ .name = "aarch64", .machine = AUDIT_ARCH_AARCH64, .socketcall = NO_NUMBER, \
	  .number = { [NOTIFIED_NOTHING] = NO_NUMBER, AARCH64_NUMBERS(IN_TABLE) } }
#define ARM_TABLE \
	{ .name = "arm", .machine = AUDIT_ARCH_ARM, .is_32_bit = true, .low_halves = true, .socketcall = NO_NUMBER, \
	  .number = { [NOTIFIED_NOTHING] = NO_NUMBER, ARM_NUMBERS(IN_TABLE) } }

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tools/supervise/: written for machines of little-endian byte order"
#elif defined(__x86_64__) && !defined(__ILP32__)
#define OWN_NUMBERS X86_64_NUMBERS
const struct call_table call_tables[] = { X86_64_TABLE, I386_TABLE, X32_TABLE };
#elif defined(__i386__)
#define OWN_NUMBERS I386_NUMBERS
const struct call_table call_tables[] = { I386_TABLE, X86_64_TABLE, X32_TABLE };
#elif defined(__aarch64__) && !defined(__ILP32__)
#define OWN_NUMBERS AARCH64_NUMBERS
const struct call_table call_tables[] = { AARCH64_TABLE, ARM_TABLE };
#elif defined(__arm__) && defined(__ARM_EABI__)
#define OWN_NUMBERS ARM_NUMBERS
const struct call_table call_tables[] = { ARM_TABLE, AARCH64_TABLE };
#else
/* cppcheck-suppress preprocessorErrorDirective ; it takes no machine for the one it is on */
#error "tools/supervise/: this machine's numbers are to be added, from the kernel's syscall.tbl of it"
#endif

const size_t call_tables_count = sizeof(call_tables) / sizeof(call_tables[0]);

#define AS_THE_HEADERS_SAY(kind, number, call_name) _Static_assert((number) == SYS_##call_name, #call_name);
OWN_NUMBERS(AS_THE_HEADERS_SAY)
#ifdef __i386__
_Static_assert(SYS_socketcall == 102, "socketcall");
#endif

const unsigned char socketcall_kinds[NOTIFIED_KINDS] = {
	[NOTIFIED_CONNECT] = SYS_CONNECT,
	[NOTIFIED_BIND] = SYS_BIND,
	[NOTIFIED_LISTEN] = SYS_LISTEN,
	[NOTIFIED_SENDTO] = SYS_SENDTO,
	[NOTIFIED_SENDMSG] = SYS_SENDMSG,
	[NOTIFIED_SENDMMSG] = SYS_SENDMMSG,
	[NOTIFIED_GETSOCKNAME] = SYS_GETSOCKNAME,
	[NOTIFIED_SOCKET] = SYS_SOCKET,
};

static const struct call_table *table_of(uint32_t machine, uint32_t number)
{
	const struct call_table *found = NULL;

	for (size_t i = 0; i < call_tables_count; i++) {
		const struct call_table *table = &call_tables[i];

		if (table->machine != machine)
			continue;
		if (table->bit ? (number & table->bit) != 0 : !found)
			found = table;
	}
	return found;
}

static enum notified kind_of_number(const struct call_table *table, uint32_t number)
{
	for (enum notified kind = NOTIFIED_NOTHING + 1; kind < NOTIFIED_KINDS; kind++)
		if (table->number[kind] != NO_NUMBER && number == ((uint32_t)table->number[kind] | table->bit))
			return kind;
	return NOTIFIED_NOTHING;
}

static enum notified kind_of_socketcall(uint64_t which)
{
	for (enum notified kind = NOTIFIED_NOTHING + 1; kind < NOTIFIED_KINDS; kind++)
		if (socketcall_kinds[kind] && socketcall_kinds[kind] == which)
			return kind;
	return NOTIFIED_NOTHING;
}

bool family_is_inet(int family)
{
	return family == AF_INET || family == AF_INET6;
}

void call_read(struct notified_call *call, uint32_t machine, int number, const uint64_t args[6])
{
	const struct call_table *table = table_of(machine, (uint32_t)number);

	*call = (struct notified_call){ .table = table };
	if (!table)
		return;
	for (int i = 0; i < 6; i++)
		call->args[i] = table->low_halves ? (uint32_t)args[i] : args[i];
	call->in_memory = table->socketcall != NO_NUMBER && number == table->socketcall;
	if (call->in_memory)
		call->kind = kind_of_socketcall(call->args[0]);
	else
		call->kind = kind_of_number(table, (uint32_t)number);
	if (call->in_memory)
		return;
	if (call->kind == NOTIFIED_SENDTO && call->args[4] == 0)
		call->kind = NOTIFIED_NOTHING;
	if (call->kind == NOTIFIED_SOCKET && !family_is_inet((int)call->args[0]))
		call->kind = NOTIFIED_NOTHING;
}
