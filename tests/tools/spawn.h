/* spawn.h - starts the command as its user does, and keeps what it wrote. */
#ifndef PORTSHIM_TESTS_TOOLS_SPAWN_H
#define PORTSHIM_TESTS_TOOLS_SPAWN_H

#include <criterion/criterion.h>

#include <spawn.h>
#include <sys/wait.h>

#include "tests/tools/folder.h"

extern char **environ;

struct outcome {
	int code;                    /* exit code, or 1000 + signal */
	char output[8192], errors[8192];
};

/* The path of a thing that was built, absolute. The folder is asked once: a test may leave it. */
static inline const char *built(const char *name)
{
	static char paths[4][PATH_MAX], there[PATH_MAX];
	static int next;
	char *path = paths[next++ % 4];
	const char *build = getenv("PORTSHIM_BUILD");
	if (!there[0])
		cr_assert(realpath(build ? build : "build", there), "build first; start the tests beside build/");
	put(path, PATH_MAX, "%s/%s", there, name);
	return path;
}

/* What `portshim run` puts into LD_PRELOAD: one path for the libraries of both word sizes, where both were built. */
static inline const char *preloaded(void)
{
	return built(access(built("i386/libportshim.so"), F_OK) == 0 ? "$LIB/libportshim.so" : "libportshim.so");
}

static inline void contents(int fd, char *text, size_t size)
{
	ssize_t length = pread(fd, text, size - 1, 0);
	cr_assert(length >= 0);
	text[length] = '\0';
	close(fd);
}

static inline int nameless_file(void)
{
	char path[] = "/tmp/portshim-output-XXXXXX";
	int fd = mkstemp(path);
	cr_assert(fd >= 0);
	unlink(path);
	return fd;
}

/* Starts a file with arguments (argv[0] among them) and waits for its end. */
static inline struct outcome spawn(const char *file, const char *const argv[])
{
	struct outcome outcome = { .code = -1 };
	int output = nameless_file(), errors = nameless_file(), status;
	posix_spawn_file_actions_t actions;
	pid_t child;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	cr_assert_eq(posix_spawn(&child, file, &actions, NULL, (char *const *)(size_t)argv, environ), 0, "%s", file);
	posix_spawn_file_actions_destroy(&actions);
	cr_assert_eq(waitpid(child, &status, 0), child);
	outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
	contents(output, outcome.output, sizeof(outcome.output));
	contents(errors, outcome.errors, sizeof(outcome.errors));
	return outcome;
}

/* `portshim WORD...` as it was built. */
#define PORTSHIM(...) spawn(built("portshim"), (const char *const[]){ "portshim", __VA_ARGS__, NULL })

/* What came of it: the code, the whole output, and nothing on standard error. */
#define EXPECT_SILENT(started, expected_code, words) do {                                       \
	struct outcome outcome_ = (started);                                                    \
	cr_expect_eq(outcome_.code, expected_code, "code %d", outcome_.code);                   \
	cr_expect_str_eq(outcome_.output, words);                                               \
	cr_expect_str_empty(outcome_.errors, "%s", outcome_.errors);                            \
} while (0)

/* The code, no output, and a part of what it said. */
#define EXPECT_REFUSED(started, expected_code, words) do {                                      \
	struct outcome outcome_ = (started);                                                    \
	cr_expect_eq(outcome_.code, expected_code, "code %d", outcome_.code);                   \
	cr_expect_str_empty(outcome_.output, "%s", outcome_.output);                            \
	cr_expect(strstr(outcome_.errors, words), "'%s' is not in '%s'", words, outcome_.errors); \
} while (0)

/* It did its work, and warned. */
#define EXPECT_WARNED(started, words, warning) do {                                             \
	struct outcome outcome_ = (started);                                                    \
	cr_expect_eq(outcome_.code, 0, "code %d", outcome_.code);                               \
	cr_expect_str_eq(outcome_.output, words);                                               \
	cr_expect(strncmp(outcome_.errors, "portshim: warning: ", 19) == 0, "%s", outcome_.errors); \
	cr_expect(strstr(outcome_.errors, warning), "'%s' is not in '%s'", warning, outcome_.errors); \
	cr_expect_eq(strchr(outcome_.errors, '\n')[1], '\0', "more than one line: %s", outcome_.errors); \
} while (0)

#endif
