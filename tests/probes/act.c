/* act.c - a program that does with sockets what its arguments say, and prints what came of it.
 *
 * Each argument is one step, "VERB SLOT WORDS...", where a slot is a number that stands for a descriptor. Each step
 * prints one line: the step, and the result with the errno's name. So one program serves all tests, and what it
 * prints with and without portshim can be compared line by line. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "act_rare.h"

/* What another probe, which includes this file, does beyond it: step_further() is that one's own. */
#ifndef ACT_GOES_FURTHER
#define step_further(verb, fd, result) 0
#endif

#define SLOTS 4096
#define WORDS 8

static int slot[SLOTS];
static char *word[WORDS];
static int words;

/* Other names that libc exports. */
int __connect(int fd, const struct sockaddr *addr, socklen_t len);
int __close(int fd);
int __dup2(int fd, int to);
int __fcntl(int fd, int command, ...);

static int number(int at)
{
	return at < words ? atoi(word[at]) : 0;
}

static const char *given(int at)
{
	return at < words ? word[at] : "";
}

static int fd_of(int at)
{
	return slot[number(at) % SLOTS];
}

#ifdef ACT_GOES_FURTHER
static int step_further(const char *verb, int fd, long *result);
#endif

static void print_result(const char *step, long result)
{
	if (result < 0)
		printf("%s = -1 %s\n", step, name_of_errno(errno));
	else
		printf("%s = %ld\n", step, result);
}

static int make_socket(const char *kind)
{
	static const struct { const char *name; int domain, type, protocol; } kinds[] = {
		{ "tcp4", AF_INET, SOCK_STREAM, 0 }, { "tcp6", AF_INET6, SOCK_STREAM, 0 },
		{ "udp4", AF_INET, SOCK_DGRAM, 0 }, { "udp6", AF_INET6, SOCK_DGRAM, 0 },
		{ "mptcp4", AF_INET, SOCK_STREAM, 262 }, { "mptcp6", AF_INET6, SOCK_STREAM, 262 },
		{ "nbtcp4", AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0 }, { "nbudp4", AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0 },
		{ "udplite4", AF_INET, SOCK_DGRAM, 136 }, { "udplite6", AF_INET6, SOCK_DGRAM, 136 },
		{ "sctp4", AF_INET, SOCK_STREAM, 132 }, { "sctp6", AF_INET6, SOCK_STREAM, 132 },
		{ "sctpmany4", AF_INET, SOCK_SEQPACKET, 132 }, { "sctpmany6", AF_INET6, SOCK_SEQPACKET, 132 },
		{ "dccp4", AF_INET, SOCK_DCCP, 33 }, { "dccp6", AF_INET6, SOCK_DCCP, 33 },
		{ "unix", AF_UNIX, SOCK_STREAM, 0 }, { "unixdgram", AF_UNIX, SOCK_DGRAM, 0 }, { "raw4", AF_INET, SOCK_RAW, 253 },
		{ "netlink", AF_NETLINK, SOCK_RAW, 0 }, { "packet", AF_PACKET, SOCK_DGRAM, 0 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i].name) == 0)
			return socket(kinds[i].domain, kinds[i].type, kinds[i].protocol);
	fprintf(stderr, "act: no such socket: %s\n", kind);
	exit(2);
}

/* "127.0.0.1 80", "::1 80", "unix PATH", "null 0", "bad 0", "hidden 0", "unspec 0"; a third word overrides the length. The
 * address lies in memory that may not be written: who edits it dies. */
static const struct sockaddr *address(int at, socklen_t *len)
{
	static struct sockaddr_storage *page;
	const char *host = given(at);
	struct sockaddr_in *v4;
	struct sockaddr_in6 *v6;
	struct sockaddr_un *un;

	if (!page)
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	memset(page, 0, sizeof(*page));
	v4 = (struct sockaddr_in *)page;
	v6 = (struct sockaddr_in6 *)page;
	un = (struct sockaddr_un *)page;
	if (strcmp(host, "unix") == 0) {
		un->sun_family = AF_UNIX;
		strncpy(un->sun_path, given(at + 1), sizeof(un->sun_path) - 1);
		*len = sizeof(*un);
	} else if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)number(at + 1));
		*len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)number(at + 1));
		*len = sizeof(*v6);
	} else {
		*len = sizeof(*v4);
	}
	if (at + 2 < words && strcmp(word[at + 2], "as-unspec") == 0)
		page->ss_family = AF_UNSPEC;
	else if (at + 2 < words && strspn(word[at + 2], "-0123456789"))
		*len = (socklen_t)number(at + 2);
	mprotect(page, 4096, PROT_READ);
	if (strcmp(host, "hidden") == 0)
		mprotect(page, 4096, PROT_NONE);
	if (strcmp(host, "null") == 0)
		return NULL;
	return strcmp(host, "bad") == 0 ? (const struct sockaddr *)-1 : (const struct sockaddr *)page;
}

