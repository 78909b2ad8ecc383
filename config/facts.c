/* facts.c - what a rule may ask of the process, as exec(2) left it and as /proc tells it. */
#define _GNU_SOURCE /* environ */
#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "locate.h"
#include "text.h"

#define KEPT_HERE 32768
#define PATH_ROOM 4096

/* The facts that a program may overwrite later; never changed once it is published. */
struct kept {
	const char *command, *environment, *started_as;
};

static const struct kept nothing = { "", "\0", "" };
static const struct kept *_Atomic kept;

static const char *name_at_exec(void)
{
	const char *name = (const char *)getauxval(AT_EXECFN); /* NOLINT: the kernel passes a pointer as a number */

	return name ? name : "";
}

/* The first to arrive wins; all see the same from then on. */
static bool publish(const struct kept *mine)
{
	const struct kept *none = NULL;

	return atomic_compare_exchange_strong(&kept, &none, mine);
}

/* --- kept in the constructor ------------------------------------------------------------------- */

static char *put(char *to, const char *words)
{
	size_t length = strlen(words);

	memcpy(to, words, length);
	return to + length;
}

static size_t room_for(int argc, char *const argv[], char *const envp[])
{
	size_t room = strlen(name_at_exec()) + 4;

	for (int i = 0; i < argc && argv[i]; i++)
		room += strlen(argv[i]) + 1;
	for (size_t i = 0; envp && envp[i]; i++)
		room += strlen(envp[i]) + 1;
	return room;
}

static void fill(struct kept *to, char *at, int argc, char *const argv[], char *const envp[])
{
	to->command = at;
	for (int i = 0; i < argc && argv[i]; i++) {
		if (i)
			*at++ = ' ';
		at = put(at, argv[i]);
	}
	*at++ = '\0';
	to->environment = at;
	for (size_t i = 0; envp && envp[i]; i++) {
		if (!*envp[i])
			continue;
		at = put(at, envp[i]);
		*at++ = '\0';
	}
	*at++ = '\0';
	to->started_as = at;
	*put(at, name_at_exec()) = '\0';
}

void facts_keep(int argc, char *const argv[], char *const envp[])
{
	static struct kept here;
	static char bytes[KEPT_HERE];
	struct arena arena = { NULL };
	size_t room;

	if (atomic_load(&kept))
		return;
	argc = argv ? argc : 0;
	room = room_for(argc, argv, envp);
	if (room <= sizeof(bytes)) {
		fill(&here, bytes, argc, argv, envp);
		publish(&here);
	} else {
		char *at = arena_alloc(&arena, sizeof(here) + room); /* stays for the life of the process */

		if (!at)
			return;
		fill((struct kept *)(void *)at, at + sizeof(here), argc, argv, envp);
		if (!publish((struct kept *)(void *)at))
			arena_free(&arena);
	}
}

/* Whether a vector of pointers begins where exec(2) leaves them: above this frame, below the name that it was given. */
static bool is_from_exec(char *const vector[])
{
	uintptr_t at = (uintptr_t)vector, here = (uintptr_t)__builtin_frame_address(0);

	return at > here && at < getauxval(AT_EXECFN) && at % sizeof(*vector) == 0;
}

/* exec(2) leaves, upwards: the number of arguments, they, NULL, the environment. */
static bool is_whole(int argc, char *const argv[])
{
	return argc >= 0 && is_from_exec(argv) && is_from_exec(argv + argc) && (uintptr_t)*(argv - 1) == (uintptr_t)argc &&
	       !argv[argc];
}

/* The number of arguments below that environment; -1: it is not where exec left it. */
static int count_below(char *const envp[])
{
	char *const *last = envp - 1;
	int count = 0;

	while (is_from_exec(last - count) && (uintptr_t)last[-count - 1] != (uintptr_t)count)
		count++;
	return is_whole(count, last - count) ? count : -1;
}

void facts_keep_at_start(int argc, char *const argv[])
{
	char *const *variables = environ;

	if (!is_whole(argc, argv)) {
		argc = count_below(variables);
		argv = variables - 1 - argc;
	}
	if (argc >= 0)
		facts_keep(argc, argv, argv + argc + 1);
}

/* --- or read from /proc, by whoever asks before a constructor ran ------------------------------- */

