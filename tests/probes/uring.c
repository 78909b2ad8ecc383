/* uring.c - `uring tcp|udp|sendmsg HOST`: says "hello" to port 5000 and prints what is answered, by io_uring(7) where it can be
 * had, else by plain calls. What it went by is on the first line: "ring", or "plain" where io_uring_setup() says ENOSYS. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	int fd; /* -1: none */
	struct io_uring_params params;
	char *submissions, *completions;
	struct io_uring_sqe *entries;
} ring;

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

static void *map(size_t size, unsigned long long offset)
{
	void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, (off_t)offset);

	if (mapped == MAP_FAILED)
		fail("mmap");
	return mapped;
}

static void ring_set_up(void)
{
	ring.fd = (int)syscall(SYS_io_uring_setup, 4, &ring.params);
	if (ring.fd < 0 && errno != ENOSYS)
		fail("io_uring_setup");
	printf("%s\n", ring.fd < 0 ? "plain" : "ring");
	if (ring.fd < 0)
		return;
	ring.submissions = map(ring.params.sq_off.array + ring.params.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	ring.completions = map(ring.params.cq_off.cqes + ring.params.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	ring.entries = map(ring.params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

static _Atomic uint32_t *counter(char *base, uint32_t offset)
{
	return (_Atomic uint32_t *)(base + offset);
}

/* Has one operation done: its result, or -1 and errno. */
static int ring_do(const struct io_uring_sqe *what)
{
	_Atomic uint32_t *tail = counter(ring.submissions, ring.params.sq_off.tail);
	_Atomic uint32_t *head = counter(ring.completions, ring.params.cq_off.head);
	uint32_t at = *tail & (ring.params.sq_entries - 1);
	const struct io_uring_cqe *done;
	int result;

	ring.entries[at] = *what;
	((uint32_t *)(ring.submissions + ring.params.sq_off.array))[at] = at;
	(*tail)++;
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		fail("io_uring_enter");
	done = (const struct io_uring_cqe *)(ring.completions + ring.params.cq_off.cqes) + (*head & (ring.params.cq_entries - 1));
	result = done->res;
	(*head)++;
	if (result < 0)
		errno = -result;
	return result < 0 ? -1 : result;
}

static int do_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	struct io_uring_sqe what = { .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)to, .off = len };

	return ring.fd < 0 ? connect(fd, to, len) : ring_do(&what);
}

static int do_send(int fd, const char *words, size_t length)
{
	struct io_uring_sqe what = { .opcode = IORING_OP_SEND, .fd = fd, .addr = (uintptr_t)words, .len = (uint32_t)length };

	return ring.fd < 0 ? (int)send(fd, words, length, 0) : ring_do(&what);
}

static int do_sendmsg(int fd, const struct msghdr *message)
{
	struct io_uring_sqe what = { .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uintptr_t)message, .len = 1 };

	return ring.fd < 0 ? (int)sendmsg(fd, message, 0) : ring_do(&what);
}

static int do_receive(int fd, char *heard, size_t room)
{
	struct io_uring_sqe what = { .opcode = IORING_OP_RECV, .fd = fd, .addr = (uintptr_t)heard, .len = (uint32_t)room };

	return ring.fd < 0 ? (int)recv(fd, heard, room, 0) : ring_do(&what);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5000) };
	struct iovec words = { .iov_base = (char[]){ "hello\n" }, .iov_len = 6 };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &words, .msg_iovlen = 1 };
	char heard[256];
	int fd, n;

	if (argc != 3 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return 2;
	ring_set_up();
	fd = socket(AF_INET, strcmp(argv[1], "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (strcmp(argv[1], "sendmsg") == 0) {
		if (do_sendmsg(fd, &message) != 6)
			fail("sendmsg");
	} else {
		if (do_connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
			fail("connect");
		if (do_send(fd, "hello\n", 6) != 6)
			fail("send");
	}
	n = do_receive(fd, heard, sizeof(heard));
	if (n < 0)
		fail("recv");
	printf("%.*s", n, heard);
	return 0;
}
