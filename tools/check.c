/* check.c - `portshim check`: a policy's errors, and what it meets on this machine. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/check/advice.h"
#include "tools/check/sets.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/policy_file.h"
#include "tools/portmap.h"
#include "tools/reserve.h"
#include "tools/utf8.h"

struct options {
	const char *file;
	bool strict, fix, json, quiet, help;
};

static void usage_print(void)
{
	fputs("Usage: portshim check [-q] [--strict] [--fix | --json] [FILE]\n\n"
	      "Looks for errors in a policy, as the library sees them, and for what it meets on this machine: ports of other\n"
	      "programs, rules that never decide, destinations without a route. Without FILE it is the policy that the\n"
	      "library would find here. Errors, warnings and notes go to standard error, each with its line and the name of\n"
	      "the check, which portshim-check(1) explains.\n\n"
	      "      --strict        a warning is a failure\n"
	      "      --fix           print a file for sysctl.d(5) that reserves the policy's ports\n"
	      "      --json          print one JSON object, and nothing on standard error\n"
	      "  -q, --quiet         no notes, and no summary\n"
	      "  -h, --help          show this\n\n"
	      "Exit code: 0 if there is no error; 1 for a warning with --strict; 2 for an error, or wrong usage.\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("check: %s%s; see 'portshim check --help'", words, what);
	return false;
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "strict", no_argument, NULL, 's' }, { "fix", no_argument, NULL, 'f' }, { "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },  { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .help = false };
	opterr = 0;
	optind = 0; /* main() may not be the first to parse */
	for (int option; (option = getopt_long(argc, argv, ":qh", known, NULL)) != -1;) {
		switch (option) {
		case 's': options->strict = true; break;
		case 'f': options->fix = true; break;
		case 'j': options->json = true; break;
		case 'q': options->quiet = true; break;
		case 'h': options->help = true; break;
		default: return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
		}
	}
	if (options->help)
		return true;
	options->file = argv[optind];
	if (optind + 1 < argc)
		return usage_wrong("it takes one file: ", argv[optind + 1]);
	if (options->fix && options->json)
		return usage_wrong("--fix and --json exclude each other: give one of them", "");
	return true;
}

/* --- what is found ---------------------------------------------------------------------------------------- */

struct checked {
	struct policy_file loaded;
	bool valid;
	struct advices found;
	struct machine machine;
	struct lines lines;
};

/* What the reader finds, in its own words. */
static void policy_heard(void *context, enum severity severity, int line, const char *words)
{
	struct checked *checked = context;
	bool of_file = line == 0 && checked->loaded.from.found == FOUND_FILE;
	struct advice *advice = advice_add(&checked->found, severity == SEVERITY_ERROR ? ADVICE_ERROR : ADVICE_WARNING, line,
	                                   of_file ? CHECK_POLICY_FILE : CHECK_POLICY, NULL);
	advice->words = memory_words("%s", words);
}

static bool is_general(const struct lines *lines, int line)
{
	bool found = false;
	for (size_t i = 0; i < KEYS; i++)
		found |= lines->portshim[i] == line;
	return found;
}

/* The rule that a warning of the reader's is about, by the line. */
static void rules_name(struct checked *checked)
{
	const struct policy *policy = &checked->loaded.policy;
	for (size_t i = 0; i < checked->found.n; i++) {
		struct advice *advice = &checked->found.advice[i];
		const struct rule *rule = NULL;
		for (uint32_t j = 0; j < policy->rules && policy->rule[j].line <= advice->line; j++)
			rule = &policy->rule[j];
		if (rule && !is_general(&checked->lines, advice->line))
			advice->rule = memory_words("%s", rule->name);
	}
}

static void advise(struct checked *checked)
{
	const struct policy_file *loaded = &checked->loaded;
	const struct subject subject = {
		.policy = &loaded->policy, .lines = &checked->lines, .machine = &checked->machine, .found = &checked->found,
	};
	lines_read(&checked->lines, loaded->text, loaded->length);
	rules_name(checked);
	machine_ask(&checked->machine, &loaded->policy);
	check_rules(&subject);
	check_patterns(&subject);
	check_sets(&subject);
	check_taken(&subject);
	check_places(&subject);
	check_files(&subject, loaded->from.found == FOUND_FILE ? loaded->from.path : NULL);
}

static void checked_free(struct checked *checked)
{
	advice_free(&checked->found);
	machine_free(&checked->machine);
	lines_free(&checked->lines);
	if (checked->valid)
		policy_file_free(&checked->loaded);
}

/* --- for people ------------------------------------------------------------------------------------------- */

static void advice_print(const struct checked *checked, const struct options *options)
{
	static const struct {
		const char *word;
		enum paint paint;
	} kinds[] = {
		[ADVICE_ERROR] = { "error", PAINT_ERROR },
		[ADVICE_WARNING] = { "warning", PAINT_WARNING },
		[ADVICE_NOTE] = { "note", PAINT_NOTE },
	};
	for (size_t i = 0; i < checked->found.n; i++) {
		const struct advice *advice = &checked->found.advice[i];
		if (advice->kind == ADVICE_NOTE && options->quiet)
			continue;
		char *words = advice->kind == ADVICE_ERROR ? memory_words("%s", advice->words) :
		              memory_words("%s%s%s [%s]", advice->words, advice->fix ? "; " : "", advice->fix ? advice->fix : "",
		                           advice_check_word(advice->check));
		policy_file_print(checked->loaded.name, advice->line, kinds[advice->kind].word, kinds[advice->kind].paint, words);
		free(words);
	}
}

