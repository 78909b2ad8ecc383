/* trust.c - who else can write to the file that a policy is read from. */
#include "trust.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "locate.h"
#include "text.h"

#define OVERFLOW_USER 65534 /* what the kernel shows for owners without a number here, unless set otherwise */
#define WORDS_SIZE 256

struct reader reader_here(void)
{
	uid_t user = geteuid();

	return (struct reader){ .user = user, .strict = user == 0 || getauxval(AT_SECURE) != 0 };
}

/* --- owners without a number ------------------------------------------------------------------------------------ */

static const char *next_number(const char *at, uint64_t *number)
{
	*number = 0;
	while (*at == ' ' || *at == '\n')
		at++;
	for (; *at >= '0' && *at <= '9'; at++)
		*number = *number * 10 + (uint64_t)(*at - '0');
	return at;
}

/* Whether the map of a user namespace, lines of three numbers (user_namespaces(7)), has this user. */
static bool map_has(const char *map, uint64_t user)
{
	while (*map) {
		uint64_t first, outside, count;

		map = next_number(next_number(next_number(map, &first), &outside), &count);
		if (user >= first && user - first < count)
			return true;
		if (*map != '\n')
			break;
		map++;
	}
	return false;
}

static bool is_without_number(uid_t owner)
{
	struct arena arena = { NULL };
	size_t length;
	int error;
	const char *map;
	bool without = false;

	if (owner != OVERFLOW_USER)
		return false;
	map = locate_read(&arena, "/proc/self/uid_map", &length, &error);
	if (map)
		without = !map_has(map, owner);
	arena_free(&arena);
	return without;
}

/* --- the file ---------------------------------------------------------------------------------------------------- */

struct judging {
	const struct reader *reader;
	policy_listener *listener;
	void *context;
};

/* `fix` is for regular files: nobody is to change a device. */
static void tell(const struct judging *judging, const struct stat *about, struct text *words, const char *fix)
{
	bool strict = judging->reader->strict;

	text_add(words, strict ? ", and what runs as root, or with privileges, takes its policy from root alone; " :
	                         ", who can change which ports your programs have; ");
	text_add(words, S_ISREG(about->st_mode) ? fix : "name a regular file");
	judging->listener(judging->context, strict && !judging->reader->looks ? SEVERITY_ERROR : SEVERITY_WARNING, 0, words->at);
}

static bool is_anothers(const struct stat *about, const struct reader *reader)
{
	if (about->st_uid == 0 || (about->st_uid == reader->user && !reader->strict))
		return false;
	return !is_without_number(about->st_uid);
}

static bool is_private_group(const struct stat *about, const struct reader *reader)
{
	return !reader->strict && about->st_uid == reader->user && about->st_gid == about->st_uid;
}

/* Whether it may be read. */
static bool judge(const struct stat *about, void *context)
{
	const struct judging *given = context;
	const struct reader owner = { .user = about->st_uid }, *reader = given->reader->owner ? &owner : given->reader;
	const struct judging judging = { reader, given->listener, given->context };
	char buffer[WORDS_SIZE];
	struct text words = TEXT_OVER(buffer);
	bool good = true;

	if (is_anothers(about, reader)) {
		text_add(&words, "this file is the user ");
		text_add_number(&words, about->st_uid);
		text_add(&words, "'s");
		tell(&judging, about, &words, reader->strict ? "chown root" : "copy it, or have it chowned to root");
		good = false;
	}
	text_clear(&words);
	if (about->st_mode & S_IWOTH) {
		text_add(&words, "all users may write to this file");
		tell(&judging, about, &words, "chmod go-w");
		good = false;
	} else if (about->st_mode & S_IWGRP && !is_private_group(about, reader)) {
		text_add(&words, "the group ");
		text_add_number(&words, about->st_gid);
		text_add(&words, " may write to this file");
		tell(&judging, about, &words, "chmod g-w");
		good = false;
	}
	return good || !reader->strict || reader->looks;
}

char *trust_read(struct arena *arena, const char *path, size_t *length, int *error, const struct reader *reader,
                 policy_listener *listener, void *context)
{
	struct judging judging = { reader, listener, context };
	char *text = locate_read_judged(arena, path, length, error, judge, &judging);

	if (!text && *error != -EKEYREJECTED)
		listener(context, SEVERITY_ERROR, 0, locate_error_words(*error));
	return text;
}
