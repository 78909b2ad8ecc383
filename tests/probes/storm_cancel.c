/* storm_cancel.c - `storm_cancel pending|disabled|blocked|first|wait|denied LO HI`: threads that are told to end, and where they do.
 *
 * Each call is made by a thread of its own, on a socket of its own. `pending`: the thread was told before; `disabled`: likewise,
 * but it does not listen; `first`: the first calls of the process; `blocked`: it is told while the call waits; `wait`: while it
 * waits for a port; `denied`: told before a call that a rule denies. What became of thread and socket is a line each on standard output, to be compared with what a bare
 * program prints. Standard error has how many ports can be had at once in the end. */
#define _GNU_SOURCE
#include "storm.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/un.h>

#define DENIED_PORT 5002
#define BUSY_PORT 5003
#define LISTENER_PORT 5004
#define RECEIVER_PORT 5005
#define UNIX_NAME "\0storm"

static int listener, datagrams, lock_file;

/* --- calls: each on the socket that it is given --- */

static ssize_t unix_connect(int fd)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = UNIX_NAME };

	return connect(fd, (struct sockaddr *)&name, sizeof(sa_family_t) + sizeof(UNIX_NAME));
}

static ssize_t disconnect(int fd)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	return connect(fd, &nobody, sizeof(nobody));
}

static struct iovec byte = { .iov_base = "x", .iov_len = 1 };

static ssize_t message_to(int fd, bool many)
{
	struct sockaddr_in name = loopback(UDP_PORT);
	struct mmsghdr message = {
		.msg_hdr = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &byte, .msg_iovlen = 1 },
	};

	return many ? sendmmsg(fd, &message, 1, 0) : sendmsg(fd, &message.msg_hdr, 0);
}

static ssize_t message_from(bool many)
{
	char room[16];
	struct iovec into = { .iov_base = room, .iov_len = sizeof(room) };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &into, .msg_iovlen = 1 } };

	return many ? recvmmsg(datagrams, &message, 1, 0, NULL) : recvmsg(datagrams, &message.msg_hdr, 0);
}

static ssize_t call_connect(int fd) { return connect_to(fd, TCP_PORT); }
static ssize_t call_connect_busy(int fd) { return connect_to(fd, BUSY_PORT); }
static ssize_t call_connect_denied(int fd) { return connect_to(fd, DENIED_PORT); }
static ssize_t call_sendto(int fd) { return send_to(fd, UDP_PORT); }
static ssize_t call_sendmsg(int fd) { return message_to(fd, false); }
static ssize_t call_sendmmsg(int fd) { return message_to(fd, true); }
static ssize_t call_recvmsg(int fd) { return fd < 0 ? -1 : message_from(false); }
static ssize_t call_recvmmsg(int fd) { return fd < 0 ? -1 : message_from(true); }
static ssize_t call_close(int fd) { return close(fd); }
static ssize_t call_bind(int fd) { return bind_to(fd, 0); }
static ssize_t call_bind_port(int fd) { return bind_to(fd, 5010); }
static ssize_t call_listen(int fd) { return listen(fd, 1); }
static ssize_t call_getsockname(int fd) { return port_of(fd) >= 0 ? 0 : -1; }
static ssize_t call_close_bad(int fd) { return fd < 0 ? -1 : close(1000); }
static ssize_t call_connect_bad(int fd) { return fd < 0 ? -1 : connect_to(1000, TCP_PORT); }

static ssize_t taken(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

static ssize_t call_accept(int fd) { return fd < 0 ? -1 : taken(accept(listener, NULL, NULL)); }
static ssize_t call_accept4(int fd) { return fd < 0 ? -1 : taken(accept4(listener, NULL, NULL, SOCK_CLOEXEC)); }

static ssize_t lock(int command)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(lock_file, command, &whole);
}

static ssize_t call_lock_wait(int fd) { return fd < 0 ? -1 : lock(F_SETLKW); }
static ssize_t call_lock(int fd) { return fd < 0 ? -1 : lock(F_SETLK); }
static ssize_t call_flags(int fd) { return fcntl(fd, F_GETFL) >= 0 ? 0 : -1; }

/* Copies are closed by the system call, which is no cancellation point. */
static ssize_t copied(int copy)
{
	return copy < 0 ? -1 : syscall(SYS_close, copy);
}

