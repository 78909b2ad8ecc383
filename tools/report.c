/* report.c - `portshim report`: the use of each rule's set over time, as a picture or a page. */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/out_file.h"
#include "tools/report_show.h"

struct options {
	struct evidence_options evidence;
	const char *output, *from, *to, *rule;
	bool html, json, help;
	bool is_page; /* what the output is: HTML, else SVG */
};

static void usage_print(void)
{
	fputs("Usage: portshim report -o FILE [--html] [--from TIME] [--to TIME] [-r RULE] [-c FILE] [-t FILE]\n"
	      "                       [--audit FILE]... [--json]\n"
	      "       portshim report --json [--from TIME] [--to TIME] [-r RULE] [-c FILE] [-t FILE] [--audit FILE]...\n\n"
	      "Draws the use of each rule's set over time and by program, from the audit; and its use now, from the table.\n\n"
	      "  -o, --output=FILE   write it there: a picture if the name ends with .svg, a page with tables if it ends\n"
	      "                      with .html; '-' is the picture on standard output\n"
	      "      --html          write the page, also to '-'\n"
	      "      --json          print the figures as JSON on standard output\n"
	      "      --from=TIME     from this time on (without it: from the first assignment on): 2026-11-25,\n"
	      "                      '2026-11-25 10:42', 10:42, @1795581727, 'yesterday 14:00', '2 days ago'\n"
	      "      --to=TIME       up to the end of this time (without it: to the last assignment)\n"
	      "  -r, --rule=RULE     this rule only\n"
	      "  -c, --config=FILE   the policy that says which table and which audit\n"
	      "  -t, --table=FILE    the table\n"
	      "      --audit=FILE    a file of the audit; may be a pipe (without it: the policy's, and what a rotation has\n"
	      "                      left beside it); without -c and -t nothing else is looked at\n"
	      "  -h, --help          show this\n\n"
	      "Exit code: 0, 1 after a failure and where there is nothing to show, 2 for wrong usage.\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("report: %s%s; see 'portshim report --help'", words, what);
	return false;
}

static bool option_take(struct options *options, int option)
{
	switch (option) {
	case 'o': options->output = optarg; return true;
	case 'm': options->html = true; return true;
	case 'j': options->json = true; return true;
	case 'a': options->from = optarg; return true;
	case 'z': options->to = optarg; return true;
	case 'r': options->rule = optarg; return true;
	case 'c': options->evidence.config = optarg; return true;
	case 't': options->evidence.table = optarg; return true;
	case 'f': evidence_name(&options->evidence, optarg); return true;
	case 'h': options->help = true; return true;
	default: return false;
	}
}

static bool ends_with(const char *words, const char *end)
{
	size_t length = strlen(words), short_length = strlen(end);
	return length > short_length && strcmp(words + length - short_length, end) == 0;
}

/* Whether what is to be written can be told, and is one thing. */
static bool output_check(struct options *options)
{
	const char *output = options->output;
	if (!output && !options->json)
		return usage_wrong("no file to write to; name one, as in 'portshim report -o report.svg'", "");
	if (!output)
		return !options->html || usage_wrong("--html needs -o: the file to write to", "");
	bool standard = strcmp(output, "-") == 0, page = ends_with(output, ".html") || ends_with(output, ".htm");
	if (standard && options->json)
		return usage_wrong("--json and '-o -' both mean standard output: give one of them", "");
	if (options->html && ends_with(output, ".svg"))
		return usage_wrong("--html writes a page, and this is the name of a picture: ", output);
	options->is_page = options->html || page;
	return options->is_page || standard || ends_with(output, ".svg") ||
	       usage_wrong("the name must end with .svg (a picture) or .html (a page with tables): ", output);
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "output", required_argument, NULL, 'o' }, { "html", no_argument, NULL, 'm' },
		{ "json", no_argument, NULL, 'j' },         { "from", required_argument, NULL, 'a' },
		{ "to", required_argument, NULL, 'z' },     { "rule", required_argument, NULL, 'r' },
		{ "config", required_argument, NULL, 'c' }, { "table", required_argument, NULL, 't' },
		{ "audit", required_argument, NULL, 'f' },  { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .evidence.alone = true };
	opterr = 0;
	optind = 0;
	for (int option; (option = getopt_long(argc, argv, "+:o:r:c:t:h", known, NULL)) != -1;) {
		if (option == ':')
			return usage_wrong("a value is missing after ", argv[optind - 1]);
		if (!option_take(options, option))
			return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
	}
	if (options->help)
		return true;
	if (optind < argc)
		return usage_wrong("it takes no argument: ", argv[optind]);
	return output_check(options);
}

