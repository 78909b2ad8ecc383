/* test_reload.c - `portshim reload`: a running process takes up a policy that was changed at its next call, and one that cannot
 * be had leaves the old one in force. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/table.h"
#include "tests/lib/crowd.h"
#include "tests/lib/world.h"

#define OLD "[rule old]\nports = 20000-20009\n"
#define NEW "[rule new]\nports = 20100-20109\n"
#define LATE_NEW "[rule new]\nports = 40500-40509\n"
#define OTHER "[rule other]\nprogram = other\nports = 20000-20009\n"
#define BROKEN "[rule broken]\nports = none at all\n"

TestSuite(reload, .init = world_enter, .fini = world_leave);

static struct run run;

static bool is_old(int port)
{
	return port >= 20000 && port <= 20009;
}

static bool is_new(int port)
{
	return port >= 20100 && port <= 20109;
}

/* The file of the run is another from here on, as an editor replaces it. */
static void put_file(const char *path, const char *text)
{
	const char *new = file_make("new", text);

	cr_assert_eq(chmod(new, 0644), 0);
	shell("mv %s %s", new, path);
}

static void put(const char *text)
{
	put_file(run.policy_path, text);
}

/* Tells the processes of the automatic table alone: others on this machine are no affair of the test's. */
static void tell(void)
{
	shell("%s reload -c %s -t $(echo /dev/shm/portshim-0-*)", built("portshim"), file_make("good", OLD));
}

/* Tells everybody whom it finds, which is the test's own processes. */
static void tell_all(void)
{
	shell(IN_OWN_PROC "%s reload -c %s", built("portshim"), file_make("good", OLD));
}

static void start(const char *policy)
{
	static bool serves;

	if (!serves)
		server_tcp("127.0.0.1", 5000);
	serves = true;
	run = (struct run){ .policy = policy };
}

/* Two connections with a pause between. */
static void start_two(const char *policy)
{
	start(policy);
	run_start_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "pause", "socket 1 tcp4",
	                "connect 1 127.0.0.1 5000", "name 1", "socket 2 udp4", "sendto 2 127.0.0.1 9", "name 2", NULL);
	run_until_paused(&run);
	cr_assert(is_old(port_of(&run, "name 0")), "%s%s", run.out, run.err);
}

static void end_two(bool taken_up)
{
	run_go_on(&run);
	run_end(&run);
	cr_expect(exited(&run, 0), "%x", run.status);
	cr_expect_eq(is_new(port_of(&run, "name 1")), taken_up, "%s%s", run.out, run.err);
	cr_expect_eq(is_old(port_of(&run, "name 1")), !taken_up, "%s%s", run.out, run.err);
	cr_expect_eq(is_new(port_of(&run, "name 2")), taken_up, "%s%s", run.out, run.err);
}

/* --- taken up ------------------------------------------------------------------------------------------------------------ */

Test(reload, the_next_call_has_the_new_ports)
{
	start_two(OLD);
	put(NEW);
	tell();
	end_two(true);
	cr_expect_str_empty(run.err, "%s", run.err);
}

/* Without being told nobody looks. */
Test(reload, not_before_it_is_told)
{
	start_two(OLD);
	put(NEW);
	end_two(false);
}

Test(reload, to_the_late_way)
{
	int port;

	start_two(OLD);
	put(LATE_NEW);
	tell();
	run_go_on(&run);
	run_end(&run);
	port = port_of(&run, "name 1");
	cr_expect(port >= 40500 && port <= 40509, "%s", run.out);
}

/* A policy that was changed when the table had been told before the process began. */
Test(reload, a_process_that_began_later)
{
	start(OLD);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	tell();
	start_two(OLD);
	tell();
	put(NEW);
	tell();
	end_two(true);
	cr_expect_str_empty(run.err, "%s", run.err);
}

