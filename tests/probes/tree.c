/* tree.c - `tree PROCESSES THREADS LO HI PORT`: a tree of so many processes, each the parent of two further ones; each of the
 * threads of each connects once, and keeps what it has until all have tried. Prints how many were had, how many left from
 * outside LO-HI, how many found no port and how many failed otherwise. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_THREADS 16

static struct {
	_Atomic int had, outside, no_port, failed;
} *sum;

static int processes, threads, lo, hi, port;

static void *connect_once(void *unused)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM, 0), from;

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&name, len) < 0) {
		if (errno == EADDRNOTAVAIL)
			sum->no_port++;
		else
			sum->failed++;
		return NULL;
	}
	getsockname(fd, (struct sockaddr *)&name, &len);
	from = ntohs(name.sin_port);
	sum->outside += from < lo || from > hi;
	sum->had++;
	return unused;
}

static void connect_all(void)
{
	pthread_t thread[MAX_THREADS];

	for (int i = 1; i < threads; i++)
		pthread_create(&thread[i], NULL, connect_once, NULL);
	connect_once(NULL);
	for (int i = 1; i < threads; i++)
		pthread_join(thread[i], NULL);
}

static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* killed before that */
}

/* The first process and, below it, all others: the `at`th is the parent of those at 2 at + 1 and 2 at + 2. The pipe's end is
 * the sign to go. */
static void grow(const int go[2])
{
	char byte;

	for (int at = 0, child = 1; child <= 2 * at + 2 && child < processes; child++) {
		pid_t self = getpid();

		if (fork() == 0) {
			die_with(self);
			at = child;
			child = 2 * at;
		}
	}
	close(go[1]);
	connect_all();
	if (read(go[0], &byte, 1) != 0)
		_exit(1);
	while (wait(NULL) > 0)
		;
	_exit(0);
}

int main(int argc, char **argv)
{
	int go[2], tried = 0;
	pid_t self = getpid();

	if (argc != 6 || pipe(go) < 0)
		return 2;
	processes = atoi(argv[1]);
	threads = atoi(argv[2]);
	lo = atoi(argv[3]);
	hi = atoi(argv[4]);
	port = atoi(argv[5]);
	if (threads < 1 || threads > MAX_THREADS)
		return 2;
	sum = mmap(NULL, sizeof(*sum), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fork() == 0) {
		die_with(self);
		grow(go);
	}
	while (tried < processes * threads) {
		usleep(1000);
		tried = sum->had + sum->no_port + sum->failed;
	}
	close(go[0]);
	close(go[1]);
	while (wait(NULL) > 0)
		;
	printf("had %d\noutside %d\nno port %d\nfailed %d\n", sum->had, sum->outside, sum->no_port, sum->failed);
	return 0;
}
