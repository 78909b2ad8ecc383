/* complete.c - `portshim complete -- WORD...`: what the last word of a command line can become.
 *
 * Theory of operation. The completions of the shells (tools/completions) know nothing of portshim: they pass the words
 * behind its name, up to the cursor, and offer what comes back. Options and arguments are those that each command's own
 * --help lists (help_text.h); the values of keys are those of the policy's table of keys. So there is one list of each,
 * and what a command learns is completed at once.
 *
 * A line for each candidate: "WORD<TAB>DESCRIPTION". A line that begins with a tab says what the shell itself is to
 * complete instead: "<TAB>files", behind the word's last '=' if it is an option; or "<TAB>command N": the words from
 * number N on (of those passed, from 0) are another command, whose completion takes over. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/keys.h"
#include "tools/commands.h"
#include "tools/help_text.h"
#include "tools/memory.h"
#include "tools/policy_file.h"
#include "tools/sockets.h"
#include "tools/utf8.h"

extern char **environ;

struct asked_for {
	char **word;              /* from the subcommand on */
	int words;
	const char *last;         /* what is to be completed, or the part of it behind `before` */
	char before[64];          /* "--mode=" */
	const struct help *help;
	const char *config;       /* the policy that is named among the words; NULL: none */
};

/* --- candidates ------------------------------------------------------------------------------------------- */

/* The first line of an option's words, without a parenthesis that goes on in the next. */
static int shown_length(const char *description)
{
	const char *open = strrchr(description, '(');
	bool cut = open && open > description && !strchr(open, ')');
	return (int)(cut ? (size_t)(open - description) - 1 : strlen(description));
}

/* Names from elsewhere have no tab and no newline in them. */
static void offer(const struct asked_for *asked, const char *word, const char *description)
{
	if (strncmp(word, asked->last, strlen(asked->last)) != 0 || strpbrk(word, "\t\n"))
		return;
	printf("%s%s%s%.*s\n", asked->before, word, *description ? "\t" : "", shown_length(description), description);
}

static void offer_commands(const struct asked_for *asked)
{
	size_t n;
	const struct command *command = commands_all(&n);
	for (size_t i = 0; i < n; i++)
		offer(asked, command[i].name, command[i].words);
}

static void offer_key(const struct asked_for *asked, enum key_id key)
{
	size_t n;
	for (const struct word *word = keys_table(&n)[key].words; word->name; word++)
		offer(asked, word->name, "");
}

static void offer_modes(const struct asked_for *asked)
{
	for (size_t i = 0; run_modes[i]; i++)
		offer(asked, run_modes[i], "");
}

static void offer_ranges(const struct asked_for *asked)
{
	for (size_t i = 0; ports_range_name(i); i++)
		offer(asked, ports_range_name(i), "");
}

/* Of the policy that is named, or of the usual one. What is wrong with it is not told here. */
static void offer_rules(const struct asked_for *asked)
{
	struct policy_file loaded;
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC), errors = dup(STDERR_FILENO);
	fflush(stderr);
	dup2(nowhere, STDERR_FILENO);
	bool good = policy_file_load(&loaded, asked->config, NULL, NULL);
	dup2(errors, STDERR_FILENO);
	close(nowhere);
	close(errors);
	for (uint32_t i = 0; good && i < loaded.policy.rules; i++)
		offer(asked, loaded.policy.rule[i].name, "");
	if (good)
		policy_file_free(&loaded);
}

/* Threads of the kernel's own have no executable. */
static bool is_of_the_kernel(const char *pid)
{
	char *path = memory_words("/proc/%s/exe", pid), byte;
	bool none = readlink(path, &byte, 1) < 0 && errno == ENOENT;
	free(path);
	return none;
}

static void offer_processes(const struct asked_for *asked)
{
	DIR *processes = opendir("/proc");
	for (const struct dirent *entry; processes && (entry = readdir(processes)) != NULL;) {
		char name[PROGRAM_SIZE], *end;
		unsigned long pid = strtoul(entry->d_name, &end, 10);
		if (!isdigit((unsigned char)entry->d_name[0]) || *end || is_of_the_kernel(entry->d_name) ||
		    !program_name((uint32_t)pid, name))
			continue;
		utf8_clean(name);
		offer(asked, entry->d_name, name);
	}
	if (processes)
		closedir(processes);
}

