/* test_choose.c - `choose`, `cooldown` and `table` as programs meet them: what one process did, the next one knows. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/crowd.h"

static pid_t own(void)
{
	net_own_for_all_users();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	return crowd_serve(5000, 5003, SERVER_CLOSES);
}

/* The port of one connection by a new process. */
static int port_by(const char *policy, const char *target)
{
	static struct run run;
	char step[64];

	run = (struct run){ .policy = policy };
	snprintf(step, sizeof(step), "connect 0 127.0.0.1 %s", target);
	run_steps(&run, "socket 0 tcp4", step, "name 0", "drain 0", "close 0", NULL);
	cr_assert_str_eq(result_of(&run, step), "0");
	return port_of(&run, "name 0");
}

Test(choose, sequential_goes_on_in_the_next_process)
{
	static const char policy[] = "[rule r]\nports = 20000-20003, 20010\nchoose = sequential\n";
	static const int want[] = { 20000, 20001, 20002, 20003, 20010, 20000, 20001 };
	pid_t servers = own();

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		cr_assert_eq(port_by(policy, "5000"), want[i]);
	crowd_end(servers);
}

Test(choose, stable_is_the_same_in_every_process)
{
	static const char policy[] = "[rule r]\nports = 20000-29999\nchoose = stable\n";
	pid_t servers = own();
	int port = port_by(policy, "5000"), other = port_by(policy, "5001");

	cr_assert_neq(port, other, "one in 10,000");
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(port_by(policy, "5000"), port);
		cr_assert_eq(port_by(policy, "5001"), other);
	}
	crowd_end(servers);
}

Test(choose, least_recent_uses_all_before_any_again)
{
	static const char policy[] = "[rule r]\nports = 20000-20009\nchoose = least-recent\n";
	pid_t servers = own();
	int order[10];

	for (int i = 0; i < 30; i++) {
		int port = port_by(policy, "5000");

		if (i >= 10)
			cr_assert_eq(port, order[i % 10], "round %d", i);
		order[i % 10] = port;
		for (int k = 0; i < 10 && k < i; k++)
			cr_assert_neq(port, order[k]);
	}
	crowd_end(servers);
}

/* A port that cools down goes last, but goes: also the one that came back last, when it is the only one. */
Test(choose, cooldown)
{
	static const char policy[] = "[rule r]\nports = 20000-20004\ncooldown = 1h\n";
	pid_t servers = own();
	unsigned int seen = 0;

	for (int i = 0; i < 5; i++) {
		unsigned int bit = 1u << (port_by(policy, "5000") - 20000);

		cr_assert(!(seen & bit), "port %d came back", i);
		seen |= bit;
	}
	for (int i = 0; i < 5; i++)
		port_by(policy, "5000");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(port_by("[rule s]\nports = 21000\ncooldown = 1h\n", "5000"), 21000);
	crowd_end(servers);
}

/* Never at once the port that came back last, in whichever process. */
Test(choose, not_the_last_one_again)
{
	static const char *const policies[] = {
		"[rule r]\nports = 20000-20001\n", "[rule h]\nports = 21000-21001\nchoose = hash\n",
		"[rule i]\nports = 22000-22001\nchoose = random-increments\n", "[rule k]\nports = 40500-40501\n",
	};
	pid_t servers = own();

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		int last = port_by(policies[i], "5000");

		for (int k = 0; k < 10; k++) {
			int port = port_by(policies[i], "5000");

			cr_assert_neq(port, last, "%s, time %d", policies[i], k);
			last = port;
		}
	}
	crowd_end(servers);
}

/* --- which table ------------------------------------------------------------------------------------------------ */

#define TEAM "/dev/shm/team"

/* The port of a connection by user 65534 of group 1000. */
static int port_by_another_user(const char *policy)
{
	static struct run run;
	const char *argv[] = { "setpriv", "--reuid=65534", "--regid=1000", "--clear-groups", built("tests/probes/act"), "socket 0 tcp4",
	                       "connect 0 127.0.0.1 5000", "name 0", NULL };

	run = (struct run){ .policy = policy, .env = { "PORTSHIM_LOG=warning" } };
	run_start(&run, argv);
	chmod(run.policy_path, 0644);
	run_end(&run);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_assert_str_empty(run.err);
	return port_of(&run, "name 0");
}

