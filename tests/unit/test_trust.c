/* test_trust.c - who may write the policy of whom: owners, modes, access lists, user namespaces, and no race. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "config/trust.h"

#define TEXT "[rule a]\nports = 20000\n"

static char folder[] = "/tmp/portshim-trust-XXXXXX", path[128], other[128];

static void folder_make(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/policy", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
}

static void folder_remove(void)
{
	unlink(path);
	unlink(other);
	cr_expect_eq(rmdir(folder), 0);
}

TestSuite(trust, .init = folder_make, .fini = folder_remove, .timeout = 60);

static void file_make(const char *at, const char *text, uid_t user, gid_t group, mode_t mode)
{
	int fd = open(at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	cr_assert_eq(fchown(fd, user, group), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

/* --- what is said ----------------------------------------------------------------------------------- */

static struct heard {
	int errors, warnings;
	char words[1024];
} heard;

static void hear(void *context, enum severity severity, int line, const char *words)
{
	cr_expect_eq(line, 0);
	++*(severity == SEVERITY_ERROR ? &heard.errors : &heard.warnings);
	snprintf(heard.words + strlen(heard.words), sizeof(heard.words) - strlen(heard.words), "%s\n", words);
}

/* Whether the text is had; the error else. */
static int read_by(const char *at, struct reader reader)
{
	struct arena arena = { NULL };
	size_t length;
	int error = 0;
	const char *text;

	heard = (struct heard){ 0 };
	text = trust_read(&arena, at, &length, &error, &reader, hear, NULL);
	cr_expect_eq(text != NULL, error == 0);
	if (text && at == path)
		cr_expect_str_eq(text, TEXT);
	arena_free(&arena);
	return error;
}

static const struct reader root = { .user = 0, .strict = true }, ann = { .user = 1000 },
                           privileged = { .user = 1000, .strict = true },
                           looking = { .user = 0, .strict = true, .looks = true };

struct example {
	uid_t user;
	gid_t group;
	mode_t mode;
	const char *root, *ann; /* part of what is said; NULL: nothing */
};

#define OF_1000 "this file is the user 1000's"
#define OF_1001 "this file is the user 1001's"
#define GROUP(number) "the group " #number " may write to this file"
#define ALL "all users may write to this file"

static const struct example examples[] = {
	{ 0, 0, 0644, NULL, NULL }, { 0, 0, 0600, NULL, NULL }, { 0, 50, 0640, NULL, NULL }, { 0, 0, 01644, NULL, NULL },
	{ 0, 0, 0664, GROUP(0), GROUP(0) }, { 0, 50, 0660, GROUP(50), GROUP(50) }, { 0, 0, 0646, ALL, ALL },
	{ 0, 0, 0666, ALL, ALL }, { 0, 0, 0602, ALL, ALL },
	{ 1000, 1000, 0600, OF_1000, NULL }, { 1000, 0, 0644, OF_1000, NULL },
	{ 1000, 1000, 0664, GROUP(1000), NULL }, { 1000, 50, 0664, GROUP(50), GROUP(50) }, { 1000, 1000, 0666, ALL, ALL },
	{ 1001, 1001, 0644, OF_1001, OF_1001 }, { 1001, 1001, 0664, GROUP(1001), GROUP(1001) },
	{ 65534, 65534, 0644, "the user 65534's", "the user 65534's" },
};

static void expect_said(const struct example *example, const char *words, bool good)
{
	cr_expect(good && (words ? strstr(heard.words, words) != NULL : !heard.words[0]), "%u:%u %o: '%s', not '%s'", example->user,
	          example->group, (unsigned)example->mode, heard.words, words ? words : "");
}

Test(trust, by_owner_and_mode)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const struct example *example = &examples[i];
		int refused = example->root ? -EKEYREJECTED : 0;

		file_make(path, TEXT, example->user, example->group, example->mode);
		expect_said(example, example->root, read_by(path, root) == refused && !heard.warnings);
		expect_said(example, example->root, read_by(path, privileged) == refused && !heard.warnings);
		expect_said(example, example->root, read_by(path, looking) == 0 && !heard.errors);
		expect_said(example, example->ann, read_by(path, ann) == 0 && !heard.errors);
	}
}

/* What is wrong, for whom, and the next step. */
Test(trust, in_words)
{
	file_make(path, TEXT, 1001, 50, 0664);
	read_by(path, root);
	cr_expect_str_eq(heard.words,
	                 OF_1001 ", and what runs as root, or with privileges, takes its policy from root alone; chown root\n"
	                 GROUP(50) ", and what runs as root, or with privileges, takes its policy from root alone; chmod g-w\n");
	read_by(path, ann);
	cr_expect_str_eq(heard.words,
	                 OF_1001 ", who can change which ports your programs have; copy it, or have it chowned to root\n"
	                 GROUP(50) ", who can change which ports your programs have; chmod g-w\n");
}

