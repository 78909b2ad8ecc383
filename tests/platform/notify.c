/* notify.c - seccomp user notification: calls that another process answers or lets go on.
 *
 * So `portshim run --mode=supervise` serves programs that no library reaches. */
#include "fact.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif
#define LISTENER SECCOMP_FILTER_FLAG_NEW_LISTENER
#define KILLABLE (LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
#define PIDFD_OF_THREAD O_EXCL /* PIDFD_THREAD of <linux/pidfd.h>, Linux 6.9 */

#define LIMIT_MS 10000

static unsigned long usual; /* KILLABLE, where the kernel has it */

/* --- who is supervised --- */

struct child {
	pid_t pid;
	int listener; /* the supervisor's copy */
	int said, go; /* what the child reports; what lets it go on */
};

/* In the child. */
static int say_fd, go_fd;

static void say(long value)
{
	if (write(say_fd, &value, sizeof(value)) != sizeof(value))
		_exit(101);
}

static void say_result(long rc) { say(rc < 0 ? -errno : rc); }

static void wait_for_go(void)
{
	char byte;
	if (read(go_fd, &byte, 1) != 1)
		_exit(102);
}

/* Tells of connect(), listen() and socket(), whatever their arguments. */
static int filter(unsigned long flags)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_listen, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog all = {.len = sizeof(program) / sizeof(program[0]), .filter = program};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &all);
}

static bool ready(int fd, int limit_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	return poll(&poll_fd, 1, limit_ms) == 1 && poll_fd.revents & POLLIN;
}

static long heard(const struct child *child)
{
	long value;
	if (!ready(child->said, LIMIT_MS) || read(child->said, &value, sizeof(value)) != sizeof(value))
		broken("hearing of a child");
	return value;
}

static const char *heard_word(const struct child *child)
{
	long value = heard(child);
	return errno_word(value < 0 ? (int)-value : 0);
}

static void go_on(const struct child *child)
{
	if (write(child->go, "g", 1) != 1)
		broken("letting a child go on");
}

static int descriptor_of(pid_t pid, unsigned flags, int fd)
{
	int handle = (int)syscall(SYS_pidfd_open, pid, flags);
	int copy = handle < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, handle, fd, 0);
	int err = errno;
	if (handle >= 0)
		close(handle);
	errno = err;
	return copy;
}

