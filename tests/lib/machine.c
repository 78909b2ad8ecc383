/* machine.c - an overlay, namespaces, a process 1. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/machine.h"
#include "tests/lib/machine_systemd.h"
#include "tests/lib/world.h"

#define PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define TEXT_SIZE 65536

static const char *lower(void)
{
	const char *folder = getenv("PORTSHIM_SYSTEM_ROOT");

	return folder && *folder ? folder : "/";
}

const char *machine_path(const struct machine *machine, const char *path)
{
	static char buffer[8][256];
	static int next;
	char *text = buffer[next++ % 8];

	snprintf(text, sizeof(buffer[0]), "%s/root%s", machine->place, path);
	return text;
}

const char *machine_text(const struct machine *machine, const char *path)
{
	static char buffer[2][TEXT_SIZE];
	static int next;
	char *text = buffer[next++ % 2];
	int fd = open(machine_path(machine, path), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, TEXT_SIZE - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

const char *machine_changes(const struct machine *machine)
{
	static struct run run[2];
	static int next;
	struct run *find = &run[next++ % 2];
	char upper[80];
	const char *argv[] = { "sh", "-c", "cd \"$1\" && find . ! -type d ! -path '*/postgresql/*/base/*' | sort", "-", upper, NULL };

	*find = (struct run){ .bare = true };
	snprintf(upper, sizeof(upper), "%s/upper", machine->place);
	run_program(find, argv);
	return find->out;
}

/* --- the root -------------------------------------------------------------------------------------- */

static void must_mount(const char *type, const char *at, const char *options)
{
	cr_assert(mount(type, at, type, 0, options) == 0, "%s on %s: %s", type, at, strerror(errno));
}

static void root_make(struct machine *machine)
{
	char options[600];

	/* On a tmpfs that only the test sees: it goes with the test, however that ends. */
	strcpy(machine->place, "/dev/shm/portshim-test-machine-XXXXXX");
	cr_assert(mkdtemp(machine->place));
	must_mount("tmpfs", machine->place, "mode=755");
	shell("cd %s && mkdir upper work root", machine->place);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower(), machine->place,
	         machine->place);
	must_mount("overlay", machine_path(machine, ""), options);
}

/* What every root gets, the bare one as well: the probes and the test's scripts. */
static void root_furnish(const struct machine *machine)
{
	const char *root = machine_path(machine, "");

	shell("cp %s %s/usr/local/bin/act && mkdir -p %s/machine && cp tests/system/*.sh tests/system/*.py tests/system/*.conf %s/machine",
	      built("tests/probes/act"), root, root, root);
	shell("chroot %s /bin/sh /machine/prepare.sh", root);
	if (machine->prepare)
		shell("chroot %s /bin/sh -ec '%s'", root, machine->prepare);
	if (machine->bare)
		return;
	shell("env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s install DESTDIR=%s PREFIX=/usr/local BUILD=$(dirname %s)",
	      root, built("libportshim.so"));
	shell("echo " MACHINE_LIBRARY " >%s/etc/ld.so.preload", root);
	if (machine->policy)
		shell("cat >%s/etc/portshim.conf <<'end'\n%s\nend", root, machine->policy);
}

/* --- process 1 ------------------------------------------------------------------------------------- */

static void device(const struct machine *machine, const char *name, unsigned int major_number, unsigned int minor_number)
{
	const char *path = machine_path(machine, name);

	cr_assert(mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)) == 0 && chmod(path, 0666) == 0);
}

static bool is_missing(const struct machine *machine, const char *what)
{
	return machine->missing && strcmp(machine->missing, what) == 0;
}

static void devices_make(const struct machine *machine)
{
	must_mount("tmpfs", machine_path(machine, "/dev"), "mode=755");
	device(machine, "/dev/null", 1, 3);
	device(machine, "/dev/zero", 1, 5);
	device(machine, "/dev/full", 1, 7);
	device(machine, "/dev/random", 1, 8);
	device(machine, "/dev/urandom", 1, 9);
	device(machine, "/dev/tty", 5, 0);
	cr_assert(mkdir(machine_path(machine, "/dev/pts"), 0755) == 0);
	must_mount("devpts", machine_path(machine, "/dev/pts"), "newinstance,ptmxmode=0666,mode=620,gid=5");
	cr_assert(symlink("pts/ptmx", machine_path(machine, "/dev/ptmx")) == 0);
	cr_assert(symlink("/proc/self/fd", machine_path(machine, "/dev/fd")) == 0);
	if (is_missing(machine, "shm"))
		return;
	cr_assert(mkdir(machine_path(machine, "/dev/shm"), 0755) == 0);
	must_mount("tmpfs", machine_path(machine, "/dev/shm"), "mode=1777");
}

