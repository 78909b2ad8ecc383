/* test_stops.c - a supervised program that is stopped and goes on: who started it sees that, as a shell with job control must. */
#define _GNU_SOURCE
#include "tests/supervise/started.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

TestSuite(stops, .fini = nobody_left, .timeout = 120);

Test(stops, stops_and_goes_on_by_its_parent)
{
	for (size_t i = 0; i < 4; i++) {
		struct started it = STAND("stop", text(stops[i]));
		int status = change_of(it.pid);

		cr_assert(is_stop(status, stops[i]), "%x", status);
		cr_assert_eq(kill(it.pid, SIGCONT), 0);
		cr_assert(WIFCONTINUED(change_of(it.pid)));
		cr_expect_str_eq(line_of(&it), "gone on");
		cr_assert(is_exit(end_of(&it), 0));
	}
	cr_assert_eq(all_ended(), 0);
}

Test(stops, stops_and_goes_on_by_others)
{
	struct started it = STAND("connect");
	pid_t program = number_of(&it, "ready");

	for (size_t i = 0; i < 4; i++) {
		kill(program, stops[i]);
		cr_assert(is_stop(change_of(it.pid), stops[i]));
		kill(program, SIGCONT);
		cr_assert(WIFCONTINUED(change_of(it.pid)));
	}
	kill(program, SIGSTOP);
	cr_assert(is_stop(change_of(it.pid), SIGSTOP));
	kill(-it.pid, SIGCONT);
	cr_assert(WIFCONTINUED(change_of(it.pid)));
	cr_expect(is_exit(end_of(&it), 0));
	cr_assert_eq(all_ended(), 0);
}

/* However fast they come, in the end front and program do the same. */
Test(stops, stops_in_haste)
{
	struct started it = STAND("connect");
	pid_t program = number_of(&it, "ready");

	for (int i = 0; i < 2000; i++) {
		kill(program, stops[i % 4]);
		if (i % 3 == 0)
			sched_yield();
		kill(program, SIGCONT);
	}
	cr_assert_eq(write(it.in, "\n", 1), 1);
	cr_expect_str_eq(line_of(&it), "ENOENT");
	cr_expect(is_exit(end_of(&it), 0));
	cr_assert_eq(all_ended(), 0);
}

