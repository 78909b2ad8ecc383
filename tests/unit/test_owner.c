/* test_owner.c - who a process is in the table, and what others can know of its life. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/kernel.h"
#include "shim/owner.h"
#include "tests/lib/made_table.h"

TestSuite(owner, .timeout = 60);

#define START (UINT64_C(1) << 30)     /* the lowest bit of the start time in an owner */
#define NAMESPACE (UINT64_C(0xff) << 22)

/* What a child tells, in memory that both see. */
struct told { _Atomic uint64_t owner, other; _Atomic int life; };

static struct told *told;
static struct table *table;

static void begin(void)
{
	table = made_mapping(MAP_SHARED | MAP_ANONYMOUS, -1);
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(told != MAP_FAILED);
}

/* A child that has told who it is and stays until its pipe is closed: *go. */
static pid_t living_child(const char *name, int *go)
{
	int ready[2], stay[2];
	char byte;
	pid_t child;

	cr_assert(pipe2(ready, O_CLOEXEC) == 0 && pipe2(stay, O_CLOEXEC) == 0);
	child = fork();
	if (child == 0) {
		alarm(60);
		close(stay[1]);
		if (name)
			prctl(PR_SET_NAME, name);
		atomic_store(&told->owner, owner_self(table));
		if (write(ready[1], "", 1) != 1 || read(stay[0], &byte, 1) != 0)
			_exit(1);
		_exit(0);
	}
	close(ready[1]);
	close(stay[0]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*go = stay[1];
	return child;
}

static void reap(pid_t child)
{
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
}

Test(owner, is_the_same_all_the_time, .init = begin)
{
	uint64_t self = owner_self(table);

	cr_expect_eq(owner_self(table), self);
	cr_expect_eq(self & ~OWNER_MASK, 0);
	cr_expect_eq(owner_pid(self), getpid());
	cr_expect_neq(self & NAMESPACE, 0);
	cr_expect(owner_is_here(table, self));
	cr_expect_eq(owner_life(table, self), OWNER_ALIVE);
	prctl(PR_SET_NAME, ") 1 2 (3");
	cr_expect_eq(owner_self(table), self);
	cr_expect_eq(owner_life(table, self), OWNER_ALIVE);
}

Test(owner, a_child_is_another, .init = begin)
{
	uint64_t self = owner_self(table);
	int go;
	pid_t child = living_child(NULL, &go);

	cr_expect_neq(told->owner, self);
	cr_expect_eq(owner_pid(told->owner), child);
	cr_expect_eq(told->owner & NAMESPACE, self & NAMESPACE);
	cr_expect_eq(owner_life(table, told->owner), OWNER_ALIVE);
	cr_expect_eq(owner_self(table), self);
	close(go);
	reap(child);
}

Test(owner, a_grandchild_is_another_still, .init = begin)
{
	pid_t child = fork();

	if (child == 0) {
		uint64_t mine = owner_self(table);
		int go;
		pid_t grandchild = living_child(NULL, &go);
		bool other = told->owner != mine && owner_pid(told->owner) == (uint32_t)grandchild;

		close(go);
		waitpid(grandchild, NULL, 0);
		_exit(!other);
	}
	reap(child);
}

/* The name of a program may look like the fields that follow it. */
Test(owner, whatever_its_name, .init = begin)
{
	static const char *const names[] = { ")", ") R 1 1 1", "((((", "a b c d e f g", "))))))))))))))", "" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int go;
		pid_t child = living_child(names[i], &go);

		cr_expect_eq(owner_life(table, told->owner), OWNER_ALIVE, "%s", names[i]);
		cr_expect_eq(owner_life(table, told->owner ^ START), OWNER_DEAD, "%s", names[i]);
		close(go);
		reap(child);
	}
}

/* A zombie has its start time still, and counts as alive: so does the first thread of a process that has ended before
 * the others, which looks the same. No harm: a zombie has no sockets, so its leases are freed by what the kernel says,
 * and at most one claim of each thread waits until it is reaped. */
Test(owner, dead_after_it_is_reaped, .init = begin)
{
	siginfo_t about;
	int go;
	pid_t child = living_child(NULL, &go);

	close(go);
	cr_assert_eq(waitid(P_PID, (id_t)child, &about, WEXITED | WNOWAIT), 0);
	cr_expect_eq(owner_life(table, told->owner), OWNER_ALIVE, "a zombie");
	reap(child);
	cr_expect_eq(owner_life(table, told->owner), OWNER_DEAD);
}

Test(owner, another_start_is_another_process, .init = begin)
{
	uint64_t self = owner_self(table);

	for (int bit = 0; bit < 16; bit++)
		cr_expect_eq(owner_life(table, self ^ START << bit), OWNER_DEAD, "bit %d", bit);
	cr_expect_eq(owner_life(table, self & ~UINT64_C(0x3fffff)), OWNER_DEAD, "no process has the id 0");
	cr_expect_eq(owner_life(table, self | 0x3fffff), OWNER_DEAD, "nor the largest that fits");
}

/* The kernel gives an id again; the process that has it now is not the owner. */
Test(owner, a_reused_id, .init = begin)
{
	const struct timespec ticks = { .tv_nsec = 30000000 }; /* /proc counts starts in hundredths of a second */
	int go;
	pid_t child = living_child(NULL, &go), again = child;
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&again, .set_tid_size = 1 };
	long second;

	close(go);
	reap(child);
	nanosleep(&ticks, NULL);
	second = syscall(SYS_clone3, &args, sizeof(args));
	if (second == 0) {
		pause();
		_exit(0);
	}
	if (second < 0) {
		cr_log_warn("clone3 with an id: %s; not measured", strerror(errno));
		return;
	}
	cr_assert_eq(second, child);
	cr_expect_eq(owner_life(table, told->owner), OWNER_DEAD);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* --- where nothing can be known --------------------------------------------------------------------------- */

Test(owner, of_a_namespace_that_the_table_does_not_know, .init = begin)
{
	uint64_t self = owner_self(table);

	cr_expect_eq(owner_life(table, self & ~NAMESPACE), OWNER_UNKNOWN);
	cr_expect_eq(owner_life(table, self | NAMESPACE), OWNER_UNKNOWN);
	cr_expect(!owner_is_here(table, self & ~NAMESPACE));
	cr_expect(!owner_is_here(table, self | NAMESPACE));
	cr_expect_eq(owner_life(table, 0), OWNER_UNKNOWN);
	table->namespaces[(self & NAMESPACE) >> 22] ^= 1;
	cr_expect_eq(owner_life(table, self), OWNER_UNKNOWN);
}

Test(owner, more_namespaces_than_the_table_has_room_for, .init = begin)
{
	for (uint32_t i = 1; i < TABLE_NAMESPACES; i++)
		table->namespaces[i] = i;
	cr_expect_eq(owner_self(table) & NAMESPACE, 0);
	cr_expect_eq(owner_pid(owner_self(table)), getpid());
	cr_expect_eq(owner_life(table, owner_self(table)), OWNER_UNKNOWN);
}

Test(owner, the_last_namespace_that_the_table_has_room_for, .init = begin)
{
	for (uint32_t i = 1; i < TABLE_NAMESPACES - 1; i++)
		table->namespaces[i] = i;
	cr_expect_eq(owner_self(table) & NAMESPACE, NAMESPACE);
	cr_expect_eq(owner_life(table, owner_self(table)), OWNER_ALIVE);
}

/* As after chroot(2): whoever has the number is taken to be it; a process that began like this is nobody in particular. */
Test(owner, without_proc, .init = begin)
{
	uint64_t self = owner_self(table);
	pid_t child;

	cr_assert(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert_eq(mount("tmpfs", "/proc", "tmpfs", 0, "size=64k"), 0);
	cr_expect_eq(owner_life(table, self), OWNER_ALIVE);
	cr_expect_eq(owner_life(table, self | 0x3fffff), OWNER_DEAD);
	cr_expect_eq(owner_self(table), self);
	child = fork();
	if (child == 0) {
		uint64_t mine = owner_self(table);

		_exit(mine & NAMESPACE || owner_pid(mine) != (uint32_t)getpid() ||
		      owner_life(table, mine) != OWNER_UNKNOWN);
	}
	reap(child);
}

/* hidepid: to one user, other users' processes look as if they were not there. */
Test(owner, of_another_user_that_proc_hides, .init = begin)
{
	uint64_t self = owner_self(table);
	pid_t child;

	cr_assert(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert_eq(mount("proc", "/proc", "proc", 0, "hidepid=2"), 0);
	child = fork();
	if (child == 0)
		_exit(setgid(65534) < 0 || setuid(65534) < 0 ? 10 : owner_life(table, self) == OWNER_DEAD);
	reap(child);
}

Test(owner, when_nothing_may_be_asked, .init = begin)
{
	uint64_t self = owner_self(table);

	kernel_forgo_questions();
	cr_expect_eq(owner_life(table, self), OWNER_UNKNOWN);
	cr_expect_eq(owner_self(table), self);
}

/* Only that a live process is never taken for dead. */
Test(owner, without_descriptors, .init = begin)
{
	uint64_t self = owner_self(table);
	struct rlimit limit, none;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_max = limit.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	enum owner_life life = owner_life(table, self);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_neq(life, OWNER_DEAD);
}

/* Runs `inside` as the first process of a pid namespace of its own, with a /proc of that or with the one outside. */
static void in_pid_namespace(bool own_proc, int (*inside)(void))
{
	pid_t child = fork(), first;
	int status;

	if (child == 0) {
		alarm(60);
		if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(1);
		first = fork();
		if (first == 0)
			_exit(own_proc && mount("proc", "/proc", "proc", 0, NULL) < 0 ? 2 : inside());
		_exit(waitpid(first, &status, 0) == first && WIFEXITED(status) ? WEXITSTATUS(status) : 3);
	}
	reap(child);
}

static int tell_and_look(void)
{
	uint64_t mine = owner_self(table);

	atomic_store(&told->owner, mine);
	if (owner_pid(mine) != 1)
		return 10;
	return owner_life(table, told->other) == OWNER_UNKNOWN && !owner_is_here(table, told->other) ? 0 : 11;
}

Test(owner, of_another_pid_namespace, .init = begin)
{
	uint64_t self = owner_self(table);

	for (int own_proc = 0; own_proc < 2; own_proc++) {
		told->other = self;
		in_pid_namespace(own_proc, tell_and_look);
		cr_expect_neq(told->owner, self);
		cr_expect_neq(told->owner & NAMESPACE, self & NAMESPACE);
		cr_expect_eq(owner_life(table, told->owner), OWNER_UNKNOWN);
		cr_expect(!owner_is_here(table, told->owner));
	}
}

/* Two processes of one pid namespace that see the /proc of another: its numbers are not theirs. */
static int two_inside(void)
{
	int ready[2], stay[2];
	char byte;
	pid_t second;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(stay, O_CLOEXEC) < 0)
		return 10;
	second = fork();
	if (second == 0) {
		close(stay[1]);
		atomic_store(&told->owner, owner_self(table));
		_exit(write(ready[1], "", 1) != 1 || read(stay[0], &byte, 1) != 0);
	}
	if (read(ready[0], &byte, 1) != 1 || owner_life(table, told->owner) == OWNER_DEAD)
		return 11;
	close(stay[1]);
	waitpid(second, NULL, 0);
	atomic_store(&told->life, (int)owner_life(table, told->owner));
	return 0;
}

Test(owner, neighbours_with_their_own_proc, .init = begin)
{
	in_pid_namespace(true, two_inside);
	cr_expect_eq(told->life, OWNER_DEAD);
}

Test(owner, neighbours_with_the_proc_of_another_namespace, .init = begin)
{
	in_pid_namespace(false, two_inside);
	cr_expect_neq(told->life, OWNER_ALIVE, "it is dead; another process has its number in that /proc");
}
