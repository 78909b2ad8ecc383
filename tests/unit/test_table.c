/* test_table.c - the table's file: made by many at once, shared with whom it may be, and refused. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/lease.h"
#include "shim/table.h"
#include "tests/lib/harness.h"

#define NOBODY 65534
#define GROUP 2000
#define CHILD_SECONDS 60
#define WHOLE (sizeof(struct table))

TestSuite(table, .init = net_own, .timeout = 120);

static const struct policy automatic = { .table = TABLE_AUTO };

static int a_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	return fd;
}

/* The file that `auto` stands for, for user `uid`. */
static const char *path_of(uid_t uid)
{
	static char path[128], rest[128];
	struct text text = TEXT_OVER(path);
	int fd = a_socket();

	cr_assert(table_path(&text, geteuid(), fd));
	close(fd);
	strcpy(rest, strchr(path + sizeof("/dev/shm/portshim"), '-'));
	snprintf(path, sizeof(path), "/dev/shm/portshim-%d%s", (int)uid, rest);
	return path;
}

/* What a child makes of the policy, as its exit status. */
enum got { GOT_SHARED = 10, GOT_OWN, GOT_NULL, GOT_LOST };

static enum got got(const struct policy *policy)
{
	struct table *table = table_get(policy, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), false);

	return !table ? GOT_NULL : table_is_shared(table) ? GOT_SHARED : GOT_OWN;
}

static int status_of(pid_t child)
{
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status), "a child ended with status %#x", (unsigned)status);
	return WEXITSTATUS(status);
}

/* In a child that is user `uid` of group `gid` alone. */
static enum got got_by(const struct policy *policy, uid_t uid, gid_t gid)
{
	pid_t child = fork();

	if (child == 0) {
		alarm(CHILD_SECONDS);
		if (uid && (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0))
			_exit(GOT_LOST);
		_exit(got(policy));
	}
	return (enum got)status_of(child);
}

/* A table in good order in its place, made by another process. */
static void make_valid(void)
{
	cr_assert_eq(got_by(&automatic, 0, 0), GOT_SHARED);
}

static void patch(const char *path, size_t offset, uint64_t value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && pwrite(fd, &value, sizeof(value), (off_t)offset) == sizeof(value));
	close(fd);
}

/* --- making it -------------------------------------------------------------------------------------- */

#define MAKERS 16
#define ROUNDS 20

struct maker { uint64_t key[2], magic, layout; uint32_t shared; };

/* All begin when the pipe is closed. */
static void make_at_once(struct maker *maker)
{
	pid_t child[MAKERS];
	int go[2];
	char byte;

	cr_assert_eq(pipe2(go, O_CLOEXEC), 0);
	for (int i = 0; i < MAKERS; i++) {
		child[i] = fork();
		if (child[i] != 0)
			continue;
		alarm(CHILD_SECONDS);
		close(go[1]);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (read(go[0], &byte, 1) != 0)
			_exit(1);
		struct table *table = table_get(&automatic, fd, false);
		if (!table)
			_exit(2);
		maker[i] = (struct maker){ .key = { table->key[0], table->key[1] }, .magic = table->magic,
		                           .layout = table->layout, .shared = table_is_shared(table) };
		atomic_fetch_add(&table->asked, 1);
		_exit(0);
	}
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < MAKERS; i++)
		cr_assert_eq(status_of(child[i]), 0);
}

