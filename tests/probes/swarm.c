/* swarm.c - `swarm MODE PROCESSES THREADS COUNT LO HI PORT...`: each thread of each process connects COUNT times, to the
 * ports of 127.0.0.1 in turn. Each connection is ended when the server has ended it (MODE `eof`), by the client first (`first`),
 * at once without waiting for the server (`close`), or kept until a line comes in (`hold`, after "paused"). Prints how many were had, how many left from outside LO-HI, and
 * how many failed for want of a port or otherwise. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_THREADS 64
#define MAX_PROCESSES 64

static struct {
	_Atomic int had, outside, no_port, failed, last_error, done;
} *sum;

static struct {
	enum { AT_EOF, FIRST, CLOSE, HOLD } mode;
	int processes, threads, count, lo, hi, targets;
	int target[16];
} want;

static int connect_to(int fd, int port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&name, sizeof(name));
}

static void judge(int fd)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	int port = getsockname(fd, (struct sockaddr *)&name, &len) < 0 ? 0 : ntohs(name.sin_port);

	sum->had++;
	/* A reset may have come already: then there is no name any more. */
	if (port && (port < want.lo || port > want.hi))
		sum->outside++;
}

static void end_of(int fd)
{
	char byte;

	if (want.mode == FIRST)
		shutdown(fd, SHUT_WR);
	if (want.mode == AT_EOF || want.mode == FIRST)
		while (read(fd, &byte, 1) > 0)
			;
	if (want.mode != HOLD)
		close(fd);
}

static void *connect_all(void *unused)
{
	(void)unused;
	for (int i = 0; i < want.count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		/* A reset can overtake the return of a connect() that succeeded. */
		if (fd >= 0 && (connect_to(fd, want.target[i % want.targets]) == 0 || errno == ECONNRESET)) {
			judge(fd);
			end_of(fd);
			continue;
		}
		if (errno == EADDRNOTAVAIL) {
			sum->no_port++;
		} else {
			sum->failed++;
			sum->last_error = errno;
		}
		close(fd);
	}
	return NULL;
}

static void run_process(void)
{
	pthread_t thread[MAX_THREADS];
	int started = 0;

	for (; started < want.threads - 1; started++)
		pthread_create(&thread[started], NULL, connect_all, NULL);
	connect_all(NULL);
	for (int i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	sum->done++;
}

static void tell(void)
{
	printf("had %d\noutside %d\nno port %d\nfailed %d\n", sum->had, sum->outside, sum->no_port, sum->failed);
	if (sum->failed)
		printf("error %s\n", strerrorname_np(sum->last_error));
}

static void hold(void)
{
	printf("paused\n");
	fflush(stdout);
	if (getchar() == EOF)
		exit(3);
}

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The processes hold what they have until their pipe is closed. */
static void run_all(void)
{
	pid_t pid[MAX_PROCESSES], parent = getpid();
	int go[2];

	if (pipe(go) < 0)
		exit(2);
	for (int i = 0; i < want.processes; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			char byte;

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != parent)
				_exit(1); /* killed before that */
			close(go[1]);
			run_process();
			_exit(want.mode == HOLD && read(go[0], &byte, 1) != 0);
		}
	}
	while (sum->done < want.processes)
		usleep(1000);
	tell();
	if (want.mode == HOLD)
		hold();
	close(go[1]);
	for (int i = 0; i < want.processes; i++)
		waitpid(pid[i], NULL, 0);
}

int main(int argc, char **argv)
{
	if (argc < 8 || argc > 7 + 16)
		return 2;
	want.mode = strcmp(argv[1], "eof") == 0 ? AT_EOF : strcmp(argv[1], "first") == 0 ? FIRST :
	            strcmp(argv[1], "close") == 0 ? CLOSE : HOLD;
	want.processes = atoi(argv[2]);
	want.threads = atoi(argv[3]);
	want.count = atoi(argv[4]);
	want.lo = atoi(argv[5]);
	want.hi = atoi(argv[6]);
	want.targets = argc - 7;
	if (want.processes < 1 || want.processes > MAX_PROCESSES || want.threads < 1 || want.threads > MAX_THREADS)
		return 2;
	for (int i = 0; i < want.targets; i++)
		want.target[i] = atoi(argv[7 + i]);
	sum = mmap(NULL, sizeof(*sum), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	raise_limit();
	if (want.processes > 1 || want.mode == HOLD) {
		run_all();
	} else {
		run_process();
		tell();
	}
	return 0;
}
