/* hearers.c - raising the generation in the tables of running processes. */
#define _GNU_SOURCE
#include "tools/hearers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/facts.h"
#include "shim/table.h"
#include "tools/memory.h"
#include "tools/patient.h"
#include "tools/supervise/status.h"

#define FOLDER "/dev/shm"
#define LIBRARY "/libportshim.so"
#define WORD(field) (offsetof(struct table, field) / sizeof(uint64_t))
#define NOBODY UINT32_MAX

/* --- a table ------------------------------------------------------------------------------------------------------ */

static struct told *told_find(const struct hearers *hearers, uint64_t device, uint64_t inode)
{
	for (size_t i = 0; i < hearers->tables; i++)
		if (hearers->told[i].device == device && hearers->told[i].inode == inode)
			return &hearers->told[i];
	return NULL;
}

static void told_add(struct hearers *hearers, const char *path, uint64_t device, uint64_t inode, uint64_t generation)
{
	hearers->told = memory_for_one(hearers->told, hearers->tables, &hearers->tables_room, sizeof(*hearers->told));
	struct told *told = &hearers->told[hearers->tables++];
	*told = (struct told){ .device = device, .inode = inode, .generation = generation };
	snprintf(told->path, sizeof(told->path), "%s", path);
}

/* Not mapped: its owner could make it shorter at this moment. */
static int raise_generation(int fd, uint64_t *generation)
{
	uint64_t head[WORD(generation) + 1];
	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) || head[WORD(magic)] != TABLE_MAGIC ||
	    head[WORD(layout)] != TABLE_LAYOUT || !head[WORD(ready)])
		return -EPROTO;
	*generation = head[WORD(generation)] + 1;
	ssize_t n = pwrite(fd, generation, sizeof(*generation), (off_t)offsetof(struct table, generation));
	return n == (ssize_t)sizeof(*generation) ? 0 : n < 0 ? -errno : -EIO;
}

static int check(const struct stat *about, uint32_t owner)
{
	if (!S_ISREG(about->st_mode) || about->st_mode & S_IWOTH || (owner != NOBODY && about->st_uid != owner))
		return -EPERM;
	return about->st_size == (off_t)sizeof(struct table) ? 0 : -EPROTO;
}

static int tell_open(struct hearers *hearers, int fd, const char *path, uint32_t owner)
{
	struct stat about;
	uint64_t generation;
	int error = fstat(fd, &about) < 0 ? -errno : check(&about, owner);
	if (error || told_find(hearers, about.st_dev, about.st_ino))
		return error;
	error = raise_generation(fd, &generation);
	if (!error)
		told_add(hearers, path, about.st_dev, about.st_ino, generation);
	return error;
}

/* The regular file that is there. What else its folders' owner may have put there meanwhile is not opened: a device would notice.
 * `follow`: the path is a link of the kernel's. */
