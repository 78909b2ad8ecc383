/* tree.c - the supervisor: starts the program under the filter, and outlives all that comes of it. */
#define _GNU_SOURCE
#include "tools/supervise/tree.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/message.h"

/* --- the process that becomes the program ---------------------------------------------------------------------- */

/* From filter_install() on only what is not notified may be called: nobody would answer yet. */
static _Noreturn void program_begin(const struct tree *tree, const int told[2])
{
	int listener = -1;
	char byte;
	close(told[0]);
	close(tree->reports[0]);
	close(tree->reports[1]);
	close(tree->go[1]);
	close(tree->front_process);
	int error = filter_install(&tree->front->wants, &listener), value = error ? error : listener;
	if (write(told[1], &value, sizeof(value)) != sizeof(value) || error || read(tree->go[0], &byte, 1) != 1)
		_exit(FRONT_FAILED);
	/* Were it open here, calls would wait for ever for a supervisor that is gone. */
	close(listener);
	close(told[1]);
	close(tree->go[0]);
	given_restore(&tree->given);
	_exit(tree->front->become(tree->front->context));
}

/* --- the start ------------------------------------------------------------------------------------------------- */

static void say_out_of_reach(int error)
{
	if (error == ENOSYS)
		say_error("run: %s", filter_words(-error));
	else if (error == EPERM)
		say_error("run: the program may not be looked into: %s; see sysctl kernel.yama.ptrace_scope (0 or 1 will "
		          "do), or the container's seccomp profile (it must allow pidfd_getfd)", strerror(error));
	else
		say_error("run: the program cannot be looked into: %s", strerror(error));
}

/* The filter's listener, from the process that installed it. False, with *said unless that has ended by itself. */
static bool listener_take(pid_t program, int told, int *listener, bool *said)
{
	int value;
	*said = false;
	if (read(told, &value, sizeof(value)) != sizeof(value))
		return false;
	*said = true;
	if (value < 0) {
		say_error("run: %s", filter_words(value));
		return false;
	}
	int process = process_open(program);
	*listener = process < 0 ? process : process_descriptor(process, value);
	if (process >= 0)
		close(process);
	if (*listener < 0)
		say_out_of_reach(-*listener);
	return *listener >= 0;
}

struct service {
	const struct front *front;
	int listener;
};

static void *serve_begin(void *argument)
{
	struct service *service = argument;
	service->front->serve(service->listener, service->front->context);
	return NULL;
}

static bool serve_start(struct service *service)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, serve_begin, service);
	if (error)
		say_error("run: no thread can be started: %s", strerror(error));
	return error == 0;
}