static void print_name(const char *step, int fd, int peer)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	char text[64] = "?";
	int result = peer ? getpeername(fd, (struct sockaddr *)&name, &len) : getsockname(fd, (struct sockaddr *)&name, &len);

	if (result < 0) {
		print_result(step, result);
	} else if (name.ss_family == AF_INET) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)&name;

		printf("%s = %s %d\n", step, inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)), ntohs(v4->sin_port));
	} else if (name.ss_family == AF_INET6) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&name;

		printf("%s = %s %d\n", step, inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)), ntohs(v6->sin6_port));
	} else {
		printf("%s = family %d\n", step, name.ss_family);
	}
}

static int option(const char *name, int *level)
{
	static const struct { const char *name; int level, option; } options[] = {
		{ "reuseaddr", SOL_SOCKET, SO_REUSEADDR }, { "reuseport", SOL_SOCKET, SO_REUSEPORT },
		{ "noport", IPPROTO_IP, 24 }, { "range", IPPROTO_IP, 51 }, { "v6only", IPPROTO_IPV6, IPV6_V6ONLY },
		{ "ifindex", SOL_SOCKET, SO_BINDTOIFINDEX }, { "nodelay", IPPROTO_TCP, TCP_NODELAY }, { "error", SOL_SOCKET, SO_ERROR },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(name, options[i].name) == 0) {
			*level = options[i].level;
			return options[i].option;
		}
	fprintf(stderr, "act: no such option: %s\n", name);
	exit(2);
}

static ssize_t send_message(int fd, const struct sockaddr *addr, socklen_t len, int flags, int many)
{
	struct iovec part = { .iov_base = (void *)"x", .iov_len = 1 };
	struct mmsghdr message = { .msg_hdr = {
		.msg_name = (void *)addr, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1 } };

	return many ? sendmmsg(fd, &message, 1, flags) : sendmsg(fd, &message.msg_hdr, flags);
}

static int flags_of(int at)
{
	const char *name = given(at);

	return MSG_NOSIGNAL | (strcmp(name, "fastopen") == 0 ? MSG_FASTOPEN : strcmp(name, "dontwait") == 0 ? MSG_DONTWAIT : 0);
}

/* A descriptor sent over AF_UNIX and received again. */
static int through_unix(int fd)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec part = { .iov_base = (char[1]){ 'x' }, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
	                          .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	int pair[2], received = -1;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || sendmsg(pair[0], &message, 0) < 0)
		return -1;
	close(fd); /* its number is free for what arrives */
	message.msg_controllen = sizeof(control.bytes);
	if (recvmsg(pair[1], &message, 0) < 0)
		return -1;
	memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(received));
	close(pair[0]);
	close(pair[1]);
	return received;
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Waits until connect() of a non-blocking socket is decided; its SO_ERROR by name. */
static void print_outcome(const char *step, int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	poll(&pollfd, 1, 10000);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	printf("%s = %s\n", step, error ? name_of_errno(error) : "0");
}

/* The test goes on when it reads this line; we go on when it writes one. */
static void pause_for_test(void)
{
	char line[16];

	printf("paused\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(0);
}

static void step_option(const char *step, int fd)
{
	int level, name = option(given(2), &level), value = number(3);
	socklen_t len = sizeof(value);

	if (strcmp(word[0], "set") == 0)
		print_result(step, setsockopt(fd, level, name, &value, sizeof(value)));
	else if (getsockopt(fd, level, name, &value, &len) < 0)
		print_result(step, -1);
	else
		printf("%s = %d\n", step, value);
}

static void step_timing(const char *step, const char *verb)
{
	struct itimerval timer = { .it_value = { .tv_sec = number(1) / 1000, .tv_usec = number(1) % 1000 * 1000 } };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = strcmp(verb, "alarm") == 0 ? SA_RESTART : 0 };
	struct timespec pause = { number(1) / 1000, number(1) % 1000 * 1000000L };

	if (strcmp(verb, "sleep") != 0) {
		sigaction(SIGALRM, &action, NULL);
		print_result(step, setitimer(ITIMER_REAL, &timer, NULL));
	} else {
		print_result(step, nanosleep(&pause, NULL));
	}
}

