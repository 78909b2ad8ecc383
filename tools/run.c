/* run.c - `portshim run`: checks the policy, decides how the program is reached, and becomes or supervises it.
 *
 * Two ways in. The library is preloaded into what the dynamic loader starts: its proof is that it loads. What takes no
 * library is supervised from outside (tools/supervise). Everything that would make the policy silently ineffective is
 * found before the program starts; what cannot be mended ends with exit code 125. A program that neither way reaches is
 * started all the same, after a warning, unless the way was asked for. */
#define _GNU_SOURCE /* environ */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/keys.h"
#include "tools/commands.h"
#include "tools/concern.h"
#include "tools/library.h"
#include "tools/message.h"
#include "tools/policy_file.h"
#include "tools/prune.h"
#include "tools/reach.h"
#include "tools/supervise/filter.h"
#include "tools/supervise/supervise.h"

/* As env(1): what tells a failure of ours from the program's own exit code. */
enum { RUN_FAILED = 125, RUN_NOT_EXECUTABLE = 126, RUN_NOT_FOUND = 127 };

enum mode { MODE_AUTO, MODE_PRELOAD, MODE_SUPERVISE };
const char *const run_modes[] = { "auto", "preload", "supervise", NULL };

struct options {
	const char *config, *ports, *log;
	enum mode mode;
	char **command;
	bool help;
};

enum way { WAY_NONE, WAY_PRELOAD, WAY_SUPERVISE };

/* What is to be started, and how. */
struct start {
	struct reach reach;
	char **command;
	char **environment;
	enum way way;
	int hindrance; /* why it is not, though the library does not reach it: 0 or -errno */
};

