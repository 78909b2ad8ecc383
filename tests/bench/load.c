/* load.c - one load of calls, and what it cost this process: the benchmark's and the system-call counts' workload.
 *
 * `load HOW COUNT ADDRESS PORT [LO HI]` prints the CPU time (user and system) per call in nanoseconds.
 *   connect        socket, connect, reset and close: as the program does it, nothing more
 *   connect-late   the same with IP_LOCAL_PORT_RANGE set by hand to one port of LO..HI
 *   connect-early  the same with bind() by hand to one port of LO..HI
 *   sendto         datagrams to an address from one socket
 * The first call is left out: what a program does once (reading the policy, binding the socket) is not its steady state.
 * The ports by hand are walked in a scattered order, so that none is used again at once. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define IP_LOCAL_PORT_RANGE_OPTION 51

enum how { CONNECT, CONNECT_LATE, CONNECT_EARLY, SENDTO };

static const char *const names[] = { "connect", "connect-late", "connect-early", "sendto" };

static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int hand_port(int fd, enum how how, uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	uint32_t range = (uint32_t)port << 16 | port;

	if (how == CONNECT_LATE)
		return setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE_OPTION, &range, sizeof(range));
	if (how == CONNECT_EARLY)
		return bind(fd, (struct sockaddr *)&name, sizeof(name));
	return 0;
}

static void one_connect(enum how how, const struct sockaddr_in *to, uint16_t port)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || hand_port(fd, how, port) < 0)
		fail("port");
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		fail("connect");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void one_send(int fd, const struct sockaddr_in *to)
{
	if (sendto(fd, "x", 1, 0, (const struct sockaddr *)to, sizeof(*to)) != 1)
		fail("sendto");
}

static double cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return ((double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec) * 1e9 +
	       ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) * 1e3;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	long count, lo, size;
	enum how how = CONNECT;
	double before = 0;
	int sink;

	if (argc < 5)
		return 2;
	while (strcmp(argv[1], names[how]) != 0)
		if (how++ == SENDTO)
			return 2;
	count = atol(argv[2]);
	inet_pton(AF_INET, argv[3], &to.sin_addr);
	to.sin_port = htons((uint16_t)atoi(argv[4]));
	lo = argc > 6 ? atol(argv[5]) : 1;
	size = argc > 6 ? atol(argv[6]) - lo + 1 : 1;
	sink = socket(AF_INET, SOCK_DGRAM, 0);
	for (long i = 0; i <= count; i++) {
		if (how == SENDTO)
			one_send(sink, &to);
		else
			one_connect(how, &to, (uint16_t)(lo + i * 7919 % size));
		if (i == 0)
			before = cpu_ns();
	}
	printf("%.1f\n", (cpu_ns() - before) / (double)count);
	return 0;
}
