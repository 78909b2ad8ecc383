/* test_policy.c - a policy that somebody else can write: what runs as root does not obey it, and others are told. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tools/show.h"

#define POLICY "[rule all]\nports = 20000-20009\n"
#define ROOTS ", and what runs as root, or with privileges, takes its policy from root alone; "
#define STRANGER "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"
#define CONNECT "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0"

static void hostile_enter(void)
{
	world_enter();
	server_tcp("127.0.0.1", 5000);
}

TestSuite(hostile_policy, .init = hostile_enter, .fini = world_leave, .timeout = 120);

static bool is_rules(int port)
{
	return port >= 20000 && port <= 20009;
}

static int times(const char *text, const char *words)
{
	int n = 0;
	for (; (text = strstr(text, words)); text++)
		n++;
	return n;
}

/* A policy as somebody has left it. */
static const char *policy_make(const char *name, uid_t user, mode_t mode)
{
	const char *path = file_make(name, POLICY);
	shell("chmod 755 %s", file_path(""));
	cr_assert(chown(path, user, user) == 0 && chmod(path, mode) == 0);
	return path;
}

static void connect_under(struct run *run, const char *policy, const char *variable)
{
	static char name[512];
	snprintf(name, sizeof(name), "PORTSHIM_CONF=%s", policy);
	*run = (struct run){ .env = { name, variable } };
	run_steps(run, CONNECT, NULL);
}

/* --- the library --------------------------------------------------------------------------------------------- */

static void expect_refused(const char *policy, const char *words)
{
	static struct run run;
	connect_under(&run, policy, NULL);
	cr_expect(exited(&run, 0));
	cr_expect_not(is_rules(port_of(&run, "name 0")), "%s", run.out);
	cr_expect_eq(times(run.err, "portshim:"), 1, "%s", run.err);
	cr_expect_eq(times(run.err, words), 1, "'%s' is not in '%s'", words, run.err);
	cr_expect(strstr(run.err, policy) && strstr(run.err, "all calls pass"), "%s", run.err);
	connect_under(&run, policy, "PORTSHIM_STRICT=1");
	cr_expect_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "-1 EPERM");
}

Test(hostile_policy, is_not_obeyed_by_root)
{
	static struct run run;
	expect_refused(policy_make("another", 1000, 0644), "error: this file is the user 1000's" ROOTS "chown root\n");
	expect_refused(policy_make("group", 0, 0664), "error: the group 0 may write to this file" ROOTS "chmod g-w\n");
	expect_refused(policy_make("all", 0, 0666), "error: all users may write to this file" ROOTS "chmod go-w\n");
	connect_under(&run, policy_make("good", 0, 0644), NULL);
	cr_expect(is_rules(port_of(&run, "name 0")));
	cr_expect_str_empty(run.err);
}

/* A link of anybody's leads to root's own file or to none that counts, wherever it lies. */
Test(hostile_policy, behind_a_link)
{
	static struct run run;
	shell("mkdir -m 1777 %s", file_path("tmp"));
	cr_assert_eq(symlink(policy_make("mine", 1000, 0644), file_path("tmp/link")), 0);
	shell("chown -h 1000 %s", file_path("tmp/link"));
	expect_refused(file_path("tmp/link"), "error: this file is the user 1000's");
	shell("rm %s", file_path("tmp/link"));
	cr_assert_eq(symlink(policy_make("roots", 0, 0644), file_path("tmp/link")), 0);
	connect_under(&run, file_path("tmp/link"), NULL);
	cr_expect(is_rules(port_of(&run, "name 0")), "%s", run.err);
}

