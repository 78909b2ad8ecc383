/* test_locate.c - where the policy is found, and how files are read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/locate.h"

static const char *ports, *conf, *xdg, *home;

static const char *variable(const char *name)
{
	if (!strcmp(name, "PORTSHIM_PORTS"))
		return ports;
	if (!strcmp(name, "PORTSHIM_CONF"))
		return conf;
	if (!strcmp(name, "XDG_CONFIG_HOME"))
		return xdg;
	return strcmp(name, "HOME") ? NULL : home;
}

static char directory[64];

/* A directory of the test's own, with a file portshim/portshim.conf under `below` if that is not NULL. */
static void prepare(const char *below)
{
	char command[300];

	ports = conf = xdg = home = NULL;
	snprintf(directory, sizeof(directory), "/tmp/portshim-locate-%d", (int)getpid());
	snprintf(command, sizeof(command), "rm -rf %s && mkdir -p %s/%s/portshim && cd %s && %s", directory, directory,
	         below ? below : "x", directory, below ? "echo '[portshim]' > \"$PWD\"/$(ls -A)/portshim/portshim.conf" : ":");
	cr_assert_eq(system(command), 0);
}

static void clean(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

static struct location location;

static void expect_system_policy(variable_lookup *lookup)
{
	locate_policy(&location, lookup);
	if (access("/etc/portshim.conf", F_OK) == 0) {
		cr_expect_eq(location.found, FOUND_FILE);
		cr_expect_str_eq(location.path, "/etc/portshim.conf");
	} else {
		cr_expect_eq(location.found, FOUND_NOTHING);
		cr_expect_str_eq(location.path, "");
	}
}

Test(locate, ports_come_first)
{
	prepare("cfg");
	ports = "1-2";
	conf = "/some/file";
	xdg = directory;
	locate_policy(&location, variable);
	cr_expect_eq(location.found, FOUND_PORTS);
	cr_expect_str_eq(location.ports, "1-2");
	ports = ""; /* set, and wrong: not as if it were unset */
	locate_policy(&location, variable);
	cr_expect_eq(location.found, FOUND_PORTS);
	clean();
}

Test(locate, then_the_named_file_there_or_not)
{
	static char too_long[5000];

	prepare(NULL);
	conf = "/no/such/file";
	locate_policy(&location, variable);
	cr_expect_eq(location.found, FOUND_FILE);
	cr_expect_str_eq(location.path, "/no/such/file");
	memset(too_long, '/', sizeof(too_long) - 1);
	conf = too_long;
	locate_policy(&location, variable);
	cr_expect_eq(location.found, FOUND_FILE);
	cr_expect_str_eq(location.path, ""); /* not the root directory's name, cut */
	clean();
}

Test(locate, then_the_users_own)
{
	char wanted[200], own[100];

	prepare("cfg");
	snprintf(own, sizeof(own), "%s/cfg", directory);
	snprintf(wanted, sizeof(wanted), "%s/portshim/portshim.conf", own);
	xdg = own;
	home = "/nowhere";
	locate_policy(&location, variable);
	cr_expect_eq(location.found, FOUND_FILE);
	cr_expect_str_eq(location.path, wanted);
	clean();
}

Test(locate, under_home_where_xdg_is_not_set)
{
	char wanted[200];

	prepare(".config");
	snprintf(wanted, sizeof(wanted), "%s/.config/portshim/portshim.conf", directory);
	home = directory;
	locate_policy(&location, variable);
	cr_expect_str_eq(location.path, wanted);
	xdg = "";
	locate_policy(&location, variable);
	cr_expect_str_eq(location.path, wanted);
	xdg = "/nowhere"; /* set: then ~/.config does not count */
	expect_system_policy(variable);
	clean();
}

Test(locate, relative_directories_do_not_count)
{
	prepare("cfg");
	cr_assert_eq(chdir(directory), 0);
	xdg = "cfg";
	expect_system_policy(variable);
	clean();
}

Test(locate, then_the_systems_or_nothing)
{
	static char too_long[5000];

	prepare(NULL);
	expect_system_policy(variable);
	home = "/nowhere";
	expect_system_policy(variable);
	memset(too_long, '/', sizeof(too_long) - 1);
	home = too_long;
	expect_system_policy(variable);
	clean();
}

Test(locate, no_variable_counts_where_the_process_is_secure)
{
	prepare("cfg");
	expect_system_policy(NULL);
	clean();
}

/* --- reading ----------------------------------------------------------------------------------- */

static struct arena arena;
static size_t length;
static int error;

static const char *write_file(size_t size)
{
	static char path[128];
	int fd;
	char *bytes = malloc(size + 1);

	snprintf(path, sizeof(path), "/tmp/portshim-read-%d", (int)getpid());
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)('a' + i % 23);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	free(bytes);
	return path;
}

Test(read_file, of_any_size)
{
	static const size_t sizes[] = { 0, 1, 8191, 8192, 8193, 100000, (size_t)16 << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const char *path = write_file(sizes[i]), *bytes = locate_read(&arena, path, &length, &error);

		unlink(path);
		cr_assert_not_null(bytes);
		cr_assert_eq(error, 0);
		cr_assert_eq(length, sizes[i]);
		cr_assert_eq(bytes[length], '\0');
		for (size_t j = 0; j < length; j++)
			if (bytes[j] != (char)('a' + j % 23))
				cr_assert_fail("byte %zu of %zu", j, length);
		arena_free(&arena);
	}
}

Test(read_file, of_more_than_16_mib_is_refused)
{
	const char *path = write_file(((size_t)16 << 20) + 1);

	cr_expect_null(locate_read(&arena, path, &length, &error));
	unlink(path);
	cr_expect_eq(error, -EFBIG);
	cr_expect_null(locate_read(&arena, "/dev/zero", &length, &error));
	cr_expect_eq(error, -EFBIG);
}

Test(read_file, that_cannot_be_read)
{
	cr_expect_null(locate_read(&arena, "/no/such/file", &length, &error));
	cr_expect_eq(error, -ENOENT);
	cr_expect_null(locate_read(&arena, "", &length, &error));
	cr_expect_eq(error, -ENOENT);
	cr_expect_null(locate_read(&arena, "/tmp", &length, &error));
	cr_expect_eq(error, -EISDIR);
	cr_expect_eq(length, 0);
}

Test(read_file, of_proc)
{
	const char *bytes = locate_read(&arena, "/proc/self/status", &length, &error);

	cr_assert_not_null(bytes);
	cr_expect_eq(strlen(bytes), length);
	cr_expect(strstr(bytes, "\nPid:"));
	arena_free(&arena);
}

Test(read_file, from_a_pipe, .timeout = 10)
{
	int ends[2];
	char path[64];
	const char *bytes;

	cr_assert_eq(pipe(ends), 0);
	if (fork() == 0) {
		usleep(50000);
		_exit(write(ends[1], "[portshim]\n", 11) != 11);
	}
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	bytes = locate_read(&arena, path, &length, &error);
	cr_assert_not_null(bytes);
	cr_expect_str_eq(bytes, "[portshim]\n");
	wait(NULL);
	arena_free(&arena);
}

Test(read_file, leaves_no_descriptor_open)
{
	int next = dup(0);

	close(next);
	locate_read(&arena, "/proc/self/status", &length, &error);
	locate_read(&arena, "/tmp", &length, &error);
	locate_read(&arena, "/dev/zero", &length, &error);
	cr_expect_eq(dup(0), next);
	arena_free(&arena);
}