static ssize_t call_socket(int fd) { return copied(fd < 0 ? -1 : socket(AF_INET, SOCK_STREAM, 0)); }
static ssize_t call_dup(int fd) { return copied(dup(fd)); }
static ssize_t call_dup2(int fd) { return copied(dup2(fd, 900)); }
static ssize_t call_dup3(int fd) { return copied(dup3(fd, 900, O_CLOEXEC)); }
static ssize_t call_dupfd(int fd) { return copied(fcntl(fd, F_DUPFD, 800)); }

static ssize_t call_setsockopt(int fd)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

static ssize_t call_getsockopt(int fd)
{
	int value;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &len);
}

/* --- trials --- */

enum before { FRESH, CONNECTED, BOUND };

struct trial {
	const char *name;
	ssize_t (*call)(int fd);
	int type; /* of the socket */
	enum before before;
};

static const struct trial trials[] = {
	{ "connect tcp", call_connect, SOCK_STREAM, FRESH },
	{ "connect tcp, not blocking", call_connect, SOCK_STREAM | SOCK_NONBLOCK, FRESH },
	{ "connect tcp, bound to no port", call_connect, SOCK_STREAM, BOUND },
	{ "connect tcp, connected", call_connect, SOCK_STREAM, CONNECTED },
	{ "connect udp", call_connect, SOCK_DGRAM, FRESH },
	{ "connect udp to nobody", disconnect, SOCK_DGRAM, FRESH },
	{ "connect unix", unix_connect, 0, FRESH },
	{ "connect bad descriptor", call_connect_bad, SOCK_STREAM, FRESH },
	{ "sendto udp", call_sendto, SOCK_DGRAM, FRESH },
	{ "sendto udp, connected", call_sendto, SOCK_DGRAM, CONNECTED },
	{ "sendto tcp", call_sendto, SOCK_STREAM, CONNECTED },
	{ "sendmsg udp", call_sendmsg, SOCK_DGRAM, FRESH },
	{ "sendmmsg udp", call_sendmmsg, SOCK_DGRAM, FRESH },
	{ "accept", call_accept, SOCK_STREAM, CONNECTED },
	{ "accept4", call_accept4, SOCK_STREAM, CONNECTED },
	{ "recvmsg", call_recvmsg, SOCK_DGRAM, CONNECTED },
	{ "recvmmsg", call_recvmmsg, SOCK_DGRAM, CONNECTED },
	{ "close tcp", call_close, SOCK_STREAM, CONNECTED },
	{ "close udp", call_close, SOCK_DGRAM, CONNECTED },
	{ "close bad descriptor", call_close_bad, SOCK_STREAM, FRESH },
	{ "fcntl F_SETLKW", call_lock_wait, SOCK_STREAM, FRESH },
	{ "fcntl F_SETLK", call_lock, SOCK_STREAM, FRESH },
	{ "fcntl F_GETFL", call_flags, SOCK_STREAM, FRESH },
	{ "fcntl F_DUPFD", call_dupfd, SOCK_STREAM, CONNECTED },
	{ "socket", call_socket, SOCK_STREAM, FRESH },
	{ "bind tcp", call_bind, SOCK_STREAM, FRESH },
	{ "bind udp", call_bind, SOCK_DGRAM, FRESH },
	{ "bind to a port", call_bind_port, SOCK_STREAM, FRESH },
	{ "listen", call_listen, SOCK_STREAM, FRESH },
	{ "getsockname", call_getsockname, SOCK_STREAM, FRESH },
	{ "getsockname, bound to no port", call_getsockname, SOCK_DGRAM, BOUND },
	{ "setsockopt", call_setsockopt, SOCK_STREAM, FRESH },
	{ "getsockopt", call_getsockopt, SOCK_STREAM, FRESH },
	{ "dup", call_dup, SOCK_STREAM, CONNECTED },
	{ "dup2", call_dup2, SOCK_STREAM, CONNECTED },
	{ "dup3", call_dup3, SOCK_STREAM, CONNECTED },
};

/* With a rule that denies it; what it returns otherwise is not what a bare program gets. */
static const struct trial denied = { "connect tcp, denied", call_connect_denied, SOCK_STREAM, FRESH };

enum telling { PENDING, DISABLED, LATER };

