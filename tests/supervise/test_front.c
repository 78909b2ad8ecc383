/* test_front.c - who starts a supervised program sees what he would see without the supervisor, and so does the program. */
#define _GNU_SOURCE
#include "tests/supervise/started.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

TestSuite(front, .fini = nobody_left, .timeout = 120);

/* --- how it ends --------------------------------------------------------------------------------------------- */

Test(front, exit_codes)
{
	for (int code = 0; code < 256; code++) {
		struct started it = STAND("exit", text(code));
		int status = end_of(&it);

		cr_assert(is_exit(status, code), "%d: %x", code, status);
	}
	cr_assert_eq(all_ended(), 0);
}

static bool is_deadly(int signal)
{
	static const int others[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, 32, 33 };

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (signal == others[i])
			return false;
	return true;
}

static void cores(void)
{
	struct rlimit none = { 0, 0 };

	own_group();
	setrlimit(RLIMIT_CORE, &none);
}

Test(front, deaths)
{
	for (int signal = 1; signal <= 64; signal++) {
		const char *argv[] = { probe("stand"), "die", text(signal), NULL };
		struct started it;
		int status;

		if (!is_deadly(signal))
			continue;
		it = start_as(true, cores, argv);
		status = end_of(&it);
		cr_assert(is_death(status, signal), "%d: %x", signal, status);
	}
	cr_assert_eq(all_ended(), 0);
}

/* The program's core is enough: where the front is allowed one, it leaves none. */
Test(front, no_core_of_its_own)
{
	char folder[] = "/tmp/portshim-core-XXXXXX", pattern[4096] = "", build[PATH_MAX];
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct started it;

	cr_assert(file && fgets(pattern, sizeof(pattern), file));
	fclose(file);
	cr_assert(mkdtemp(folder) && realpath(built(""), build));
	setenv("PORTSHIM_BUILD", build, 1);
	cr_assert(chdir(folder) == 0);
	setrlimit(RLIMIT_CORE, &all);
	it = START("sh", "-c", "ulimit -c 0; kill -SEGV $$");
	cr_expect(is_death(end_of(&it), SIGSEGV));
	cr_expect(chdir("/") == 0 && rmdir(folder) == 0, "something was left in %s (%s)", folder, pattern);
}

Test(front, commands_that_cannot_be_started)
{
	struct started it = START("/no/such/command");

	cr_expect(strstr(line_of(&it), "/no/such/command"));
	cr_expect(is_exit(end_of(&it), 127));
	it = START("/");
	cr_expect(is_exit(end_of(&it), 126));
	it = START(probe("supervised"), "true");
	cr_expect(strstr(line_of(&it), "somebody supervises"), "%s", it.line);
	cr_expect(is_exit(end_of(&it), 125));
	cr_assert_eq(all_ended(), 0);
}

static void other_numbers(void)
{
	cr_assert_eq(unshare(CLONE_NEWPID), 0);
}

Test(front, children_in_another_namespace)
{
	const char *argv[] = { "true", NULL };
	struct started it = start_as(true, other_numbers, argv);

	cr_expect(strstr(line_of(&it), "unshare --fork"), "%s", it.line);
	cr_expect(is_exit(end_of(&it), 125));
}

/* As the first process of a container, who does not die of his own signals. */
Test(front, first_of_a_namespace)
{
	struct started it = start_as(false, own_group, (const char *const[]){ "unshare", "--pid", "--fork", "--mount-proc",
		probe("supervised"), probe("stand"), "die", "15", NULL });

	cr_expect(is_exit(end_of(&it), 128 + SIGTERM));
	it = start_as(false, own_group, (const char *const[]){ "unshare", "--pid", "--fork", "--mount-proc",
		probe("supervised"), probe("stand"), "exit", "3", NULL });
	cr_expect(is_exit(end_of(&it), 3));
}

/* --- what it is given ------------------------------------------------------------------------------------------ */

/* Each run has pipes of its own. */
static void without_numbers(char *picture)
{
	for (char *at = picture; (at = strstr(at, "pipe:[")); at++) {
		char *end = strchr(at, ']');

		memmove(at + strlen("pipe:["), end, strlen(end) + 1);
	}
}

