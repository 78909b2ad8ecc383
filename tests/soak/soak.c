/* soak.c - the conductor of the soak: `soak BUILD SECONDS`. Exit code 1 if a port was lost, came from outside its pool or was in one
 * 4-tuple twice, if a call failed for another reason than that its pool was used up, or if a process that lived throughout
 * has grown. */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/tcp_list.h"

#define WARM_SECONDS 10
#define END_SECONDS 60     /* for a crowd to end once it is told to */
#define DRAIN_SECONDS 90   /* for TIME_WAIT to pass: 60 and some */
#define GROWTH_KIB 256     /* of memory, beside the old policies */
#define POLICY_KIB 64      /* of each: some tens, portshim-reload(1) */
#define GROWTH_MAPPINGS 4

static struct shared *shared;
static int shared_fd;
static char *policy;       /* its path */
static pid_t program_of[SLOTS];
static bool ending;

/* Commands of ours that run beside the crowd, one of each at a time. */
enum tool { TOOL_RELOAD, TOOL_STATUS, TOOL_PRUNE, TOOLS };
static pid_t tools[TOOLS];

static struct {
	uint64_t kills, stops, ran[TOOLS], tool_failures, ends; /* ends: of a program that was not killed */
	uint64_t looks, twice; /* at the kernel's list of UDP sockets */
} done;

static uint32_t random_of(uint32_t n)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), 0) < 0)
		fail("random numbers");
	return number % n;
}

static double seconds(void)
{
	return wall_ns() / 1e9;
}

/* --- the policy ------------------------------------------------------------------------------------------- */

static void policy_write(bool other)
{
	static char text[8192];
	char *new = scratch("new");

	pools_policy(text, sizeof(text), other);
	free(policy_make("new", "%s", text));
	if (rename(new, policy) < 0)
		fail("policy");
	free(new);
}

/* --- programs --------------------------------------------------------------------------------------------- */

