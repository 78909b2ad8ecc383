/* test_doctor.c - `portshim doctor` on commands and on processes: what it finds, and what it says to do. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/lib/supervised.h"
#include "tests/tools/show.h"

TestSuite(doctor, .init = world_enter, .fini = world_leave, .timeout = 60);

/* A finding: its line begins like that, and has `words` in it. */
static void expect_finding(const char *begin, const char *words)
{
	for (const char *line = shown.out; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		char copy[2048];
		snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(line, "\n"), line);
		if (strncmp(copy, begin, strlen(begin)) == 0 && strstr(copy, words))
			return;
	}
	cr_expect_fail("no line '%s ... %s' in\n%s%s", begin, words, shown.out, shown.err);
}

static void expect_verdict(int code, const char *words)
{
	cr_expect(exited(&shown, code), "status %d\n%s%s", shown.status, shown.out, shown.err);
	const char *last = shown.out + strlen(shown.out) - (strlen(shown.out) > strlen(words) ? strlen(words) + 1 : 0);
	cr_expect(strncmp(last, words, strlen(words)) == 0, "not '%s' but\n%s", words, shown.out);
}

static const char *policy(const char *keys)
{
	char text[512];
	snprintf(text, sizeof(text), "[rule erp]\nports = 20000-20009\n%s", keys);
	return file_make("policy", text);
}

Test(doctor, a_command_that_would_be_under_it)
{
	SHOW("doctor", "-c", policy("program = cat\ncommand = *one*\n"), "cat", "one", "two");
	expect_finding("  ok  program", "cat: the loader preloads into it");
	expect_finding("  ok  library", "libportshim.so loads");
	expect_finding("  ok  policy", "policy");
	expect_finding("  ok  rule", "erp: can decide its calls");
	expect_verdict(0, "would be under portshim: start it with portshim run");
	cr_expect_str_empty(shown.err);
}

/* A script is known by its own name, and by that of what runs it. */
Test(doctor, a_script)
{
	const char *script = file_make("script", "#!/bin/sh\nexit 0\n");
	cr_assert_eq(chmod(script, 0755), 0);
	SHOW("doctor", "-c", policy("program = script\n"), script);
	expect_verdict(0, "would be under portshim: start it with portshim run");
	SHOW("doctor", "-c", policy("command = */sh *script yes\n"), script, "yes");
	expect_verdict(0, "would be under portshim: start it with portshim run");
}

Test(doctor, no_rule_for_it)
{
	SHOW("doctor", "-c", policy("program = other\n"), "cat");
	expect_finding("  NO  rule", "none of 1 concerns it: rule erp: program = other: the program is /");
	expect_finding("  NO  rule", "; 'portshim explain' has the others, and every reason");
	expect_verdict(1, "would not be under portshim");
	SHOW("doctor", "-c", policy("env = PORTSHIM_TEST_ROLE=x\n"), "cat");
	expect_finding("  NO  rule", "none of 1");
}

/* `portshim doctor` as that user and with that group, and no other groups. */
#define SHOW_AS(id, ...) show_run((const char *const[]){ "setpriv", "--reuid", id, "--regid", id, "--clear-groups", \
                                                         built("portshim"), __VA_ARGS__, NULL })

/* Who it runs as counts; where it may become another, so does that one. */
Test(doctor, rules_of_users)
{
	const char *mine = policy("user = 65001\n");
	shell("chmod 0711 %s && chmod 0644 %s", file_path("."), mine);
	SHOW_AS("65002", "doctor", "-c", mine, "cat");
	expect_finding("  NO  rule", "none of 1 concerns it: rule erp: user = 65001: the user is 65002");
	expect_verdict(1, "would not be under portshim");
	SHOW_AS("65001", "doctor", "-c", mine, "cat");
	expect_finding("  ok  rule", "erp: can decide its calls");
	expect_verdict(0, "would be under portshim: start it with portshim run");
	SHOW("doctor", "-c", mine, "cat");
	expect_finding("  ok  rule", "erp if it becomes user 65001: can decide its calls");
	expect_verdict(0, "would be under portshim: start it with portshim run");
	SHOW("doctor", "-c", policy("user = 65001\ngroup = 65003\n[rule all]\nports = 20010\nprogram = cat\n"), "cat");
	expect_finding("  ok  rule", "erp if it becomes user 65001 and group 65003, all: can decide its calls");
}

