/* run.c - `portshim run`: checks the policy, proves that the library loads, and becomes the program.
 *
 * Everything that would make the policy silently ineffective is found before the program starts: a broken
 * policy, a library that the loader does not take, a program that loads none. What cannot be mended ends
 * with exit code 125; a program that cannot be reached is started all the same, after a warning. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/keys.h"
#include "tools/commands.h"
#include "tools/library.h"
#include "tools/message.h"
#include "tools/policy_file.h"
#include "tools/prune.h"
#include "tools/reach.h"

/* As env(1): what tells a failure of ours from the program's own exit code. */
enum { RUN_FAILED = 125, RUN_NOT_EXECUTABLE = 126, RUN_NOT_FOUND = 127 };

struct options {
	const char *config, *ports, *log;
	char **command;
	bool help;
};

static void usage_print(void)
{
	fputs("Usage: portshim run [-c FILE | -p PORTS] [--log=LEVEL] [--] COMMAND [ARGUMENT...]\n\n"
	      "Starts COMMAND with its local ports chosen by a policy.\n\n"
	      "  -c, --config=FILE   the policy file (without -c and -p: the usual places, see portshim.conf(5))\n"
	      "  -p, --ports=PORTS   a policy of one rule: these ports, for example 20000-20099,!20050\n"
	      "      --log=LEVEL     none, error, warning, info or debug\n"
	      "  -h, --help          show this\n\n"
	      "Exit code: 125 if portshim fails, 126 if COMMAND cannot be executed, 127 if it is not found,\n"
	      "else that of COMMAND.\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("run: %s%s; see 'portshim run --help'", words, what);
	return false;
}

static bool is_log_level(const char *name)
{
	for (const struct word *word = keys_find(SECTION_PORTSHIM, "log", 3)->words; word->name; word++)
		if (strcmp(word->name, name) == 0)
			return true;
	return false;
}

static bool options_check(const struct options *options)
{
	if (options->help)
		return true;
	if (options->config && options->ports)
		return usage_wrong("--config and --ports exclude each other: give one of them", "");
	if (options->log && !is_log_level(options->log))
		return usage_wrong("--log must be none, error, warning, info or debug, not ", options->log);
	if (!options->command[0])
		return usage_wrong("no command to start", "");
	return true;
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' }, { "ports", required_argument, NULL, 'p' },
		{ "log", required_argument, NULL, 'l' },    { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .help = false };
	opterr = 0;
	optind = 0; /* main() may not be the first to parse */
	for (int option; (option = getopt_long(argc, argv, "+:c:p:h", known, NULL)) != -1;) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 'p': options->ports = optarg; break;
		case 'l': options->log = optarg; break;
		case 'h': options->help = true; break;
		case ':': return usage_wrong("a value is missing after ", argv[optind - 1]);
		default: return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
		}
	}
	options->command = argv + optind;
	return options_check(options);
}

/* Sets a variable, or takes it away (NULL). */
static bool variable_set(const char *name, const char *value)
{
	if ((value ? setenv(name, value, 1) : unsetenv(name)) == 0)
		return true;
	say_error("the environment cannot be prepared: %s: %m", name);
	return false;
}

/* Makes the library find the policy that was checked, wherever the program goes. What the library would find
 * by itself stays as it is, but for a path relative to this folder. */
static bool policy_export(const struct policy_file *loaded, const struct options *options)
{
	char path[PATH_MAX];
	if (options->ports)
		return variable_set("PORTSHIM_PORTS", options->ports) && variable_set("PORTSHIM_CONF", NULL);
	if (loaded->from.found != FOUND_FILE || (!options->config && loaded->from.path[0] == '/'))
		return true;
	if (!realpath(loaded->from.path, path)) {
		say_error("%s: %m", loaded->from.path);
		return false;
	}
	return variable_set("PORTSHIM_CONF", path) && variable_set("PORTSHIM_PORTS", NULL);
}

/* Checks the policy and puts it into the environment. */
static bool policy_prepare(const struct options *options)
{
	struct policy_file loaded;
	if (!policy_file_load(&loaded, options->config, options->ports)) {
		if (loaded.name)
			say_error("%s was not started: %u error%s in the policy %s; put it right and start again",
			          options->command[0], loaded.errors, loaded.errors == 1 ? "" : "s", loaded.name);
		return false;
	}
	bool exported = policy_export(&loaded, options);
	policy_file_free(&loaded);
	return exported;
}

/* Variables that are set already and would make the library do less than its user thinks. */
static bool variables_prepare(const struct options *options)
{
	const char *disable = getenv("PORTSHIM_DISABLE"), *log = getenv("PORTSHIM_LOG");
	if (disable && strcmp(disable, "1") == 0)
		say_warning("PORTSHIM_DISABLE=1 is set: the library will do nothing; unset it to have the policy");
	if (options->log)
		return variable_set("PORTSHIM_LOG", options->log);
	if (log && !is_log_level(log))
		say_warning("PORTSHIM_LOG=%s is not a level: write none, error, warning, info or debug", log);
	return true;
}

static int start_failed(const struct reach *reach, const char *command, int error)
{
	const char *needed = reach->interpreter[0] ? reach->interpreter : reach->loader;
	if (reach->verdict == REACH_NO_INTERPRETER)
		say_error("%s cannot be executed: it needs %s: %s", reach->path, needed, strerror(error));
	else if (reach->path[0] == '\0' && error == ENOENT && !strchr(command, '/'))
		say_error("%s is not found; look at PATH, or write it with its folder", command);
	else
		say_error("%s cannot be executed: %s", reach->path[0] ? reach->path : command, strerror(error));
	return error == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE;
}

/* Becomes the program; returns only if that fails. */
static int start(const struct reach *reach, char **command)
{
	char words[3 * PATH_MAX];
	reach_words(reach, words, sizeof(words));
	if (reach_is_privileged(reach) && library_is_everywhere())
		say_warning("%s runs with privileges that its user lacks: there only /etc/portshim.conf counts, not what "
		            "'portshim run' was told", reach->path);
	else if (words[0] != '\0')
		say_warning("%s", words);
	if (reach->binary)
		execv(reach->path, command); /* execvp(3) has a shell read what the kernel does not know */
	else
		execvp(command[0], command);
	return start_failed(reach, command[0], errno);
}

int run_main(int argc, char **argv)
{
	struct options options;
	struct library library = { .path = "" };
	struct reach reach;
	if (!options_read(&options, argc, argv))
		return RUN_FAILED;
	if (options.help) {
		usage_print();
		return EXIT_SUCCESS;
	}
	if (!policy_prepare(&options) || !library_find(&library))
		return RUN_FAILED;
	reach_find(&reach, options.command[0]);
	bool other_word = reach_extend(&reach, &library);
	if (reach.verdict == REACH_NOT_FOUND || reach.verdict == REACH_NOT_EXECUTABLE)
		return start_failed(&reach, options.command[0], reach.error);
	if (!variables_prepare(&options) || !library_preload(&library) || !library_prove(&library))
		return RUN_FAILED;
	if (other_word && !library_prove_other(&library, reach.loader))
		return RUN_FAILED;
	prune_tables();
	return start(&reach, options.command);
}
