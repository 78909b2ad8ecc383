/* test_terminal.c - supervised programs on a terminal, under a shell with job control. */
#define _GNU_SOURCE
#include "tests/supervise/started.h"

#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <termios.h>

TestSuite(terminal, .fini = nobody_left, .timeout = 180);

#define CTRL_C "\003"
#define CTRL_D "\004"
#define CTRL_Z "\032"
#define CTRL_BACKSLASH "\034"

static int master;          /* the terminal's other side */
static char shown[65536];   /* all that it has shown */
static size_t length, seen; /* seen: what expect() has come to */

static void type(const char *keys)
{
	cr_assert_eq(write(master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

/* Reads until the terminal has shown these words, behind those that were expected before. */
static void expect(const char *words)
{
	const char *at;

	while (!(at = strstr(shown + seen, words))) {
		struct pollfd one = { .fd = master, .events = POLLIN };
		ssize_t n;

		cr_assert(poll(&one, 1, DEADLINE_MS) == 1, "no \"%s\" in\n%s", words, shown);
		n = read(master, shown + length, sizeof(shown) - 1 - length);
		cr_assert(n > 0, "the end, and no \"%s\" in\n%s", words, shown);
		length += (size_t)n;
	}
	seen = (size_t)(at - shown) + strlen(words);
}

/* A line for the shell, and its prompt afterwards. */
static void line(const char *text)
{
	type(text);
	type("\n");
	expect("\n");
}

static pid_t shell(void)
{
	const char *supervised = probe("supervised"), *stand = probe("stand");
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = forkpty(&master, NULL, NULL, NULL);
	cr_assert(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_CHILD_SUBREAPER, 0);
		setenv("PS1", "% ", 1);
		setenv("TERM", "dumb", 1);
		setenv("s", supervised, 1);
		setenv("stand", stand, 1);
		execlp("bash", "bash", "--norc", "--noprofile", "--noediting", NULL);
		_exit(127);
	}
	fcntl(master, F_SETFD, FD_CLOEXEC);
	expect("% ");
	return pid;
}

/* How many processes have come to the test meanwhile. */
static int end_shell(pid_t pid)
{
	int status;

	line("exit 0");
	cr_assert(waitpid(pid, &status, 0) == pid && is_exit(status, 0));
	close(master);
	return all_ended();
}

static void leave_shell(pid_t pid)
{
	cr_assert_eq(end_shell(pid), 0);
}

/* What is typed comes twice: from the terminal, and from cat. */
static void echoed(const char *word)
{
	type(word);
	type("\n");
	expect(word);
	expect(word);
}

Test(terminal, ctrl_c)
{
	pid_t pid = shell();

	line("$s cat");
	echoed("abc");
	type(CTRL_C);
	expect("% ");
	line("echo status $?");
	expect("status 130");
	line("$s cat");
	echoed("abc");
	type(CTRL_BACKSLASH);
	expect("Quit");
	line("echo status $?");
	expect("status 131");
	leave_shell(pid);
}

/* The program has them from the terminal, and from nobody else. */
Test(terminal, signals_come_once)
{
	struct winsize size = { .ws_row = 17, .ws_col = 71 };
	pid_t pid = shell(), program;
	const char *again;

	line("$s $stand hear");
	expect("ready ");
	expect("\n");
	program = atoi(strstr(shown, "ready ") + 6);
	cr_assert(program > 1);
	type(CTRL_C);
	expect("signal 2 code 128 ");
	type(CTRL_BACKSLASH);
	expect("signal 3 code 128 ");
	type(CTRL_Z);
	expect("signal 20 code 128 ");
	cr_assert_eq(ioctl(master, TIOCSWINSZ, &size), 0);
	expect("signal 28 code 128 ");
	cr_assert_eq(kill(parent_of(parent_of(program)), 64), 0);
	expect("signal 64 code 0 ");
	again = strstr(shown, "code 0 ");
	cr_expect(again && !strstr(again + 1, "code 0 "), "%s", shown);
	type(CTRL_D);
	expect("% ");
	leave_shell(pid);
}

Test(terminal, stopped_and_brought_back)
{
	pid_t pid = shell();

	line("$s cat");
	echoed("abc");
	type(CTRL_Z);
	expect("Stopped");
	expect("% ");
	line("echo status $?");
	expect("status 148");
	line("fg");
	echoed("def");
	type(CTRL_Z);
	expect("Stopped");
	line("bg");
	/* It reads from the terminal, which stops it again. */
	line("wait %1; jobs");
	expect("Stopped");
	line("fg");
	echoed("ghi");
	type(CTRL_D);
	expect("% ");
	line("echo status $?");
	expect("status 0");
	leave_shell(pid);
}

Test(terminal, jobs_are_killed)
{
	pid_t pid = shell();

	line("$s sleep 1000 &");
	line("kill %1; wait %1; echo status $?");
	expect("status 143");
	line("$s cat | $s cat");
	echoed("abc");
	type(CTRL_Z);
	expect("Stopped");
	line("fg");
	echoed("def");
	type(CTRL_C);
	expect("% ");
	line("echo status $?");
	expect("status 130");
	leave_shell(pid);
}

/* A shell that takes the terminal for a group of its own, and gives it back. */
Test(terminal, a_shell_within)
{
	pid_t pid = shell();

	line("$s bash --norc --noprofile --noediting");
	expect("% ");
	line("cat");
	echoed("abc");
	type(CTRL_Z);
	expect("Stopped");
	line("fg");
	echoed("def");
	type(CTRL_C);
	expect("% ");
	line("suspend");
	expect("Stopped");
	line("fg");
	expect("% ");
	line("echo still $((3 * 7)); exit 5");
	expect("still 21");
	expect("% ");
	line("echo status $?");
	expect("status 5");
	cr_expect(!strstr(shown, "job control"), "%s", shown);
	leave_shell(pid);
}

/* Commands that make a group of their own would have been its leader anyway. */
Test(terminal, a_group_of_its_own)
{
	pid_t pid = shell();

	line("$s timeout 1000 sh -c 'echo begun; exec sleep 1000'");
	expect("begun\r");
	type(CTRL_C);
	expect("% ");
	line("echo status $?");
	expect("status 130");
	/* Should timeout end before its child does, the supervisor stays for that one. */
	cr_assert_leq(end_shell(pid), 1);
}

/* The front is the session's leader: the kernel sends it alone SIGHUP. */
Test(terminal, hangup_of_the_leader)
{
	const char *supervised = probe("supervised"), *stand = probe("stand");
	struct started it = { .line = "" };
	int in[2], out[2];

	cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	it.pid = forkpty(&master, NULL, NULL, NULL);
	cr_assert(it.pid >= 0);
	if (it.pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(supervised, supervised, stand, "hear", NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	it.in = in[1];
	it.out = out[0];
	number_of(&it, "ready");
	close(master);
	cr_expect_str_eq(line_of(&it), "signal 1 code 0 value 0");
	cr_expect(is_exit(end_of(&it), 0));
}

/* With the terminal goes all that was started on it. */
static void hang_up(pid_t pid)
{
	int status;

	close(master);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	while (waitpid(-1, &status, 0) > 0)
		;
	cr_assert_eq(errno, ECHILD);
}

Test(terminal, hangup_while_it_runs)
{
	pid_t pid = shell();

	line("$s cat");
	echoed("abc");
	hang_up(pid);
}

Test(terminal, hangup_while_it_is_stopped)
{
	pid_t pid = shell();

	line("$s cat");
	echoed("abc");
	type(CTRL_Z);
	expect("Stopped");
	hang_up(pid);
}

/* A shell that is killed can tell its jobs nothing: the kernel does. */
Test(terminal, the_shell_is_killed)
{
	pid_t pid = shell();

	line("$s cat");
	echoed("abc");
	type(CTRL_Z);
	expect("Stopped");
	kill(pid, SIGKILL);
	hang_up(pid);
}
