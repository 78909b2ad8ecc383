/* test_filter.c - the seccomp filter: what it tells of, in every table of calls, what it costs the rest, and at work. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tools/supervise/filter.h"

#define X32 0x40000000
#define ALL_WANTS (1U << (NOTIFIED_KINDS - 1)) /* NOTIFIED_NOTHING is none */
#define SOCKETCALLS 30
#define NUMBERS 600

TestSuite(filter, .timeout = 120);

/* --- a machine for classic BPF, as much of it as the kernel's table of allowed numbers understands ---
 *
 * It runs some tens of millions of times: there each assertion that holds would cost a message to Criterion. */

struct step {
	uint32_t action;
	int instructions;
	bool saw_arguments;
};

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t value;

	if (offset % 4 != 0 || offset > sizeof(*data) - 4)
		cr_assert_fail("a load from %u", offset);
	memcpy(&value, (const char *)data + offset, 4);
	return value;
}

static bool holds(unsigned short code, uint32_t a, uint32_t k)
{
	switch (code) {
	case BPF_JMP | BPF_JEQ | BPF_K:
		return a == k;
	case BPF_JMP | BPF_JGE | BPF_K:
		return a >= k;
	case BPF_JMP | BPF_JGT | BPF_K:
		return a > k;
	case BPF_JMP | BPF_JSET | BPF_K:
		return (a & k) != 0;
	}
	cr_assert_fail("instruction %#x", code);
	return false;
}

static struct step execute(const struct sock_filter *program, size_t count, const struct seccomp_data *data)
{
	struct step step = { 0 };
	uint32_t a = 0;

	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *now = &program[at];

		step.instructions++;
		if (now->code == (BPF_RET | BPF_K)) {
			step.action = now->k;
			return step;
		}
		if (now->code == (BPF_LD | BPF_W | BPF_ABS)) {
			a = load(data, now->k);
			step.saw_arguments |= now->k >= offsetof(struct seccomp_data, args);
		} else if (now->code == (BPF_JMP | BPF_JA)) {
			at += now->k;
		} else {
			at += holds(now->code, a, now->k) ? now->jt : now->jf;
		}
	}
	cr_assert_fail("it runs over its end");
	return step;
}

/* --- what it tells of --- */

static struct filter_wants wants_of(unsigned bits)
{
	struct filter_wants wants = { 0 };

	for (int kind = NOTIFIED_NOTHING + 1; kind < NOTIFIED_KINDS; kind++)
		wants.kind[kind] = bits >> (kind - 1) & 1;
	return wants;
}

static struct filter_wants usual(void)
{
	struct filter_wants wants = { 0 };

	for (int kind = NOTIFIED_CONNECT; kind <= NOTIFIED_SENDMMSG; kind++)
		wants.kind[kind] = true;
	return wants;
}

struct made {
	struct filter_wants wants;
	struct sock_filter program[FILTER_ROOM];
	size_t count;
};

static struct made made(struct filter_wants wants)
{
	struct made made = { .wants = wants };

	made.count = filter_make(made.program, &wants);
	return made;
}

static void compare(const struct made *filter, const struct call_table *table, int number, uint64_t first, uint64_t address)
{
	struct seccomp_data data = { .nr = number, .arch = table->machine, .args = { first, 1, 2, 3, address, 5 } };
	struct notified_call call;
	uint32_t expected;
	struct step step = execute(filter->program, filter->count, &data);

	call_read(&call, data.arch, data.nr, (const uint64_t *)data.args);
	expected = call.kind != NOTIFIED_NOTHING && filter->wants.kind[call.kind] ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;
	if (step.action != expected)
		cr_assert_fail("%s %#x, first argument %llu, address %#llx: %#x", table->name, (unsigned)number,
			       (unsigned long long)first, (unsigned long long)address, step.action);
}

static void compare_families(const struct made *filter, const struct call_table *table, int number)
{
	for (uint64_t family = 0; family <= AF_INET6 + 1; family++) {
		compare(filter, table, number, family, 0);
		compare(filter, table, number, family | UINT64_C(7) << 32, 0);
	}
}

static void compare_number(const struct made *filter, const struct call_table *table, int number)
{
	static const uint64_t addresses[] = { 0, 1, UINT64_C(1) << 32, UINT64_MAX };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		if (number == table->number[NOTIFIED_SOCKET] + (int)table->bit)
			compare_families(filter, table, number);
		else if (number != table->socketcall)
			compare(filter, table, number, 0, addresses[i]);
		else
			for (uint64_t which = 0; which <= SOCKETCALLS; which++) {
				compare(filter, table, number, which, addresses[i]);
				compare(filter, table, number, which | UINT64_C(7) << 32, addresses[i]);
			}
	}
}