static void step_timeout(const char *step, int fd)
{
	struct timeval t = { number(2) / 1000, number(2) % 1000 * 1000 };

	print_result(step, setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
}

static int step_descriptor(const char *verb, int fd, long *result)
{
	int to = number(2) % SLOTS;

	if (strcmp(verb, "dup") == 0)
		*result = slot[to] = dup(fd);
	else if (strcmp(verb, "dupfd") == 0)
		*result = slot[to] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	else if (strcmp(verb, "dup2") == 0)
		*result = dup2(fd, slot[to]);
	else if (strcmp(verb, "__dup2") == 0)
		*result = __dup2(fd, slot[to]);
	else if (strcmp(verb, "__dupfd") == 0)
		*result = slot[to] = __fcntl(fd, F_DUPFD, 10);
	else if (strcmp(verb, "dup3") == 0)
		*result = dup3(fd, slot[to], 0);
	else if (strcmp(verb, "pass") == 0)
		*result = slot[to] = through_unix(fd);
	else if (strcmp(verb, "nonblock") == 0)
		*result = fcntl(fd, F_SETFL, O_NONBLOCK);
	else if (strcmp(verb, "block") == 0)
		*result = fcntl(fd, F_SETFL, 0);
	else if (strcmp(verb, "accept") == 0)
		*result = slot[to] = accept(fd, NULL, NULL);
	else
		return 0;
	if (*result >= 0)
		*result = 0;
	return 1;
}

static int step_network(const char *verb, int fd, long *result)
{
	socklen_t len = 0;
	const struct sockaddr *addr = address(2, &len);

	errno = 0;
	if (strcmp(verb, "connect") == 0)
		*result = connect(fd, addr, len);
	else if (strcmp(verb, "__connect") == 0)
		*result = __connect(fd, addr, len);
	else if (strcmp(verb, "bind") == 0)
		*result = bind(fd, addr, len);
	else if (strcmp(verb, "bindresvport") == 0)
		*result = bindresvport(fd, NULL);
	else if (strcmp(verb, "listen") == 0)
		*result = listen(fd, 16);
	else if (strcmp(verb, "sendto") == 0)
		*result = sendto(fd, "x", 1, flags_of(4), addr, len);
	else if (strcmp(verb, "sendmsg") == 0)
		*result = send_message(fd, addr, len, flags_of(4), 0);
	else if (strcmp(verb, "sendmmsg") == 0)
		*result = send_message(fd, addr, len, flags_of(4), 1);
	else if (strcmp(verb, "close") == 0)
		*result = close(fd);
	else if (strcmp(verb, "__close") == 0)
		*result = __close(fd);
	else if (strcmp(verb, "shutdown") == 0)
		*result = shutdown(fd, SHUT_RDWR);
	else
		return 0;
	if (*result >= 0 && errno != 0)
		printf("errno changed by a call that succeeded: %s\n", name_of_errno(errno));
	return 1;
}

/* "sendmmsg2 SLOT A P A2 P2" */
static int step_send_two(int fd)
{
	struct sockaddr_in one = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number(3)) }, two = one;

	inet_pton(AF_INET, given(2), &one.sin_addr);
	inet_pton(AF_INET, given(4), &two.sin_addr);
	two.sin_port = htons((uint16_t)number(5));
	return send_two(fd, &one, &two);
}

