/* filter.c - making the seccomp filter, and installing it.
 *
 * Every system call of the program runs through the filter, so what matters is what it costs the calls of no concern. The
 * kernel works out once which numbers are allowed whatever their arguments (Linux 5.11), and asks the filter no more for
 * those; but only if it gets there from the machine and the number alone, by loads and comparisons with constants. Arguments
 * are therefore loaded last, and only for numbers that are told apart by them. Older kernels run it every time: the numbers
 * are searched by halves, after one comparison that ends the search for all below the first that matters (read, write, poll...).
 *
 * The program is made from its end to its start: jumps go forwards only, and so each target is known when the jump is made. */
#include "tools/supervise/filter.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define FIELD(name) ((uint32_t)offsetof(struct seccomp_data, name))
/* The halves of a 64-bit argument; syscalls.c takes little-endian machines alone. */
#define LOW(name) FIELD(name)
#define HIGH(name) (FIELD(name) + 4)

/* Numbers of one machine, those of x32 as well. */
#define NUMBERS_ROOM ((size_t)2 * (NOTIFIED_KINDS + 1))

struct making {
	struct sock_filter *program;
	size_t start; /* the instruction made last, the first to run of those made */
	size_t allow, notify;
	const struct filter_wants *wants;
};

/* From `from` on, up to the next one's, a value leads to the instruction `to`. */
struct span {
	uint32_t from;
	size_t to;
};

struct spans {
	size_t count;
	struct span span[2 * NUMBERS_ROOM + 1];
};

static size_t put(struct making *making, struct sock_filter instruction)
{
	making->program[--making->start] = instruction;
	return making->start;
}

/* The room is within the reach of a conditional jump. */
_Static_assert(FILTER_ROOM <= 256, "jumps have 8 bits");

static size_t put_jump(struct making *making, unsigned short test, uint32_t value, size_t yes, size_t no)
{
	size_t next = making->start;

	return put(making, (struct sock_filter)BPF_JUMP(BPF_JMP | test | BPF_K, value, (unsigned char)(yes - next),
							(unsigned char)(no - next)));
}

/* Loads a field of struct seccomp_data, and goes on at `next`. */
static size_t put_load(struct making *making, uint32_t field, size_t next)
{
	if (next != making->start)
		put(making, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(next - making->start)));
	return put(making, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field));
}

