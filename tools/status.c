/* status.c - `portshim status`: who has which port, and how full each rule's set is. */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/columns.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/prune.h"
#include "tools/screen.h"
#include "tools/snapshot.h"
#include "tools/table_file.h"
#include "tools/utf8.h"

struct options {
	const char *config, *table, *rule;
	bool json, prune, help;
};

static void usage_print(void)
{
	fputs("Usage: portshim status [--json] [-t FILE | -c FILE] [-r RULE]\n"
	      "       portshim status --prune\n\n"
	      "Shows who has which port, by the table of the programs under portshim and the kernel's own list.\n\n"
	      "  -t, --table=FILE    the table (without -t and -c: the one of this user and network namespace,\n"
	      "                      or the one that the policy in the usual places says)\n"
	      "  -c, --config=FILE   the table that this policy says\n"
	      "  -r, --rule=RULE     this rule only\n"
	      "      --json          print JSON\n"
	      "      --prune         remove the tables that no process has (root: of all users), and name them\n"
	      "  -h, --help          show this\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("status: %s%s; see 'portshim status --help'", words, what);
	return false;
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' }, { "table", required_argument, NULL, 't' },
		{ "rule", required_argument, NULL, 'r' },   { "json", no_argument, NULL, 'j' },
		{ "prune", no_argument, NULL, 'p' },        { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .help = false };
	opterr = 0;
	optind = 0; /* main() may not be the first to parse */
	for (int option; (option = getopt_long(argc, argv, "+:c:t:r:h", known, NULL)) != -1;) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 't': options->table = optarg; break;
		case 'r': options->rule = optarg; break;
		case 'j': options->json = true; break;
		case 'p': options->prune = true; break;
		case 'h': options->help = true; break;
		case ':': return usage_wrong("a value is missing after ", argv[optind - 1]);
		default: return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
		}
	}
	if (options->help)
		return true;
	if (optind < argc)
		return usage_wrong("it takes no argument: ", argv[optind]);
	if (options->config && options->table)
		return usage_wrong("--config and --table exclude each other: give one of them", "");
	if (options->prune && (options->config || options->table || options->rule || options->json))
		return usage_wrong("--prune goes with no other option", "");
	return true;
}

/* ---- words ----------------------------------------------------------------------------------------- */

#define ENDPOINT_SIZE 64

/* "20000", or "192.0.2.1:20000" where it is bound to an address. */
static const char *local_words(const struct row *row, char buffer[ENDPOINT_SIZE])
{
	struct text text = { .at = buffer, .size = ENDPOINT_SIZE };
	if (address_is_one(&row->local.addr)) {
		text_add_addr(&text, &row->local.addr, true);
		text_add(&text, ":");
	}
	text_add_number(&text, row->local.port);
	return buffer;
}

/* NULL: it has none. */
static const char *destination_words(const struct row *row, char buffer[ENDPOINT_SIZE])
{
	struct text text = { .at = buffer, .size = ENDPOINT_SIZE };
	if (!row->to.addr.family)
		return NULL;
	text_add_addr(&text, &row->to.addr, true);
	text_add(&text, ":");
	text_add_number(&text, row->to.port);
	return buffer;
}

static const char *address_words(const struct row *row, char buffer[ENDPOINT_SIZE])
{
	struct text text = { .at = buffer, .size = ENDPOINT_SIZE };
	if (!address_is_one(&row->local.addr))
		return NULL;
	text_add_addr(&text, &row->local.addr, false);
	return buffer;
}

static const char *socket_words(const struct row *row)
{
	return row->socket ? sockets_state(row->protocol, row->socket) : NULL;
}

static const char *rule_words(const struct snapshot *snapshot, const struct row *row)
{
	return row->rule == NO_RULE ? NULL : snapshot->rule[row->rule].name;
}

static const char *or_dash(const char *words)
{
	return words && *words ? words : "-";
}

/* ---- for people ------------------------------------------------------------------------------------ */

static void add_since(struct columns *columns, const struct row *row)
{
	const uint64_t minute = 60, hour = 60 * minute, day = 24 * hour, seconds = row->since_ms / 1000;
	if (!row->since_known)
		columns_add(columns, "-");
	else if (seconds < minute)
		columns_add(columns, "%" PRIu64 "s", seconds);
	else if (seconds < hour)
		columns_add(columns, "%" PRIu64 "m", seconds / minute);
	else if (seconds < 2 * day)
		columns_add(columns, "%" PRIu64 "h", seconds / hour);
	else
		columns_add(columns, "%" PRIu64 "d", seconds / day);
}