/* What one process may use is no measure for who serves a whole tree. */
static void limit_raise(int what)
{
	struct rlimit limit, none = { RLIM_INFINITY, RLIM_INFINITY };
	if (setrlimit(what, &none) == 0 || getrlimit(what, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(what, &limit);
}

/* A session of its own: no terminal reaches it, and it does not count when the kernel asks whether there is somebody left
 * who could continue the program's process group. */
static void stand_aside(void)
{
	setsid();
	prctl(PR_SET_NAME, SUPERVISOR_NAME);
	if (chdir("/") != 0)
		say_warning("run: the supervisor stays in this folder: %m");
	given_close();
	limit_raise(RLIMIT_NOFILE);
	limit_raise(RLIMIT_CPU);
	limit_raise(RLIMIT_AS);
	limit_raise(RLIMIT_DATA);
}

static void report(const struct tree *tree, struct report what)
{
	ssize_t written = write(tree->reports[1], &what, sizeof(what));
	(void)written; /* the front may have been killed: then nobody asks */
}

/* The program's number, or 0 where it has not come to be one. */
static pid_t program_start(const struct tree *tree, struct service *service)
{
	int told[2];
	bool said = true;
	int error = pipe_own(told);
	pid_t program = error ? -1 : fork();
	if (program == 0)
		program_begin(tree, told);
	if (program < 0) {
		say_error("run: no process can be started: %s", strerror(error ? -error : errno));
		return 0;
	}
	close(told[1]);
	close(tree->go[0]);
	close(tree->go[1]);
	close(tree->reports[0]);
	stand_aside();
	bool begun = listener_take(program, told[0], &service->listener, &said) && serve_start(service);
	close(told[0]);
	if (begun)
		report(tree, (struct report){ REPORT_READY, program });
	if (begun || !said)
		return program;
	kill(program, SIGKILL);
	return 0;
}

/* --- the end --------------------------------------------------------------------------------------------------- */

struct report report_of(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED: return (struct report){ REPORT_EXITED, info->si_status };
	case CLD_STOPPED: return (struct report){ REPORT_STOPPED, info->si_status };
	case CLD_CONTINUED: return (struct report){ REPORT_CONTINUED, 0 };
	default: return (struct report){ REPORT_KILLED, info->si_status };
	}
}

bool report_is_end(struct report what)
{
	return what.event == REPORT_EXITED || what.event == REPORT_KILLED;
}

/* Where the front is to die with its parent, by a signal that it cannot pass on, so must we, and the program with us. But
 * when the program has ended, the front ends, and there may be others that stay. */
static void die_with_front(const struct tree *tree, bool wanted)
{
	if (tree->given.death != SIGKILL)
		return;
	prctl(PR_SET_PDEATHSIG, wanted ? SIGKILL : 0);
	if (wanted && getppid() != tree->front_number)
		raise(SIGKILL);
}

/* Tells the front. It stops itself as the program was stopped, but for SIGSTOP; that one and what continues it come from
 * here, after the report: so they come in the order in which things happened to the program. Who is killed while he is stopped
 * does not go on before; the front has to. */
static void program_changed(const struct tree *tree, struct report what)
{
	if (report_is_end(what)) {
		descriptor_silence(STDERR_FILENO);
		die_with_front(tree, false);
	}
	report(tree, what);
	if (what.event == REPORT_STOPPED && what.value == SIGSTOP)
		process_signal(tree->front_process, SIGSTOP, NULL);
	if (what.event == REPORT_CONTINUED || report_is_end(what))
		process_signal(tree->front_process, SIGCONT, NULL);
}

/* Whether a process of the tree is left, when all that have ended are waited for. */
static bool tree_lives(void)
{
	siginfo_t info = { .si_pid = 0 };
	int error;
	while ((error = waitid(P_ALL, 0, &info, WEXITED | WNOHANG)) == 0 && info.si_pid)
		info.si_pid = 0;
	return error == 0;
}

/* The program's end is reported before it is waited for: if this process is killed in between, the front finds it still
 * to be waited for. */
static void ended(const struct tree *tree, const siginfo_t *info, bool is_program)
{
	siginfo_t again;
	if (is_program)
		program_changed(tree, report_of(info));
	waitid(P_PID, (id_t)info->si_pid, &again, WEXITED | WNOHANG);
	if (is_program && tree_lives())
		report(tree, (struct report){ REPORT_OTHERS, 0 });
}

/* A stop is taken before it is reported: taken afterwards, it might be another one, which nobody would be told of. */
static void stopped_or_continued(const struct tree *tree, pid_t pid, bool is_program)
{
	siginfo_t info = { .si_pid = 0 };
	waitid(P_PID, (id_t)pid, &info, WSTOPPED | WCONTINUED | WNOHANG);
	if (is_program && info.si_pid == pid)
		program_changed(tree, report_of(&info));
}

/* Until no process of the tree is left. */
static void tree_reap(const struct tree *tree, pid_t program)
{
	siginfo_t info;
	while (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOWAIT) == 0) {
		bool is_program = info.si_pid == program;
		if (report_is_end(report_of(&info))) {
			ended(tree, &info, is_program);
			program = is_program ? 0 : program; /* an orphan may have its number one day */
		} else {
			stopped_or_continued(tree, info.si_pid, is_program);
		}
	}
}

void tree_run(const struct tree *tree)
{
	struct service service = { .front = tree->front, .listener = -1 };
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	die_with_front(tree, true);
	pid_t program = program_start(tree, &service);
	tree_reap(tree, program);
	_exit(program ? 0 : FRONT_FAILED);
}
