/* main.c - the command `portshim`: finds the subcommand and hands over to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/library.h"
#include "tools/message.h"

#define COMMAND_ENTRY(name, words) { #name, name##_main, words },
static const struct command commands[] = { COMMANDS(COMMAND_ENTRY) };
#undef COMMAND_ENTRY

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

const struct command *commands_all(size_t *n)
{
	*n = N_COMMANDS;
	return commands;
}

const struct command *command_named(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void usage_print(FILE *to)
{
	fputs("Usage: portshim COMMAND [ARGUMENT...]\n\nCommands:\n", to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].words);
	fputs("\n'portshim COMMAND --help' shows the usage of a command, the page portshim-COMMAND(1) more.\n", to);
}

static int unknown_command(const char *name)
{
	if (name[0] == '-')
		say_error("no such option: %s; 'portshim help' lists what there is", name);
	else
		say_error("no such command: %s; 'portshim help' lists them; to start a program: portshim run %s",
		          name, name);
	return EXIT_USAGE;
}

/* A report that did not arrive (a full disk, a closed pipe) is no success. */
static int output_finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	say_error("standard output cannot be written: %m");
	return code == EXIT_SUCCESS ? EXIT_FAILURE : code;
}

int help_main(int argc, char **argv)
{
	if (argc < 2 || argv[1][0] == '-') {
		usage_print(stdout);
		return EXIT_SUCCESS;
	}
	const struct command *command = command_named(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	if (command->function == help_main) /* its usage is the list itself */
		return help_main(1, argv);
	char help[] = "--help";
	char *arguments[] = { argv[1], help, NULL };
	return command->function(2, arguments);
}

int version_main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		puts("Usage: portshim version");
	else if (argc > 1) {
		say_error("version takes no argument: %s", argv[1]);
		return EXIT_USAGE;
	} else
		puts("portshim " PORTSHIM_VERSION);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage_print(stderr);
		return EXIT_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, LIBRARY_REPORT) == 0)
		return library_report();
	if (strcmp(name, "complete") == 0)
		return output_finish(complete_main(argc - 1, argv + 1));
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	const struct command *command = command_named(name);
	if (!command)
		return unknown_command(name);
	return output_finish(command->function(argc - 1, argv + 1));
}