/* A child under the filter that does `work` when its supervisor has the listener. It never lives for long. */
static struct child supervise(unsigned long flags, void (*work)(void))
{
	struct child child;
	int said[2], go[2];
	if (pipe2(said, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		broken("pipe");
	child.pid = fork();
	if (child.pid == 0) {
		close(said[0]), close(go[1]);
		say_fd = said[1], go_fd = go[0];
		alarm(LIMIT_MS / 500);
		int listener = filter(flags);
		say_result(listener);
		wait_for_go();
		close(listener);
		work();
		_exit(0);
	}
	close(said[1]), close(go[0]);
	child.said = said[0], child.go = go[1];
	long listener = heard(&child);
	if (listener == -EINVAL || listener == -ENOSYS)
		lacks("seccomp notification, or a flag of it");
	child.listener = descriptor_of(child.pid, 0, (int)listener);
	if (child.listener < 0 && errno == ENOSYS)
		lacks("pidfd_getfd");
	if (child.listener < 0)
		broken("pidfd_getfd");
	go_on(&child);
	return child;
}

static void gone(const struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->listener), close(child->said), close(child->go);
}

static struct seccomp_notif receive(const struct child *child)
{
	struct seccomp_notif told = {0};
	if (!ready(child->listener, LIMIT_MS) || ioctl(child->listener, SECCOMP_IOCTL_NOTIF_RECV, &told) < 0)
		broken("a notification");
	return told;
}

static const char *answer(const struct child *child, uint64_t id, int error, unsigned flags)
{
	struct seccomp_notif_resp reply = {.id = id, .error = -error, .flags = flags};
	return result(ioctl(child->listener, SECCOMP_IOCTL_NOTIF_SEND, &reply));
}

static const char *let_continue(const struct child *child)
{
	return answer(child, receive(child).id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

/* --- answers --- */

static int client; /* a socket made before the fork, so that the child's is known */

static void connect_work(void)
{
	struct where w = at("127.0.0.1", ONE);
	say_result(connect(-1, &w.u.sa, w.len));
	say_result(connect(client, &w.u.sa, w.len));
}

static void continued(void)
{
	client = sock("tcp4");
	struct child child = supervise(LISTENER, connect_work);
	see("%s", let_continue(&child));
	see("%s", heard_word(&child));
	see("%s", let_continue(&child));
	see("%s", heard_word(&child));
	seen("notify-continue", "ok, EBADF, ok, ok");
	gone(&child), close_reset(client);
}

static void answered(void)
{
	client = sock("tcp4");
	struct child child = supervise(LISTENER, connect_work);
	see("%s", answer(&child, receive(&child).id, EXDEV, 0));
	see("%s", heard_word(&child));
	see("%s", answer(&child, receive(&child).id, 0, 0));
	see("%s", heard_word(&child));
	struct where w = {.len = sizeof(w.u)};
	see("unconnected %s", result(getpeername(client, &w.u.sa, &w.len)));
	seen("notify-answer", "ok, EXDEV, ok, ok, unconnected ENOTCONN");
	gone(&child), close(client);
}

static void socket_work(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct stat status;
	say_result(fd);
	say(fcntl(fd, F_GETFD));
	say(fstat(fd, &status) == 0 ? (long)status.st_ino : -1);
}

static void added(void)
{
	struct stat mine;
	int fd = sock("udp4");
	struct child child = supervise(LISTENER, socket_work);
	struct seccomp_notif_addfd add = {.id = receive(&child).id, .flags = SECCOMP_ADDFD_FLAG_SEND,
					  .srcfd = (uint32_t)fd, .newfd_flags = O_CLOEXEC};
	long number = ioctl(child.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add), saw;
	if (number < 0 && errno == EINVAL) {
		note("notify-addfd-send", "no SECCOMP_ADDFD_FLAG_SEND here");
		gone(&child), close(fd);
		return;
	}
	see("%s", result(number));
	fstat(fd, &mine);
	saw = heard(&child);
	see("%s", saw == number ? "its result" : "another result");
	saw = heard(&child);
	see("%s", saw == FD_CLOEXEC ? "close-on-exec" : "as wished not");
	saw = heard(&child);
	see("%s", saw == (long)mine.st_ino ? "the same socket" : "another socket");
	seen("notify-addfd-send", "ok, its result, close-on-exec, the same socket");
	gone(&child), close(fd);
}

static void second_work(void)
{
	say_result(filter(LISTENER));
	say_result(filter(0));
	say_result(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0)); /* one mode bars the other */
}

static void second(void)
{
	struct child child = supervise(LISTENER, second_work);
	see("listener %s", heard_word(&child));
	see("filter alone %s", heard_word(&child));
	see("strict mode %s", heard_word(&child));
	seen("notify-second-listener", "listener EBUSY, filter alone ok, strict mode EINVAL");
	gone(&child);
}

/* --- the supervisor's end --- */

static void twice_work(void)
{
	say_result(listen(-1, 1));
	say_result(listen(-1, 1));
}

/* In a supervisor of its own: it starts the child, takes the first notification or not, and waits to be killed. */
static void killed_supervisor(bool receives)
{
	struct child seen_by_us;
	int told[2], parts[2];
	if (pipe(told) < 0)
		broken("pipe");
	pid_t supervisor = fork();
	if (supervisor == 0) {
		alarm(LIMIT_MS / 500);
		struct child child = supervise(usual, twice_work);
		if (receives)
			receive(&child);
		else if (!ready(child.listener, LIMIT_MS))
			broken("a notification");
		parts[0] = child.pid, parts[1] = child.said;
		if (write(told[1], parts, sizeof(parts)) != sizeof(parts))
			_exit(1);
		pause();
		_exit(1);
	}
	close(told[1]);
	if (!ready(told[0], LIMIT_MS) || read(told[0], parts, sizeof(parts)) != sizeof(parts))
		broken("a supervisor");
	seen_by_us.pid = parts[0];
	seen_by_us.said = descriptor_of(supervisor, 0, parts[1]);
	kill(supervisor, SIGKILL);
	waitpid(supervisor, NULL, 0);
	see("pending %s", heard_word(&seen_by_us));
	see("later %s", heard_word(&seen_by_us));
	seen(receives ? "notify-supervisor-killed received" : "notify-supervisor-killed not-received",
	     "pending ENOSYS, later ENOSYS");
	waitpid(seen_by_us.pid, NULL, 0);
	close(seen_by_us.said), close(told[0]);
}

/* --- signals --- */

#define HANDLER_RAN 1000

static void on_signal(int number)
{
	(void)number;
	int err = errno;
	say(HANDLER_RAN);
	errno = err;
}

static void signal_work(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGUSR1, &action, NULL);
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR2, &action, NULL);
	say_result(listen(-1, 1));
}

