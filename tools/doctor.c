/* doctor.c - `portshim doctor`: whether a program is or would be under portshim, if not why, and what to do. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"
#include "tools/commands.h"
#include "tools/concern.h"
#include "tools/json.h"
#include "tools/library.h"
#include "tools/message.h"
#include "tools/paint.h"
#include "tools/policy_file.h"
#include "tools/supervise/supervise.h"
#include "tools/utf8.h"

struct options {
	const char *config;
	char **command;
	bool json, help;
};

static void usage_print(void)
{
	fputs("Usage: portshim doctor [-c FILE] [--json] PID\n"
	      "       portshim doctor [-c FILE] [--json] [--] COMMAND [ARGUMENT...]\n\n"
	      "Says whether a process is, or a command would be, under portshim; if not, why, and what to do.\n"
	      "Nothing is started but a test of the library.\n\n"
	      "  -c, --config=FILE   the policy (without it: the one that the program's environment names)\n"
	      "      --json          one JSON object\n"
	      "  -h, --help          show this\n\n"
	      "Exit code: 0 if it is or would be, 1 if not, 2 for wrong usage.\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("doctor: %s%s; see 'portshim doctor --help'", words, what);
	return false;
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .help = false };
	opterr = 0;
	optind = 0;
	for (int option; (option = getopt_long(argc, argv, "+:c:h", known, NULL)) != -1;) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 'j': options->json = true; break;
		case 'h': options->help = true; break;
		case ':': return usage_wrong("a value is missing after ", argv[optind - 1]);
		default: return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
		}
	}
	options->command = argv + optind;
	return options->help || options->command[0] || usage_wrong("no process and no command", "");
}

/* --- what is found ---------------------------------------------------------------------------------- */

#define CHECKS_MAX 8

struct check {
	const char *name;
	bool good;
	char words[3 * PATH_MAX];
};

struct checks {
	struct check check[CHECKS_MAX];
	size_t n;
};

static struct check *check_new(struct checks *findings, const char *name, bool good)
{
	if (findings->n == CHECKS_MAX)
		abort(); /* there are fewer */
	struct check *check = &findings->check[findings->n++];
	check->name = name;
	check->good = good;
	return check;
}

#define note(findings, name, good, ...) do {                                            \
	struct check *check_ = check_new(findings, name, good);                         \
	snprintf(check_->words, sizeof(check_->words), __VA_ARGS__);                    \
	utf8_clean(check_->words);                                                      \
} while (0)

static bool all_good(const struct checks *findings)
{
	for (size_t i = 0; i < findings->n; i++)
		if (!findings->check[i].good)
			return false;
	return true;
}

/* --- the program and the library in it ----------------------------------------------------------------- */

static void examine_program(struct checks *findings, const struct patient *patient)
{
	const struct reach *reach = &patient->reach;
	char words[3 * PATH_MAX];
	reach_words(reach, words, sizeof(words));
	if (patient->facts.secure && (patient->pid ? patient->loaded : library_is_everywhere()))
		note(findings, "program", true, "%s runs with privileges that its user lacks, and /etc/ld.so.preload preloads "
		     "into it all the same", reach->path[0] ? reach->path : patient->shown);
	else if (patient->facts.secure && patient->pid)
		note(findings, "program", false, "runs with privileges that its user lacks: the loader preloads nothing "
		     "into it; start portshim as the user that it becomes");
	else if (words[0] != '\0')
		note(findings, "program", false, "%s", words);
	else if (reach->verdict != REACH_YES)
		note(findings, "program", false, "%s cannot be executed: %s", reach->path[0] ? reach->path : patient->shown,
		     strerror(reach->error));
	else
		note(findings, "program", true, "%s: the loader preloads into it, and its calls go through libc",
		     reach->interpreter[0] ? reach->interpreter : reach->path);
}

