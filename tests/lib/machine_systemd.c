/* machine_systemd.c - systemd as process 1 of a machine, as a container has it. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/machine_systemd.h"

#define PATH_ROOM 200

/* The control group of the machine, seen from outside: it is named as the place is. */
static void group_path(char path[static PATH_ROOM], const char *place, const char *file)
{
	snprintf(path, PATH_ROOM, "%s/groups%s%s", place, strrchr(place, '/'), file);
}

int systemd_prepare(const char *place)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char path[PATH_ROOM];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/root/notify", place);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0, "%s: %s", name.sun_path, strerror(errno));
	snprintf(path, sizeof(path), "%s/groups", place);
	cr_assert(mkdir(path, 0755) == 0 && mount("cgroup2", path, "cgroup2", 0, NULL) == 0, "%s: %s", path, strerror(errno));
	group_path(path, place, "");
	cr_assert(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
	return fd;
}

static void group_enter(const char *place)
{
	char path[PATH_ROOM];
	int fd;

	group_path(path, place, "/cgroup.procs");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && write(fd, "0", 1) == 1 && unshare(CLONE_NEWCGROUP) == 0, "%s: %s", path, strerror(errno));
	close(fd);
}

static void read_only(const char *path)
{
	cr_assert(mount(path, path, NULL, MS_BIND, NULL) == 0 &&
	          mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0, "%s: %s", path, strerror(errno));
}

void systemd_contain(const char *place)
{
	/* Modules, the clock, and auditing, which the journal switches on. */
	static const int denied[] = { CAP_SYS_MODULE, CAP_SYS_TIME, CAP_SYS_BOOT, CAP_SYS_RAWIO, CAP_SYSLOG,
	                              CAP_AUDIT_CONTROL, CAP_AUDIT_READ, CAP_AUDIT_WRITE };
	char path[PATH_ROOM];

	group_enter(place);
	snprintf(path, sizeof(path), "%s/root/proc/sys", place);
	read_only(path);
	snprintf(path, sizeof(path), "%s/root/sys", place);
	cr_assert(mount("sysfs", path, "sysfs", MS_RDONLY, NULL) == 0, "%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/root/sys/fs/cgroup", place);
	cr_assert(mount("cgroup2", path, "cgroup2", 0, NULL) == 0, "%s: %s", path, strerror(errno));
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		cr_assert(prctl(PR_CAPBSET_DROP, denied[i], 0, 0, 0) == 0);
}

void systemd_become(void)
{
	const char *argv[] = { "/lib/systemd/systemd", "--unit=machine.target", "--show-status=no", NULL };
	char *environment[] = { "container=portshim-test", "NOTIFY_SOCKET=/notify", "LC_ALL=C.UTF-8", NULL };

	execve(argv[0], (char *const *)argv, environment);
}

bool systemd_is_up(int notify)
{
	struct pollfd pollfd = { .fd = notify, .events = POLLIN };
	char words[4096];

	while (poll(&pollfd, 1, DEADLINE_MS) == 1) {
		ssize_t n = read(notify, words, sizeof(words) - 1);

		words[n > 0 ? n : 0] = '\0';
		if (strstr(words, "READY=1"))
			return true;
	}
	return false;
}

static int remove_group(const char *path, const struct stat *status, int type, struct FTW *position)
{
	return type == FTW_DP ? rmdir(path) : 0;
}

void systemd_clear(const char *place)
{
	char path[PATH_ROOM];

	group_path(path, place, "");
	cr_expect(nftw(path, remove_group, 16, FTW_DEPTH | FTW_PHYS) == 0, "%s: %s", path, strerror(errno));
}