/* By pivot_root(2): where the root was changed by chroot(2), no user namespace can be made. */
static void root_change(const struct machine *machine)
{
	cr_assert(chdir(machine_path(machine, "")) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
	          umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "pivot_root: %s", strerror(errno));
}

/* In the new process 1: what is left of the machine, then boot.sh. Without /proc the network is set up all the same,
 * from outside it. */
static void process_1(const struct machine *machine, const char *services, int console, int up)
{
	const char *argv[] = { "sh", "/machine/boot.sh", services, NULL };
	char *environment[] = { "PATH=" PATH, "HOME=/root", "LC_ALL=C.UTF-8", NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	world_enter();
	cr_assert(umount2("/dev/shm", MNT_DETACH) == 0); /* over the place */
	devices_make(machine);
	must_mount("tmpfs", machine_path(machine, "/tmp"), "mode=1777");
	must_mount("tmpfs", machine_path(machine, "/run"), "mode=755");
	if (!is_missing(machine, "proc"))
		must_mount("proc", machine_path(machine, "/proc"), NULL);
	if (is_missing(machine, "write"))
		cr_assert(mount(NULL, machine_path(machine, ""), NULL, MS_REMOUNT | MS_RDONLY | MS_BIND, NULL) == 0);
	if (machine->systemd)
		systemd_contain(machine->place);
	dup2(console, 1);
	dup2(console, 2);
	dup2(up, 3);
	root_change(machine);
	cr_assert(sethostname("machine", 7) == 0);
	cr_assert(syscall(SYS_close_range, 4, ~0u, 0) == 0);
	if (machine->systemd)
		systemd_become();
	else
		execve("/bin/sh", (char *const *)argv, environment);
	_exit(127);
}

/* boot.sh says so on its descriptor 3. */
static bool is_up(int up)
{
	struct pollfd pollfd = { .fd = up, .events = POLLIN };
	char word[8];

	return poll(&pollfd, 1, DEADLINE_MS) == 1 && read(up, word, sizeof(word)) > 0;
}

static void wait_until_up(const struct machine *machine, int up, int notify)
{
	if (!(machine->systemd ? systemd_is_up(notify) : is_up(up)))
		cr_assert_fail("the machine does not start\n%s", machine_text(machine, "/../console"));
}

void machine_boot(struct machine *machine, const char *services)
{
	int console, up[2], notify = -1;
	char path[80];

	root_make(machine);
	root_furnish(machine);
	snprintf(path, sizeof(path), "%s/console", machine->place);
	console = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	cr_assert(console >= 0 && pipe2(up, O_CLOEXEC) == 0);
	if (machine->systemd)
		notify = systemd_prepare(machine->place);
	machine->pid = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC,
	                              0, 0, 0, 0);
	cr_assert(machine->pid >= 0, "clone: %s", strerror(errno));
	if (machine->pid == 0)
		process_1(machine, services, console, up[1]);
	close(console);
	close(up[1]);
	wait_until_up(machine, up[0], notify);
	close(up[0]);
	if (notify >= 0)
		close(notify);
}

void machine_start(const struct machine *machine, struct run *run, const char *line)
{
	char pid[16];
	const char *argv[] = { "nsenter", "-t", pid, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "/usr/bin/env", "-i", "PATH=" PATH,
	                       "HOME=/root", "LC_ALL=C.UTF-8", "/bin/sh", "-c", line, NULL };

	snprintf(pid, sizeof(pid), "%d", machine->pid);
	run->bare = true; /* /etc/ld.so.preload does it */
	run_start(run, argv);
}

void machine_run(const struct machine *machine, struct run *run, const char *line)
{
	machine_start(machine, run, line);
	run_end(run);
}

int machine_port(const struct machine *machine, const char *line, const char *words)
{
	static struct run run;

	run = (struct run){ 0 };
	machine_run(machine, &run, line);
	cr_assert(exited(&run, 0), "%s\n%s%s", line, run.out, run.err);
	cr_expect(*words ? strncmp(run.err, words, strlen(words)) == 0 : !*run.err, "%s\n%s", line, run.err);
	return port_of(&run, "name 0");
}

bool machine_is_rules(int port)
{
	return port >= 20000 && port <= 20099;
}

void machine_end(struct machine *machine)
{
	kill(machine->pid, SIGKILL);
	waitpid(machine->pid, NULL, 0);
	if (machine->systemd)
		systemd_clear(machine->place);
	umount2(machine_path(machine, ""), MNT_DETACH);
	umount2(machine->place, MNT_DETACH);
	rmdir(machine->place);
}