static void count_print(FILE *to, const char *before, size_t n, const char *one)
{
	if (n)
		fprintf(to, "%s%zu %s%s", before, n, one, n == 1 ? "" : "s");
	else
		fprintf(to, "%sno %s", before, one);
}

/* Ports that several rules have are counted once. */
static uint32_t ports_count(const struct policy *policy)
{
	struct portmap all = { .word = { 0 } };
	for (uint32_t i = 0; i < policy->rules; i++)
		for (uint32_t j = 0; j < policy->rule[i].ports.intervals; j++)
			portmap_add(&all, policy->rule[i].ports.interval[j].lo, policy->rule[i].ports.interval[j].hi);
	return portmap_count(&all);
}

static void summary_print(const struct checked *checked, FILE *to)
{
	const struct policy *policy = &checked->loaded.policy;
	char *name = utf8_cleaned(checked->loaded.name);
	fprintf(to, "%s: ", name);
	free(name);
	if (checked->valid) {
		count_print(to, "", policy->rules, "rule");
		count_print(to, ", ", ports_count(policy), "port");
		fputs(": ", to);
	}
	count_print(to, "", checked->found.count[ADVICE_ERROR], "error");
	count_print(to, ", ", checked->found.count[ADVICE_WARNING], "warning");
	putc('\n', to);
}

/* --- for programs ----------------------------------------------------------------------------------------- */

static void line_json(struct json *json, int line)
{
	if (line > 0)
		json_number(json, "line", (uint64_t)line);
	else
		json_words(json, "line", NULL);
}

static void kind_json(struct json *json, const struct advices *found, const char *key, enum advice_kind kind)
{
	json_open(json, key, '[');
	for (size_t i = 0; i < found->n; i++) {
		const struct advice *advice = &found->advice[i];
		if (advice->kind != kind)
			continue;
		json_open(json, NULL, '{');
		line_json(json, advice->line);
		json_words(json, "rule", advice->rule);
		json_words(json, "check", advice_check_word(advice->check));
		json_words(json, "words", advice->words);
		json_words(json, "fix", advice->fix);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static const char *action_word(enum action action)
{
	return action == ACTION_ASSIGN ? "assign" : action == ACTION_PASS ? "pass" : "deny";
}

/* How many ports each rule has here; `late` are those that TCP takes inside connect(). */
static void rules_json(struct json *json, const struct checked *checked)
{
	const struct policy *policy = &checked->loaded.policy;
	json_open(json, "rules", '[');
	for (uint32_t i = 0; checked->valid && i < policy->rules; i++) {
		const struct rule *rule = &policy->rule[i];
		struct set_figures figures;
		set_figure(&figures, rule, &checked->machine);
		json_open(json, NULL, '{');
		line_json(json, rule->line);
		json_words(json, "rule", rule->name);
		json_words(json, "action", action_word(rule->action));
		json_number(json, "ports", figures.ports);
		json_number(json, "usable", figures.usable);
		json_number(json, "late", figures.late);
		json_number(json, "early", figures.usable - figures.late);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_print(const struct checked *checked)
{
	struct json json = { .to = stdout };
	json_open(&json, NULL, '{');
	json_words(&json, "file", checked->loaded.name);
	json_bool(&json, "valid", checked->valid);
	kind_json(&json, &checked->found, "errors", ADVICE_ERROR);
	kind_json(&json, &checked->found, "warnings", ADVICE_WARNING);
	kind_json(&json, &checked->found, "notes", ADVICE_NOTE);
	rules_json(&json, checked);
	json_close(&json, '}');
}

/* ---------------------------------------------------------------------------------------------------------- */

/* False: what was to be printed cannot be, which is said. */
static bool show(const struct checked *checked, const struct options *options)
{
	bool shown = true;
	if (options->json) {
		json_print(checked);
		return true;
	}
	advice_print(checked, options);
	if (options->fix && checked->valid)
		shown = reserve_print(stdout, &checked->loaded.policy, checked->loaded.name, &checked->machine.kernel);
	if (!options->quiet)
		summary_print(checked, options->fix ? stderr : stdout);
	return shown;
}

int check_main(int argc, char **argv)
{
	struct options options;
	if (!options_read(&options, argc, argv))
		return EXIT_USAGE;
	if (options.help) {
		usage_print();
		return EXIT_SUCCESS;
	}
	struct checked *checked = memory_zeroed(1, sizeof(*checked));
	checked->valid = policy_file_hear(&checked->loaded, options.file, NULL, NULL, policy_heard, checked);
	int code = checked->valid ? EXIT_SUCCESS : EXIT_USAGE;
	if (checked->valid)
		advise(checked);
	advice_sort(&checked->found);
	bool shown = !checked->loaded.name || show(checked, &options); /* that there is no policy is said */
	if (checked->valid && (!shown || (options.strict && checked->found.count[ADVICE_WARNING])))
		code = EXIT_FAILURE;
	checked_free(checked);
	free(checked);
	return code;
}
