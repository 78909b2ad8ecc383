/* test_leaks.c - ports come back however a socket ends, and stay in use for as long as anybody has it. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/ask.h"
#include "shim/table.h"
#include "tests/lib/crowd.h"

#define FIRST_PORT "20000"
#define ONE_PORT "[rule r]\nports = 20000\n"
#define TEN_PORTS "[rule r]\nports = 20000-20009\n"

static pid_t own(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	return crowd_serve(5000, 5001, CLIENT_CLOSES);
}

/* The only port is to be had. */
static void comes_back(struct run *run, const char *step)
{
	cr_assert_str_eq(result_of(run, step), "0", "%s", run->out);
}

static void stays_in_use(struct run *run, const char *step)
{
	cr_assert_str_eq(result_of(run, step), "-1 EADDRNOTAVAIL", "%s", run->out);
}

/* --- it comes back ------------------------------------------------------------------------------------------- */

/* A connection that the client has closed lives until the server has, too. */
Test(leaks, close)
{
	struct run run = { .policy = ONE_PORT "exhausted = wait 10s\n" };
	pid_t servers = own();

	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "close 0", "socket 1 tcp4", "connect 1 127.0.0.1 5000",
	          "socket 2 udp4", "sendto 2 127.0.0.1 9", "close 2", "socket 3 udp4", "sendto 3 127.0.0.1 9", "socket 4 tcp4",
	          "connect 4 127.0.0.1 5001", "close 4", "close 1", "socket 5 tcp4", "connect 5 127.0.0.1 5001", NULL);
	crowd_end(servers);
	comes_back(&run, "connect 1 127.0.0.1 5000");
	cr_assert_str_eq(result_of(&run, "sendto 3 127.0.0.1 9"), "1");
	comes_back(&run, "connect 5 127.0.0.1 5001");
}

/* Neither of these is seen: not the system call, nor the end of a process. */
Test(leaks, unseen_ends)
{
	pid_t servers = own();

	for (int i = 0; i < 3; i++) {
		struct run run = { .policy = ONE_PORT };

		run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 udp4", "bind 1 127.0.0.1 0", "rawclose 1",
		          "socket 2 udp4", "bind 2 127.0.0.1 0", NULL);
		comes_back(&run, "connect 0 127.0.0.1 5000");
		comes_back(&run, "bind 2 127.0.0.1 0");
	}
	crowd_end(servers);
}

/* dup2() closes what was there before, close-on-exec does at exec. */
Test(leaks, closed_by_other_calls)
{
	struct run run = { .policy = ONE_PORT };
	pid_t servers = own();

	run_steps(&run, "socket 0 udp4", "bind 0 0.0.0.0 0", "socket 1 tcp4", "dup2 1 0", "socket 2 udp4", "bind 2 0.0.0.0 0",
	          "dupfd 2 3", "close 2", "exec", "socket 4 udp4", "bind 4 0.0.0.0 0", NULL);
	crowd_end(servers);
	comes_back(&run, "bind 2 0.0.0.0 0");
	comes_back(&run, "bind 4 0.0.0.0 0");
}

/* A connect() that came to nothing keeps its early port for as long as the socket lives, and no longer. */
Test(leaks, refused)
{
	struct run run = { .policy = ONE_PORT }, late = { .policy = "[rule r]\nports = 40500\n" };
	pid_t servers = own();

	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 9999", "close 0", "socket 1 tcp4", "connect 1 127.0.0.1 9999", NULL);
	cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 9999"), "-1 ECONNREFUSED");
	run_steps(&late, "socket 0 tcp4", "connect 0 127.0.0.1 9999", "socket 1 tcp4", "connect 1 127.0.0.1 9999", "connect 0 127.0.0.1 5000", NULL);
	crowd_end(servers);
	cr_assert_str_eq(result_of(&late, "connect 1 127.0.0.1 9999"), "-1 ECONNREFUSED");
	comes_back(&late, "connect 0 127.0.0.1 5000");
}

/* --- it stays in use ------------------------------------------------------------------------------------------- */

Test(leaks, a_child_has_it)
{
	struct run run = { .policy = ONE_PORT };
	pid_t servers = own();

	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "keeper", "close 0", "socket 1 tcp4", "connect 1 127.0.0.1 5000",
	          "connect 1 127.0.0.1 5001", NULL);
	crowd_end(servers);
	stays_in_use(&run, "connect 1 127.0.0.1 5000");
	comes_back(&run, "connect 1 127.0.0.1 5001");
}

