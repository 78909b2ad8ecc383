/* test_log.c - what the library says when it is asked to, and where. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/harness.h"

/* What is logged when it is asked for: the rule, the port, the destination; and to a file when told so. */
Test(policy_faults, log_to_file)
{
	char path[] = "/tmp/portshim-test-XXXXXX", policy[256], text[1024] = "";
	struct run run = { .policy = policy };
	int fd = mkstemp(path);

	snprintf(policy, sizeof(policy), "[portshim]\nlog = info\nlog-to = %s\n[rule mine]\nports = 20000\n", path);
	net_own();
	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
	cr_assert_not_null(strstr(text, "rule mine: tcp port 20000 to 127.0.0.1:5000"), "%s", text);
	cr_assert_str_empty(run.err);
	close(fd);
	unlink(path);
}

/* A /dev of this test's own, with a log that listens. Its descriptor. */
static int own_dev_log(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd;

	cr_assert(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert(mount("tmpfs", "/dev", "tmpfs", 0, NULL) == 0);
	cr_assert(mkdir("/dev/shm", 01777) == 0);
	cr_assert(mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	return fd;
}

Test(log, to_syslog)
{
	struct run run = { .policy = "[portshim]\nlog = info\nlog-to = syslog\n[rule mine]\nports = 20000\n" };
	char text[1024] = "";
	struct pollfd log = { .events = POLLIN };

	net_own();
	server_tcp("127.0.0.1", 5000);
	log.fd = own_dev_log();
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	cr_assert_eq(poll(&log, 1, DEADLINE_MS), 1);
	cr_assert_gt(recv(log.fd, text, sizeof(text) - 1, 0), 0);
	cr_assert(strncmp(text, "<30>portshim: act[", 18) == 0, "%s", text);
	cr_assert_not_null(strstr(text, "rule mine: tcp port 20000 to 127.0.0.1:5000"), "%s", text);
	cr_assert_str_empty(run.err);
}

/* A pipe whose reader is gone neither stops nor kills the program. */
Test(log, reader_is_gone)
{
	struct run run = { .env = { "PORTSHIM_LOG=info", "PORTSHIM_PORTS=20000-20009" } };

	net_own();
	server_tcp("127.0.0.1", 5000);
	run_start_steps(&run, "pause", "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	run_until_paused(&run);
	close(run.err_fd);
	run.err_fd = -1;
	run_go_on(&run);
	run_end(&run);
	cr_assert(exited(&run, 0), "status %d", run.status);
	cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
}

/* The variable comes before the policy's own level. */
Test(log, variable_comes_first)
{
	struct run run = { .policy = "[portshim]\nlog = none\n[rule mine]\nports = 20000\n", .env = { "PORTSHIM_LOG=info" } };

	net_own();
	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	cr_assert_not_null(strstr(run.err, "rule mine: tcp port 20000"), "%s", run.err);
}
