/* test_everyday.c - ordinary programs do under portshim what they do without: the same output, the same exit status,
 * nothing printed by anyone else. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/world.h"

#define POLICY "[rule all]\nports = 20000-20009\n"
#define BASH_WORK "shopt -s extglob; a=(x y); echo ${#a[@]} <(:) | tr -d 0-9; coproc cat; echo in >&${COPROC[1]}; " \
	"read -r -u ${COPROC[0]} line; echo $line; exec 9</dev/null; kill $COPROC_PID; wait; exit 5"

TestSuite(everyday, .init = world_enter, .fini = world_leave);

static const char *const programs[][8] = {
	{ "cat", "/etc/passwd" },
	{ "cat", "/nonexistent" },
	{ "less", "/etc/passwd" },
	{ "script", "-qec", "TERM=xterm less -F -X /etc/hostname", "/dev/null" }, /* on a terminal */
	{ "sh", "-c", "echo out; echo err >&2; exit 3" },
	{ "sh", "-c", "kill -TERM $$" },
	{ "sh", "-c", "ls /proc/self/fd" },
	{ "sh", "-c", "exec 2>&-; echo out; cat /nonexistent" },
	{ "bash", "-c", BASH_WORK },
	{ "bash", "-c", "echo > /dev/tcp/127.0.0.1/9" },
	{ "git", "--version" },
	{ PYTHON, "-c", "import socket, subprocess; print(subprocess.run(['sh', '-c', 'exit 7']).returncode)" },
	{ "perl", "-e", "print qx(echo in a child); exit 9" },
	{ "ip", "address" },
	{ "curl", "-s", "-w", "%{exitcode} %{remote_port}", "http://127.0.0.1:9/" },
	{ "curl", "-sS", "file:///etc/passwd" },
};

#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

ParameterizedTestParameters(everyday, program)
{
	static int index[PROGRAMS];

	for (size_t i = 0; i < PROGRAMS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, PROGRAMS);
}

ParameterizedTest(int *index, everyday, program)
{
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	const char *const *argv = programs[*index];

	story_run(&bare, argv);
	story_run(&run, argv);
	cr_assert(bare.out[0] || bare.err[0] || WIFSIGNALED(bare.status), "%s does nothing", argv[0]);
	story_same(argv[0], &bare, &run);
}

Test(everyday, git_clone)
{
	char line[600];
	const char *argv[] = { "sh", "-c", line, NULL };
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	const char *from = file_path("from"), *to = file_path("to");

	snprintf(line, sizeof(line), "git clone file://%s %s && git -C %s log --oneline && git -C %s status; rm -rf %s",
	         from, to, to, to, to);
	shell("git init -q %s && cd %s && echo words > file && git add file &&"
	      "git -c user.name=n -c user.email=e commit -q -m message", from, from);
	story_run(&bare, argv);
	cr_assert(exited(&bare, 0) && strstr(bare.out, "message"), "%s", bare.err);
	story_run(&run, argv);
	story_same("git clone", &bare, &run);
}

/* --- ssh, both sides ------------------------------------------------------------------------------- */

static void make_sshd_files(void)
{
	char config[1024];

	shell("umask 077; ssh-keygen -q -t ed25519 -N '' -f %s && ssh-keygen -q -t ed25519 -N '' -f %s",
	      file_path("host"), file_path("user"));
	snprintf(config, sizeof(config),
	         "ListenAddress 127.0.0.1\nPort 2222\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\n"
	         "PermitRootLogin prohibit-password\nPasswordAuthentication no\nPidFile none\n",
	         file_path("host"), file_path("user.pub"));
	file_make("sshd_config", config);
}

/* Every run has other ports: "port 40123" becomes "port N". And the server's last words come in either order, those
 * of its listening process and those of the one that served the client: the lines are sorted. */
static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void compare_as_log(char *text)
{
	char copy[8192] = "", *lines[64], *rest = copy, *to = text;
	size_t n = 0, length = 0;

	for (const char *at = text; *at && length + 1 < sizeof(copy);) {
		copy[length++] = *at++;
		if (length >= 5 && memcmp(copy + length - 5, "port ", 5) == 0 && strspn(at, "0123456789")) {
			at += strspn(at, "0123456789");
			copy[length++] = 'N';
		}
	}
	while (n < 64 && (lines[n] = strtok_r(rest, "\n", &rest)))
		n++;
	qsort(lines, n, sizeof(lines[0]), by_text);
	*to = '\0';
	for (size_t i = 0; i < n; i++)
		to = stpcpy(stpcpy(to, lines[i]), "\n");
}