/* What there is stays; sockets that were put off, and those that have their port, are decided by the new policy. */
Test(reload, sockets_of_before)
{
	start("[rule old]\nto = *:5000\nports = 20000-20009\n[rule rest]\nports = 20000-20009\n");
	run_start_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4", "bind 1 127.0.0.1 0",
	                "socket 2 udp4", "sendto 2 127.0.0.1 9", "name 2", "pause", "connect 1 127.0.0.1 5000", "name 1",
	                "sendto 2 127.0.0.1 9", "sendto 2 127.0.0.1 10", NULL);
	run_until_paused(&run);
	put("[rule no]\nprotocol = udp\nto = *:10\naction = deny\n" NEW);
	tell();
	run_go_on(&run);
	run_end(&run);
	cr_expect(is_old(port_of(&run, "name 0")) && is_old(port_of(&run, "name 2")), "%s", run.out);
	cr_expect(is_new(port_of(&run, "name 1")), "%s", run.out);
	cr_expect_str_eq(result_of(&run, "sendto 2 127.0.0.1 9"), "1");
	cr_expect_str_eq(result_of(&run, "sendto 2 127.0.0.1 10"), "-1 EPERM");
}

Test(reload, children_take_it_up)
{
	start(OLD);
	run_start_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "fork", "pause", "socket 1 tcp4",
	                "connect 1 127.0.0.1 5000", "name 1", NULL);
	run_until_paused(&run);
	put(NEW);
	tell();
	run_go_on(&run);
	run_end(&run);
	cr_expect(is_new(port_of(&run, "name 1")), "%s%s", run.out, run.err);
}

/* Where messages go, how many there are, and the audit: as the new policy says. */
Test(reload, the_general_settings)
{
	char policy[512];

	start_two(OLD);
	snprintf(policy, sizeof(policy), "[portshim]\nlog = info\nlog-to = %s\naudit = %s\n" NEW, file_path("log"), file_path("audit"));
	put(policy);
	tell();
	end_two(true);
	cr_expect_str_empty(run.err, "%s", run.err);
	shell("test $(grep -c 'rule new: tcp port 201' %s) = 1 && test $(grep -c '\"rule\":\"new\"' %s) = 2", file_path("log"),
	      file_path("audit"));
}

/* The table cannot change; that is said, and the old one told again. */
Test(reload, the_table_stays)
{
	char policy[512];

	start_two(OLD);
	snprintf(policy, sizeof(policy), "[portshim]\nlog = warning\ntable = %s\n" NEW, file_path("table"));
	put(policy);
	tell();
	end_two(true);
	cr_expect(strstr(run.err, "table: cannot change while the program runs"), "%s", run.err);
	cr_expect_neq(access(file_path("table"), F_OK), 0);
}

/* --- what cannot be had ---------------------------------------------------------------------------------------------------- */

/* The command does not tell of a broken one. */
Test(reload, a_broken_policy_is_refused)
{
	world_own_processes();
	start_two(OLD);
	put(BROKEN);
	shell(IN_OWN_PROC "%s reload -c %s 2>%s; test $? = 2", built("portshim"), run.policy_path, file_path("words"));
	shell("grep -q 'nothing was told to anybody: the old one stays in force' %s", file_path("words"));
	end_two(false);
	cr_expect_str_empty(run.err, "%s", run.err);
}

static int times_said(const char *words)
{
	int n = 0;

	for (const char *at = run.err; (at = strstr(at, words)); at++)
		n++;
	return n;
}

Test(reload, a_broken_policy_leaves_the_old_one)
{
	start_two(OLD);
	put(BROKEN);
	tell();
	end_two(false);
	cr_expect_eq(times_said("error: ports:"), 1, "%s", run.err);
	cr_expect_eq(times_said("the policy as it was stays in force"), 1, "%s", run.err);
}

Test(reload, a_missing_policy_leaves_the_old_one)
{
	start_two(OLD);
	shell("rm %s", run.policy_path);
	tell();
	end_two(false);
	cr_expect_eq(times_said("no such file"), 1, "%s", run.err);
}

