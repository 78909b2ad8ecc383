/* birth.c - what stays on a socket of who made it, and what the kernel then does with it by itself.
 *
 * So `portshim run --mode=supervise` makes sockets for programs, where the kernel may choose the port. */
#include "fact.h"

#include <linux/inet_diag.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#define OP_SOCKET 45
#define PORT_FIRST 20100
#define PORT_LAST 20103

/* --- the range -------------------------------------------------------------------------------------------------- */

static bool in_range(int port) { return port >= PORT_FIRST && port <= PORT_LAST; }

static int ranged(const char *kind)
{
	int fd = sock(kind);
	if (fd >= 0)
		do_range(fd, PORT_FIRST, PORT_LAST);
	return fd;
}

/* Connects until there is no port left: "4 in, then ERROR". */
static void fill(const char *name, const char *kind, const char *ip, const char *expected)
{
	int fds[8], n = 0, in = 0;
	const char *last = "ok";
	for (; n < 8 && strcmp(last, "ok") == 0; n++) {
		fds[n] = ranged(kind);
		if (fds[n] < 0)
			return note(name, "no such socket");
		last = do_connect(fds[n], ip, ONE);
		in += strcmp(last, "ok") == 0 && in_range(port_of(fds[n]));
	}
	fact(name, expected, "%d in, then %s", in, last);
	while (n-- > 0)
		close_reset(fds[n]);
}

static void sends(void)
{
	int fds[8], n = 0, in = 0;
	const char *last = "ok";
	for (; n < 8 && strcmp(last, "ok") == 0; n++) {
		fds[n] = ranged(n % 2 ? "udp6" : "udp4");
		last = do_send(fds[n], n % 2 ? "::ffff:127.0.0.1" : "127.0.0.1", TWO, 0);
		in += strcmp(last, "ok") == 0 && in_range(port_of(fds[n]));
	}
	fact("range-holds-sends", "4 in, then EAGAIN", "%d in, then %s", in, last);
	while (n-- > 0)
		close(fds[n]);
}

/* It is the socket's for life: through an end of its connection, too. */
static void again(void)
{
	int fd = ranged("tcp4");
	for (int i = 0; i < 3; i++) {
		do_connect(fd, "127.0.0.1", ONE);
		see("%d", in_range(port_of(fd)));
		do_unspec(fd);
	}
	seen("range-stays", "1, 1, 1");
	close_reset(fd);
}

/* --- the maker's user and control group --------------------------------------------------------------------------- */

struct shown {
	uint32_t user;
	uint64_t cgroup;
};

/* As sock_diag(7) shows the listener on a port; that is what firewalls look at. */
static struct shown shown(uint16_t port)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 what;
	} ask = {.head = {.nlmsg_len = sizeof(ask), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		 .what = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << 10}};
	struct shown shown = {.user = (uint32_t)-1};
	static union {
		char bytes[65536];
		struct nlmsghdr head;
	} heard;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	send(fd, &ask, sizeof(ask), 0);
	int left = (int)recv(fd, &heard, sizeof(heard), 0);
	for (struct nlmsghdr *m = &heard.head; NLMSG_OK(m, (unsigned)left) && m->nlmsg_type == SOCK_DIAG_BY_FAMILY; m = NLMSG_NEXT(m, left)) {
		struct inet_diag_msg *about = NLMSG_DATA(m);
		int rest = (int)m->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*about));
		if (about->id.idiag_sport != htons(port))
			continue;
		shown.user = about->idiag_uid;
		for (struct rtattr *a = (struct rtattr *)(about + 1); RTA_OK(a, rest); a = RTA_NEXT(a, rest))
			if (a->rta_type == INET_DIAG_CGROUP_ID)
				memcpy(&shown.cgroup, RTA_DATA(a), sizeof(shown.cgroup));
	}
	close(fd);
	return shown;
}

static int listening(uint16_t port)
{
	int fd = sock("tcp4");
	do_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	do_bind(fd, "127.0.0.1", port);
	do_listen(fd);
	return fd;
}