Test(doctor, rules_of_groups)
{
	const char *mine = policy("group = 65001\n");
	shell("chmod 0711 %s && chmod 0644 %s", file_path("."), mine);
	SHOW_AS("65002", "doctor", "-c", mine, "cat");
	expect_finding("  NO  rule", "none of 1 concerns it: rule erp: group = 65001: the group is 65002");
	expect_verdict(1, "would not be under portshim");
	SHOW_AS("65001", "doctor", "-c", mine, "cat");
	expect_verdict(0, "would be under portshim: start it with portshim run");
	/* The reason is the condition that does not hold. */
	mine = policy("user = 65001\ngroup = 65003\n");
	shell("chmod 0644 %s", mine);
	SHOW_AS("65001", "doctor", "-c", mine, "cat");
	expect_finding("  NO  rule", "none of 1 concerns it: rule erp: group = 65003: the group is 65001");
}

/* A process is asked for who it is, not the one that asks. */
Test(doctor, rules_of_users_and_a_process)
{
	const char *other = policy("user = 65001\n");
	struct run run = { .policy = "[rule mine]\nports = 20000\n" };
	char pid[16];
	run_start_steps(&run, "setuid 65001", "pause", NULL);
	run_until_paused(&run);
	snprintf(pid, sizeof(pid), "%d", run.pid);
	SHOW("doctor", "-c", other, pid);
	expect_finding("  ok  rule", "erp: can decide its calls");
	SHOW("doctor", "-c", policy("user = 65002\n"), pid);
	expect_finding("  NO  rule", "user = 65002: the user is 65001");
	run_go_on(&run);
	run_end(&run);
}

Test(doctor, a_policy_without_a_rule)
{
	SHOW("doctor", "-c", file_make("none", "[portshim]\nlog = none\n"), "cat");
	expect_finding("  NO  rule", "the policy has none; portshim.conf(5) says how to write one");
	expect_verdict(1, "would not be under portshim");
}

Test(doctor, out_of_reach)
{
	SHOW("doctor", "-c", policy(""), built("tests/probes/static_hello"));
	expect_finding("  ok  program", "is statically linked: portshim run supervises it");
	expect_finding("  ok  rule", "erp");
	expect_verdict(0, "would be under portshim: start it with portshim run");
	SHOW("doctor", "-c", policy(""), "no-such-program");
	expect_finding("  NO  program", "no-such-program cannot be executed: No such file or directory");
	expect_verdict(1, "would not be under portshim");
}

/* What is under the library as a whole machine is, has programs that it does not reach all the same. */
Test(doctor, out_of_the_machine_s_reach)
{
	shell("mkdir %s && cp -a /etc/. %s && mount --bind %s /etc", file_path("etc"), file_path("etc"), file_path("etc"));
	shell("echo %s >/etc/ld.so.preload", built("libportshim.so"));
	SHOW("doctor", "-c", policy(""), "cat");
	expect_verdict(0, "would be under portshim: /etc/ld.so.preload names the library");
	SHOW("doctor", "-c", policy(""), built("tests/probes/static_hello"));
	expect_finding("  NO  program", "is statically linked: /etc/ld.so.preload does not reach it; start it with portshim run, "
	               "which supervises it");
	expect_verdict(1, "would not be under portshim");
	shell("umount /etc");
}

