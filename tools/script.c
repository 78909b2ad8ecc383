/* script.c - the "#!" line of a script. */
#include "tools/script.h"

#include <stdio.h>
#include <string.h>

bool script_read(struct script_line *line, const char *head, size_t length)
{
	char copy[SCRIPT_HEAD + 1];
	if (length > SCRIPT_HEAD)
		length = SCRIPT_HEAD;
	if (length < 3 || head[0] != '#' || head[1] != '!')
		return false;
	memcpy(copy, head + 2, length - 2);
	copy[length - 2] = '\0';
	bool whole = strchr(copy, '\n') || length < SCRIPT_HEAD;
	copy[strcspn(copy, "\n")] = '\0';

	char *start = copy + strspn(copy, " \t");
	size_t name = strcspn(start, " \t");
	if (name == 0 || (!whole && start[name] == '\0')) /* cut short: it might name another program */
		return false;
	snprintf(line->interpreter, sizeof(line->interpreter), "%.*s", (int)name, start);

	char *rest = start + name + strspn(start + name, " \t");
	size_t end = strlen(rest);
	while (end > 0 && (rest[end - 1] == ' ' || rest[end - 1] == '\t'))
		end--;
	snprintf(line->argument, sizeof(line->argument), "%.*s", (int)end, rest);
	return true;
}

/* The next word of what -S splits: quotes and backslashes taken away. False at the end. */
static bool word_next(const char **at, char *word, size_t size)
{
	const char *p = *at + strspn(*at, " \t\v\f\r\n");
	char quote = '\0';
	size_t length = 0;
	if (*p == '\0' || *p == '#')
		return false;
	for (; *p != '\0' && (quote || !strchr(" \t\v\f\r\n", *p)); p++) {
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = (char)(quote ? '\0' : *p);
			continue;
		}
		if (*p == '\\' && p[1] != '\0' && quote != '\'')
			p++;
		if (length + 1 < size)
			word[length++] = *p;
	}
	word[length] = '\0';
	*at = p;
	return true;
}

/* What follows "-S", "-vS" or "--split-string="; NULL if the argument is none of these. */
static const char *split_string(const char *argument)
{
	static const char named[] = "--split-string=";
	if (strncmp(argument, named, sizeof(named) - 1) == 0)
		return argument + sizeof(named) - 1;
	if (argument[0] != '-' || argument[1] == '-')
		return NULL;
	const char *letters = argument + 1;
	letters += strspn(letters, "0iv");
	return *letters == 'S' ? letters + 1 : NULL;
}

/* Whether this option of env(1) takes the word after it. */
static bool takes_word(const char *option)
{
	static const char *const with_word[] = { "-u", "--unset", "-C", "--chdir", "-a", "--argv0", "-P" };
	for (size_t i = 0; i < sizeof(with_word) / sizeof(*with_word); i++)
		if (strcmp(option, with_word[i]) == 0)
			return true;
	return false;
}

bool script_env_program(const char *argument, char *program, size_t size)
{
	const char *words = split_string(argument);
	if (!words) {
		int length = snprintf(program, size, "%s", argument);
		return length > 0 && (size_t)length < size && argument[0] != '-' && !strchr(argument, '=');
	}
	bool options = true; /* "--", the first assignment and the program itself end them */
	while (word_next(&words, program, size)) {
		bool is_option = options && program[0] == '-';
		if (!is_option && !strchr(program, '='))
			return program[0] != '\0' && !strchr(program, '$');
		options = is_option && strcmp(program, "--") != 0;
		if (options && takes_word(program) && !word_next(&words, program, size))
			return false;
	}
	return false;
}
