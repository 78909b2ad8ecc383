/* world.c - networks, programs and files for the stories. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/world.h"

#define ARGUMENTS_MAX 32
#define DAEMONS_MAX 4

static struct run *daemons[DAEMONS_MAX];
static char folder[64];
static int near_space = -1, far_space = -1;

bool is_ephemeral(int port)
{
	return port >= 40000 && port <= 40999;
}

void world_enter(void)
{
	static const char *const variables[] = { "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "HTTP_PROXY",
	                                         "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "SSH_AUTH_SOCK", "LD_PRELOAD" };

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	setenv("LC_ALL", "C.UTF-8", 1);
	net_own_for_all_users();
	net_set("net/ipv4/ip_local_port_range", EPHEMERAL);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *position)
{
	return remove(path);
}

void world_leave(void)
{
	for (int i = 0; i < DAEMONS_MAX; i++) {
		if (!daemons[i])
			continue;
		kill(daemons[i]->pid, SIGKILL);
		waitpid(daemons[i]->pid, NULL, 0);
		daemons[i] = NULL;
	}
	if (folder[0])
		nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	folder[0] = '\0';
}

/* --- two hosts ------------------------------------------------------------------------------------- */

static int this_space(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0);
	return fd;
}

/* No duplicate address detection: the IPv6 addresses can be used at once. */
void wire_lay(void)
{
	near_space = this_space();
	cr_assert(unshare(CLONE_NEWNET) == 0);
	far_space = this_space();
	shell("ip link set lo up && ip link add far type veth peer name near &&"
	      "ip link set near netns /proc/%d/fd/%d &&"
	      "ip addr add " FAR4 "/24 dev far && ip addr add " FAR6 "/64 dev far nodad && ip link set far up",
	      getpid(), near_space);
	cr_assert(setns(near_space, CLONE_NEWNET) == 0);
	shell("ip addr add " NEAR4 "/24 dev near && ip addr add " NEAR6 "/64 dev near nodad && ip link set near up");
}

/* A socket stays in the namespace in which it was made. */
static int made_far(int (*make)(const char *address, int port), const char *address, int port)
{
	int fd;

	cr_assert(setns(far_space, CLONE_NEWNET) == 0);
	fd = make(address, port);
	cr_assert(setns(near_space, CLONE_NEWNET) == 0);
	return fd;
}

void far_do(void (*what)(void))
{
	cr_assert(setns(far_space, CLONE_NEWNET) == 0);
	what();
	cr_assert(setns(near_space, CLONE_NEWNET) == 0);
}

int far_tcp(const char *address, int port)
{
	return made_far(server_tcp, address, port);
}

int far_udp(const char *address, int port)
{
	return made_far(server_udp, address, port);
}

/* --- servers --------------------------------------------------------------------------------------- */

static void wait_for_words(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	cr_assert(poll(&pollfd, 1, DEADLINE_MS) == 1, "the client says nothing");
}

int answer_tcp(int listener, const char *reply)
{
	char heard[4096];
	int fd, port = server_accept(listener, &fd);

	wait_for_words(fd);
	cr_expect(read(fd, heard, sizeof(heard)) >= 0);
	cr_expect(send(fd, reply, strlen(reply), MSG_NOSIGNAL) == (ssize_t)strlen(reply));
	close(fd);
	return port;
}

int answer_udp(int fd, const char *reply)
{
	struct sockaddr_in6 client;
	socklen_t len = sizeof(client);
	char heard[4096];

	wait_for_words(fd);
	cr_assert(recvfrom(fd, heard, sizeof(heard), 0, (struct sockaddr *)&client, &len) >= 0);
	cr_assert(sendto(fd, reply, strlen(reply), 0, (struct sockaddr *)&client, len) > 0);
	return ntohs(client.sin6_port); /* at the same place in a sockaddr_in */
}

bool nobody_came(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 0;
}

/* --- programs -------------------------------------------------------------------------------------- */

void story_start(struct run *run, const char *const argv[])
{
	const char *all[ARGUMENTS_MAX + 5] = { built("portshim"), "run" }, *mode = getenv("PORTSHIM_TEST_MODE");
	static char option[32];
	bool bare = run->bare;
	int first = 2, n = 0;

	snprintf(option, sizeof(option), "--mode=%s", mode ? mode : "");
	if (mode)
		all[first++] = option;
	all[first++] = "--";
	while (argv[n] && n < ARGUMENTS_MAX) {
		all[first + n] = argv[n];
		n++;
	}
	cr_assert(n < ARGUMENTS_MAX);
	run->bare = true; /* the command preloads the library, not the harness */
	run_start(run, bare ? argv : all);
	run->bare = bare;
}

