/* harness_run.c - running programs under the library, with a deadline. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define STEPS_MAX 512

const char *built(const char *name)
{
	static char buffer[8][512];
	static int next;
	const char *folder = getenv("PORTSHIM_BUILD");
	char *path = buffer[next++ % 8];

	snprintf(path, sizeof(buffer[0]), "%s/%s", folder ? folder : "build", name);
	return path;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void write_policy(struct run *run)
{
	size_t length = strlen(run->policy);
	int fd;

	strcpy(run->policy_path, "/tmp/portshim-test-XXXXXX");
	fd = mkostemp(run->policy_path, O_CLOEXEC);
	cr_assert(fd >= 0 && write(fd, run->policy, length) == (ssize_t)length);
	fchmod(fd, 0644);
	close(fd);
}

/* What LD_PRELOAD names. PORTSHIM_LIBRARY: another path, for programs of several kinds. */
static const char *library_of(const struct run *run)
{
	const char *named = getenv("PORTSHIM_LIBRARY");

	return named && !run->library ? named : realpath(built(run->library ? run->library : "libportshim.so"), NULL);
}

/* The first word that names a probe: the program itself, or what another one is to run. */
static size_t probe_in(const char *const argv[])
{
	const char *folder = built(""); /* one of few buffers: the words may be in the others */
	size_t length = strlen(folder), i = 0;

	if (strncmp(argv[0], folder, length) == 0)
		return 0;
	while (argv[i] && (strncmp(argv[i], folder, length) != 0 || strncmp(argv[i] + length, "tests/probes/", 13) != 0))
		i++;
	return i;
}

/* Becomes the program. PORTSHIM_EMULATOR: the words before it, where it is one of the build folder. */
static void execute(const char *const argv[], const char *mode)
{
	const char *words[STEPS_MAX + 32] = { NULL };
	char *emulator = getenv("PORTSHIM_EMULATOR"), option[32];
	size_t n = 0, probe = probe_in(argv);

	if (mode) {
		snprintf(option, sizeof(option), "--mode=%s", mode);
		words[n++] = built("portshim");
		words[n++] = "run";
		words[n++] = option;
		words[n++] = "--";
	}
	for (size_t i = 0; argv[i] && n < STEPS_MAX + 31; i++) {
		for (char *word = emulator && i == probe ? strtok(strdup(emulator), " ") : NULL; word && n < 20; word = strtok(NULL, " "))
			words[n++] = word;
		words[n++] = argv[i];
	}
	if (strchr(words[0], '/')) /* execvp() would have sh(1) read what the kernel does not know */
		execv(words[0], (char *const *)words);
	else
		execvp(words[0], (char *const *)words);
	fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
	_exit(127);
}

/* In the child: the environment and the descriptors, then the program. */
static void become(struct run *run, const char *const argv[], const int in[2], const int out[2], const int err[2])
{
	const char *mode = run->bare ? NULL : getenv("PORTSHIM_TEST_MODE");

	dup2(in[0], 0);
	dup2(out[1], 1);
	dup2(err[1], 2);
	unsetenv("PORTSHIM_CONF");
	unsetenv("PORTSHIM_PORTS");
	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", "/proc/nonexistent", 1); /* where nobody can make it */
	if (run->policy)
		setenv("PORTSHIM_CONF", run->policy_path, 1);
	if (!run->bare && !mode)
		setenv("LD_PRELOAD", library_of(run), 1);
	for (int i = 0; i < 8 && run->env[i]; i++) {
		if (strchr(run->env[i], '='))
			putenv((char *)run->env[i]);
		else
			unsetenv(run->env[i]);
	}
	execute(argv, mode);
}

void run_start(struct run *run, const char *const argv[])
{
	int in[2], out[2], err[2];

	run->out_length = run->err_length = 0;
	run->out[0] = run->err[0] = '\0';
	if (run->policy)
		write_policy(run);
	cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	run->pid = fork();
	cr_assert(run->pid >= 0);
	if (run->pid == 0)
		become(run, argv, in, out, err);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	run->in_fd = in[1];
	run->out_fd = out[0];
	run->err_fd = err[0];
}

/* Reads what there is of one stream; closes it at its end. */
static void take(int *fd, char *buffer, size_t *length, size_t size)
{
	char spill[4096];
	bool room = *length + 1 < size;
	ssize_t n = room ? read(*fd, buffer + *length, size - 1 - *length) : read(*fd, spill, sizeof(spill));

	if (n <= 0) {
		close(*fd);
		*fd = -1;
	} else if (room) {
		*length += (size_t)n;
		buffer[*length] = '\0';
	}
}