/* Nobody is told to change a device. */
Test(trust, no_regular_file)
{
	cr_expect_eq(read_by("/dev/zero", root), -EKEYREJECTED);
	cr_expect(strstr(heard.words, "; name a regular file") && !strstr(heard.words, "chmod"), "%s", heard.words);
	cr_expect_eq(read_by(folder, root), -EISDIR);
	cr_expect_eq(read_by("/no/such/file", root), -ENOENT);
	cr_expect_eq(heard.errors, 1);
	cr_expect(strstr(heard.words, "no such file"));
}

/* A FIFO of another's is refused before anybody waits for what comes out of it. */
Test(trust, a_fifo_of_anothers, .timeout = 10)
{
	int fd;

	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(chown(path, 1000, 1000), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_expect_eq(read_by(path, root), -EKEYREJECTED);
	close(fd);
}

/* acl(5), in the form of linux/posix_acl_xattr.h: user::rw-, user:1001:rw-, group::r--, mask::MASK, other::r--. */
static void access_list_set(uint16_t mask)
{
	static const uint32_t nobody = UINT32_MAX;
	struct {
		uint32_t version;
		struct { uint16_t tag, may; uint32_t id; } entry[5];
	} list = { 2, { { 1, 6, nobody }, { 2, 6, 1001 }, { 4, 4, nobody }, { 16, mask, nobody }, { 32, 4, nobody } } };

	cr_assert_eq(setxattr(path, "system.posix_acl_access", &list, sizeof(list), 0), 0, "%s", strerror(errno));
}

Test(trust, by_access_lists)
{
	file_make(path, TEXT, 0, 0, 0644);
	access_list_set(6);
	cr_expect_eq(read_by(path, root), -EKEYREJECTED);
	access_list_set(4);
	cr_expect_eq(read_by(path, root), 0);
}

/* --- no race ------------------------------------------------------------------------------------------- */

static void swap_then_hear(void *context, enum severity severity, int line, const char *words)
{
	hear(context, severity, line, words);
	cr_expect_eq(rename(other, path), 0);
}

/* What is put into the file's place while it is judged is not what is read. */
Test(trust, is_of_what_is_read)
{
	struct arena arena = { NULL };
	const char *text;
	size_t length;
	int error;

	file_make(path, TEXT, 1001, 1001, 0644);
	file_make(other, "[rule b]\nports = 30000\n", 1000, 1000, 0600);
	heard = (struct heard){ 0 };
	text = trust_read(&arena, path, &length, &error, &ann, swap_then_hear, NULL);
	cr_assert_not_null(text);
	cr_expect_str_eq(text, TEXT);
	cr_expect_eq(heard.warnings, 1);
	arena_free(&arena);
}

/* --- user namespaces ------------------------------------------------------------------------------------- */

/* What root of a user namespace with this map gets, who has the file's number or sees it as 65534. */
static int read_in_namespace(const char *map)
{
	int status;
	char to[64];
	pid_t child = fork();

	if (child == 0) {
		alarm(30);
		if (unshare(CLONE_NEWUSER) < 0 || kill(getpid(), SIGSTOP) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			_exit(99);
		_exit(-read_by(path, reader_here()));
	}
	cr_assert(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "%x", (unsigned)status);
	for (int i = 0; i < 2; i++) {
		snprintf(to, sizeof(to), "/proc/%d/%s", (int)child, i ? "uid_map" : "gid_map");
		int fd = open(to, O_WRONLY | O_CLOEXEC);
		cr_assert(fd >= 0 && write(fd, map, strlen(map)) > 0, "%s", strerror(errno));
		close(fd);
	}
	kill(child, SIGCONT);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 99, "%x", (unsigned)status);
	return -WEXITSTATUS(status);
}

Test(trust, in_user_namespaces)
{
	cr_assert_eq(chmod(folder, 0755), 0);
	file_make(path, TEXT, 0, 0, 0644);
	cr_expect_eq(read_in_namespace("0 1000 1"), 0, "the machine's file, in one for a single user");
	cr_expect_eq(read_in_namespace("0 0 1"), 0);
	cr_expect_eq(read_in_namespace("0 100000 65536"), -EKEYREJECTED, "65534 is somebody there");
	file_make(path, TEXT, 100000, 100000, 0644);
	cr_expect_eq(read_in_namespace("0 100000 65536"), 0, "root's of the namespace");
	file_make(path, TEXT, 101000, 101000, 0644);
	cr_expect_eq(read_in_namespace("0 100000 65536"), -EKEYREJECTED);
	file_make(path, TEXT, 0, 0, 0646);
	cr_expect_eq(read_in_namespace("0 1000 1"), -EKEYREJECTED, "whoever may write to it");
}
