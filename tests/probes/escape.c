/* escape.c - the ways to a port that pass by libc's names: `escape HOW ADDRESS PORT` goes one of them, to a server on
 * TCP or UDP, and prints "ok" or the errno's name. Names for the resolver stand for ADDRESS; its server has port 53. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

static const char *host;
static struct sockaddr_in to = { .sin_family = AF_INET };

static int open_socket(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		exit(2);
	return fd;
}

/* --- as it is usual ---------------------------------------------------------------------------------------- */

static long by_connect(void)
{
	return connect(open_socket(SOCK_STREAM), (struct sockaddr *)&to, sizeof(to));
}

static long by_sendto(void)
{
	return sendto(open_socket(SOCK_DGRAM), "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
}

/* --- system calls of the program's own ------------------------------------------------------------------- */

static long by_system_connect(void)
{
	return syscall(SYS_connect, open_socket(SOCK_STREAM), &to, sizeof(to));
}

static long by_system_sendto(void)
{
	return syscall(SYS_sendto, open_socket(SOCK_DGRAM), "x", 1, 0, &to, sizeof(to));
}

static long by_system_sendmsg(void)
{
	struct iovec part = { .iov_base = (char[1]){ 'x' }, .iov_len = 1 };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1 };

	return syscall(SYS_sendmsg, open_socket(SOCK_DGRAM), &message, 0);
}

/* A port chosen by bind() stays for the connection. */
static long by_system_bind(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = open_socket(SOCK_STREAM);

	if (syscall(SYS_bind, fd, &any, sizeof(any)) < 0)
		return -1;
	return connect(fd, (struct sockaddr *)&to, sizeof(to));
}

/* Without libc's syscall() either. */
static long by_instruction(void)
{
	long result, fd = open_socket(SOCK_STREAM);
#if defined(__x86_64__)
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"((long)SYS_connect), "D"(fd), "S"(&to), "d"(sizeof(to))
	                 : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long number __asm__("x8") = SYS_connect;
	register long first __asm__("x0") = fd;
	register const void *second __asm__("x1") = &to;
	register long third __asm__("x2") = sizeof(to);

	__asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second), "r"(third) : "memory");
	result = first;
#else
	result = syscall(SYS_connect, fd, &to, sizeof(to)) < 0 ? -errno : 0;
#endif
	errno = result < 0 ? (int)-result : 0;
	return result < 0 ? -1 : 0;
}

/* libc's own definition, by its file: the search begins behind what was preloaded. */
static long by_libc_handle(void)
{
	int (*its_connect)(int fd, const struct sockaddr *addr, socklen_t len);
	void *libc = dlopen("libc.so.6", RTLD_LAZY), *found = libc ? dlsym(libc, "connect") : NULL;

	if (!found)
		exit(2);
	memcpy(&its_connect, &found, sizeof(found));
	return its_connect(open_socket(SOCK_STREAM), (struct sockaddr *)&to, sizeof(to));
}

/* --- io_uring ------------------------------------------------------------------------------------------------ */

static void *ring_map(int ring, size_t size, off_t at)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, at);

	if (map == MAP_FAILED)
		exit(2);
	return map;
}

