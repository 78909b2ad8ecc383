/* crowd.c - servers for many clients. */
#define _GNU_SOURCE
#include "crowd.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENERS 16

static void take(int epoll, int listener, enum ending ending)
{
	struct linger reset = { .l_onoff = 1 };
	struct epoll_event event = { .events = EPOLLIN };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (ending == CLIENT_CLOSES) {
		event.data.fd = fd;
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
		return;
	}
	if (ending == SERVER_RESETS)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void serve(int epoll, const int *listener, int listeners, enum ending ending)
{
	struct epoll_event event[64];

	for (;;) {
		int n = epoll_wait(epoll, event, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = event[i].data.fd;
			char bytes[256];

			if (fd >= listener[0] && fd <= listener[listeners - 1])
				take(epoll, fd, ending);
			else if (read(fd, bytes, sizeof(bytes)) <= 0)
				close(fd);
		}
	}
}

pid_t crowd_serve(int first, int last, enum ending ending)
{
	int listener[LISTENERS], n = last - first + 1, epoll = epoll_create1(EPOLL_CLOEXEC);
	pid_t pid, parent = getpid();
	struct rlimit limit;

	cr_assert(n <= LISTENERS);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN };

		event.data.fd = listener[i] = server_tcp("0.0.0.0", first + i);
		cr_assert(listen(listener[i], 4096) == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, listener[i], &event) == 0);
	}
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1); /* it has failed before that */
		serve(epoll, listener, n, ending);
	}
	for (int i = 0; i < n; i++)
		close(listener[i]);
	close(epoll);
	return pid;
}

void crowd_end(pid_t server)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

int crowd_count(const struct run *run, const char *word)
{
	const char *line = strstr(run->out, word);

	cr_assert_not_null(line, "no '%s' in %s%s", word, run->out, run->err);
	return atoi(line + strlen(word) + 1);
}