static const char *heard_signal(const struct child *child)
{
	long value = heard(child);
	return value == HANDLER_RAN ? "handler" : errno_word(value < 0 ? (int)-value : 0);
}

static void signal_after(unsigned long flags, int number, const char *name, const char *expected)
{
	struct child child = supervise(flags, signal_work);
	struct seccomp_notif told = receive(&child);
	kill(child.pid, number);
	if (flags == KILLABLE) {
		see("nothing for a while: %s", ready(child.said, 50) ? "no" : "yes");
		see("answer %s", answer(&child, told.id, EXDEV, 0));
		see("%s", heard_signal(&child));
		see("%s", heard_signal(&child));
	} else {
		see("%s", heard_signal(&child));
		see("answer %s", answer(&child, told.id, EXDEV, 0));
		if (number == SIGUSR2)
			see("again: answer %s", answer(&child, receive(&child).id, EXDEV, 0));
		see("%s", heard_signal(&child));
	}
	seen(name, expected);
	gone(&child);
}

static void signal_before(int number, const char *name, const char *expected)
{
	struct child child = supervise(KILLABLE, signal_work);
	if (!ready(child.listener, LIMIT_MS))
		broken("a notification");
	kill(child.pid, number);
	see("%s", heard_signal(&child));
	if (number == SIGUSR2)
		see("again: answer %s", answer(&child, receive(&child).id, EXDEV, 0));
	see("%s", heard_signal(&child));
	seen(name, expected);
	gone(&child);
}

static void signals(void)
{
	signal_after(LISTENER, SIGUSR1, "notify-not-killable-after-receipt", "handler, answer ENOENT, EINTR");
	signal_after(LISTENER, SIGUSR2, "notify-not-killable-after-receipt SA_RESTART",
		     "handler, answer ENOENT, again: answer ok, EXDEV");
	if (usual != KILLABLE) {
		note("notify-killable", "no WAIT_KILLABLE_RECV here");
		return;
	}
	signal_after(KILLABLE, SIGUSR1, "notify-killable-after-receipt",
		     "nothing for a while: yes, answer ok, handler, EXDEV");
	signal_after(KILLABLE, SIGUSR2, "notify-killable-after-receipt SA_RESTART",
		     "nothing for a while: yes, answer ok, handler, EXDEV");
	signal_before(SIGUSR1, "notify-killable-before-receipt", "handler, EINTR");
	signal_before(SIGUSR2, "notify-killable-before-receipt SA_RESTART", "handler, again: answer ok, EXDEV");
}

/* --- looking into the caller --- */

static void caller_killed(void)
{
	struct child child = supervise(usual, twice_work);
	struct seccomp_notif told = receive(&child);
	struct seccomp_notif_addfd add = {.id = told.id, .srcfd = 0};
	see("%s", result(ioctl(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &told.id)));
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
	see("%s", result(ioctl(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &told.id)));
	see("answer %s", answer(&child, told.id, EXDEV, 0));
	see("addfd %s", result(ioctl(child.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add)));
	seen("notify-caller-killed", "ok, ENOENT, answer ENOENT, addfd ENOENT");
	close(child.listener), close(child.said), close(child.go);
}

