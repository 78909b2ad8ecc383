/* test_run.c - `portshim run`: what it refuses, what it hands to the program, what it says and what it does not. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "tests/tools/folder.h"
#include "tests/tools/spawn.h"

#define POLICY "[rule all]\nports = 20000-20099\n"

static char *show; /* the probe that shows how it was started */

/* A folder of its own as home, and nothing of portshim's in the environment. */
static void setup(void)
{
	folder_make();
	setenv("HOME", folder, 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("PORTSHIM_CONF");
	unsetenv("PORTSHIM_PORTS");
	unsetenv("PORTSHIM_LOG");
	unsetenv("PORTSHIM_DISABLE");
	unsetenv("PORTSHIM_STRICT");
	unsetenv("LD_PRELOAD");
	setenv("PATH", "/usr/bin:/bin", 1); /* a folder that may not be searched turns "not found" into "denied" */
	show = strdup(built("tests/probes/run_show"));
}

static void teardown(void)
{
	free(show);
	folder_remove();
}

TestSuite(run, .init = setup, .fini = teardown, .timeout = 60);

/* "NAME=value\n", in one of a few buffers. */
static const char *line(const char *name, const char *value)
{
	static char lines[4][2 * PATH_MAX];
	static int next;
	char *at = lines[next++ % 4];
	put(at, sizeof(lines[0]), "%s=%s\n", name, value);
	return at;
}

/* ---- usage ------------------------------------------------------------------------------------------ */

Test(run, wrong_usage_is_125)
{
	EXPECT_REFUSED(PORTSHIM("run"), 125, "no command");
	EXPECT_REFUSED(PORTSHIM("run", "--"), 125, "no command");
	EXPECT_REFUSED(PORTSHIM("run", "-x", show), 125, "-x");
	EXPECT_REFUSED(PORTSHIM("run", "--nonsense", show), 125, "--nonsense");
	EXPECT_REFUSED(PORTSHIM("run", "-p"), 125, "-p");
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20000", "-c", "x.conf", show), 125, "exclude");
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20000", "--log=loud", show), 125, "loud");
}

Test(run, help_goes_to_standard_output)
{
	struct outcome outcome = PORTSHIM("run", "--help");
	cr_expect_eq(outcome.code, 0);
	cr_expect(strstr(outcome.output, "--ports"));
	cr_expect_str_empty(outcome.errors);
	EXPECT_SILENT(PORTSHIM("help", "run"), 0, outcome.output);
}

/* ---- what the program gets ------------------------------------------------------------------------------ */

Test(run, exit_code_and_arguments_are_the_programs)
{
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000", show, "-c", "--help", "--", "exit:7"), 7, "-c\n--help\n--\n");
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000", "--", show, "exit:1"), 1, "");
	EXPECT_SILENT(PORTSHIM("run", "--ports=20000", "true"), 0, "");
}

Test(run, the_library_is_in)
{
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000", show, "library"), 0, "library in\n");
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000", show, "LD_PRELOAD="), 0,
	              line("LD_PRELOAD", preloaded()));
}

Test(run, ports_go_into_the_environment)
{
	setenv("PORTSHIM_CONF", "/no/such/file", 1);
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000-20099,!20050", show, "PORTSHIM_PORTS=", "PORTSHIM_CONF="), 0,
	              "PORTSHIM_PORTS=20000-20099,!20050\nPORTSHIM_CONF unset\n");
}

Test(run, a_file_goes_into_the_environment_as_absolute_path)
{
	const char *path = text_make("own.conf", POLICY, 0644);
	setenv("PORTSHIM_PORTS", "nonsense", 1);
	cr_assert_eq(chdir(folder), 0);
	char expected[2 * PATH_MAX];
	put(expected, sizeof(expected), "PORTSHIM_PORTS unset\n%s", line("PORTSHIM_CONF", path));
	EXPECT_SILENT(PORTSHIM("run", "-c", "own.conf", show, "PORTSHIM_PORTS=", "PORTSHIM_CONF="), 0, expected);
	EXPECT_SILENT(PORTSHIM("run", "--config=./own.conf", show, "PORTSHIM_PORTS=", "PORTSHIM_CONF="), 0, expected);
}

