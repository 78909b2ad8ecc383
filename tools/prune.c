/* prune.c - finds the tables of this user, or for root of all, and which of them processes have mapped. */
#define _GNU_SOURCE
#include "tools/prune.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "tools/memory.h"
#include "tools/message.h"

#define FOLDER "/dev/shm"
#define FEW 8
#define GRACE 600 /* seconds */

/* A file, wherever it is mounted. */
struct identity {
	unsigned major, minor;
	uintmax_t inode;
};

struct candidate {
	char *name;
	struct identity identity;
	bool mapped;
};

struct candidates {
	struct candidate *candidate;
	size_t n, room, tables; /* tables: all that count, whatever their age */
};

/* Whether NAME is "portshim-UID-HEX.vVERSION", and of which user. */
static bool table_name(const char *name, uid_t *user)
{
	unsigned number;
	int length = 0;
	if (sscanf(name, "portshim-%u-%*[0-9a-f].v%*[0-9]%n", &number, &length) != 1 || length == 0 || // NOLINT(cert-err34-c): what does not fit is none
	    name[length] != '\0' || strpbrk(name, " \t\n\v\f\r+"))
		return false;
	*user = number;
	return true;
}

/* Regular files by the name of a table of their owner: this user's, or everybody's. */
static void collect(struct candidates *found, DIR *folder, bool everybody)
{
	struct stat about;
	uid_t user;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		if (!table_name(entry->d_name, &user) || (!everybody && user != geteuid()) ||
		    fstatat(dirfd(folder), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(about.st_mode) || about.st_uid != user)
			continue;
		found->tables++;
		if (about.st_mtime + GRACE > time(NULL))
			continue;
		found->candidate = memory_for_one(found->candidate, found->n, &found->room, sizeof(*found->candidate));
		found->candidate[found->n++] = (struct candidate){
			.name = memory_words("%s", entry->d_name),
			.identity = { major(about.st_dev), minor(about.st_dev), about.st_ino },
		};
	}
}

/* Reads a line of /proc/PID/maps: whether it is of a table, and of which. */
static bool mapped_table(const char *line, struct identity *identity)
{
	return strstr(line, "/portshim-") &&
	       sscanf(line, "%*s %*s %*s %x:%x %" SCNuMAX, &identity->major, &identity->minor, &identity->inode) == 3; // NOLINT(cert-err34-c): the kernel's own words
}

static bool same_identity(const struct identity *a, const struct identity *b)
{
	return a->major == b->major && a->minor == b->minor && a->inode == b->inode;
}

static void mark_mapped(struct candidates *found, FILE *maps)
{
	char *line = NULL;
	size_t room = 0;
	while (getline(&line, &room, maps) > 0) {
		struct identity identity;
		if (!mapped_table(line, &identity))
			continue;
		for (size_t i = 0; i < found->n; i++)
			found->candidate[i].mapped |= same_identity(&found->candidate[i].identity, &identity);
	}
	free(line);
}

/* False where there is no /proc: then nothing is known to be unused. */
static bool look_at_processes(struct candidates *found)
{
	DIR *processes = opendir("/proc");
	bool any = false;
	if (!processes)
		return false;
	for (const struct dirent *entry; (entry = readdir(processes)) != NULL;) {
		char path[sizeof(entry->d_name) + 16];
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/maps", entry->d_name);
		FILE *maps = fopen(path, "re");
		if (!maps)
			continue; /* gone, or another user's */
		any = true;
		mark_mapped(found, maps);
		fclose(maps);
	}
	closedir(processes);
	return any;
}

static void forget(struct candidates *found)
{
	for (size_t i = 0; i < found->n; i++)
		free(found->candidate[i].name);
	free(found->candidate);
}

void prune_tables(void)
{
	struct candidates found = { .n = 0 };
	DIR *folder = opendir(FOLDER);
	if (!folder)
		return;
	collect(&found, folder, false);
	if (found.tables > FEW && found.n > 0 && look_at_processes(&found))
		for (size_t i = 0; i < found.n; i++)
			if (!found.candidate[i].mapped)
				unlinkat(dirfd(folder), found.candidate[i].name, 0);
	closedir(folder);
	forget(&found);
}

/* Removes those that nobody has, and names them. */
static bool remove_unused(const struct candidates *found, int folder)
{
	bool good = true;
	for (size_t i = 0; i < found->n; i++) {
		const struct candidate *candidate = &found->candidate[i];
		if (candidate->mapped)
			continue;
		if (unlinkat(folder, candidate->name, 0) == 0)
			printf("removed " FOLDER "/%s\n", candidate->name);
		else if (errno != ENOENT) {
			say_error(FOLDER "/%s cannot be removed: %m", candidate->name);
			good = false;
		}
	}
	return good;
}

bool prune_now(void)
{
	struct candidates found = { .n = 0 };
	DIR *folder = opendir(FOLDER);
	bool good = true;
	if (!folder) {
		say_error(FOLDER ": %m; it is where the tables are");
		return false;
	}
	collect(&found, folder, geteuid() == 0);
	if (found.n > 0 && !look_at_processes(&found)) {
		say_error("/proc does not tell which tables are in use: nothing was removed");
		good = false;
	} else
		good = remove_unused(&found, dirfd(folder));
	closedir(folder);
	forget(&found);
	return good;
}
