/* test_rsh.c - rcmd(3), rresvport(3) and rsh(1), whose sockets libc makes inside itself, leave from the rule's ports;
 * and say and do for the rest what they do without portshim. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/world.h"

#define ALL "[rule rsh]\nports = 20000-20009\n"
#define ELSEWHERE "[rule elsewhere]\nto = 203.0.113.0/24\nports = 20000-20009\n"
#define SHELL_PORT 514 /* what rsh(1) connects to */
#define REMOTE(...) { "tests/probes/remote", __VA_ARGS__ }

TestSuite(rsh, .init = world_enter, .fini = world_leave);

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

static bool is_reserved(int port)
{
	return port >= 512 && port <= 1023;
}

/* --- a server of the protocol ------------------------------------------------------------------------------- */

enum answer { GRANTS, REFUSES, HANGS_UP, CALLS_BACK_UNRESERVED };

struct served {
	int from, back; /* the client's ports: of its connection, and where it listens (0: nowhere) */
};

static void read_string(int fd, char *text, size_t size)
{
	const struct timeval limit = { DEADLINE_MS / 1000, 0 };
	size_t n = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	do
		cr_assert(n < size && read(fd, text + n, 1) == 1, "the client says no more");
	while (text[n++]);
}

/* To the client's second port, from a reserved one of our own or from any. */
static int call_back(int peer, int port, bool reserved)
{
	struct sockaddr_in6 name;
	socklen_t len = sizeof(name);
	int from = 1023, fd;

	cr_assert(getpeername(peer, (struct sockaddr *)&name, &len) == 0);
	name.sin6_port = htons((uint16_t)port); /* at the same place in a sockaddr_in */
	fd = reserved ? rresvport_af(&from, name.sin6_family) : socket(name.sin6_family, SOCK_STREAM, 0);
	cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&name, len) == 0, "nobody listens on %d", port);
	return fd;
}

static void answer_words(int fd, int back, enum answer answer)
{
	char user[32], there[32], command[32];

	read_string(fd, user, sizeof(user));
	read_string(fd, there, sizeof(there));
	read_string(fd, command, sizeof(command));
	if (answer == REFUSES) {
		cr_expect(write(fd, "\1Permission denied.\nmore\n", 25) == 25);
	} else if (answer == GRANTS) {
		cr_expect(write(fd, "", 1) == 1);
		dprintf(fd, "%s ran %s\n", there, command);
		if (back >= 0)
			dprintf(back, "no errors\n");
	}
}

static struct served serve(int listener, enum answer answer)
{
	struct served served;
	char digits[16];
	int fd, back = -1;

	served.from = server_accept(listener, &fd);
	read_string(fd, digits, sizeof(digits));
	served.back = atoi(digits);
	if (served.back)
		back = call_back(fd, served.back, answer != CALLS_BACK_UNRESERVED);
	if (answer != CALLS_BACK_UNRESERVED)
		answer_words(fd, back, answer);
	shutdown(fd, SHUT_WR);
	if (back >= 0)
		close(back);
	while (read(fd, digits, sizeof(digits)) > 0)
		;
	close(fd);
	return served;
}

/* --- who leaves from where ---------------------------------------------------------------------------------- */

static void start(struct run *run, const char *const given[])
{
	const char *argv[8] = { given[0][0] == 't' ? built(given[0]) : given[0] };

	for (int i = 1; given[i]; i++)
		argv[i] = given[i];
	story_start(run, argv);
}

static void finish(struct run *run)
{
	story_tell(run, "");
	run_end(run);
}

static struct served play(struct run *run, const char *const given[], int listener, enum answer answer)
{
	struct served served;

	start(run, given);
	served = serve(listener, answer);
	finish(run);
	return served;
}

struct client {
	const char *address;
	const char *argv[7];
	bool both;
};

static const struct client clients[] = {
	{ "127.0.0.1", REMOTE("rcmd", "127.0.0.1", "514", "both"), true },
	{ "127.0.0.1", REMOTE("rcmd", "127.0.0.1", "514", "one"), false },
	{ "127.0.0.1", REMOTE("rcmd4", "127.0.0.1", "514", "both"), true },
	{ "::1", REMOTE("rcmd6", "::1", "514", "both"), true },
	{ "::1", REMOTE("rcmdany", "::1", "514", "one"), false },
	{ "127.0.0.1", { "netkit-rsh", "-l", "you", "127.0.0.1", "a command" }, true },
	{ "::1", { "netkit-rsh", "-l", "you", "::1", "a command" }, true },
};

ParameterizedTestParameters(rsh, client)
{
	static int index[sizeof(clients) / sizeof(clients[0])];

	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, sizeof(clients) / sizeof(clients[0]));
}