static size_t put_return(struct making *making, uint32_t action)
{
	return put(making, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Adds one; they come in order of `from`. */
static void span_add(struct spans *spans, uint32_t from, size_t to)
{
	if (spans->count > 0 && spans->span[spans->count - 1].from == from)
		spans->count--;
	if (spans->count == 0 || spans->span[spans->count - 1].to != to)
		spans->span[spans->count++] = (struct span){ from, to };
}

/* Finds the span of what is loaded by halves. The instruction to go to. */
static size_t put_halves(struct making *making, const struct span *span, size_t count)
{
	size_t middle = count / 2, above, below;

	if (count == 1)
		return span->to;
	above = put_halves(making, span + middle, count - middle);
	below = put_halves(making, span, middle);
	return put_jump(making, BPF_JGE, span[middle].from, above, below);
}

/* Finds the span; the lowest is looked at before all others. */
static size_t put_search(struct making *making, const struct spans *spans)
{
	size_t others;

	if (spans->count == 1)
		return spans->span[0].to;
	others = put_halves(making, spans->span + 1, spans->count - 1);
	return put_jump(making, BPF_JGE, spans->span[1].from, others, spans->span[0].to);
}

/* A number that matters, and where it leads. */
static void number_add(struct span *numbers, size_t *count, uint32_t number, size_t to)
{
	size_t at = (*count)++;

	for (; at > 0 && numbers[at - 1].from > number; at--)
		numbers[at] = numbers[at - 1];
	numbers[at] = (struct span){ number, to };
}

/* Loads `field` and goes where its value is led to, or allows. */
static size_t put_numbers(struct making *making, uint32_t field, const struct span *numbers, size_t count)
{
	struct spans spans = { 0 };

	span_add(&spans, 0, making->allow);
	for (size_t i = 0; i < count; i++) {
		span_add(&spans, numbers[i].from, numbers[i].to);
		span_add(&spans, numbers[i].from + 1, making->allow);
	}
	return put_load(making, field, put_search(making, &spans));
}

/* sendto() with an address or without. */
static size_t put_address(struct making *making, const struct call_table *table)
{
	size_t high;

	put_jump(making, BPF_JEQ, 0, making->allow, making->notify);
	if (!table->low_halves) {
		high = put_load(making, HIGH(args[4]), making->start);
		put_jump(making, BPF_JEQ, 0, high, making->notify);
	}
	return put_load(making, LOW(args[4]), making->start);
}

/* socket() of the Internet's families or of others; a family is an int. */
static size_t put_family(struct making *making)
{
	size_t other = put_jump(making, BPF_JEQ, AF_INET6, making->notify, making->allow);

	put_jump(making, BPF_JEQ, AF_INET, making->notify, other);
	return put_load(making, LOW(args[0]), making->start);
}

/* socketcall(2): its first argument is an int. sendto() by it has its address in memory, and socket() its
 * family, so each is told of. */
static size_t put_socketcall(struct making *making)
{
	struct span numbers[NUMBERS_ROOM];
	size_t count = 0;

	for (enum notified kind = NOTIFIED_NOTHING + 1; kind < NOTIFIED_KINDS; kind++)
		if (making->wants->kind[kind] && socketcall_kinds[kind])
			number_add(numbers, &count, socketcall_kinds[kind], making->notify);
	return put_numbers(making, LOW(args[0]), numbers, count);
}

static bool any_by_socketcall(const struct filter_wants *wants)
{
	for (enum notified kind = NOTIFIED_NOTHING + 1; kind < NOTIFIED_KINDS; kind++)
		if (wants->kind[kind] && socketcall_kinds[kind])
			return true;
	return false;
}

static void table_numbers(struct making *making, const struct call_table *table, struct span *numbers, size_t *count)
{
	for (enum notified kind = NOTIFIED_NOTHING + 1; kind < NOTIFIED_KINDS; kind++) {
		size_t to = making->notify;

		if (!making->wants->kind[kind] || table->number[kind] < 0)
			continue;
		if (kind == NOTIFIED_SENDTO)
			to = put_address(making, table);
		if (kind == NOTIFIED_SOCKET)
			to = put_family(making);
		number_add(numbers, count, (uint32_t)table->number[kind] | table->bit, to);
	}
	if (table->socketcall >= 0 && any_by_socketcall(making->wants))
		number_add(numbers, count, (uint32_t)table->socketcall, put_socketcall(making));
}

/* All tables of the machine of table `first`. */
static size_t put_machine(struct making *making, size_t first)
{
	struct span numbers[NUMBERS_ROOM];
	size_t count = 0;

	for (size_t i = first; i < call_tables_count; i++)
		if (call_tables[i].machine == call_tables[first].machine)
			table_numbers(making, &call_tables[i], numbers, &count);
	return put_numbers(making, FIELD(nr), numbers, count);
}

static bool machine_is_first(size_t table)
{
	for (size_t i = 0; i < table; i++)
		if (call_tables[i].machine == call_tables[table].machine)
			return false;
	return true;
}

size_t filter_make(struct sock_filter program[FILTER_ROOM], const struct filter_wants *wants)
{
	struct making making = { .program = program, .start = FILTER_ROOM, .wants = wants };
	/* No kernel that runs us runs programs of a machine without a table here. Should one come that does, then such a program
	 * ends rather than that it leaves its range unseen. */
	size_t next = put_return(&making, SECCOMP_RET_KILL_PROCESS), count;

	making.notify = put_return(&making, SECCOMP_RET_USER_NOTIF);
	making.allow = put_return(&making, SECCOMP_RET_ALLOW);
	for (size_t i = call_tables_count; i-- > 0;) {
		if (!machine_is_first(i))
			continue;
		size_t code = put_machine(&making, i);
		next = put_jump(&making, BPF_JEQ, call_tables[i].machine, code, next);
	}
	put_load(&making, FIELD(arch), next);
	count = FILTER_ROOM - making.start;
	memmove(program, program + making.start, count * sizeof(program[0]));
	return count;
}

bool filter_is_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, sets) < 0)
		return false;
	return sets[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
}

/* SPEC_ALLOW: this is no sandbox, so the processor may go on guessing as it does for the bare program (before Linux 5.16 a
 * filter slowed the program itself down otherwise). */
#define FLAGS (SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW)

static int install(const struct sock_fprog *program, unsigned long flags)
{
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);

	return fd < 0 ? -errno : (int)fd;
}

int filter_install(const struct filter_wants *wants, int *listener)
{
	struct sock_filter instructions[FILTER_ROOM];
	struct sock_fprog program = { .len = (unsigned short)filter_make(instructions, wants), .filter = instructions };
	int fd;

	if (!filter_is_admin() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	fd = install(&program, FLAGS | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	if (fd == -EINVAL)
		fd = install(&program, FLAGS);
	if (fd < 0)
		return fd;
	*listener = fd;
	return 0;
}

const char *filter_words(int error)
{
	switch (error) {
	case -EBUSY:
		return "somebody supervises this process already (another 'portshim run --supervise', or a container's runtime), "
		       "and there can be only one: what that one decides holds here, too";
	case -ENOSYS:
	case -EINVAL:
		return "this kernel cannot tell a supervisor of system calls: that needs Linux 5.9 with CONFIG_SECCOMP_FILTER";
	case -ENODEV:
		return "/proc is not there, or is that of another PID namespace: mount it (mount -t proc proc /proc), or start "
		       "this by 'unshare --mount-proc'";
	case -EPERM:
	case -EACCES:
		return "a sandbox around this process does not let it supervise programs; allow seccomp(2), pidfd_open(2), "
		       "pidfd_getfd(2) and process_vm_readv(2) there";
	}
	return strerror(-error);
}