/* The program's own picture of it, bare and supervised. */
static void same_picture(void (*before)(void))
{
	const char *argv[] = { probe("stand"), "show", "one", "", "two words", NULL };
	char bare[65536], *seen;
	struct started it = start_as(false, before, argv);

	snprintf(bare, sizeof(bare), "%s", rest_of(&it));
	cr_assert(is_exit(end_of(&it), 0));
	cr_assert(strstr(bare, "descriptor 1 "));
	without_numbers(bare);
	it = start_as(true, before, argv);
	seen = strdup(rest_of(&it));
	without_numbers(seen);
	for (char *a = bare, *b = seen; *a || *b; a += strcspn(a, "\n") + 1, b += strcspn(b, "\n") + 1)
		cr_assert(strncmp(a, b, strcspn(b, "\n") + 1) == 0, "%.120s... instead of %.120s...", b, a);
	cr_assert(is_exit(end_of(&it), 0));
	free(seen);
	cr_assert_eq(all_ended(), 0);
}

static void plain(void)
{
}

static void ignoring(void)
{
	sigset_t some;

	sigemptyset(&some);
	sigaddset(&some, SIGUSR2);
	sigaddset(&some, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &some, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	signal(SIGRTMAX, SIG_IGN);
}

static void loaded(void)
{
	struct rlimit files = { 300, 600 };
	struct itimerval timer = { { 7, 0 }, { 1000, 0 } };

	dup2(open("/etc", O_RDONLY | O_DIRECTORY), 5);
	dup2(open("/dev/null", O_WRONLY | O_APPEND), 77);
	umask(027);
	setpriority(PRIO_PROCESS, 0, 7);
	setrlimit(RLIMIT_NOFILE, &files);
	setitimer(ITIMER_REAL, &timer, NULL);
	setitimer(ITIMER_PROF, &timer, NULL);
	setenv("LD_LIBRARY_PATH", "/nonexistent", 1);
	setenv("EMPTY", "", 1);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	cr_assert(chdir("/usr/share") == 0);
	cr_assert(setgid(1234) == 0 && setuid(4321) == 0);
}

static void without_standard_ones(void)
{
	close(0);
	close(2);
}

Test(front, given_plain)
{
	same_picture(plain);
}

Test(front, given_signals)
{
	same_picture(ignoring);
}

Test(front, given_much)
{
	net_own_for_all_users();
	same_picture(loaded);
}

Test(front, given_closed)
{
	same_picture(without_standard_ones);
}

static void with_timer(void)
{
	struct itimerval timer = { .it_value = { 0, 1000 } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

Test(front, a_timer_is_the_programs)
{
	const char *argv[] = { "cat", NULL };
	struct started it = start_as(true, with_timer, argv);

	cr_expect(is_death(change_of(it.pid), SIGALRM));
	cr_assert_eq(all_ended(), 0);
}

/* Nobody but the program holds what was given to it: when it closes its input, the writer is told. */
Test(front, nobody_else_holds_descriptors)
{
	struct started it = START("sh", "-c", "echo closed; exec sleep 1000 <&-");

	signal(SIGPIPE, SIG_IGN);
	cr_expect_str_eq(line_of(&it), "closed");
	while (write(it.in, "x", 1) == 1)
		sched_yield(); /* sh(1) has said so before it did it */
	cr_expect_eq(errno, EPIPE);
	kill(it.pid, SIGTERM);
	cr_expect(is_death(end_of(&it), SIGTERM));
}

/* --- signals --------------------------------------------------------------------------------------------------- */

Test(front, signals_are_passed_on)
{
	struct started it = STAND("hear");
	char expected[64];

	number_of(&it, "ready");
	for (int signal = 1; signal <= 64; signal++) {
		if (signal == SIGKILL || signal == SIGSTOP || signal == 32 || signal == 33)
			continue;
		cr_assert_eq(kill(it.pid, signal), 0);
		snprintf(expected, sizeof(expected), "signal %d code 0 value 0", signal);
		cr_expect_str_eq(line_of(&it), expected);
	}
	for (int i = 0; i < 5; i++)
		cr_assert_eq(sigqueue(it.pid, SIGRTMIN + 1, (union sigval){ .sival_int = 40 + i }), 0);
	for (int i = 0; i < 5; i++) {
		snprintf(expected, sizeof(expected), "signal %d code -1 value %d", SIGRTMIN + 1, 40 + i);
		cr_expect_str_eq(line_of(&it), expected);
	}
	cr_expect(is_exit(end_of(&it), 0));
	cr_assert_eq(all_ended(), 0);
}

Test(front, signals_kill_as_they_do)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGQUIT };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		const char *argv[] = { probe("stand"), "connect", NULL };
		struct started it = start_as(true, cores, argv);

		number_of(&it, "ready");
		kill(it.pid, signals[i]);
		cr_expect(is_death(change_of(it.pid), signals[i]));
		close(it.in);
		close(it.out);
	}
	cr_assert_eq(all_ended(), 0);
}

