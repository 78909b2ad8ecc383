/* main.c - runs the tests of one program, each in a process of its own: what fails, and how many there were. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 60 /* s, for a test that says nothing else; the environment's PATIENCE times as long where all is slower */
#define SKIPPED 77

static struct stand_in_test *first, **last = &first;
static const struct stand_in_test *current;
static bool failed;

void stand_in_add(struct stand_in_test *test)
{
	*last = test;
	last = &test->next;
}

static void end(int code)
{
	fflush(NULL);
	_exit(code);
}

void stand_in_judge(bool fatal, const char *file, int line, const char *words, const char *message, ...)
{
	va_list list;

	failed = true;
	fprintf(stderr, "%s:%d: %s::%s: %s: ", file, line, current->suite, current->name, words);
	va_start(list, message);
	vfprintf(stderr, message, list);
	va_end(list);
	fputc('\n', stderr);
	if (fatal)
		end(EXIT_FAILURE);
}

void stand_in_skip(void)
{
	end(SKIPPED);
}

/* A test's own options, and where it has none the suite's. */
static struct stand_in_options options_of(const struct stand_in_test *test)
{
	struct stand_in_options options = test->options;

	for (const struct stand_in_test *suite = first; suite; suite = suite->next) {
		if (suite->name || strcmp(suite->suite, test->suite) != 0)
			continue;
		options.init = options.init ? options.init : suite->options.init;
		options.fini = options.fini ? options.fini : suite->options.fini;
		options.timeout = options.timeout > 0 ? options.timeout : suite->options.timeout;
	}
	return options;
}

static void run(const struct stand_in_test *test)
{
	struct stand_in_options options = options_of(test);
	const char *patience = getenv("PATIENCE");
	int seconds = options.timeout > 0 ? (int)options.timeout : PATIENCE;

	current = test;
	alarm((unsigned int)(seconds * (patience ? atoi(patience) : 1)));
	if (options.init)
		options.init();
	test->run();
	if (options.fini)
		options.fini();
	end(failed ? EXIT_FAILURE : EXIT_SUCCESS);
}

void stand_in_each(void (*one)(void *), struct criterion_test_params all)
{
	struct stand_in_options options = options_of(current);

	for (size_t i = 0; i < all.count; i++) {
		int status;
		pid_t child = fork();

		if (child == 0) {
			if (options.init)
				options.init();
			one((char *)all.at + i * all.size);
			end(failed ? EXIT_FAILURE : EXIT_SUCCESS);
		}
		waitpid(child, &status, 0);
		failed = failed || status != 0;
	}
}

/* Not those that the arguments name. */
static bool is_wanted(const struct stand_in_test *test, char *const names[])
{
	for (; test->name && *names; names++)
		if (strcmp(*names, test->name) == 0)
			return false;
	return test->name;
}

int main(int argc, char *argv[])
{
	int passed = 0, not_passed = 0, skipped = 0;

	for (const struct stand_in_test *test = first; test; test = test->next) {
		int status;
		pid_t child;

		if (!is_wanted(test, argv + (argc > 0)))
			continue;
		child = fork();
		if (child == 0)
			run(test);
		waitpid(child, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
			passed++;
		else if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
			skipped++;
		else
			not_passed++, fprintf(stderr, "FAIL %s::%s, status 0x%x\n", test->suite, test->name, (unsigned int)status);
	}
	printf("%d passed, %d failed, %d skipped\n", passed, not_passed, skipped);
	return not_passed > 0 || passed == 0;
}
