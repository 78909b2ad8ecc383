/* help_text.c - reads options and arguments out of a --help. */
#define _GNU_SOURCE
#include "tools/help_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"

#define USAGE "Usage: portshim "
#define FURTHER "       portshim "

/* `length` bytes, cut if they do not fit. */
static void put(char *to, size_t size, const char *from, size_t length)
{
	snprintf(to, size, "%.*s", (int)length, from);
}

/* --- options ---------------------------------------------------------------------------------------------- */

/* "  -c, --config=FILE   words", "      --json   words": at the first dash. */
static void option_read(struct help *help, const char *at, const char *end)
{
	help->option = memory_for_one(help->option, help->options, &help->options_room, sizeof(*help->option));
	struct help_option *option = &help->option[help->options++];
	*option = (struct help_option){ .letter = 0 };
	if (at[1] != '-') {
		option->letter = at[1];
		at += 2;
		at += strspn(at, ", ");
	}
	if (end - at > 2 && at[0] == '-' && at[1] == '-') {
		size_t name = strcspn(at + 2, "= \n"), value = 0;
		put(option->name, sizeof(option->name), at + 2, name);
		at += 2 + name;
		if (*at == '=')
			value = strcspn(++at, " \n");
		put(option->value, sizeof(option->value), at, value);
		at += value;
	}
	at += strspn(at, " ");
	if (at < end)
		put(option->words, sizeof(option->words), at, (size_t)(end - at));
}

/* --- usage ------------------------------------------------------------------------------------------------ */

static void argument_add(struct help_usage *usage, const char *at, size_t length)
{
	bool repeats = length > 3 && memcmp(at + length - 3, "...", 3) == 0;
	if (length == 0 || at[0] == '-' || at[0] == '.' || usage->arguments == HELP_ARGUMENTS_MAX)
		return;
	put(usage->argument[usage->arguments], sizeof(usage->argument[0]), at, repeats ? length - 3 : length);
	usage->arguments++;
	usage->repeats = repeats;
}

/* What stands in brackets is an option or an argument that may be left out. */
static void usage_words(struct help_usage *usage, const char *at, const char *end)
{
	while (at < end) {
		size_t length = 1;
		if (*at == '[') {
			const char *close = memchr(at, ']', (size_t)(end - at));
			length = close ? (size_t)(close - at) + 1 : (size_t)(end - at);
			if (at[1] != '-' && strncmp(at + 1, "OPTION", 6) != 0)
				argument_add(usage, at + 1, length - 2);
		} else if (*at != ' ') {
			length = strcspn(at, " [\n");
			argument_add(usage, at, length);
		}
		at += length;
	}
}

/* Behind "portshim NAME". */
static void usage_read(struct help *help, const char *at, const char *end)
{
	help->usage = memory_for_one(help->usage, help->usages, &help->usages_room, sizeof(*help->usage));
	struct help_usage *usage = &help->usage[help->usages++];
	*usage = (struct help_usage){ .arguments = 0 };
	at += strcspn(at, " \n");
	usage_words(usage, at, end);
}

/* ---------------------------------------------------------------------------------------------------------- */

static void line_read(struct help *help, const char *line, const char *end)
{
	const char *at = line + strspn(line, " ");
	if (strncmp(line, USAGE, strlen(USAGE)) == 0)
		usage_read(help, line + strlen(USAGE), end);
	else if (help->usages && strncmp(line, FURTHER, strlen(FURTHER)) == 0)
		usage_read(help, line + strlen(FURTHER), end);
	else if (at > line && *at == '-' && (isalnum((unsigned char)at[1]) || at[1] == '-'))
		option_read(help, at, end);
	else if (at >= line + 8 && help->options && !help->option[help->options - 1].words[0])
		put(help->option[help->options - 1].words, sizeof(help->option[0].words), at, (size_t)(end - at));
	else if (at >= line + 8 && help->usages && !help->options)
		usage_words(&help->usage[help->usages - 1], at, end);
}

void help_read(struct help *help, const char *text)
{
	*help = (struct help){ .options = 0 };
	while (*text) {
		const char *end = text + strcspn(text, "\n");
		line_read(help, text, end);
		text = end + (*end == '\n');
	}
}

void help_free(struct help *help)
{
	free(help->option);
	free(help->usage);
	*help = (struct help){ .options = 0 };
}

const struct help_option *help_named(const struct help *help, const char *name, size_t length)
{
	for (size_t i = 0; i < help->options; i++)
		if (strlen(help->option[i].name) == length && length && memcmp(help->option[i].name, name, length) == 0)
			return &help->option[i];
	return NULL;
}

const struct help_option *help_lettered(const struct help *help, char letter)
{
	for (size_t i = 0; letter && i < help->options; i++)
		if (help->option[i].letter == letter)
			return &help->option[i];
	return NULL;
}
