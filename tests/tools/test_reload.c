/* test_reload.c - `portshim reload`: which tables and processes it tells, and what it refuses. (What the processes make of it is in
 * tests/shim/test_reload.c.) */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "tests/tools/show.h"

#define POLICY "[rule web]\nports = 20000-20009\n"
#define SHM "/dev/shm/portshim-"

static void enter(void)
{
	world_enter();
	world_own_processes();
}

TestSuite(reload, .init = enter, .fini = world_leave);

/* The command, which sees the processes of the test alone. */
#define RELOAD(...) show_run((const char *const[]){ "unshare", "-m", "sh", "-c", "mount -t proc proc /proc && exec \"$@\"", "sh", \
                                                    built("portshim"), "reload", __VA_ARGS__, NULL })

/* With `told` as the object that --json has printed. */
static void expect_json(const char *condition)
{
	file_make("json", shown.out);
	shell(PYTHON " -c \"import json; told = json.load(open('%s')); assert %s, told\"", file_path("json"), condition);
}

static uint64_t generation_of(const char *path)
{
	int error;
	const struct table *table = table_look(path, &error);

	cr_assert(table, "%s: %d", path, error);
	return atomic_load(&table->generation);
}

static const char *own_table(void)
{
	static char path[96];
	struct text text = TEXT_OVER(path);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert(table_path(&text, geteuid(), fd));
	close(fd);
	return path;
}

Test(reload, wrong_usage_is_2)
{
	RELOAD("x");
	EXPECT_SAID(2, "reload: it takes no argument: x; see 'portshim reload --help'");
	RELOAD("--nonsense");
	EXPECT_SAID(2, "--nonsense");
	RELOAD("-t");
	EXPECT_SAID(2, "a value is missing after -t");
	RELOAD("--help");
	EXPECT_DONE();
	EXPECT_HAS("Usage: portshim reload");
}

/* The table is made, of which the header alone takes memory. */
Test(reload, the_table_is_made_and_told)
{
	struct stat about;

	RELOAD("-c", file_make("policy", POLICY));
	EXPECT_DONE();
	EXPECT_HAS("in order, 1 rule\n");
	EXPECT_HAS("0 processes told\n");
	cr_expect_eq(generation_of(own_table()), 1);
	cr_assert_eq(stat(own_table(), &about), 0);
	cr_expect(about.st_size == sizeof(struct table) && about.st_blocks * 512 <= 4096);
	RELOAD("--json", "-c", file_path("policy"));
	EXPECT_DONE();
	expect_json("told['rules'] == 1 and [t['generation'] for t in told['tables']] == [2] and told['waiting'] == told['untold'] == 0");
	cr_expect_eq(generation_of(own_table()), 2);
}

Test(reload, a_named_table)
{
	char policy[256];

	snprintf(policy, sizeof(policy), "[portshim]\ntable = %s\n" POLICY, file_path("table"));
	RELOAD("-c", file_make("policy", policy));
	EXPECT_DONE();
	cr_expect_eq(generation_of(file_path("table")), 1);
	RELOAD("-c", file_path("policy"), "-t", file_path("table"));
	EXPECT_DONE();
	cr_expect_eq(generation_of(file_path("table")), 2);
	RELOAD("-c", file_path("policy"), "-t", file_path("none"));
	cr_expect(exited(&shown, 1));
	cr_expect(strstr(shown.err, "cannot be told: there is no such file"), "%s", shown.err);
}

Test(reload, a_path_does_not_reach_the_terminal_as_it_is)
{
	RELOAD("-c", file_make("a\033[2J", POLICY));
	EXPECT_DONE();
	EXPECT_HAS("/a?[2J: in order, 1 rule\n");
	expect_no_control(shown.out);
}

/* Nothing is told of a policy that cannot be read. */
Test(reload, a_broken_policy_is_2)
{
	RELOAD("-c", file_make("policy", POLICY));
	RELOAD("-c", file_make("broken", "[rule web]\nports = x\n[rule web]\n"));
	cr_expect(exited(&shown, 2));
	cr_expect(strstr(shown.err, "so nothing was told to anybody: the old one stays in force"), "%s", shown.err);
	RELOAD("-c", file_path("missing"));
	cr_expect(exited(&shown, 2));
	cr_expect_str_empty(shown.out);
	cr_expect_eq(generation_of(own_table()), 1);
}

Test(reload, a_variable_never_changes)
{
	setenv("PORTSHIM_PORTS", "20000", 1);
	shown = (struct run){ .bare = true, .env = { "PORTSHIM_PORTS=20000" } };
	run_program(&shown, (const char *const[]){ built("portshim"), "reload", NULL });
	EXPECT_SAID(2, "PORTSHIM_PORTS stands for the policy here");
}