/* One request, and its result. */
static long ring_do(const struct io_uring_sqe *request)
{
	struct io_uring_params p = { .flags = 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &p);
	char *submission, *completion;
	struct io_uring_sqe *requests;
	long result;

	if (ring < 0) {
		printf("no io_uring\n");
		return -1;
	}
	submission = ring_map(ring, p.sq_off.array + p.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	completion = ring_map(ring, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	requests = ring_map(ring, p.sq_entries * sizeof(*requests), IORING_OFF_SQES);
	requests[0] = *request;
	*(uint32_t *)(submission + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(submission + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -1;
	result = ((struct io_uring_cqe *)(completion + p.cq_off.cqes))->res;
	errno = result < 0 ? (int)-result : 0;
	return result < 0 ? -1 : 0;
}

static long by_ring_connect(void)
{
	return ring_do(&(struct io_uring_sqe){
		.opcode = IORING_OP_CONNECT, .fd = open_socket(SOCK_STREAM), .addr = (uintptr_t)&to, .off = sizeof(to),
	});
}

static long by_ring_sendmsg(void)
{
	struct iovec part = { .iov_base = (char[1]){ 'x' }, .iov_len = 1 };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1 };

	return ring_do(&(struct io_uring_sqe){
		.opcode = IORING_OP_SENDMSG, .fd = open_socket(SOCK_DGRAM), .addr = (uintptr_t)&message, .len = 1,
	});
}

/* --- inside libc --------------------------------------------------------------------------------------------- */

static long by_getaddrinfo(void)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	return getaddrinfo(host, "9", &hints, &found) == 0 ? 0 : -1;
}

static long by_gethostbyname(void)
{
	return gethostbyname(host) ? 0 : -1;
}

static long by_gethostbyaddr(void)
{
	return gethostbyaddr(&to.sin_addr, sizeof(to.sin_addr), AF_INET) ? 0 : -1;
}

static long by_getnameinfo(void)
{
	char name[NI_MAXHOST];

	return getnameinfo((struct sockaddr *)&to, sizeof(to), name, sizeof(name), NULL, 0, NI_NAMEREQD) == 0 ? 0 : -1;
}

static long by_res_query(void)
{
	unsigned char answer[512];

	return res_query(host, C_IN, T_A, answer, sizeof(answer));
}

static long by_res_query_tcp(void)
{
	if (res_init() < 0)
		return -1;
	_res.options |= RES_USEVC;
	return by_res_query();
}

static long by_rexec(void)
{
	char name[64], *at = name;

	snprintf(name, sizeof(name), "%s", host);
	return rexec(&at, to.sin_port, "user", "password", "command", NULL);
}

static long by_syslog(void)
{
	syslog(LOG_INFO, "%s", host);
	return 0;
}

/* The RPC clients of before glibc 2.32, which are there for old programs only. */
static void *old_function(const char *name)
{
	void *found = dlvsym(RTLD_DEFAULT, name, "GLIBC_2.2.5");

	if (!found) {
		printf("no %s\n", name);
		exit(2);
	}
	return found;
}

static long by_clnttcp(void)
{
	void *(*create)(struct sockaddr_in *, unsigned long, unsigned long, int *, unsigned, unsigned);
	void *found = old_function("clnttcp_create");
	int fd = -1;

	memcpy(&create, &found, sizeof(found));
	return create(&to, 100000, 2, &fd, 0, 0) ? 0 : -1;
}

/* Asks the portmapper, which is a server on TCP or UDP, for a port. */
static long by_pmap_getport(void)
{
	unsigned short (*ask)(struct sockaddr_in *, unsigned long, unsigned long, unsigned);
	void *found = old_function("pmap_getport");

	memcpy(&ask, &found, sizeof(found));
	ask(&to, 100005, 3, IPPROTO_UDP);
	return 0;
}

/* --- a socket from before ------------------------------------------------------------------------------------ */

/* ADDRESS is the number of an open descriptor; the server is on 127.0.0.1. */
static long by_inherited(void)
{
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(atoi(host), (struct sockaddr *)&to, sizeof(to));
}

/* --- a port that is told before there is a destination ------------------------------------------------------- */

static long by_bindresvport(void)
{
	struct sockaddr_in told = { .sin_family = AF_INET };
	int fd = open_socket(SOCK_STREAM);

	if (bindresvport(fd, &told) < 0)
		return -1;
	return connect(fd, (struct sockaddr *)&to, sizeof(to));
}

static long by_rresvport(void)
{
	int told = 1023, fd = rresvport(&told);

	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof(to));
}

static const struct { const char *name; long (*go)(void); } ways[] = {
	{ "connect", by_connect }, { "sendto", by_sendto }, { "system-connect", by_system_connect },
	{ "system-sendto", by_system_sendto }, { "system-sendmsg", by_system_sendmsg }, { "system-bind", by_system_bind },
	{ "instruction", by_instruction }, { "libc-handle", by_libc_handle }, { "ring-connect", by_ring_connect },
	{ "ring-sendmsg", by_ring_sendmsg }, { "getaddrinfo", by_getaddrinfo }, { "gethostbyname", by_gethostbyname },
	{ "gethostbyaddr", by_gethostbyaddr }, { "getnameinfo", by_getnameinfo }, { "res_query", by_res_query },
	{ "res_query-tcp", by_res_query_tcp }, { "rexec", by_rexec }, { "clnttcp", by_clnttcp },
	{ "pmap_getport", by_pmap_getport }, { "inherited", by_inherited }, { "bindresvport", by_bindresvport },
	{ "rresvport", by_rresvport }, { "syslog", by_syslog },
};

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	host = argv[2];
	inet_pton(AF_INET, host, &to.sin_addr);
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(argv[1], ways[i].name) != 0)
			continue;
		if (ways[i].go() >= 0)
			puts("ok");
		else
			puts(strerrorname_np(errno));
		return 0;
	}
	return 2;
}
