/* test_paint.c - colours: on a terminal, for who wants them, and nowhere else. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/tools/show.h"

static void enter(void)
{
	world_enter();
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
}

TestSuite(paint, .init = enter, .fini = world_leave, .timeout = 60);

#define ERROR "\033[1;31merror:\033[0m"
#define WARNING "\033[1;35mwarning:\033[0m"
#define NOTE "\033[1;36mnote:\033[0m"

static char text[1 << 16];

/* Runs a program with these of its streams on a terminal, and keeps what comes out there. */
static void on_terminal(bool out, bool err, const char *const argv[])
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	size_t length = 0;
	cr_assert(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
	int end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(nothing, 0);
		dup2(out ? end : nothing, 1);
		dup2(err ? end : nothing, 2);
		execv(argv[0], (char *const *)(size_t)argv);
		_exit(127);
	}
	close(end);
	close(nothing);
	for (ssize_t n = 1; n > 0; length += n > 0 ? (size_t)n : 0) { /* EIO when the last end is closed */
		struct pollfd output = { .fd = terminal, .events = POLLIN };
		cr_assert_eq(poll(&output, 1, DEADLINE_MS), 1);
		n = read(terminal, text + length, sizeof(text) - 1 - length);
	}
	text[length] = '\0';
	close(terminal);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

#define ON_TERMINAL(out, err, ...) on_terminal(out, err, (const char *const[]){ built("portshim"), __VA_ARGS__, NULL })
#define EXPECT_TEXT(words) cr_expect(strstr(text, words), "'%s' is not in\n%s", words, text)
#define EXPECT_PLAIN() cr_expect_not(strchr(text, '\033'), "%s", text)

static const char *bad(void)
{
	return file_make("bad", "[rule a]\nports = 40000-40009\n");
}

Test(paint, findings_on_a_terminal)
{
	ON_TERMINAL(false, true, "check", file_make("broken", "[rule a]\nports = x\n"));
	EXPECT_TEXT("broken:2: " ERROR " ports: ");
	ON_TERMINAL(true, true, "check", bad());
	EXPECT_TEXT("bad:2: " WARNING " rule a: ");
	ON_TERMINAL(true, true, "check", file_make("note", "[rule a]\nto = *:53\nports = 20000\n[rule b]\nports = 20001\n"));
	EXPECT_TEXT("note:2: " NOTE " rule a: ");
	ON_TERMINAL(true, true, "run", "-c", file_path("broken"), "true");
	EXPECT_TEXT("broken:2: " ERROR " ports: ");
}

Test(paint, verdicts_on_a_terminal)
{
	ON_TERMINAL(true, true, "doctor", "-c", file_make("none", "[rule a]\nprogram = other\nports = 20000\n"), "cat");
	EXPECT_TEXT("  \033[32mok \033[0m program");
	EXPECT_TEXT("  \033[1;31mNO \033[0m rule ");
}

/* Each stream counts for itself. */
Test(paint, not_where_there_is_no_terminal)
{
	ON_TERMINAL(true, false, "doctor", "-c", bad(), "cat");
	EXPECT_TEXT("\033[32mok");
	ON_TERMINAL(true, false, "check", bad());
	EXPECT_TEXT("1 warning");
	EXPECT_PLAIN();
	SHOW("check", bad());
	expect_no_control(shown.err);
	SHOW("doctor", "cat");
	expect_no_control(shown.out);
}

Test(paint, not_for_who_does_not_want_it)
{
	setenv("NO_COLOR", "1", 1);
	ON_TERMINAL(true, true, "check", bad());
	EXPECT_TEXT("bad:2: warning: rule a: ");
	EXPECT_PLAIN();
	setenv("NO_COLOR", "", 1);
	ON_TERMINAL(true, true, "check", bad());
	EXPECT_TEXT(WARNING);
	setenv("TERM", "dumb", 1);
	ON_TERMINAL(true, true, "check", bad());
	EXPECT_PLAIN();
	ON_TERMINAL(true, true, "doctor", "cat");
	EXPECT_TEXT("  ok  program");
	EXPECT_PLAIN();
}
