/* test_ask.c - what the kernel answers about one connection, and about all sockets. */
#define _GNU_SOURCE
#include "tests/unit/asking.h"

#include <dirent.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/policy.h"
#include "shim/kernel.h"

TestSuite(ask, .init = net_own, .timeout = 120);

enum { BOUND_ONLY = TCP_CLOSE }; /* asked for as state 13 (TCP_BOUND_INACTIVE), told of as 7 */
#define NOBODY 65534

#define EXPECT_TUPLE(from, port, to, to_port, interface, expected) do {                                            \
	const struct endpoint local_ = endpoint(from, port), remote_ = endpoint(to, to_port);                      \
	enum tuple saw_ = ask_tuple(&local_, &remote_, interface);                                                 \
	cr_expect_eq(saw_, expected, "%s %d -> %s %d: %d", from, (int)(port), to, (int)(to_port), saw_);           \
} while (0)

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

/* --- one connection -------------------------------------------------------------------------------------- */

Test(ask, tuple_of_a_connection)
{
	int server = server_tcp("127.0.0.1", 5000), fd;

	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, 0, TUPLE_FREE);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);
	server_accept(server, &fd);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, 0, TUPLE_LIVE);
	EXPECT_TUPLE("127.0.0.1", 5000, "127.0.0.1", 20000, 0, TUPLE_LIVE);
	EXPECT_TUPLE("127.0.0.2", 20000, "127.0.0.1", 5000, 0, TUPLE_FREE);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.2", 5000, 0, TUPLE_FREE);
	EXPECT_TUPLE("127.0.0.1", 20001, "127.0.0.1", 5000, 0, TUPLE_FREE);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5001, 0, TUPLE_FREE);
}

/* A connection is live until both sides are through with it, and then the first to close it rests. */
Test(ask, tuple_of_a_connection_that_ends)
{
	int server = server_tcp("127.0.0.1", 5000), fd;
	int client = connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);

	server_accept(server, &fd);
	close(client);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, 0, TUPLE_LIVE);
	EXPECT_TUPLE("127.0.0.1", 5000, "127.0.0.1", 20000, 0, TUPLE_LIVE);
	close(fd);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, 0, TUPLE_TIME_WAIT);
	EXPECT_TUPLE("127.0.0.1", 5000, "127.0.0.1", 20000, 0, TUPLE_FREE);
}

Test(ask, tuple_on_a_port_that_others_have)
{
	bound_socket(SOCK_STREAM, "127.0.0.1", 20000);
	server_tcp("0.0.0.0", 20001);
	server_tcp("127.0.0.1", 20002);
	server_tcp("::", 20003);
	for (uint16_t port = 20000; port <= 20003; port++)
		EXPECT_TUPLE("127.0.0.1", port, "127.0.0.1", 5000, 0, TUPLE_FREE);
	EXPECT_TUPLE("::1", 20003, "::1", 5000, 0, TUPLE_FREE);
}

Test(ask, tuple_v4_mapped)
{
	server_tcp("127.0.0.1", 5000);
	connected_socket(SOCK_STREAM, "::ffff:127.0.0.1", 20000, "::ffff:127.0.0.1", 5000);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, 0, TUPLE_LIVE);
	EXPECT_TUPLE("::ffff:127.0.0.1", 20000, "::ffff:127.0.0.1", 5000, 0, TUPLE_LIVE);
}

Test(ask, tuple_ipv6)
{
	int server = server_tcp("::1", 5000);
	int client = connected_socket(SOCK_STREAM, "::1", 20000, "::1", 5000);

	EXPECT_TUPLE("::1", 20000, "::1", 5000, 0, TUPLE_LIVE);
	EXPECT_TUPLE("::1", 20001, "::1", 5000, 0, TUPLE_FREE);
	EXPECT_TUPLE("2001:db8::1", 20000, "::1", 5000, 0, TUPLE_FREE);
	leave_in_time_wait(client, server);
	EXPECT_TUPLE("::1", 20000, "::1", 5000, 0, TUPLE_TIME_WAIT);
	EXPECT_TUPLE("::1", 20000, "127.0.0.1", 5000, 0, TUPLE_UNKNOWN);
	EXPECT_TUPLE("127.0.0.1", 20000, "::1", 5000, 0, TUPLE_UNKNOWN);
}