struct thread {
	const struct trial *trial;
	enum telling telling;
	int fd, error;
	ssize_t result;
	bool ended, cleaned;
	_Atomic pid_t id;
};

static void clean(void *argument)
{
	struct thread *thread = argument;

	thread->cleaned = true;
}

static void *run(void *argument)
{
	struct thread *thread = argument;
	int unused;

	if (thread->telling == DISABLED)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &unused);
	if (thread->telling != LATER)
		pthread_cancel(pthread_self());
	pthread_cleanup_push(clean, thread);
	thread->id = (pid_t)syscall(SYS_gettid);
	errno = ERRNO_KEPT;
	thread->result = thread->trial->call(thread->fd);
	thread->error = errno;
	thread->ended = true;
	pthread_cleanup_pop(0);
	return thread;
}

/* By system calls: what the kernel has. */
static void tell_socket(int fd)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	bool open = syscall(SYS_fcntl, fd, F_GETFD) >= 0;
	bool bound = syscall(SYS_getsockname, fd, &name, &len) == 0 && ((struct sockaddr_in *)&name)->sin_port != 0;

	len = sizeof(name);
	printf(", %s, %s, %s\n", open ? "open" : "closed", bound ? "with a port" : "without a port",
	       getpeername(fd, (struct sockaddr *)&name, &len) == 0 ? "connected" : "not connected");
}

static void tell(const struct thread *thread, void *result)
{
	printf("%s: ", thread->trial->name);
	if (result == PTHREAD_CANCELED)
		printf("cancelled%s%s", thread->cleaned ? ", cleaned up" : "", thread->ended ? ", after the call" : "");
	else if (thread->result < 0)
		printf("-1 %s", strerrorname_np(thread->error));
	else
		printf("%zd%s", thread->result, thread->error == ERRNO_KEPT ? "" : ", errno changed");
	tell_socket(thread->fd);
}

static int make_socket(const struct trial *trial)
{
	int fd = trial->type ? socket(AF_INET, trial->type, 0) : socket(AF_UNIX, SOCK_STREAM, 0);

	end_by_reset(fd);
	if (trial->before == CONNECTED)
		RIGHT(connect_to(fd, trial->type == SOCK_STREAM ? TCP_PORT : UDP_PORT) == 0);
	if (trial->before == BOUND) {
		int on = 1;

		setsockopt(fd, IPPROTO_IP, 24, &on, sizeof(on)); /* IP_BIND_ADDRESS_NO_PORT */
		RIGHT(bind_to(fd, 0) == 0);
	}
	return fd;
}

static void try(const struct trial *trial, enum telling telling)
{
	struct thread thread = { .trial = trial, .telling = telling, .fd = make_socket(trial) };
	pthread_t id;
	void *result;

	RIGHT(pthread_create(&id, NULL, run, &thread) == 0 && pthread_join(id, &result) == 0);
	tell(&thread, result);
	reset(thread.fd);
}

/* Whether the thread sleeps in a system call that waits: not one of those on the way. */
static bool waits(const struct thread *thread)
{
	char path[64], words[256] = "";
	int fd;
	long call;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", thread->id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, words, sizeof(words) - 1) < 0)
		words[0] = '\0';
	close(fd);
	call = atol(words);
	return words[0] >= '0' && words[0] <= '9' &&
	       (call == SYS_connect || call == SYS_accept4 || call == SYS_recvmsg || call == SYS_recvmmsg ||
#ifdef SYS_accept
	        call == SYS_accept ||
#endif
	        call == SYS_fcntl || call == SYS_ppoll);
}

static void interrupt(const struct trial *trial)
{
	struct thread thread = { .trial = trial, .telling = LATER, .fd = make_socket(trial) };
	pthread_t id;
	void *result;

	RIGHT(pthread_create(&id, NULL, run, &thread) == 0);
	while (!thread.id || !waits(&thread))
		sched_yield();
	RIGHT(pthread_cancel(id) == 0 && pthread_join(id, &result) == 0);
	tell(&thread, result);
	reset(thread.fd);
}

/* --- what there is to connect to, and to lock --- */

static int listen_at(int port, int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	RIGHT(bind_to(fd, port) == 0 && listen(fd, backlog) == 0);
	return fd;
}

static void make_unix_listener(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = UNIX_NAME };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	RIGHT(bind(fd, (struct sockaddr *)&name, sizeof(sa_family_t) + sizeof(UNIX_NAME)) == 0 && listen(fd, 64) == 0);
}

