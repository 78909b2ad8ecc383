/* evidence.c - finds and reads the audit's files. */
#define _GNU_SOURCE
#include "tools/evidence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/commands.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/utf8.h"

/* ---- files ------------------------------------------------------------------------------------------- */

/* The same file by another name: a rotation came between. */
static bool is_there(const struct evidence *evidence, const struct stat *about)
{
	struct stat other;
	for (size_t i = 0; i < evidence->files; i++)
		if (S_ISREG(about->st_mode) && fstat(evidence->file[i].fd, &other) == 0 &&
		    other.st_dev == about->st_dev && other.st_ino == about->st_ino)
			return true;
	return false;
}

/* Opens it as the next. 0 or -errno; -EEXIST if it is there already. What is not `named` is found in a folder that others may
 * write to: a regular file, or it is left alone (-EINVAL): a pipe would be waited for, and emptied under who reads it. */
static int file_add(struct evidence *evidence, const char *path, bool named)
{
	struct stat about;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (named ? 0 : O_NONBLOCK | O_NOFOLLOW));
	if (fd < 0)
		return -errno;
	int error = fstat(fd, &about) < 0 ? -errno : S_ISDIR(about.st_mode) ? -EISDIR :
	            !named && !S_ISREG(about.st_mode) ? -EINVAL : is_there(evidence, &about) ? -EEXIST : 0;
	if (error) {
		close(fd);
		return error;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	evidence->file = memory_for_one(evidence->file, evidence->files, &evidence->room, sizeof(*evidence->file));
	evidence->file[evidence->files++] = (struct evidence_file){
		.path = memory_words("%s", path), .shown = utf8_cleaned(path), .fd = fd,
	};
	return 0;
}

static int named_add(struct evidence *evidence, const char *path)
{
	int error = file_add(evidence, path, true);
	if (!error || error == -EEXIST)
		return EXIT_SUCCESS;
	say_error("the audit file %s cannot be read: %s", path, strerror(-error));
	return EXIT_FAILURE;
}

/* ---- what a rotation leaves (logrotate(8), newsyslog(8)) ------------------------------------------------ */

/* A file beside the audit's: NAME.3, NAME-20261124, or one of these compressed. */
struct rotated {
	char *path;
	bool numbered;   /* else dated */
	uint64_t number; /* the higher, the older if numbered, the younger if dated */
	bool packed;
};

static bool is_packing(const char *suffix)
{
	static const char *const known[] = { ".gz", ".xz", ".zst", ".bz2", ".lz4", ".Z" };
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(suffix, known[i]) == 0)
			return true;
	return false;
}

/* Whether `name` is `base` and a rotation's suffix. */
static bool rotated_read(struct rotated *rotated, const char *name, const char *base)
{
	size_t length = strlen(base);
	if (strncmp(name, base, length) != 0 || (name[length] != '.' && name[length] != '-'))
		return false;
	const char *digits = name + length + 1, *at = digits;
	rotated->numbered = name[length] == '.';
	rotated->number = 0;
	for (; *at >= '0' && *at <= '9' && at - digits < 14; at++)
		rotated->number = rotated->number * 10 + (uint64_t)(*at - '0');
	rotated->packed = is_packing(at);
	return at > digits && (*at == '\0' || rotated->packed);
}

static int oldest_first(const void *a, const void *b)
{
	const struct rotated *one = a, *other = b;
	if (one->numbered != other->numbered)
		return one->numbered ? 1 : -1;
	int order = (one->number > other->number) - (one->number < other->number);
	return one->numbered ? -order : order;
}

