/* again.c - starting suites from a test. */
#define _GNU_SOURCE
#include "tests/lib/again.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

extern char **environ;

/* What a suite said, from its start. */
static char said[65536];

const char *again_suite(const char *suite)
{
	char path[64];

	snprintf(path, sizeof(path), "tests/%s", suite);
	return built(path);
}

/* In a PID namespace of its own: what a test that is killed leaves behind ends with the suite. A shell is process 1 there, since
 * the runner does not wait for orphans. The runner's own number is one that no other has at this time: it names a socket in
 * /tmp by it; and memory in /dev/shm by its tests' numbers, of which others may have the same. */
static int spawn_suite(const char *path, const char *filter)
{
	static const char start[] = "mount -t tmpfs tmpfs /dev/shm && echo $0 >/proc/sys/kernel/ns_last_pid; "
	                            "\"$@\"; exit $?";
	char number[16];
	const char *argv[] = { "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", start, number,
		               path, "--color=never", "--timeout", "100", "--jobs", "2", filter ? "--filter" : NULL, filter, NULL };
	int output = memfd_create("said", MFD_CLOEXEC), status;
	posix_spawn_file_actions_t actions;
	ssize_t length;
	pid_t child;

	snprintf(number, sizeof(number), "%d", getpid());
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	cr_assert_eq(posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)argv, environ), 0, "%s", path);
	posix_spawn_file_actions_destroy(&actions);
	cr_assert_eq(waitpid(child, &status, 0), child);
	length = pread(output, said, sizeof(said) - 1, 0);
	said[length < 0 ? 0 : length] = '\0';
	close(output);
	return status;
}

void again(const char *path, const char *filter, int tests)
{
	const char *summary;
	int status, tested = 0, passing = 0;

	unsetenv("BXFI_MAP"); /* or the runner takes itself for one of this one's tests */
	status = spawn_suite(path, filter);
	summary = strstr(said, "Tested: ");
	cr_assert(summary && sscanf(summary, "Tested: %d | Passing: %d", &tested, &passing) == 2, "%s", said);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s\n%s", path, said);
	cr_assert_eq(passing, tested);
	cr_assert_geq(tested, tests, "%s: no more than %d tests", path, tested);
}
