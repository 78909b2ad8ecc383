/* files.c - files that a policy names, and its own: whether they are there, and whether those can use them who must. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/table.h"
#include "tools/check/advice.h"
#include "tools/check/implies.h"
#include "tools/memory.h"
#include "tools/table_file.h"

/* --- programs --------------------------------------------------------------------------------------------- */

static void check_program(const struct subject *subject, uint32_t index, uint32_t item)
{
	const struct rule *rule = &subject->policy->rule[index];
	const char *path = rule->program.item[item];
	struct stat about;
	if (path[0] != '/' || !is_plain(path))
		return;
	bool missing = stat(path, &about) < 0;
	if (missing ? errno != ENOENT && errno != ENOTDIR : S_ISREG(about.st_mode))
		return;
	struct advice *advice = advice_add(subject->found, ADVICE_WARNING,
	                                   lines_of_item(subject->lines, index, KEY_PROGRAM, item, rule->line), CHECK_NO_PROGRAM,
	                                   rule);
	advice->words = missing ? memory_words("rule %s: program: there is no %s", rule->name, path) :
	                          memory_words("rule %s: program: %s is no file", rule->name, path);
	advice->fix = missing ? memory_words("write the path that 'command -v' shows, or the name alone, for any folder") :
	                        memory_words("write %s/* for the programs in it", path);
}

/* --- files to be written ---------------------------------------------------------------------------------- */

/* Why this user cannot write to the file, or make it; NULL: nothing is in the way. */
static const char *why_not_written(const char *path, bool *is_folder)
{
	char folder[PATH_MAX];
	struct stat about;
	*is_folder = false;
	if (stat(path, &about) == 0) {
		if (S_ISDIR(about.st_mode))
			return "is a folder";
		return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0 ? strerror(errno) : NULL;
	}
	if (errno != ENOENT)
		return strerror(errno);
	const char *slash = strrchr(path, '/');
	int length = slash && slash > path ? (int)(slash - path) : 1;
	*is_folder = true;
	snprintf(folder, sizeof(folder), "%.*s", length, path);
	return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0 ? strerror(errno) : NULL;
}

static void check_written(const struct subject *subject, enum key_id key, const char *name, enum advice_check check,
                          const char *path)
{
	bool is_folder;
	const char *why = path ? why_not_written(path, &is_folder) : NULL;
	if (!why)
		return;
	struct advice *advice = advice_add(subject->found, ADVICE_WARNING, subject->lines->portshim[key], check, NULL);
	advice->words = memory_words("%s: %s cannot be written%s: %s", name, path, is_folder ? ", nor made in its folder" : "",
	                             why);
	advice->fix = memory_words("make the folder for those whose programs are to write there, or name another");
}

/* --- the table -------------------------------------------------------------------------------------------- */

static const char *table_words(int error)
{
	switch (error) {
	case -EACCES: return "this user may not open it";
	case -EPERM: return "it is no regular file, or all may write to it, or it is another user's";
	case -EPROTO: return "it is no table of this version (" TABLE_VERSION ")";
	case -ELOOP: return "it is a symbolic link";
	default: return strerror(-error);
	}
}

/* A file that is there must be a table, or empty: then the programs fill it. As shim/table.c has it. */
static int table_error(const char *path, const struct stat *about)
{
	int error = 0;
	if (S_ISLNK(about->st_mode))
		return -ELOOP;
	if (!S_ISREG(about->st_mode) || about->st_mode & S_IWOTH ||
	    (about->st_uid != 0 && about->st_uid != geteuid() && !(about->st_mode & S_IWGRP)))
		return -EPERM;
	if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0)
		return -errno;
	const struct table *table = about->st_size ? table_look(path, &error) : NULL;
	table_file_leave(table);
	return error;
}

static void check_table(const struct subject *subject)
{
	const struct policy *policy = subject->policy;
	const char *path = policy->table == TABLE_PATH ? policy->table_path : "/dev/shm/portshim", *why;
	struct stat about;
	bool is_folder = false;
	if (policy->table == TABLE_NONE)
		return;
	if (policy->table == TABLE_AUTO || lstat(path, &about) < 0) {
		why = why_not_written(path, &is_folder);
	} else {
		int error = table_error(path, &about);
		why = error ? table_words(error) : NULL;
	}
	if (!why)
		return;
	struct advice *advice = advice_add(subject->found, ADVICE_WARNING, subject->lines->portshim[KEY_TABLE], CHECK_TABLE, NULL);
	advice->words = memory_words("table: %s cannot be %s: %s: programs go on without, and early ports are exclusive",
	                             policy->table == TABLE_AUTO ? "a file in /dev/shm" : path, is_folder ? "made" : "used", why);
	advice->fix = memory_words("%s", policy->table == TABLE_AUTO ?
	                           "mount a tmpfs at /dev/shm, or name a file with table = PATH" :
	                           is_folder ? "make its folder, or name another" : "remove it, or name another");
}

/* --- the policy itself ------------------------------------------------------------------------------------ */

/* Below /etc it is every program's. Who can write to it, its reader looks at. */
static void check_policy(const struct subject *subject, const char *path)
{
	char real[PATH_MAX];
	struct stat about;
	if (!realpath(path, real) || stat(real, &about) < 0)
		return;
	if (strncmp(real, "/etc/", 5) != 0 || about.st_mode & S_IROTH)
		return;
	struct advice *advice = advice_add(subject->found, ADVICE_WARNING, 0, CHECK_POLICY_FILE, NULL);
	advice->words = memory_words("other users may not read this file: their programs have no policy");
	advice->fix = memory_words("chmod a+r %s", real);
}

void check_files(const struct subject *subject, const char *policy_path)
{
	const struct policy *policy = subject->policy;
	if (policy_path)
		check_policy(subject, policy_path);
	check_table(subject);
	check_written(subject, KEY_LOG_TO, "log-to", CHECK_LOG_FILE, policy->log_to == LOG_TO_PATH ? policy->log_path : NULL);
	check_written(subject, KEY_AUDIT, "audit", CHECK_AUDIT_FILE, policy->audit_path);
	for (uint32_t i = 0; i < policy->rules; i++)
		for (uint32_t j = 0; j < policy->rule[i].program.n; j++)
			check_program(subject, i, j);
}
