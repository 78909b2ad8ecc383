/* started.h - starts programs under the supervisor, or bare, and sees of them what their parent sees.
 *
 * The test process is a subreaper: whoever is left of a tree comes to it, so that "all have ended" can be waited for. What
 * was started ends by itself when the test does: its standard input ends. */
#ifndef PORTSHIM_TESTS_SUPERVISE_STARTED_H
#define PORTSHIM_TESTS_SUPERVISE_STARTED_H

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

/* The signals that stop who has no handler for them. */
static const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

/* Waits for what says of itself neither that it has come nor when. */
#define UNTIL(condition)                                                          \
	do {                                                                      \
		for (int left = DEADLINE_MS / 2; left > 0 && !(condition); left--) \
			usleep(1000);                                             \
		cr_assert(condition);                                             \
	} while (0)

struct started {
	pid_t pid;
	int in, out; /* its standard input; its standard output and error */
	char line[4096];
};

/* A group of its own, as a shell gives it: without one, the kernel would not let its members be stopped by a terminal's
 * signals when the test's own parent is of another session. */
static inline void own_group(void)
{
	setpgid(0, 0);
}

/* A probe's path, for whatever folder. */
static inline const char *probe(const char *name)
{
	static char paths[4][PATH_MAX];
	static int next;
	char *path = paths[next++ % 4], relative[128];

	snprintf(relative, sizeof(relative), "tests/probes/%s", name);
	cr_assert(realpath(built(relative), path));
	return path;
}

static inline void become_started(const char *supervisor, const char *const argv[])
{
	const char *words[32] = { supervisor };
	size_t n = supervisor ? 1 : 0;

	for (size_t i = 0; argv[i] && n < 31; i++)
		words[n++] = argv[i];
	words[n] = NULL;
	execvp(words[0], (char *const *)words);
	_exit(127);
}

/* `before` runs in the child. */
static inline struct started start_as(bool supervised, void (*before)(void), const char *const argv[])
{
	const char *supervisor = supervised ? probe("supervised") : NULL;
	struct started it;
	int in[2], out[2];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	it.pid = fork();
	cr_assert(it.pid >= 0);
	if (it.pid == 0) {
		prctl(PR_SET_CHILD_SUBREAPER, 0);
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		before();
		become_started(supervisor, argv);
	}
	close(in[0]);
	close(out[1]);
	it.in = in[1];
	it.out = out[0];
	return it;
}

/* A number as a word of a command; one of a few static buffers. */
static inline const char *text(int number)
{
	static char texts[4][16];
	static int next;
	char *to = texts[next++ % 4];

	snprintf(to, sizeof(texts[0]), "%d", number);
	return to;
}

#define START(...) start_as(true, own_group, (const char *const[]){ __VA_ARGS__, NULL })
#define STAND(...) START(probe("stand"), __VA_ARGS__)

/* One byte of output. 0 at its end. */
static inline char byte_of(const struct started *it)
{
	struct pollfd one = { .fd = it->out, .events = POLLIN };
	char byte = '\0';
	ssize_t n;

	cr_assert(poll(&one, 1, DEADLINE_MS) == 1, "nothing more was printed");
	n = read(it->out, &byte, 1);
	return n == 1 ? byte : '\0';
}

/* The next line, without its end; "" at the end of all. */
static inline const char *line_of(struct started *it)
{
	size_t n = 0;

	while (n + 1 < sizeof(it->line)) {
		char byte = byte_of(it);

		if (byte == '\0' || byte == '\n')
			break;
		it->line[n++] = byte;
	}
	it->line[n] = '\0';
	return it->line;
}

/* All that is printed from here on. */
static inline const char *rest_of(const struct started *it)
{
	static char text[65536];
	size_t n = 0;

	while (n + 1 < sizeof(text) && (text[n] = byte_of(it)) != '\0')
		n++;
	text[n] = '\0';
	return text;
}

/* The number of a process in "WORD NUMBER", the next line. */
static inline pid_t number_of(struct started *it, const char *word)
{
	size_t length = strlen(word);

	cr_assert(strncmp(line_of(it), word, length) == 0 && atoi(it->line + length) > 1, "\"%s\"", it->line);
	return atoi(it->line + length);
}

/* The next change of a process, as its parent is told. */
static inline int change_of(pid_t pid)
{
	int status = -1;

	cr_assert(waitpid(pid, &status, WUNTRACED | WCONTINUED) == pid, "%s", strerror(errno));
	return status;
}

static inline bool is_exit(int status, int code)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static inline bool is_death(int status, int signal)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == signal && !WCOREDUMP(status);
}

static inline bool is_stop(int status, int signal)
{
	return WIFSTOPPED(status) && WSTOPSIG(status) == signal;
}

/* Waits until it has ended. The status. */
static inline int end_of(struct started *it)
{
	int status;

	close(it->in);
	cr_assert(waitpid(it->pid, &status, 0) == it->pid);
	close(it->out);
	return status;
}

/* Waits until nobody is left; whoever came to us must have ended well. How many there were. */
static inline int all_ended(void)
{
	int status, n = 0;

	while (waitpid(-1, &status, 0) > 0) {
		cr_expect(is_exit(status, 0), "%x", status);
		n++;
	}
	cr_assert_eq(errno, ECHILD);
	return n;
}

/* The text of /proc/PID/stat from a field on; they are numbered from 1, and it is of those behind the name. NULL without the process. */
static inline const char *stat_from(pid_t pid, int field)
{
	static char text[1024];
	char path[64], *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	at = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	fclose(file);
	for (int i = 2; at && i < field; i++)
		at = strchr(at + 1, ' ');
	return at ? at + 1 : NULL;
}

/* A field that is a number; -1 without the process. */
static inline long stat_of(pid_t pid, int field)
{
	const char *text = stat_from(pid, field);

	return text ? atol(text) : -1;
}

/* The letter of its state; 0 without the process. */
static inline char state_of(pid_t pid)
{
	const char *text = stat_from(pid, 3);

	return text ? *text : '\0';
}

static inline bool is_stopped(pid_t pid)
{
	return state_of(pid) == 'T';
}

/* Never a number by which kill(2) would mean several. */
static inline pid_t parent_of(pid_t pid)
{
	long parent = stat_of(pid, 4);

	cr_assert(parent > 1, "process %d is gone", pid);
	return (pid_t)parent;
}

/* Kills what a failed test has left. */
static inline void nobody_left(void)
{
	char path[64], list[4096];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	while ((file = fopen(path, "re"))) {
		bool any = fgets(list, sizeof(list), file) && list[0] != '\0';

		fclose(file);
		if (!any)
			return;
		for (char *word = strtok(list, " "); word; word = strtok(NULL, " ")) {
			kill(atoi(word), SIGKILL);
			waitpid(atoi(word), NULL, 0);
		}
	}
}

#endif