Test(run, the_usual_places_stay_the_librarys_business)
{
	mkdir(inside(".config"), 0755);
	mkdir(inside(".config/portshim"), 0755);
	text_make(".config/portshim/portshim.conf", POLICY, 0644);
	EXPECT_SILENT(PORTSHIM("run", show, "PORTSHIM_CONF=", "PORTSHIM_PORTS="), 0,
	              "PORTSHIM_CONF unset\nPORTSHIM_PORTS unset\n");
	setenv("PORTSHIM_PORTS", "20000", 1);
	EXPECT_SILENT(PORTSHIM("run", show, "PORTSHIM_PORTS="), 0, "PORTSHIM_PORTS=20000\n");
}

Test(run, a_relative_path_in_the_environment_becomes_absolute)
{
	const char *path = text_make("own.conf", POLICY, 0644);
	cr_assert_eq(chdir(folder), 0);
	setenv("PORTSHIM_CONF", "own.conf", 1);
	EXPECT_SILENT(PORTSHIM("run", show, "PORTSHIM_CONF="), 0, line("PORTSHIM_CONF", path));
}

Test(run, log_sets_the_level)
{
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000", "--log=warning", "--", show, "PORTSHIM_LOG="), 0,
	              "PORTSHIM_LOG=warning\n");
}

/* ---- which way in ---------------------------------------------------------------------------------------- */

static void expect_way(struct outcome outcome, const char *path, const char *words)
{
	char line[2 * PATH_MAX];
	put(line, sizeof(line), "portshim: %s%s", path, words);
	cr_expect_eq(outcome.code, 0);
	cr_expect(strncmp(outcome.errors, line, strlen(line)) == 0, "'%s' is not '%s'", outcome.errors, line);
}

Test(run, the_way_is_told_at_info)
{
	const char *still = built("tests/probes/static_hello");
	expect_way(PORTSHIM("run", "-p", "20000", "--log=info", show), show, ": the library is preloaded\n");
	expect_way(PORTSHIM("run", "-p", "20000", "--log=info", still), still, " is statically linked: it is supervised\n");
	expect_way(PORTSHIM("run", "-p", "20000", "--log=info", "-s", show), show, ": it is supervised\n");
	expect_way(PORTSHIM("run", "-p", "20000", "--log=info", "--mode=preload", show), show, ": the library is preloaded\n");
	expect_way(PORTSHIM("run", "-c", text_make("info.conf", "[portshim]\nlog = info\n" POLICY, 0644), show), show,
	           ": the library is preloaded\n");
}

/* Under a supervisor the environment is the one that portshim was given. */
Test(run, a_supervised_program_has_nothing_of_ours)
{
	EXPECT_SILENT(PORTSHIM("run", "--mode=supervise", "-p", "20000", "--log=warning", "--", show, "library", "LD_PRELOAD=",
	                       "PORTSHIM_LOG=", "PORTSHIM_PORTS=", "PORTSHIM_CONF="), 0,
	              "library out\nLD_PRELOAD unset\nPORTSHIM_LOG unset\nPORTSHIM_PORTS unset\nPORTSHIM_CONF unset\n");
}

/* Switched off, it starts the program as it is. */
Test(run, supervision_is_switched_off_as_well)
{
	setenv("PORTSHIM_DISABLE", "1", 1);
	EXPECT_WARNED(PORTSHIM("run", "--supervise", "-p", "20000", "--", show, "library", "LD_PRELOAD=", "PORTSHIM_PORTS="),
	              "library out\nLD_PRELOAD unset\nPORTSHIM_PORTS unset\n", "PORTSHIM_DISABLE=1 is set");
}

Test(run, modes_have_names)
{
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20000", "--mode=ptrace", show), 125, "auto, preload or supervise");
}