Test(leaks, a_copy_is_open)
{
	struct run run = { .policy = ONE_PORT };
	pid_t servers = own();

	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "dup 0 1", "close 0", "socket 2 tcp4", "connect 2 127.0.0.1 5000",
	          "end 1", "socket 3 tcp4", "connect 3 127.0.0.1 5000", NULL);
	crowd_end(servers);
	stays_in_use(&run, "connect 2 127.0.0.1 5000");
	comes_back(&run, "connect 3 127.0.0.1 5000");
}

/* The sender closes its own before the receiver has taken the copy. */
Test(leaks, sent_over_a_unix_socket)
{
	struct run run = { .policy = ONE_PORT };
	pid_t servers = own();

	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "pass 0 1", "socket 2 tcp4", "connect 2 127.0.0.1 5000", NULL);
	crowd_end(servers);
	stays_in_use(&run, "connect 2 127.0.0.1 5000");
}

Test(leaks, inherited_through_exec)
{
	struct run run = { .policy = ONE_PORT };
	pid_t servers = own();

	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "exec", "socket 1 tcp4", "connect 1 127.0.0.1 5000", NULL);
	crowd_end(servers);
	stays_in_use(&run, "connect 1 127.0.0.1 5000");
}

/* --- killed ------------------------------------------------------------------------------------------------------ */

/* All ten ports can be had by one process. */
static void all_ten_again(void)
{
	static struct run run;
	const char *argv[] = { built("tests/probes/swarm"), "hold", "1", "1", "10", FIRST_PORT, "20009", "5000", NULL };

	run = (struct run){ .policy = TEN_PORTS "exhausted = wait 10s\n" }; /* until the servers have seen the ends */
	run_start(&run, argv);
	run_until_paused(&run);
	cr_assert_eq(crowd_count(&run, "had"), 10, "%s%s", run.out, run.err);
	cr_assert_eq(crowd_count(&run, "outside"), 0);
	run_go_on(&run);
	run_end(&run);
}

static void kill_run(struct run *run)
{
	kill(run->pid, SIGKILL);
	close(run->in_fd);
	close(run->out_fd);
	close(run->err_fd);
	waitpid(run->pid, NULL, 0);
	unlink(run->policy_path);
}

Test(leaks, killed_while_holding)
{
	static struct run run;
	const char *argv[] = { built("tests/probes/swarm"), "hold", "1", "1", "10", FIRST_PORT, "20009", "5000", NULL };
	pid_t servers = own();

	run = (struct run){ .policy = TEN_PORTS };
	run_start(&run, argv);
	run_until_paused(&run);
	kill_run(&run);
	all_ten_again();
	crowd_end(servers);
}

/* In a pid namespace of its own, so that nobody else can tell whether it lives. */
Test(leaks, killed_in_another_pid_namespace)
{
	static struct run run;
	const char *argv[] = { "unshare", "--pid", "--fork", "--kill-child", built("tests/probes/swarm"), "hold", "1", "1", "10",
	                       FIRST_PORT, "20009", "5000", NULL };
	pid_t servers = own();

	run = (struct run){ .policy = TEN_PORTS };
	run_start(&run, argv);
	run_until_paused(&run);
	cr_assert_eq(crowd_count(&run, "had"), 10, "%s%s", run.out, run.err);
	kill_run(&run);
	all_ten_again();
	crowd_end(servers);
}

/* --- killed at any moment ------------------------------------------------------------------------------------------ */

#define SEEN 4096

struct seen {
	uint64_t pair[SEEN];
	int state[SEEN], n;
};

static void note_connection(void *context, const struct asked *socket)
{
	struct seen *seen = context;
	uint64_t pair = (uint64_t)socket->local.port << 16 | socket->remote.port;

	/* A socket that is about to connect, or is over, is no live connection. */
	if (socket->remote.port < 5000 || socket->remote.port > 5001 || socket->state == TCP_LISTEN ||
	    socket->state == TCP_CLOSE || socket->state == TCP_TIME_WAIT)
		return;
	for (int i = 0; i < seen->n; i++)
		cr_assert_neq(seen->pair[i], pair, "two connections from %d to %d, states %d and %d", socket->local.port,
		              socket->remote.port, seen->state[i], socket->state);
	seen->state[seen->n] = socket->state;
	cr_assert_lt(seen->n, SEEN);
	seen->pair[seen->n++] = pair;
}

/* All are between 127.0.0.1 and itself. */
static void no_two_alike(void)
{
	static char buffer[ASK_BUFFER_SIZE];
	static struct seen seen;
	struct ask_what what = { .protocol = PROTOCOL_TCP, .ports = { 20000, 20009 } };

	seen.n = 0;
	cr_assert_eq(ask_all(&what, buffer, note_connection, &seen), 0);
}