/* Who asks sees the sockets of all users. */
Test(ask, tuple_of_another_user)
{
	const struct endpoint local = endpoint("127.0.0.1", 20000), remote = endpoint("127.0.0.1", 5000);
	int status;
	pid_t child;

	server_tcp("127.0.0.1", 5000);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);
	child = fork();
	if (child == 0)
		_exit(setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ? 100 : ask_tuple(&local, &remote, 0));
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == TUPLE_LIVE, "%d", WEXITSTATUS(status));
}

/* A socket that is bound to an interface shares a 4-tuple with one that is not, and is not in its way. */
Test(ask, tuple_by_interface)
{
	int lo = (int)if_nametoindex("lo"), fd;

	server_tcp("127.0.0.1", 5000);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);
	fd = bound_socket(SOCK_STREAM, "127.0.0.1", 20001);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	connect_it(fd, "127.0.0.1", 5000);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, 0, TUPLE_LIVE);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, lo, TUPLE_LIVE);
	EXPECT_TUPLE("127.0.0.1", 20001, "127.0.0.1", 5000, lo, TUPLE_LIVE);
	EXPECT_TUPLE("127.0.0.1", 20001, "127.0.0.1", 5000, 0, TUPLE_FREE);
	EXPECT_TUPLE("127.0.0.1", 20001, "127.0.0.1", 5000, lo + 1, TUPLE_FREE);
}

Test(ask, tuple_in_another_namespace)
{
	server_tcp("127.0.0.1", 5000);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, 0, TUPLE_FREE);
}

Test(ask, tuple_without_descriptors_is_unknown)
{
	const struct endpoint local = endpoint("127.0.0.1", 20000), remote = endpoint("127.0.0.1", 5000);
	struct rlimit limit = descriptors_none();
	enum tuple saw = ask_tuple(&local, &remote, 0);

	descriptors_again(limit);
	cr_expect_eq(saw, TUPLE_UNKNOWN);
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, 0, TUPLE_FREE);
	kernel_forgo_questions();
	EXPECT_TUPLE("127.0.0.1", 20000, "127.0.0.1", 5000, 0, TUPLE_UNKNOWN);
}

/* --- all of them ------------------------------------------------------------------------------------------- */

static struct heard { struct asked *socket; size_t n, room; } heard;

static void hear(void *context, const struct asked *socket)
{
	cr_assert_eq(context, &heard);
	if (heard.n == heard.room) {
		heard.room = heard.room ? heard.room * 2 : 64;
		heard.socket = realloc(heard.socket, heard.room * sizeof(*heard.socket));
		cr_assert_not_null(heard.socket);
	}
	heard.socket[heard.n++] = *socket;
}

static int ask_for(uint8_t protocol, uint16_t lo, uint16_t hi, const struct endpoint *to)
{
	static _Alignas(16) char buffer[ASK_BUFFER_SIZE];
	const struct ask_what what = { .protocol = protocol, .ports = { lo, hi }, .to = to };

	heard.n = 0;
	return ask_all(&what, buffer, hear, &heard);
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && a->addr.hi == b->addr.hi && a->addr.lo == b->addr.lo &&
	       a->addr.family == b->addr.family;
}

