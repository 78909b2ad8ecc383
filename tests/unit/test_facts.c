/* test_facts.c - facts of real processes: this binary runs again as a stand-in that tells what it finds about itself. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/facts.h"

/* --- the stand-in ------------------------------------------------------------------------------ */

static void tell(const char *name, const char *value)
{
	dprintf(3, "%s=%s\n", name, value ? value : "(null)");
}

/* STANDIN says what to do first: "keep" facts, "gone": remove the own file, "changed": overwrite what can be. */
__attribute__((constructor)) static void stand_in(int argc, char **argv, char **envp)
{
	const char *how = getenv("STANDIN");
	struct arena arena = { NULL };
	struct facts facts;

	if (!how)
		return;
	if (strstr(how, "keep"))
		facts_keep(argc, argv, envp);
	if (strstr(how, "gone"))
		unlink(getenv("STANDIN_PATH"));
	if (strstr(how, "changed")) {
		memset(argv[0], 'z', strlen(argv[0]));
		setenv("WORD", "other", 1);
	}
	facts_read(&facts, &arena);
	tell("executable", facts.executable);
	tell("started_as", facts.started_as);
	tell("command", facts.command);
	tell("word", facts_variable("WORD"));
	tell("wor", facts_variable("WOR"));
	tell("last", facts_variable("LAST"));
	for (const char *at = facts.environment; *at; at += strlen(at) + 1)
		tell("environment", at);
	for (const char *at = facts.cgroup; *at; at += strlen(at) + 1)
		tell("cgroup", at);
	tell("secure", facts.secure ? "yes" : "no");
	arena_free(&arena);
	_exit(0);
}

static char told[400000];