/* NUL-ended strings of a /proc file, empty ones left out, each followed by `after`; ends in two NULs. */
static void squeeze(char *words, size_t length, char after)
{
	char *to = words;
	size_t n;

	for (size_t at = 0; at < length; at += n + 1) {
		n = strlen(words + at);
		if (!n && !after)
			continue;
		memmove(to, words + at, n);
		to += n;
		if (at + n < length)
			*to++ = after;
	}
	if (after && to > words && to[-1] == after)
		to--; /* none behind the last argument */
	memset(to, 0, (size_t)(words + length - to));
}

/* A /proc file of NUL-ended strings, with two NULs at the end; NULL if it cannot be read. */
static char *read_strings(struct arena *arena, const char *path, char after)
{
	size_t length;
	int error;
	char *words = locate_read(arena, path, &length, &error), *copy;

	if (!words)
		return NULL;
	copy = arena_alloc(arena, length + 2);
	if (!copy)
		return NULL;
	memcpy(copy, words, length);
	squeeze(copy, length, after);
	return copy;
}

static const struct kept *kept_from_proc(void)
{
	struct arena arena = { NULL };
	struct kept *mine = arena_alloc(&arena, sizeof(*mine));
	const char *started_as = name_at_exec();

	if (!mine)
		return &nothing;
	mine->command = read_strings(&arena, "/proc/self/cmdline", ' ');
	mine->environment = read_strings(&arena, "/proc/self/environ", '\0');
	mine->started_as = arena_copy(&arena, started_as, strlen(started_as));
	if (mine->command && mine->environment && mine->started_as && publish(mine))
		return mine; /* its arena stays for the life of the process */
	arena_free(&arena);
	return atomic_load(&kept) ? atomic_load(&kept) : &nothing; /* not published: the next who asks tries again */
}

static const struct kept *what_is_kept(void)
{
	const struct kept *now = atomic_load(&kept);

	return now ? now : kept_from_proc();
}

/* --- asked ------------------------------------------------------------------------------------- */

/* The kernel writes " (deleted)" behind the name of a file that is gone, as after an upgrade. */
static void drop_deleted(char *path, size_t length)
{
	static const char mark[] = " (deleted)";
	size_t n = sizeof(mark) - 1;

	if (length > n && memcmp(path + length - n, mark, n) == 0 && access(path, F_OK) != 0)
		path[length - n] = '\0';
}

#define NAME_ROOM 40

/* "/proc/PID/FILE", of this process for 0. */
static const char *proc_name(char name[NAME_ROOM], uint32_t pid, const char *file)
{
	struct text text = { .at = name, .size = NAME_ROOM };

	text_add(&text, "/proc/");
	if (pid)
		text_add_number(&text, pid);
	else
		text_add(&text, "self");
	text_add(&text, "/");
	text_add(&text, file);
	return name;
}

static const char *read_executable(struct arena *arena, uint32_t pid)
{
	char name[NAME_ROOM], *path = arena_alloc(arena, PATH_ROOM);
	ssize_t length = path ? readlink(proc_name(name, pid, "exe"), path, PATH_ROOM - 1) : -1;

	if (length <= 0)
		return "";
	drop_deleted(path, (size_t)length);
	return path;
}

/* Lines "ID:CONTROLLERS:PATH" (cgroups(7)) to paths one after the other. */
static const char *read_cgroup(struct arena *arena, uint32_t pid)
{
	char name[NAME_ROOM];
	size_t length;
	int error;
	char *words = locate_read(arena, proc_name(name, pid, "cgroup"), &length, &error);
	char *paths = words ? arena_alloc(arena, length + 2) : NULL, *to = paths;

	while (paths && *words) {
		size_t n = strcspn(words, "\n");
		const char *colon = memchr(words, ':', n);

		colon = colon ? memchr(colon + 1, ':', n - (size_t)(colon + 1 - words)) : NULL;
		if (colon && colon + 1 < words + n) {
			size_t path = (size_t)(words + n - colon) - 1;

			memcpy(to, colon + 1, path);
			to += path + 1;
		}
		words += n + (words[n] == '\n');
	}
	return paths ? paths : "\0";
}