static void *thread_work(void *own_files)
{
	if (own_files && (unshare(CLONE_FILES) < 0 || dup2(go_fd, client) < 0))
		_exit(103);
	say(syscall(SYS_gettid));
	say_result(listen(client, 1));
	return NULL;
}

static void shared_thread_work(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, thread_work, NULL);
	pthread_join(thread, NULL);
}

static void own_thread_work(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, thread_work, &client);
	pthread_join(thread, NULL);
}

static const char *kind_of(int fd)
{
	struct stat status;
	if (fd < 0)
		return errno_word(errno);
	const char *kind = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? "socket" : "pipe";
	close(fd);
	return kind;
}

static void thread_one(void (*work)(void), const char *name, const char *expected)
{
	client = sock("tcp4");
	struct child child = supervise(LISTENER, work);
	long thread = heard(&child);
	struct seccomp_notif told = receive(&child);
	see("told of %s", told.pid == thread && thread != child.pid ? "the thread" : "the process");
	int plain = (int)syscall(SYS_pidfd_open, told.pid, 0);
	see("pidfd_open %s", plain < 0 ? "refused" : "ok"); /* EINVAL, since 6.9 ENOENT */
	int handle = (int)syscall(SYS_pidfd_open, told.pid, PIDFD_OF_THREAD);
	if (handle < 0)
		note("notify-thread", "no PIDFD_THREAD here: %s", errno_word(errno));
	else
		close(handle);
	see("by PIDFD_THREAD %s", handle < 0 ? "as by the process" : kind_of(descriptor_of((pid_t)told.pid, PIDFD_OF_THREAD, client)));
	see("by the process %s", kind_of(descriptor_of(child.pid, 0, client)));
	if (handle >= 0)
		seen(name, expected);
	else
		seen_text[0] = '\0';
	gone(&child), close(client);
}

static void threads(void)
{
	thread_one(shared_thread_work, "notify-thread",
		   "told of the thread, pidfd_open refused, by PIDFD_THREAD socket, by the process socket");
	thread_one(own_thread_work, "notify-thread own-files",
		   "told of the thread, pidfd_open refused, by PIDFD_THREAD pipe, by the process socket");
}

static long looked_at = 4711;

static void exec_work(void)
{
	char said[16], go[16];
	wait_for_go();
	snprintf(said, sizeof(said), "%d", dup(say_fd));
	snprintf(go, sizeof(go), "%d", dup(go_fd));
	execl("/proc/self/exe", "notify", said, go, (char *)NULL);
}

/* What the child becomes. */
static int after_exec(const char *said, const char *go)
{
	say_fd = atoi(said), go_fd = atoi(go);
	say(1);
	wait_for_go();
	return 0;
}

static void memory(void)
{
	char path[64];
	long value = 0;
	struct child child = supervise(LISTENER, exec_work);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)child.pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	see("%zd bytes", pread(fd, &value, sizeof(value), (off_t)(uintptr_t)&looked_at) == sizeof(value) ? (ssize_t)8 : -1);
	see("%ld", value);
	go_on(&child);
	heard(&child);
	see("after exec %zd bytes", pread(fd, &value, sizeof(value), (off_t)(uintptr_t)&looked_at));
	seen("notify-memory-of-before-exec", "8 bytes, 4711, after exec 0 bytes");
	gone(&child), close(fd);
}

/* --- connect() begun by the supervisor, waited for by the program --- */

static const char *connect_ip;
static int connect_port;

static void blocking_work(void)
{
	struct where w = at(connect_ip, connect_port);
	say_result(connect(client, &w.u.sa, w.len));
	say(fcntl(client, F_GETFL) & O_NONBLOCK);
}

/* The supervisor's part: as a call that does not wait, through its copy. */
static const char *begin(const struct child *child)
{
	int copy = descriptor_of(child->pid, 0, client), flags = fcntl(copy, F_GETFL);
	fcntl(copy, F_SETFL, flags | O_NONBLOCK);
	const char *word = do_connect(copy, connect_ip, connect_port);
	fcntl(copy, F_SETFL, flags);
	close(copy);
	return word;
}

