/* library.c - finds libportshim.so, preloads it, and proves that the loader took it.
 *
 * The loader ignores a library that it cannot preload: a line on standard error, which few daemons show, and
 * the program runs on without it. So nothing is believed: this program is started once more under the very
 * environment that was prepared, and looks whether the library's symbol is there. */
#define _GNU_SOURCE
#include "tools/library.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/elf_file.h"
#include "tools/message.h"
#include "tools/sibling.h"

#ifndef LIBDIR
#define LIBDIR "/usr/local/lib"
#endif
#define LIBRARY_NAME "libportshim.so"

static const char report_start[] = "portshim-library ";

/* The folder of this program's file, without a slash at the end; "" if /proc does not tell. */
static void own_folder(char folder[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
	folder[length < 0 ? 0 : length] = '\0';
	char *slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
}

/* NULL if the file can be loaded into a program built as this one is, else what is wrong with it. */
static const char *unfit(const char *path)
{
	struct elf_file elf, own;
	const char *why = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		why = strerror(errno);
	else if (elf_open(&elf, fd) != 0)
		why = "it is not a sound ELF file";
	else {
		if (self >= 0 && elf_open(&own, self) == 0) {
			if (!elf_same_machine(&elf, &own))
				why = "it is built for another machine or word size";
			elf_close(&own);
		}
		if (!why && elf.type != ET_DYN)
			why = "it is not a shared object";
		elf_close(&elf);
	}
	if (fd >= 0)
		close(fd);
	if (self >= 0)
		close(self);
	return why;
}

/* Whether LD_PRELOAD can name the path: ld.so(8) separates by colons and spaces, and expands "$ORIGIN". */
static bool nameable(const char *path)
{
	return path[strcspn(path, ": \t\n$")] == '\0';
}

/* Whether FOLDER/NAME is there; then it is `path`. */
static bool take_if_there(char path[PATH_MAX], const char *folder, const char *name)
{
	int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
	return length > 0 && length < PATH_MAX && access(path, F_OK) == 0;
}

/* The first of the usual places that has the library. */
static bool locate(char path[PATH_MAX], const char *folder)
{
	char there[PATH_MAX];
	if (folder[0] != '\0' && take_if_there(path, folder, LIBRARY_NAME))
		return true;
	if (take_if_there(path, LIBDIR, LIBRARY_NAME))
		return true;
	return folder[0] != '\0' && take_if_there(there, folder, "../lib/" LIBRARY_NAME) && realpath(there, path);
}

bool library_find(struct library *library)
{
	char folder[PATH_MAX], *path = library->path;
	own_folder(folder);
	if (!locate(path, folder)) {
		if (folder[0] == '\0')
			say_error(LIBRARY_NAME " is not in " LIBDIR ", and without /proc it is not known where else to look; "
			          "install it there");
		else
			say_error(LIBRARY_NAME " is neither in %s nor in " LIBDIR " nor in %s/../lib; install it there",
			          folder, folder);
		return false;
	}
	const char *why = unfit(path);
	if (why) {
		say_error("%s cannot be preloaded: %s; install the library and this program from one build", path, why);
		return false;
	}
	if (!nameable(path)) {
		say_error("%s cannot be preloaded: LD_PRELOAD cannot name a path with a space, a colon or '$'; "
		          "install portshim in another folder", path);
		return false;
	}
	if (!sibling_find(path, library->preload, library->other))
		memcpy(library->preload, path, PATH_MAX);
	return true;
}

static bool is_portshim(const char *name, size_t length)
{
	const size_t own = sizeof(LIBRARY_NAME) - 1;
	return length >= own && memcmp(name + length - own, LIBRARY_NAME, own) == 0 &&
	       (length == own || name[length - own - 1] == '/');
}

/* proxychains makes connections of its own by the next connect() in the list: with ours before it, those would pass ours by. */
static bool must_be_before(const char *name, size_t length)
{
	static const char start[] = "libproxychains";
	const char *slash = memrchr(name, '/', length);
	const char *base = slash ? slash + 1 : name;
	size_t left = length - (size_t)(base - name);
	return left >= sizeof(start) - 1 && memcmp(base, start, sizeof(start) - 1) == 0;
}

/* Appends those names of a list that must stand before the library, or the others, but for the library itself. */
static char *list_add(char *end, const char *present, bool before)
{
	static const char between[] = ": ";
	for (const char *name = present; *(name += strspn(name, between)) != '\0';) {
		size_t length = strcspn(name, between);
		if (!is_portshim(name, length) && must_be_before(name, length) == before) {
			end = mempcpy(end, name, length);
			*end++ = ':';
		}
		name += length;
	}
	return end;
}

char *library_preload_list(const char *path, const char *present)
{
	if (!present)
		present = "";
	char *list = malloc(strlen(path) + strlen(present) + 3);
	if (!list)
		return NULL;
	char *end = list_add(list, present, true);
	end = stpcpy(end, path);
	*end++ = ':';
	end = list_add(end, present, false);
	end[-1] = '\0';
	return list;
}

bool library_preload(const struct library *library)
{
	char *list = library_preload_list(library->preload, getenv("LD_PRELOAD"));
	bool set = list && setenv("LD_PRELOAD", list, 1) == 0;
	free(list);
	if (!set)
		say_error("the environment cannot be prepared: %m");
	return set;
}

bool library_is_everywhere(void)
{
	static const char between[] = ": \t\n";
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *list = fopen("/etc/ld.so.preload", "re");
	while (list && !found && getline(&line, &room, list) > 0) {
		line[strcspn(line, "#")] = '\0';
		for (const char *name = line; *(name += strspn(name, between)) != '\0'; name += strcspn(name, between))
			found |= is_portshim(name, strcspn(name, between));
	}
	free(line);
	if (list)
		fclose(list);
	return found;
}

/* ---- the proof ---------------------------------------------------------------------------------- */

int library_report(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "portshim_version");
	const char *(*version)(void);
	if (!symbol)
		return EXIT_FAILURE;
	memcpy(&version, &symbol, sizeof(version)); /* ISO C has no cast from an object to a function */
	printf("%s%s\n", report_start, version());
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Starts a program, its output and errors into pipes, which keep the first part of them. 0 and *status, or an errno. */
static int report_spawn(const char *program, char *const arguments[], int output, int errors, int *status)
{
	posix_spawn_file_actions_t actions;
	pid_t child;
	int error = posix_spawn_file_actions_init(&actions);
	if (error)
		return error;
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	error = posix_spawn(&child, program, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		return error;
	*status = 0;
	while (waitpid(child, status, 0) < 0 && errno == EINTR) {}
	return 0; /* ECHILD: SIGCHLD is ignored, the child has ended, and what it wrote tells all */
}

/* The line in a pipe that contains `part`, without its newline; NULL if there is none. `text` holds what was read. */
static char *line_with(int fd, const char *part, char *text, size_t size)
{
	ssize_t length = read(fd, text, size - 1);
	text[length < 0 ? 0 : length] = '\0';
	char *at = strstr(text, part);
	if (!at)
		return NULL;
	at[strcspn(at, "\n")] = '\0';
	while (at > text && at[-1] != '\n')
		at--;
	return at;
}

/* Says why the loader did not take it. */
static void report_failure(const char *path, int errors, int status)
{
	char text[8192];
	const char *line = line_with(errors, LIBRARY_NAME, text, sizeof(text));
	if (WIFSIGNALED(status))
		say_error("%s does not load: it ended the test program with signal %d; install it anew", path,
		          WTERMSIG(status));
	else
		say_error("%s was not taken by the dynamic loader: %s; see whether 'ldd %s' finds what it needs",
		          path, line ? line : "no reason given", path);
}

static bool report_judge(const char *path, int output, int errors, int status)
{
	char text[8192];
	const char *line = line_with(output, report_start, text, sizeof(text));
	if (!line) {
		report_failure(path, errors, status);
		return false;
	}
	const char *version = strstr(line, report_start) + sizeof(report_start) - 1;
	if (strcmp(version, PORTSHIM_VERSION) != 0)
		say_warning("%s is version %s, this program " PORTSHIM_VERSION
		            "; install both from one build", path, version);
	return true;
}

/* The loader's list has a line "NAME => FILE (ADDRESS)" for what it preloads. */
static bool list_judge(const char *path, int output, int errors, int status)
{
	char text[8192], wanted[PATH_MAX + 8];
	snprintf(wanted, sizeof(wanted), " => %s (", path);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && line_with(output, wanted, text, sizeof(text)))
		return true;
	report_failure(path, errors, status);
	return false;
}

/* Runs a program that tells whether the library at `path` is taken, and has `judge` read what it said. */
static bool prove(const char *path, const char *program, char *const arguments[],
                  bool (*judge)(const char *path, int output, int errors, int status))
{
	int status = 0;
	int output[2] = { -1, -1 }, errors[2] = { -1, -1 };
	/* Not files: they may be limited (RLIMIT_FSIZE). Nobody waits for room in them, or for words. */
	bool made = pipe2(output, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(errors, O_CLOEXEC | O_NONBLOCK) == 0;
	int error = made ? report_spawn(program, arguments, output[1], errors[1], &status) : errno;
	bool proved = error == ENOEXEC;
	if (!error)
		proved = judge(path, output[0], errors[0], status);
	else if (!proved)
		say_error("whether %s loads cannot be tested: %s", path, strerror(error));
	for (int end = 0; end < 2; end++) {
		if (output[end] >= 0)
			close(output[end]);
		if (errors[end] >= 0)
			close(errors[end]);
	}
	return proved;
}

bool library_prove(const struct library *library)
{
	char name[] = "portshim", argument[] = LIBRARY_REPORT;
	char *arguments[] = { name, argument, NULL };
	return prove(library->path, "/proc/self/exe", arguments, report_judge);
}

bool library_prove_other(const struct library *library, const char *loader)
{
	char list[] = "--list";
	char *arguments[] = { (char *)loader, list, (char *)library->other, NULL };
	return prove(library->other, loader, arguments, list_judge);
}