static pid_t start(const char *program, const char *const argv[], bool under)
{
	pid_t parent = getpid(), child = fork();

	if (child < 0)
		fail("fork");
	if (child > 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	setpriority(PRIO_PROCESS, 0, under ? 0 : -10);
	setenv("PORTSHIM_CONF", policy, 1);
	if (under)
		setenv("LD_PRELOAD", built("libportshim.so"), 1);
	else if (!freopen("/dev/null", "w", stdout))
		_exit(1);
	execv(program, (char *const *)(size_t)argv);
	_exit(127);
}

/* Every eighth is one of the binders. */
static void crowd_start(int slot)
{
	char fd[16], number[16], *binder = scratch(BINDER);
	const char *program = slot % 8 == 7 ? binder : built("tests/soak/load");

	snprintf(fd, sizeof(fd), "%d", shared_fd);
	snprintf(number, sizeof(number), "%d", slot);
	program_of[slot] = start(program, (const char *const[]){ program, fd, number, NULL }, true);
	free(binder);
}

static int slot_of(pid_t pid)
{
	int slot = 0;

	while (slot < SLOTS && program_of[slot] != pid)
		slot++;
	return slot;
}

static void tool_ended(pid_t pid, int how)
{
	for (int i = 0; i < TOOLS; i++) {
		if (tools[i] != pid)
			continue;
		tools[i] = 0;
		done.ran[i]++;
		if (how == 0)
			continue;
		done.tool_failures++;
		fprintf(stderr, "soak: portshim %s ended with status %#x\n", i == TOOL_RELOAD ? "reload" : "status", (unsigned)how);
	}
}

/* Children that have ended; those of programs that were killed come to this process too. */
static void reap(pid_t awaited, int *status)
{
	int how;
	pid_t pid;

	while ((pid = waitpid(-1, &how, awaited ? 0 : WNOHANG)) > 0) {
		int slot = slot_of(pid);

		tool_ended(pid, how);
		if (slot < SLOTS) {
			if (!WIFSIGNALED(how) || WTERMSIG(how) != SIGKILL) {
				done.ends += !ending || how != 0;
				if (how != 0)
					fprintf(stderr, "soak: program %d ended with status %#x\n", slot, (unsigned)how);
			}
			program_of[slot] = 0;
			if (!ending)
				crowd_start(slot);
		}
		if (awaited && pid == awaited) {
			*status = how;
			return;
		}
	}
}

static void tool_start(enum tool tool, const char *const argv[])
{
	if (tools[tool] <= 0)
		tools[tool] = start(built("portshim"), argv, false);
}

/* --- faults ------------------------------------------------------------------------------------------------ */

static int anybody(void)
{
	return ELDERS + (int)random_of(SLOTS - ELDERS);
}

static void kill_one(void)
{
	int slot = anybody();

	if (program_of[slot] > 0 && kill(program_of[slot], SIGKILL) == 0)
		done.kills++;
}

/* Stops one for a while, wherever it is; or has that one go on. */
static void stop_one(void)
{
	static int stopped = -1;
	static pid_t who;

	if (stopped >= 0) {
		if (program_of[stopped] == who)
			kill(who, SIGCONT);
		stopped = -1;
		return;
	}
	stopped = anybody();
	who = program_of[stopped];
	if (who > 0 && kill(who, SIGSTOP) == 0)
		done.stops++;
}

static void reload(void)
{
	static bool other;
	glob_t found;

	if (tools[TOOL_RELOAD] > 0 || glob("/dev/shm/portshim-*", 0, NULL, &found) != 0)
		return;
	other = !other;
	policy_write(other);
	tool_start(TOOL_RELOAD, (const char *const[]){ "portshim", "reload", "-c", policy, "-t", found.gl_pathv[0], NULL });
	globfree(&found);
}

/* --- the kernel's list of UDP sockets ----------------------------------------------------------------------- */

#define SOCKETS_MAX 4096

struct connected { char tuple[160]; unsigned long inode; };

static int by_tuple(const void *a, const void *b)
{
	return strcmp(((const struct connected *)a)->tuple, ((const struct connected *)b)->tuple);
}

/* Local and remote address of each that is connected, sorted. */
static int list_connected(const char *path, struct connected *list)
{
	char line[512], local[72], remote[72];
	unsigned int state;
	int n = 0;
	FILE *file = fopen(path, "re");

	while (file && n < SOCKETS_MAX && fgets(line, sizeof(line), file))
		if (sscanf(line, " %*d: %71s %71s %x %*s %*s %*s %*s %*s %lu", local, remote, &state, &list[n].inode) == 4 && state == 1)
			snprintf(list[n++].tuple, sizeof(list[0].tuple), "%s %s", local, remote);
	if (file)
		fclose(file);
	qsort(list, (size_t)n, sizeof(*list), by_tuple);
	return n;
}

/* Two sockets with one 4-tuple, which are so still when looked at again. */
static uint64_t twice_in(const char *path)
{
	static struct connected list[SOCKETS_MAX], again[SOCKETS_MAX];
	int n = list_connected(path, list);
	uint64_t twice = 0;

	for (int i = 1; i < n; i++) {
		int m, still = 0;

		if (strcmp(list[i].tuple, list[i - 1].tuple) != 0 || list[i].inode == list[i - 1].inode)
			continue;
		m = list_connected(path, again);
		for (int j = 0; j < m; j++)
			still += again[j].inode == list[i].inode || again[j].inode == list[i - 1].inode;
		twice += still == 2;
	}
	return twice;
}

static void look_for_doubles(void)
{
	done.looks++;
	done.twice += twice_in("/proc/net/udp") + twice_in("/proc/net/udp6");
}

/* --- the course of it --------------------------------------------------------------------------------------- */

static void run_faults(double length)
{
	const double begin = seconds();
	double reload_at = 2, status_at = 1, prune_at = 5, look_at = 0;

	for (double now = 0; now < length; now = seconds() - begin) {
		if (shared->phase == PHASE_WARM && now > (length < 10 * WARM_SECONDS ? length / 10 : WARM_SECONDS))
			shared->phase = PHASE_MEASURE;
		if (random_of(3) == 0)
			kill_one();
		if (random_of(4) == 0)
			stop_one();
		if (now >= reload_at) {
			reload();
			reload_at = now + 2;
		}
		if (now >= status_at) {
			tool_start(TOOL_STATUS, (const char *const[]){ "portshim", "status", "--json", "-c", policy, NULL });
			status_at = now + 3;
		}
		if (now >= prune_at) {
			tool_start(TOOL_PRUNE, (const char *const[]){ "portshim", "status", "--prune", NULL });
			prune_at = now + 7;
		}
		if (now >= look_at) {
			look_for_doubles();
			look_at = now + 0.25;
		}
		reap(0, NULL);
		pass_time(20000);
	}
}

static void end_crowd(void)
{
	const double begin = seconds();
	int left = SLOTS;

	ending = true;
	shared->phase = PHASE_STOP;
	while (left > 0 && seconds() - begin < END_SECONDS) {
		left = 0;
		for (int i = 0; i < SLOTS; i++) {
			if (program_of[i] > 0)
				kill(program_of[i], SIGCONT);
			left += program_of[i] > 0;
		}
		for (int i = 0; i < TOOLS; i++)
			left += tools[i] > 0;
		reap(0, NULL);
		pass_time(10000);
	}
	for (int i = 0; i < SLOTS; i++) {
		if (program_of[i] <= 0)
			continue;
		fprintf(stderr, "soak: program %d did not end in %d s\n", i, END_SECONDS);
		done.ends++;
		kill(program_of[i], SIGKILL);
	}
}

static bool has_time_wait(const char *path)
{
	struct tcp_entry entry;
	bool found = false;
	FILE *file = fopen(path, "re");

	while (file && !found && tcp_next(file, &entry))
		found = entry.state == TCP_TIME_WAIT;
	if (file)
		fclose(file);
	return found;
}

/* Connections that the clients have closed first keep their ports for a minute, as everywhere. */
static void drain(void)
{
	const double begin = seconds();

	while ((has_time_wait("/proc/net/tcp") || has_time_wait("/proc/net/tcp6")) && seconds() - begin < DRAIN_SECONDS)
		pass_time(100000);
}

/* How many ports could not be had, when nobody else had any. */
static int fill_all(void)
{
	int lost = 0;

	policy_write(false);
	for (int i = 0; i < n_pools; i++) {
		char fd[16], number[16], *binder = scratch(BINDER);
		const char *program = pools[i].binders ? binder : built("tests/soak/load");
		int status = 0;

		snprintf(fd, sizeof(fd), "%d", shared_fd);
		snprintf(number, sizeof(number), "%d", i);
		reap(start(program, (const char *const[]){ program, fd, "fill", number, NULL }, true), &status);
		if (shared->filled[i] != pool_size(&pools[i]))
			printf("  of the pool %s %d ports of %d could be had\n", pools[i].name, shared->filled[i], pool_size(&pools[i]));
		lost += pool_size(&pools[i]) - shared->filled[i];
		free(binder);
	}
	return lost;
}

/* --- what came of it ------------------------------------------------------------------------------------------ */

static bool grown(void)
{
	bool any = false;

	puts("programs that lived throughout, at the start and at the end:");
	for (int i = 0; i < ELDERS; i++) {
		const struct figures *a = &shared->start[i], *b = &shared->end[i];
		bool bad = shared->measured[i] != 2 || b->descriptors != a->descriptors || b->mappings > a->mappings + GROWTH_MAPPINGS ||
		           b->anonymous_kib > a->anonymous_kib + GROWTH_KIB + (long)done.ran[TOOL_RELOAD] * POLICY_KIB;

		printf("  memory %ld -> %ld KiB, mappings %ld -> %ld, descriptors %ld -> %ld%s\n", a->anonymous_kib, b->anonymous_kib,
		       a->mappings, b->mappings, a->descriptors, b->descriptors, bad ? "  GROWN" : "");
		any |= bad;
	}
	printf("  allowed: %d KiB and %d for each reload, %d mappings, no descriptor\n", GROWTH_KIB, POLICY_KIB, GROWTH_MAPPINGS);
	return any;
}

static unsigned long long of(uint64_t count)
{
	return (unsigned long long)count;
}

static bool told(double length, int lost)
{
	uint64_t calls = shared->tcp + shared->udp + shared->bound + shared->listened;
	int ports = 0;
	bool bad;

	for (int i = 0; i < n_pools; i++)
		ports += pool_size(&pools[i]);
	printf("%.0f s, %d programs, %d rules, %d ports\n", length, SLOTS, n_pools, ports);
	printf("calls given a port   %llu, %.0f a second (TCP %llu, UDP %llu, bind %llu, listen %llu)\n", of(calls), (double)calls / length,
	       of(shared->tcp), of(shared->udp), of(shared->bound), of(shared->listened));
	printf("ports used up        %llu calls\n", of(shared->no_port));
	printf("faults               kills %llu, stops %llu, reloads %llu, forks %llu, execs %llu\n", of(done.kills), of(done.stops),
	       of(done.ran[TOOL_RELOAD]), of(shared->forks), of(shared->execs));
	printf("beside them          portshim status %llu, status --prune %llu\n", of(done.ran[TOOL_STATUS]), of(done.ran[TOOL_PRUNE]));
	bad = grown();
	printf("failed otherwise     %llu calls", of(shared->failed));
	if (shared->failed)
		printf(", the last with %s (%s)", strerrorname_np(shared->last_error), pools[shared->last_pool].name);
	printf("; %llu programs, %llu commands\n", of(done.ends), of(done.tool_failures));
	printf("ports outside        %llu of %llu calls that were seen by servers", of(shared->outside), of(shared->seen));
	if (shared->outside)
		printf(", the last %d (%s)", shared->outside_port, pools[shared->outside_pool].name);
	printf("\n4-tuples doubled     %llu of the connections that servers saw, %llu in %llu looks at UDP sockets\n", of(shared->doubled),
	       of(done.twice), of(done.looks));
	printf("ports lost           %d of %d\n", lost, ports);
	return !bad && !shared->failed && !done.ends && !done.tool_failures && !shared->outside && shared->seen && !shared->doubled &&
	       !done.twice && !lost;
}

static void place_make(void)
{
	char *binder = scratch(BINDER), *load = realpath(built("tests/soak/load"), NULL);

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777,size=64m") < 0)
		fail("/dev/shm of its own (it takes root)");
	net_enter("40000 40999");
	shared_fd = memfd_create("soak", 0);
	if (shared_fd < 0 || ftruncate(shared_fd, sizeof(*shared)) < 0)
		fail("memory");
	shared = shared_map(dup(shared_fd));
	if (!shared || !load || symlink(load, binder) < 0)
		fail("programs");
	policy = scratch("policy");
	policy_write(false);
	free(load);
	free(binder);
}

int main(int argc, char **argv)
{
	double length = argc == 3 ? atof(argv[2]) : 0;
	pid_t server;
	bool good;
	int lost;

	if (length <= 0)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	stage_begin(argv[1]);
	place_make();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setpriority(PRIO_PROCESS, 0, -10); /* before the crowd, and the servers too */
	server = fork();
	if (server == 0)
		serve(shared);
	while (!shared->ready && waitpid(server, NULL, WNOHANG) == 0)
		pass_time(1000);
	for (int i = 0; i < SLOTS; i++)
		crowd_start(i);
	run_faults(length);
	end_crowd();
	drain();
	lost = fill_all();
	good = told(length, lost);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	net_leave();
	stage_end();
	puts(good ? "ok" : "FAILED");
	return !good;
}
