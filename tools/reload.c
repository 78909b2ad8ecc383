/* reload.c - `portshim reload`: running programs take up a policy that was changed, at their next call. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/table.h"
#include "tools/commands.h"
#include "tools/hearers.h"
#include "tools/json.h"
#include "tools/message.h"
#include "tools/policy_file.h"
#include "tools/utf8.h"

struct options {
	const char *config, *table;
	bool json, help;
};

static void usage_print(void)
{
	fputs("Usage: portshim reload [--json] [-c FILE] [-t FILE]\n\n"
	      "Reads the policy, and if it is in order has running programs read theirs again, each at its next call.\n"
	      "If it is not, nothing is told to anybody: the old one stays in force.\n\n"
	      "  -c, --config=FILE   the policy to read first (without it: the one in the usual places)\n"
	      "  -t, --table=FILE    tell the programs of this table alone\n"
	      "      --json          one JSON object\n"
	      "  -h, --help          show this\n\n"
	      "Exit code: 0; 1 if some could not be told, 2 for wrong usage or a policy with errors.\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("reload: %s%s; see 'portshim reload --help'", words, what);
	return false;
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' }, { "table", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },         { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .help = false };
	opterr = 0;
	optind = 0; /* main() may not be the first to parse */
	for (int option; (option = getopt_long(argc, argv, "+:c:t:h", known, NULL)) != -1;) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 't': options->table = optarg; break;
		case 'j': options->json = true; break;
		case 'h': options->help = true; break;
		case ':': return usage_wrong("a value is missing after ", argv[optind - 1]);
		default: return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
		}
	}
	return options->help || optind == argc || usage_wrong("it takes no argument: ", argv[optind]);
}

/* --- the policy ------------------------------------------------------------------------------------------------------ */

/* One that can be told of: in order, and in a file. */
static bool policy_load(struct policy_file *loaded, const char *config)
{
	if (!policy_file_load(loaded, config, NULL, NULL)) {
		if (loaded->name)
			say_error("reload: the policy %s has %u error%s, so nothing was told to anybody: the old one stays in force; "
			          "put it right and try again", loaded->name, loaded->errors, loaded->errors == 1 ? "" : "s");
		return false;
	}
	if (loaded->from.found == FOUND_FILE)
		return true;
	say_error("reload: PORTSHIM_PORTS stands for the policy here, and what a variable says never changes in a program that "
	          "runs; name the file with --config");
	policy_file_free(loaded);
	return false;
}

/* --- who is told ------------------------------------------------------------------------------------------------------ */

static const char *words_for(int error)
{
	switch (error) {
	case -EACCES: return "this user may not write to it; try as the user whose programs use it, or as root";
	case -EPERM: return "not a file of this user's, or all may write to it";
	case -EPROTO: return "not a table of this version (" TABLE_VERSION ")";
	case -EXDEV: return "the table of another network namespace; run this there (nsenter -n)";
	case -ELOOP: return "a symbolic link; name the file itself";
	case -ENOENT: return "there is no such file";
	default: return strerror(-error);
	}
}

static bool failed(const char *table, int error)
{
	if (error)
		say_error("reload: the programs of the table %s cannot be told: %s", table, words_for(error));
	return error != 0;
}

/* The table that the policy says, and then all. False where that one cannot be told. */
static bool tell_by_policy(struct hearers *hearers, const struct policy *policy)
{
	const char *named = policy->table == TABLE_PATH ? policy->table_path : NULL;
	bool good = true;
	if (policy->table == TABLE_NONE) {
		say_error("reload: the policy says 'table = none': no running process of such a policy can be told; "
		          "start the programs again");
		good = false;
	} else {
		good = !failed(named ? named : "in /dev/shm", hearers_tell_own(hearers, named));
	}
	hearers_tell_all(hearers);
	return good;
}

static bool tell(struct hearers *hearers, const struct policy *policy, const char *table)
{
	bool good = table ? !failed(table, hearers_tell_file(hearers, table)) : tell_by_policy(hearers, policy);
	hearers_count(hearers);
	return good;
}

/* --- what was done ------------------------------------------------------------------------------------------------------ */

static const char *plural(unsigned int n)
{
	return n == 1 ? "process" : "processes";
}

static void print_words(const struct hearers *hearers, const struct policy_file *loaded)
{
	char *policy = utf8_cleaned(loaded->name);
	printf("policy %s: in order, %" PRIu32 " rule%s\n", policy, loaded->policy.rules,
	       loaded->policy.rules == 1 ? "" : "s");
	for (size_t i = 0; i < hearers->tables; i++) {
		const struct told *told = &hearers->told[i];
		char *shown = utf8_cleaned(told->path);
		printf("table %s: %u %s told\n", shown, told->processes, plural(told->processes));
		free(shown);
	}
	if (hearers->strangers)
		printf("%u of them read %s, %u another policy: that which they were started with\n", hearers->readers, policy,
		       hearers->strangers);
	if (hearers->waiting)
		printf("without a table yet: %u %s, told at the first call that comes a second after the last look\n",
		       hearers->waiting, plural(hearers->waiting));
	free(policy);
}

static void print_json(const struct hearers *hearers, const struct policy_file *loaded)
{
	struct json json = { .to = stdout };
	json_open(&json, NULL, '{');
	json_words(&json, "policy", loaded->name);
	json_number(&json, "rules", loaded->policy.rules);
	json_open(&json, "tables", '[');
	for (size_t i = 0; i < hearers->tables; i++) {
		json_open(&json, NULL, '{');
		json_words(&json, "table", hearers->told[i].path);
		json_number(&json, "generation", hearers->told[i].generation);
		json_number(&json, "processes", hearers->told[i].processes);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	if (hearers->policy) {
		json_number(&json, "readers", hearers->readers);
		json_number(&json, "strangers", hearers->strangers);
	}
	json_number(&json, "waiting", hearers->waiting);
	json_number(&json, "untold", hearers->untold);
	json_close(&json, '}');
}

int reload_main(int argc, char **argv)
{
	struct options options;
	struct policy_file loaded;
	struct stat about;
	struct hearers hearers = { .told = NULL };
	if (!options_read(&options, argc, argv))
		return EXIT_USAGE;
	if (options.help) {
		usage_print();
		return EXIT_SUCCESS;
	}
	if (!policy_load(&loaded, options.config))
		return EXIT_USAGE;
	if (options.config && stat(options.config, &about) == 0)
		hearers.policy = &about;
	bool good = tell(&hearers, &loaded.policy, options.table);
	(options.json ? print_json : print_words)(&hearers, &loaded);
	if (hearers.untold) {
		say_error("reload: %u %s could not be told: of another user, of an older library, or in a place that cannot be "
		          "entered; try as root, or start the programs again", hearers.untold, plural(hearers.untold));
		good = false;
	}
	hearers_free(&hearers);
	policy_file_free(&loaded);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