/* The only socket that was told of with this port; with the state and the other end ("": none) that it must have. */
static const struct asked *told(uint16_t port, uint8_t state, const char *local, const char *remote,
                                uint16_t remote_port)
{
	const struct asked *found = NULL;

	for (size_t i = 0; i < heard.n; i++) {
		if (heard.socket[i].local.port != port)
			continue;
		cr_assert_null(found, "port %u twice", port);
		found = &heard.socket[i];
	}
	cr_assert_not_null(found, "port %u", port);
	cr_expect_eq(found->state, state, "port %u: state %u", port, found->state);
	struct endpoint mine = endpoint(local, port), other = endpoint(remote, remote_port);
	cr_expect(same(&found->local, &mine), "port %u: family %u", port, found->local.addr.family);
	cr_expect(same(&found->remote, &other), "port %u: to port %u", port, found->remote.port);
	return found;
}

static uint64_t inode_of(int fd)
{
	struct stat about;

	cr_assert_eq(fstat(fd, &about), 0);
	return about.st_ino;
}

Test(ask, all_of_tcp)
{
	int server = server_tcp("127.0.0.1", 5000), server6 = server_tcp("::1", 5000), fd;
	int v4, mapped, v6;

	cr_assert_eq(ask_for(PROTOCOL_TCP, 20000, 20099, NULL), 0);
	cr_expect_eq(heard.n, 0);
	v4 = connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);
	server_accept(server, &fd);
	mapped = connected_socket(SOCK_STREAM, "::ffff:127.0.0.1", 20001, "::ffff:127.0.0.1", 5000);
	server_accept(server, &fd);
	v6 = connected_socket(SOCK_STREAM, "::1", 20002, "::1", 5000);
	leave_in_time_wait(connected_socket(SOCK_STREAM, "127.0.0.1", 20003, "127.0.0.1", 5000), server);
	server_accept(server6, &fd);
	leave_in_time_wait(connected_socket(SOCK_STREAM, "::1", 20004, "::1", 5000), server6);
	bound_socket(SOCK_STREAM, "127.0.0.1", 20005);
	bound_socket(SOCK_STREAM, "::", 20006);
	server_tcp("0.0.0.0", 20007);
	server_tcp("::1", 20008);
	cr_assert_eq(ask_for(PROTOCOL_TCP, 20000, 20099, NULL), 0);
	cr_expect_eq(heard.n, 9);
	cr_expect_eq(told(20000, TCP_ESTABLISHED, "127.0.0.1", "127.0.0.1", 5000)->inode, inode_of(v4));
	cr_expect_eq(told(20001, TCP_ESTABLISHED, "127.0.0.1", "127.0.0.1", 5000)->inode, inode_of(mapped));
	cr_expect_eq(told(20002, TCP_ESTABLISHED, "::1", "::1", 5000)->inode, inode_of(v6));
	cr_expect_eq(told(20003, TCP_TIME_WAIT, "127.0.0.1", "127.0.0.1", 5000)->inode, 0);
	cr_expect_eq(told(20004, TCP_TIME_WAIT, "::1", "::1", 5000)->inode, 0);
	told(20005, BOUND_ONLY, "127.0.0.1", "0.0.0.0", 0);
	told(20006, BOUND_ONLY, "::", "::", 0);
	told(20007, TCP_LISTEN, "0.0.0.0", "0.0.0.0", 0);
	told(20008, TCP_LISTEN, "::1", "::", 0);
	for (size_t i = 0; i < heard.n; i++)
		cr_expect_eq(heard.socket[i].protocol, PROTOCOL_TCP);
	cr_assert_eq(ask_for(PROTOCOL_UDP, 1, 65535, NULL), 0);
	cr_expect_eq(heard.n, 0);
}