/* Reads both streams until `enough` says so or both are at their end. False at the deadline. */
static bool listen_to(struct run *run, bool (*enough)(const struct run *run))
{
	long deadline = now_ms() + DEADLINE_MS * (run->slow ? 10 : 1);

	while (run->out_fd >= 0 || run->err_fd >= 0) {
		struct pollfd fds[2] = { { .fd = run->out_fd, .events = POLLIN }, { .fd = run->err_fd, .events = POLLIN } };
		long left = deadline - now_ms();

		if (enough && enough(run))
			return true;
		if (left <= 0 || poll(fds, 2, (int)left) == 0)
			return false;
		if (fds[0].revents)
			take(&run->out_fd, run->out, &run->out_length, sizeof(run->out));
		if (fds[1].revents)
			take(&run->err_fd, run->err, &run->err_length, sizeof(run->err));
	}
	return !enough || enough(run);
}

static void kill_and_fail(struct run *run, const char *why)
{
	kill(run->pid, SIGKILL);
	waitpid(run->pid, &run->status, 0);
	cr_assert_fail("%s\n--- out\n%s--- err\n%s", why, run->out, run->err);
}

static bool is_paused(const struct run *run)
{
	return run->out_length >= 7 && strcmp(run->out + run->out_length - 7, "paused\n") == 0;
}

void run_until_paused(struct run *run)
{
	if (!listen_to(run, is_paused))
		kill_and_fail(run, "the program did not come to its pause");
}

void run_go_on(struct run *run)
{
	/* So that the next pause is not taken for this one. */
	run->out[run->out_length - 1] = '.';
	run->out[run->out_length++] = '\n';
	run->out[run->out_length] = '\0';
	cr_assert(write(run->in_fd, "\n", 1) == 1);
}

void run_end(struct run *run)
{
	close(run->in_fd);
	if (!listen_to(run, NULL))
		kill_and_fail(run, "the program did not end");
	cr_assert(waitpid(run->pid, &run->status, 0) == run->pid);
	if (run->policy)
		unlink(run->policy_path);
}

void run_program(struct run *run, const char *const argv[])
{
	run_start(run, argv);
	run_end(run);
}

static void start_steps(struct run *run, va_list list)
{
	const char *argv[STEPS_MAX + 2] = { built("tests/probes/act") };
	int n = 1;

	while (n <= STEPS_MAX && (argv[n] = va_arg(list, const char *)))
		n++;
	cr_assert(n <= STEPS_MAX);
	run_start(run, argv);
}

void run_start_steps(struct run *run, ...)
{
	va_list list;

	va_start(list, run);
	start_steps(run, list);
	va_end(list);
}

void run_steps(struct run *run, ...)
{
	va_list list;

	va_start(list, run);
	start_steps(run, list);
	va_end(list);
	run_end(run);
}

/* The start of the last line that begins with `words` and goes on with `after`; NULL if there is none. */
static const char *last_line(const struct run *run, const char *words, const char *after)
{
	size_t length = strlen(words);
	const char *found = NULL;

	for (const char *line = run->out; *line;) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, words, length) == 0 && strncmp(line + length, after, strlen(after)) == 0)
			found = line;
		line = *end ? end + 1 : end;
	}
	return found;
}

bool printed(const struct run *run, const char *line)
{
	return last_line(run, line, "\n") != NULL;
}

const char *result_of(const struct run *run, const char *step)
{
	static char result[4][128];
	static int next;
	const char *line = last_line(run, step, " = ");
	char *to = result[next++ % 4];

	cr_assert(line, "no step \"%s\" in\n%s--- err\n%s", step, run->out, run->err);
	line += strlen(step) + 3;
	snprintf(to, sizeof(result[0]), "%.*s", (int)(strchrnul(line, '\n') - line), line);
	return to;
}

int port_of(const struct run *run, const char *step)
{
	const char *space = strrchr(result_of(run, step), ' ');

	cr_assert(space, "no port in \"%s\" of\n%s", step, run->out);
	return atoi(space + 1);
}

bool exited(const struct run *run, int code)
{
	return WIFEXITED(run->status) && WEXITSTATUS(run->status) == code;
}