static int open_regular(const char *file, bool follow)
{
	char again[40];
	struct stat about;
	int there = open(file, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
	int fd = there < 0 || fstat(there, &about) < 0 ? -errno : S_ISLNK(about.st_mode) ? -ELOOP :
	         S_ISREG(about.st_mode) ? 0 : -EPERM;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", there);
	if (fd == 0 && (fd = open(again, O_RDWR | O_CLOEXEC | O_NONBLOCK)) < 0)
		fd = -errno;
	if (there >= 0)
		close(there);
	return fd;
}

static int tell(struct hearers *hearers, const char *file, const char *path, uint32_t owner, bool follow)
{
	int fd = open_regular(file, follow);
	if (fd < 0)
		return fd;
	int error = tell_open(hearers, fd, path, owner);
	close(fd);
	return error;
}

int hearers_tell_file(struct hearers *hearers, const char *path)
{
	return tell(hearers, path, path, NOBODY, false);
}

static int any_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 ? fd : socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* The table that this process would have itself, `named` or the automatic one, whose path is left in *path. */
static uint64_t announce(struct text *path, const char *named, int *error)
{
	int fd = any_socket();
	uint64_t generation = 0;
	*error = fd < 0 ? -errno : 0;
	text_clear(path);
	if (named)
		text_add(path, named);
	else if (!*error && !table_path(path, geteuid(), fd))
		*error = -ENOSYS;
	if (!*error)
		generation = table_announce(path->at, named != NULL, fd, error);
	if (fd >= 0)
		close(fd);
	return generation;
}

int hearers_tell_own(struct hearers *hearers, const char *named)
{
	char buffer[PATH_MAX];
	struct text path = TEXT_OVER(buffer);
	struct stat about;
	int error;
	uint64_t generation = announce(&path, named, &error);
	if (!error && stat(buffer, &about) < 0)
		error = -errno;
	if (!error)
		told_add(hearers, buffer, about.st_dev, about.st_ino, generation);
	return error;
}

/* --- those in /dev/shm ---------------------------------------------------------------------------------------------- */

/* The user of "portshim-USER-NETWORK.VERSION"; NOBODY: it is none of this version. */
static uint32_t user_of(const char *name)
{
	unsigned int user;
	int end = 0;
	if (sscanf(name, "portshim-%u-%*[0-9a-f]." TABLE_VERSION "%n", &user, &end) != 1 || end == 0 || name[end] != '\0') // NOLINT(cert-err34-c): what is no number of a user is nobody's
		return NOBODY;
	return user;
}

static void tell_automatic(struct hearers *hearers)
{
	DIR *folder = opendir(FOLDER);
	if (!folder)
		return;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		char path[sizeof(FOLDER) + sizeof(entry->d_name)];
		uint32_t user = user_of(entry->d_name);
		snprintf(path, sizeof(path), FOLDER "/%s", entry->d_name);
		if (user != NOBODY && (geteuid() == 0 || user == geteuid()))
			tell(hearers, path, path, user, false);
	}
	closedir(folder);
}

/* --- those that processes have ----------------------------------------------------------------------------------------- */

/* A process, as its maps show it. */
struct process {
	uint32_t pid;
	bool ours;           /* it has the library, or is a supervisor */
	struct told *told;   /* the table that it has; valid until another is added */
	bool has_other;      /* a table of another version, or one that could not be written to */
};

/* A line of /proc/PID/maps. */
struct mapping {
	uint64_t from, to, device, inode;
	char rights[5];
	const char *path;
};

static bool mapping_read(struct mapping *mapping, char *line)
{
	unsigned int high, low;
	int at = 0;
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %x:%x %" SCNu64 " %n", &mapping->from, &mapping->to, mapping->rights, // NOLINT(cert-err34-c): the kernel's own words
	           &high, &low, &mapping->inode, &at) != 6)
		return false;
	mapping->device = makedev(high, low);
	mapping->path = line + at;
	return true;
}

/* As large as a table, and written to by several. */
static bool is_table(const struct mapping *mapping)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	return strcmp(mapping->rights, "rw-s") == 0 && mapping->inode &&
	       mapping->to - mapping->from == (sizeof(struct table) + page - 1) / page * page;
}

/* By its name, or where that leads elsewhere by the kernel's own link, which is for root. `tells`: not only looked for. */
static void meet_table(struct hearers *hearers, struct process *process, const struct mapping *mapping, bool tells)
{
	char link[64];
	struct stat about;
	snprintf(link, sizeof(link), "/proc/%" PRIu32 "/map_files/%" PRIx64 "-%" PRIx64, process->pid, mapping->from, mapping->to);
	bool named = stat(mapping->path, &about) == 0 && about.st_ino == mapping->inode && about.st_dev == mapping->device;
	bool known = named || stat(link, &about) == 0;
	int error = 0;
	if (tells && !(known && told_find(hearers, about.st_dev, about.st_ino)))
		error = tell(hearers, named ? mapping->path : link, mapping->path, NOBODY, !named);
	process->told = known ? told_find(hearers, about.st_dev, about.st_ino) :
	                        told_find(hearers, mapping->device, mapping->inode);
	process->has_other |= error || !process->told;
}