/* Both ways into the kernel: ports outside its own range, and inside. */
ParameterizedTest(int *index, rsh, client)
{
	static struct run bare = { .bare = true }, early = { .policy = ALL };
	static struct run late = { .policy = "[rule rsh]\nports = 40500-40509\n" };
	const struct client *client = &clients[*index];
	int listener = server_tcp(client->address, SHELL_PORT);
	struct served served = play(&bare, client->argv, listener, GRANTS);

	cr_assert(is_reserved(served.from), "bare, from port %d", served.from);
	cr_assert(strstr(bare.out, "you ran a command"), "%s%s", bare.out, bare.err);
	served = play(&early, client->argv, listener, GRANTS);
	cr_expect(is_ours(served.from), "from port %d", served.from);
	cr_expect(client->both ? is_ours(served.back) : served.back == 0, "listens on %d", served.back);
	story_same(client->argv[1], &bare, &early);
	served = play(&late, client->argv, listener, GRANTS);
	cr_expect(served.from >= 40500 && served.from <= 40509, "from port %d", served.from);
	cr_expect(!client->both || (served.back >= 40500 && served.back <= 40509), "listens on %d", served.back);
	story_same(client->argv[1], &bare, &late);
}

/* A rule with a destination concerns the connection that has one. */
Test(rsh, by_destination)
{
	const char *const there[] = REMOTE("rcmd", "127.0.0.1", "514", "both", NULL);
	static struct run run = { .policy = "[rule to]\nto = 127.0.0.1:514\nports = 20000-20009\n" };
	struct served served = play(&run, there, server_tcp("127.0.0.1", SHELL_PORT), GRANTS);

	cr_expect(is_ours(served.from), "from port %d", served.from);
	cr_expect(is_reserved(served.back), "listens on %d", served.back);
	cr_expect(exited(&run, 0), "%s", run.err);
}

Test(rsh, call_of_a_rule)
{
	const char *const there[] = REMOTE("rcmd", "127.0.0.1", "514", "both", NULL);
	static struct run connects = { .policy = "[rule c]\ncall = connect\nports = 20000-20009\n" };
	static struct run binds = { .policy = "[rule b]\ncall = bind\nports = 20000-20009\n" };
	int listener = server_tcp("127.0.0.1", SHELL_PORT);
	struct served served = play(&connects, there, listener, GRANTS);

	cr_expect(is_ours(served.from) && is_reserved(served.back), "%d, %d", served.from, served.back);
	served = play(&binds, there, listener, GRANTS);
	cr_expect(is_ours(served.from) && is_ours(served.back), "%d, %d", served.from, served.back);
}

/* libc lets root alone do this; with a rule's ports others can. */
Test(rsh, nobody)
{
	const char *const there[] = REMOTE("nobody", "rcmd", "127.0.0.1", "514", "both", NULL);
	static struct run bare = { .bare = true }, elsewhere = { .policy = ELSEWHERE }, run = { .policy = ALL };
	int listener = server_tcp("127.0.0.1", SHELL_PORT);
	struct served served;

	start(&bare, there);
	finish(&bare);
	cr_assert_str_eq(bare.err, "rcmd: socket: Permission denied\n");
	start(&elsewhere, there);
	finish(&elsewhere);
	story_same("rcmd of nobody", &bare, &elsewhere);
	cr_assert(nobody_came(listener));
	served = play(&run, there, listener, GRANTS);
	cr_expect(is_ours(served.from) && is_ours(served.back), "%d, %d", served.from, served.back);
	cr_expect(exited(&run, 0), "%s", run.err);
}

/* --- what is the same, whether a rule concerns it or not --------------------------------------------------- */

static const struct talk {
	const char *word;
	enum answer answer;
	const char *says; /* on standard error */
} talks[] = {
	{ "both", GRANTS, "" },
	{ "one", GRANTS, "" },
	{ "both", REFUSES, "Permission denied.\n" },
	{ "one", REFUSES, "Permission denied.\n" },
	{ "one", HANGS_UP, "rcmd: 127.0.0.1: short read" },
	{ "both", HANGS_UP, "rcmd: 127.0.0.1: short read" },
	{ "both", CALLS_BACK_UNRESERVED, "socket: protocol failure in circuit setup\n" },
};

ParameterizedTestParameters(rsh, talk)
{
	static int index[sizeof(talks) / sizeof(talks[0])];

	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, sizeof(talks) / sizeof(talks[0]));
}

ParameterizedTest(int *index, rsh, talk)
{
	static struct run bare = { .bare = true }, elsewhere = { .policy = ELSEWHERE }, run = { .policy = ALL };
	const struct talk *talk = &talks[*index];
	const char *const there[] = REMOTE("rcmd", "127.0.0.1", "514", talk->word, NULL);
	int listener = server_tcp("127.0.0.1", SHELL_PORT);
	struct served served = play(&bare, there, listener, talk->answer);

	cr_assert_str_eq(bare.err, talk->says);
	served = play(&elsewhere, there, listener, talk->answer);
	cr_expect(is_reserved(served.from) && (!served.back || is_reserved(served.back)), "%d, %d", served.from, served.back);
	story_same(talk->says, &bare, &elsewhere);
	served = play(&run, there, listener, talk->answer);
	cr_expect(is_ours(served.from), "from port %d", served.from);
	story_same(talk->says, &bare, &run);
}

