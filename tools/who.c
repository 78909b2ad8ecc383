/* who.c - `portshim who`: who has a port now, and who had it. */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/answer.h"
#include "tools/commands.h"
#include "tools/evidence.h"
#include "tools/had.h"
#include "tools/message.h"
#include "tools/who_live.h"

#define SKEW 2    /* seconds */
#define LAST 10
#define SKEW_MAX 86400u
#define LAST_MAX 1000000u

struct options {
	struct evidence_options evidence;
	const char *ports;
	uint16_t lo, hi;
	const char *at, *to, *protocol, *skew, *last;
	bool json, help;
};

static void usage_print(void)
{
	fputs("Usage: portshim who PORT|FIRST-LAST [--at TIME] [--proto PROTOCOL] [--to DESTINATION]\n"
	      "                    [-c FILE] [-t FILE] [--audit FILE]... [-n COUNT] [--json]\n\n"
	      "Says who has a local port now, by the table and the kernel's own list; and who had it, by the audit.\n\n"
	      "      --at=TIME          who can have had it then: 2026-11-25T10:42:07Z, '2026-11-25 10:42:07', 10:42,\n"
	      "                         @1795581727, 'yesterday 14:00', '10 minutes ago'\n"
	      "      --skew=SECONDS     how far the clock that said TIME may be wrong (2)\n"
	      "  -p, --proto=PROTOCOL   tcp, udp, sctp, dccp or udplite alone\n"
	      "      --to=DESTINATION   towards this one alone: 192.0.2.7:443, 10.0.0.0/8, [2001:db8::1]:443\n"
	      "  -n, --count=COUNT      no more assignments of the audit than this (10)\n"
	      "  -c, --config=FILE      the policy that says which table and which audit\n"
	      "  -t, --table=FILE       the table\n"
	      "      --audit=FILE       a file of the audit, oldest first; may be a pipe (without it: the policy's, and\n"
	      "                         what a rotation has left beside it)\n"
	      "      --json             print JSON\n"
	      "  -h, --help             show this\n\n"
	      "Exit code: 0 if somebody was found, 1 if nobody was, 2 for wrong usage.\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("who: %s%s; see 'portshim who --help'", words, what);
	return false;
}

static bool ports_read(struct options *options)
{
	uint64_t lo, hi;
	const char *words = options->ports, *dash = strchr(words, '-');
	size_t length = dash ? (size_t)(dash - words) : strlen(words);
	if (!text_to_number(words, length, UINT16_MAX, &lo) || lo == 0)
		return false;
	hi = lo;
	if (dash && (!text_to_number(dash + 1, strlen(dash + 1), UINT16_MAX, &hi) || hi < lo))
		return false;
	options->lo = (uint16_t)lo;
	options->hi = (uint16_t)hi;
	return true;
}

static bool option_take(struct options *options, int option)
{
	switch (option) {
	case 'a': options->at = optarg; return true;
	case 's': options->skew = optarg; return true;
	case 'p': options->protocol = optarg; return true;
	case 'd': options->to = optarg; return true;
	case 'n': options->last = optarg; return true;
	case 'c': options->evidence.config = optarg; return true;
	case 't': options->evidence.table = optarg; return true;
	case 'f': evidence_name(&options->evidence, optarg); return true;
	case 'j': options->json = true; return true;
	case 'h': options->help = true; return true;
	default: return false;
	}
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "at", required_argument, NULL, 'a' },     { "skew", required_argument, NULL, 's' },
		{ "proto", required_argument, NULL, 'p' },  { "to", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'n' },  { "config", required_argument, NULL, 'c' },
		{ "table", required_argument, NULL, 't' },  { "audit", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },         { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .help = false };
	opterr = 0;
	optind = 0;
	for (int option; (option = getopt_long(argc, argv, ":p:n:c:t:h", known, NULL)) != -1;) {
		if (option == ':')
			return usage_wrong("a value is missing after ", argv[optind - 1]);
		if (!option_take(options, option))
			return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
	}
	if (options->help)
		return true;
	if (optind == argc)
		return usage_wrong("no port; name one, as in 'portshim who 20017'", "");
	options->ports = argv[optind];
	if (optind + 1 < argc)
		return usage_wrong("it takes one port, or FIRST-LAST: ", argv[optind + 1]);
	return ports_read(options) || usage_wrong("no port from 1 to 65535, nor FIRST-LAST: ", options->ports);
}

