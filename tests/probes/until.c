/* until.c - connects again and again, to a server on 127.0.0.1.
 *
 * `until port PORT LO HI`: until it leaves from a port of LO-HI, for half a minute at most; prints the port that it left from at last,
 * after "paused" and a line that comes in once the first connection is made.
 * `until threads PORT N LO HI LAST_LO LAST_HI`: N threads do so until a line comes in, and 50 times more, all of which begin after
 * that. Prints how many left from outside LO-HI before, and from outside LAST_LO-LAST_HI after. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
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

#define FURTHER 50
#define MAX_THREADS 64

struct range {
	int lo, hi;
};

static int server;
static struct range before, after;
static atomic_bool last;
static _Atomic int had, outside_before, outside_after, failed;

/* The port that a connection left from; 0: there was none; -1: it was reset before the name could be asked for. */
static int connect_once(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)server) };
	socklen_t len = sizeof(name);
	struct linger reset = { 1, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0, result;

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result = connect(fd, (struct sockaddr *)&name, sizeof(name));
	/* A reset can overtake the return of a connect() that succeeded. */
	if (result == 0 || errno == ECONNRESET)
		port = getsockname(fd, (struct sockaddr *)&name, &len) == 0 && name.sin_port ? ntohs(name.sin_port) : -1;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	return port;
}

static bool is_in(const struct range *range, int port)
{
	return port >= range->lo && port <= range->hi;
}

static void pause_here(void)
{
	puts("paused");
	fflush(stdout);
	if (getchar() == EOF)
		exit(3);
}

static int until_port(void)
{
	const struct timespec moment = { 0, 10 * 1000 * 1000 };
	int port = connect_once();

	printf("first %d\n", port);
	pause_here();
	for (int left = 3000; left > 0 && !is_in(&before, port = connect_once()); left--)
		nanosleep(&moment, NULL);
	printf("last %d\n", port);
	return 0;
}

static void *run_thread(void *unused)
{
	for (int further = FURTHER; further > 0;) {
		bool is_last = atomic_load(&last);
		int port = connect_once();

		further -= is_last;
		if (port == 0)
			failed++;
		else
			had++;
		if (port > 0 && !is_in(is_last ? &after : &before, port))
			(*(is_last ? &outside_after : &outside_before))++;
	}
	return unused;
}

static int until_told(int threads)
{
	pthread_t thread[MAX_THREADS];

	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run_thread, NULL) != 0)
			return 2;
	pause_here();
	atomic_store(&last, true);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("had %d\nfailed %d\noutside before %d\noutside after %d\n", had, failed, outside_before, outside_after);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "port") == 0) {
		server = atoi(argv[2]);
		before = (struct range){ atoi(argv[3]), atoi(argv[4]) };
		return until_port();
	}
	if (argc != 8 || strcmp(argv[1], "threads") != 0 || atoi(argv[3]) > MAX_THREADS)
		return 2;
	server = atoi(argv[2]);
	before = (struct range){ atoi(argv[4]), atoi(argv[5]) };
	after = (struct range){ atoi(argv[6]), atoi(argv[7]) };
	return until_told(atoi(argv[3]));
}
