/* test_script.c - the first line of scripts, and what env(1) makes of it. */
#include <criterion/criterion.h>

#include <string.h>

#include "tools/script.h"

static void expect_line(const char *head, const char *interpreter, const char *argument)
{
	struct script_line line;
	cr_expect_eq(script_read(&line, head, strlen(head)), interpreter != NULL, "%s", head);
	if (interpreter) {
		cr_expect_str_eq(line.interpreter, interpreter);
		cr_expect_str_eq(line.argument, argument);
	}
}

Test(script, reads_the_line_as_the_kernel_does)
{
	char head[300];
	expect_line("#!/bin/sh\nrest", "/bin/sh", "");
	expect_line("#! \t /bin/sh \t-e  -u \t\nrest", "/bin/sh", "-e  -u");
	expect_line("#!/bin/sh", "/bin/sh", "");
	expect_line("#!\n/bin/sh", NULL, NULL);
	expect_line("#! ", NULL, NULL);
	expect_line("#!", NULL, NULL);
	expect_line("", NULL, NULL);
	memset(head, 'x', sizeof(head)); /* the name is cut: it might be another's */
	memcpy(head, "#!/", 3);
	head[SCRIPT_HEAD] = '\0';
	expect_line(head, NULL, NULL);
	head[200] = ' ';
	struct script_line line;
	cr_expect(script_read(&line, head, SCRIPT_HEAD));
}

static void expect_program(const char *argument, const char *program)
{
	char found[64] = "";
	bool is = script_env_program(argument, found, sizeof(found));
	cr_expect_eq(is, program != NULL, "%s", argument);
	if (is && program)
		cr_expect_str_eq(found, program, "%s", argument);
}

Test(script, finds_the_program_that_env_starts)
{
	expect_program("python3", "python3");
	expect_program("", NULL);
	expect_program("A=1", NULL);
	expect_program("-i", NULL);
	expect_program("-S python3 -u", "python3");
	expect_program("-Spython3 -u", "python3");
	expect_program("-iS python3", "python3");
	expect_program("-vS A=1 B='x y' python3 -c 'z'", "python3");
	expect_program("--split-string=-u A -C /tmp 'my prog' x", "my prog");
	expect_program("-S -- A=1 prog", "prog");
	expect_program("-S a\\ b", "a b");
	expect_program("-S ${PROG} x", NULL);
	expect_program("-S -u", NULL);
	expect_program("-S ", NULL);
	expect_program("-S # nothing", NULL);
}
