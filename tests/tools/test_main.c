/* test_main.c - the command without a subcommand, with an unknown one, its help and its version. */
#include <criterion/criterion.h>

#include "tests/tools/spawn.h"
#include "tools/commands.h"

TestSuite(command, .timeout = 60);

Test(command, wrong_usage_is_2)
{
	struct outcome outcome = spawn(built("portshim"), (const char *const[]){ "portshim", NULL });
	EXPECT_REFUSED(outcome, 2, "Usage: portshim");
	EXPECT_REFUSED(PORTSHIM("curl"), 2, "portshim run curl");
	EXPECT_REFUSED(PORTSHIM("--nonsense"), 2, "--nonsense");
	EXPECT_REFUSED(PORTSHIM("help", "curl"), 2, "curl");
	EXPECT_REFUSED(PORTSHIM("version", "x"), 2, "x");
}

Test(command, help_lists_every_subcommand)
{
	struct outcome outcome = PORTSHIM("help");
	cr_expect_eq(outcome.code, 0);
	cr_expect_str_empty(outcome.errors);
#define LISTED(name, words) cr_expect(strstr(outcome.output, words), "%s", #name);
	COMMANDS(LISTED)
#undef LISTED
	EXPECT_SILENT(PORTSHIM("--help"), 0, outcome.output);
	EXPECT_SILENT(PORTSHIM("-h"), 0, outcome.output);
	EXPECT_SILENT(PORTSHIM("help", "help"), 0, outcome.output);
}

/* A subcommand's --help: usage on standard output, nothing done. */
Test(command, every_subcommand_has_a_help)
{
#define HELPED(name, words) do {                                                          \
		struct outcome outcome = PORTSHIM(#name, "--help");                       \
		cr_expect_eq(outcome.code, 0, #name);                                     \
		cr_expect(strncmp(outcome.output, "Usage: portshim ", 16) == 0, #name);   \
		cr_expect_str_empty(outcome.errors);                                      \
	} while (0);
	COMMANDS(HELPED)
#undef HELPED
}

Test(command, version_is_the_builds)
{
	EXPECT_SILENT(PORTSHIM("version"), 0, "portshim " PORTSHIM_VERSION "\n");
	EXPECT_SILENT(PORTSHIM("--version"), 0, "portshim " PORTSHIM_VERSION "\n");
}

Test(command, output_that_cannot_be_written_is_a_failure)
{
	struct outcome outcome = spawn("/bin/sh", (const char *const[]){ "sh", "-c", "exec \"$0\" help >/dev/full",
	                                                                 built("portshim"), NULL });
	EXPECT_REFUSED(outcome, 1, "standard output");
}
