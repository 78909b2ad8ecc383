/* bench.c - what portshim costs, against the bare program and against the same system calls made by hand.
 *
 * `bench BUILD [ROUNDS]`. Everything is measured in one run: each round runs every way once, one after the other, and the
 * order turns from round to round; the table shows the medians over the rounds, and ratios of those in the same round.
 * It runs in a network namespace of its own, with a server of its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 101
#define CONNECTS "3000"
#define SENDS "100000"

struct way {
	const char *what, *how, *count, *policy; /* policy: PORTSHIM_PORTS; NULL: bare */
	int base, hand;                          /* rows that this one is compared with; -1: none */
	const char *lo, *hi;
	double ns[ROUNDS_MAX];
};

static struct way ways[] = {
	{ "connect+close, bare", "connect", CONNECTS, NULL, -1, -1, "0", "0", { 0 } },
	{ "connect+close, late, by hand", "connect-late", CONNECTS, NULL, 0, -1, "40000", "40999", { 0 } },
	{ "connect+close, late, portshim", "connect", CONNECTS, "40000-40999", 0, 1, "0", "0", { 0 } },
	{ "connect+close, early, by hand", "connect-early", CONNECTS, NULL, 0, -1, "20000", "20999", { 0 } },
	{ "connect+close, early, portshim", "connect", CONNECTS, "20000-20999", 0, 3, "0", "0", { 0 } },
	{ "sendto on a bound socket, bare", "sendto", SENDS, NULL, -1, -1, "0", "0", { 0 } },
	{ "sendto on a bound socket, portshim", "sendto", SENDS, "20000-20999", 5, 5, "0", "0", { 0 } },
};

#define WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

static void fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void own_network(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd;

	if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0)
		fail("network namespace");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		fail("lo");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail("lo");
	close(fd);
}

static void bind_any(int fd, struct sockaddr_in *name)
{
	socklen_t len = sizeof(*name);

	*name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(5000) };
	name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)name, len) < 0)
		fail("bind");
}

/* A process that takes what comes, until its parent ends. */
static pid_t serve(void)
{
	struct sockaddr_in name;
	int listener = socket(AF_INET, SOCK_STREAM, 0), sink = socket(AF_INET, SOCK_DGRAM, 0);
	pid_t pid;

	bind_any(listener, &name);
	bind_any(sink, &name);
	listen(listener, 4096);
	pid = fork();
	if (pid != 0) {
		close(listener);
		close(sink);
		return pid;
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(0);
		close(fd);
	}
}

static double measure(const char *build, const struct way *way)
{
	char program[512], library[512], text[64] = "";
	int out[2], status;
	pid_t pid = -1;

	snprintf(program, sizeof(program), "%s/tests/bench/load", build);
	snprintf(library, sizeof(library), "%s/libportshim.so", build);
	if (pipe(out) < 0 || (pid = fork()) < 0)
		fail("fork");
	if (pid == 0) {
		dup2(out[1], 1);
		if (way->policy) {
			setenv("LD_PRELOAD", library, 1);
			setenv("PORTSHIM_PORTS", way->policy, 1);
		}
		execl(program, program, way->how, way->count, "127.0.0.1", "5000", way->lo, way->hi, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	if (read(out[0], text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	close(out[0]);
	waitpid(pid, &status, 0);
	if (status != 0)
		fail(way->what);
	return atof(text);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, int n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, (size_t)n * sizeof(double));
	qsort(sorted, (size_t)n, sizeof(double), compare);
	return sorted[n / 2];
}

static void print_ratio(const struct way *way, int to, int rounds)
{
	double ratio[ROUNDS_MAX];

	if (to < 0) {
		printf("%12s", "");
		return;
	}
	for (int i = 0; i < rounds; i++)
		ratio[i] = way->ns[i] / ways[to].ns[i];
	printf("%12.3f", median(ratio, rounds));
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 41;
	pid_t server;

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	own_network();
	server = serve();
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < WAYS; i++) {
			struct way *way = &ways[(i + round) % WAYS];

			way->ns[round] = measure(argv[1], way);
		}
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	printf("%-38s%12s%12s%12s\n", "", "CPU us", "to bare", "to by hand");
	for (int i = 0; i < WAYS; i++) {
		printf("%-38s%12.2f", ways[i].what, median(ways[i].ns, rounds) / 1000);
		print_ratio(&ways[i], ways[i].base, rounds);
		print_ratio(&ways[i], ways[i].hand, rounds);
		printf("\n");
	}
	return 0;
}