/* A signal that comes before there is a program is kept for it. */
Test(front, signals_that_come_early)
{
	for (int i = 0; i < 50; i++) {
		struct started it = START("cat");

		kill(it.pid, SIGTERM);
		cr_assert(is_death(change_of(it.pid), SIGTERM));
		close(it.in);
		close(it.out);
	}
	cr_assert_eq(all_ended(), 0);
}

/* What the program sends to its group it gets once. */
Test(front, signals_to_the_group_from_within)
{
	struct started it = START("sh", "-c", "trap 'echo got' TERM USR1; kill 0; kill -USR1 0; read -r line; echo $line");

	cr_expect_str_eq(line_of(&it), "got");
	cr_expect_str_eq(line_of(&it), "got");
	cr_assert_eq(write(it.in, "end\n", 4), 4);
	cr_expect_str_eq(line_of(&it), "end");
	cr_expect(is_exit(end_of(&it), 0));
	cr_assert_eq(all_ended(), 0);
}

/* --- who is left ----------------------------------------------------------------------------------------------- */

Test(front, orphans_are_waited_for)
{
	struct started it = STAND("orphans", "100");

	cr_expect(is_exit(end_of(&it), 0));
	all_ended(); /* the supervisor, where the last orphan was not quite over */
}

Test(front, a_daemon_stays)
{
	struct started it = STAND("daemon");
	pid_t stayed = number_of(&it, "daemon"), supervisor;

	cr_expect_str_eq(rest_of(&it), "", "the output ends with those who write to it");
	cr_expect(is_exit(change_of(it.pid), 0));
	supervisor = parent_of(stayed);
	cr_expect_eq(parent_of(supervisor), getpid());
	cr_expect_eq(stat_of(supervisor, 6), supervisor, "in a session of its own");
	close(it.in);
	cr_expect_eq(all_ended(), 1);
}

Test(front, supervisor_killed)
{
	struct started it = STAND("connect");
	pid_t program = number_of(&it, "ready");

	cr_assert_eq(write(it.in, "\n", 1), 1);
	cr_expect_str_eq(line_of(&it), "ENOENT");
	kill(parent_of(program), SIGKILL);
	while (parent_of(program) != it.pid)
		sched_yield();
	cr_assert_eq(write(it.in, "\n", 1), 1);
	cr_expect_str_eq(line_of(&it), "ENOSYS");
	for (size_t i = 0; i < 4; i++) {
		kill(program, stops[i]);
		cr_assert(is_stop(change_of(it.pid), stops[i]));
		kill(it.pid, SIGCONT);
		cr_assert(WIFCONTINUED(change_of(it.pid)));
		/* Wait until the program goes on, too: it would not be stopped while it is stopped. */
		cr_assert_eq(write(it.in, "\n", 1), 1);
		cr_expect_str_eq(line_of(&it), "ENOSYS");
	}
	kill(it.pid, SIGUSR1);
	cr_expect(is_death(change_of(it.pid), SIGUSR1));
	cr_assert_eq(all_ended(), 0);
}

Test(front, supervisor_killed_then_the_end)
{
	struct started it = STAND("hear");

	kill(parent_of(number_of(&it, "ready")), SIGKILL);
	kill(it.pid, SIGINT);
	cr_expect_str_eq(line_of(&it), "signal 2 code 0 value 0");
	cr_expect(is_exit(end_of(&it), 0));
	cr_assert_eq(all_ended(), 0);
}

Test(front, front_killed)
{
	struct started it = STAND("connect");
	pid_t supervisor = parent_of(number_of(&it, "ready"));

	kill(it.pid, SIGKILL);
	cr_expect(is_death(change_of(it.pid), SIGKILL));
	cr_assert_eq(write(it.in, "\n", 1), 1);
	cr_expect_str_eq(line_of(&it), "ENOENT");
	close(it.in);
	cr_expect(is_exit(change_of(supervisor), 0));
	cr_assert_eq(all_ended(), 0);
}

Test(front, program_killed)
{
	struct started it = STAND("hear");

	kill(number_of(&it, "ready"), SIGKILL);
	cr_expect(is_death(end_of(&it), SIGKILL));
	cr_assert_eq(all_ended(), 0);
}