Test(run, one_supervisor_is_enough)
{
	const char *still = built("tests/probes/static_hello"), *tool = built("portshim");
	EXPECT_REFUSED(PORTSHIM("run", "-s", "-p", "20000", tool, "run", "-s", "-p", "20001", show), 125, "somebody supervises");
	EXPECT_WARNED(PORTSHIM("run", "-s", "-p", "20000", tool, "run", "-p", "20001", still), "hello\n", "somebody supervises");
}

/* As `trap '' CHLD` leaves it to its children. */
Test(run, ended_children_that_nobody_waits_for)
{
	char command[2 * PATH_MAX];
	put(command, sizeof(command), "trap '' CHLD; exec %s run -s -p 20000 %s", built("portshim"),
	    built("tests/probes/static_hello"));
	EXPECT_SILENT(spawn("/bin/sh", (const char *const[]){ "sh", "-c", command, NULL }), 0, "hello\n");
}

/* Whoever is no root would lose under no_new_privs what makes the program of use. */
Test(run, a_setuid_program_is_not_supervised_without_its_privilege)
{
	const char *path = text_make("setuid", "", 0755);
	char command[3 * PATH_MAX];
	put(command, sizeof(command), "cp /bin/true %s && chmod 4755 %s && chmod 755 %s", path, path, folder);
	cr_assert_eq(system(command), 0);
	put(command, sizeof(command), "exec setpriv --reuid=65534 --regid=65534 --clear-groups %s run -s -p 20000 %s",
	    built("portshim"), path);
	EXPECT_REFUSED(spawn("/bin/sh", (const char *const[]){ "sh", "-c", command, NULL }), 125, "no_new_privs");
	put(command, sizeof(command), "exec %s run -s -p 20000 %s", built("portshim"), path);
	EXPECT_SILENT(spawn("/bin/sh", (const char *const[]){ "sh", "-c", command, NULL }), 0, "");
}

/* ---- the policy ------------------------------------------------------------------------------------------ */

Test(run, a_broken_policy_starts_nothing)
{
	const char *path = text_make("broken.conf", "[rule all]\nports = 20000\nportz = 20000\n", 0644);
	char expected[2 * PATH_MAX];
	put(expected, sizeof(expected), "%s:3: error: ", path);
	struct outcome outcome = PORTSHIM("run", "-c", path, show, "started");
	EXPECT_REFUSED(outcome, 125, expected);
	EXPECT_REFUSED(outcome, 125, "was not started");
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20099-20000", show, "started"), 125, "--ports: error: ");
	setenv("PORTSHIM_PORTS", "20000-", 1);
	EXPECT_REFUSED(PORTSHIM("run", show, "started"), 125, "PORTSHIM_PORTS: error: ");
}

/* The file that the packages install is such a one: a setting that silently does nothing would be found by nobody. */
Test(run, says_that_a_policy_has_no_rule)
{
	const char *path = text_make("empty.conf", "; nothing\n", 0644);
	EXPECT_WARNED(PORTSHIM("run", "-c", path, "echo", "hello"), "hello\n", "empty.conf has no rule: the ports of echo are the kernel's choice");
	path = text_make("silent.conf", "[portshim]\nlog = none\n", 0644);
	EXPECT_SILENT(PORTSHIM("run", "-c", path, "echo", "hello"), 0, "hello\n");
}

/* What the program starts may be some rule's, so that is told at info, and is no warning. */
Test(run, says_at_info_that_no_rule_concerns_the_program)
{
	const char *path = text_make("other.conf", "[rule a]\nprogram = other\nports = 20000\n", 0644), *words = "portshim: no rule of ";
	struct outcome outcome = PORTSHIM("run", "-c", path, "--log=info", "echo", "hello");
	cr_expect_eq(outcome.code, 0);
	cr_expect(strstr(outcome.errors, words), "%s", outcome.errors);
	cr_expect(strstr(outcome.errors, "other.conf concerns echo itself (rule a: program = other: the program is /"), "%s",
	          outcome.errors);
	EXPECT_SILENT(PORTSHIM("run", "-c", path, "echo", "hello"), 0, "hello\n");
	path = text_make("its.conf", "[rule a]\nprogram = other, echo\nports = 20000\n", 0644);
	outcome = PORTSHIM("run", "-c", path, "--log=info", "echo", "hello");
	cr_expect_not(strstr(outcome.errors, words), "%s", outcome.errors);
}