Test(doctor, no_policy_and_a_broken_one)
{
	SHOW("doctor", "cat");
	expect_finding("  NO  policy", "none: its environment has neither PORTSHIM_CONF nor PORTSHIM_PORTS");
	expect_verdict(1, "would not be under portshim");
	SHOW("doctor", "-c", file_make("broken", "[rule a]\nports = none\n"), "cat");
	expect_finding("  NO  policy", "broken has errors, see above");
	cr_expect(strstr(shown.err, "broken:2: error:"), "%s", shown.err);
	expect_verdict(1, "would not be under portshim");
}

Test(doctor, switched_off)
{
	setenv("PORTSHIM_DISABLE", "1", 1);
	SHOW("doctor", "-c", policy(""), "cat");
	unsetenv("PORTSHIM_DISABLE");
	expect_finding("  NO  switch", "PORTSHIM_DISABLE=1 is in its environment");
	expect_verdict(1, "would not be under portshim");
}

/* A process has its policy by its own environment, whatever ours is. */
Test(doctor, processes)
{
	struct run run = { .policy = "[rule mine]\nprogram = act\nports = 20000\n" }, bare = { .bare = true };
	char pid[16];
	run_start_steps(&run, "pause", NULL);
	run_until_paused(&run);
	snprintf(pid, sizeof(pid), "%d", run.pid);
	SHOW("doctor", pid);
	expect_finding("act (process ", pid);
	expect_finding("  ok  library", "libportshim.so is in the process");
	expect_finding("  ok  rule", "mine");
	expect_verdict(0, "under portshim");
	run_go_on(&run);
	run_end(&run);
	run_start_steps(&bare, "pause", NULL);
	run_until_paused(&bare);
	snprintf(pid, sizeof(pid), "%d", bare.pid);
	SHOW("doctor", "-c", policy(""), pid);
	expect_finding("  NO  library", "is not in the process; start it with 'portshim run'");
	expect_verdict(1, "not under portshim");
	run_go_on(&bare);
	run_end(&bare);
}

/* What a supervisor serves is told from what it does not: by its ancestors. */
Test(doctor, a_supervised_process)
{
	struct run run = { .policy = "[rule mine]\nprogram = act\nports = 20000\n" };
	char pid[16];
	setenv("PORTSHIM_TEST_MODE", "supervise", 1);
	run_start_steps(&run, "pause", NULL);
	run_until_paused(&run);
	snprintf(pid, sizeof(pid), "%d", program_of(&run));
	SHOW("doctor", pid);
	expect_finding("  ok  program", "supervised by portshim, process ");
	expect_finding("  ok  policy", "that of its supervisor");
	expect_verdict(0, "under portshim");
	SHOW("doctor", "-c", policy("program = other\n"), pid);
	expect_finding("  NO  rule", "none of 1 concerns it");
	run_go_on(&run);
	run_end(&run);
}

Test(doctor, json)
{
	char program[512];
	FILE *file;
	SHOW("doctor", "--json", "-c", policy(""), "cat");
	cr_expect(exited(&shown, 0));
	file = fopen(file_path("doctor.json"), "we");
	fputs(shown.out, file);
	fclose(file);
	snprintf(program, sizeof(program), "import json\nd = json.load(open('%s'))\n"
	         "assert d['under'] and d['name'] == 'cat' and [c['ok'] for c in d['checks']] == [True] * 4, d\n",
	         file_path("doctor.json"));
	show_run((const char *const[]){ PYTHON, "-c", program, NULL });
	cr_expect(exited(&shown, 0), "%s", shown.err);
}

Test(doctor, refusals)
{
	SHOW("doctor");
	cr_expect(exited(&shown, 2) && strstr(shown.err, "no process and no command"), "%s", shown.err);
	SHOW("doctor", "--nonsense", "cat");
	cr_expect(exited(&shown, 2) && strstr(shown.err, "no such option"), "%s", shown.err);
	SHOW("doctor", "2147483646");
	cr_expect(exited(&shown, 1) && strstr(shown.err, "there is no process 2147483646"), "%s", shown.err);
	SHOW("doctor", "--help");
	cr_expect(exited(&shown, 0) && strstr(shown.out, "Usage: portshim doctor"), "%s", shown.out);
}
