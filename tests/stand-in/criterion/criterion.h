/* criterion.h - as much of Criterion as the tests need, for where it does not run.
 *
 * There is no 32-bit Criterion on a 64-bit host; and it puts its memory where user-mode Linux has none for its programs, and the
 * thread sanitizer its own. The tests stay as they are: this folder comes first in the search for <criterion/criterion.h>, and
 * main.c runs them, each in a process of its own. */
#ifndef PORTSHIM_TESTS_STAND_IN_H
#define PORTSHIM_TESTS_STAND_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h> /* as Criterion's own does */
#include <string.h>

struct stand_in_options {
	void (*init)(void), (*fini)(void);
	double timeout;
};

struct stand_in_test {
	const char *suite, *name; /* name NULL: what holds for the suite */
	void (*run)(void);
	struct stand_in_options options;
	struct stand_in_test *next;
};

void stand_in_add(struct stand_in_test *test);

/* Says what is wrong: the words, then the message, a format with its arguments. `fatal`: and ends the test. */
void stand_in_judge(bool fatal, const char *file, int line, const char *words, const char *message, ...);
void stand_in_skip(void);

#define STAND_IN_ADD(id, suite_, name_, run_, ...)                                                              \
	__attribute__((constructor)) static void id##_add(void)                                                \
	{                                                                                                      \
		static struct stand_in_test test = {                                                           \
			.suite = suite_, .name = name_, .run = run_, .options = { __VA_ARGS__ },               \
		};                                                                                             \
		stand_in_add(&test);                                                                           \
	}

#define TestSuite(suite, ...) STAND_IN_ADD(suite##_suite, #suite, NULL, NULL, __VA_ARGS__)
#define Test(suite, name, ...)                                                                                 \
	static void suite##_##name##_run(void);                                                                \
	STAND_IN_ADD(suite##_##name, #suite, #name, suite##_##name##_run, __VA_ARGS__)                         \
	static void suite##_##name##_run(void)

struct criterion_test_params {
	void *at;
	size_t size, count;
};

#define cr_make_param_array(type, array, length) ((struct criterion_test_params){ array, sizeof(type), length })
#define ParameterizedTestParameters(suite, name) static struct criterion_test_params suite##_##name##_parameters(void)
/* Runs `one` with each, in processes of their own. */
void stand_in_each(void (*one)(void *), struct criterion_test_params all);

#define ParameterizedTest(parameter, suite, name)                                                              \
	static void suite##_##name##_one(parameter);                                                           \
	Test(suite, name)                                                                                      \
	{                                                                                                      \
		stand_in_each((void (*)(void *))suite##_##name##_one, suite##_##name##_parameters());          \
	}                                                                                                      \
	static void suite##_##name##_one(parameter)

/* The message is for what failed alone: only then can all that it names be looked at. */
#define JUDGE(fatal, condition, ...)                                                                           \
	((condition) ? (void)0 : stand_in_judge(fatal, __FILE__, __LINE__, #condition, "" __VA_ARGS__))

#define cr_assert(condition, ...) JUDGE(true, condition, __VA_ARGS__)
#define cr_assert_not(condition, ...) JUDGE(true, !(condition), __VA_ARGS__)
#define cr_assert_eq(a, b, ...) JUDGE(true, (a) == (b), __VA_ARGS__)
#define cr_assert_neq(a, b, ...) JUDGE(true, (a) != (b), __VA_ARGS__)
#define cr_assert_gt(a, b, ...) JUDGE(true, (a) > (b), __VA_ARGS__)
#define cr_assert_geq(a, b, ...) JUDGE(true, (a) >= (b), __VA_ARGS__)
#define cr_assert_lt(a, b, ...) JUDGE(true, (a) < (b), __VA_ARGS__)
#define cr_assert_leq(a, b, ...) JUDGE(true, (a) <= (b), __VA_ARGS__)
#define cr_assert_null(a, ...) JUDGE(true, (a) == NULL, __VA_ARGS__)
#define cr_assert_not_null(a, ...) JUDGE(true, (a) != NULL, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) JUDGE(true, strcmp(a, b) == 0, __VA_ARGS__)
#define cr_assert_str_empty(a, ...) JUDGE(true, (a)[0] == '\0', __VA_ARGS__)
#define cr_assert_fail(...) JUDGE(true, false, __VA_ARGS__)

#define cr_expect(condition, ...) JUDGE(false, condition, __VA_ARGS__)
#define cr_expect_not(condition, ...) JUDGE(false, !(condition), __VA_ARGS__)
#define cr_expect_eq(a, b, ...) JUDGE(false, (a) == (b), __VA_ARGS__)
#define cr_expect_neq(a, b, ...) JUDGE(false, (a) != (b), __VA_ARGS__)
#define cr_expect_gt(a, b, ...) JUDGE(false, (a) > (b), __VA_ARGS__)
#define cr_expect_geq(a, b, ...) JUDGE(false, (a) >= (b), __VA_ARGS__)
#define cr_expect_lt(a, b, ...) JUDGE(false, (a) < (b), __VA_ARGS__)
#define cr_expect_leq(a, b, ...) JUDGE(false, (a) <= (b), __VA_ARGS__)
#define cr_expect_null(a, ...) JUDGE(false, (a) == NULL, __VA_ARGS__)
#define cr_expect_not_null(a, ...) JUDGE(false, (a) != NULL, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) JUDGE(false, strcmp(a, b) == 0, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) JUDGE(false, strcmp(a, b) != 0, __VA_ARGS__)
#define cr_expect_str_empty(a, ...) JUDGE(false, (a)[0] == '\0', __VA_ARGS__)
#define cr_expect_str_not_empty(a, ...) JUDGE(false, (a)[0] != '\0', __VA_ARGS__)
#define cr_expect_fail(...) JUDGE(false, false, __VA_ARGS__)

#define cr_log_info(...) ((void)0)
#define cr_log_warn(...) ((void)0)
#define cr_skip_test(...) stand_in_skip()

#endif