/* The first child of a process, as soon as it has one; 0 where it has ended. */
static pid_t child_of(pid_t pid)
{
	char path[64];
	pid_t child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	while (child == 0 && stat_of(pid, 4) > 0) {
		FILE *list = fopen(path, "re");
		siginfo_t info = { .si_pid = 0 };

		if (!list || fscanf(list, "%d", &child) != 1)
			child = 0;
		if (list)
			fclose(list);
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid)
			break;
	}
	return child;
}

/* Whoever is killed, and whenever: all end, and the front says that it failed, or how the program ended. */
Test(front, killed_at_any_moment)
{
	for (int i = 0; i < 600; i++) {
		struct started it = START("true");
		pid_t victim = it.pid;
		int status, other;

		if (i % 3 > 0)
			victim = child_of(victim);
		if (i % 3 > 1 && victim)
			victim = child_of(victim);
		for (volatile int spin = 0; spin < i * 500; spin++)
			;
		if (victim)
			kill(victim, SIGKILL);
		status = end_of(&it);
		cr_assert(is_exit(status, 0) || is_exit(status, 125) || is_death(status, SIGKILL), "%d: %x", i, status);
		while (waitpid(-1, &other, 0) > 0)
			;
	}
}

/* The supervisor cannot be ended but by SIGKILL: whoever sends signals to all of a tree does not leave it without. */
Test(front, supervisor_is_not_moved_by_signals)
{
	struct started it = STAND("connect");
	pid_t supervisor = parent_of(number_of(&it, "ready"));

	for (int signal = 1; signal <= 64; signal++)
		if (signal != SIGKILL && signal != SIGSTOP && signal != 32 && signal != 33)
			kill(supervisor, signal);
	cr_assert_eq(write(it.in, "\n", 1), 1);
	cr_expect_str_eq(line_of(&it), "ENOENT");
	cr_expect(is_exit(end_of(&it), 0));
	cr_assert_eq(all_ended(), 0);
}

static void with_a_parent_that_matters(void)
{
	own_group();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Who is to die with its parent does. */
Test(front, dies_with_its_parent)
{
	const char *argv[] = { probe("stand"), "hear", NULL };
	int numbers[2];
	pid_t program, parent;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	cr_assert_eq(pipe2(numbers, O_CLOEXEC), 0);
	parent = fork();
	cr_assert(parent >= 0);
	if (parent == 0) {
		struct started it = start_as(true, with_a_parent_that_matters, argv);
		program = number_of(&it, "ready");
		_exit(write(numbers[1], &program, sizeof(program)) != sizeof(program) || pause());
	}
	cr_assert_eq(read(numbers[0], &program, sizeof(program)), (ssize_t)sizeof(program));
	cr_assert_eq(kill(program, 0), 0);
	kill(parent, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	cr_expect(kill(program, 0) < 0 && errno == ESRCH);
}

/* --- among other commands -------------------------------------------------------------------------------------- */

static int shell(const char *line, const char *expected)
{
	char script[1024];
	struct started it;

	snprintf(script, sizeof(script), "s=%s\n%s", probe("supervised"), line);
	it = start_as(false, own_group, (const char *const[]){ "bash", "-c", script, NULL });
	close(it.in);
	it.in = -1;
	cr_expect_str_eq(rest_of(&it), expected);
	return end_of(&it);
}

Test(front, in_scripts)
{
	cr_expect(is_exit(shell("$s echo a b | $s tr a-z A-Z", "A B\n"), 0));
	cr_expect(is_exit(shell("$s yes | head -n 1; echo ${PIPESTATUS[0]}", "y\n141\n"), 0));
	cr_expect(is_exit(shell("x=$($s sh -c 'sleep 1000 >&- 2>&- & echo $!' 2>&1); kill $x; echo done", "done\n"), 0));
	cr_expect(is_exit(shell("timeout 0.2 $s sleep 1000", ""), 124));
	cr_expect(is_death(shell("exec timeout -k 0.2 0.1 $s sh -c 'trap : TERM; while :; do sleep 1000; done' 2>&-", ""),
	                   SIGKILL));
	cr_expect(is_exit(shell("nohup $s sh -c 'kill -HUP $$; echo here' </dev/null", "here\n"), 0));
	cr_expect(is_exit(shell("$s sleep 1000 & kill $!; wait $!", ""), 143));
	cr_expect(is_exit(shell("exec 7>&1; $s sh -c 'echo seven >&7'", "seven\n"), 0));
}