/* Runs `path` with these arguments and environment; what it tells about itself is in `told`. */
static void run(const char *path, char *const argv[], char *const envp[])
{
	int ends[2], status;
	size_t length = 0;
	ssize_t n;
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], 3);
		execve(path, argv, envp);
		_exit(99);
	}
	close(ends[1]);
	while ((n = read(ends[0], told + length, sizeof(told) - 1 - length)) > 0)
		length += (size_t)n;
	told[length] = '\0';
	close(ends[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

static void expect_told(const char *name, const char *value)
{
	static char line[100000];

	snprintf(line, sizeof(line), "\n%s=%s\n", name, value);
	/* the first line has no newline before it */
	cr_expect(strstr(told, line) || strncmp(told, line + 1, strlen(line) - 1) == 0, "%.300s in %.2000s", line, told);
}

static const char *this_binary(void)
{
	static char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	cr_assert_gt(length, 0);
	path[length] = '\0';
	return path;
}

static char *const arguments[] = { "name", "-x", "two words", "", "last", NULL };

/* --- tests ------------------------------------------------------------------------------------- */

Test(facts, as_kept_by_a_constructor)
{
	char *const environment[] = { "STANDIN=keep", "WORD=one two", "", "WORD=second", "LAST=", NULL };

	run(this_binary(), arguments, environment);
	expect_told("executable", this_binary());
	expect_told("started_as", this_binary());
	expect_told("command", "name -x two words  last");
	expect_told("word", "one two");
	expect_told("wor", "(null)");
	expect_told("last", "");
	expect_told("environment", "WORD=one two");
	expect_told("environment", "LAST=");
	expect_told("secure", "no");
}

Test(facts, from_proc_where_no_constructor_ran)
{
	char *const environment[] = { "STANDIN=proc", "WORD=one two", "LAST=", NULL };

	run(this_binary(), arguments, environment);
	expect_told("executable", this_binary());
	expect_told("started_as", this_binary());
	expect_told("command", "name -x two words  last");
	expect_told("word", "one two");
	expect_told("wor", "(null)");
	expect_told("last", "");
	expect_told("environment", "WORD=one two");
}

Test(facts, stay_as_exec_left_them)
{
	char *const environment[] = { "STANDIN=keep changed", "WORD=one", NULL };

	run(this_binary(), arguments, environment);
	expect_told("command", "name -x two words  last");
	expect_told("word", "one");
}

Test(facts, of_a_program_without_arguments_or_environment)
{
	char *const none[] = { "", NULL };
	char *const environment[] = { "STANDIN=keep", NULL };

	run(this_binary(), none, environment);
	expect_told("command", "");
	expect_told("word", "(null)");
}

Test(facts, of_a_program_started_by_a_link)
{
	char link[64], *const environment[] = { "STANDIN=keep", NULL };

	snprintf(link, sizeof(link), "/tmp/portshim-facts-link-%d", (int)getpid());
	cr_assert_eq(symlink(this_binary(), link), 0);
	run(link, arguments, environment);
	unlink(link);
	expect_told("executable", this_binary());
	expect_told("started_as", link);
}

/* A copy of this binary under a name of its own; to be removed. */
static void copy_binary(char *path, size_t size, const char *name)
{
	char bytes[65536];
	int from = open(this_binary(), O_RDONLY), to;
	ssize_t n;

	snprintf(path, size, "/tmp/portshim-facts-%d%s", (int)getpid(), name);
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	cr_assert(from >= 0 && to >= 0);
	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		cr_assert_eq(write(to, bytes, (size_t)n), n);
	close(from);
	close(to);
}

Test(facts, of_a_program_whose_file_is_gone)
{
	char path[128], variable[160], *const environment[] = { "STANDIN=keep gone", variable, NULL };

	copy_binary(path, sizeof(path), "");
	snprintf(variable, sizeof(variable), "STANDIN_PATH=%s", path);
	run(path, arguments, environment);
	expect_told("executable", path);
}

Test(facts, of_a_program_whose_name_ends_like_that)
{
	char path[128], *const environment[] = { "STANDIN=keep", NULL };

	copy_binary(path, sizeof(path), " (deleted)");
	run(path, arguments, environment);
	unlink(path);
	expect_told("executable", path);
}

static void run_with_much(const char *how)
{
	static char much[70000] = "MUCH=", many[40000];
	char *const environment[] = { (char *)how, much, "WORD=behind", NULL };
	char *const argv[] = { "name", many, "end", NULL };
	static char command[41000];

	memset(much + 5, 'm', sizeof(much) - 6);
	memset(many, 'y', sizeof(many) - 1);
	run(this_binary(), argv, environment);
	snprintf(command, sizeof(command), "name %s end", many);
	expect_told("command", command);
	expect_told("environment", much);
	expect_told("word", "behind");
}

Test(facts, larger_than_the_static_buffer)
{
	run_with_much("STANDIN=keep");
	run_with_much("STANDIN=proc");
}

Test(facts, cgroup_paths)
{
	char line[4096], *const environment[] = { "STANDIN=keep", NULL };
	FILE *file = fopen("/proc/self/cgroup", "r");

	run(this_binary(), arguments, environment);
	while (file && fgets(line, sizeof(line), file)) {
		char *path = strchr(strchr(line, ':') + 1, ':') + 1;

		path[strcspn(path, "\n")] = '\0';
		expect_told("cgroup", path);
	}
	if (file)
		fclose(file);
}

Test(facts, of_this_process)
{
	struct arena arena = { NULL };
	struct facts facts;

	facts_read(&facts, &arena);
	cr_expect_str_eq(facts.executable, this_binary());
	cr_expect_not(facts.secure);
	cr_expect_gt(strlen(facts.command), 0);
	if (getenv("PATH"))
		cr_expect_str_eq(facts_variable("PATH"), getenv("PATH"));
	arena_free(&arena);
	if (getenv("PATH"))
		cr_expect_str_eq(facts_variable("PATH"), getenv("PATH"), "it is not the arena's");
}

Test(facts, the_first_to_keep_them_wins)
{
	char *const argv[] = { "first", NULL }, *const other[] = { "second", NULL }, *const envp[] = { "A=1", NULL };
	struct arena arena = { NULL };
	struct facts facts;

	facts_keep(1, argv, envp);
	facts_keep(1, other, NULL);
	facts_read(&facts, &arena);
	cr_expect_str_eq(facts.command, "first");
	cr_expect_str_eq(facts_variable("A"), "1");
	arena_free(&arena);
}

Test(facts, of_nothing)
{
	struct arena arena = { NULL };
	struct facts facts;

	facts_keep(0, NULL, NULL);
	facts_read(&facts, &arena);
	cr_expect_str_eq(facts.command, "");
	cr_expect_str_eq(facts.environment, "");
	cr_expect_null(facts_variable("PATH"));
	arena_free(&arena);
}

static void *ask(void *unused)
{
	return (void *)(uintptr_t)facts_variable("PATH");
}

Test(facts, many_threads_see_one_answer)
{
	pthread_t thread[16];
	void *first = NULL, *answer;

	for (int i = 0; i < 16; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, ask, NULL), 0);
	for (int i = 0; i < 16; i++) {
		pthread_join(thread[i], &answer);
		first = i ? first : answer;
		cr_expect_eq(answer, first);
	}
}

Test(facts, no_descriptor_stays_open)
{
	struct arena arena = { NULL };
	struct facts facts;
	int next = dup(0);

	close(next);
	facts_read(&facts, &arena);
	cr_expect_eq(dup(0), next);
	arena_free(&arena);
}

/* Another process, as /proc shows it: here a child that waits. */
Test(facts, of_another_process)
{
	int go[2];
	pid_t child;
	struct arena arena = { NULL };
	struct facts facts;
	char own[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

	cr_assert(length > 0 && pipe(go) == 0);
	own[length] = '\0';
	child = fork();
	if (child == 0) {
		char byte;

		close(go[1]);
		_exit(read(go[0], &byte, 1) != 0);
	}
	cr_assert_eq(facts_of(&facts, &arena, (uint32_t)child), 0);
	cr_expect_str_eq(facts.executable, own);
	cr_expect_not(facts.secure);
	cr_expect_str_eq(facts_variable_in(&facts, "PATH") ? "set" : "unset", getenv("PATH") ? "set" : "unset");
	cr_expect_null(facts_variable_in(&facts, "PORTSHIM_NO_SUCH_VARIABLE"));
	close(go[1]);
	waitpid(child, NULL, 0);
	cr_expect_eq(facts_of(&facts, &arena, (uint32_t)child), -ENOENT);
	arena_free(&arena);
}