/* How often it has called write(2) and its kin. */
static long writes_of(pid_t pid)
{
	char path[64], line[128];
	long n = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	file = fopen(path, "re");
	cr_assert(file, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		sscanf(line, "syscw: %ld", &n);
	fclose(file);
	cr_assert(n >= 0);
	return n;
}

/* The front learns of a stop when the program has gone on already, and not yet that it has: it does not stop then, or a shell
 * would take the terminal away from a program that has just got it. */
Test(stops, a_stop_that_is_over)
{
	struct started it = STAND("connect");
	pid_t program = number_of(&it, "ready"), supervisor = parent_of(program);
	long written = writes_of(supervisor);

	kill(it.pid, SIGSTOP);
	cr_assert(is_stop(change_of(it.pid), SIGSTOP));
	kill(program, SIGTSTP);
	UNTIL(is_stopped(program));
	UNTIL(writes_of(supervisor) > written);
	kill(supervisor, SIGSTOP);
	UNTIL(is_stopped(supervisor));
	kill(-it.pid, SIGCONT);
	cr_assert(WIFCONTINUED(change_of(it.pid)));
	kill(it.pid, SIGUSR1);
	UNTIL(state_of(program) == 'Z' || is_stopped(it.pid));
	cr_expect(!is_stopped(it.pid));
	kill(supervisor, SIGCONT);
	cr_expect(is_death(change_of(it.pid), SIGUSR1));
	close(it.in);
	cr_assert_eq(all_ended(), 0);
}

/* Lets the front go on as far as behind its reading of a signal, the next that it is sent. */
static void stop_behind_reading(pid_t front)
{
	struct __ptrace_syscall_info call = { .op = PTRACE_SYSCALL_INFO_NONE };
	bool reads = false;
	int status;

	do {
		cr_assert_eq(ptrace(PTRACE_SYSCALL, front, NULL, NULL), 0);
		cr_assert(waitpid(front, &status, 0) == front && WIFSTOPPED(status));
		cr_assert(ptrace(PTRACE_GET_SYSCALL_INFO, front, sizeof(call), &call) > 0);
		if (call.op == PTRACE_SYSCALL_INFO_ENTRY)
			reads = call.entry.nr == SYS_read && call.entry.args[2] == sizeof(struct signalfd_siginfo);
	} while (!reads || call.op != PTRACE_SYSCALL_INFO_EXIT);
}

/* What continues the front is passed on, since it may have been sent to the front alone. Not so when the group has been
 * stopped meanwhile: the program would go on, and whoever has typed ^Z would wait in vain. */
Test(stops, a_stop_while_it_is_continued)
{
	struct started it = STAND("connect");
	pid_t program = number_of(&it, "ready");
	int status;

	cr_assert_eq(ptrace(PTRACE_SEIZE, it.pid, NULL, PTRACE_O_TRACESYSGOOD), 0);
	cr_assert_eq(ptrace(PTRACE_INTERRUPT, it.pid, NULL, NULL), 0);
	cr_assert_eq(waitpid(it.pid, &status, 0), it.pid);
	cr_assert_eq(kill(it.pid, SIGCONT), 0);
	stop_behind_reading(it.pid);
	cr_assert_eq(kill(-it.pid, SIGTSTP), 0);
	UNTIL(is_stopped(program));
	cr_assert_eq(ptrace(PTRACE_DETACH, it.pid, NULL, NULL), 0);
	UNTIL(!is_stopped(program) || is_stopped(it.pid));
	cr_assert(is_stopped(program));
	cr_assert(is_stop(change_of(it.pid), SIGTSTP));
	cr_assert_eq(kill(it.pid, SIGCONT), 0);
	cr_assert(WIFCONTINUED(change_of(it.pid)));
	cr_expect(is_exit(end_of(&it), 0));
	cr_assert_eq(all_ended(), 0);
}

/* Whoever waits for the front is told at once. */
Test(stops, killed_by_itself_while_stopped)
{
	struct started it = STAND("connect");
	pid_t program = number_of(&it, "ready");

	kill(program, SIGTSTP);
	cr_assert(is_stop(change_of(it.pid), SIGTSTP));
	kill(program, SIGKILL);
	cr_expect(is_death(end_of(&it), SIGKILL));
	cr_assert_eq(all_ended(), 0);
}

static bool has_pending(pid_t pid, int signal)
{
	char path[64], line[128];
	unsigned long long mask = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	cr_assert(file, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		sscanf(line, "ShdPnd: %llx", &mask);
	fclose(file);
	return mask >> (signal - 1) & 1;
}

/* A stop, what continues it and what tells so are all there before the front looks at any: none of them keeps it from the next. */
Test(stops, all_at_once)
{
	struct started it = STAND("connect");
	pid_t program = number_of(&it, "ready"), supervisor = parent_of(program);
	long written = writes_of(supervisor);
	int status;

	cr_assert_eq(ptrace(PTRACE_SEIZE, it.pid, NULL, NULL), 0);
	cr_assert_eq(ptrace(PTRACE_INTERRUPT, it.pid, NULL, NULL), 0);
	cr_assert_eq(waitpid(it.pid, &status, 0), it.pid);
	kill(program, SIGTSTP);
	UNTIL(is_stopped(program));
	UNTIL(writes_of(supervisor) > written);
	kill(program, SIGCONT);
	UNTIL(has_pending(it.pid, SIGCONT));
	cr_assert_eq(ptrace(PTRACE_DETACH, it.pid, NULL, NULL), 0);
	cr_assert_eq(write(it.in, "\n", 1), 1);
	cr_expect_str_eq(line_of(&it), "ENOENT");
	/* It sleeps, not in between. */
	UNTIL(state_of(it.pid) == 'S' && !has_pending(it.pid, SIGCONT));
	kill(program, SIGTSTP);
	cr_assert(is_stop(change_of(it.pid), SIGTSTP));
	kill(program, SIGCONT);
	cr_assert(WIFCONTINUED(change_of(it.pid)));
	cr_expect(is_exit(end_of(&it), 0));
	cr_assert_eq(all_ended(), 0);
}

static void without_hangup(void)
{
	own_group();
	signal(SIGHUP, SIG_IGN);
}

/* Its group is then one that nobody could continue: the kernel sends SIGHUP and SIGCONT to it. */
Test(stops, killed_while_stopped)
{
	const char *argv[] = { probe("stand"), "stop", "20", NULL };
	struct started it = start_as(true, without_hangup, argv);

	cr_assert(is_stop(change_of(it.pid), SIGTSTP));
	kill(it.pid, SIGKILL);
	cr_expect(is_death(change_of(it.pid), SIGKILL));
	cr_expect_str_eq(line_of(&it), "gone on");
	cr_assert_eq(all_ended(), 1);
}