Test(reload, a_policy_that_may_not_be_read_leaves_the_old_one)
{
	start(OLD);
	run_start_steps(&run, "setuid 1000", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "pause", "socket 1 tcp4",
	                "connect 1 127.0.0.1 5000", "name 1", NULL);
	run_until_paused(&run);
	put(NEW);
	cr_assert_eq(chmod(run.policy_path, 0600), 0);
	shell("%s reload -c %s -t $(echo /dev/shm/portshim-1000-*)", built("portshim"), run.policy_path);
	run_go_on(&run);
	run_end(&run);
	cr_expect(is_old(port_of(&run, "name 1")), "%s", run.out);
	cr_expect_eq(times_said("may not be read by this user"), 1, "%s", run.err);
}

/* Mended, and told again. */
Test(reload, after_a_broken_one)
{
	start(OLD);
	run_start_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "pause", "socket 1 tcp4", "connect 1 127.0.0.1 5000",
	                "name 1", "pause", "socket 2 tcp4", "connect 2 127.0.0.1 5000", "name 2", NULL);
	run_until_paused(&run);
	put(BROKEN);
	tell();
	run_go_on(&run);
	run_until_paused(&run);
	put(NEW);
	tell();
	run_go_on(&run);
	run_end(&run);
	cr_expect(is_old(port_of(&run, "name 1")) && is_new(port_of(&run, "name 2")), "%s%s", run.out, run.err);
}

/* Descriptors are short: the old one for now, and the new one when there are some. */
Test(reload, without_a_descriptor)
{
	start(OLD);
	run_start_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "socket 1 udp4", "socket 2 udp4", "pause", "limit",
	                "sendto 1 127.0.0.1 9", "name 1", "unlimit", "sendto 2 127.0.0.1 9", "name 2", NULL);
	run_until_paused(&run);
	put(NEW);
	tell();
	run_go_on(&run);
	run_end(&run);
	cr_expect(is_old(port_of(&run, "name 1")) && is_new(port_of(&run, "name 2")), "%s%s", run.out, run.err);
	cr_expect_str_empty(run.err, "%s", run.err);
}

/* A process that has shut itself off may be killed for opening a file: it keeps what it has. */
Test(reload, a_sandboxed_process_keeps_the_old_one)
{
	start(OLD);
	run_start_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "no-new-privileges", "pause", "socket 1 udp4",
	                "sendto 1 127.0.0.1 9", "name 1", NULL);
	run_until_paused(&run);
	put(NEW);
	tell();
	run_go_on(&run);
	run_end(&run);
	cr_expect(is_old(port_of(&run, "name 1")), "%s%s", run.out, run.err);
}

/* --- who has no table yet -------------------------------------------------------------------------------------------------- */

/* The probe connects again and again, until it leaves from a new port. */
static void start_until(const char *policy)
{
	const char *argv[] = { built("tests/probes/until"), "port", "5000", "20100", "20109", NULL };

	world_own_processes();
	start(policy);
	run_start(&run, argv);
	run_until_paused(&run);
	cr_assert(strstr(run.out, "first "));
}

static void end_until(bool comes)
{
	run_go_on(&run);
	run_end(&run);
	cr_expect(exited(&run, 0), "%x", run.status);
	cr_expect_eq(is_new(crowd_count(&run, "last")), comes, "%s%s", run.out, run.err);
}

/* Told before it looks for the first time, and when it has looked: the table is made for it. */
Test(reload, a_process_that_no_rule_concerned)
{
	start_until(OTHER);
	put(NEW);
	tell_all();
	end_until(true);
	cr_expect_str_empty(run.err, "%s", run.err);
}

Test(reload, a_process_whose_policy_was_broken)
{
	start_until(BROKEN);
	put(NEW);
	tell_all();
	end_until(true);
	cr_expect_eq(times_said("all calls pass"), 1, "%s", run.err);
}

Test(reload, a_process_without_a_policy)
{
	char home[300];

	world_own_processes();
	server_tcp("127.0.0.1", 5000);
	snprintf(home, sizeof(home), "HOME=%s", file_path("home"));
	shell("mkdir -p %s/.config/portshim", file_path("home"));
	run = (struct run){ .env = { home } };
	run_start(&run, (const char *const[]){ built("tests/probes/until"), "port", "5000", "20100", "20109", NULL });
	run_until_paused(&run);
	put_file(file_path("home/.config/portshim/portshim.conf"), NEW);
	tell_all();
	end_until(true);
	cr_expect_eq(times_said("none found"), 1, "%s", run.err);
}

