/* ringed.c - `ringed STEP...`: uses io_uring(7) by raw system calls, each step a line "STEP = RESULT":
 *   setup FLAGS          io_uring_setup() with these flags, a number
 *   tcp HOST             a socket, then connect, send, recv on it, port 5000: by the ring, or where there is none by calls
 *   udp HOST             the same with a datagram to port 5000, by sendmsg
 *   op-socket            IORING_OP_SOCKET
 *   op-bind, op-listen   of a fresh socket
 *   timeout, poll, file  of 1 ms; of a pipe that has been written to; opens and reads /proc/thread-self/status: the user's number
 *   wait                 a read of standard input by the ring: says "paused" once it has been submitted */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OP_BIND 56
#define OP_LISTEN 57

static struct {
	int fd;
	struct io_uring_params params;
	char *submissions, *completions;
	struct io_uring_sqe *entries;
} ring = { .fd = -1 };

static const char *words; /* of the step, behind its name */

static void *map(size_t size, unsigned long long offset)
{
	void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, (off_t)offset);

	if (mapped == MAP_FAILED)
		perror("mmap"), exit(1);
	return mapped;
}

static long do_setup(void)
{
	ring.params = (struct io_uring_params){ .flags = (uint32_t)strtoul(words, NULL, 0) };
	ring.fd = (int)syscall(SYS_io_uring_setup, 4, &ring.params);
	if (ring.fd < 0)
		return -1;
	if (!(fcntl(ring.fd, F_GETFD) & FD_CLOEXEC) || ring.params.flags != strtoul(words, NULL, 0))
		return 1;
	ring.submissions = map(ring.params.sq_off.array + ring.params.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	ring.completions = map(ring.params.cq_off.cqes + ring.params.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	ring.entries = map(ring.params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	return 0;
}

static _Atomic uint32_t *counter(char *base, uint32_t offset)
{
	return (_Atomic uint32_t *)(base + offset);
}

static void submit(const struct io_uring_sqe *what, unsigned int wait)
{
	_Atomic uint32_t *tail = counter(ring.submissions, ring.params.sq_off.tail);
	uint32_t at = *tail & (ring.params.sq_entries - 1);

	ring.entries[at] = *what;
	((uint32_t *)(ring.submissions + ring.params.sq_off.array))[at] = at;
	(*tail)++;
	if (syscall(SYS_io_uring_enter, ring.fd, 1, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0) != 1)
		perror("io_uring_enter"), exit(1);
}

static int completed(void)
{
	_Atomic uint32_t *head = counter(ring.completions, ring.params.cq_off.head);
	const struct io_uring_cqe *cqes = (const struct io_uring_cqe *)(ring.completions + ring.params.cq_off.cqes);
	int result;

	while (*head == *counter(ring.completions, ring.params.cq_off.tail))
		if (syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			perror("io_uring_enter"), exit(1);
	result = cqes[*head & (ring.params.cq_entries - 1)].res;
	(*head)++;
	errno = result < 0 ? -result : 0;
	return result < 0 ? -1 : result;
}

static int run(struct io_uring_sqe what)
{
	submit(&what, 1);
	return completed();
}

static struct sockaddr_in server(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5000) };

	inet_pton(AF_INET, words, &to.sin_addr);
	return to;
}

static long do_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = server();
	char heard[16];

	if (ring.fd < 0)
		return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || send(fd, "x", 1, 0) < 0 ? -1 : recv(fd, heard, 16, 0);
	if (run((struct io_uring_sqe){ .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)&to, .off = sizeof(to) }) < 0 ||
	    run((struct io_uring_sqe){ .opcode = IORING_OP_SEND, .fd = fd, .addr = (uintptr_t)"x", .len = 1 }) < 0)
		return -1;
	return run((struct io_uring_sqe){ .opcode = IORING_OP_RECV, .fd = fd, .addr = (uintptr_t)heard, .len = sizeof(heard) });
}

static long do_udp(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = server();
	struct iovec data = { (char[]){ 'x' }, 1 };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &data, .msg_iovlen = 1 };

	if (ring.fd < 0)
		return sendmsg(fd, &message, 0);
	return run((struct io_uring_sqe){ .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uintptr_t)&message, .len = 1 });
}

static long do_op_socket(void)
{
	return run((struct io_uring_sqe){ .opcode = IORING_OP_SOCKET, .fd = AF_INET, .off = SOCK_STREAM }) < 0 ? -1 : 0;
}

static long do_op_bind(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };

	return run((struct io_uring_sqe){ .opcode = OP_BIND, .fd = socket(AF_INET, SOCK_STREAM, 0), .addr = (uintptr_t)&any,
	                                  .off = sizeof(any) });
}

static long do_op_listen(void)
{
	return run((struct io_uring_sqe){ .opcode = OP_LISTEN, .fd = socket(AF_INET, SOCK_STREAM, 0), .len = 1 });
}

static long do_timeout(void)
{
	struct __kernel_timespec limit = { .tv_nsec = 1000000 };

	return run((struct io_uring_sqe){ .opcode = IORING_OP_TIMEOUT, .addr = (uintptr_t)&limit, .len = 1 });
}

static long do_poll(void)
{
	int ends[2];

	if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1)
		return -1;
	return run((struct io_uring_sqe){ .opcode = IORING_OP_POLL_ADD, .fd = ends[0], .poll32_events = POLLIN });
}

/* Of who does the request, if it is done by a thread of the kernel (IOSQE_ASYNC), too. */
static long do_file(void)
{
	static char text[4096];
	unsigned int user = 0;
	int fd = run((struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .flags = IOSQE_ASYNC, .fd = AT_FDCWD,
	                                    .addr = (uintptr_t)"/proc/thread-self/status" });

	if (fd < 0 || run((struct io_uring_sqe){ .opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)text,
	                                         .len = sizeof(text) - 1 }) < 0)
		return -1;
	return strstr(text, "\nUid:") && sscanf(strstr(text, "\nUid:"), "\nUid: %u", &user) == 1 ? (long)user : -1;
}

static long do_wait(void)
{
	static char byte;
	const struct io_uring_sqe what = { .opcode = IORING_OP_READ, .fd = 0, .addr = (uintptr_t)&byte, .len = 1 };

	submit(&what, 0);
	printf("paused\n");
	fflush(stdout);
	return completed();
}

static const struct {
	const char *name;
	long (*act)(void);
} steps[] = {
	{ "setup", do_setup }, { "tcp", do_tcp }, { "udp", do_udp }, { "op-socket", do_op_socket }, { "op-bind", do_op_bind },
	{ "op-listen", do_op_listen }, { "timeout", do_timeout }, { "poll", do_poll }, { "file", do_file }, { "wait", do_wait },
};

static long step(const char *all)
{
	size_t length = strcspn(all, " ");

	words = all + length + (all[length] == ' ');
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strlen(steps[i].name) == length && strncmp(steps[i].name, all, length) == 0)
			return steps[i].act();
	exit(2);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		long result = step(argv[i]);

		if (result < 0)
			printf("%s = %s\n", argv[i], strerrorname_np(errno));
		else
			printf("%s = %ld\n", argv[i], result);
		fflush(stdout);
	}
	return 0;
}