static void user(void)
{
	struct stat status;
	syscall(SYS_setfsgid, 4321), syscall(SYS_setfsuid, 1234);
	if (syscall(SYS_setfsuid, -1) != 1234)
		return note("user-of-the-maker", "this process cannot take on another");
	int fd = listening(7001);
	syscall(SYS_setfsuid, geteuid()), syscall(SYS_setfsgid, getegid());
	see("%u", shown(7001).user);
	fstat(fd, &status);
	see("%u, %u", status.st_uid, status.st_gid);
	see("%ld", syscall(SYS_setfsuid, -1) - (long)geteuid());
	seen("user-of-the-maker", "1234, 1234, 4321, 0");
	close(fd);
}

/* In a process of its own, in that group and with our descriptors; waitid(2) does not see it unless asked to. */
static int socket_from(int cgroup, uint16_t port, const char **usual_wait)
{
	struct clone_args args = {.flags = CLONE_FILES | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0), .cgroup = (uint64_t)cgroup};
	siginfo_t info;
	int status = 0, place = dup(0);
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (child < 0)
		broken("clone3 with a control group");
	if (child == 0) {
		dup2(listening(port), place);
		_exit(0);
	}
	*usual_wait = waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 && errno == ECHILD ? "unseen" : "seen";
	waitpid(child, &status, __WALL);
	return place;
}

static void cgroup(void)
{
	static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char path[128] = "", file[160];
	struct stat status = {.st_ino = 0};
	const char *usual_wait;
	for (int i = 0; i < 2; i++) {
		snprintf(file, sizeof(file), "%s/cgroup.procs", mounts[i]);
		if (access(file, F_OK) == 0)
			snprintf(path, sizeof(path), "%s/portshim-fact-%d", mounts[i], getpid());
	}
	if (!path[0] || mkdir(path, 0755) < 0)
		return note("cgroup-of-the-maker", "no cgroup v2 of one's own");
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fstat(folder, &status);
	int fd = socket_from(folder, 7002, &usual_wait);
	see("%s", shown(7002).cgroup == status.st_ino ? "its" : "another");
	see("%s", usual_wait);
	seen("cgroup-of-the-maker", "its, unseen");
	close(fd), close(folder);
	if (rmdir(path) < 0)
		broken("removing the control group");
}

/* Where a thread is: struct pidfd_info's first 64 bytes, Linux 6.13. */
static void thread_info(void)
{
	struct {
		uint64_t mask, cgroup;
		uint32_t ids[9], user, group;
		int32_t exit_code;
	} info = {.mask = 6};
	int handle = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (ioctl(handle, _IOWR(0xFF, 11, info), &info) < 0)
		note("pidfd-tells-user-and-cgroup", "%s: before Linux 6.13", errno_word(errno));
	else
		fact("pidfd-tells-user-and-cgroup", "6, 1, 1", "%d, %d, %d", (int)info.mask & 6, info.user == geteuid(), info.cgroup != 0);
	close(handle);
}

/* /proc/sys/net is that of who reads it, also in a process that has just come here. */
static void settings(void)
{
	char text[64] = "";
	int said[2];
	if (pipe(said) < 0)
		broken("pipe");
	pid_t child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			_exit(1);
		range_set(30000, 30001);
		int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY);
		ssize_t n = read(fd, text, sizeof(text));
		_exit(n > 0 && write(said[1], text, (size_t)n) == n ? 0 : 1);
	}
	waitpid(child, NULL, 0);
	if (read(said[0], text, sizeof(text) - 1) <= 0)
		return note("settings-are-the-readers", "no namespace in a namespace");
	fact("settings-are-the-readers", "30000", "%.5s", text);
	close(said[0]), close(said[1]);
}

/* --- rings -------------------------------------------------------------------------------------------------------- */

struct shared {
	struct io_uring_params params;
	const char *unknown_op;
	const char *allowed, *enabled;
};