/* With a policy that names its table, the one that it looks for is that. */
Test(reload, a_process_that_would_have_a_named_table)
{
	char policy[512];

	snprintf(policy, sizeof(policy), "[portshim]\ntable = %s\n" OTHER, file_path("table"));
	start_until(policy);
	snprintf(policy, sizeof(policy), "[portshim]\ntable = %s\n" NEW, file_path("table"));
	put(policy);
	shell(IN_OWN_PROC "%s reload -c %s", built("portshim"), run.policy_path);
	end_until(true);
	cr_expect_str_empty(run.err, "%s", run.err);
}

/* A setuid program, which no variable of its user's counts for, then as at its start. Its library is in /etc/ld.so.preload. */
Test(reload, a_privileged_program_keeps_to_the_system)
{
	char variable[300], program[256], library[256];
	const char *argv[] = { "setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", program, "port", "5000", "20100",
	                       "20109", NULL };

	snprintf(program, sizeof(program), "%s", file_path("until"));
	snprintf(library, sizeof(library), "%s", file_path("libportshim.so"));
	server_tcp("127.0.0.1", 5000);
	shell("mkdir %s && cp -a /etc/. %s && mount --bind %s /etc", file_path("etc"), file_path("etc"), file_path("etc"));
	shell("chmod 0711 %s && install -m 4755 %s %s && install -m 0644 %s %s", file_path("."), built("tests/probes/until"), program,
	      built("libportshim.so"), library);
	put_file("/etc/portshim.conf", OLD);
	shell("echo %s >/etc/ld.so.preload && chmod 0644 %s", library, file_make("mine", "[rule mine]\nports = 20200-20209\n"));
	snprintf(variable, sizeof(variable), "PORTSHIM_CONF=%s", file_path("mine"));
	run = (struct run){ .bare = true, .env = { variable } };
	run_start(&run, argv);
	run_until_paused(&run);
	cr_expect(is_old(crowd_count(&run, "first")), "%s%s", run.out, run.err);
	put_file("/etc/portshim.conf", NEW);
	tell();
	end_until(true);
	shell("umount /etc");
}

/* --- who is never told ---------------------------------------------------------------------------------------------------- */

static void never(const char *variable)
{
	world_own_processes();
	start(OLD);
	run.env[0] = variable;
	run_start_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "pause", "sleep 1100", "socket 1 tcp4",
	                "connect 1 127.0.0.1 5000", "name 1", NULL);
	run_until_paused(&run);
	put(NEW);
	tell_all();
	run_go_on(&run);
	run_end(&run);
	cr_expect_not(is_new(port_of(&run, "name 1")), "%s%s", run.out, run.err);
	cr_expect_str_empty(run.err, "%s", run.err);
}

Test(reload, what_a_variable_says_never_changes)
{
	never("PORTSHIM_PORTS=20000-20009");
}

Test(reload, what_is_switched_off_stays_so)
{
	never("PORTSHIM_DISABLE=1");
}

/* --- for years --- */

/* How many pieces its memory has: a process may have 65,530 (vm.max_map_count), and no more memory after that. */
static unsigned mappings_of(pid_t pid)
{
	char path[40];
	unsigned n = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	cr_assert_not_null(maps);
	for (int c; (c = getc(maps)) != EOF;)
		n += c == '\n';
	fclose(maps);
	return n;
}

/* As `portshim reload` does it, to the one table that there is. */
static void raise_generation(void)
{
	static uint64_t generation;
	glob_t found;
	int fd;

	cr_assert(glob("/dev/shm/portshim-0-*", 0, NULL, &found) == 0 && found.gl_pathc == 1);
	fd = open(found.gl_pathv[0], O_WRONLY | O_CLOEXEC);
	generation++;
	cr_assert_eq(pwrite(fd, &generation, sizeof(generation), offsetof(struct table, generation)), sizeof(generation));
	close(fd);
	globfree(&found);
}