Test(filter, tells_of_what_is_wanted_and_of_nothing_else)
{
	for (unsigned bits = 0; bits < ALL_WANTS; bits++) {
		struct made filter = made(wants_of(bits));

		for (size_t i = 0; i < call_tables_count; i++) {
			for (int number = 0; number <= NUMBERS; number++)
				compare_number(&filter, &call_tables[i], number | (int)call_tables[i].bit);
			compare_number(&filter, &call_tables[i], -1);
			compare_number(&filter, &call_tables[i], INT32_MIN);
			compare_number(&filter, &call_tables[i], X32 - 1);
			compare_number(&filter, &call_tables[i], INT32_MAX);
		}
	}
}

struct known {
	uint32_t machine;
	int number;
	uint64_t args[6];
	enum notified kind;
	const char *table;
	bool in_memory;
};

static void expect_read(const struct known *known)
{
	struct notified_call call;

	call_read(&call, known->machine, known->number, known->args);
	cr_assert(call.table && strcmp(call.table->name, known->table) == 0, "%s %d", known->table, known->number);
	cr_expect_eq((int)call.kind, (int)known->kind, "%s %d", known->table, known->number);
	cr_expect_eq(call.in_memory, known->in_memory, "%s %d", known->table, known->number);
}

#define ADDRESSED { 3, 2, 1, 0, UINT64_C(1) << 40, 16 }