static void offer_users(const struct asked_for *asked)
{
	setpwent();
	for (const struct passwd *user; (user = getpwent()) != NULL;)
		offer(asked, user->pw_name, "");
	endpwent();
}

static void offer_groups(const struct asked_for *asked)
{
	setgrent();
	for (const struct group *group; (group = getgrent()) != NULL;)
		offer(asked, group->gr_name, "");
	endgrent();
}

static void offer_variables(const struct asked_for *asked)
{
	for (size_t i = 0; environ[i]; i++) {
		char *name = memory_words("%.*s=", (int)strcspn(environ[i], "="), environ[i]);
		offer(asked, name, "");
		free(name);
	}
}

static void offer_files(const struct asked_for *asked)
{
	(void)asked;
	puts("\tfiles");
}

static void offer_calls(const struct asked_for *asked)
{
	offer_key(asked, KEY_CALL);
}

static void offer_protocols(const struct asked_for *asked)
{
	offer_key(asked, KEY_PROTOCOL);
}

static void offer_levels(const struct asked_for *asked)
{
	offer_key(asked, KEY_LOG);
}

/* What a help calls a value, and who knows which there are. */
static const struct { const char *value; void (*offer)(const struct asked_for *asked); } values[] = {
	{ "FILE", offer_files }, { "PATH", offer_files }, { "MODE", offer_modes }, { "LEVEL", offer_levels },
	{ "CALL", offer_calls }, { "PROTOCOL", offer_protocols }, { "RULE", offer_rules }, { "PID", offer_processes },
	{ "USER", offer_users }, { "GROUP", offer_groups }, { "PORTS", offer_ranges }, { "NAME=VALUE", offer_variables },
};

static void offer_value(const struct asked_for *asked, const char *value)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (strcmp(values[i].value, value) == 0)
			values[i].offer(asked);
}

/* "nft|json": words that stand for themselves are in small letters. */
static void offer_argument(const struct asked_for *asked, const char *argument)
{
	char *all = memory_words("%s", argument), *next;
	for (char *one = strtok_r(all, "|", &next); one; one = strtok_r(NULL, "|", &next)) {
		if (islower((unsigned char)*one))
			offer(asked, one, "");
		else
			offer_value(asked, one);
	}
	free(all);
}

static void offer_options(const struct asked_for *asked)
{
	for (size_t i = 0; i < asked->help->options; i++) {
		const struct help_option *option = &asked->help->option[i];
		char word[40], letter[3] = { '-', option->letter, '\0' };
		snprintf(word, sizeof(word), "--%s%s", option->name, option->value[0] ? "=" : "");
		if (option->name[0])
			offer(asked, word, option->words);
		if (option->letter && (strlen(asked->last) <= 2))
			offer(asked, letter, option->words);
	}
}

/* --- where the last word stands ------------------------------------------------------------------------------ */

/* The option that a word is, and whether its value is the next word. */
static const struct help_option *option_of(const struct help *help, const char *word, bool *value_follows)
{
	const struct help_option *option;
	if (word[1] == '-') {
		size_t length = strcspn(word + 2, "=");
		option = help_named(help, word + 2, length);
		*value_follows = option && option->value[0] && word[2 + length] == '\0';
	} else {
		option = help_lettered(help, word[1]);
		*value_follows = option && option->value[0] && word[2] == '\0';
	}
	return option;
}

/* "-" alone can become one, and is none. */
static bool is_option(const char *word, bool last)
{
	return word[0] == '-' && (last || word[1] != '\0');
}

/* Whether some usage has a command as its argument number `place`. */
static bool is_command_at(const struct help *help, size_t place)
{
	for (size_t i = 0; i < help->usages; i++)
		if (place < help->usage[i].arguments && strcmp(help->usage[i].argument[place], "COMMAND") == 0)
			return true;
	return false;
}

/* The argument that a usage has there; NULL: none. */
static const char *argument_at(const struct help_usage *usage, size_t place)
{
	if (place < usage->arguments)
		return usage->argument[place];
	return usage->repeats && usage->arguments ? usage->argument[usage->arguments - 1] : NULL;
}