/* One login. The client's port, as the server told its session; both outputs without it. */
static int log_in(struct run *server, struct run *client)
{
	const char *sshd[] = { "/usr/sbin/sshd", "-D", "-e", "-f", file_path("sshd_config"), NULL };
	const char *ssh[] = {
		"ssh", "-F", "none", "-p", "2222", "-i", file_path("user"), "-o", "IdentitiesOnly=yes",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
		"127.0.0.1", "echo ok; echo port ${SSH_CONNECTION#* }", NULL,
	};
	int port = 0;

	daemon_start(server, sshd, 2222);
	story_run(client, ssh);
	daemon_stop(server);
	cr_assert(strncmp(client->out, "ok\n", 3) == 0, "%s%s", client->err, server->err);
	cr_assert(sscanf(client->out, "ok\nport %d", &port) == 1, "%s", client->out);
	compare_as_log(client->out);
	compare_as_log(server->err);
	return port;
}

/* sshd(8) wants this folder; who has just installed it has none. */
static bool make_privsep_folder(void)
{
	return mkdir("/run/sshd", 0755) == 0;
}

Test(everyday, ssh_and_sshd)
{
	static struct run bare_sshd = { .bare = true }, bare_ssh = { .bare = true };
	static struct run sshd = { .policy = POLICY }, ssh = { .policy = POLICY };
	bool made = make_privsep_folder();
	int port;

	make_sshd_files();
	port = log_in(&bare_sshd, &bare_ssh);
	cr_expect(is_ephemeral(port), "bare, from port %d", port);
	port = log_in(&sshd, &ssh);
	cr_expect(port >= 20000 && port <= 20009, "from port %d", port);
	if (made)
		rmdir("/run/sshd");
	cr_assert(strstr(bare_sshd.err, "Accepted publickey"), "%s", bare_sshd.err);
	story_same("ssh", &bare_ssh, &ssh);
	story_same("sshd", &bare_sshd, &sshd);
}

/* --- who closes every descriptor ------------------------------------------------------------------- */

#define CONNECTIONS 4
#define PYTHON_DAEMON \
	"import os, socket\n" \
	"os.closerange(0, 65536)\n" \
	"s = [socket.socket() for i in range(4)]\n" \
	"for c in s:\n" \
	"	c.connect(('127.0.0.1', 5000))\n" \
	"	c.sendall(b'x')\n"

static const char *const daemons[][4] = {
	{ "range" }, { "loop" }, { "daemon" }, { PYTHON, "-c", PYTHON_DAEMON },
};

/* What was said on a connection, to its end. */
static const char *all_heard(int fd)
{
	static char heard[4096];
	const struct timeval limit = { DEADLINE_MS / 1000, 0 };
	size_t length = 0;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while ((n = recv(fd, heard + length, sizeof(heard) - 1 - length, 0)) > 0)
		length += (size_t)n;
	heard[length] = '\0';
	cr_assert_eq(n, 0, "the daemon does not end");
	close(fd);
	return heard;
}

ParameterizedTestParameters(everyday, closes_every_descriptor)
{
	static int index[4] = { 0, 1, 2, 3 };

	return cr_make_param_array(int, index, 4);
}

/* Though the log is asked for: standard error is not what it was, and a socket has its number now. */
ParameterizedTest(int *index, everyday, closes_every_descriptor)
{
	const char *const *given = daemons[*index];
	const char *probe[] = { built("tests/probes/story_daemon"), given[0], NULL };
	struct run run = { .policy = POLICY, .env = { "PORTSHIM_LOG=debug" } };
	int fd[CONNECTIONS], listener = server_tcp("127.0.0.1", 5000);

	story_start(&run, given[1] ? given : probe);
	for (int i = 0; i < CONNECTIONS; i++) {
		int port = server_accept(listener, &fd[i]);

		cr_expect(port >= 20000 && port <= 20009, "connection %d from port %d", i, port);
	}
	for (int i = 0; i < CONNECTIONS; i++)
		cr_expect_str_eq(all_heard(fd[i]), "x", "connection %d", i);
	run_end(&run);
	cr_assert(exited(&run, 0), "status %x\n%s", run.status, run.err);
	cr_assert_str_empty(run.out);
}