void facts_read(struct facts *facts, struct arena *arena)
{
	const struct kept *now = what_is_kept();

	*facts = (struct facts){
		.executable = read_executable(arena, 0),
		.started_as = now->started_as,
		.command = now->command,
		.environment = now->environment,
		.cgroup = read_cgroup(arena, 0),
		.secure = getauxval(AT_SECURE) != 0,
	};
	if (facts->secure)
		facts->environment = "\0"; /* the user's, and no ground for a decision */
}

/* The vector that the kernel gave it (getauxval(3)): of numbers as wide as its pointers. */
struct vector {
	const char *at;
	size_t length, width;
};

static uint64_t vector_number(const struct vector *vector, size_t offset)
{
	uint64_t wide = 0;
	uint32_t narrow = 0;

	if (vector->width == sizeof(wide))
		memcpy(&wide, vector->at + offset, sizeof(wide));
	else
		memcpy(&narrow, vector->at + offset, sizeof(narrow));
	return vector->width == sizeof(wide) ? wide : narrow;
}

/* Keys are small numbers: one that is not is a key and a value of half the width. */
static void vector_read(struct vector *vector, struct arena *arena, uint32_t pid)
{
	char name[NAME_ROOM];
	int error;

	*vector = (struct vector){ .width = sizeof(uint64_t) };
	vector->at = locate_read(arena, proc_name(name, pid, "auxv"), &vector->length, &error);
	if (!vector->at)
		vector->length = 0;
	else if (vector->length >= vector->width && vector_number(vector, 0) > UINT32_MAX)
		vector->width = sizeof(uint32_t);
}

static uint64_t vector_find(const struct vector *vector, uint64_t key)
{
	for (size_t at = 0; at + 2 * vector->width <= vector->length; at += 2 * vector->width)
		if (vector_number(vector, at) == key)
			return vector_number(vector, at + vector->width);
	return 0;
}

/* What exec was given, from its memory; NULL where that cannot be had. */
static const char *read_started_as(struct arena *arena, uint32_t pid, uint64_t address)
{
	char name[NAME_ROOM], *words = address ? arena_alloc(arena, PATH_ROOM) : NULL;
	int fd = words ? (int)syscall(SYS_openat, AT_FDCWD, proc_name(name, pid, "mem"), O_RDONLY | O_CLOEXEC) : -1;
	ssize_t length = fd < 0 ? -1 : pread(fd, words, PATH_ROOM - 1, (off_t)address);

	if (fd >= 0)
		syscall(SYS_close, fd);
	return length > 0 && words[0] ? words : NULL;
}

int facts_of(struct facts *facts, struct arena *arena, uint32_t pid)
{
	char name[NAME_ROOM];
	struct vector vector;
	size_t length;
	int error = 0;
	const char *first = locate_read(arena, proc_name(name, pid, "cmdline"), &length, &error);

	*facts = (struct facts){ .environment = "\0", .cgroup = "\0" };
	if (!first || !locate_read(arena, proc_name(name, pid, "environ"), &length, &error))
		return error;
	vector_read(&vector, arena, pid);
	facts->started_as = read_started_as(arena, pid, vector_find(&vector, AT_EXECFN));
	if (!facts->started_as)
		facts->started_as = first;
	facts->executable = read_executable(arena, pid);
	facts->command = read_strings(arena, proc_name(name, pid, "cmdline"), ' ');
	facts->cgroup = read_cgroup(arena, pid);
	facts->secure = vector_find(&vector, AT_SECURE) != 0;
	facts->random = vector_find(&vector, AT_RANDOM);
	if (!facts->secure)
		facts->environment = read_strings(arena, proc_name(name, pid, "environ"), '\0');
	if (facts->command && facts->environment)
		return 0;
	/* It may have ended meanwhile. */
	return locate_read(arena, proc_name(name, pid, "environ"), &length, &error) ? -ENOMEM : error;
}

const char *facts_variable_in(const struct facts *facts, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = facts->environment; *at; at += strlen(at) + 1)
		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return at + length + 1;
	return NULL;
}

const char *facts_variable(const char *name)
{
	const struct facts facts = { .environment = what_is_kept()->environment };

	return getauxval(AT_SECURE) ? NULL : facts_variable_in(&facts, name);
}