/* All operations that there are, but one. */
static int ring_make(struct shared *shared)
{
	struct {
		struct io_uring_probe head;
		struct io_uring_probe_op ops[256];
	} probe = {.head = {0}};
	struct io_uring_restriction list[257] = {{.opcode = 0}};
	unsigned n = 0;
	shared->params.flags = IORING_SETUP_R_DISABLED;
	int fd = (int)syscall(SYS_io_uring_setup, 4, &shared->params);
	if (fd < 0)
		return fd;
	syscall(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, &probe, 256);
	for (unsigned op = 0; op <= probe.head.last_op; op++)
		if (op != OP_SOCKET)
			list[n++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = (uint8_t)op};
	list[n] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = 255};
	shared->unknown_op = result(syscall(SYS_io_uring_register, fd, IORING_REGISTER_RESTRICTIONS, list, n + 1));
	shared->allowed = result(syscall(SYS_io_uring_register, fd, IORING_REGISTER_RESTRICTIONS, list, n));
	shared->enabled = result(syscall(SYS_io_uring_register, fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
	return fd;
}

static char *map(int fd, size_t size, uint64_t offset)
{
	char *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (mapped == MAP_FAILED)
		broken("mapping a ring");
	return mapped;
}

static const char *ring_do(int fd, const struct io_uring_params *params, struct io_uring_sqe what)
{
	char *sq = map(fd, params->sq_off.array + params->sq_entries * 4, IORING_OFF_SQ_RING);
	char *cq = map(fd, params->cq_off.cqes + params->cq_entries * 16, IORING_OFF_CQ_RING);
	struct io_uring_sqe *sqes = (void *)map(fd, params->sq_entries * sizeof(*sqes), IORING_OFF_SQES);
	uint32_t *tail = (uint32_t *)(sq + params->sq_off.tail), *head = (uint32_t *)(cq + params->cq_off.head);
	uint32_t slot = *tail & (params->sq_entries - 1);
	sqes[slot] = what;
	((uint32_t *)(sq + params->sq_off.array))[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		broken("io_uring_enter");
	int res = ((struct io_uring_cqe *)(cq + params->cq_off.cqes))[*head & (params->cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return errno_word(res < 0 ? -res : 0);
}

/* Made by a process that has ended, used here. */
static void ring(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct clone_args args = {.flags = CLONE_FILES};
	int place = dup(0), fd;
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (child == 0) {
		fd = ring_make(shared);
		_exit(fd < 0 || dup2(fd, place) < 0 || close(fd) < 0);
	}
	int status = 0;
	waitpid(child, &status, __WALL);
	if (status)
		return note("ring-of-another", "no io_uring here");
	see("%s, %s, %s", shared->unknown_op, shared->allowed, shared->enabled);
	seen("ring-restricted", "EINVAL, ok, ok");
	struct where to = at("127.0.0.1", ONE);
	int client = ranged("tcp4");
	see("%s", ring_do(place, &shared->params, (struct io_uring_sqe){.opcode = OP_SOCKET, .fd = AF_INET, .off = SOCK_STREAM}));
	see("%s", ring_do(place, &shared->params, (struct io_uring_sqe){.opcode = IORING_OP_NOP}));
	see("%s", ring_do(place, &shared->params, (struct io_uring_sqe){
		.opcode = IORING_OP_CONNECT, .fd = client, .addr = (uintptr_t)&to.u, .off = to.len}));
	see("%d", in_range(port_of(client)));
	seen("ring-of-another", "EACCES, ok, ok, 1");
	close_reset(client), close(place);
}

int main(void)
{
	fact_begin();
	int probe = sock("tcp4");
	if (strcmp(do_range(probe, 0, 0), "ok") != 0)
		lacks("IP_LOCAL_PORT_RANGE");
	close(probe);
	int one = serve("tcp6", ONE), two = sock("udp4");
	do_bind(two, "127.0.0.1", TWO);
	fill("range-holds-tcp4", "tcp4", "127.0.0.1", "4 in, then EADDRNOTAVAIL");
	fill("range-holds-tcp6", "tcp6", "::1", "4 in, then EADDRNOTAVAIL");
	fill("range-holds-udp4", "udp4", "127.0.0.1", "4 in, then EAGAIN");
	sends();
	again();
	user();
	cgroup();
	thread_info();
	settings();
	ring();
	close(one), close(two);
	return fact_end();
}