/* What lies beside the file, oldest first. */
static struct rotated *rotated_find(const char *path, size_t *n)
{
	struct rotated *found = NULL, rotated;
	const char *slash = strrchr(path, '/');
	char *folder = memory_words("%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	DIR *there = opendir(folder);
	size_t room = 0;
	*n = 0;
	for (const struct dirent *entry; there && (entry = readdir(there)) != NULL;) {
		if (!rotated_read(&rotated, entry->d_name, slash ? slash + 1 : path))
			continue;
		rotated.path = memory_words("%s/%s", folder, entry->d_name);
		found = memory_for_one(found, *n, &room, sizeof(*found));
		found[(*n)++] = rotated;
	}
	if (there)
		closedir(there);
	free(folder);
	if (*n)
		qsort(found, *n, sizeof(*found), oldest_first);
	return found;
}

static const char *words_for(int error)
{
	switch (error) {
	case -EACCES: return "this user may not read it; ask as its owner or as root";
	case -ELOOP: return "a symbolic link; if it is to be read, name it with --audit=FILE";
	case -EINVAL: return "no regular file; name one that has what went there, with --audit=FILE";
	default: return strerror(-error);
	}
}

static void failed_warn(const char *path, int error)
{
	if (error && error != -ENOENT && error != -EEXIST)
		say_warning("the audit file %s cannot be read, and is left out: %s", path, words_for(error));
}

static void packed_warn(const struct rotated *rotated, size_t n)
{
	const struct rotated *first = NULL;
	size_t packed = 0;
	for (size_t i = 0; i < n; i++)
		if (rotated[i].packed) {
			first = first ? first : &rotated[i];
			packed++;
		}
	if (first)
		say_warning("%s%s compressed, and left out; to have it read: --audit <(zcat %s) --audit ... in bash(1), each file "
		            "named, oldest first", first->path, packed > 1 ? " and others are" : " is", first->path);
}

static void policys_add(struct evidence *evidence, const char *path)
{
	size_t n;
	struct rotated *rotated = rotated_find(path, &n);
	for (size_t i = 0; i < n; i++)
		if (!rotated[i].packed)
			failed_warn(rotated[i].path, file_add(evidence, rotated[i].path, false));
	failed_warn(path, file_add(evidence, path, false));
	packed_warn(rotated, n);
	for (size_t i = 0; i < n; i++)
		free(rotated[i].path);
	free(rotated);
}

/* ---- all of it --------------------------------------------------------------------------------------- */

/* Whether neither the policy of the usual place nor the table that is here have to do with what is named. */
static bool is_alone(const struct evidence_options *options)
{
	return options->alone && options->audits && !options->table && !options->config;
}

/* A policy is needed unless both the table and the audit are named. */
static int policy_find(struct evidence *evidence, const struct evidence_options *options)
{
	bool named = (options->table && options->audits) || is_alone(options);
	if (!options->config && (named || !policy_file_is_there()))
		return EXIT_SUCCESS;
	evidence->has_policy = policy_file_load(&evidence->policy, options->config, NULL, NULL);
	if (evidence->has_policy)
		return EXIT_SUCCESS;
	if (evidence->policy.name)
		say_error("the policy %s does not say which table and which audit: %u error%s in it; put it right, or name "
		          "them with --table=FILE and --audit=FILE", evidence->policy.name, evidence->policy.errors,
		          evidence->policy.errors == 1 ? "" : "s");
	return EXIT_USAGE;
}

void evidence_name(struct evidence_options *options, const char *path)
{
	options->audit = memory_for_one(options->audit, options->audits, &options->audits_room, sizeof(*options->audit));
	options->audit[options->audits++] = path;
}

int evidence_find(struct evidence *evidence, const struct evidence_options *options)
{
	memset(evidence, 0, sizeof(*evidence));
	int code = policy_find(evidence, options);
	const struct policy *policy = evidence->has_policy ? &evidence->policy.policy : NULL;
	if (code == EXIT_SUCCESS && !is_alone(options))
		code = table_file_choose(&evidence->table, options->table, policy);
	for (size_t i = 0; i < options->audits && code == EXIT_SUCCESS; i++)
		code = named_add(evidence, options->audit[i]);
	if (code == EXIT_SUCCESS && !options->audits && policy && policy->audit_path)
		policys_add(evidence, policy->audit_path);
	return code;
}

static bool file_read(struct evidence *evidence, const struct evidence_file *file, evidence_listener *listener,
                      void *context)
{
	struct audit_reader reader;
	struct audit_entry entry;
	int got;
	audit_begin(&reader, file->fd);
	while ((got = audit_next(&reader, &entry)) == 1)
		listener(context, &entry);
	if (got < 0)
		say_error("the audit file %s cannot be read further, after %" PRIu64 " bytes: %s", file->shown, reader.bytes,
		          strerror(-got));
	if (reader.foreign && !reader.entries)
		say_warning("%s: no line in it is one of an audit; is it compressed? then name what zcat(1) says of it",
		            file->shown);
	else if (reader.foreign)
		say_warning("%s: passed over %" PRIu64 " line%s cut short or not of an audit", file->shown, reader.foreign,
		            reader.foreign == 1 ? " that is" : "s that are");
	evidence->entries += reader.entries;
	evidence->foreign += reader.foreign;
	evidence->bytes += reader.bytes;
	audit_end(&reader);
	return got == 0;
}

bool evidence_read(struct evidence *evidence, evidence_listener *listener, void *context)
{
	bool whole = true;
	for (size_t i = 0; i < evidence->files; i++)
		whole &= file_read(evidence, &evidence->file[i], listener, context);
	return whole;
}

void evidence_free(struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->files; i++) {
		close(evidence->file[i].fd);
		free(evidence->file[i].path);
		free(evidence->file[i].shown);
	}
	free(evidence->file);
	if (evidence->has_policy)
		policy_file_free(&evidence->policy);
	memset(evidence, 0, sizeof(*evidence));
}
