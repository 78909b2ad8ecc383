/* table.c - finding, making, checking and mapping the table's file. */
#define _GNU_SOURCE
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/locate.h"
#include "kernel.h"
#include "log.h"
#include "random.h"
#include "real.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

#define FOLDER "/dev/shm/"
#define PATH_SIZE 96
#define ALLOCATE_TRIES 100 /* a signal ends one */

/* What every part of a new table must know before it is used. */
struct identity_of_table {
	uint64_t boot[2], netns;
};

static _Atomic(struct table *) current;
static _Atomic(struct table *) own; /* the one that is not shared; NULL: `current` is */
static _Atomic uint64_t current_netns;
static atomic_bool doubt; /* table_doubt() was called */

/* --- which ---------------------------------------------------------------------------------------- */

/* SO_NETNS_COOKIE is never used again; an inode number (before Linux 5.14, and under qemu-user, which takes the option for an
 * int) is, at once. 0: neither can be had. */
static uint64_t netns_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat64 about;

	if (real.getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) == 0)
		return cookie;
	return (errno == ENOPROTOOPT || errno == EINVAL) && stat64("/proc/self/ns/net", &about) == 0 ? about.st_ino : 0;
}

/* Inode numbers in /proc begin there; cookies begin at 1. */
static bool is_inode(uint64_t netns)
{
	return netns >> 28 == 0xf;
}

bool table_netns_differs(uint64_t one, uint64_t other)
{
	return one != other && is_inode(one) == is_inode(other);
}

static void add_hex(struct text *text, uint64_t number)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		if (number >> shift || shift == 0)
			text_add_bytes(text, &"0123456789abcdef"[number >> shift & 15], 1);
}

static void auto_path(struct text *path, uint32_t user, uint64_t netns)
{
	text_add(path, FOLDER "portshim-");
	text_add_number(path, user);
	text_add(path, "-");
	add_hex(path, netns);
	text_add(path, "." TABLE_VERSION);
}

bool table_path(struct text *path, uint32_t user, int fd)
{
	uint64_t netns = netns_of(fd);

	if (netns)
		auto_path(path, user, netns);
	return netns != 0;
}

/* 32 hexadecimal digits with dashes between. 0 or -errno. */
static int boot_read(uint64_t boot[2])
{
	struct arena arena = { 0 };
	size_t length;
	int error = 0, digits = 0;
	const char *words = locate_read(&arena, "/proc/sys/kernel/random/boot_id", &length, &error);

	boot[0] = boot[1] = 0;
	for (const char *at = words; at && *at && digits < 32; at++) {
		int c = *at | 0x20;
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (digit < 0)
			continue;
		boot[digits / 16] = boot[digits / 16] << 4 | (uint64_t)digit;
		digits++;
	}
	arena_free(&arena);
	return digits == 32 ? 0 : error ? error : -EPROTO;
}

/* --- the file -------------------------------------------------------------------------------------- */

/* libc's open is a cancellation point. */
static int open_raw(const char *path, int flags)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);

	return fd < 0 ? -errno : (int)fd;
}

/* O_CREAT only where there is none: in a folder of all it may be refused for another's file (fs.protected_regular). */
static int open_or_create(const char *path)
{
	int fd = open_raw(path, O_RDWR);

	return fd == -ENOENT ? open_raw(path, O_RDWR | O_CREAT) : fd;
}

/* A file of the user's alone; or one that the policy names, of the user, of root or of a group that shares it. */
static int check_file(const struct stat64 *about, bool named)
{
	if (!S_ISREG(about->st_mode) || about->st_mode & S_IWOTH)
		return -EPERM;
	/* Another name of what may be any file of the user's (fs.protected_hardlinks is 0): nothing is made of it. */
	if (about->st_nlink > 1 && (!named || about->st_size == 0))
		return -EMLINK;
	if (about->st_uid == geteuid() && (named || !(about->st_mode & (S_IRWXG | S_IRWXO))))
		return 0;
	return named && (about->st_uid == 0 || about->st_mode & S_IWGRP) ? 0 : -EPERM;
}

/* Its size, and memory for the header alone: who uses the table sees to the rest. */
static int give_head(int fd, const struct stat64 *about)
{
	if (about->st_size == 0 && ftruncate64(fd, sizeof(struct table)) < 0)
		return -errno;
	return -posix_fallocate64(fd, 0, offsetof(struct table, namespaces));
}

