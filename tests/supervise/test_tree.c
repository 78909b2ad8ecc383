/* test_tree.c - many processes under one supervisor: trees, crowds, all ports of a set in use; and what comes of it when the
 * supervisor or a client is killed in the middle of a call, or the supervisor stopped. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/crowd.h"
#include "tests/lib/supervised.h"

TestSuite(tree, .init = supervised_enter, .fini = supervised_leave);

static struct criterion_test_params sets(void)
{
	static int index[SETS] = { 0, 1 };

	return cr_make_param_array(int, index, SETS);
}

/* Where the sets of `count` ports begin. */
static int first_of(int set)
{
	return set ? 40500 : 20000;
}

static const char *rule_of(int set, int count)
{
	static char text[4][96];
	static int next;
	char *to = text[next++ % 4];

	snprintf(to, sizeof(text[0]), "[rule r]\nports = %d-%d\n", first_of(set), first_of(set) + count - 1);
	return to;
}

/* So many processes and threads, and a set of so many ports. */
static void grows(int set, int processes, int threads, int ports)
{
	char words[4][16];
	const char *argv[] = { built("tests/probes/tree"), words[0], words[1], words[2], words[3], "5000", NULL };
	int all = processes * threads;
	pid_t server = crowd_serve(5000, 5000, CLIENT_CLOSES);
	static struct run run;

	snprintf(words[0], sizeof(words[0]), "%d", processes);
	snprintf(words[1], sizeof(words[1]), "%d", threads);
	snprintf(words[2], sizeof(words[2]), "%d", first_of(set));
	snprintf(words[3], sizeof(words[3]), "%d", first_of(set) + ports - 1);
	run = (struct run){ .policy = rule_of(set, ports) };
	story_start(&run, argv);
	run_end(&run);
	cr_assert(exited(&run, 0), "status %x\n%s%s", run.status, run.out, run.err);
	cr_expect_eq(crowd_count(&run, "had"), all < ports ? all : ports, "%s", run.out);
	cr_expect_eq(crowd_count(&run, "no port"), all < ports ? 0 : all - ports, "%s", run.out);
	cr_expect_eq(crowd_count(&run, "outside"), 0, "%s", run.out);
	cr_expect_eq(crowd_count(&run, "failed"), 0, "%s", run.out);
	cr_expect_str_empty(run.err);
	crowd_end(server);
}

ParameterizedTestParameters(tree, of_two_hundred)
{
	return sets();
}

ParameterizedTest(int *set, tree, of_two_hundred)
{
	grows(*set, 200, 1, 250);
}

ParameterizedTestParameters(tree, as_many_as_ports)
{
	return sets();
}

/* The last port is found as well, and nobody is told that there is none while there is one. */
ParameterizedTest(int *set, tree, as_many_as_ports)
{
	grows(*set, 200, 1, 200);
}

ParameterizedTestParameters(tree, more_than_ports)
{
	return sets();
}

ParameterizedTest(int *set, tree, more_than_ports)
{
	grows(*set, 60, 4, 100);
}

ParameterizedTestParameters(tree, with_threads)
{
	return sets();
}

ParameterizedTest(int *set, tree, with_threads)
{
	grows(*set, 20, 10, 220);
}

/* --- crowds ------------------------------------------------------------------------------------------- */

#define CROWD 500

/* Static, for another C library, Go, and dynamic: each a process of its own, all at once. Go's print what was answered,
 * which is nothing. */
#define CROWD_SCRIPT \
	"i=0\n" \
	"while [ $i -lt 500 ]; do\n" \
	"	case $((i % 10)) in\n" \
	"	[0-4]) \"$1/kinds/static\" 'socket 0 tcp4' 'connect 0 127.0.0.1 5000' & ;;\n" \
	"	[5-6]) \"$1/musl/static_act\" 'socket 0 tcp4' 'connect 0 127.0.0.1 5000' & ;;\n" \
	"	7) busybox nc 127.0.0.1 5000 </dev/null & ;;\n" \
	"	8) \"$1/kinds/go_pure\" tcp & ;;\n" \
	"	9) \"$1/tests/probes/act\" 'socket 0 tcp4' 'connect 0 127.0.0.1 5000' & ;;\n" \
	"	esac\n" \
	"	i=$((i + 1))\n" \
	"done\n" \
	"wait\n"

/* How many lines of the output are this one. */
static int count_lines(const struct run *run, const char *line)
{
	int count = 0;

	for (const char *at = run->out; (at = strstr(at, line)); at++)
		count++;
	return count;
}

ParameterizedTestParameters(tree, five_hundred_at_once)
{
	return sets();
}