static void examine_loaded(struct checks *findings, const struct patient *patient)
{
	const char *list = facts_variable_in(&patient->facts, "LD_PRELOAD");
	if (patient->loaded)
		note(findings, "library", true, "libportshim.so is in the process");
	else if (list && strstr(list, "libportshim.so"))
		note(findings, "library", false, "LD_PRELOAD names libportshim.so, and the loader did not take it (%s); "
		     "see what 'portshim run' says when it starts the program", list);
	else
		note(findings, "library", false, "libportshim.so is not in the process; start it with 'portshim run', or "
		     "with LD_PRELOAD in its environment (for a service: in its unit)");
}

/* The reasons of library_find() and library_prove() are said by them. `loader`: that of a program of the other word size. */
static void examine_library(struct checks *findings, const struct library *library, const char *loader)
{
	bool good = library && library_preload(library) && library_prove(library) &&
	            (!loader || library_prove_other(library, loader));
	if (good)
		note(findings, "library", true, "%.*s loads", PATH_MAX, loader ? library->other : library->path);
	else
		note(findings, "library", false, "cannot be preloaded, see above");
}

/* Of one that needs no library. */
static bool examine_supervised(struct checks *findings, const struct patient *patient)
{
	const struct reach *reach = &patient->reach;
	const char *program = reach->interpreter[0] ? reach->interpreter : reach->path;
	bool would_be = !patient->pid && reach_is_for_supervisor(reach) && supervise_possible() == 0;
	if (patient->supervisor)
		note(findings, "program", true, "supervised by portshim, process %u", patient->supervisor);
	else if (would_be && library_is_everywhere())
		note(findings, "program", false, "%s %s: /etc/ld.so.preload does not reach it; start it with portshim run, which "
		     "supervises it", program, reach_reason(reach));
	else if (would_be)
		note(findings, "program", true, "%s %s: portshim run supervises it", program, reach_reason(reach));
	return patient->supervisor || would_be;
}

/* The program, and the library that is or would be in it. */
static void examine_both(struct checks *findings, struct patient *patient)
{
	struct library library = { .path = "" };
	bool other = patient->reach.verdict == REACH_OTHER_WORD;
	bool found = (other || !patient->pid) && library_find(&library);
	if (other && patient->loaded)
		patient->reach.verdict = REACH_YES;
	else
		other = found && reach_extend(&patient->reach, &library);
	if (examine_supervised(findings, patient))
		return;
	examine_program(findings, patient);
	if (patient->pid)
		examine_loaded(findings, patient);
	else
		examine_library(findings, found ? &library : NULL, other ? patient->reach.loader : NULL);
}

static void examine_variables(struct checks *findings, const struct patient *patient)
{
	const char *disable = facts_variable_in(&patient->facts, "PORTSHIM_DISABLE");
	if (disable && strcmp(disable, "1") == 0)
		note(findings, "switch", false, "PORTSHIM_DISABLE=1 is in its environment: the library does nothing; start "
		     "the program without it");
}

/* --- the policy ------------------------------------------------------------------------------------------ */

static void examine_rules(struct checks *findings, const struct subject *subject, const struct policy *policy)
{
	struct concern concern;
	if (!concern_find(&concern, subject, policy))
		note(findings, "rule", false, "memory is out");
	else if (concern.rules)
		note(findings, "rule", true, "%s: can decide its calls", concern.rules);
	else if (concern.why_not)
		note(findings, "rule", false, "none of %u concerns it: %s; 'portshim explain' has the others, and every reason",
		     policy->rules, concern.why_not);
	else
		note(findings, "rule", false, "the policy has none; portshim.conf(5) says how to write one");
	concern_free(&concern);
}

/* The policy that the library would find there. False if there is none. */
static bool find_policy(struct checks *findings, const struct patient *patient, struct location *location)
{
	patient_policy(patient, location);
	if (location->found != FOUND_NOTHING)
		return true;
	note(findings, "policy", false, "none: its environment has neither PORTSHIM_CONF nor PORTSHIM_PORTS, and there is "
	     "none in the usual places; name one with PORTSHIM_CONF, or write /etc/portshim.conf");
	return false;
}