Test(ask, all_of_udp)
{
	int v4 = bound_socket(SOCK_DGRAM, "127.0.0.1", 20000);

	bound_socket(SOCK_DGRAM, "::", 20001);
	connected_socket(SOCK_DGRAM, "127.0.0.1", 20002, "127.0.0.1", 53);
	connected_socket(SOCK_DGRAM, "::ffff:127.0.0.1", 20003, "::ffff:127.0.0.1", 53);
	connected_socket(SOCK_DGRAM, "::1", 20004, "::1", 53);
	cr_assert_eq(ask_for(PROTOCOL_UDP, 1, 65535, NULL), 0);
	cr_expect_eq(heard.n, 5);
	cr_expect_eq(told(20000, TCP_CLOSE, "127.0.0.1", "0.0.0.0", 0)->inode, inode_of(v4));
	told(20001, TCP_CLOSE, "::", "::", 0);
	told(20002, TCP_ESTABLISHED, "127.0.0.1", "127.0.0.1", 53);
	told(20003, TCP_ESTABLISHED, "127.0.0.1", "127.0.0.1", 53);
	cr_expect_eq(told(20004, TCP_ESTABLISHED, "::1", "::1", 53)->protocol, PROTOCOL_UDP);
	cr_assert_eq(ask_for(PROTOCOL_TCP, 1, 65535, NULL), 0);
	cr_expect_eq(heard.n, 0);
}

/* The listener need not check the bounds: both ports are in. */
Test(ask, all_within_bounds)
{
	static const uint16_t ports[] = { 1, 255, 256, 20000, 20001, 20002, 20255, 20256, 65534, 65535 };
	const size_t n = sizeof(ports) / sizeof(ports[0]);

	for (size_t i = 0; i < n; i++) {
		bound_socket(SOCK_STREAM, "127.0.0.1", ports[i]);
		bound_socket(SOCK_DGRAM, "::1", ports[i]);
	}
	for (int udp = 0; udp < 2; udp++)
		for (size_t lo = 0; lo < n; lo++)
			for (size_t hi = lo; hi < n; hi++) {
				cr_assert_eq(ask_for(udp ? PROTOCOL_UDP : PROTOCOL_TCP, ports[lo], ports[hi], NULL), 0);
				cr_expect_eq(heard.n, hi - lo + 1, "%u-%u: %zu", ports[lo], ports[hi], heard.n);
				for (size_t i = 0; i < heard.n; i++)
					cr_expect(heard.socket[i].local.port >= ports[lo] &&
					          heard.socket[i].local.port <= ports[hi]);
			}
}

Test(ask, all_to_one_destination)
{
	const struct endpoint to = endpoint("127.0.0.1", 5000), to6 = endpoint("::1", 5000);

	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 5001);
	server_tcp("127.0.0.2", 5000);
	server_tcp("::1", 5000);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20001, "127.0.0.1", 5001);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20002, "127.0.0.2", 5000);
	connected_socket(SOCK_STREAM, "::1", 20003, "::1", 5000);
	connected_socket(SOCK_STREAM, "::ffff:127.0.0.1", 20004, "::ffff:127.0.0.1", 5000);
	bound_socket(SOCK_STREAM, "127.0.0.1", 20005);
	server_tcp("0.0.0.0", 20006);
	cr_assert_eq(ask_for(PROTOCOL_TCP, 20000, 20099, &to), 0);
	cr_expect_eq(heard.n, 3);
	told(20000, TCP_ESTABLISHED, "127.0.0.1", "127.0.0.1", 5000);
	told(20004, TCP_ESTABLISHED, "127.0.0.1", "127.0.0.1", 5000);
	told(20006, TCP_LISTEN, "0.0.0.0", "0.0.0.0", 0);
	cr_assert_eq(ask_for(PROTOCOL_TCP, 20000, 20099, &to6), 0);
	cr_expect_eq(heard.n, 2);
	told(20003, TCP_ESTABLISHED, "::1", "::1", 5000);
}

