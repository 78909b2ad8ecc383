/* reach.c - follows a command to the program that runs in the end, and judges it. */
#include "tools/reach.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/elf_file.h"
#include "tools/script.h"
#include "tools/secure.h"
#include "tools/sibling.h"

enum {
	SCRIPTS_MAX = 5, /* "#!" lines the kernel follows within one execve(2) */
	STARTS_MAX = 8,  /* times env(1) starts another program: nobody does that twice */
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* 0 if execve(2) would take the file, else -errno. */
static int executable(const char *path)
{
	struct stat status;
	if (stat(path, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static bool search_goes_on(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ESTALE || error == -ENODEV || error == -ETIMEDOUT;
}

/* The search of execvp(3): first what is executable; a file that is not counts only if nothing else is found. */
static int search_path(const char *name, char *path)
{
	char usual[256] = "/bin:/usr/bin";
	const char *folder = getenv("PATH");
	if (!folder) {
		confstr(_CS_PATH, usual, sizeof(usual));
		folder = usual;
	}
	int result = -ENOENT;
	for (;; folder++) {
		size_t length = strcspn(folder, ":");
		int written = snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, folder, length ? "/" : "", name);
		int error = written < PATH_MAX ? executable(path) : -ENAMETOOLONG;
		if (error == 0)
			return 0;
		if (error == -EACCES)
			result = error;
		else if (!search_goes_on(error) && error != -ENAMETOOLONG)
			return error;
		folder += length;
		if (*folder == '\0')
			return result;
	}
}

/* Where execvp(3) finds `name`: 0 and `path`, else -errno. */
static int command_find(const char *name, char path[PATH_MAX])
{
	if (name[0] == '\0')
		return -ENOENT;
	if (!strchr(name, '/'))
		return search_path(name, path);
	if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return executable(path);
}

static bool is_musl(const char *loader)
{
	return strncmp(base_name(loader), "ld-musl-", 8) == 0;
}

static bool same_file(const char *a, const char *b)
{
	struct stat one, other;
	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static bool is_go(const struct elf_file *elf)
{
	return elf_has_note(elf, "Go") || elf_has_section(elf, ".go.buildinfo") ||
	       elf_has_section(elf, ".note.go.buildid");
}

/* The verdict on an ELF file next to `own`, this very program: the library is built as it is. */
static enum reach_verdict judge_elf(struct reach *reach, const char *program, const struct elf_file *elf,
                                    const struct elf_file *own)
{
	char own_loader[PATH_MAX] = "";
	bool other = sibling_is(elf);
	if (!other && !elf_same_machine(elf, own))
		return REACH_OTHER_MACHINE;
	bool dynamic = elf_loader(elf, reach->loader, sizeof(reach->loader));
	elf_loader(own, own_loader, sizeof(own_loader));
	if (is_go(elf))
		return REACH_GO;
	if (!dynamic && same_file(program, own_loader)) /* the loader, run by name, preloads for what it starts */
		return REACH_YES;
	if (!dynamic && other && same_file(program, sibling_loader))
		snprintf(reach->loader, sizeof(reach->loader), "%s", program), dynamic = true;
	if (!dynamic)
		return elf->type == ET_DYN ? REACH_STATIC_PIE : REACH_STATIC;
	if (is_musl(reach->loader) != is_musl(own_loader))
		return REACH_OTHER_LIBC;
	reach->error = -executable(reach->loader);
	if (reach->error)
		return REACH_NO_INTERPRETER;
	return other ? REACH_OTHER_WORD : REACH_YES;
}

static enum reach_verdict judge_file(struct reach *reach, const char *program, int fd)
{
	struct elf_file elf, own;
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	enum reach_verdict verdict = REACH_UNKNOWN;
	reach->error = -elf_open(&elf, fd);
	if (reach->error == 0) {
		if (self >= 0 && elf_open(&own, self) == 0) {
			verdict = judge_elf(reach, program, &elf, &own);
			elf_close(&own);
		}
		elf_close(&elf);
	}
	if (self >= 0)
		close(self);
	return verdict;
}

/* What the kernel's secure mode makes of a verdict that would otherwise be good (or unknown: a setuid file is
 * often not readable). */
static enum reach_verdict judge_privileges(const char *program, enum reach_verdict verdict)
{
	static const enum reach_verdict verdicts[] = {
		[SECURE_USER] = REACH_SETUID, [SECURE_GROUP] = REACH_SETGID,
		[SECURE_CAPABILITIES] = REACH_CAPABILITIES,
	};
	struct stat status;
	bool doubtful = verdict == REACH_YES || verdict == REACH_OTHER_WORD || verdict == REACH_UNKNOWN;
	if (!doubtful || stat(program, &status) < 0)
		return verdict;
	enum secure secure = secure_execution(program, &status);
	return secure == SECURE_NO ? verdict : verdicts[secure];
}

/* The way from the command to the program: where it stands, and how far it has come. */
struct chase {
	char program[PATH_MAX];
	int scripts, starts;
};

/* Goes from a script that env(1) interprets to the program that env starts. False: no further. */
static bool step_through_env(struct chase *chase, const char *argument)
{
	char name[PATH_MAX], path[PATH_MAX];
	if (strcmp(base_name(chase->program), "env") != 0 || chase->starts >= STARTS_MAX)
		return false;
	if (!script_env_program(argument, name, sizeof(name)) || command_find(name, path) != 0)
		return false; /* env itself starts, and will say so */
	snprintf(chase->program, sizeof(chase->program), "%s", path);
	chase->starts++;
	chase->scripts = 0;
	return true;
}

/* Goes from a file that is no ELF file to what interprets it. 0, or -errno where execve(2) would fail. */
static int step_to_interpreter(struct chase *chase, const char *head, size_t length)
{
	struct script_line line = { .argument = "" };
	if (!script_read(&line, head, length))
		snprintf(line.interpreter, sizeof(line.interpreter), "%s", _PATH_BSHELL); /* as execvp(3) does on ENOEXEC */
	if (++chase->scripts > SCRIPTS_MAX)
		return -ELOOP;
	snprintf(chase->program, sizeof(chase->program), "%s", line.interpreter);
	int error = executable(chase->program);
	if (error == 0)
		step_through_env(chase, line.argument);
	return error;
}

/* Follows the chain to its end. */
static enum reach_verdict follow(struct reach *reach, struct chase *chase)
{
	for (;;) {
		char head[SCRIPT_HEAD];
		int fd = open(chase->program, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0) {
			reach->error = errno;
			return REACH_UNKNOWN;
		}
		ssize_t length = pread(fd, head, sizeof(head), 0);
		bool is_elf = length >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
		enum reach_verdict verdict = is_elf ? judge_file(reach, chase->program, fd) : REACH_YES;
		close(fd);
		reach->binary = is_elf && reach->interpreter[0] == '\0';
		if (is_elf)
			return verdict;
		reach->error = -step_to_interpreter(chase, head, length < 0 ? 0 : (size_t)length);
		snprintf(reach->interpreter, sizeof(reach->interpreter), "%s", chase->program);
		if (reach->error)
			return reach->error == ELOOP ? REACH_NOT_EXECUTABLE : REACH_NO_INTERPRETER;
	}
}

void reach_find(struct reach *reach, const char *command)
{
	struct chase chase = { .scripts = 0 };
	*reach = (struct reach){ .error = 0 };
	reach->error = -command_find(command, chase.program);
	if (reach->error) {
		bool absent = reach->error == ENOENT || reach->error == ENOTDIR;
		reach->verdict = absent ? REACH_NOT_FOUND : REACH_NOT_EXECUTABLE;
		return;
	}
	snprintf(reach->path, sizeof(reach->path), "%s", chase.program);
	reach->verdict = judge_privileges(chase.program, follow(reach, &chase));
}

bool reach_extend(struct reach *reach, const struct library *library)
{
	if (reach->verdict != REACH_OTHER_WORD || library->other[0] == '\0' || !sibling_serves(reach->loader))
		return false;
	reach->verdict = REACH_YES;
	return true;
}

/* By verdict: what is the matter, what follows from it, and the next step. */
static const struct { const char *is, *so; } words_of[] = {
	[REACH_STATIC] = { "is statically linked", "its calls pass the library by; start it with --mode=supervise" },
	[REACH_STATIC_PIE] = { "is statically linked (static-pie)",
	                       "its calls pass the library by; start it with --mode=supervise" },
	[REACH_GO] = { "is built with Go, which makes its system calls itself",
	               "they pass the library by; start it with --mode=supervise" },
	[REACH_SETUID] = { "is setuid to another user", "the loader preloads nothing into it; "
	                   "start portshim as that user (for sudo: sudo portshim run ...)" },
	[REACH_SETGID] = { "is setgid to another group", "the loader preloads nothing into it; "
	                   "start portshim with that group" },
	[REACH_CAPABILITIES] = { "has file capabilities", "the loader preloads nothing into it; "
	                         "give it ambient capabilities instead, or start portshim as root" },
	[REACH_OTHER_LIBC] = { "is built for another C library", "it may not load libportshim.so; "
	                       "start it with --mode=supervise" },
	[REACH_OTHER_MACHINE] = { "is built for another machine or word size", "it cannot load libportshim.so; "
	                          "start it with --mode=supervise" },
	[REACH_OTHER_WORD] = { "is built for the other word size (32 or 64 bits)", "there is no libportshim.so for it beside "
	                       "this one; install both, see LD_PRELOAD in libportshim(7), or start it with --mode=supervise" },
	[REACH_UNKNOWN] = { "cannot be examined", "whether portshim reaches it is not known; "
	                    "check that its calls are in the log with --log=info" },
};

bool reach_is_privileged(const struct reach *reach)
{
	return reach->verdict == REACH_SETUID || reach->verdict == REACH_SETGID || reach->verdict == REACH_CAPABILITIES;
}

bool reach_is_for_supervisor(const struct reach *reach)
{
	switch (reach->verdict) {
	case REACH_STATIC:
	case REACH_STATIC_PIE:
	case REACH_GO:
	case REACH_OTHER_LIBC:
	case REACH_OTHER_MACHINE:
	case REACH_OTHER_WORD:
		return true;
	default:
		return false;
	}
}

const char *reach_reason(const struct reach *reach)
{
	const char *is = reach->verdict < sizeof(words_of) / sizeof(*words_of) ? words_of[reach->verdict].is : NULL;
	return is ? is : "";
}

void reach_words(const struct reach *reach, char *words, size_t size)
{
	words[0] = '\0';
	if (reach->verdict >= sizeof(words_of) / sizeof(*words_of) || !words_of[reach->verdict].is)
		return;
	const char *is = words_of[reach->verdict].is, *so = words_of[reach->verdict].so;
	const char *by = reach->interpreter;
	const char *error = reach->error ? strerror(reach->error) : "";
	snprintf(words, size, "%s%s%s%s %s%s%s: %s", by[0] ? by : reach->path, by[0] ? ", which runs " : "",
	         by[0] ? reach->path : "", by[0] ? "," : "", is, error[0] ? ": " : "", error, so);
}