Test(filter, numbers_are_those_of_the_machine)
{
	static const struct known known[] = {
#if defined(__x86_64__) || defined(__i386__)
		{ AUDIT_ARCH_X86_64, 42, { 3 }, NOTIFIED_CONNECT, "x86_64", false },
		{ AUDIT_ARCH_X86_64, 44, ADDRESSED, NOTIFIED_SENDTO, "x86_64", false },
		{ AUDIT_ARCH_X86_64, 44, { 3 }, NOTIFIED_NOTHING, "x86_64", false },
		{ AUDIT_ARCH_X86_64, 41, { AF_INET6 }, NOTIFIED_SOCKET, "x86_64", false },
		{ AUDIT_ARCH_X86_64, 41, { UINT64_C(7) << 32 | AF_INET }, NOTIFIED_SOCKET, "x86_64", false },
		{ AUDIT_ARCH_X86_64, 41, { AF_UNIX }, NOTIFIED_NOTHING, "x86_64", false },
		{ AUDIT_ARCH_X86_64, 102, { SOCKETCALLS }, NOTIFIED_NOTHING, "x86_64", false }, /* getuid */
		{ AUDIT_ARCH_X86_64, 307, { 3 }, NOTIFIED_SENDMMSG, "x86_64", false },
		{ AUDIT_ARCH_X86_64, 518, { 3 }, NOTIFIED_NOTHING, "x86_64", false },
		{ AUDIT_ARCH_X86_64, X32 | 42, { 3 }, NOTIFIED_CONNECT, "x32", false },
		{ AUDIT_ARCH_X86_64, X32 | 44, ADDRESSED, NOTIFIED_SENDTO, "x32", false },
		{ AUDIT_ARCH_X86_64, X32 | 46, { 3 }, NOTIFIED_NOTHING, "x32", false },
		{ AUDIT_ARCH_X86_64, X32 | 518, { 3 }, NOTIFIED_SENDMSG, "x32", false },
		{ AUDIT_ARCH_X86_64, X32 | 538, { 3 }, NOTIFIED_SENDMMSG, "x32", false },
		{ AUDIT_ARCH_I386, 362, { 3 }, NOTIFIED_CONNECT, "i386", false },
		{ AUDIT_ARCH_I386, 369, ADDRESSED, NOTIFIED_NOTHING, "i386", false }, /* its low half is none */
		{ AUDIT_ARCH_I386, 42, { 3 }, NOTIFIED_NOTHING, "i386", false },
		{ AUDIT_ARCH_I386, 425, { 3 }, NOTIFIED_IO_URING, "i386", false },
		{ AUDIT_ARCH_I386, 102, { 3 }, NOTIFIED_CONNECT, "i386", true },
		{ AUDIT_ARCH_I386, 102, { 11 }, NOTIFIED_SENDTO, "i386", true },
		{ AUDIT_ARCH_I386, 102, { 9 }, NOTIFIED_NOTHING, "i386", true }, /* send() */
		{ AUDIT_ARCH_I386, 102, { 1 }, NOTIFIED_SOCKET, "i386", true }, /* of a family that memory tells */
		{ AUDIT_ARCH_I386, 102, { 0 }, NOTIFIED_NOTHING, "i386", true },
#elif defined(__aarch64__) || defined(__arm__)
		{ AUDIT_ARCH_AARCH64, 203, { 3 }, NOTIFIED_CONNECT, "aarch64", false },
		{ AUDIT_ARCH_AARCH64, 206, ADDRESSED, NOTIFIED_SENDTO, "aarch64", false },
		{ AUDIT_ARCH_ARM, 283, { 3 }, NOTIFIED_CONNECT, "arm", false },
		{ AUDIT_ARCH_ARM, 290, ADDRESSED, NOTIFIED_NOTHING, "arm", false },
		{ AUDIT_ARCH_ARM, 102, { 3 }, NOTIFIED_NOTHING, "arm", false },
#endif
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		expect_read(&known[i]);
}

Test(filter, arguments_are_as_wide_as_the_kernel_takes_them)
{
	static const uint64_t args[6] = { UINT64_C(0xdead00000003), 0, 0, 0, UINT64_C(0xdead00000005), 0 };
	struct notified_call call;

	for (size_t i = 0; i < call_tables_count; i++) {
		const struct call_table *table = &call_tables[i];
		bool low = strcmp(table->name, "i386") == 0 || strcmp(table->name, "arm") == 0;

		call_read(&call, table->machine, table->number[NOTIFIED_SENDTO] | (int)table->bit, args);
		cr_expect_eq((int)call.kind, (int)NOTIFIED_SENDTO, "%s", table->name);
		cr_expect_eq(call.args[4], low ? 5 : args[4], "%s", table->name);
	}
}

/* A program of such a machine must not go by unseen. */
Test(filter, a_machine_without_a_table_ends)
{
	struct made filter = made(usual());
	struct seccomp_data data = { .nr = 42, .arch = AUDIT_ARCH_S390X };
	struct notified_call call;

	cr_expect_eq(execute(filter.program, filter.count, &data).action, SECCOMP_RET_KILL_PROCESS);
	call_read(&call, data.arch, data.nr, (const uint64_t *)data.args);
	cr_expect_null(call.table);
	cr_expect_eq((int)call.kind, (int)NOTIFIED_NOTHING);
}

/* --- what it costs --- */

Test(filter, calls_of_no_concern_cost_little)
{
	struct made filter = made(usual());
	struct seccomp_data data = { .nr = SYS_read, .arch = call_tables[0].machine };

	cr_expect_leq(execute(filter.program, filter.count, &data).instructions, 5);
	for (size_t i = 0; i < call_tables_count; i++)
		for (data.nr = 0; data.nr <= NUMBERS; data.nr++) {
			struct step step;

			data.arch = call_tables[i].machine;
			step = execute(filter.program, filter.count, &data);
			if (step.instructions > (step.saw_arguments ? 18 : 11))
				cr_assert_fail("%s %d: %d", call_tables[i].name, data.nr, step.instructions);
		}
}

/* The kernel's table of numbers that are always allowed has them all then. */
Test(filter, arguments_are_looked_at_only_where_they_decide)
{
	struct made filter = made(wants_of(ALL_WANTS - 1));

	for (size_t i = 0; i < call_tables_count; i++)
		for (int number = 0; number <= NUMBERS; number++) {
			const struct call_table *table = &call_tables[i];
			struct seccomp_data data = { .nr = number | (int)table->bit, .arch = table->machine };
			bool decide = number == table->number[NOTIFIED_SENDTO] || number == table->number[NOTIFIED_SOCKET] ||
				      number == table->socketcall;

			if (execute(filter.program, filter.count, &data).saw_arguments != decide)
				cr_assert_fail("%s %d", table->name, number);
		}
}

Test(filter, there_is_room_for_all)
{
	size_t most = 0;

	for (unsigned bits = 0; bits < ALL_WANTS; bits++) {
		struct made filter = made(wants_of(bits));

		most = filter.count > most ? filter.count : most;
		for (size_t at = 0; at < filter.count; at++) {
			const struct sock_filter *now = &filter.program[at];
			size_t furthest = now->jt > now->jf ? now->jt : now->jf;

			if (BPF_CLASS(now->code) == BPF_JMP)
				furthest = BPF_OP(now->code) == BPF_JA ? now->k : furthest;
			if (at + furthest + (BPF_CLASS(now->code) != BPF_RET) >= filter.count)
				cr_assert_fail("%#x: %zu", bits, at);
		}
	}
	cr_expect_leq(most, (size_t)FILTER_ROOM / 2, "%zu", most);
}

/* --- at work --- */

struct supervised {
	pid_t pid;
	int listener, go;
};

/* Starts a child that installs the filter and, when it is told to go on, does `work`, and ends with what that returns. */
static void child_work(const struct filter_wants *wants, int told, int go, int (*work)(void))
{
	int listener = -1, error = filter_install(wants, &listener);
	char byte;

	if (error)
		listener = error;
	if (write(told, &listener, sizeof(listener)) != sizeof(listener) || error || read(go, &byte, 1) != 1)
		_exit(100);
	close(listener);
	_exit(work());
}

static struct supervised supervise(struct filter_wants wants, int (*work)(void))
{
	struct supervised child;
	int told[2], go[2], number, handle;

	cr_assert(pipe(told) == 0 && pipe(go) == 0);
	child.pid = fork();
	if (child.pid == 0)
		child_work(&wants, told[1], go[0], work);
	cr_assert_gt(child.pid, 0);
	close(told[1]), close(go[0]);
	cr_assert_eq(read(told[0], &number, sizeof(number)), (ssize_t)sizeof(number));
	cr_assert_geq(number, 0, "filter_install(): %s", strerror(-number));
	handle = (int)syscall(SYS_pidfd_open, child.pid, 0);
	child.listener = (int)syscall(SYS_pidfd_getfd, handle, number, 0);
	cr_assert_geq(child.listener, 0, "pidfd_getfd: %s", strerror(errno));
	close(handle), close(told[0]);
	child.go = go[1];
	cr_assert_eq(write(child.go, "g", 1), 1);
	return child;
}

/* Takes the next notification; it has to be of this number, in the table of that machine. Answers it with an error. */
static void answer(const struct supervised *child, uint32_t machine, int number, int error)
{
	struct pollfd ready = { .fd = child->listener, .events = POLLIN };
	struct seccomp_notif told = { 0 };
	struct seccomp_notif_resp reply = { .error = -error };

	cr_assert(poll(&ready, 1, DEADLINE_MS) == 1 && ready.revents == POLLIN, "nothing told of instead of %d", number);
	cr_assert_eq(ioctl(child->listener, SECCOMP_IOCTL_NOTIF_RECV, &told), 0);
	cr_expect_eq(told.data.nr, number, "%d instead of %d", told.data.nr, number);
	cr_expect_eq(told.data.arch, machine);
	reply.id = told.id;
	cr_assert_eq(ioctl(child->listener, SECCOMP_IOCTL_NOTIF_SEND, &reply), 0);
}

/* Nothing further is told of, and it ends well. */
static void ends_well(const struct supervised *child)
{
	struct pollfd ready = { .fd = child->listener, .events = POLLIN };
	int status;

	cr_assert_eq(poll(&ready, 1, DEADLINE_MS), 1);
	cr_expect_eq(ready.revents, POLLHUP, "%#x", ready.revents);
	cr_assert_eq(waitpid(child->pid, &status, 0), child->pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	close(child->listener), close(child->go);
}

static bool fails(long result, int error)
{
	return result == -1 && errno == error;
}

static const char some_address[16];

/* The errors are what the other side answers, or the kernel's where it is not asked. */
static int all_calls(void)
{
	int ends[2];

	if (pipe(ends) || write(ends[1], "x", 1) != 1 || read(ends[0], &(char){ 0 }, 1) != 1)
		return 1;
	if (!fails(syscall(SYS_getsockname, -1, NULL, NULL), EBADF) || syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0)
		return 2;
	if (!fails(syscall(SYS_sendto, -1, "x", 1, 0, NULL, 0), EBADF))
		return 3;
	if (!fails(syscall(SYS_connect, -1, some_address, 16), EXDEV) || !fails(syscall(SYS_bind, -1, some_address, 16), EDOM))
		return 4;
	if (!fails(syscall(SYS_listen, -1, 1), ERANGE))
		return 5;
	if (!fails(syscall(SYS_sendto, -1, "x", 1, 0, some_address, 16), EMLINK))
		return 6;
	if (!fails(syscall(SYS_sendmsg, -1, NULL, 0), ENOTTY) || !fails(syscall(SYS_sendmmsg, -1, NULL, 0, 0), ENOSPC))
		return 7;
	return 0;
}

Test(filter, at_work_it_tells_of_the_calls_and_takes_the_answer)
{
	struct supervised child = supervise(usual(), all_calls);
	uint32_t own = call_tables[0].machine;

	answer(&child, own, SYS_connect, EXDEV);
	answer(&child, own, SYS_bind, EDOM);
	answer(&child, own, SYS_listen, ERANGE);
	answer(&child, own, SYS_sendto, EMLINK);
	answer(&child, own, SYS_sendmsg, ENOTTY);
	answer(&child, own, SYS_sendmmsg, ENOSPC);
	ends_well(&child);
}

static int further_calls(void)
{
	if (!fails(syscall(SYS_connect, -1, some_address, 16), EBADF) && errno != EFAULT)
		return 1;
	if (!fails(syscall(SYS_getsockname, -1, NULL, NULL), EXDEV) || !fails(syscall(SYS_socket, AF_INET6, 1, 0), EDOM))
		return 2;
	if (syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0)
		return 4;
	return fails(syscall(SYS_io_uring_setup, 1, NULL), ENOSYS) ? 0 : 3;
}

Test(filter, at_work_it_tells_of_the_others_where_they_are_wanted)
{
	struct filter_wants wants = { .kind = { [NOTIFIED_GETSOCKNAME] = true, [NOTIFIED_SOCKET] = true,
						[NOTIFIED_IO_URING] = true } };
	struct supervised child = supervise(wants, further_calls);

	answer(&child, call_tables[0].machine, SYS_getsockname, EXDEV);
	answer(&child, call_tables[0].machine, SYS_socket, EDOM);
	answer(&child, call_tables[0].machine, SYS_io_uring_setup, ENOSYS);
	ends_well(&child);
}

/* A filter of the program's own, as a sandbox has it: connect() gives EACCES. */
static int own_filter(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(program) / sizeof(program[0]), .filter = program };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
		return 1;
	if (!fails(syscall(SYS_connect, -1, some_address, 16), EACCES))
		return 2;
	return fails(syscall(SYS_listen, -1, 1), EXDEV) ? 0 : 3;
}

Test(filter, a_filter_of_the_programs_own_comes_first)
{
	struct supervised child = supervise(usual(), own_filter);

	answer(&child, call_tables[0].machine, SYS_listen, EXDEV);
	ends_well(&child);
}

static int once_more(void)
{
	struct filter_wants wants = usual();
	int listener;

	return filter_install(&wants, &listener) == -EBUSY ? 0 : 1;
}

Test(filter, who_is_supervised_already_is_told)
{
	struct supervised child = supervise(usual(), once_more);

	ends_well(&child);
}

static void drop_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	cr_assert_eq(syscall(SYS_capget, &header, sets), 0);
	sets[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	cr_assert_eq(syscall(SYS_capset, &header, sets), 0);
}

static int no_new_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

static int new_privileges(void)
{
	return no_new_privileges() ? 0 : 1;
}

Test(filter, setuid_programs_keep_working_where_that_can_be)
{
	struct supervised child;

	if (geteuid() == 0) {
		child = supervise(usual(), new_privileges);
		ends_well(&child);
	}
	drop_admin();
	child = supervise(usual(), no_new_privileges);
	ends_well(&child);
}

#ifdef __x86_64__
#define ABOVE (0xdeadL << 32)

/* By the other machine's way into the kernel: what stands above the low halves is nothing to it. */
static long call_i386(long number, long first, long second)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static bool kernel_has_i386(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(call_i386(20, 0, 0) == getpid() ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static int calls_of_i386(void)
{
	if ((int)call_i386(362, ABOVE | -1U, ABOVE) != -EXDEV || (int)call_i386(102, ABOVE | 3, ABOVE) != -EDOM)
		return 1;
	if ((int)call_i386(102, ABOVE | 9, ABOVE) != -EFAULT) /* send() */
		return 2;
	return (int)call_i386(42, 0, 0) == -EFAULT ? 0 : 3; /* pipe() */
}

Test(filter, at_work_it_tells_of_the_other_machines_calls)
{
	struct supervised child;

	if (!kernel_has_i386())
		cr_skip_test("a kernel without 32-bit programs");
	child = supervise(usual(), calls_of_i386);
	answer(&child, AUDIT_ARCH_I386, 362, EXDEV);
	answer(&child, AUDIT_ARCH_I386, 102, EDOM);
	ends_well(&child);
}
#endif