static void examine_policy(struct checks *findings, const struct subject *subject, const char *config)
{
	const struct patient *patient = &subject->patient;
	const struct reader reader = subject_reader(subject);
	struct location location = { .found = FOUND_FILE };
	struct policy_file loaded;
	if (!config && patient->supervisor) {
		note(findings, "policy", true, "that of its supervisor");
		return;
	}
	if (!config && !find_policy(findings, patient, &location))
		return;
	if (!config && location.found == FOUND_FILE)
		config = location.path;
	if (!policy_file_load(&loaded, config, config ? NULL : location.ports, &reader)) {
		note(findings, "policy", false, "%s has errors, see above; until they are mended all calls pass",
		     config ? config : "PORTSHIM_PORTS");
		return;
	}
	note(findings, "policy", true, "%s", config ? config : "PORTSHIM_PORTS");
	examine_rules(findings, subject, &loaded.policy);
	policy_file_free(&loaded);
}

/* --- told ------------------------------------------------------------------------------------------------- */

static void print_words(const struct checks *findings, const struct patient *patient)
{
	printf("%s\n", patient->shown);
	for (size_t i = 0; i < findings->n; i++) {
		const struct check *check = &findings->check[i];
		printf("  %s%-3s%s %-8s %s\n", paint_begin(stdout, check->good ? PAINT_GOOD : PAINT_ERROR),
		       check->good ? "ok" : "NO", paint_end(stdout), check->name, check->words);
	}
	if (all_good(findings))
		puts(patient->pid ? "under portshim" : library_is_everywhere() ?
		     "would be under portshim: /etc/ld.so.preload names the library" :
		     "would be under portshim: start it with portshim run");
	else
		puts(patient->pid ? "not under portshim" : "would not be under portshim");
}

static void print_json(const struct checks *findings, const struct patient *patient)
{
	struct json json = { .to = stdout };
	json_open(&json, NULL, '{');
	json_words(&json, "name", patient->shown);
	if (patient->pid)
		json_number(&json, "pid", patient->pid);
	json_bool(&json, "under", all_good(findings));
	json_open(&json, "checks", '[');
	for (size_t i = 0; i < findings->n; i++) {
		json_open(&json, NULL, '{');
		json_words(&json, "check", findings->check[i].name);
		json_bool(&json, "ok", findings->check[i].good);
		json_words(&json, "words", findings->check[i].words);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

/* A word of digits alone is a process. 0: it is a command. */
static uint32_t pid_of(const struct options *options)
{
	uint64_t pid = 0;
	if (options->command[1] ||
	    !text_to_number(options->command[0], strlen(options->command[0]), INT32_MAX, &pid))
		return 0;
	return (uint32_t)pid;
}

static bool meet(struct subject *subject, const struct options *options)
{
	struct patient *patient = &subject->patient;
	uint32_t pid = pid_of(options);
	int error = pid ? patient_of_process(patient, pid) : patient_of_command(patient, options->command) ? 0 : -ENOMEM;
	if (!error && !subject_identify(subject))
		error = -ESRCH;
	if (error == -ENOENT || error == -ESRCH)
		say_error("there is no process %u; for a command of that name, write its path", pid);
	else if (error && !pid)
		say_error("memory is out");
	else if (error)
		say_error("process %u cannot be looked at: %s; try as its user or as root", pid, strerror(-error));
	return !error;
}

int doctor_main(int argc, char **argv)
{
	struct options options;
	static struct subject subject;
	static struct checks findings;
	if (!options_read(&options, argc, argv))
		return EXIT_USAGE;
	if (options.help) {
		usage_print();
		return EXIT_SUCCESS;
	}
	if (!meet(&subject, &options))
		return EXIT_FAILURE;
	examine_both(&findings, &subject.patient);
	examine_variables(&findings, &subject.patient);
	examine_policy(&findings, &subject, options.config);
	(options.json ? print_json : print_words)(&findings, &subject.patient);
	bool good = all_good(&findings);
	subject_free(&subject);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
