/* maker.c - making sockets in another process's place. */
#define _GNU_SOURCE
#include "tools/supervise/maker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/kernel.h"
#include "shim/log.h"
#include "shim/sock.h"
#include "tools/supervise/status.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL /* Linux 5.7 */
#endif
#define PATH_ROOM 4096

/* What of its maker stays on a socket. */
struct maker {
	uint32_t user, group; /* of the file system */
	uint64_t cgroup;      /* of cgroup v2: its folder's inode; 0: unknown */
	uint64_t network;     /* the namespace's inode; 0: unknown */
};

/* --- who somebody is ------------------------------------------------------------------------------------------------- */

/* struct pidfd_info and PIDFD_GET_INFO of <linux/pidfd.h>, Linux 6.13. */
struct thread_info {
	uint64_t mask, cgroup;
	uint32_t ids[9]; /* pid, tgid, ppid; ruid, rgid, euid, egid, suid, sgid */
	uint32_t user, group;
	int32_t exit_code;
};
_Static_assert(sizeof(struct thread_info) == 64, "the size is part of the request's number");
#define THREAD_INFO _IOWR(0xFF, 11, struct thread_info)
#define THREAD_INFO_NEEDED 6u /* credentials, control group */

static bool ask_thread(struct maker *maker, int pidfd)
{
	struct thread_info info = { .mask = THREAD_INFO_NEEDED };

	if (ioctl(pidfd, THREAD_INFO, &info) < 0 || (info.mask & THREAD_INFO_NEEDED) != THREAD_INFO_NEEDED)
		return false;
	maker->user = info.user;
	maker->group = info.group;
	maker->cgroup = info.cgroup;
	return true;
}

/* Opens the folder of a thread's control group; -1 where that is nowhere to be seen. */
static int cgroup_open(const char *thread)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char line[PATH_ROOM], path[PATH_ROOM + 32];
	int fd = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/cgroup", thread);
	file = fopen(path, "re");
	while (file && fd < 0 && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		for (int i = 1; fd < 0 && i >= 0 && strncmp(line, "0::", 3) == 0; i--) {
			snprintf(path, sizeof(path), "%s%s", mounts[i], line + 3);
			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		}
	}
	if (file)
		fclose(file);
	return fd;
}

static uint64_t inode_of(int fd, const char *path)
{
	struct stat status;

	return (path ? stat(path, &status) : fstat(fd, &status)) == 0 ? status.st_ino : 0;
}

/* Before Linux 6.13. */
static bool read_thread(struct maker *maker, const char *thread, uint32_t tid)
{
	struct status status;
	int fd;

	if (!status_read(&status, tid))
		return false;
	maker->user = status_id(&status, "Uid", STATUS_FILE_SYSTEM);
	maker->group = status_id(&status, "Gid", STATUS_FILE_SYSTEM);
	fd = cgroup_open(thread);
	maker->cgroup = fd < 0 ? 0 : inode_of(fd, NULL);
	if (fd >= 0)
		close(fd);
	return true;
}

static bool maker_read(struct maker *maker, uint32_t tid, int pidfd)
{
	char thread[16], path[40];

	snprintf(thread, sizeof(thread), "%u", tid);
	snprintf(path, sizeof(path), "/proc/%s/ns/net", thread);
	maker->network = inode_of(-1, path);
	return (pidfd >= 0 && ask_thread(maker, pidfd)) || read_thread(maker, thread, tid);
}

static struct maker own_at_start;
static int own_pidfd = -1;

static void own_look(void)
{
	own_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	maker_read(&own_at_start, (uint32_t)getpid(), own_pidfd);
}

/* This thread: its user changes nowhere but here, its namespace never, its control group when somebody moves the process. */
static bool maker_of_own(struct maker *maker)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, own_look);
	*maker = own_at_start;
	return (own_pidfd >= 0 && ask_thread(maker, own_pidfd)) || read_thread(maker, "self", (uint32_t)getpid());
}

/* --- the socket ------------------------------------------------------------------------------------------------------- */

bool maker_can_hold(const struct kernel *kernel, struct port_range range)
{
	for (uint32_t port = range.lo; port <= range.hi; port++) {
		if (port % 64 == 0 && port + 63 <= range.hi && kernel->reserved[port / 64] == 0)
			port += 63;
		else if (kernel_reserves(kernel, (uint16_t)port))
			return false;
	}
	return kernel_takes_late(kernel, range.lo) && kernel_takes_late(kernel, range.hi);
}

static int make(const void *context)
{
	const struct newborn *newborn = context;
	uint32_t range = (uint32_t)newborn->range.hi << 16 | newborn->range.lo;
	int fd = (int)syscall(SYS_socket, newborn->domain, newborn->type | SOCK_CLOEXEC, newborn->protocol);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) == 0)
		return fd;
	close(fd);
	return -ERANGE;
}

/* For this thread alone, which glibc's own would not leave at that. What may not be is not done; this says whether it is. */
static bool become(const struct maker *maker)
{
	syscall(SYS_setfsgid, maker->group);
	syscall(SYS_setfsuid, maker->user);
	return (uint32_t)syscall(SYS_setfsgid, -1) == maker->group && (uint32_t)syscall(SYS_setfsuid, -1) == maker->user;
}

static bool is_same_user(const struct maker *one, const struct maker *other)
{
	return one->user == other->user && one->group == other->group;
}

