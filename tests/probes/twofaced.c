/* twofaced.c - `twofaced HOW MILLISECONDS THERE ELSEWHERE`: names one port of 127.0.0.1 to whoever looks first and another one
 * to whoever looks again. One thread makes the calls; another one changes what they point to, all the time:
 *   connect   the port in the address: THERE, ELSEWHERE
 *   length    the length of the address: whole, and too short to be one (of sendmsg() with MSG_FASTOPEN)
 *   family    the family in it: IPv4, and none (which disconnects)
 *   bind      the port to bind to: any, ELSEWHERE; then connects to THERE
 * Prints how many calls were made and how many went well; exit status 0 whatever came of them. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *how;
static atomic_bool ended;
static uint16_t there, elsewhere;
static struct sockaddr_in to;
static struct msghdr message;

static bool is(const char *word)
{
	return strcmp(how, word) == 0;
}

/* For some microseconds: about as long as somebody takes who looks twice. */
static void dwell(void)
{
	static unsigned int seed = 1;

	seed = seed * 1103515245 + 12345;
	for (volatile unsigned int left = (seed >> 16) % 4096; left > 0; left--)
		;
}

/* What stands at one place says this, then that. */
static void *change(void *unused)
{
	volatile uint16_t *port = &to.sin_port;
	volatile sa_family_t *family = &to.sin_family;
	volatile socklen_t *length = &message.msg_namelen;

	while (!ended) {
		if (is("family")) {
			*family = AF_UNSPEC;
			dwell();
			*family = AF_INET;
		} else if (is("length")) {
			*length = 4;
			dwell();
			*length = sizeof(to);
		} else if (is("bind")) {
			*port = elsewhere;
			dwell();
			*port = 0;
		} else {
			*port = elsewhere;
			dwell();
			*port = there;
		}
		dwell();
	}
	return unused;
}

static bool bind_and_connect(int fd)
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = there, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0;
}

static bool call(int fd)
{
	if (is("bind"))
		return bind_and_connect(fd);
	if (is("length"))
		return sendmsg(fd, &message, MSG_FASTOPEN | MSG_NOSIGNAL) == 1;
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
}

static int call_once(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), good = call(fd);

	close(fd);
	return good;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct iovec part = { .iov_base = (char[1]){ 'x' }, .iov_len = 1 };
	pthread_t other;
	double end;
	int good = 0, calls = 0;

	if (argc != 5)
		return 2;
	how = argv[1];
	end = seconds() + atoi(argv[2]) / 1000.0;
	there = htons((uint16_t)atoi(argv[3]));
	elsewhere = htons((uint16_t)atoi(argv[4]));
	to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = there, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	message = (struct msghdr){ .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1 };
	pthread_create(&other, NULL, change, NULL);
	for (; seconds() < end; calls++)
		good += call_once();
	ended = true;
	pthread_join(other, NULL);
	printf("calls %d\ngood %d\n", calls, good);
	return 0;
}