static void usage_print(void)
{
	fputs("Usage: portshim run [-c FILE | -p PORTS] [--mode=MODE] [--log=LEVEL] [--] COMMAND [ARGUMENT...]\n\n"
	      "Starts COMMAND with its local ports chosen by a policy.\n\n"
	      "  -c, --config=FILE   the policy file (without -c and -p: the usual places, see portshim.conf(5))\n"
	      "  -p, --ports=PORTS   a policy of one rule: these ports, for example 20000-20099,!20050\n"
	      "      --mode=MODE     preload: by the library; supervise: from outside, for what no library reaches\n"
	      "                      (static and Go programs, calls inside libc), and all that it starts;\n"
	      "                      auto (default): preload where the program takes a library, else supervise\n"
	      "  -s, --supervise     the same as --mode=supervise\n"
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

static bool mode_read(enum mode *mode, const char *name)
{
	for (int i = 0; run_modes[i]; i++) {
		if (strcmp(run_modes[i], name) != 0)
			continue;
		*mode = (enum mode)i;
		return true;
	}
	return usage_wrong("--mode must be auto, preload or supervise, not ", name);
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' }, { "ports", required_argument, NULL, 'p' },
		{ "log", required_argument, NULL, 'l' },    { "help", no_argument, NULL, 'h' },
		{ "mode", required_argument, NULL, 'm' },   { "supervise", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .help = false };
	opterr = 0;
	optind = 0; /* main() may not be the first to parse */
	for (int option; (option = getopt_long(argc, argv, "+:c:p:hs", known, NULL)) != -1;) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 'p': options->ports = optarg; break;
		case 'l': options->log = optarg; break;
		case 'h': options->help = true; break;
		case 's': options->mode = MODE_SUPERVISE; break;
		case 'm':
			if (!mode_read(&options->mode, optarg))
				return false;
			break;
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

static bool is_info(const char *log, enum log_level level)
{
	return log && is_log_level(log) ? strcmp(log, "info") == 0 || strcmp(log, "debug") == 0 : level >= LOG_LEVEL_INFO;
}

/* What the program starts may be another's; so this is told to those who ask for it, and is no warning. */
static void say_no_concern(const struct policy_file *loaded, const struct options *options)
{
	static struct subject subject;
	struct concern concern = { .rules = NULL };
	if (patient_of_command(&subject.patient, options->command) && subject.patient.reach.path[0] && subject_identify(&subject) &&
	    concern_find(&concern, &subject, &loaded->policy) && concern.why_not)
		say_info("no rule of %s concerns %s itself (%s); 'portshim explain' has every reason", loaded->name,
		         subject.patient.shown, concern.why_not);
	concern_free(&concern);
	subject_free(&subject);
}

/* Checks the policy and puts it into the environment. */
static bool policy_prepare(struct policy_file *loaded, const struct options *options)
{
	const struct reader reader = reader_here();
	if (!policy_file_load(loaded, options->config, options->ports, &reader)) {
		if (loaded->name)
			say_error("%s was not started: %u error%s in the policy %s; put it right and start again",
			          options->command[0], loaded->errors, loaded->errors == 1 ? "" : "s", loaded->name);
		return false;
	}
	if (loaded->policy.rules == 0 && loaded->policy.log >= LOG_LEVEL_ERROR)
		say_warning("%s has no rule: the ports of %s are the kernel's choice", loaded->name, options->command[0]);
	return policy_export(loaded, options);
}

static bool is_switched_off(void)
{
	const char *disable = getenv("PORTSHIM_DISABLE");
	return disable && strcmp(disable, "1") == 0;
}

/* Variables that are set already and would make the library do less than its user thinks. */
static bool variables_prepare(const struct options *options)
{
	const char *log = getenv("PORTSHIM_LOG");
	if (is_switched_off())
		say_warning("PORTSHIM_DISABLE=1 is set: portshim will do nothing; unset it to have the policy");
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

/* --- which way in ----------------------------------------------------------------------------------------- */

static void say_way(const struct start *start, enum log_level level)
{
	static const char *const words[] = {
		[WAY_NONE] = "it is started as it is",
		[WAY_PRELOAD] = "the library is preloaded",
		[WAY_SUPERVISE] = "it is supervised",
	};
	const char *reason = reach_reason(&start->reach);
	if (is_info(getenv("PORTSHIM_LOG"), level) && !start->hindrance) /* that is told by a warning */
		say_info("%s%s%s: %s", start->reach.path, reason[0] ? " " : "", reason, words[start->way]);
}

/* Whether it may be supervised; false with the reason said. */
static bool supervise_check(const struct reach *reach)
{
	int error = supervise_possible();
	if (error)
		say_error("%s was not started: %s", reach->path, filter_words(error));
	else if (reach_is_privileged(reach) && supervise_takes_privileges())
		say_error("%s was not started: it %s, and under a supervisor it would lose that privilege (no_new_privs); "
		          "start portshim as root, or use --mode=preload", reach->path, reach_reason(reach));
	else
		return true;
	return false;
}

/* Decides, before anything is started. False with the reason said. */
static bool way_find(struct start *start, const struct options *options, enum log_level level)
{
	start->way = WAY_PRELOAD; /* of a library that does nothing if it is switched off */
	if (options->mode == MODE_SUPERVISE) {
		start->way = is_switched_off() ? WAY_NONE : WAY_SUPERVISE;
		if (start->way == WAY_SUPERVISE && !supervise_check(&start->reach))
			return false;
	} else if (options->mode == MODE_AUTO && !is_switched_off() && reach_is_for_supervisor(&start->reach)) {
		start->hindrance = supervise_possible();
		start->way = start->hindrance ? WAY_PRELOAD : WAY_SUPERVISE;
	}
	say_way(start, level);
	return true;
}

/* --- starting ------------------------------------------------------------------------------------------------ */

static void warn_of_reach(const struct start *start)
{
	const struct reach *reach = &start->reach;
	char words[3 * PATH_MAX];
	reach_words(reach, words, sizeof(words));
	if (start->hindrance)
		say_warning("%s %s: the library does not reach it, and it cannot be supervised: %s", reach->path,
		            reach_reason(reach), filter_words(start->hindrance));
	else if (reach_is_privileged(reach) && library_is_everywhere())
		say_warning("%s runs with privileges that its user lacks: there only /etc/portshim.conf counts, not what "
		            "'portshim run' was told", reach->path);
	else if (words[0] != '\0')
		say_warning("%s", words);
}

/* Becomes the program; returns, with an exit code, only if that fails. */
static int become(void *context)
{
	const struct start *start = context;
	char **ours = environ;
	environ = start->environment;
	if (start->reach.binary)
		execv(start->reach.path, start->command); /* execvp(3) has a shell read what the kernel does not know */
	else
		execvp(start->command[0], start->command);
	environ = ours;
	return start_failed(&start->reach, start->command[0], errno);
}

static int preload(struct start *start, const struct library *library, bool other_word)
{
	if (!library_preload(library) || !library_prove(library))
		return RUN_FAILED;
	if (other_word && !library_prove_other(library, start->reach.loader))
		return RUN_FAILED;
	warn_of_reach(start);
	start->environment = environ;
	return become(start);
}

/* The environment as we were given it: under a supervisor nothing in it is ours. NULL when memory is out. */
static char **environment_given(void)
{
	size_t n = 0;
	while (environ[n])
		n++;
	char **given = calloc(n + 1, sizeof(*given));
	if (given)
		memcpy(given, environ, n * sizeof(*given));
	return given;
}

static int run(int argc, char **argv, char **given)
{
	struct options options;
	struct library library = { .path = "" };
	struct start start = { .environment = given };
	struct policy_file loaded;
	if (!options_read(&options, argc, argv))
		return RUN_FAILED;
	if (options.help) {
		usage_print();
		return EXIT_SUCCESS;
	}
	if (!policy_prepare(&loaded, &options) || (options.mode != MODE_SUPERVISE && !library_find(&library)))
		return RUN_FAILED;
	start.command = options.command;
	reach_find(&start.reach, options.command[0]);
	bool other_word = reach_extend(&start.reach, &library);
	if (start.reach.verdict == REACH_NOT_FOUND || start.reach.verdict == REACH_NOT_EXECUTABLE)
		return start_failed(&start.reach, options.command[0], start.reach.error);
	if (!variables_prepare(&options) || !way_find(&start, &options, loaded.policy.log))
		return RUN_FAILED;
	if (is_info(getenv("PORTSHIM_LOG"), loaded.policy.log))
		say_no_concern(&loaded, &options);
	policy_file_free(&loaded);
	prune_tables();
	switch (start.way) {
	case WAY_SUPERVISE:
		return supervise_run(become, &start);
	case WAY_PRELOAD:
		return preload(&start, &library, other_word);
	case WAY_NONE:
		break;
	}
	return become(&start);
}

int run_main(int argc, char **argv)
{
	char **given = environment_given();
	int code = given ? run(argc, argv, given) : RUN_FAILED;
	free(given);
	return code;
}