static int make_here(const struct maker *own, const struct maker *as, const struct newborn *newborn)
{
	int fd;

	if (is_same_user(own, as))
		return make(newborn);
	fd = become(as) ? make(newborn) : -EUSERS;
	become(own); /* one's own effective user is always allowed */
	return fd;
}

/* --- in a process of its own ------------------------------------------------------------------------------------------- */

struct journey {
	const struct maker *own, *as;
	int (*make)(const void *context);
	const void *context;
	const struct port_range *range;
	bool goes_elsewhere; /* into a network namespace whose settings must hold `range` */
	int network, users;  /* the client's namespaces; -1 */
	int place;           /* the descriptor that becomes what is made */
};

/* A namespace that belongs to one of users may have to be entered together with that. */
static int enter(const struct journey *journey)
{
	struct kernel kernel = { .no_timestamps = false };

	if (setns(journey->network, CLONE_NEWNET) < 0 &&
	    (setns(journey->users, CLONE_NEWUSER) < 0 || setns(journey->network, CLONE_NEWNET) < 0))
		return -EXDEV;
	return kernel_read(&kernel) && maker_can_hold(&kernel, *journey->range) ? 0 : -ERANGE;
}

/* Only system calls: other threads of the process may have held any lock. The exit code is an errno. */
static _Noreturn void journey_go(const struct journey *journey)
{
	int fd = is_same_user(journey->own, journey->as) || become(journey->as) ? 0 : -EUSERS;

	if (!fd && journey->goes_elsewhere)
		fd = enter(journey);
	if (!fd)
		fd = journey->make(journey->context);
	if (fd >= 0 && dup3(fd, journey->place, O_CLOEXEC) < 0)
		fd = -errno;
	if (fd >= 0)
		close(fd);
	_exit(fd < 0 ? -fd : 0);
}

/* No signal tells of its end: this is no child that anybody else waits for. */
static pid_t journey_begin(int cgroup)
{
	struct clone_args args = { .flags = CLONE_FILES };

	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void say_cgroup(struct client *client)
{
	char words[256];
	struct text text = TEXT_OVER(words);

	if (!log_wants(LOG_LEVEL_WARNING) || !client_is_told(client, TOLD_CGROUP))
		return;
	log_begin(&text);
	text_add(&text, "its control group cannot be entered from here: its sockets are the supervisor's to firewalls and BPF "
	                "programs that look at that");
	log_send(LOG_LEVEL_WARNING, &text);
}

/* Who may not put processes into the client's group makes its sockets in his own one: where he is he could run programs of
 * his anyway, and so nobody gains by it. Where nobody could make one there (pids.max) there is none. */
static pid_t journey_begin_in(struct client *client, const char *thread)
{
	int cgroup = cgroup_open(thread), error = cgroup < 0 ? errno : 0;
	pid_t child = cgroup < 0 ? -1 : journey_begin(cgroup);

	if (child == 0)
		return 0;
	if (child < 0 && cgroup >= 0)
		error = errno;
	if (cgroup >= 0)
		close(cgroup);
	if (child > 0 || (error != EACCES && error != EPERM && error != ENOENT))
		return child;
	say_cgroup(client);
	return journey_begin(-1);
}

/* The exit code, an errno. */
static int journey_end(pid_t child)
{
	int status = 0;
	pid_t ended;

	do
		ended = child < 0 ? -1 : waitpid(child, &status, __WALL);
	while (child > 0 && ended < 0 && errno == EINTR);
	return child > 0 && ended == child && WIFEXITED(status) ? WEXITSTATUS(status) : ENOBUFS;
}

static int namespace_open(const char *thread, const char *kind)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", thread, kind);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int make_apart(struct client *client, struct journey *journey)
{
	char thread[16];
	int error;
	pid_t child;

	journey->place = fcntl(client_pidfd(client), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (journey->place < 0)
		return -errno;
	snprintf(thread, sizeof(thread), "%u", client_tid(client));
	if (journey->goes_elsewhere) {
		journey->network = namespace_open(thread, "net");
		journey->users = namespace_open(thread, "user");
	}
	child = journey->own->cgroup != journey->as->cgroup ? journey_begin_in(client, thread) : journey_begin(-1);
	if (child == 0)
		journey_go(journey);
	error = journey_end(child);
	close_if_open(journey->network);
	close_if_open(journey->users);
	if (!error)
		return journey->place;
	close(journey->place);
	return -error;
}

int maker_socket(struct client *client, const struct newborn *newborn)
{
	struct maker own, as;
	struct journey journey = { .own = &own, .as = &as, .make = make, .context = newborn, .range = &newborn->range,
	                           .network = -1, .users = -1 };

	if (!maker_of_own(&own) || !maker_read(&as, client_tid(client), client_pidfd_of_thread(client)))
		return -ESRCH;
	journey.goes_elsewhere = as.network == 0 || own.network != as.network;
	if (!journey.goes_elsewhere && own.cgroup == as.cgroup)
		return make_here(&own, &as, newborn);
	return make_apart(client, &journey);
}

int maker_apart(struct client *client, int (*make_it)(const void *context), const void *context)
{
	struct maker own, as;
	struct journey journey = { .own = &own, .as = &as, .make = make_it, .context = context, .network = -1, .users = -1 };

	if (!maker_of_own(&own) || !maker_read(&as, client_tid(client), client_pidfd_of_thread(client)))
		return -ESRCH;
	return is_same_user(&own, &as) ? make_apart(client, &journey) : -EUSERS;
}