static void rows_print(const struct snapshot *snapshot, FILE *to)
{
	static const struct column column[] = {
		{ "RULE", COLUMN_LEFT },  { "PROTO", COLUMN_LEFT },  { "LOCAL", COLUMN_LEFT },
		{ "DESTINATION", COLUMN_LEFT }, { "STATE", COLUMN_LEFT }, { "SOCKET", COLUMN_LEFT },
		{ "PID", COLUMN_RIGHT }, { "PROGRAM", COLUMN_LEFT }, { "SINCE", COLUMN_RIGHT },
	};
	struct columns columns = COLUMNS_OF(column);
	char buffer[ENDPOINT_SIZE];
	for (size_t i = 0; i < snapshot->rows; i++) {
		const struct row *row = &snapshot->row[i];
		columns_add(&columns, "%s", or_dash(rule_words(snapshot, row)));
		columns_add(&columns, "%s", protocol_name(row->protocol));
		columns_add(&columns, "%s", local_words(row, buffer));
		const char *destination = destination_words(row, buffer);
		columns_add(&columns, "%s", destination ? destination : "*");
		columns_add(&columns, "%s", row_state_name(row->state));
		columns_add(&columns, "%s", or_dash(socket_words(row)));
		if (row->pid)
			columns_add(&columns, "%" PRIu32, row->pid);
		else
			columns_add(&columns, "-");
		columns_add(&columns, "%s", or_dash(row->program));
		add_since(&columns, row);
	}
	columns_print(&columns, to);
}

static void rules_print(const struct snapshot *snapshot, FILE *to)
{
	static const struct column column[] = {
		{ "RULE", COLUMN_LEFT },     { "PORTS", COLUMN_RIGHT }, { "IN-USE", COLUMN_RIGHT },
		{ "FREE", COLUMN_RIGHT },    { "COOLING", COLUMN_RIGHT }, { "GIVEN", COLUMN_RIGHT },
		{ "FAILURES", COLUMN_RIGHT }, { "WAITS", COLUMN_RIGHT }, { "RETRIES", COLUMN_RIGHT },
		{ "DENIED", COLUMN_RIGHT },
	};
	struct columns columns = COLUMNS_OF(column);
	for (size_t i = 0; i < snapshot->rules; i++) {
		const struct shown_rule *rule = &snapshot->rule[i];
		const uint64_t figures[] = { rule->ports, rule->in_use, rule->ports - rule->in_use, rule->cooling,
		                             rule->given, rule->failures, rule->waits, rule->retries, rule->denied };
		columns_add(&columns, "%s", or_dash(rule->name));
		for (size_t j = 0; j < sizeof(figures) / sizeof(*figures); j++)
			columns_add(&columns, "%" PRIu64, figures[j]);
	}
	columns_print(&columns, to);
}

static void notes_print(const struct snapshot *snapshot, const struct options *options, FILE *to)
{
	if (options->rule && !snapshot->rules) {
		char *name = memory_words("%s", options->rule);
		utf8_clean(name);
		fprintf(to, "no rule %s in the table: no program has used it yet; or its name is another "
		            "('portshim status' lists those that were used)\n", name);
		free(name);
	}
	for (size_t i = 0; i < snapshot->rules; i++)
		if (snapshot->rule[i].cut)
			fprintf(to, "rule %s: the table has the first %u ranges of its set; ports taken from "
			            "outside are looked for in these\n", snapshot->rule[i].name, RULE_INTERVALS);
}

static void text_print(const struct snapshot *snapshot, const struct table_file *file, const struct options *options,
                       FILE *to)
{
	if (snapshot->rows) {
		rows_print(snapshot, to);
		putc('\n', to);
	}
	if (snapshot->rules) {
		rules_print(snapshot, to);
		putc('\n', to);
	}
	notes_print(snapshot, options, to);
	fprintf(to, "table %s, %zu bytes; given %" PRIu64 ", asked %" PRIu64 ", swept %" PRIu64 ", audit lost %" PRIu64 "\n",
	        file->shown, sizeof(struct table), snapshot->given, snapshot->asked, snapshot->swept,
	        snapshot->audit_lost);
}