/* False where it may not be looked at, or is gone. */
static bool process_read(struct hearers *hearers, struct process *process, uint32_t pid, bool tells)
{
	char path[40], *line = NULL;
	size_t room = 0;
	struct mapping mapping;
	*process = (struct process){ .pid = pid };
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/maps", pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return false;
	while (getline(&line, &room, maps) > 0) {
		if (!mapping_read(&mapping, line))
			continue;
		const char *library = strstr(mapping.path, LIBRARY);
		process->ours |= library && strchr(library + 1, '/') == NULL;
		if (is_table(&mapping))
			meet_table(hearers, process, &mapping, tells);
	}
	free(line);
	fclose(maps);
	return true;
}

/* Whether it hears of policies at all: what a variable says never changes. */
static bool can_hear(uint32_t pid)
{
	struct arena arena = { .chunks = NULL };
	struct facts facts;
	bool can = false;
	if (facts_of(&facts, &arena, pid) == 0) {
		const char *disable = facts.secure ? NULL : facts_variable_in(&facts, "PORTSHIM_DISABLE");
		can = !(disable && strcmp(disable, "1") == 0) && (facts.secure || !facts_variable_in(&facts, "PORTSHIM_PORTS"));
	}
	arena_free(&arena);
	return can;
}

static uint64_t namespace_of(uint32_t pid, const char *kind)
{
	char path[40];
	struct stat about;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/ns/%s", pid, kind);
	return stat(path, &about) == 0 ? about.st_ino : 0;
}

/* What this user's number (`map` "uid_map"), or this group's, is called in the user namespace of the process; NOBODY: nothing. */
static uint32_t called_there(uint32_t pid, const char *map, uint32_t number)
{
	char path[40];
	uint32_t inside, outside, n, found = NOBODY;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/%s", pid, map);
	FILE *lines = fopen(path, "re");
	while (lines && fscanf(lines, "%" SCNu32 " %" SCNu32 " %" SCNu32, &inside, &outside, &n) == 3) // NOLINT(cert-err34-c): the kernel's own words
		if (number >= outside && number - outside < n)
			found = inside + (number - outside);
	if (lines)
		fclose(lines);
	return found;
}

static struct place place_of(uint32_t pid)
{
	static struct status status;
	char path[40];
	struct stat root = { .st_ino = 0 };
	bool known = status_read(&status, pid);
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", pid);
	known = stat(path, &root) == 0 && known;
	return (struct place){
		.pid = known ? pid : 0,
		.user = status_id(&status, "Uid", STATUS_EFFECTIVE),
		.group = status_id(&status, "Gid", STATUS_EFFECTIVE),
		.network = namespace_of(pid, "net"),
		.files = namespace_of(pid, "mnt"),
		.users = namespace_of(pid, "user"),
		.device = root.st_dev,
		.root = root.st_ino,
		.processes = 1,
	};
}

static bool is_same_place(const struct place *one, const struct place *other)
{
	return one->user == other->user && one->network == other->network && one->files == other->files &&
	       one->users == other->users && one->device == other->device && one->root == other->root;
}

static void note_place(struct hearers *hearers, uint32_t pid)
{
	struct place place = place_of(pid);
	if (!place.pid || !can_hear(pid))
		return;
	for (size_t i = 0; i < hearers->places; i++) {
		struct place *known = &hearers->place[i];
		if (is_same_place(known, &place)) {
			known->processes++;
			return;
		}
	}
	hearers->place = memory_for_one(hearers->place, hearers->places, &hearers->places_room, sizeof(*hearers->place));
	hearers->place[hearers->places++] = place;
}

static void for_each_process(struct hearers *hearers, bool tells,
                             void (*what)(struct hearers *hearers, const struct process *process))
{
	DIR *folder = opendir("/proc");
	if (!folder)
		return;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		struct process process;
		uint32_t pid = (uint32_t)strtoul(entry->d_name, NULL, 10);
		if (pid && pid != (uint32_t)getpid() && process_read(hearers, &process, pid, tells))
			what(hearers, &process);
	}
	closedir(folder);
}