static bool query_make(struct usage_query *query, const struct options *options)
{
	struct span from = { 0, 0 }, to = { 0, 0 };
	int64_t now = when_now();
	if (options->from && !when_read(options->from, now, &from))
		return usage_wrong("no time; " WHEN_FORMS ": ", options->from);
	if (options->to && !when_read(options->to, now, &to))
		return usage_wrong("no time; " WHEN_FORMS ": ", options->to);
	if (options->from && options->to && from.from > to.to)
		return usage_wrong("--from is later than --to: ", options->from);
	*query = (struct usage_query){ .has_from = options->from, .has_to = options->to, .from = from.from, .to = to.to,
	                               .rule = options->rule };
	return true;
}

/* ---- nothing to show ------------------------------------------------------------------------------------- */

static void other_times_say(const struct usage *usage)
{
	char from[WHEN_SIZE], to[WHEN_SIZE];
	say_error("nothing to show: the audit's assignments are from %s to %s, none of the time asked for; name another with --from "
	          "and --to", when_words(usage->seen_first, from), when_words(usage->seen_last, to));
}

static int nothing_say(const struct usage *usage, const struct evidence *evidence, const char *rule)
{
	if (usage->elsewhen)
		other_times_say(usage);
	else if (rule && (evidence->entries || evidence->files))
		say_error("nothing to show: no assignment of a rule of that name in the audit or the table: %s", rule);
	else if (evidence->files)
		say_error("nothing to show: the audit has no assignment yet; programs that have the policy write it, when they are given "
		          "ports");
	else if (evidence->has_policy && evidence->policy.policy.audit_path)
		say_error("nothing to show: there is no audit yet, nor a table; programs that have the policy write it, when they are "
		          "given ports");
	else if (evidence->has_policy)
		say_error("nothing to show: the policy %s keeps no audit, and there is no table; put 'audit = PATH' into its section "
		          "[portshim], or name a file with --audit", evidence->policy.name);
	else
		say_error("nothing to show: there is no policy that says where the audit is, and no table; name it with --config, or the "
		          "audit itself with --audit");
	return EXIT_FAILURE;
}

/* ---------------------------------------------------------------------------------------------------------- */

static int panels_show(const struct panels *panels, const struct options *options)
{
	struct out_file out;
	if (options->json)
		report_json(panels, stdout);
	if (!options->output)
		return EXIT_SUCCESS;
	if (!out_begin(&out, options->output))
		return EXIT_FAILURE;
	(options->is_page ? report_html : report_svg)(panels, out.to);
	return out_finish(&out, true) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int report(const struct options *options, const struct usage_query *query, struct evidence *evidence)
{
	struct panels panels = { .n = 0 };
	struct usage *usage = memory_zeroed(1, sizeof(*usage));
	usage_begin(usage, query);
	bool whole = evidence_read(evidence, usage_hear, usage);
	usage_settle(usage);
	int code = panels_make(&panels, usage, evidence, options->rule);
	if (code == EXIT_SUCCESS && panels.n == 0)
		code = nothing_say(usage, evidence, options->rule);
	else if (code == EXIT_SUCCESS)
		code = panels_show(&panels, options);
	panels_free(&panels);
	usage_free(usage);
	free(usage);
	return code == EXIT_SUCCESS && !whole ? EXIT_FAILURE : code;
}

int report_main(int argc, char **argv)
{
	struct options options;
	struct usage_query query;
	static struct evidence evidence;
	int code = EXIT_USAGE;
	bool understood = options_read(&options, argc, argv);
	if (understood && options.help) {
		usage_print();
		code = EXIT_SUCCESS;
	} else if (understood && query_make(&query, &options)) {
		code = evidence_find(&evidence, &options.evidence);
		if (code == EXIT_SUCCESS)
			code = report(&options, &query, &evidence);
		evidence_free(&evidence);
	}
	free(options.evidence.audit);
	return code;
}
