/* load.c - one load of calls, and what it cost this process: the benchmark's and the system-call counts' workload.
 *
 * `load HOW COUNT ADDRESS PORT [LO HI [OPTION...]]` prints CPU time (user and system) in nanoseconds: of a call; of the
 * first call; of all from the start of the process to the end of the first call.
 *   connect         socket, connect, reset and close: as the program does it, nothing more
 *   connect-late    the same with IP_LOCAL_PORT_RANGE set by hand to one port of LO..HI
 *   connect-early   the same with bind() by hand to one port of LO..HI
 *   connect-shared  the same, and SO_REUSEADDR set behind bind(), so that the port can serve other destinations too
 *   connect-range   the same with IP_LOCAL_PORT_RANGE set by hand to all of LO..HI: the kernel picks
 *   connect-linear  the same with bind() to LO, LO + 1 ... until one is free
 *   connect-random  the same with bind() to ports of LO..HI at random until one is free; as many times as it has ports
 *   sendto          datagrams to an address from one socket
 * Options:
 *   first           a plain close, before the server's: the connection ends in TIME_WAIT, here
 *   full            each call must be told that no port is left
 *   ms=N            ends after so many milliseconds, if that is before COUNT; not before the second call
 *   gate            behind the first call, prints a line and waits for the end of its input
 *   rss             prints the resident memory at the end as well, in KiB
 * The first call is not in the mean: what a program does once (reading the policy, binding the socket) is not its
 * steady state. The ports by hand are walked in a scattered order, so that none is used again at once. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IP_LOCAL_PORT_RANGE_OPTION 51

enum how { CONNECT, LATE, EARLY, SHARED, RANGE, LINEAR, RANDOM, SENDTO, HOWS };

static const char *const names[HOWS] = {
	[CONNECT] = "connect", [LATE] = "connect-late", [EARLY] = "connect-early", [SHARED] = "connect-shared",
	[RANGE] = "connect-range", [LINEAR] = "connect-linear", [RANDOM] = "connect-random", [SENDTO] = "sendto",
};

static enum how how;
static struct sockaddr_in to;
static uint32_t lo = 1, size = 1;
static bool first, full, gate, rss;
static long budget_ms;

static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int bind_port(int fd, uint32_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	return bind(fd, (struct sockaddr *)&name, sizeof(name));
}

static int set_range(int fd, uint32_t from, uint32_t up_to)
{
	uint32_t range = up_to << 16 | from;

	return setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE_OPTION, &range, sizeof(range));
}

static int set_shared(int fd)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t state;

	if (state == 0)
		state = (uint64_t)getpid() << 32 ^ (uint64_t)clock() ^ UINT64_C(0x9e3779b97f4a7c15);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) * n >> 32);
}

/* Binds to one port after the other until one is free. */
static int probe(int fd, bool at_random)
{
	for (uint32_t i = 0; i < size; i++)
		if (bind_port(fd, lo + (at_random ? random_below(size) : i)) == 0)
			return 0;
		else if (errno != EADDRINUSE)
			fail("bind");
	return -1;
}

static int hand_port(int fd, uint32_t port)
{
	switch (how) {
	case LATE:
		return set_range(fd, port, port);
	case EARLY:
		return bind_port(fd, port);
	case SHARED:
		return bind_port(fd, port) < 0 || set_shared(fd) < 0 ? -1 : 0;
	case RANGE:
		return set_range(fd, lo, lo + size - 1);
	case LINEAR:
	case RANDOM:
		return probe(fd, how == RANDOM);
	default:
		return 0;
	}
}

/* A SYN can meet what is left of the connection that had the same port a moment ago, and is refused: seldom, and no
 * reason to stop. */
static void forgive(long i)
{
	static long refused;

	if (errno != ECONNREFUSED || ++refused > 3 + i / 100)
		fail("connect");
}

static void one_connect(long i)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool given, told;

	if (fd < 0)
		fail("socket");
	given = hand_port(fd, lo + (uint32_t)(i * 7919 % size)) == 0 &&
	        connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
	told = !given && (errno == EADDRNOTAVAIL || errno == EADDRINUSE);
	if (full && given)
		fail("a port was left");
	if (!given && told != full)
		forgive(i);
	if (!first)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void one_send(int fd)
{
	if (sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)) != 1)
		fail("sendto");
}

static double ns_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void pass_gate(void)
{
	char c;

	if (write(1, "\n", 1) != 1)
		fail("gate");
	while (read(0, &c, 1) > 0)
		;
}

static long resident_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (status)
		fclose(status);
	return kib;
}

static void options(char **argv)
{
	for (; *argv; argv++) {
		first = first || strcmp(*argv, "first") == 0;
		full = full || strcmp(*argv, "full") == 0;
		gate = gate || strcmp(*argv, "gate") == 0;
		rss = rss || strcmp(*argv, "rss") == 0;
		sscanf(*argv, "ms=%ld", &budget_ms);
	}
}

static void run(long count)
{
	int sink = socket(AF_INET, SOCK_DGRAM, 0);
	double start = ns_of(CLOCK_PROCESS_CPUTIME_ID), began = 0, before = 0, end = 0;
	long i;

	for (i = 0; i <= count; i++) {
		if (how == SENDTO)
			one_send(sink);
		else
			one_connect(i);
		if (i == 0) {
			began = ns_of(CLOCK_PROCESS_CPUTIME_ID);
			if (gate)
				pass_gate();
			end = ns_of(CLOCK_MONOTONIC) + (double)budget_ms * 1e6;
			before = ns_of(CLOCK_PROCESS_CPUTIME_ID);
		} else if (budget_ms && ns_of(CLOCK_MONOTONIC) >= end) {
			i++;
			break;
		}
	}
	if (!gate)
		printf("%.1f %.1f %.1f", (ns_of(CLOCK_PROCESS_CPUTIME_ID) - before) / (double)(i - 1), began - start,
		       began);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	while (strcmp(argv[1], names[how]) != 0)
		if (++how == HOWS)
			return 2;
	to.sin_family = AF_INET;
	inet_pton(AF_INET, argv[3], &to.sin_addr);
	to.sin_port = htons((uint16_t)atoi(argv[4]));
	if (argc > 6) {
		lo = (uint32_t)atol(argv[5]);
		size = (uint32_t)atol(argv[6]) - lo + 1;
		options(argv + 7);
	}
	run(atol(argv[2]));
	if (rss)
		printf(" %ld", resident_kib());
	if (!gate)
		printf("\n");
	return 0;
}