Test(reload, no_table_is_1)
{
	RELOAD("-c", file_make("policy", "[portshim]\ntable = none\n" POLICY));
	cr_expect(exited(&shown, 1));
	cr_expect(strstr(shown.err, "no running process of such a policy can be told"), "%s", shown.err);
}

/* Others' tables, by root; not what only has such a name, belongs to somebody else, is a link, or anybody could have written. */
Test(reload, automatic_tables_in_the_folder)
{
	static const char *const names[] = { SHM "1000-7.v2", SHM "1000-8.v2", SHM "1000-9.v2", SHM "1000-a.v1", SHM "1000-b.v2x" };

	for (int i = 0; i < 5; i++) {
		table_in_file(names[i]);
		cr_assert(chown(names[i], 1000, 1000) == 0);
	}
	cr_assert(chown(names[1], 1001, 1001) == 0 && chmod(names[2], 0666) == 0);
	cr_assert_eq(symlink(names[3], SHM "1000-c.v2"), 0);
	RELOAD("--json", "-c", file_make("policy", POLICY));
	EXPECT_DONE();
	expect_json("[t['table'] for t in told['tables'] if '/portshim-1000-' in t['table']] == ['" SHM "1000-7.v2']");
	cr_expect_eq(generation_of(names[0]), 1);
	cr_expect_eq(generation_of(names[1]), 0);
	cr_expect_eq(generation_of(names[3]), 0);
	cr_expect_eq(generation_of(names[4]), 0);
}

/* A user tells his own processes, and nobody else's. */
Test(reload, a_user_tells_his_own)
{
	char own[96];
	struct text path = TEXT_OVER(own);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	table_in_file(SHM "0-7.v2");
	shell("chmod 0711 %s; chmod 0644 %s", file_path("."), file_make("policy", POLICY));
	shell(IN_OWN_PROC "setpriv --reuid 1000 --regid 1000 --clear-groups %s reload -c %s", realpath(built("portshim"), NULL),
	      file_path("policy"));
	cr_expect_eq(generation_of(SHM "0-7.v2"), 0);
	cr_assert(table_path(&path, 1000, fd));
	cr_expect_eq(generation_of(own), 1);
	close(fd);
}

/* The processes of a table are counted; one whose file is gone is told all the same. */
Test(reload, processes_and_removed_tables)
{
	struct run run = { .policy = POLICY };
	uint64_t *generation;
	struct table *table;
	int error;

	run_start_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "pause", NULL);
	run_until_paused(&run);
	RELOAD("--json", "-c", run.policy_path);
	EXPECT_DONE();
	expect_json("[t['processes'] for t in told['tables']] == [1] and told['waiting'] == 0");
	table = (struct table *)table_look(own_table(), &error);
	cr_assert_not_null(table);
	generation = (uint64_t *)&table->generation;
	cr_expect_eq(*generation, 1);
	cr_assert_eq(unlink(own_table()), 0);
	RELOAD("--json", "-c", run.policy_path);
	EXPECT_DONE();
	expect_json("sorted(t['processes'] for t in told['tables']) == [0, 1]");
	cr_expect_eq(*generation, 2);
	run_go_on(&run);
	run_end(&run);
}

/* A process of another user, in another network namespace and below another root, which has no table yet. */
Test(reload, a_table_is_made_where_it_is_needed)
{
	struct run run = { .policy = "[rule other]\nprogram = other\nports = 1\n" };
	char line[512];
	const char *argv[] = { "unshare", "-n", "-m", "sh", "-c", line, NULL };

	snprintf(line, sizeof(line), "mount -t tmpfs -o mode=1777 none /dev/shm && exec %s 'setuid 1000' 'socket 0 udp4' 'sendto 0 127.0.0.1 9' "
	         "'pause'", realpath(built("tests/probes/act"), NULL));
	run_start(&run, argv);
	run_until_paused(&run);
	RELOAD("--json", "-c", file_make("policy", POLICY));
	EXPECT_DONE();
	expect_json("told['waiting'] == 1 and told['untold'] == 0 and "
	            "[t['generation'] for t in told['tables'] if '/portshim-1000-' in t['table']] == [1]");
	shell("ls /dev/shm/portshim-1000-* 2>/dev/null && exit 1; ls -l /proc/%d/root/dev/shm/portshim-1000-* | grep -q '^-rw------- '", run.pid);
	run_go_on(&run);
	run_end(&run);
}

/* In a user namespace of its own it has another number for its user there, and that number is in the table's name: a container that
 * no root has started. */
