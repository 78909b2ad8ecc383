/* front.c - the process that stands for the program: signals, stops and the end are passed on.
 *
 * It is in the program's process group. What is sent to the group, the terminal's signals above all, the program gets by
 * itself; what is sent to this process alone is passed on. All signals are blocked and read from a signalfd. */
#define _GNU_SOURCE
#include "tools/supervise/front.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/message.h"
#include "tools/supervise/tree.h"

struct watch {
	struct tree tree;
	pid_t supervisor, program; /* 0: not known yet */
	int process;               /* the program's pidfd; -1 */
	int signals;               /* a signalfd */
	bool leader;               /* of its session */
	bool stopped;              /* the program was, and we have not been continued since */
	struct report end;         /* of the program, once report_is_end() */
	bool done;                 /* nothing is left to be waited for */
};

/* --- what is known of the program ------------------------------------------------------------------------------- */

/* Whether the pipe has a report (not so at its end); whether the process of a pidfd has ended. */
static bool is_readable(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	return poll(&one, 1, 0) == 1 && (one.revents & POLLIN);
}

/* The letter of its state, of its first thread's that is; '\0' where /proc does not tell, or tells of somebody else. */
static char program_state(const struct watch *watch)
{
	char path[32], stat[512] = "";
	snprintf(path, sizeof(path), "/proc/%d/stat", watch->program);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (fd >= 0)
		close(fd);
	const char *behind_name = length > 0 ? strrchr(stat, ')') : NULL;
	if (!behind_name || strlen(behind_name) < sizeof(") S 1") - 1)
		return '\0';
	pid_t parent = (pid_t)strtol(behind_name + 4, NULL, 10);
	return parent == watch->supervisor || parent == getpid() ? behind_name[2] : '\0';
}

/* Whether the program goes on again, or has ended: a stop is told of late. Where its state does not say (its first thread may
 * have ended alone), as far as has been reported. */
static bool goes_on(const struct watch *watch)
{
	if (is_readable(watch->process))
		return true;
	switch (program_state(watch)) {
	case 'R': case 'S': case 'D': return true;
	case 'T': case 't': return false;
	default: return is_readable(watch->tree.reports[0]);
	}
}

/* --- signals to the program ------------------------------------------------------------------------------------ */

/* The group that the program has made for itself (timeout(1) does, and shells), where ours is one that was made for us:
 * without us, the two were one. 0: there is none. */
static pid_t group_of_its_own(const struct watch *watch)
{
	bool has = getpgrp() == getpid() && getpgid(watch->program) == watch->program &&
	           getsid(watch->program) == getsid(0);
	return has && process_signal(watch->process, 0, NULL) == 0 ? watch->program : 0;
}

/* Whether it is of those that the kernel sends to a whole group on behalf of a terminal. */
static bool is_for_group(const struct signalfd_siginfo *signal)
{
	if (signal->ssi_code != SI_KERNEL)
		return false;
	switch (signal->ssi_signo) {
	case SIGINT: case SIGQUIT: case SIGTSTP: case SIGWINCH: case SIGHUP: case SIGCONT: return true;
	default: return false;
	}
}

/* Whether it was meant for the program, who has not got it. */
static bool is_for_program(const struct watch *watch, const struct signalfd_siginfo *signal)
{
	if ((pid_t)signal->ssi_pid == watch->program)
		return false; /* it has no reason to know of us: this was kill(0, ...) */
	if (signal->ssi_signo == SIGCONT && signal->ssi_code == SI_USER && (pid_t)signal->ssi_pid == watch->supervisor)
		return false; /* the program goes on already: this was for us */
	/* The kernel sends to the group; but when a terminal hangs up, to the session's leader. */
	if (signal->ssi_code == SI_KERNEL && !group_of_its_own(watch))
		return watch->leader && (signal->ssi_signo == SIGHUP || signal->ssi_signo == SIGCONT);
	return signal->ssi_code <= 0 || is_for_group(signal); /* else it tells of something of our own */
}

/* It gets the terminal that was given to us when we were brought to the foreground. SIGTTOU is blocked here. */
static void terminal_hand_on(const struct watch *watch)
{
	pid_t group = group_of_its_own(watch);
	if (!group)
		return;
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (terminal < 0)
		return;
	if (tcgetpgrp(terminal) == getpgrp())
		tcsetpgrp(terminal, group);
	close(terminal);
}