/* Calls that end without a server. */
static const char *const lonely[][6] = {
	REMOTE("bad-family"),
	REMOTE("rcmd", "host.invalid", "514", "one"),
	REMOTE("rcmd", "203.0.113.9", "514", "one"), /* no route */
	REMOTE("rcmd6", "2001:db8::9", "514", "both"),
	REMOTE("rcmdany", "255.255.255.255", "514", "one"),
};

ParameterizedTestParameters(rsh, without_a_server)
{
	static int index[sizeof(lonely) / sizeof(lonely[0])];

	for (size_t i = 0; i < sizeof(lonely) / sizeof(lonely[0]); i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, sizeof(lonely) / sizeof(lonely[0]));
}

ParameterizedTest(int *index, rsh, without_a_server)
{
	static struct run bare = { .bare = true }, elsewhere = { .policy = "[rule e]\nto = 192.0.2.1\nports = 20000\n" };
	static struct run run = { .policy = ALL };

	start(&bare, lonely[*index]);
	finish(&bare);
	start(&elsewhere, lonely[*index]);
	finish(&elsewhere);
	story_same(lonely[*index][1], &bare, &elsewhere);
	start(&run, lonely[*index]);
	finish(&run);
	story_same(lonely[*index][1], &bare, &run);
}

/* --- from address to address, and with patience --------------------------------------------------------------- */

/* A name with two addresses; a server on the second. */
static void two_addresses(void)
{
	const char *hosts = file_make("hosts", "127.0.0.2 two\n127.0.0.3 two\n");

	cr_assert(mount(hosts, "/etc/hosts", NULL, MS_BIND, NULL) == 0, "/etc/hosts: %s", strerror(errno));
}

Test(rsh, two_addresses)
{
	static struct run bare = { .bare = true }, elsewhere = { .policy = ELSEWHERE }, run = { .policy = ALL };
	const char *const there[] = REMOTE("rcmd", "two", "514", "both", NULL);
	int listener = server_tcp("127.0.0.3", SHELL_PORT);
	struct served served;

	two_addresses();
	served = play(&bare, there, listener, GRANTS);
	cr_assert_str_eq(bare.err, "connect to address 127.0.0.2: Connection refused\nTrying 127.0.0.3...\n");
	served = play(&elsewhere, there, listener, GRANTS);
	cr_expect(is_reserved(served.from) && is_reserved(served.back), "%d, %d", served.from, served.back);
	story_same("two addresses", &bare, &elsewhere);
	served = play(&run, there, listener, GRANTS);
	cr_expect(is_ours(served.from) && is_ours(served.back), "%d, %d", served.from, served.back);
	story_same("two addresses", &bare, &run);
}

/* Until the program sleeps, as the kernel has it. */
static void wait_until_asleep(pid_t pid)
{
	const struct timespec moment = { 0, 2 * 1000 * 1000 };
	char path[64], line[64];
	int number = -1;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (int left = DEADLINE_MS / 2; number != SYS_ppoll && number != SYS_clock_nanosleep; left--) {
		FILE *file = fopen(path, "re");

		cr_assert(file && left > 0, "it does not sleep");
		number = fgets(line, sizeof(line), file) && sscanf(line, "%d", &number) == 1 ? number : -1;
		fclose(file);
		nanosleep(&moment, NULL);
	}
}

/* A server that refuses may be about to start: a second later it is asked again. */
static void start_late(struct run *run, bool ruled)
{
	const char *const there[] = REMOTE("rcmd", "127.0.0.1", "514", "one", NULL);
	struct served served;
	int listener;

	start(run, there);
	wait_until_asleep(run->pid);
	listener = server_tcp("127.0.0.1", SHELL_PORT);
	served = serve(listener, GRANTS);
	cr_expect(ruled ? is_ours(served.from) : is_reserved(served.from), "from port %d", served.from);
	finish(run);
	close(listener);
}

Test(rsh, server_that_starts_late)
{
	static struct run bare = { .bare = true }, run = { .policy = ALL };

	start_late(&bare, false);
	start_late(&run, true);
	cr_assert(exited(&bare, 0), "%s", bare.err);
	story_same("a late server", &bare, &run);
}

/* --- when there is no port ---------------------------------------------------------------------------------- */