/* The whole file exists in memory before it is mapped: a write to a hole could not be refused but by SIGBUS. */
static int give_size(int fd, const struct stat64 *about, bool whole)
{
	struct rlimit limit;

	if (about->st_size == (off64_t)sizeof(struct table) && (uint64_t)about->st_blocks * 512 >= sizeof(struct table))
		return 0;
	if (about->st_size != 0 && about->st_size != (off64_t)sizeof(struct table))
		return -EPROTO;
	/* Beyond it comes SIGXFSZ, which ends the program. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < sizeof(struct table))
		return -EFBIG;
	if (!whole)
		return give_head(fd, about);
	for (int i = 0; i < ALLOCATE_TRIES; i++) {
		int error = posix_fallocate64(fd, 0, sizeof(struct table));

		if (error != EINTR)
			return -error;
	}
	return -EINTR;
}

static struct table *map_file(int fd, bool named, bool whole, int *error)
{
	struct stat64 about;
	void *at;

	*error = fstat64(fd, &about) < 0 ? -errno : check_file(&about, named);
	if (!*error)
		*error = give_size(fd, &about, whole);
	if (*error)
		return NULL;
	at = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		return at;
	*error = -errno;
	return NULL;
}

/* --- the header ------------------------------------------------------------------------------------ */

/* The word's value: `value` if it was 0. Whoever comes first decides; who is killed in between is no harm. */
static uint64_t settle_word(word64 *word, uint64_t value)
{
	uint64_t seen = 0;

	return atomic_compare_exchange_strong(word, &seen, value) ? value : seen;
}

/* After a restart of the machine all that the file says is void (files in /dev/shm are gone by themselves). */
static void wipe(struct table *table)
{
	unsigned char *from = (unsigned char *)table->tag;

	memset(from, 0, sizeof(*table) - (size_t)(from - (unsigned char *)table));
	memset((void *)table->namespaces, 0, sizeof(table->namespaces));
	memset((void *)table->sweep, 0, sizeof(table->sweep));
	memset((void *)table->strict, 0, sizeof(table->strict));
}

/* Everybody who finds another boot's words wipes them away; twice does no harm. */
static void renew_boot(struct table *table, const uint64_t boot[2])
{
	uint64_t high = settle_word(&table->boot[0], boot[0]), low = settle_word(&table->boot[1], boot[1]);

	if (high == boot[0] && low == boot[1])
		return;
	wipe(table);
	atomic_store(&table->boot[1], boot[1]);
	atomic_store(&table->boot[0], boot[0]);
}

/* A new file is all zero. Each word of its header is set by a compare-and-swap from there, by as many processes as like. */
static int make_header(struct table *table, const struct identity_of_table *identity, bool named)
{
	uint64_t netns;

	if (settle_word(&table->magic, TABLE_MAGIC) != TABLE_MAGIC ||
	    settle_word(&table->layout, TABLE_LAYOUT) != TABLE_LAYOUT)
		return -EPROTO;
	netns = settle_word(&table->netns, identity->netns);
	if (netns != identity->netns && (!named || table_netns_differs(netns, identity->netns)))
		return -EXDEV;
	renew_boot(table, identity->boot);
	settle_word(&table->key[0], random_number() | 1);
	settle_word(&table->key[1], random_number() | 1);
	atomic_store_explicit(&table->ready, 1, memory_order_release);
	return 0;
}

/* --- getting it ------------------------------------------------------------------------------------ */

static struct table *open_file(const char *path, bool named, bool whole, uint64_t netns, int *error)
{
	struct identity_of_table identity = { .netns = netns };
	struct table *table;
	int fd;

	*error = netns ? boot_read(identity.boot) : -ENOSYS;
	if (*error)
		return NULL;
	fd = open_or_create(path);
	*error = fd < 0 ? fd : 0;
	if (fd < 0)
		return NULL;
	table = map_file(fd, named, whole, error);
	syscall(SYS_close, fd);
	if (!table)
		return NULL;
	*error = make_header(table, &identity, named);
	if (!*error)
		return table;
	munmap(table, sizeof(*table));
	return NULL;
}

static struct table *open_shared(const struct policy *policy, int socket, uint64_t *netns, int *error)
{
	char buffer[PATH_SIZE];
	struct text path = TEXT_OVER(buffer);
	bool named = policy->table == TABLE_PATH;

	*netns = netns_of(socket);
	auto_path(&path, geteuid(), *netns);
	return open_file(named ? policy->table_path : buffer, named, true, *netns, error);
}

uint64_t table_announce(const char *path, bool named, int socket, int *error)
{
	struct table *table = open_file(path, named, false, netns_of(socket), error);
	uint64_t generation;

	if (!table)
		return 0;
	generation = atomic_fetch_add(&table->generation, 1) + 1;
	munmap(table, sizeof(*table));
	return generation;
}

static struct table *make_own(void)
{
	struct table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
	                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (table == MAP_FAILED)
		return NULL;
	atomic_store(&table->key[0], random_number());
	atomic_store(&table->key[1], random_number());
	return table;
}

static const char *words_for(int error)
{
	switch (error) {
	case -EPERM:
		return "not a file of this user alone, or writable by others; remove it, or name another";
	case -EPROTO:
		return "not a table of this version; remove it, or name another";
	case -EXDEV:
		return "belongs to another network namespace; name another for this one";
	case -EMLINK:
		return "a file with another name (a hard link); remove it, or name another";
	case -ENOSPC:
		return "no room for it";
	case -EFBIG:
		return "larger than this process may make files (RLIMIT_FSIZE)";
	case -ENOENT:
		return "there is no such folder";
	case -EACCES:
		return "may not be opened by this user";
	case -ELOOP:
		return "a symbolic link; name the file itself";
	}
	return "cannot be had";
}

static void say(const struct policy *policy, int error)
{
	char buffer[320];
	struct text text = TEXT_OVER(buffer);

	if (!log_wants(LOG_LEVEL_WARNING))
		return;
	log_begin(&text);
	text_add(&text, "table ");
	text_add(&text, policy->table == TABLE_PATH ? policy->table_path : "in /dev/shm");
	text_add(&text, ": ");
	text_add(&text, words_for(error));
	text_add(&text, "; this process goes on without it: its ports are exclusive");
	log_send(LOG_LEVEL_WARNING, &text);
}

/* The first table of this process is the one; who comes second unmaps his own. */
static struct table *publish(struct table *table, bool shared, uint64_t netns)
{
	struct table *seen = NULL;

	if (!shared)
		atomic_compare_exchange_strong(&own, &seen, table);
	else
		atomic_store(&current_netns, netns);
	seen = NULL;
	if (atomic_compare_exchange_strong(&current, &seen, table))
		return table;
	munmap(table, sizeof(*table));
	return seen;
}

static __attribute__((noinline)) struct table *get_first(const struct policy *policy, int fd)
{
	struct table *table = NULL;
	uint64_t netns = 0;
	int error = 0;

	if (!kernel_may_be_asked())
		return NULL;
	if (policy->table != TABLE_NONE)
		table = open_shared(policy, fd, &netns, &error);
	if (table)
		return publish(table, true, netns);
	if (error == -EMFILE || error == -ENFILE)
		return NULL; /* another time */
	table = make_own();
	if (!table)
		return NULL;
	if (policy->table != TABLE_NONE)
		say(policy, error);
	return publish(table, false, 0);
}

static bool covers(const struct table *table, int fd)
{
	return !table_is_shared(table) || netns_of(fd) == atomic_load(&current_netns);
}

struct table *table_get(const struct policy *policy, int fd, bool foreign)
{
	struct table *table = table_made();

	if (!table)
		table = get_first(policy, fd);
	else if ((foreign || atomic_load_explicit(&doubt, memory_order_relaxed)) && !covers(table, fd))
		return NULL;
	return table;
}

void table_doubt(void)
{
	atomic_store_explicit(&doubt, true, memory_order_relaxed);
}

void table_check_home(int fd)
{
	static _Atomic uint64_t home;
	uint64_t here = netns_of(fd), seen = 0;

	if (!here || atomic_compare_exchange_strong(&home, &seen, here) || seen == here)
		return;
	kernel_forgo_late();
	table_doubt();
}

uint64_t table_generation(const struct policy *policy, int socket)
{
	word64 head[offsetof(struct table, generation) / sizeof(word64) + 1] = { 0 };
	char buffer[PATH_SIZE] = "";
	struct text path = TEXT_OVER(buffer);
	bool named = policy->table == TABLE_PATH, good;
	uint64_t netns = named ? 0 : netns_of(socket);
	struct stat64 about;
	int fd;

	if (netns)
		auto_path(&path, geteuid(), netns);
	if (!named && !netns)
		return 0;
	fd = open_raw(named ? policy->table_path : buffer, O_RDONLY);
	if (fd < 0)
		return 0;
	good = fstat64(fd, &about) == 0 && check_file(&about, named) == 0 && about.st_size == (off64_t)sizeof(struct table) &&
	       syscall(SYS_read, fd, head, sizeof(head)) == (long)sizeof(head);
	syscall(SYS_close, fd);
	return good && atomic_load(&head[0]) == TABLE_MAGIC && atomic_load(&head[1]) == TABLE_LAYOUT ?
	       atomic_load(&head[sizeof(head) / sizeof(head[0]) - 1]) : 0;
}

struct table *table_made(void)
{
	return atomic_load_explicit(&current, memory_order_acquire);
}

bool table_is_shared(const struct table *table)
{
	return table && table != atomic_load_explicit(&own, memory_order_relaxed);
}

const struct table *table_look(const char *path, int *error)
{
	const struct table *table = NULL;
	struct stat64 about;
	int fd = open_raw(path, O_RDONLY);

	*error = fd < 0 ? fd : fstat64(fd, &about) < 0 ? -errno : 0;
	if (!*error && (!S_ISREG(about.st_mode) || about.st_mode & S_IWOTH))
		*error = -EPERM;
	if (!*error && about.st_size != (off64_t)sizeof(*table))
		*error = -EPROTO;
	if (!*error)
		table = mmap(NULL, sizeof(*table), PROT_READ, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED)
		*error = -errno;
	if (fd >= 0)
		syscall(SYS_close, fd);
	if (!*error && (atomic_load(&table->magic) != TABLE_MAGIC || atomic_load(&table->layout) != TABLE_LAYOUT ||
	                !atomic_load(&table->ready))) {
		munmap((void *)table, sizeof(*table));
		*error = -EPROTO;
	}
	return *error ? NULL : table;
}