Test(reload, a_user_namespace)
{
	struct run run = { .policy = "[rule other]\nprogram = other\nports = 1\n" };
	char line[512];
	const char *argv[] = { "setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "unshare", "-r", "-m", "sh", "-c", line,
	                       NULL };

	net_own_for_all_users();
	snprintf(line, sizeof(line), "mount -t tmpfs -o mode=1777 none /dev/shm && exec %s 'socket 0 udp4' 'sendto 0 127.0.0.1 9' 'pause'",
	         realpath(built("tests/probes/act"), NULL));
	run_start(&run, argv);
	run_until_paused(&run);
	RELOAD("--json", "-c", file_make("policy", POLICY));
	EXPECT_DONE();
	expect_json("told['waiting'] == 1 and told['untold'] == 0 and len(told['tables']) == 2");
	shell("ls -ln /proc/%d/root/dev/shm | grep -q '^-rw-------.* 1000  *1000 .*portshim-0-'", run.pid);
	run_go_on(&run);
	run_end(&run);
}

/* There the folder of the tables is that of all, in which its table cannot be: another has the name. */
Test(reload, a_user_namespace_that_has_no_table)
{
	struct run run = { .policy = "[rule other]\nprogram = other\nports = 1\n" };
	const char *argv[] = { "setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "unshare", "-r",
	                       realpath(built("tests/probes/act"), NULL), "socket 0 udp4", "sendto 0 127.0.0.1 9", "pause", NULL };

	net_own_for_all_users();
	run_start(&run, argv);
	run_until_paused(&run);
	RELOAD("--json", "-c", file_make("policy", POLICY));
	cr_expect(exited(&shown, 1), "%x", shown.status);
	expect_json("told['waiting'] == 0 and told['untold'] == 1");
	run_go_on(&run);
	run_end(&run);
}

/* A policy that was named is not therefore the one that the programs read. */
Test(reload, who_reads_another_policy)
{
	struct run run = { .policy = POLICY };

	run_start_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "pause", NULL);
	run_until_paused(&run);
	RELOAD("-c", file_make("other", POLICY));
	EXPECT_DONE();
	EXPECT_HAS("1 process told\n0 of them read ");
	EXPECT_HAS("/other, 1 another policy: that which they were started with\n");
	RELOAD("-c", file_path("other"), "--json");
	expect_json("told['readers'] == 0 and told['strangers'] == 1");
	RELOAD("-c", run.policy_path);
	EXPECT_DONE();
	EXPECT_HAS("1 process told\n");
	EXPECT_LACKS("another policy");
	RELOAD("-c", run.policy_path, "--json");
	expect_json("told['readers'] == 1 and told['strangers'] == 0");
	run_go_on(&run);
	run_end(&run);
}

/* A pipe, and by a folder that is another's meanwhile a device, would notice. */
Test(reload, what_is_no_file_is_not_opened)
{
	char event[256];
	int seen = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	cr_assert_eq(mkfifo(SHM "1000-7.v2", 0600), 0);
	cr_assert_eq(chown(SHM "1000-7.v2", 1000, 1000), 0);
	cr_assert(inotify_add_watch(seen, SHM "1000-7.v2", IN_OPEN) >= 0);
	RELOAD("-c", file_make("policy", POLICY));
	EXPECT_DONE();
	RELOAD("-c", file_path("policy"), "-t", SHM "1000-7.v2");
	cr_expect(exited(&shown, 1));
	cr_expect(strstr(shown.err, "cannot be told: not a file of this user's"), "%s", shown.err);
	cr_expect(read(seen, event, sizeof(event)) < 0 && errno == EAGAIN);
	close(seen);
}

/* What is switched off, or has its ports from a variable, does not wait for anything. */
Test(reload, who_does_not_hear)
{
	struct run run = { .env = { "PORTSHIM_PORTS=20000-20009" } };

	run_start_steps(&run, "pause", NULL);
	run_until_paused(&run);
	RELOAD("--json", "-c", file_make("policy", POLICY));
	EXPECT_DONE();
	expect_json("told['waiting'] == told['untold'] == 0");
	run_go_on(&run);
	run_end(&run);
}

/* A process with a table of another version cannot be told. */
Test(reload, an_older_library)
{
	struct run run = { .policy = POLICY };

	run_start_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "pause", NULL);
	run_until_paused(&run);
	shell("printf '\\001' | dd of=%s bs=1 seek=7 conv=notrunc 2>/dev/null && mv %s %s", own_table(), own_table(), SHM "0-7.v1");
	RELOAD("--json", "-c", run.policy_path);
	cr_expect(exited(&shown, 1), "%x", shown.status);
	cr_expect(strstr(shown.err, "1 process could not be told"), "%s", shown.err);
	expect_json("told['untold'] == 1");
	run_go_on(&run);
	run_end(&run);
}