/* sudo that keeps HOME: the user's own policy is not root's. */
Test(hostile_policy, in_a_home_that_was_kept)
{
	static struct run run;
	char home[512];
	snprintf(home, sizeof(home), "HOME=%s", file_path("home"));
	shell("mkdir -p %s/home/.config/portshim; cp %s %s/home/.config/portshim/portshim.conf; chown -R 1000 %s/home", file_path(""),
	      policy_make("p", 0, 0644), file_path(""), file_path(""));
	run = (struct run){ .env = { home } };
	run_steps(&run, CONNECT, NULL);
	cr_expect_not(is_rules(port_of(&run, "name 0")));
	cr_expect_eq(times(run.err, "this file is the user 1000's"), 1, "%s", run.err);
}

/* In a variable of root's own there may be anything that is read to its end; the pipe has nothing in it. */
Test(hostile_policy, in_no_file_at_all)
{
	static struct run run;
	static const char *const names[] = { "PORTSHIM_CONF=/dev/zero", "PORTSHIM_CONF=/dev/stdin", "PORTSHIM_CONF=/proc/self/fd/0",
	                                     "PORTSHIM_CONF=/proc/self/fd/999", "PORTSHIM_CONF=/dev/full", "PORTSHIM_CONF=" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		run = (struct run){ .env = { names[i], "PORTSHIM_STRICT=1" } };
		run_steps(&run, CONNECT, NULL);
		cr_expect(exited(&run, 0), "%s: %x", names[i], (unsigned)run.status);
		cr_expect_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "-1 EPERM", "%s", names[i]);
		cr_expect_eq(times(run.err, "portshim:"), 1, "%s: %s", names[i], run.err);
	}
}

/* Other users are told by those who ask, and by the library from log = warning. */
Test(hostile_policy, is_told_to_others)
{
	static struct run run;
	char name[512], preload[512];
	const char *argv[] = { STRANGER, "env", preload, built("tests/probes/act"), CONNECT, NULL };
	snprintf(name, sizeof(name), "PORTSHIM_CONF=%s", policy_make("another", 1000, 0644));
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", built("libportshim.so"));
	run = (struct run){ .bare = true, .env = { name } };
	run_program(&run, argv);
	cr_expect(is_rules(port_of(&run, "name 0")), "%s", run.err);
	cr_expect_str_empty(run.err);
	run = (struct run){ .bare = true, .env = { name, "PORTSHIM_LOG=warning" } };
	run_program(&run, argv);
	cr_expect(is_rules(port_of(&run, "name 0")), "%s", run.err);
	cr_expect_eq(times(run.err, "warning: this file is the user 1000's, who can change which ports your programs have; copy it"), 1,
	             "%s", run.err);
	cr_expect_eq(times(run.err, "portshim:"), 1, "%s", run.err);
}

/* A file that came to be another's leaves the policy as it was. */
Test(hostile_policy, is_not_taken_up_by_reload)
{
	static struct run run;
	run = (struct run){ .policy = POLICY };
	run_start_steps(&run, CONNECT, "pause", "socket 1 tcp4", "connect 1 127.0.0.1 5000", "name 1", NULL);
	run_until_paused(&run);
	shell("printf '[rule b]\\nports = 20100-20109\\n' >%s; chown 1000 %s", run.policy_path, run.policy_path);
	shell("%s reload -c %s -t $(echo /dev/shm/portshim-0-*)", built("portshim"), file_make("good", POLICY));
	run_go_on(&run);
	run_end(&run);
	cr_expect(is_rules(port_of(&run, "name 1")), "%s", run.out);
	cr_expect_eq(times(run.err, "this file is the user 1000's"), 1, "%s", run.err);
	cr_expect(strstr(run.err, "the policy as it was stays in force"), "%s", run.err);
}

/* --- the command ----------------------------------------------------------------------------------------------- */

static void expect_not_started(const char *mode, const char *policy, const char *words)
{
	SHOW("run", mode, "-c", policy, "echo", "started");
	cr_expect(exited(&shown, 125), "%x", (unsigned)shown.status);
	cr_expect_str_empty(shown.out);
	cr_expect_eq(times(shown.err, words), 1, "'%s' is not in '%s'", words, shown.err);
	cr_expect_eq(times(shown.err, "echo was not started: 1 error in the policy"), 1, "%s", shown.err);
}