static void pass(const struct watch *watch, const struct signalfd_siginfo *signal)
{
	siginfo_t info = { .si_signo = (int)signal->ssi_signo, .si_code = signal->ssi_code };
	/* kill(2) and tgkill(2) cannot be told for somebody else. */
	bool queued = signal->ssi_code < 0 && signal->ssi_code != SI_TKILL;
	info.si_pid = (pid_t)signal->ssi_pid;
	info.si_uid = signal->ssi_uid;
	info.si_value.sival_ptr = (void *)(uintptr_t)signal->ssi_ptr;
	if (is_for_group(signal) && group_of_its_own(watch))
		kill(-watch->program, info.si_signo);
	else
		process_signal(watch->process, info.si_signo, queued ? &info : NULL);
}

/* A stop that was sent to us, or to our group: 0 where there is none that we have not read. */
static int stop_pending(void)
{
	static const int stops[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	sigset_t pending;
	sigpending(&pending);
	for (int i = 0; i < 3; i++)
		if (sigismember(&pending, stops[i]) == 1)
			return stops[i];
	return 0;
}

/* It may have been for the group: then the program, who comes before us there, has had it, and what comes behind it as well.
 * So it is if the program has gone on from a stop that we know of. And a stop that is pending here came behind it, since each
 * takes the other away (POSIX, signal generation); one that comes meanwhile we have undone. */
static void pass_continuation(const struct watch *watch, const struct signalfd_siginfo *signal, bool was_stopped)
{
	bool had_it = was_stopped && goes_on(watch);
	terminal_hand_on(watch);
	if (had_it || stop_pending())
		return;
	pass(watch, signal);
	int stop = stop_pending();
	if (stop)
		process_signal(watch->process, stop, NULL);
}

/* --- changes of the program ------------------------------------------------------------------------------------ */

/* Stops as the program did. The signal is made pending before one looks whether the program goes on again: what comes
 * later, SIGCONT to the group or from the supervisor, takes a pending stop away. */
static void stop_with(struct watch *watch, int signal)
{
	struct sigaction given;
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, signal);
	sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, &given);
	raise(signal);
	watch->stopped = !goes_on(watch);
	if (!watch->stopped)
		sigtimedwait(&one, NULL, &(struct timespec){ .tv_sec = 0 });
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &one, NULL);
	sigaction(signal, &given, NULL);
}

static void program_changed(struct watch *watch, struct report what)
{
	watch->stopped |= what.event == REPORT_STOPPED;
	if (what.event == REPORT_STOPPED && (what.value != SIGSTOP || watch->tree.reports[0] < 0))
		stop_with(watch, what.value);
	if (report_is_end(what))
		watch->end = what;
}

/* All is prepared: lets the program go. */
static void program_ready(struct watch *watch, pid_t program)
{
	watch->program = program;
	watch->process = process_open(program);
	given_close();
	ssize_t written = write(watch->tree.go[1], "", 1);
	(void)written; /* who was killed meanwhile is reported */
	close(watch->tree.go[1]);
}

/* Without a supervisor: its children are ours now. */
static void children_wait(struct watch *watch)
{
	siginfo_t info = { .si_pid = 0 };
	int any = WEXITED | WSTOPPED | WCONTINUED | WNOHANG;
	while (!report_is_end(watch->end) && waitid(P_ALL, 0, &info, any) == 0 && info.si_pid) {
		if (info.si_pid == watch->program)
			program_changed(watch, report_of(&info));
		info.si_pid = 0;
	}
	watch->done = report_is_end(watch->end);
}

/* Nobody of the tree is left; or it has failed and said why; or somebody has killed it. It is waited for: not every
 * process 1 does that. */
static void supervisor_gone(struct watch *watch)
{
	int status = 0;
	close(watch->tree.reports[0]);
	watch->tree.reports[0] = -1;
	waitpid(watch->supervisor, &status, 0);
	if (watch->program) {
		children_wait(watch);
		return;
	}
	watch->done = true;
	if (report_is_end(watch->end))
		return;
	if (!WIFEXITED(status))
		say_error("run: the supervisor was killed before it could start the program");
	watch->end = (struct report){ REPORT_EXITED, FRONT_FAILED };
}