#define TIMES 40

/* Those that are past stay, for whoever still looks at them, but make no more pieces. */
Test(reload, policies_that_are_past_are_one_piece)
{
	const char *argv[4 + 5 * TIMES] = { built("tests/probes/act"), "socket 0 udp4", "sendto 0 127.0.0.1 9" };
	unsigned before = 0;
	size_t n = 3;

	for (int i = 0; i < TIMES; i++) {
		argv[n++] = "pause";
		argv[n++] = "socket 0 udp4";
		argv[n++] = "sendto 0 127.0.0.1 9";
		argv[n++] = "name 0";
		argv[n++] = "close 0";
	}
	start(OLD);
	run_start(&run, argv);
	for (int i = 0; i < TIMES; i++) {
		run_until_paused(&run);
		before = i == 5 ? mappings_of(run.pid) : before;
		put(i % 2 ? OLD : NEW);
		raise_generation();
		cr_assert(i + 1 < TIMES || mappings_of(run.pid) < before + 10, "%u, and %u", before, mappings_of(run.pid));
		run_go_on(&run);
	}
	run_end(&run);
	cr_expect(exited(&run, 0), "%x", run.status);
	n = 0;
	for (const char *at = run.out; (at = strstr(at, "= 0.0.0.0 2010")) != NULL; at++)
		n++;
	cr_expect_eq(n, TIMES / 2, "%s%s", run.out, run.err);
}

/* --- in a crowd -------------------------------------------------------------------------------------------------------------- */

/* Of 200 policies the last one counts, for every call that begins behind it; and no call sees anything but the one or the other. */
static void threads_and_reloads(const char *one, const char *other, const char *lo, const char *hi, const char *last_lo,
                                const char *last_hi)
{
	const char *argv[] = { built("tests/probes/until"), "threads", "5000", "8", lo, hi, last_lo, last_hi, NULL };
	pid_t server = crowd_serve(5000, 5000, SERVER_RESETS);

	run = (struct run){ .policy = one };
	run_start(&run, argv);
	run_until_paused(&run);
	file_make("one", one);
	file_make("other", other);
	/* The first call makes the table. */
	shell("for i in $(seq 300); do test -e /dev/shm/portshim-0-* && break; sleep 0.1; done");
	for (int i = 0; i < 10; i++) /* each has its time: the threads leave little of it on a small machine */
		shell("cd %s; i=0; while [ $i -lt 10 ]; do for name in one other; do cp $name next && mv next %s && "
		      "%s reload -c %s -t $(echo /dev/shm/portshim-0-*) >/dev/null || exit 1; done; i=$((i + 1)); done",
		      file_path("."), run.policy_path, realpath(built("portshim"), NULL), run.policy_path);
	run_go_on(&run);
	run_end(&run);
	crowd_end(server);
	cr_expect(exited(&run, 0), "%x", run.status);
	cr_expect_geq(crowd_count(&run, "had"), 400, "%s%s", run.out, run.err);
	cr_expect_eq(crowd_count(&run, "failed"), 0, "%s%s", run.out, run.err);
	cr_expect_eq(crowd_count(&run, "outside before"), 0, "%s%s", run.out, run.err);
	cr_expect_eq(crowd_count(&run, "outside after"), 0, "%s%s", run.out, run.err);
	cr_expect_str_empty(run.err, "%s", run.err);
}

Test(reload, eight_threads_and_two_hundred_policies_early)
{
	threads_and_reloads("[rule a]\nports = 20000-20499\n", "[rule b]\nports = 20500-20999\n", "20000", "20999", "20500", "20999");
}

Test(reload, eight_threads_and_two_hundred_policies_late)
{
	threads_and_reloads("[rule a]\nports = 40000-40499\n", "[rule b]\nports = 40500-40999\n", "40000", "40999", "40500", "40999");
}