/* `full`: the server's queue has no room, so it answers when the SYN is sent again, a second later, if there is room then. */
static void begun(const char *kind, int port, bool full, const char *expected)
{
	const struct timeval limit = {.tv_sec = LIMIT_MS / 1000};
	char name[64], server_kind[8];
	connect_ip = kind[strlen(kind) - 1] == '6' ? "::1" : "127.0.0.1", connect_port = port;
	snprintf(server_kind, sizeof(server_kind), "tcp%c", kind[strlen(kind) - 1]);
	client = sock(kind);
	if (client < 0)
		return;
	int server = full ? serve(server_kind, port) : -1, first = full ? sock(server_kind) : -1;
	if (full && (listen(server, 0) < 0 || strcmp(do_connect(first, connect_ip, port), "ok") != 0))
		broken("a full queue");
	setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	struct child child = supervise(usual, blocking_work);
	struct seccomp_notif told = receive(&child);
	see("%s", begin(&child));
	see("%s", answer(&child, told.id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	if (full) {
		see("waits: %s", ready(child.said, 100) ? "no" : "yes");
		close(accept(server, NULL, NULL));
	}
	see("%s", heard_word(&child));
	see("%s", heard(&child) ? "left not blocking" : "blocking");
	snprintf(name, sizeof(name), "notify-connect-begun %s%s%s", kind, full ? " waiting" : "",
		 strstr(expected, "REFUSED") ? " refused" : "");
	seen(name, expected);
	gone(&child), close_reset(client);
	if (full)
		close_reset(first), close(server);
}

static void begun_all(void)
{
	static const char *const kinds[] = {"tcp4", "tcp6", "mptcp4", "mptcp6"};
	for (int i = 0; i < 4; i++) {
		begun(kinds[i], ONE, false, "EINPROGRESS, ok, ok, blocking");
		begun(kinds[i], TWO, false, "EINPROGRESS, ok, ECONNREFUSED, blocking");
	}
	begun("tcp4", TWO + 1, true, "EINPROGRESS, ok, waits: yes, ok, blocking");
	begun("mptcp4", TWO + 2, true, "EINPROGRESS, ok, waits: yes, ok, blocking");
}

/* --- the end of the last process under the filter --- */

static void parent_work(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		wait_for_go();
		_exit(0);
	}
	say(pid);
}

static const char *hung_up(int listener, int limit_ms)
{
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
	poll(&poll_fd, 1, limit_ms);
	return poll_fd.revents & POLLHUP ? "yes" : "no";
}

static void hang_up(void)
{
	struct child child = supervise(usual, parent_work);
	siginfo_t ended;
	see("both %s", hung_up(child.listener, 0));
	pid_t last = (pid_t)heard(&child);
	waitid(P_PID, (id_t)child.pid, &ended, WEXITED | WNOWAIT);
	see("one left %s", hung_up(child.listener, 50));
	waitpid(child.pid, NULL, 0);
	see("the first reaped %s", hung_up(child.listener, 50));
	go_on(&child);
	waitid(P_PID, (id_t)last, &ended, WEXITED | WNOWAIT);
	note("notify-hang-up", "while the last one is a zombie: %s", hung_up(child.listener, 50));
	waitpid(last, NULL, 0);
	see("none %s", hung_up(child.listener, LIMIT_MS));
	seen("notify-hang-up", "both no, one left no, the first reaped no, none yes");
	close(child.listener), close(child.said), close(child.go);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return after_exec(argv[1], argv[2]);
	fact_begin();
	/* A filter at no address: EFAULT if the flags are known. */
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, KILLABLE, NULL);
	usual = errno == EFAULT ? KILLABLE : LISTENER;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	serve("tcp6", ONE);
	continued();
	answered();
	added();
	second();
	killed_supervisor(true);
	killed_supervisor(false);
	signals();
	caller_killed();
	threads();
	memory();
	begun_all();
	hang_up();
	return fact_end();
}
