/* steps.c - one kind of call, made by several processes at once, and how long it takes them: the load of a supervised tree.
 *
 * `steps HOW COUNT PROCESSES ADDRESS PORT` prints wall time in nanoseconds, of one call: from the moment that all processes
 * may go on until the last has made COUNT of them, by the number of all calls.
 *   connect   socket, connect, reset and close
 *   bind      socket, bind to port 0 and close
 *   query     socket, a datagram to an address and close
 *   sendto    a datagram to an address, from one socket for each process
 *   nameless  sendmsg() without an address on one end of a pair (AF_UNIX), and read() at the other
 *   socket    socket and close
 *   getppid, read, write   of /dev/zero and to /dev/null
 * Each makes one before, which is not counted: what is done once is not the steady state. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in to;
static int one = -1, other = -1;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "steps: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(long result, const char *what)
{
	if (result < 0)
		fail(what);
}

/* A SYN can meet what is left of the connection that had the same port a moment ago, and is refused: seldom, and no
 * reason to stop. */
static void step_connect(void)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(fd, "socket");
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 && errno != ECONNREFUSED)
		fail("connect");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void step_bind(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(fd, "socket");
	must(bind(fd, (const struct sockaddr *)&any, sizeof(any)), "bind");
	close(fd);
}

static void send_to(int fd)
{
	must(sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)), "sendto");
}

static void step_query(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	must(fd, "socket");
	send_to(fd);
	close(fd);
}

static void step_sendto(void)
{
	send_to(one);
}

static void step_nameless(void)
{
	struct iovec bytes = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	char byte;

	must(sendmsg(one, &message, 0), "sendmsg");
	must(read(other, &byte, 1), "read");
}

static void step_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(fd, "socket");
	close(fd);
}

static void step_getppid(void)
{
	syscall(SYS_getppid);
}

static void step_read(void)
{
	char byte;

	must(read(one, &byte, 1), "read");
}

static void step_write(void)
{
	must(write(one, "x", 1), "write");
}

static void prepare_sendto(void)
{
	one = socket(AF_INET, SOCK_DGRAM, 0);
}

static void prepare_nameless(void)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "socketpair");
	one = pair[0];
	other = pair[1];
}

static void prepare_read(void)
{
	must(one = open("/dev/zero", O_RDONLY), "/dev/zero");
}

static void prepare_write(void)
{
	must(one = open("/dev/null", O_WRONLY), "/dev/null");
}

static const struct kind {
	const char *name;
	void (*prepare)(void);
	void (*step)(void);
} kinds[] = {
	{ "connect", NULL, step_connect }, { "bind", NULL, step_bind }, { "query", NULL, step_query },
	{ "sendto", prepare_sendto, step_sendto },
	{ "nameless", prepare_nameless, step_nameless }, { "socket", NULL, step_socket },
	{ "getppid", NULL, step_getppid }, { "read", prepare_read, step_read }, { "write", prepare_write, step_write },
};

/* In a child: tells when it is ready; goes on at the end of `gate`. */
static _Noreturn void work(const struct kind *kind, long count, int ready, int gate)
{
	char byte;

	if (kind->prepare)
		kind->prepare();
	kind->step();
	must(write(ready, "", 1), "ready");
	while (read(gate, &byte, 1) > 0)
		;
	while (count-- > 0)
		kind->step();
	_exit(0);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double run(const struct kind *kind, long count, int processes)
{
	int ready[2], gate[2], status;
	double start;
	char byte;

	if (pipe(ready) < 0 || pipe(gate) < 0)
		fail("pipe");
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		must(pid, "fork");
		if (pid == 0) {
			close(gate[1]);
			work(kind, count, ready[1], gate[0]);
		}
	}
	close(ready[1]);
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			fail("a process");
	start = now_ns();
	close(gate[1]);
	while (wait(&status) > 0)
		if (status != 0)
			fail("a process");
	return (now_ns() - start) / (double)(count * processes);
}

int main(int argc, char **argv)
{
	size_t i = 0;

	if (argc != 6)
		return 2;
	while (strcmp(argv[1], kinds[i].name) != 0)
		if (++i == sizeof(kinds) / sizeof(kinds[0]))
			return 2;
	to.sin_family = AF_INET;
	inet_pton(AF_INET, argv[4], &to.sin_addr);
	to.sin_port = htons((uint16_t)atoi(argv[5]));
	printf("%.1f\n", run(&kinds[i], atol(argv[2]), atoi(argv[3])));
	return 0;
}