/* Where no argument can stand, an option can. */
static void offer_place(const struct asked_for *asked, size_t place)
{
	const char *before = NULL;
	for (size_t i = 0; i < asked->help->usages; i++) {
		const char *argument = argument_at(&asked->help->usage[i], place);
		if (argument && (!before || strcmp(argument, before) != 0))
			offer_argument(asked, argument);
		before = argument ? argument : before;
	}
	if (!before)
		offer_options(asked);
}

/* The value of an option that is given: in its own word, or the next. */
static const char *value_of(const char *word)
{
	if (word[0] != '-')
		return word;
	return word[1] != '-' ? word + 2 : strchr(word, '=') ? strchr(word, '=') + 1 : NULL;
}

/* "--mode=su": the option's values, each behind "--mode=". */
static void offer_value_within(struct asked_for *asked)
{
	size_t name = strcspn(asked->last, "=");
	const struct help_option *option = help_named(asked->help, asked->last + 2, name - 2);
	if (!option || name + 1 >= sizeof(asked->before))
		return;
	snprintf(asked->before, sizeof(asked->before), "%.*s", (int)name + 1, asked->last);
	asked->last += name + 1;
	offer_value(asked, option->value);
}

/* The words before the last one are looked at as getopt_long(3) does it. */
static void complete_within(struct asked_for *asked)
{
	const struct help_option *waiting = NULL;
	bool ended = false;
	size_t place = 0;
	for (int i = 1; i < asked->words; i++) {
		const char *word = asked->word[i];
		bool last = i == asked->words - 1, value_follows = false;
		const struct help_option *option = waiting;
		if (waiting) {
			if (last)
				offer_value(asked, waiting->value);
			waiting = NULL;
		} else if (!ended && is_option(word, last)) {
			option = option_of(asked->help, word, &value_follows);
			if (last && strncmp(word, "--", 2) == 0 && strchr(word, '='))
				offer_value_within(asked);
			else if (last)
				offer_options(asked);
			ended = strcmp(word, "--") == 0;
			waiting = value_follows ? option : NULL;
		} else if (strcmp(word, "--") != 0 && is_command_at(asked->help, place) && !(last && isdigit((unsigned char)*word))) {
			printf("\tcommand %d\n", i);
			return;
		} else if (last) {
			offer_place(asked, place);
		} else if (strcmp(word, "--") != 0) {
			place++;
		}
		if (option && strcmp(option->name, "config") == 0 && !waiting)
			asked->config = value_of(word);
	}
}

/* --- a command's help ------------------------------------------------------------------------------------------ */

/* Printed in a child, since it goes to standard output. To be freed. */
static char *help_of(const struct command *command)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		char name[32], option[] = "--help";
		snprintf(name, sizeof(name), "%s", command->name);
		dup2(ends[1], STDOUT_FILENO);
		command->function(2, (char *[]){ name, option, NULL });
		fflush(stdout);
		_exit(0);
	}
	close(ends[1]);
	char *text = memory_zeroed(1, 65536);
	size_t length = 0;
	for (ssize_t n; child > 0 && length < 65535 && (n = read(ends[0], text + length, 65535 - length)) > 0;)
		length += (size_t)n;
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return text;
}

/* Behind a subcommand. */
static void complete_command(struct asked_for *asked, struct help *help)
{
	const struct command *command = command_named(asked->word[0]);
	char *text = command ? help_of(command) : NULL;
	if (!text)
		return;
	help_read(help, text);
	if (command->function == help_main && asked->words == 2)
		offer_commands(asked);
	else if (command->function != help_main)
		complete_within(asked);
	help_free(help);
	free(text);
}

int complete_main(int argc, char **argv)
{
	int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
	struct help help = { .options = 0 };
	struct asked_for asked = { .word = argv + first, .words = argc - first, .help = &help };
	if (asked.words < 1)
		return EXIT_SUCCESS;
	asked.last = argv[argc - 1];
	if (asked.words > 1) {
		complete_command(&asked, &help);
	} else {
		offer_commands(&asked);
		if (asked.last[0] == '-') {
			offer(&asked, "--help", "list the subcommands");
			offer(&asked, "--version", "print the version");
		}
	}
	return EXIT_SUCCESS;
}