/* Cut to the width of a terminal, never elsewhere. */
static void text_show(const struct snapshot *snapshot, const struct table_file *file, const struct options *options)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	if (!memory) {
		text_print(snapshot, file, options, stdout);
		return;
	}
	text_print(snapshot, file, options, memory);
	fclose(memory);
	screen_print_cut(text, screen_size(STDOUT_FILENO).columns, stdout);
	free(text);
}

/* ---- for programs ---------------------------------------------------------------------------------- */

static void rule_json(struct json *json, const struct shown_rule *rule)
{
	json_open(json, NULL, '{');
	json_words(json, "rule", rule->name);
	json_number(json, "ports", rule->ports);
	json_number(json, "in_use", rule->in_use);
	json_number(json, "free", rule->ports - rule->in_use);
	json_number(json, "cooling", rule->cooling);
	json_number(json, "given", rule->given);
	json_number(json, "failures", rule->failures);
	json_number(json, "waits", rule->waits);
	json_number(json, "retries", rule->retries);
	json_number(json, "denied", rule->denied);
	json_bool(json, "complete", !rule->cut);
	json_close(json, '}');
}

static void row_json(struct json *json, const struct snapshot *snapshot, const struct row *row)
{
	char buffer[ENDPOINT_SIZE];
	json_open(json, NULL, '{');
	json_words(json, "rule", rule_words(snapshot, row));
	json_words(json, "protocol", protocol_name(row->protocol));
	json_words(json, "address", address_words(row, buffer));
	json_number(json, "port", row->local.port);
	json_words(json, "destination", destination_words(row, buffer));
	json_words(json, "state", row_state_name(row->state));
	json_words(json, "socket", socket_words(row));
	if (row->pid)
		json_number(json, "pid", row->pid);
	else
		json_words(json, "pid", NULL);
	json_words(json, "program", row->program[0] ? row->program : NULL);
	if (row->since_known)
		json_thousandths(json, "since", row->since_ms);
	else
		json_words(json, "since", NULL);
	json_close(json, '}');
}

/* `snapshot` NULL: there is no table. */
static void json_show(const struct snapshot *snapshot, const struct table_file *file)
{
	struct json json = { .to = stdout };
	json_open(&json, NULL, '{');
	json_words(&json, "table", file->path[0] ? file->path : NULL);
	json_number(&json, "size", snapshot ? sizeof(struct table) : 0);
	json_bool(&json, "checked", snapshot && !snapshot->error);
	json_number(&json, "given", snapshot ? snapshot->given : 0);
	json_number(&json, "asked", snapshot ? snapshot->asked : 0);
	json_number(&json, "swept", snapshot ? snapshot->swept : 0);
	json_number(&json, "audit_lost", snapshot ? snapshot->audit_lost : 0);
	json_open(&json, "rules", '[');
	for (size_t i = 0; snapshot && i < snapshot->rules; i++)
		rule_json(&json, &snapshot->rule[i]);
	json_close(&json, ']');
	json_open(&json, "ports", '[');
	for (size_t i = 0; snapshot && i < snapshot->rows; i++)
		row_json(&json, snapshot, &snapshot->row[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}

/* ---------------------------------------------------------------------------------------------------- */

static void none_show(const struct table_file *file, const struct options *options)
{
	if (options->json)
		json_show(NULL, file);
	else
		puts(file->path[0] ? TABLE_FILE_NONE : "no table: the policy says 'table = none'");
}

static void table_show(const struct table *table, const struct table_file *file, const struct options *options)
{
	struct snapshot *snapshot = memory_zeroed(1, sizeof(*snapshot));
	snapshot_take(snapshot, table, options->rule);
	snapshot_who(snapshot, table);
	table_file_warn(file, snapshot->error);
	if (options->json)
		json_show(snapshot, file);
	else
		text_show(snapshot, file, options);
	snapshot_free(snapshot);
	free(snapshot);
}

int status_main(int argc, char **argv)
{
	struct options options;
	static struct table_file file;
	if (!options_read(&options, argc, argv))
		return EXIT_USAGE;
	if (options.help) {
		usage_print();
		return EXIT_SUCCESS;
	}
	if (options.prune)
		return prune_now() ? EXIT_SUCCESS : EXIT_FAILURE;
	int error, code = table_file_find(&file, options.table, options.config);
	if (code != EXIT_SUCCESS)
		return code;
	const struct table *table = table_file_look(&file, &error);
	if (error)
		return table_file_failed(&file, error);
	if (table)
		table_show(table, &file, &options);
	else
		none_show(&file, &options);
	table_file_leave(table);
	return EXIT_SUCCESS;
}