Test(table, made_by_sixteen_at_once_is_one)
{
	struct maker *maker = mmap(NULL, sizeof(*maker) * MAKERS, PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *path = path_of(0);

	for (int round = 0; round < ROUNDS; round++) {
		const struct table *table;
		int error;

		make_at_once(maker);
		table = table_look(path, &error);
		cr_assert_not_null(table, "error %d", error);
		for (int i = 0; i < MAKERS; i++) {
			cr_assert_eq(maker[i].shared, 1);
			cr_assert_eq(maker[i].magic, TABLE_MAGIC);
			cr_assert_eq(maker[i].layout, TABLE_LAYOUT);
			cr_assert(maker[i].key[0] == table->key[0] && maker[i].key[1] == table->key[1]);
		}
		cr_assert(table->key[0] && table->key[1] && table->key[0] != table->key[1]);
		cr_assert_eq(table->asked, MAKERS);
		munmap((void *)table, WHOLE);
		cr_assert_eq(unlink(path), 0);
	}
}

Test(table, is_the_users_alone_and_allocated_in_full)
{
	struct stat about;

	umask(0);
	cr_assert_eq(got(&automatic), GOT_SHARED);
	cr_assert_eq(stat(path_of(0), &about), 0);
	cr_expect(S_ISREG(about.st_mode));
	cr_expect_eq(about.st_mode & 07777, 0600, "%o", about.st_mode);
	cr_expect_eq(about.st_uid, 0);
	cr_expect_eq(about.st_size, (off_t)WHOLE);
	cr_expect_geq((uint64_t)about.st_blocks * 512, WHOLE);
}

Test(table, leaves_no_descriptor_open)
{
	int socket = a_socket(), before = dup(0), after;

	close(before);
	cr_assert_not_null(table_get(&automatic, socket, false));
	after = dup(0);
	cr_expect_eq(after, before);
}

/* A file of the right size whose pages are not there would kill by SIGBUS when memory runs out. */
Test(table, a_file_of_holes_is_filled)
{
	struct stat about;
	int fd = open(path_of(0), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	cr_assert_eq(ftruncate(fd, WHOLE), 0);
	cr_assert_eq(got(&automatic), GOT_SHARED);
	cr_assert_eq(fstat(fd, &about), 0);
	cr_expect_geq((uint64_t)about.st_blocks * 512, WHOLE);
}

Test(table, each_user_has_one)
{
	struct stat mine, nobodys;

	make_valid();
	cr_assert_eq(stat(path_of(0), &mine), 0);
	cr_assert_eq(got_by(&automatic, NOBODY, NOBODY), GOT_SHARED);
	cr_assert_eq(stat(path_of(NOBODY), &nobodys), 0);
	cr_expect_eq(nobodys.st_uid, NOBODY);
	cr_expect_eq(nobodys.st_mode & 07777, 0600);
	cr_expect_neq(mine.st_ino, nobodys.st_ino);
}

static void hear_nothing(int signal)
{
}

/* Room for the file is made by a call that a signal ends; that is no reason to go on alone for good. */
Test(table, a_signal_while_it_is_made_is_no_harm)
{
	int alone = 0;

	for (int us = 40; us < 4000; us += 60) {
		pid_t child = fork();

		if (child == 0) {
			struct itimerval once = { .it_value.tv_usec = us };

			signal(SIGALRM, hear_nothing);
			setitimer(ITIMER_REAL, &once, NULL);
			_exit(got(&automatic));
		}
		alone += status_of(child) == GOT_OWN;
		unlink(path_of(0));
	}
	cr_expect_eq(alone, 0, "%d processes went on alone", alone);
}

/* --- refused ----------------------------------------------------------------------------------------- */

static void none(const char *path)
{
	cr_assert(access(path, F_OK) < 0);
}

static void another_user(const char *path)
{
	make_valid();
	cr_assert_eq(chown(path, NOBODY, 0), 0);
}

static void empty_file(const char *path, uid_t user, mode_t mode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(fchown(fd, user, GROUP), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void with_mode(const char *path, mode_t mode)
{
	make_valid();
	cr_assert_eq(chmod(path, mode), 0);
}

static void group_reads(const char *path) { with_mode(path, 0640); }
static void group_writes(const char *path) { with_mode(path, 0620); }
static void others_read(const char *path) { with_mode(path, 0604); }
static void others_write(const char *path) { with_mode(path, 0602); }

static void symbolic_link(const char *path)
{
	make_valid();
	cr_assert_eq(rename(path, "/dev/shm/elsewhere"), 0);
	cr_assert_eq(symlink("/dev/shm/elsewhere", path), 0);
}

static void of_a_socket(const char *path) { cr_assert_eq(mknod(path, S_IFSOCK | 0600, 0), 0); }
static void dangling_link(const char *path) { cr_assert_eq(symlink("/dev/shm/elsewhere", path), 0); }

/* Of an empty file of the same user's that is elsewhere, and of a table. */
static void second_name(const char *path)
{
	int fd = open("/dev/shm/elsewhere", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(link("/dev/shm/elsewhere", path), 0);
}

static void second_name_of_a_table(const char *path)
{
	make_valid();
	cr_assert_eq(link(path, "/dev/shm/elsewhere"), 0);
}

static void fifo(const char *path) { cr_assert_eq(mkfifo(path, 0600), 0); }
static void folder(const char *path) { cr_assert_eq(mkdir(path, 0700), 0); }
static void device(const char *path) { cr_assert_eq(mknod(path, S_IFCHR | 0600, makedev(1, 5)), 0); }

static void with_size(const char *path, off_t size)
{
	make_valid();
	cr_assert_eq(truncate(path, size), 0);
}

static void one_byte(const char *path) { with_size(path, 1); }
static void a_byte_less(const char *path) { with_size(path, WHOLE - 1); }
static void huge(const char *path) { with_size(path, (off_t)1 << 40); }
static void a_page_more(const char *path) { with_size(path, WHOLE + 4096); }

static void with_word(const char *path, size_t offset)
{
	make_valid();
	patch(path, offset, UINT64_C(0x1234567890));
}

static void other_magic(const char *path) { with_word(path, offsetof(struct table, magic)); }
static void other_layout(const char *path) { with_word(path, offsetof(struct table, layout)); }
static void other_namespace(const char *path) { with_word(path, offsetof(struct table, netns)); }

static void full(const char *path)
{
	cr_assert_eq(mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777,size=1m"), 0);
}

static void full_and_holes(const char *path)
{
	int fd;

	full(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, WHOLE), 0);
	close(fd);
}

static void read_only(const char *path)
{
	cr_assert_eq(mount("tmpfs", "/dev/shm", "tmpfs", MS_RDONLY, "mode=1777"), 0);
}

static void missing(const char *path)
{
	cr_assert_eq(mount("tmpfs", "/dev", "tmpfs", 0, "mode=755,size=1m"), 0);
}

static const struct {
	const char *name;
	void (*prepare)(const char *path);
} refusals[] = {
	{ "another user's", another_user }, { "the group may read", group_reads },
	{ "the group may write", group_writes },
	{ "others may read", others_read }, { "others may write", others_write }, { "a link", symbolic_link },
	{ "a link to nothing", dangling_link }, { "a second name", second_name },
	{ "a second name of a table", second_name_of_a_table }, { "huge", huge },
	{ "a socket", of_a_socket }, { "a FIFO", fifo }, { "a folder", folder }, { "a device", device },
	{ "one byte", one_byte }, { "a byte less", a_byte_less }, { "a page more", a_page_more },
	{ "magic", other_magic },
	{ "layout", other_layout }, { "another namespace's", other_namespace }, { "full", full },
	{ "full, and the file has holes", full_and_holes }, { "read-only", read_only }, { "missing", missing },
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

ParameterizedTestParameters(table, refused_and_gone_on_alone)
{
	static size_t index[REFUSALS];

	for (size_t i = 0; i < REFUSALS; i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, REFUSALS);
}

struct shape { mode_t mode; off_t size; uint64_t word[8]; };

static struct shape shape_of(const char *path)
{
	struct shape shape = { 0 };
	struct stat about;
	int fd;

	if (lstat(path, &about) < 0)
		return shape;
	shape.mode = about.st_mode;
	shape.size = about.st_size;
	if (!S_ISREG(about.st_mode))
		return shape;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && pread(fd, shape.word, sizeof(shape.word), 0) >= 0);
	close(fd);
	return shape;
}

ParameterizedTest(size_t *index, table, refused_and_gone_on_alone)
{
	const char *name = refusals[*index].name, *path = path_of(0);
	struct shape before, after;
	struct table *table;
	struct peer peer;
	struct lease lease;

	none(path);
	refusals[*index].prepare(path);
	before = shape_of(path);
	table = table_get(&automatic, a_socket(), false);
	cr_assert_not_null(table, "%s", name);
	cr_expect(!table_is_shared(table), "%s", name);
	cr_expect_eq(table_made(), table);
	cr_expect_eq(table_get(&automatic, a_socket(), true), table, "%s: it serves every namespace", name);
	peer_make(&peer, table, PROTOCOL_TCP, NULL, NULL);
	cr_expect_eq(lease_claim(table, &peer, 20000, 1, NULL, &lease), CLAIM_MADE, "%s", name);
	cr_expect_eq(lease_claim(table, &peer, 20000, 1, NULL, &lease), CLAIM_BUSY, "%s", name);
	after = shape_of(path);
	if (before.mode)
		cr_expect(memcmp(&before, &after, sizeof(before)) == 0, "%s: the file was touched", name);
	cr_expect(access("/dev/shm/elsewhere", F_OK) < 0 || refusals[*index].prepare != dangling_link, "%s: a link was followed", name);
}

/* --- where it is ------------------------------------------------------------------------------------- */

static struct policy at_path(const char *path)
{
	return (struct policy){ .table = TABLE_PATH, .table_path = path };
}

Test(table, a_path_is_shared_by_a_group)
{
	const char *path = "/dev/shm/of-a-group/table";
	struct policy policy = at_path(path);
	const struct table *table;
	int error;

	cr_assert_eq(mkdir("/dev/shm/of-a-group", 0755), 0);
	empty_file(path, 0, 0660);
	cr_expect_eq(got_by(&policy, 1001, GROUP), GOT_SHARED);
	cr_expect_eq(got_by(&policy, 1002, GROUP), GOT_SHARED);
	cr_expect_eq(got_by(&policy, 0, 0), GOT_SHARED);
	cr_expect_eq(got_by(&policy, 1003, 1003), GOT_OWN, "who is not of the group");
	table = table_look(path, &error);
	cr_expect_not_null(table, "error %d", error);
	cr_expect(access(path_of(1001), F_OK) < 0);
}

/* As in /dev/shm itself, where fs.protected_regular (1 or 2) refuses O_CREAT on what is another user's. */
Test(table, a_path_in_a_folder_of_all_is_shared_by_a_group)
{
	struct policy policy = at_path("/dev/shm/table-of-a-group");

	empty_file("/dev/shm/table-of-a-group", 1001, 0660);
	cr_expect_eq(got_by(&policy, 1001, GROUP), GOT_SHARED);
	cr_expect_eq(got_by(&policy, 1002, GROUP), GOT_SHARED);
}

Test(table, a_path_that_is_made)
{
	struct policy policy = at_path("/dev/shm/named");
	struct stat about;

	cr_assert_eq(got(&policy), GOT_SHARED);
	cr_assert_eq(stat("/dev/shm/named", &about), 0);
	cr_expect_eq(about.st_mode & 07777, 0600);
	cr_expect(access(path_of(0), F_OK) < 0);
}

Test(table, a_path_that_all_may_write_is_refused)
{
	struct policy policy = at_path("/dev/shm/of-all");

	empty_file("/dev/shm/of-all", 0, 0666);
	cr_expect_eq(got_by(&policy, 0, 0), GOT_OWN);
	cr_expect_eq(got_by(&policy, 1001, GROUP), GOT_OWN);
}

Test(table, a_path_that_is_another_users_alone_is_refused)
{
	struct policy policy = at_path("/dev/shm/of-another");

	empty_file("/dev/shm/of-another", NOBODY, 0600);
	cr_expect_eq(got_by(&policy, 0, 0), GOT_OWN, "root may open it, and must not");
	cr_expect_eq(got_by(&policy, 1001, GROUP), GOT_OWN);
	cr_expect_eq(got_by(&policy, NOBODY, NOBODY), GOT_SHARED);
}

Test(table, a_path_whose_folder_is_not_there)
{
	struct policy policy = at_path("/dev/shm/no/such/folder");

	cr_expect_eq(got_by(&policy, 0, 0), GOT_OWN);
}

Test(table, none_is_private)
{
	const struct policy policy = { .table = TABLE_NONE };
	struct table *table = table_get(&policy, a_socket(), false);

	cr_assert_not_null(table);
	cr_expect(!table_is_shared(table));
	cr_expect(table->key[0] && table->key[1]);
	cr_expect_eq(table_get(&policy, a_socket(), true), table);
	cr_expect(access(path_of(0), F_OK) < 0);
}

/* --- another boot, another namespace, no descriptor ---------------------------------------------------- */

static bool is_zero(const void *from, size_t size)
{
	const unsigned char *bytes = from;

	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Everything but the header's first words is void. */
static void after_another_boot(size_t word)
{
	const char *path = path_of(0);
	unsigned char *bytes;
	struct table *table;
	uint64_t boot[2], key[2];
	pid_t child;
	int fd;

	make_valid();
	fd = open(path, O_RDWR | O_CLOEXEC);
	table = mmap(NULL, WHOLE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(table != MAP_FAILED);
	bytes = (unsigned char *)table;
	memcpy(boot, (void *)table->boot, sizeof(boot));
	memcpy(key, (void *)table->key, sizeof(key));
	memset(bytes + offsetof(struct table, namespaces), 0xa5, WHOLE - offsetof(struct table, namespaces));
	atomic_fetch_xor(&table->boot[word], 1);
	child = fork();
	if (child == 0)
		_exit(got(&automatic));
	cr_assert_eq(status_of(child), GOT_SHARED);
	cr_expect(table->boot[0] == boot[0] && table->boot[1] == boot[1]);
	cr_expect(table->key[0] == key[0] && table->key[1] == key[1]);
	cr_expect(is_zero((void *)table->namespaces, sizeof(table->namespaces)));
	cr_expect(is_zero((void *)table->sweep, sizeof(table->sweep)));
	cr_expect(is_zero((void *)table->strict, sizeof(table->strict)));
	cr_expect(is_zero((void *)table->tag, WHOLE - offsetof(struct table, tag)));
	munmap(table, WHOLE);
	close(fd);
	cr_assert_eq(unlink(path), 0);
}

Test(table, another_boots_words_are_wiped)
{
	after_another_boot(0);
	after_another_boot(1);
}

Test(table, this_boots_words_stay)
{
	struct table *table;

	make_valid();
	patch(path_of(0), offsetof(struct table, used), 42);
	table = table_get(&automatic, a_socket(), false);
	cr_assert(table_is_shared(table));
	cr_expect_eq(table->used[0][0], 42);
}

Test(table, is_of_one_network_namespace)
{
	int here = a_socket(), there;
	struct table *table = table_get(&automatic, here, false);

	cr_assert(table_is_shared(table));
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	there = a_socket();
	cr_expect_eq(table_get(&automatic, there, false), table, "nobody asks");
	cr_expect_null(table_get(&automatic, there, true));
	cr_expect_eq(table_get(&automatic, here, true), table);
	table_doubt();
	cr_expect_null(table_get(&automatic, there, false));
	cr_expect_eq(table_get(&automatic, here, false), table);
	cr_expect_eq(got_by(&automatic, 0, 0), GOT_NULL, "a child of fork() has its parent's");
}

Test(table, without_descriptors_is_had_later)
{
	int fd = a_socket();
	struct rlimit limit, no_more;
	struct table *table;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	no_more = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &no_more), 0);
	table = table_get(&automatic, fd, false);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_null(table, "%s", table && table_is_shared(table) ? "shared" : "its own");
	cr_expect_null(table_made());
	cr_expect(table_is_shared(table_get(&automatic, fd, false)));
}

/* --- looking, layout ----------------------------------------------------------------------------------- */

static int error_of_look(const char *path)
{
	int error = 1;
	const struct table *table = table_look(path, &error);

	cr_expect_eq(table != NULL, error == 0);
	return error;
}

Test(table, look)
{
	const char *path = path_of(0);

	cr_expect_eq(error_of_look(path), -ENOENT);
	empty_file(path, 0, 0600);
	cr_expect_eq(error_of_look(path), -EPROTO);
	make_valid();
	cr_expect_eq(error_of_look(path), 0);
	patch(path, offsetof(struct table, ready), 0);
	cr_expect_eq(error_of_look(path), -EPROTO);
	patch(path, offsetof(struct table, ready), 1);
	cr_assert_eq(chmod(path, 0602), 0);
	cr_expect_eq(error_of_look(path), -EPERM);
	cr_assert_eq(chmod(path, 0600), 0);
	patch(path, offsetof(struct table, magic), 1);
	cr_expect_eq(error_of_look(path), -EPROTO);
	patch(path, offsetof(struct table, magic), UINT64_C(0x31656c6261747370)); /* of the version before */
	cr_expect_eq(error_of_look(path), -EPROTO);
	patch(path, offsetof(struct table, magic), TABLE_MAGIC);
	cr_expect_eq(error_of_look(path), 0);
}

static const struct { const char *what; size_t here, always; } places[] = {
#define SIZE(type, always) { "sizeof(" #type ")", sizeof(type), always }
#define PLACE(type, field, always) { "offsetof(" #type ", " #field ")", offsetof(type, field), always }
	SIZE(struct table, 6621056), SIZE(struct table_cell, 16), SIZE(struct table_name, 40),
	SIZE(struct table_rule, 320),
	SIZE(struct table_sweep, 16),
	PLACE(struct table, magic, 0), PLACE(struct table, netns, 32), PLACE(struct table, key, 40),
	PLACE(struct table, ready, 56), PLACE(struct table, asked, 64), PLACE(struct table, generation, 80),
	PLACE(struct table, namespaces, 128),
	PLACE(struct table, sweep, 1152), PLACE(struct table, tag, 9344), PLACE(struct table, busy, 42112),
	PLACE(struct table, name, 74880), PLACE(struct table, cell, 238720), PLACE(struct table, spare, 4433024),
	PLACE(struct table, used, 4695168), PLACE(struct table, oldest, 6268032), PLACE(struct table, eldest, 6292608),
	PLACE(struct table, rule, 6293376),
	PLACE(struct table_cell, info, 8), PLACE(struct table_name, source, 16), PLACE(struct table_name, rest, 32),
	PLACE(struct table_rule, name, 24), PLACE(struct table_rule, interval, 80),
	PLACE(struct table_rule, about, 148),
	PLACE(struct table_rule, given, 192), PLACE(struct table_rule, retries, 224),
	PLACE(struct table_rule, released, 232), PLACE(struct table_rule, next, 244),
	PLACE(struct table_rule, table, 248),
};
#define PLACES (sizeof(places) / sizeof(places[0]))

/* A 32-bit libc need not be there: the header needs no more of it than a few names. */
static void write_for_32(const char *folder)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/sys", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/sys/types.h", folder);
	file = fopen(path, "w");
	fputs("typedef unsigned uid_t, gid_t, mode_t;\ntypedef int pid_t;\ntypedef long off_t, ssize_t;\n", file);
	fclose(file);
	snprintf(path, sizeof(path), "%s/layout.c", folder);
	file = fopen(path, "w");
	fputs("#include \"shim/table.h\"\n_Static_assert(sizeof(void *) == 4, \"32 bits\");\n", file);
	for (size_t i = 0; i < PLACES; i++)
		fprintf(file, "_Static_assert(%s == %zu, \"%s\");\n", places[i].what, places[i].always, places[i].what);
	fclose(file);
}

Test(table, layout_is_the_same_for_32_bits)
{
	char folder[] = "/dev/shm/layout-XXXXXX", command[256];

	for (size_t i = 0; i < PLACES; i++)
		cr_expect_eq(places[i].here, places[i].always, "%s is %zu", places[i].what, places[i].here);
	cr_assert_not_null(mkdtemp(folder));
	write_for_32(folder);
	snprintf(command, sizeof(command), "echo 'int x;' >%s/x.c && cc -m32 -fsyntax-only %s/x.c 2>/dev/null",
	         folder, folder);
	if (system(command) != 0) {
		cr_log_warn("cc -m32 does not work here: only the constants were compared");
		return;
	}
	snprintf(command, sizeof(command),
	         "cc -m32 -ffreestanding -std=gnu11 -Wno-psabi -I. -isystem %s -fsyntax-only %s/layout.c",
	         folder, folder);
	cr_expect_eq(system(command), 0);
}