Test(ask, all_with_their_users)
{
	pid_t child;
	int ready[2], status;
	char byte;

	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	bound_socket(SOCK_DGRAM, "127.0.0.1", 20000);
	child = fork();
	if (child == 0) {
		if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(1);
		bound_socket(SOCK_DGRAM, "127.0.0.1", 20001);
		if (write(ready[1], "", 1) != 1)
			_exit(2);
		pause();
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_assert_eq(ask_for(PROTOCOL_UDP, 20000, 20001, NULL), 0);
	cr_expect_eq(told(20000, TCP_CLOSE, "127.0.0.1", "0.0.0.0", 0)->user, 0);
	cr_expect_eq(told(20001, TCP_CLOSE, "127.0.0.1", "0.0.0.0", 0)->user, NOBODY);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

#define MANY 5000

/* The answer is many times the buffer. */
Test(ask, all_of_thousands)
{
	struct rlimit limit;
	static uint8_t times[MANY];
	int server = server_tcp("127.0.0.1", 5000), fd, before;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 2 * MANY + 100;
	limit.rlim_max = limit.rlim_max > limit.rlim_cur ? limit.rlim_max : limit.rlim_cur;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (uint16_t i = 0; i < MANY; i++) {
		connected_socket(SOCK_STREAM, "127.0.0.1", (uint16_t)(20000 + i), "127.0.0.1", 5000);
		server_accept(server, &fd);
	}
	before = descriptors();
	cr_assert_eq(ask_for(PROTOCOL_TCP, 20000, 20000 + MANY - 1, NULL), 0);
	cr_expect_eq(heard.n, MANY);
	for (size_t i = 0; i < heard.n; i++) {
		const struct asked *socket = &heard.socket[i];

		cr_assert(socket->state == TCP_ESTABLISHED && socket->remote.port == 5000);
		cr_assert_geq(socket->local.port, 20000);
		times[socket->local.port - 20000]++;
	}
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(times[i], 1, "port %d: %d times", 20000 + i, times[i]);
	cr_assert_eq(ask_for(PROTOCOL_TCP, 5000, 5000, NULL), 0);
	cr_expect_eq(heard.n, MANY + 1);
	cr_assert_eq(ask_for(PROTOCOL_TCP, 20100, 20100, NULL), 0);
	cr_expect_eq(heard.n, 1);
	cr_expect_eq(descriptors(), before);
}

/* What the kernel has no answer for must not look like an answer that there is nothing. */
Test(ask, all_of_a_protocol_that_the_kernel_does_not_tell)
{
	static const struct { uint8_t bit; int type, protocol; } protocols[] = {
		{ PROTOCOL_SCTP, SOCK_SEQPACKET, 132 },
		{ PROTOCOL_DCCP, 6, 33 },
		{ PROTOCOL_UDPLITE, SOCK_DGRAM, 136 },
	};

	for (int i = 0; i < 3; i++) {
		int before = descriptors();
		int fd = socket(AF_INET, protocols[i].type | SOCK_CLOEXEC, protocols[i].protocol);
		int error = ask_for(protocols[i].bit, 1, 65535, NULL);

		cr_expect_leq(error, 0);
		cr_expect_eq(heard.n, 0);
		if (fd < 0)
			cr_expect_lt(error, 0, "protocol %d is not there: answer %d", protocols[i].protocol, error);
		cr_log_info("protocol %d: socket %d, answer %s", protocols[i].protocol, fd, strerror(-error));
		if (fd >= 0)
			close(fd);
		cr_expect_eq(descriptors(), before);
	}
}

/* --- what stays behind --------------------------------------------------------------------------------------- */

Test(ask, no_descriptor_stays)
{
	const struct endpoint local = endpoint("127.0.0.1", 20000), remote = endpoint("127.0.0.1", 5000);
	int before = descriptors();

	for (int i = 0; i < 50; i++) {
		ask_tuple(&local, &remote, 0);
		cr_assert_eq(ask_for(PROTOCOL_TCP, 1, 65535, NULL), 0);
		cr_assert_eq(ask_for(PROTOCOL_UDP, 1, 65535, NULL), 0);
	}
	cr_expect_eq(descriptors(), before);
}

Test(ask, all_without_descriptors)
{
	struct rlimit limit = descriptors_none();
	int error = ask_for(PROTOCOL_TCP, 1, 65535, NULL);

	descriptors_again(limit);
	cr_expect_eq(error, -EMFILE, "%d", error);
	kernel_forgo_questions();
	cr_expect_eq(ask_for(PROTOCOL_TCP, 1, 65535, NULL), -EPERM);
}