/* Another process has the lock. */
static pid_t make_lock(void)
{
	pid_t pid;

	lock_file = memfd_create("lock", MFD_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		RIGHT(lock(F_SETLK) == 0);
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	RIGHT(waitpid(pid, NULL, WUNTRACED) == pid);
	return pid;
}

/* Nobody is let in at `busy`: the one place in its queue is taken, and the one behind it. */
static void make_busy(int busy[3])
{
	busy[0] = listen_at(BUSY_PORT, 0);
	for (int i = 1; i < 3; i++) {
		busy[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect_to(busy[i], BUSY_PORT);
	}
}

static void try_blocked(void)
{
	static const struct trial blocked[] = {
		{ "connect", call_connect_busy, SOCK_STREAM, FRESH },
		{ "accept", call_accept, SOCK_STREAM, FRESH },
		{ "accept4", call_accept4, SOCK_STREAM, FRESH },
		{ "recvmsg", call_recvmsg, SOCK_DGRAM, FRESH },
		{ "recvmmsg", call_recvmmsg, SOCK_DGRAM, FRESH },
		{ "fcntl F_SETLKW", call_lock_wait, SOCK_STREAM, FRESH },
	};
	pid_t owner = make_lock();
	int busy[3];

	make_busy(busy);
	for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++)
		interrupt(&blocked[i]);
	for (int i = 2; i >= 0; i--)
		reset(busy[i]);
	kill(owner, SIGKILL);
	waitpid(owner, NULL, 0);
}

/* All ports are in use by connections to the same place. */
static void try_wait(void)
{
	static const struct trial waiting = { "connect", call_connect, SOCK_STREAM, FRESH };
	int fd[64], n = pool_hi - pool_lo + 1;

	for (int i = 0; i < n; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		RIGHT(connect_to(fd[i], TCP_PORT) == 0);
	}
	interrupt(&waiting);
	for (int i = 0; i < n; i++)
		reset(fd[i]);
}

/* The thread is told before the process has made any call that the library knows. */
static void *first_calls(void *slots)
{
	int *fd = slots;

	pthread_cancel(pthread_self());
	fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
	printf("bind %d\n", bind_to(fd[0], 0));
	printf("getsockname %d\n", port_of(fd[0]) > 0);
	fd[1] = dup(fd[0]);
	printf("dup %d\n", fd[1] >= 0);
	send_to(fd[0], UDP_PORT);
	printf("not cancelled\n");
	return NULL;
}

static void try_first(void)
{
	int fd[2] = { -1, -1 };
	pthread_t id;
	void *result;

	RIGHT(pthread_create(&id, NULL, first_calls, fd) == 0 && pthread_join(id, &result) == 0);
	printf("cancelled %d\n", result == PTHREAD_CANCELED);
	close(fd[0]);
	close(fd[1]);
}

/* Somebody to be accepted, and something to be received. */
static void knock(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);

	RIGHT(connect_to(tcp, LISTENER_PORT) == 0 && send_to(udp, RECEIVER_PORT) == 1);
	reset(tcp);
	close(udp);
}

static void try_all(enum telling telling)
{
	lock_file = memfd_create("lock", MFD_CLOEXEC);
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		knock();
		try(&trials[i], telling);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	storm_begin(argv[2], argv[3]);
	if (strcmp(argv[1], "first") == 0)
		try_first();
	make_unix_listener();
	listener = listen_at(LISTENER_PORT, 64);
	datagrams = socket(AF_INET, SOCK_DGRAM, 0);
	RIGHT(bind_to(datagrams, RECEIVER_PORT) == 0);
	if (strcmp(argv[1], "blocked") == 0)
		try_blocked();
	else if (strcmp(argv[1], "wait") == 0)
		try_wait();
	else if (strcmp(argv[1], "denied") == 0)
		try(&denied, PENDING);
	else if (strcmp(argv[1], "first") != 0)
		try_all(strcmp(argv[1], "pending") == 0 ? PENDING : DISABLED);
	storm_tell();
	if (getenv("LD_PRELOAD"))
		fprintf(stderr, "tcp again %d\nudp again %d\n", fill(SOCK_STREAM), fill(SOCK_DGRAM));
	return 0;
}