static int step_rare(const char *verb, int fd, long *result)
{
	int to = number(2) % SLOTS;

	if (strcmp(verb, "limit") == 0 || strcmp(verb, "unlimit") == 0)
		*result = limit_descriptors(verb[0] == 'l');
	else if (strcmp(verb, "without-late") == 0)
		*result = without_late();
	else if (strcmp(verb, "without-open") == 0)
		*result = without_open();
	else if (strcmp(verb, "clone-network") == 0)
		*result = clone_network();
	else if (strcmp(verb, "no-new-privileges") == 0)
		*result = no_new_privileges();
	else if (strcmp(verb, "machines-time") == 0)
		*result = in_the_machines_time();
	else if (strcmp(verb, "drain") == 0)
		*result = drain(fd);
	else if (strcmp(verb, "end") == 0)
		*result = end_first(fd);
	else if (strcmp(verb, "keeper") == 0)
		*result = leave_keeper();
	else if (strcmp(verb, "closefrom") == 0)
		*result = (closefrom(number(1)), 0);
	else if (strcmp(verb, "close-range") == 0)
		*result = close_range((unsigned int)number(1), ~0u, number(2));
	else if (strcmp(verb, "rawclose") == 0)
		*result = syscall(SYS_close, fd);
	else if (strcmp(verb, "rawsocket") == 0)
		*result = raw_socket(&slot[number(1) % SLOTS]);
	else if (strcmp(verb, "other-network") == 0)
		*result = other_network();
	else if (strcmp(verb, "pidfd") == 0)
		*result = (slot[to] = through_pidfd(fd)) < 0 ? -1 : 0;
	else if (strcmp(verb, "vforkdup") == 0)
		*result = copy_in_vfork_child(fd, slot[to]);
	else if (strcmp(verb, "vforkclose") == 0)
		*result = close_in_vfork_child();
	else if (strcmp(verb, "childunspec") == 0)
		*result = disconnect_in_child(fd);
	else if (strcmp(verb, "childname") == 0)
		*result = name_in_child(fd);
	else if (strcmp(verb, "badname") == 0)
		*result = name_badly(fd);
	else if (strcmp(verb, "sendmmsg2") == 0)
		*result = step_send_two(fd);
	else if (strcmp(verb, "title") == 0)
		*result = show_title();
	else if (strcmp(verb, "replaced") == 0)
		*result = replaced_by_another(fd);
	else if (strcmp(verb, "addrform") == 0)
		*result = to_ipv4(fd);
	else if (strcmp(verb, "write") == 0)
		*result = write(fd, "x", 1);
	else
		return 0;
	return 1;
}

static void do_step(const char *argument)
{
	char copy[512];
	long result = -1;
	char *rest = copy, *next;

	snprintf(copy, sizeof(copy), "%s", argument);
	words = 0;
	while (words < WORDS && (next = strtok_r(rest, " ", &rest)))
		word[words++] = next;
	if (words == 0)
		return;
	if (strcmp(word[0], "clone-network") == 0)
		fflush(stdout);
	if (strcmp(word[0], "socket") == 0) {
		result = slot[number(1) % SLOTS] = make_socket(given(2));
		print_result(argument, result < 0 ? -1 : 0);
	} else if (strcmp(word[0], "name") == 0 || strcmp(word[0], "peer") == 0) {
		print_name(argument, fd_of(1), word[0][0] == 'p');
	} else if (strcmp(word[0], "set") == 0 || strcmp(word[0], "get") == 0) {
		step_option(argument, fd_of(1));
	} else if (strcmp(word[0], "sndtimeo") == 0) {
		step_timeout(argument, fd_of(1));
	} else if (strcmp(word[0], "outcome") == 0) {
		print_outcome(argument, fd_of(1));
	} else if (strcmp(word[0], "pause") == 0) {
		pause_for_test();
	} else if (strcmp(word[0], "alarm") == 0 || strcmp(word[0], "interrupt") == 0 || strcmp(word[0], "sleep") == 0) {
		step_timing(argument, word[0]);
	} else if (strcmp(word[0], "fork") == 0) {
		/* The child goes on with the next steps; the parent waits and ends as it does. */
		fflush(stdout);
		if (fork() != 0) {
			int status;

			wait(&status);
			exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
		}
	} else if (strcmp(word[0], "chroot") == 0) {
		print_result(argument, chroot(given(1)));
	} else if (strcmp(word[0], "setuid") == 0) {
		print_result(argument, setuid((uid_t)number(1)));
	} else if (strcmp(word[0], "worker") == 0) {
		/* The child does all that follows; then we do, too. */
		int status;

		fflush(stdout);
		if (fork() != 0)
			wait(&status);
	} else if (step_rare(word[0], fd_of(1), &result) || step_further(word[0], fd_of(1), &result)) {
		print_result(argument, result);
	} else if (step_descriptor(word[0], fd_of(1), &result) || step_network(word[0], fd_of(1), &result)) {
		print_result(argument, result);
	} else {
		fprintf(stderr, "act: no such step: %s\n", argument);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	memset(slot, -1, sizeof(slot));
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "exec") == 0) {
			/* The further steps are a new program's, which inherits the descriptors that are not close-on-exec. */
			fflush(stdout);
			execv("/proc/self/exe", argv + i);
		}
		do_step(argv[i]);
	}
	return 0;
}