ParameterizedTest(int *set, tree, five_hundred_at_once)
{
	const char *argv[] = { "sh", "-c", CROWD_SCRIPT, "sh", built(""), NULL };
	static struct run run;
	int server = server_tcp("127.0.0.1", 5000), first = first_of(*set);

	if (*set)
		net_set("net/ipv4/ip_local_port_range", "40000 45000");
	run = (struct run){ .policy = rule_of(*set, 2 * CROWD) };
	story_start(&run, argv);
	for (int i = 0; i < CROWD; i++) {
		int port = server_accept(server, NULL);

		cr_assert(port >= first && port < first + 2 * CROWD, "the %dth from port %d", i, port);
	}
	run_end(&run);
	cr_expect(exited(&run, 0), "status %x", run.status);
	cr_expect_str_empty(run.err);
	cr_expect_eq(count_lines(&run, "connect 0 127.0.0.1 5000 = 0\n"), CROWD * 8 / 10, "%s", run.out);
	cr_expect(nobody_came(server));
}

ParameterizedTestParameters(tree, churn)
{
	return sets();
}

/* Threads of several processes that connect and close, over and over, with the TIME_WAIT on the server's side. */
ParameterizedTest(int *set, tree, churn)
{
	char lo[8], hi[8];
	const char *argv[] = { built("tests/probes/swarm"), "eof", "8", "4", "50", lo, hi, "5000", "5001", "5002", NULL };
	pid_t server = crowd_serve(5000, 5002, SERVER_CLOSES);
	static struct run run;

	snprintf(lo, sizeof(lo), "%d", first_of(*set));
	snprintf(hi, sizeof(hi), "%d", first_of(*set) + 499);
	run = (struct run){ .policy = rule_of(*set, 500) };
	story_run(&run, argv);
	cr_assert(exited(&run, 0), "status %x\n%s%s", run.status, run.out, run.err);
	cr_expect_eq(crowd_count(&run, "outside"), 0);
	cr_expect_eq(crowd_count(&run, "failed"), 0, "%s", run.out);
	cr_expect_eq(crowd_count(&run, "had"), 8 * 4 * 50, "%s", run.out);
	crowd_end(server);
}

ParameterizedTestParameters(tree, churn_on_few_ports)
{
	return sets();
}

/* Never more than eight of the hundred ports are in use at a time: nobody is told that there is none. */
ParameterizedTest(int *set, tree, churn_on_few_ports)
{
	char lo[8], hi[8];
	const char *argv[] = { built("tests/probes/swarm"), "eof", "1", "8", "2000", lo, hi, "5000", NULL };
	pid_t server = crowd_serve(5000, 5000, SERVER_CLOSES);
	static struct run run;

	snprintf(lo, sizeof(lo), "%d", first_of(*set));
	snprintf(hi, sizeof(hi), "%d", first_of(*set) + 99);
	run = (struct run){ .policy = rule_of(*set, 100) };
	story_run(&run, argv);
	cr_assert(exited(&run, 0), "status %x\n%s%s", run.status, run.out, run.err);
	cr_expect_eq(crowd_count(&run, "had"), 8 * 2000, "%s", run.out);
	cr_expect_eq(crowd_count(&run, "outside"), 0);
	cr_expect_eq(crowd_count(&run, "failed"), 0, "%s", run.out);
	crowd_end(server);
}

/* --- killed ------------------------------------------------------------------------------------------- */

static void kill_now(pid_t pid)
{
	cr_assert(kill(pid, SIGKILL) == 0, "%s", strerror(errno));
}

