/* stand.c - a program that shows how it stands among processes, signals and terminals: `stand VERB ARGUMENT...`
 *
 * show            all that a program is given by whoever starts it
 * exit N          ends with this code
 * die N           dies of this signal, which it has asked for itself
 * hear            says "ready" and its number, then prints each signal that it gets, until standard input ends
 * stop N          stops itself by this signal; prints "gone on" when it goes on
 * orphans N       leaves N orphans that end at once, and waits for the last of them
 * daemon          leaves a process of a session of its own that ends when standard input does, and ends itself
 * connect         says "ready" and its number, then for each line calls connect() to a Unix socket that is not there,
 *                 and prints the error */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void show_signals(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		if ((strncmp(line, "Sig", 3) == 0 && line[3] != 'Q') || strncmp(line, "Shd", 3) == 0 || strncmp(line, "Umask", 5) == 0 ||
		    strncmp(line, "Threads", 7) == 0)
			fputs(line, stdout);
	fclose(status);
}

/* All descriptors below 1024, what they are and how. */
static void show_descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		char path[64], target[512];
		ssize_t n;

		if (fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target));
		printf("descriptor %d %.*s %x %x\n", fd, n < 0 ? 0 : (int)n, target, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	}
}

static void show_limits(void)
{
	for (int which = 0; which < RLIM_NLIMITS; which++) {
		struct rlimit limit;

		getrlimit(which, &limit);
		printf("limit %d %lu %lu\n", which, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
	}
}

static void show_timers(void)
{
	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
		struct itimerval timer;

		getitimer(which, &timer);
		printf("timer %d %s %ld\n", which, timer.it_value.tv_sec ? "runs" : "none", (long)timer.it_interval.tv_sec);
	}
}

static void show(char **argv)
{
	char folder[512];
	int subreaper = -1, death = -1;

	show_descriptors();
	show_signals();
	show_limits();
	show_timers();
	prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
	prctl(PR_GET_PDEATHSIG, &death);
	printf("folder %s\nmask %o\nnice %d\ngroup %d\nsession %d\nterminal %d\nids %d %d %d %d\n", getcwd(folder, 512),
	       umask(0), getpriority(PRIO_PROCESS, 0), getpgrp(), getsid(0), tcgetpgrp(0), getuid(), geteuid(), getgid(),
	       getegid());
	printf("subreaper %d dumpable %d keepcaps %d death %d\n", subreaper, prctl(PR_GET_DUMPABLE),
	       prctl(PR_GET_KEEPCAPS), death);
	for (int i = 0; argv[i]; i++)
		printf("argument %s\n", argv[i]);
	for (int i = 0; environ[i]; i++)
		if (environ[i][0] != '_') /* the shell's */
			printf("variable %s\n", environ[i]);
}

static void die(int signal_number)
{
	sigset_t none;

	sigemptyset(&none);
	signal(signal_number, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	raise(signal_number);
}

static int hear(void)
{
	struct pollfd fds[2] = { { .fd = 0, .events = POLLIN } };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	fds[1] = (struct pollfd){ .fd = signalfd(-1, &all, SFD_CLOEXEC), .events = POLLIN };
	printf("ready %d\n", getpid());
	for (;;) {
		struct signalfd_siginfo it;

		poll(fds, 2, -1);
		if (!fds[1].revents)
			return 0;
		if (read(fds[1].fd, &it, sizeof(it)) != sizeof(it))
			return 1;
		printf("signal %u code %d value %d\n", it.ssi_signo, it.ssi_code, it.ssi_code == SI_QUEUE ? it.ssi_int : 0);
	}
}

/* Each child leaves one of its own; the pipe's end says that all have come to theirs. */
static int orphans(int n)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return 1;
	for (int i = 0; i < n; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(fork() == 0 ? i % 256 : 0);
		waitpid(child, NULL, 0);
	}
	close(ends[1]);
	return read(ends[0], &byte, 1) == 0 ? 0 : 1;
}

static int leave_daemon(void)
{
	char byte;
	pid_t child = fork();

	if (child != 0)
		return 0;
	setsid();
	printf("daemon %d\n", getpid());
	close(1);
	close(2);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

static int connect_in_vain(void)
{
	char line[16];

	printf("ready %d\n", getpid());
	while (fgets(line, sizeof(line), stdin)) {
		struct sockaddr_un nobody = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/socket" };
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		printf("%s\n", strerrorname_np(connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)) == 0 ? 0 : errno));
		close(fd);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "show";
	int number = argc > 2 ? atoi(argv[2]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(verb, "show") == 0)
		show(argv);
	else if (strcmp(verb, "exit") == 0)
		return number;
	else if (strcmp(verb, "die") == 0)
		die(number);
	else if (strcmp(verb, "hear") == 0)
		return hear();
	else if (strcmp(verb, "stop") == 0)
		return raise(number) == 0 && puts("gone on") >= 0 ? 0 : 1;
	else if (strcmp(verb, "orphans") == 0)
		return orphans(number);
	else if (strcmp(verb, "daemon") == 0)
		return leave_daemon();
	else if (strcmp(verb, "connect") == 0)
		return connect_in_vain();
	else
		return 2;
	return 0;
}