static void report_take(struct watch *watch)
{
	struct report what;
	if (read(watch->tree.reports[0], &what, sizeof(what)) != sizeof(what))
		supervisor_gone(watch);
	else if (what.event == REPORT_READY)
		program_ready(watch, what.value);
	else if (what.event == REPORT_OTHERS)
		watch->done = true;
	else
		program_changed(watch, what);
}

static void signal_take(struct watch *watch)
{
	struct signalfd_siginfo signal;
	/* One that was there may be gone: a stop that we have made pending meanwhile takes SIGCONT away. */
	if (read(watch->signals, &signal, sizeof(signal)) != sizeof(signal))
		return;
	if (signal.ssi_signo == SIGCHLD && watch->tree.reports[0] < 0)
		children_wait(watch);
	bool was_stopped = watch->stopped;
	if (signal.ssi_signo == SIGCONT)
		watch->stopped = false;
	if (!is_for_program(watch, &signal))
		return;
	if (signal.ssi_signo == SIGCONT)
		pass_continuation(watch, &signal, was_stopped);
	else
		pass(watch, &signal);
}

/* --- the start and the end ------------------------------------------------------------------------------------- */

/* Signals wait until there is a program to have them. */
static void watch_until_end(struct watch *watch)
{
	while (!watch->done) {
		struct pollfd fds[2] = {
			{ .fd = watch->tree.reports[0], .events = POLLIN },
			{ .fd = watch->program ? watch->signals : -1, .events = POLLIN },
		};
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			report_take(watch);
		if (fds[1].revents && !watch->done)
			signal_take(watch);
	}
}

/* As the program died. The core is the program's. The kernel lets process 1 of a namespace live: hence the exit code. */
static int die_of(int signal)
{
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, signal);
	prctl(PR_SET_DUMPABLE, 0); /* a limit of 0 does not count where cores are piped to a program */
	sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	kill(getpid(), signal);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + signal;
}

/* Whether children would be in another namespace of processes: their numbers would mean nothing here. Where nobody is in
 * that one yet, the link leads nowhere. */
static bool children_are_elsewhere(void)
{
	struct stat own, theirs;
	return stat("/proc/self/ns/pid", &own) == 0 &&
	       (stat("/proc/self/ns/pid_for_children", &theirs) != 0 || own.st_ino != theirs.st_ino);
}

static int prepare(struct watch *watch)
{
	sigset_t all;
	sigfillset(&all);
	int error = pipe_own(watch->tree.reports);
	if (!error)
		error = pipe_own(watch->tree.go);
	if (error)
		return error;
	watch->tree.front_number = getpid();
	watch->tree.front_process = process_open(watch->tree.front_number);
	if (watch->tree.front_process < 0)
		return watch->tree.front_process;
	watch->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	watch->signals = watch->signals < 0 ? -errno : descriptor_own(watch->signals);
	return watch->signals < 0 ? watch->signals : 0;
}

int front_run(const struct front *front)
{
	struct watch watch = { .tree.front = front, .process = -1, .leader = getsid(0) == getpid() };
	if (children_are_elsewhere()) {
		say_error("run: its children would be in another PID namespace: start it by 'unshare --fork'");
		return FRONT_FAILED;
	}
	int error = prepare(&watch);
	if (error) {
		say_error("run: supervision cannot be prepared: %s%s", strerror(-error),
		          error == -ENOSYS ? "; that needs Linux 5.9 or later: run without it" : "");
		return FRONT_FAILED;
	}
	fflush(stdout); /* the program may write to the same place */
	given_take(&watch.tree.given);
	watch.supervisor = fork();
	if (watch.supervisor == 0)
		tree_run(&watch.tree);
	if (watch.supervisor < 0) {
		say_error("run: no process can be started: %m");
		return FRONT_FAILED;
	}
	close(watch.tree.go[0]);
	close(watch.tree.reports[1]);
	watch_until_end(&watch);
	return watch.end.event == REPORT_KILLED ? die_of(watch.end.value) : watch.end.value;
}