/* A file that the administrator made for a group. */
Test(choose, table_of_a_group)
{
	static const char policy[] = "[portshim]\ntable = " TEAM "\n[rule r]\nports = 20000-20009\nchoose = sequential\n";
	pid_t servers = own();
	struct stat about;
	int fd = open(TEAM, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0660);

	cr_assert(fd >= 0 && fchown(fd, 0, 1000) == 0 && fchmod(fd, 0660) == 0);
	close(fd);
	cr_assert_eq(port_by(policy, "5000"), 20000);
	cr_assert_eq(port_by_another_user(policy), 20001);
	cr_assert_eq(port_by(policy, "5000"), 20002);
	cr_assert(stat(TEAM, &about) == 0 && about.st_mode == (S_IFREG | 0660) && about.st_size > 1000000);
	crowd_end(servers);
}

/* What is wrong with the file is said once, with the next step; the call goes on. */
Test(choose, table_that_anybody_can_write)
{
	struct run run = { .policy = "[portshim]\ntable = " TEAM "\n[rule r]\nports = 20000\n", .env = { "PORTSHIM_LOG=warning" } };
	pid_t servers = own();
	int fd = open(TEAM, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);

	cr_assert(fd >= 0 && fchmod(fd, 0666) == 0);
	close(fd);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5001", NULL);
	crowd_end(servers);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5001"), "-1 EADDRNOTAVAIL");
	cr_assert_not_null(strstr(run.err, "table " TEAM ": not a file of this user alone, or writable by others; remove it"), "%s", run.err);
	cr_assert_eq(strstr(strstr(run.err, TEAM) + 1, TEAM), NULL, "said twice: %s", run.err);
}

Test(choose, no_table)
{
	static const char policy[] = "[portshim]\ntable = none\n[rule r]\nports = 20000-20009\nchoose = sequential\n";
	pid_t servers = own();

	cr_assert_eq(port_by(policy, "5000"), 20000);
	cr_assert_eq(port_by(policy, "5000"), 20000, "nothing is known of the other process");
	cr_assert_neq(system("ls /dev/shm/portshim-* >/dev/null 2>&1"), 0);
	crowd_end(servers);
}

/* --- as the tools show it --------------------------------------------------------------------------------------- */

static void line_of(const struct run *run, const char *words[3])
{
	bool found = false;

	for (const char *line = run->out; *line; line = *strchrnul(line, '\n') ? strchrnul(line, '\n') + 1 : strchrnul(line, '\n')) {
		char copy[256];

		snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(line, "\n"), line);
		found = found || (strstr(copy, words[0]) && strstr(copy, words[1]) && strstr(copy, words[2]));
	}
	cr_assert(found, "no line with %s, %s and %s in\n%s", words[0], words[1], words[2], run->out);
}

/* A child that closes what it inherited changes nothing. */
Test(choose, status_shows_who_has_what)
{
	static struct run holder, status;
	const char *argv[] = { built("portshim"), "status", NULL };
	pid_t servers = own();
	char pid[16];

	holder = (struct run){ .policy = "[rule erp]\nports = 20000-20009\nchoose = sequential\n" };
	run_start_steps(&holder, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 udp4", "bind 1 127.0.0.1 0", "socket 2 tcp4",
	                "bind 2 127.0.0.1 20007", "listen 2", "vforkclose", "pause", NULL);
	run_until_paused(&holder);
	snprintf(pid, sizeof(pid), " %d ", holder.pid);
	status = (struct run){ .bare = true };
	run_program(&status, argv);
	cr_assert(exited(&status, 0), "%s", status.err);
	cr_assert_str_empty(status.err);
	line_of(&status, (const char *[]){ "held", "127.0.0.1:5000", pid });
	line_of(&status, (const char *[]){ "udp", "held", "20001" });
	line_of(&status, (const char *[]){ "20007", "outside", "LISTEN" });
	run_go_on(&holder);
	run_end(&holder);
	crowd_end(servers);
}