/* Takes whoever comes, from ports of the rule only, until the program has ended. */
static void serve_until_end(const struct run *run, int server, int first, int last)
{
	struct pollfd pollfd = { .fd = server, .events = POLLIN };
	siginfo_t ended = { 0 };

	for (int left = DEADLINE_MS / 10; ended.si_pid == 0; left--) {
		bool came = poll(&pollfd, 1, 10) == 1;
		int port = came ? server_accept(server, NULL) : first;

		left += came;
		cr_assert(left > 0, "the program does not end");
		cr_assert(port >= first && port <= last, "from port %d", port);
		cr_assert(waitid(P_PID, (id_t)run->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
	}
	while (!nobody_came(server)) {
		int port = server_accept(server, NULL);

		cr_assert(port >= first && port <= last, "from port %d", port);
	}
}

ParameterizedTestParameters(tree, supervisor_killed_in_a_crowd)
{
	return sets();
}

/* Calls under way and later ones are refused with the kernel's ENOSYS: nobody hangs, and nobody gets out beside the set. */
ParameterizedTest(int *set, tree, supervisor_killed_in_a_crowd)
{
	char lo[8], hi[8];
	const char *argv[] = { built("tests/probes/swarm"), "close", "4", "4", "5000", lo, hi, "5000", NULL };
	int server = server_tcp("127.0.0.1", 5000), first = first_of(*set);
	static struct run run;

	snprintf(lo, sizeof(lo), "%d", first);
	snprintf(hi, sizeof(hi), "%d", first + 399);
	run = (struct run){ .policy = rule_of(*set, 400) };
	story_start(&run, argv);
	for (int i = 0; i < 100; i++) {
		int port = server_accept(server, NULL);

		cr_assert(port >= first && port < first + 400, "from port %d", port);
	}
	kill_now(supervisor_of(&run));
	serve_until_end(&run, server, first, first + 399);
	run_end(&run);
	cr_expect(exited(&run, 0), "status %x\n%s%s", run.status, run.out, run.err);
	cr_expect_eq(crowd_count(&run, "outside"), 0, "%s", run.out);
	cr_expect(crowd_count(&run, "failed") > 0 && strstr(run.out, "error ENOSYS\n"), "%s", run.out);
}

#define CONNECT "connect 0 127.0.0.1 5000"

/* A client that neither gets through nor is refused: the listener's queue is full. */
static void start_stuck(struct run *run, const char *policy, int listener)
{
	const char *argv[] = { built("kinds/static"), "socket 0 tcp4", CONNECT, NULL };

	*run = (struct run){ .policy = policy };
	queue_fill(listener);
	story_start(run, argv);
}

ParameterizedTestParameters(tree, supervisor_killed_in_a_call)
{
	return sets();
}

/* Which of the two waits for the other side is not said; but it is one of the set, or nobody. */
ParameterizedTest(int *set, tree, supervisor_killed_in_a_call)
{
	int server = server_tcp("127.0.0.1", 5000);
	static struct run run;

	start_stuck(&run, supervised_rule(*set, ""), server);
	cr_assert(supervised_is_ours(*set, queue_wait_for_attempt(5000)));
	kill_now(supervisor_of(&run));
	server_accept(server, NULL); /* what filled the queue */
	serve_until_end(&run, server, first_of(*set), first_of(*set) + 9);
	run_end(&run);
	cr_expect(exited(&run, 0), "status %x", run.status);
	cr_expect(printed(&run, CONNECT " = 0") || printed(&run, CONNECT " = -1 ENOSYS"), "%s", run.out);
}

ParameterizedTestParameters(tree, program_killed_in_a_call)
{
	return sets();
}

/* Whoever started it sees of what it died; the supervisor ends; its port is free again. */
ParameterizedTest(int *set, tree, program_killed_in_a_call)
{
	int server = server_tcp("127.0.0.1", 5000), other = server_tcp("127.0.0.1", 5001);
	const char *next[] = { built("kinds/static"), "socket 0 tcp4", "connect 0 127.0.0.1 5001", NULL };
	static struct run run;
	pid_t supervisor;

	start_stuck(&run, rule_of(*set, 1), server);
	supervisor = supervisor_of(&run);
	cr_assert_eq(queue_wait_for_attempt(5000), first_of(*set));
	kill_now(program_of(&run));
	run_end(&run);
	cr_expect(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGKILL, "status %x", run.status);
	has_ended_within_deadline(supervisor);
	run = (struct run){ .policy = rule_of(*set, 1) };
	story_run(&run, next);
	cr_assert(printed(&run, "connect 0 127.0.0.1 5001 = 0"), "%s%s", run.out, run.err);
	cr_expect_eq(server_accept(other, NULL), first_of(*set));
}

ParameterizedTestParameters(tree, child_killed_in_a_call)
{
	return sets();
}

/* The others do not feel it. */
ParameterizedTest(int *set, tree, child_killed_in_a_call)
{
	const char *argv[] = { "sh", "-c", "\"$1\" 'socket 0 tcp4' '" CONNECT "' & wait $!; echo $?; "
		               "exec \"$1\" 'socket 0 tcp4' 'connect 0 127.0.0.1 5001'", "sh", built("kinds/static"), NULL };
	int server = server_tcp("127.0.0.1", 5000), other = server_tcp("127.0.0.1", 5001), port;
	static struct run run;

	queue_fill(server);
	run = (struct run){ .policy = supervised_rule(*set, "") };
	story_start(&run, argv);
	cr_assert(supervised_is_ours(*set, queue_wait_for_attempt(5000)));
	kill_now(only_child_of(program_of(&run)));
	port = server_accept(other, NULL);
	cr_expect(supervised_is_ours(*set, port), "from port %d", port);
	run_end(&run);
	cr_expect(exited(&run, 0) && printed(&run, "137") && printed(&run, "connect 0 127.0.0.1 5001 = 0"), "%s%s", run.out, run.err);
}

/* Whether the first line of a file of the process's in /proc comes to have these words. */
static bool comes_to_say(pid_t pid, const char *name, const char *words)
{
	const struct timespec moment = { 0, 2 * 1000 * 1000 };
	char path[64], line[512] = " ";
	bool says = false;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	for (int left = DEADLINE_MS / 2; left > 0 && !says; left--) {
		FILE *file = fopen(path, "re");

		says = file && fgets(line + 1, sizeof(line) - 1, file) && strstr(line, words);
		if (file)
			fclose(file);
		if (!says)
			nanosleep(&moment, NULL);
	}
	return says;
}

static bool comes_to_call(pid_t pid, int number)
{
	char words[16];

	snprintf(words, sizeof(words), " %d 0x", number);
	return comes_to_say(pid, "syscall", words);
}

ParameterizedTestParameters(tree, supervisor_stopped)
{
	return sets();
}

/* As long as the supervisor does, its programs wait in their calls. One may be killed there; the others go on with it. */
ParameterizedTest(int *set, tree, supervisor_stopped)
{
	const char *argv[] = { "sh", "-c", "exec 3<&0; \"$1\" pause 'socket 0 tcp4' '" CONNECT "' <&3 & wait $!; echo $?; "
		               "exec \"$1\" 'socket 0 tcp4' '" CONNECT "'", "sh", built("kinds/static"), NULL };
	int server = server_tcp("127.0.0.1", 5000), port;
	static struct run run;
	pid_t supervisor, child;

	run = (struct run){ .policy = supervised_rule(*set, "") };
	story_start(&run, argv);
	run_until_paused(&run);
	supervisor = supervisor_of(&run);
	child = only_child_of(program_of(&run));
	cr_assert(kill(supervisor, SIGSTOP) == 0);
	cr_assert(comes_to_say(supervisor, "stat", " T "));
	run_go_on(&run);
	cr_assert(comes_to_call(child, SYS_connect));
	kill_now(child);
	cr_assert(comes_to_call(program_of(&run), SYS_connect));
	cr_expect(nobody_came(server));
	cr_assert(kill(supervisor, SIGCONT) == 0);
	port = server_accept(server, NULL);
	cr_expect(supervised_is_ours(*set, port), "from port %d", port);
	run_end(&run);
	cr_expect(exited(&run, 0) && printed(&run, "137") && printed(&run, CONNECT " = 0"), "%s%s", run.out, run.err);
	cr_expect(nobody_came(server));
}

ParameterizedTestParameters(tree, front_killed)
{
	return sets();
}

/* Nobody stands for the program any more; it goes on as before. */
ParameterizedTest(int *set, tree, front_killed)
{
	const char *argv[] = { built("kinds/static"), "pause", "socket 0 tcp4", CONNECT, NULL };
	int server = server_tcp("127.0.0.1", 5000), port;
	pid_t supervisor;
	static struct run run;

	run = (struct run){ .policy = supervised_rule(*set, "") };
	story_start(&run, argv);
	run_until_paused(&run);
	supervisor = supervisor_of(&run);
	kill_now(run.pid);
	run_go_on(&run);
	port = server_accept(server, NULL);
	cr_expect(supervised_is_ours(*set, port), "from port %d", port);
	run_end(&run);
	cr_expect(printed(&run, CONNECT " = 0"), "%s%s", run.out, run.err);
	has_ended_within_deadline(supervisor);
}

ParameterizedTestParameters(tree, program_ends_first)
{
	return sets();
}

/* What it leaves behind is supervised until that has ended, too; whoever waits for the program does not wait for that. */
ParameterizedTest(int *set, tree, program_ends_first)
{
	const char *fifo = file_path("fifo");
	const char *argv[] = { "sh", "-c", "\"$1\" pause 'socket 0 tcp4' '" CONNECT "' <\"$2\" >/dev/null 2>&1 & read line; exit 3", "sh",
		               built("kinds/static"), fifo, NULL };
	int server = server_tcp("127.0.0.1", 5000), port, go;
	pid_t supervisor;
	static struct run run;

	cr_assert(mkfifo(fifo, 0600) == 0);
	go = open(fifo, O_RDWR | O_CLOEXEC);
	run = (struct run){ .policy = supervised_rule(*set, "") };
	story_start(&run, argv);
	supervisor = supervisor_of(&run);
	story_tell(&run, "\n");
	run_end(&run);
	cr_expect(exited(&run, 3), "status %x", run.status);
	cr_expect(kill(supervisor, 0) == 0, "the supervisor has gone");
	cr_expect(write(go, "\n", 1) == 1);
	port = server_accept(server, NULL);
	cr_expect(supervised_is_ours(*set, port), "from port %d", port);
	has_ended_within_deadline(supervisor);
}
