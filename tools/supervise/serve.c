/* serve.c - the supervisor's threads. */
#define _GNU_SOURCE
#include "tools/supervise/serve.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/supervise/carry.h"

#ifndef SECCOMP_USER_NOTIF_FLAG_CONTINUE
#define SECCOMP_USER_NOTIF_FLAG_CONTINUE 1
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64) /* Linux 6.6 */
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1
#endif

#define STACK_SIZE ((size_t)256 * 1024)
#define LISTEN_MOST 4  /* threads that wait for notifications; more end */

static int listener;
static size_t notification_size, answer_size; /* of this kernel, which may know more fields */
static atomic_int listening;

/* 0: one was taken; else the thread has nothing to do any more. */
static int take(struct seccomp_notif *notification)
{
	for (;;) {
		memset(notification, 0, notification_size);
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notification) == 0)
			return 0;
		if (errno != EINTR && errno != ENOENT) /* ENOENT: whose call it was is gone */
			return -errno;
	}
}

/* Who is gone meanwhile needs no answer. */
static void answer(struct seccomp_notif_resp *to, uint64_t id, const struct verdict *verdict)
{
	memset(to, 0, answer_size);
	to->id = id;
	if (verdict->go_on) {
		to->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	} else {
		to->error = verdict->error;
		to->val = verdict->error ? 0 : verdict->value;
	}
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, to);
}

static void *listen_and_answer(void *unused);

static void start_another(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	atomic_fetch_add(&listening, 1);
	if (pthread_create(&thread, &attributes, listen_and_answer, NULL) != 0)
		atomic_fetch_sub(&listening, 1); /* whoever is done with a call listens again */
	pthread_attr_destroy(&attributes);
}

static void *listen_and_answer(void *unused)
{
	struct seccomp_notif *notification = malloc(notification_size);
	struct seccomp_notif_resp *to = malloc(answer_size);
	struct verdict verdict;

	while (notification && to && take(notification) == 0) {
		if (atomic_fetch_sub(&listening, 1) == 1)
			start_another();
		carry(listener, notification, &verdict);
		if (!verdict.answered)
			answer(to, notification->id, &verdict);
		if (atomic_fetch_add(&listening, 1) >= LISTEN_MOST)
			break;
	}
	atomic_fetch_sub(&listening, 1);
	free(notification);
	free(to);
	return unused;
}

static size_t larger(size_t one, size_t other)
{
	return one > other ? one : other;
}

void serve(int fd, void *unused)
{
	struct seccomp_notif_sizes sizes = { 0 };

	listener = fd;
	syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
	notification_size = larger(sizes.seccomp_notif, sizeof(struct seccomp_notif));
	answer_size = larger(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
	/* Whom we answer to runs on this processor next, since we are about to wait. */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	atomic_store(&listening, 1);
	listen_and_answer(unused);
}