Test(leaks, a_hundred_rounds_of_kill, .timeout = 120)
{
	static struct run run;
	const char *argv[] = { built("tests/probes/swarm"), "close", "4", "2", "1000000", FIRST_PORT, "20009", "5000", "5001", NULL };
	unsigned int seed = 1;
	pid_t servers = own();

	for (int i = 0; i < 100; i++) {
		struct timespec pause = { .tv_nsec = 2000000 + rand_r(&seed) % 20000000 };

		run = (struct run){ .policy = TEN_PORTS };
		run_start(&run, argv);
		nanosleep(&pause, NULL);
		no_two_alike();
		kill_run(&run);
		if (i % 10 == 9)
			all_ten_again();
	}
	crowd_end(servers);
}

/* --- an old table ---------------------------------------------------------------------------------------------------- */

static struct table *map_table(void)
{
	uint64_t cookie;
	socklen_t len = sizeof(cookie);
	char path[64];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct table *table;

	cr_assert(getsockopt(fd, SOL_SOCKET, 71, &cookie, &len) == 0);
	close(fd);
	snprintf(path, sizeof(path), "/dev/shm/portshim-0-%llx." TABLE_VERSION, (unsigned long long)cookie);
	fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert(fd >= 0, "%s", path);
	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(table != MAP_FAILED);
	close(fd);
	return table;
}

/* A table that a machine left behind when it went down is void: all its cells are full, of another boot. */
Test(leaks, another_boots_table)
{
	struct run run = { .policy = ONE_PORT };
	struct table *table;
	pid_t servers = own();

	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "close 0", NULL);
	table = map_table();
	for (uint32_t block = 0; block < TABLE_BLOCKS; block++)
		for (uint32_t i = 0; i < BLOCK_PORTS; i++)
			atomic_store(&table_cells(table, block)[i].word, ~UINT64_C(0));
	atomic_store(&table->boot[1], 1);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	crowd_end(servers);
	comes_back(&run, "connect 0 127.0.0.1 5000");
	cr_assert_neq(atomic_load(&table->boot[1]), 1);
	for (uint32_t block = 0, full = 0; block < TABLE_BLOCKS; block++)
		for (uint32_t i = 0; i < BLOCK_PORTS; i++)
			cr_assert((full += atomic_load(&table_cells(table, block)[i].word) != 0) <= 1);
}

/* --- garbage ----------------------------------------------------------------------------------------------------------- */

/* Writes random words all over the table until it is ended. */
static pid_t scribble(struct table *table, size_t from)
{
	pid_t pid = fork();
	word64 *words = (word64 *)table;
	uint64_t x = 88172645463325252u;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* the test may fail before it ends us */
	for (size_t i = from;; i = i + 1 < sizeof(*table) / 8 ? i + 1 : from) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		atomic_store_explicit(&words[i], x, memory_order_relaxed);
	}
}

static void in_company_of_a_scribbler(size_t from, const char *keys, int lo)
{
	static struct run run;
	char policy[128], bounds[2][16];
	const char *argv[] = { built("tests/probes/swarm"), "first", "8", "1", "300", bounds[0], bounds[1], "5000", "5001", NULL };
	pid_t servers = own(), scribbler;

	snprintf(bounds[0], 16, "%d", lo);
	snprintf(bounds[1], 16, "%d", lo + 99);
	snprintf(policy, sizeof(policy), "[rule r]\nports = %d-%d\n%s", lo, lo + 99, keys);
	run = (struct run){ .policy = policy };
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	scribbler = scribble(map_table(), from);
	run_program(&run, argv);
	crowd_end(scribbler);
	crowd_end(servers);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_assert_eq(crowd_count(&run, "outside"), 0, "%s", run.out);
	cr_assert_eq(crowd_count(&run, "failed"), 0, "%s", run.out);
}

Test(leaks, random_bytes_behind_the_header, .timeout = 120)
{
	static const char *const keys[] = { "", "choose = sequential\n", "choose = double-hash\n", "choose = least-recent\n",
	                                    "choose = random-increments\ncooldown = 10s\n" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		in_company_of_a_scribbler(offsetof(struct table, asked) / 8, keys[i], 20000);
		in_company_of_a_scribbler(offsetof(struct table, asked) / 8, keys[i], 40100);
	}
}

Test(leaks, random_bytes_all_over)
{
	in_company_of_a_scribbler(0, "", 20000);
	in_company_of_a_scribbler(0, "share = never\n", 20000);
}