/* ---- what is asked ------------------------------------------------------------------------------------- */

static bool number_read(const char *words, uint64_t otherwise, uint64_t max, uint64_t *number)
{
	*number = otherwise;
	return !words || text_to_number(words, strlen(words), max, number);
}

static bool protocol_read(const char *words, uint8_t *protocols)
{
	for (unsigned bit = 1; bit & PROTOCOL_ANY && !*protocols; bit <<= 1)
		if (strcmp(protocol_name((uint8_t)bit), words) == 0)
			*protocols = (uint8_t)bit;
	return *protocols || usage_wrong("no such protocol: ", words);
}

static bool destination_read(const char *words, struct target *to)
{
	char buffer[300] = "";
	struct text why = TEXT_OVER(buffer);
	text_add_quoted(&why, words, strlen(words));
	text_add(&why, " ");
	return target_parse(to, words, &why) || usage_wrong("no destination: ", buffer);
}

/* Fills the query, and what the user's words for the time mean without the doubt. */
static bool query_make(struct had_query *query, struct span *at, const struct options *options)
{
	uint64_t skew, last;
	*query = (struct had_query){ .lo = options->lo, .hi = options->hi, .has_moment = options->at, .has_to = options->to };
	if (options->at && !when_read(options->at, when_now(), at))
		return usage_wrong("no time; " WHEN_FORMS ": ", options->at);
	if (!number_read(options->skew, SKEW, SKEW_MAX, &skew))
		return usage_wrong("--skew is a number of seconds up to a day, not ", options->skew);
	if (!number_read(options->last, LAST, LAST_MAX, &last))
		return usage_wrong("--count is a number up to a million, not ", options->last);
	if (options->protocol && !protocol_read(options->protocol, &query->protocols))
		return false;
	if (options->to && !destination_read(options->to, &query->to))
		return false;
	query->last = (size_t)last;
	query->moment.from = at->from - (int64_t)skew * WHEN_SECOND;
	query->moment.to = at->to + (int64_t)skew * WHEN_SECOND;
	return true;
}

/* ---------------------------------------------------------------------------------------------------- */

static int question_answer(const struct options *options, const struct had_query *query, const struct span *at,
                           struct evidence *evidence)
{
	struct live_list live;
	struct had_list had;
	struct answers answers;
	const struct evidence_options *named = &options->evidence;
	int code = live_find(&live, &evidence->table, !named->table && !named->config, query->lo, query->hi);
	if (code != EXIT_SUCCESS)
		return code;
	had_begin(&had, query);
	bool whole = evidence_read(evidence, had_hear, &had);
	had_settle(&had);
	answers_make(&answers, &live, &had, query->has_moment ? at : NULL);
	const struct asked_about about = { .ports = options->ports, .at = query->has_moment ? at : NULL, .had = &had,
	                                   .evidence = evidence };
	(options->json ? answers_json : answers_print)(&answers, &about, stdout);
	code = answers.n > 0 && whole ? EXIT_SUCCESS : EXIT_FAILURE;
	answers_free(&answers);
	had_free(&had);
	live_free(&live);
	return code;
}

int who_main(int argc, char **argv)
{
	struct options options;
	struct had_query query;
	struct span at = { 0, 0 };
	static struct evidence evidence;
	int code = EXIT_USAGE;
	bool understood = options_read(&options, argc, argv);
	if (understood && options.help) {
		usage_print();
		code = EXIT_SUCCESS;
	} else if (understood && query_make(&query, &at, &options)) {
		code = evidence_find(&evidence, &options.evidence);
		if (code == EXIT_SUCCESS)
			code = question_answer(&options, &query, &at, &evidence);
		evidence_free(&evidence);
	}
	free(options.evidence.audit);
	return code;
}
