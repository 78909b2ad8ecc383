/* table_file.c - finds the table's file by the options and the policy, and maps it to be looked at. */
#define _GNU_SOURCE
#include "tools/table_file.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/commands.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/policy_file.h"
#include "tools/utf8.h"

static int path_set(struct table_file *file, const char *path)
{
	if (snprintf(file->path, sizeof(file->path), "%s", path) < (int)sizeof(file->path))
		return EXIT_SUCCESS;
	say_error("the table's path is too long: %.60s...; name a shorter one", path);
	return EXIT_USAGE;
}

/* The one that `table = auto` stands for. */
static int path_auto(struct table_file *file, uint32_t user)
{
	struct text path = TEXT_OVER(file->path);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool known = fd >= 0 && table_path(&path, user, fd);
	if (!known)
		say_error("the table of this network namespace cannot be named: %m; name it with --table=FILE, "
		          "for example one of /dev/shm/portshim-*");
	if (fd >= 0)
		close(fd);
	return known ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int path_of_policy(struct table_file *file, const struct policy *policy, uint32_t user)
{
	switch (policy->table) {
	case TABLE_PATH: return path_set(file, policy->table_path);
	case TABLE_NONE: return EXIT_SUCCESS;
	default: return path_auto(file, user);
	}
}

static bool load(struct policy_file *loaded, const char *config)
{
	if (policy_file_load(loaded, config, NULL, NULL))
		return true;
	if (loaded->name)
		say_error("the policy %s does not say which table: %u error%s in it; put it right, or name the "
		          "table with --table=FILE", loaded->name, loaded->errors, loaded->errors == 1 ? "" : "s");
	return false;
}

static int path_find(struct table_file *file, const char *config)
{
	struct policy_file loaded;
	if (!config && !policy_file_is_there())
		return path_auto(file, geteuid());
	if (!load(&loaded, config))
		return EXIT_USAGE;
	int code = path_of_policy(file, &loaded.policy, geteuid());
	policy_file_free(&loaded);
	return code;
}

static void show_path(struct table_file *file)
{
	memcpy(file->shown, file->path, sizeof(file->shown));
	utf8_clean(file->shown);
}

int table_file_of(struct table_file *file, const struct policy *policy, uint32_t user, const char *root)
{
	memset(file, 0, sizeof(*file));
	int code = path_of_policy(file, policy, user);
	if (code == EXIT_SUCCESS && file->path[0] != '\0') {
		char *path = memory_words("%s%s", root, file->path);
		code = path_set(file, path);
		free(path);
	}
	show_path(file);
	return code;
}

static int named(struct table_file *file, const char *table, int code)
{
	file->named = table != NULL;
	show_path(file);
	return code;
}

int table_file_find(struct table_file *file, const char *table, const char *config)
{
	memset(file, 0, sizeof(*file));
	return named(file, table, table ? path_set(file, table) : path_find(file, config));
}

int table_file_choose(struct table_file *file, const char *table, const struct policy *policy)
{
	memset(file, 0, sizeof(*file));
	return named(file, table, table ? path_set(file, table) : policy ? path_of_policy(file, policy, geteuid())
	                                                                 : path_auto(file, geteuid()));
}

/* "a, b and 3 more", to be freed. */
static char *rule_names(const struct policy *policy)
{
	enum { NAMED_MAX = 20 };
	char *names = memory_words("%s", policy->rules ? "" : "none");
	for (uint32_t i = 0; i < policy->rules && i < NAMED_MAX; i++) {
		char *before = names;
		names = memory_words("%s%s%s", before, i ? ", " : "", policy->rule[i].name);
		free(before);
	}
	if (policy->rules > NAMED_MAX) {
		char *before = names;
		names = memory_words("%s and %u more", before, policy->rules - NAMED_MAX);
		free(before);
	}
	return names;
}

/* Of the name as the table keeps it. */
static bool has_rule(const struct policy_file *loaded, const char *rule, const char *command)
{
	for (uint32_t i = 0; i < loaded->policy.rules; i++)
		if (strncmp(loaded->policy.rule[i].name, rule, RULE_NAME_SIZE - 1) == 0)
			return true;
	char *names = rule_names(&loaded->policy);
	say_error("%s: no rule %s in %s; its rules: %s", command, rule, loaded->name, names);
	free(names);
	return false;
}

int table_file_of_config(struct table_file *file, const char *config, const char *rule, const char *command,
                         struct policy_file *loaded)
{
	memset(file, 0, sizeof(*file));
	if (!load(loaded, config))
		return EXIT_USAGE;
	int code = rule && !has_rule(loaded, rule, command) ? EXIT_USAGE : path_of_policy(file, &loaded->policy, geteuid());
	if (code != EXIT_SUCCESS)
		policy_file_free(loaded);
	return named(file, NULL, code);
}

#define CUT_WORDS "its file was made shorter, or there was no memory for it, while it was looked at; try again"

static const char *words_for(int error)
{
	switch (error) {
	case TABLE_FILE_CUT: return CUT_WORDS;
	case -EACCES: return "this user may not read it; look as the user whose programs use it, or as root";
	case -EPERM: return "not a regular file, or all may write to it, so nothing in it can be believed; "
	                    "take that right away, or name another file";
	case -EPROTO: return "not a table of this version (" TABLE_VERSION "); name another file";
	case -ELOOP: return "a symbolic link; name the file itself";
	case -ENOENT: return "there is no such file; those of all users are /dev/shm/portshim-*";
	default: return NULL;
	}
}

/* --- a file that becomes shorter while it is looked at ---------------------------------------------------------- */

static char cut_words[PATH_MAX + 200];

static void cut(int number)
{
	(void)number;
	ssize_t written = write(STDERR_FILENO, cut_words, strlen(cut_words));
	(void)written;
	_exit(EXIT_FAILURE);
}

/* Rather than by SIGBUS the command ends with a word, unless somebody is prepared (table_file_guarded()). */
static void prepare_for_cut(const struct table_file *file)
{
	struct sigaction action;
	snprintf(cut_words, sizeof(cut_words), "portshim: the table %s cannot be shown: " CUT_WORDS "\n", file->shown);
	if (sigaction(SIGBUS, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
		return;
	action = (struct sigaction){ .sa_handler = cut };
	sigaction(SIGBUS, &action, NULL);
}

const struct table *table_file_look(const struct table_file *file, int *error)
{
	*error = 0;
	prepare_for_cut(file);
	const struct table *table = file->path[0] || file->named ? table_look(file->path, error) : NULL;
	if (*error == -ENOENT && !file->named)
		*error = 0;
	return *error ? NULL : table;
}

int table_file_failed(const struct table_file *file, int error)
{
	const char *words = words_for(error);
	if (words)
		say_error("the table %s cannot be shown: %s", file->shown, words);
	else
		say_error("the table %s cannot be shown: %s; name another with --table=FILE", file->shown,
		          strerror(-error));
	return EXIT_FAILURE;
}

void table_file_leave(const struct table *table)
{
	if (table)
		munmap((void *)(uintptr_t)table, sizeof(*table));
}

static sigjmp_buf before_bus;

/* It is the table that is being read, and so no function of libc's that must not be left. */
static void bus(int number)
{
	(void)number;
	siglongjmp(before_bus, 1);
}

bool table_file_guarded(void (*what)(void *context), void *context)
{
	struct sigaction action = { .sa_handler = bus }, old;
	volatile bool whole = false;
	sigaction(SIGBUS, &action, &old);
	if (sigsetjmp(before_bus, 1) == 0) { // NOLINT(cert-err52-cpp): there is no other way out of the handler
		what(context);
		whole = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return whole;
}

void table_file_warn(const struct table_file *file, int error)
{
	if (error == -EXDEV)
		say_warning("%s is the table of another network namespace, whose sockets cannot be seen from here; "
		            "what is shown is what the table says; to have it checked, run this there (nsenter -n)",
		            file->shown);
	else if (error)
		say_warning("the kernel does not tell of its sockets: sock_diag(7): %s; what is shown is what the "
		            "table %s says; to have it checked, run this where netlink sockets are allowed",
		            strerror(-error), file->shown);
}