Test(hostile_policy, starts_nothing_of_roots)
{
	const char *policy = policy_make("another", 1000, 0644);
	expect_not_started("--mode=preload", policy, "/another: error: this file is the user 1000's" ROOTS "chown root\n");
	expect_not_started("--supervise", policy, "/another: error: this file is the user 1000's" ROOTS "chown root\n");
	expect_not_started("--mode=preload", policy_make("all", 0, 0602), "error: all users may write to this file");
}

Test(hostile_policy, starts_others_with_a_warning)
{
	show_run((const char *const[]){ STRANGER, built("portshim"), "run", "-c", policy_make("another", 1000, 0644), "echo", "started",
	                                NULL });
	cr_expect(exited(&shown, 0), "%s", shown.err);
	cr_expect_str_eq(shown.out, "started\n");
	cr_expect_eq(times(shown.err, "warning: this file is the user 1000's"), 1, "%s", shown.err);
}

/* Who checks a file may do so for others: as sshd -t and visudo -cf do, it says what is the matter, and goes on. */
Test(hostile_policy, may_be_checked)
{
	char name[512];
	const char *policy = policy_make("another", 1000, 0644);
	SHOW("check", policy);
	cr_expect(exited(&shown, 0), "%s", shown.err);
	cr_expect(strstr(shown.err, "warning: this file is the user 1000's" ROOTS "chown root [policy-file]"), "%s", shown.err);
	SHOW("check", "--strict", policy);
	cr_expect(exited(&shown, 1), "%s", shown.err);
	snprintf(name, sizeof(name), "PORTSHIM_CONF=%s", policy);
	show_run((const char *const[]){ "env", name, built("portshim"), "check", NULL });
	cr_expect(exited(&shown, 2), "the one in force: %s", shown.err);
	cr_expect(strstr(shown.err, "error: this file is the user 1000's"), "%s", shown.err);
}

/* Root may see what another's policy says, and is told nothing of what root's programs would do with it. */
Test(hostile_policy, may_be_shown)
{
	SHOW("export", "json", "-c", policy_make("another", 1000, 0644));
	cr_expect(exited(&shown, 0) && shown.out[0], "%s", shown.err);
	cr_expect_str_empty(shown.err, "%s", shown.err);
	SHOW("export", "json", "-c", policy_make("another", 1000, 0666));
	cr_expect(exited(&shown, 0), "%s", shown.err);
	cr_expect(strstr(shown.err, "warning: all users may write to this file"), "%s", shown.err);
}

/* doctor and explain answer for whom they are asked about, whoever asks. */
Test(hostile_policy, of_another_user_is_his)
{
	static struct run run;
	char name[512], pid[32];
	const char *argv[] = { STRANGER, built("tests/probes/act"), "pause", NULL };
	snprintf(name, sizeof(name), "PORTSHIM_CONF=%s", policy_make("theirs", 65534, 0600));
	run = (struct run){ .env = { name } };
	run_start(&run, argv);
	run_until_paused(&run);
	snprintf(pid, sizeof(pid), "--pid=%d", run.pid);
	SHOW("explain", pid, "tcp", "127.0.0.1:5000");
	EXPECT_HAS("rule all (");
	cr_expect_str_empty(shown.err, "%s", shown.err);
	SHOW("doctor", pid + strlen("--pid="));
	EXPECT_HAS("all: can decide its calls");
	cr_expect_str_empty(shown.err, "%s", shown.err);
	SHOW("doctor", "-c", policy_make("theirs", 65534, 0600), "cat");
	EXPECT_HAS("NO  policy");
	cr_expect(strstr(shown.err, "this file is the user 65534's" ROOTS), "%s", shown.err);
	run_go_on(&run);
	run_end(&run);
}