Test(run, an_unreadable_policy_starts_nothing)
{
	EXPECT_REFUSED(PORTSHIM("run", "-c", inside("absent.conf"), show, "started"), 125, "absent.conf: error: ");
	EXPECT_REFUSED(PORTSHIM("run", "-c", folder, show, "started"), 125, "not a regular file");
	cr_assert_eq(mkfifo(inside("pipe.conf"), 0644), 0);
	EXPECT_REFUSED(PORTSHIM("run", "-c", inside("pipe.conf"), show, "started"), 125, "not a regular file");
	setenv("PORTSHIM_CONF", "/no/such/file", 1);
	EXPECT_REFUSED(PORTSHIM("run", show, "started"), 125, "/no/such/file: error: ");
	setenv("PORTSHIM_CONF", "", 1);
	EXPECT_REFUSED(PORTSHIM("run", show, "started"), 125, "PORTSHIM_CONF: error: ");
}

Test(run, without_a_policy_it_says_where_it_looked)
{
	if (access("/etc/portshim.conf", F_OK) == 0)
		folder_skip("this host has a policy");
	EXPECT_REFUSED(PORTSHIM("run", show, "started"), 125, inside(".config/portshim/portshim.conf"));
	EXPECT_REFUSED(PORTSHIM("run", show, "started"), 125, "/etc/portshim.conf");
	setenv("XDG_CONFIG_HOME", "/no/such/folder", 1);
	EXPECT_REFUSED(PORTSHIM("run", show, "started"), 125, "/no/such/folder/portshim/portshim.conf");
}

Test(run, warns_of_what_would_make_the_library_do_less)
{
	setenv("PORTSHIM_DISABLE", "1", 1);
	EXPECT_WARNED(PORTSHIM("run", "-p", "20000", show, "x"), "x\n", "PORTSHIM_DISABLE");
	unsetenv("PORTSHIM_DISABLE");
	setenv("PORTSHIM_LOG", "loud", 1);
	EXPECT_WARNED(PORTSHIM("run", "-p", "20000", show, "x"), "x\n", "PORTSHIM_LOG=loud");
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000", "--log=none", show, "x"), 0, "x\n");
}

/* ---- the program ----------------------------------------------------------------------------------------- */

Test(run, a_command_that_is_not_there_is_127)
{
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20000", "no-such-command"), 127, "no-such-command");
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20000", "/no/such/command"), 127, "/no/such/command");
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20000", ""), 127, "portshim: ");
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20000", text_make("lost", "#!/no/such/interpreter\n", 0755)), 127,
	               "/no/such/interpreter");
}

Test(run, a_command_that_cannot_be_executed_is_126)
{
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20000", folder), 126, folder);
	EXPECT_REFUSED(PORTSHIM("run", "-p", "20000", text_make("plain", "echo\n", 0644)), 126, "plain");
}

Test(run, scripts_run_as_execvp_has_it)
{
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000", text_make("script", "#!/bin/sh\necho $1\n", 0755), "x"), 0, "x\n");
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000", text_make("bare", "echo $1\n", 0755), "x"), 0, "x\n");
	EXPECT_SILENT(PORTSHIM("run", "-p", "20000", text_make("env", "#!/usr/bin/env sh\necho $1\n", 0755), "x"), 0,
	              "x\n");
}

Test(run, a_static_program_is_preloaded_after_a_warning)
{
	const char *path = built("tests/probes/static_hello");
	EXPECT_WARNED(PORTSHIM("run", "--mode=preload", "-p", "20000", path), "hello\n", "statically linked");
	char text[PATH_MAX];
	put(text, sizeof(text), "#!%s\n", path);
	EXPECT_WARNED(PORTSHIM("run", "--mode=preload", "-p", "20000", text_make("script", text, 0755)), "hello\n",
	              "static_hello");
}
