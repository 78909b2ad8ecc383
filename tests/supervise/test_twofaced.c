/* test_twofaced.c - programs that change what a call points to while it is looked at: whatever comes of the call, no connection to
 * the rule's destination comes from outside the rule's ports. (Datagrams, and descriptors that are made to stand for another socket: see
 * carry.h for what is not covered.) */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/lib/crowd.h"
#include "tests/lib/supervised.h"

#define MILLISECONDS "1500"

struct attempt {
	const char *how, *further; /* of the rule */
};

static const struct attempt attempts[] = {
	{ "connect", "to = 127.0.0.1:5000\n" }, { "length", "to = 127.0.0.1:5000\n" }, { "family", "to = 127.0.0.1:5000\n" },
	{ "bind", "explicit = deny\n" },        { "bind", "explicit = assign\n" },
};

#define ATTEMPTS ((int)(sizeof(attempts) / sizeof(attempts[0])))

TestSuite(twofaced, .init = supervised_enter, .fini = supervised_leave);

/* Takes all that comes until the program has ended: how many came to the rule's destination, the first server. */
static int watch(const struct run *run, const char *how, const struct pollfd server[2], int set)
{
	siginfo_t ended = { 0 };
	int came = 0;

	while (ended.si_pid == 0) {
		struct pollfd ready[2] = { server[0], server[1] };
		int port = 0;

		poll(ready, 2, 10);
		if (ready[1].revents)
			server_accept(ready[1].fd, NULL);
		if (ready[0].revents)
			port = server_accept(ready[0].fd, NULL);
		came += port > 0;
		cr_assert(port == 0 || (set ? port >= 40500 && port <= 40999 : port >= 20000 && port <= 29999), "%s: from port %d", how,
		          port);
		cr_assert(waitid(P_PID, (id_t)run->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
	}
	return came;
}

ParameterizedTestParameters(twofaced, never_outside)
{
	static int index[2 * ATTEMPTS];

	for (int i = 0; i < 2 * ATTEMPTS; i++)
		index[i] = i;
	return cr_make_param_array(int, index, 2 * ATTEMPTS);
}

/* The server's own end of 6001: a port that the program named itself. */
ParameterizedTest(int *index, twofaced, never_outside)
{
	const struct attempt *attempt = &attempts[*index / 2];
	int set = *index % 2, came;
	const char *argv[] = { built("tests/probes/twofaced"), attempt->how, MILLISECONDS, "5000",
	                       strcmp(attempt->how, "bind") == 0 ? "6001" : "6000", NULL };
	struct pollfd server[2] = {
		{ .fd = server_tcp("127.0.0.1", 5000), .events = POLLIN }, { .fd = server_tcp("127.0.0.1", 6000), .events = POLLIN },
	};
	char policy[128];
	static struct run run;

	snprintf(policy, sizeof(policy), "[rule r]\nports = %s\n%s", set ? "40500-40999" : "20000-29999", attempt->further);
	run = (struct run){ .policy = policy };
	story_start(&run, argv);
	came = watch(&run, attempt->how, server, set);
	run_end(&run);
	cr_assert(exited(&run, 0), "%s: status %x\n%s%s", attempt->how, run.status, run.out, run.err);
	cr_expect_gt(crowd_count(&run, "good"), 0, "%s: %s", attempt->how, run.out);
	cr_expect_gt(came, 0, "%s: %s", attempt->how, run.out);
	cr_expect_str_empty(run.err);
}