void story_run(struct run *run, const char *const argv[])
{
	story_start(run, argv);
	run_end(run);
}

void story_tell(struct run *run, const char *words)
{
	cr_expect(write(run->in_fd, words, strlen(words)) == (ssize_t)strlen(words));
	close(run->in_fd);
	run->in_fd = -1;
}

void story_same(const char *what, const struct run *bare, const struct run *run)
{
	cr_expect_eq(run->status, bare->status, "%s: status %x, bare %x\n%s", what, run->status, bare->status, run->err);
	cr_expect_str_eq(run->out, bare->out, "%s", what);
	cr_expect_str_eq(run->err, bare->err, "%s", what);
}

void shell(const char *format, ...)
{
	static struct run run;
	char line[1024];
	const char *argv[] = { "/bin/sh", "-c", line, NULL };
	va_list list;

	va_start(list, format);
	cr_assert(vsnprintf(line, sizeof(line), format, list) < (int)sizeof(line));
	va_end(list);
	run = (struct run){ .bare = true };
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s\n%s%s", line, run.out, run.err);
}

/* A remote address of zeros, and 0A is LISTEN, 07 a datagram socket that is not connected. A probe by connect() would
 * show in the server's log. */
static bool listens(int port, bool udp)
{
	static const char *const tables[] = { "/proc/self/net/tcp", "/proc/self/net/tcp6", "/proc/self/net/udp",
	                                      "/proc/self/net/udp6" };
	char line[512], local[16];
	bool found = false;

	snprintf(local, sizeof(local), ":%04X ", port);
	for (int i = 0; i < 2; i++) {
		FILE *table = fopen(tables[udp ? 2 + i : i], "re");

		while (table && fgets(line, sizeof(line), table))
			found |= strstr(line, local) != NULL && strstr(line, udp ? ":0000 07 " : ":0000 0A ") != NULL;
		if (table)
			fclose(table);
	}
	return found;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static struct run **daemon_slot(const struct run *run)
{
	for (int i = 0; i < DAEMONS_MAX; i++)
		if (daemons[i] == run)
			return &daemons[i];
	cr_assert_fail("too many daemons, or not one");
	return NULL;
}

static void start_and_wait(struct run *run, const char *const argv[], int port, bool udp)
{
	const char *all[ARGUMENTS_MAX + 4] = { "setpriv", "--pdeathsig", "KILL" };
	const struct timespec moment = { 0, 5 * 1000 * 1000 };

	for (int i = 0; argv[i]; i++) {
		cr_assert(i < ARGUMENTS_MAX);
		all[3 + i] = argv[i];
	}
	*daemon_slot(NULL) = run;
	story_start(run, all);
	for (int left = DEADLINE_MS / 5; !listens(port, udp); left--) {
		if (has_ended(run->pid) || left == 0) {
			daemon_stop(run);
			cr_assert_fail("%s does not listen on port %d\n%s%s", argv[0], port, run->out, run->err);
		}
		nanosleep(&moment, NULL);
	}
}

void daemon_start(struct run *run, const char *const argv[], int port)
{
	start_and_wait(run, argv, port, false);
}

void daemon_start_udp(struct run *run, const char *const argv[], int port)
{
	start_and_wait(run, argv, port, true);
}

void daemon_stop(struct run *run)
{
	kill(run->pid, SIGTERM);
	run_end(run);
	*daemon_slot(run) = NULL;
}

/* --- processes ----------------------------------------------------------------------------------- */

/* The first one has to stay, or no further can be started. */
void world_own_processes(void)
{
	pid_t first;

	cr_assert_eq(unshare(CLONE_NEWPID), 0);
	first = fork();
	cr_assert(first >= 0);
	if (first == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
}

/* --- files ----------------------------------------------------------------------------------------- */

const char *file_path(const char *name)
{
	static char buffer[8][256];
	static int next;
	char *path = buffer[next++ % 8];

	if (!folder[0]) {
		strcpy(folder, "/tmp/portshim-story-XXXXXX");
		cr_assert(mkdtemp(folder));
	}
	snprintf(path, sizeof(buffer[0]), "%s/%s", folder, name);
	return path;
}

const char *file_make(const char *name, const char *text)
{
	const char *path = file_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s", path, strerror(errno));
	close(fd);
	return path;
}
