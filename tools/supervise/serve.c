/* serve.c - the supervisor's threads. */
#define _GNU_SOURCE
#include "tools/supervise/serve.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
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
#define LISTEN_MOST 2  /* threads that wait for notifications */
#define REST_MOST 16   /* threads that rest; more end */

static struct carrier carrier;
static size_t notification_size, answer_size; /* of this kernel, which may know more fields */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
static int listening; /* threads that wait for notifications, or are about to */
static int resting;   /* threads that wait until too few listen */
static int called;    /* of them, those that are to listen now */

static bool nobody_is_left(void)
{
	struct pollfd one = { .fd = carrier.listener, .events = POLLIN };

	return poll(&one, 1, 0) > 0 && one.revents & POLLHUP;
}

/* 0: one was taken; else the thread has nothing to do any more. */
static int take(struct seccomp_notif *notification)
{
	for (;;) {
		memset(notification, 0, notification_size);
		if (ioctl(carrier.listener, SECCOMP_IOCTL_NOTIF_RECV, notification) == 0)
			return 0;
		/* ENOENT: whose call it was is gone, or all are that had the filter. */
		if (errno != EINTR && (errno != ENOENT || nobody_is_left()))
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
	while (ioctl(carrier.listener, SECCOMP_IOCTL_NOTIF_SEND, to) < 0 && errno == EINTR)
		; /* this process was stopped, and goes on */
}

static void *listen_and_answer(void *unused);

static bool start_another(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	bool started;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	started = pthread_create(&thread, &attributes, listen_and_answer, NULL) == 0;
	pthread_attr_destroy(&attributes);
	return started;
}

/* One takes a call: the last who listened sees to it that another does. If none can be started, whoever is done with a call
 * listens again. */
static void stop_listening(void)
{
	pthread_mutex_lock(&lock);
	if (listening == 1 && resting > called) {
		called++;
		pthread_cond_signal(&wanted);
	} else if (listening > 1 || !start_another()) {
		listening--;
	}
	pthread_mutex_unlock(&lock);
}

/* Whether somebody else listens, or can be had to. */
static bool may_sleep(void)
{
	bool can = true;

	pthread_mutex_lock(&lock);
	if (listening == 0) {
		can = start_another();
		listening += can;
	}
	pthread_mutex_unlock(&lock);
	return can;
}

/* Done: listens again, or rests until there are too few who do. False: there are enough of both. */
static bool listen_again(void)
{
	bool stays = true;

	pthread_mutex_lock(&lock);
	if (listening < LISTEN_MOST) {
		listening++;
	} else if (resting < REST_MOST) {
		resting++;
		while (called == 0)
			pthread_cond_wait(&wanted, &lock);
		called--;
		resting--;
	} else {
		stays = false;
	}
	pthread_mutex_unlock(&lock);
	return stays;
}

/* Cannot take a call. */
static void listen_no_more(void)
{
	pthread_mutex_lock(&lock);
	listening--;
	pthread_mutex_unlock(&lock);
}

static void *listen_and_answer(void *unused)
{
	struct seccomp_notif *notification = malloc(notification_size);
	struct seccomp_notif_resp *to = malloc(answer_size);
	struct verdict verdict;
	bool stays = notification && to;

	while (stays && take(notification) == 0) {
		stop_listening();
		carry(&carrier, notification, &verdict);
		if (!verdict.answered)
			answer(to, notification->id, &verdict);
		stays = listen_again();
	}
	if (stays || !notification || !to)
		listen_no_more();
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

	carrier = (struct carrier){ .listener = fd, .may_sleep = may_sleep };
	syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
	notification_size = larger(sizes.seccomp_notif, sizeof(struct seccomp_notif));
	answer_size = larger(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
	/* Whom we answer to runs on this processor next, since we are about to wait. */
	ioctl(carrier.listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	listening = 1;
	listen_and_answer(unused);
}
