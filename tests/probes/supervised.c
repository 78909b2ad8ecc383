/* supervised.c - runs a program under a supervisor that lets every call go on: `supervised COMMAND ARGUMENT...` */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/supervise/front.h"

static int become(void *context)
{
	char **command = context;

	execvp(command[0], command);
	fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

static void serve(int listener, void *context)
{
	(void)context;
	for (;;) {
		struct seccomp_notif call = { .id = 0 };
		struct seccomp_notif_resp answer = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0 && errno != EINTR && errno != ENOENT)
			return;
		answer.id = call.id;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

int main(int argc, char **argv)
{
	struct front front = {
		.wants.kind = { [NOTIFIED_CONNECT] = true, [NOTIFIED_BIND] = true, [NOTIFIED_LISTEN] = true,
		                [NOTIFIED_SENDTO] = true, [NOTIFIED_SENDMSG] = true },
		.become = become,
		.serve = serve,
		.context = argv + 1,
	};

	if (argc < 2)
		return 125;
	return front_run(&front);
}