Test(rsh, used_up)
{
	const char *const there[] = REMOTE("rcmd", "127.0.0.1", "514", "both", NULL);
	const char *const reserve[] = REMOTE("rresvport", "1000", NULL);
	static struct run run = { .policy = "[rule rsh]\nports = 20000\n" };
	int listener = server_tcp("127.0.0.1", SHELL_PORT), holder = server_tcp("0.0.0.0", 20000);

	start(&run, there);
	finish(&run);
	cr_expect_str_eq(run.err, "rcmd: socket: All ports in use\n");
	cr_expect_str_eq(run.out, "rcmd = -1\n");
	start(&run, reserve);
	finish(&run);
	cr_expect_str_eq(run.out, "rresvport = -1 EAGAIN\n");
	cr_expect(nobody_came(listener));
	close(holder);
}

Test(rsh, used_up_and_passed)
{
	const char *const there[] = REMOTE("rcmd", "127.0.0.1", "514", "both", NULL);
	static struct run run = { .policy = "[rule rsh]\nports = 20000\nexhausted = pass\n" };
	int listener = server_tcp("127.0.0.1", SHELL_PORT), holder = server_tcp("0.0.0.0", 20000);
	struct served served = play(&run, there, listener, GRANTS);

	cr_expect(is_reserved(served.from) && is_reserved(served.back), "%d, %d", served.from, served.back);
	cr_expect(exited(&run, 0), "%s", run.err);
	close(holder);
}

/* The connection has the only port: its second one cannot be had, and libc says nothing of that. */
Test(rsh, one_port_is_not_enough)
{
	const char *const there[] = REMOTE("rcmd", "127.0.0.1", "514", "both", NULL);
	static struct run run = { .policy = "[rule rsh]\nports = 20000\n" };
	int fd, listener = server_tcp("127.0.0.1", SHELL_PORT);

	start(&run, there);
	cr_expect_eq(server_accept(listener, &fd), 20000);
	finish(&run);
	cr_expect_str_eq(run.out, "rcmd = -1\n");
	cr_expect_str_empty(run.err);
	close(fd);
}

/* It waits as connect() does, where the rule says so. */
Test(rsh, waits_for_a_port)
{
	const char *const there[] = REMOTE("rcmd", "127.0.0.1", "514", "one", NULL);
	static struct run run = { .policy = "[rule rsh]\nports = 20000\nexhausted = wait 30s\n" };
	int listener = server_tcp("127.0.0.1", SHELL_PORT), holder = server_tcp("0.0.0.0", 20000);

	start(&run, there);
	wait_until_asleep(run.pid);
	close(holder);
	cr_expect_eq(serve(listener, GRANTS).from, 20000);
	finish(&run);
	cr_expect(exited(&run, 0), "%s", run.err);
}

Test(rsh, denied)
{
	const char *const there[] = REMOTE("rcmd", "127.0.0.1", "514", "both", NULL);
	static struct run run = { .policy = "[rule rsh]\nto = 127.0.0.1:514\naction = deny\n" };
	int listener = server_tcp("127.0.0.1", SHELL_PORT);

	start(&run, there);
	finish(&run);
	cr_expect_str_eq(run.err, "127.0.0.1: Operation not permitted\n");
	cr_expect(nobody_came(listener));
}

/* --- rresvport ------------------------------------------------------------------------------------------------ */

static void reserve(struct run *run, const char *how, const char *from)
{
	const char *const argv[] = REMOTE(how, from, NULL);

	start(run, argv);
	finish(run);
	cr_assert(exited(run, 0), "%s%s", run->out, run->err);
	cr_expect_eq(port_of(run, "name"), port_of(run, "told"), "%s", run->out);
}

Test(rsh, rresvport)
{
	static struct run bare = { .bare = true }, elsewhere = { .policy = ELSEWHERE }, run = { .policy = ALL };
	static const char *const how[] = { "rresvport", "rresvport6" }, *const from[] = { "700", "5", "60000" };

	for (int i = 0; i < 6; i++) {
		reserve(&bare, how[i % 2], from[i / 2]);
		cr_assert(is_reserved(port_of(&bare, "name")));
		reserve(&elsewhere, how[i % 2], from[i / 2]);
		story_same(from[i / 2], &bare, &elsewhere);
		reserve(&run, how[i % 2], from[i / 2]);
		cr_expect(is_ours(port_of(&run, "name")), "%s", run.out);
	}
}

/* Ports that are taken are passed over, downwards and round. */
Test(rsh, rresvport_goes_round)
{
	static struct run bare = { .bare = true }, elsewhere = { .policy = ELSEWHERE };
	int first = server_tcp("0.0.0.0", 513), second = server_tcp("0.0.0.0", 512);

	reserve(&bare, "rresvport", "513");
	cr_expect_eq(port_of(&bare, "name"), 1023);
	reserve(&elsewhere, "rresvport", "513");
	story_same("rresvport", &bare, &elsewhere);
	close(first);
	close(second);
}