static void note(struct hearers *hearers, const struct process *process)
{
	if (process->ours && !process->told && process->has_other)
		hearers->untold++;
	else if (process->ours && !process->told)
		note_place(hearers, process->pid);
}

static void count(struct hearers *hearers, const struct process *process)
{
	if (!process->told)
		return;
	process->told->processes++;
	enum reads reads = hearers->policy ? patient_reads(process->pid, hearers->policy) : READS_UNKNOWN;
	hearers->readers += reads == READS_YES;
	hearers->strangers += reads == READS_NO;
}

/* --- those that processes would have ------------------------------------------------------------------------------------ */

/* What the child in another place has done. */
struct announced {
	char path[PATH_MAX];
	uint64_t device, inode, generation;
};

static int open_of(uint32_t pid, const char *what, int flags)
{
	char path[40];
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/%s", pid, what);
	return open(path, flags | O_CLOEXEC);
}

static bool become(uint32_t user, uint32_t group)
{
	return user != NOBODY && group != NOBODY && setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0;
}

/* Into its network and its root directory, as its user, who has another number in another user namespace. */
static bool enter(const struct place *place, const struct place *here)
{
	bool same_root = place->files == here->files && place->device == here->device && place->root == here->root;
	bool same_users = place->users == here->users;
	int network = open_of(place->pid, "ns/net", O_RDONLY), root = open_of(place->pid, "root", O_PATH | O_DIRECTORY);
	int users = open_of(place->pid, "ns/user", O_RDONLY);
	uint32_t user = same_users ? place->user : called_there(place->pid, "uid_map", place->user);
	uint32_t group = same_users ? place->group : called_there(place->pid, "gid_map", place->group);
	if ((place->network != here->network && setns(network, CLONE_NEWNET) < 0) ||
	    (!same_root && (fchdir(root) < 0 || chroot(".") < 0)))
		return false;
	if (same_users && place->user == here->user)
		return true;
	return (setgroups(0, NULL) == 0 || geteuid() != 0) && (same_users || setns(users, CLONE_NEWUSER) == 0) && become(user, group);
}

static _Noreturn void announce_there(const struct place *place, int to)
{
	static struct announced announced;
	struct text path = TEXT_OVER(announced.path);
	struct stat about;
	int error;
	const struct place here = place_of((uint32_t)getpid());
	if (!enter(place, &here))
		_exit(1);
	announced.generation = announce(&path, NULL, &error);
	if (error || stat(announced.path, &about) < 0)
		_exit(1);
	announced.device = about.st_dev;
	announced.inode = about.st_ino;
	_exit(write(to, &announced, sizeof(announced)) == (ssize_t)sizeof(announced) ? 0 : 1);
}

/* In a child. False where it could not be done. */
static bool tell_place(struct hearers *hearers, const struct place *place)
{
	static struct announced announced;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid_t child = fork();
	if (child == 0)
		announce_there(place, ends[1]);
	close(ends[1]);
	ssize_t n = child < 0 ? -1 : read(ends[0], &announced, sizeof(announced));
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	bool done = n == (ssize_t)sizeof(announced);
	if (done && !told_find(hearers, announced.device, announced.inode))
		told_add(hearers, announced.path, announced.device, announced.inode, announced.generation);
	return done;
}

void hearers_tell_all(struct hearers *hearers)
{
	tell_automatic(hearers);
	for_each_process(hearers, true, note);
	for (size_t i = 0; i < hearers->places; i++)
		*(tell_place(hearers, &hearers->place[i]) ? &hearers->waiting : &hearers->untold) += hearers->place[i].processes;
}

void hearers_count(struct hearers *hearers)
{
	for_each_process(hearers, false, count);
}

void hearers_free(struct hearers *hearers)
{
	free(hearers->told);
	free(hearers->place);
	*hearers = (struct hearers){ .told = NULL };
}
