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
#include "tools/tables.h"
#include "tools/utf8.h"

struct options {
	const char *config, *table, *rule;
	bool all, json, prune, help;
};

static void usage_print(void)
{
	fputs("Usage: portshim status [--json] [-t FILE | -c FILE | --all] [-r RULE]\n"
	      "       portshim status --prune\n\n"
	      "Shows who has which port, by the table of the programs under portshim and the kernel's own list.\n\n"
	      "  -t, --table=FILE    the table (without -t and -c: the one of this user and network namespace,\n"
	      "                      or the one that the policy in the usual places says)\n"
	      "  -c, --config=FILE   the table that this policy says, and in it the rules of this policy\n"
	      "  -a, --all           all tables in /dev/shm that this user may read\n"
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
		{ "all", no_argument, NULL, 'a' },
		{ "prune", no_argument, NULL, 'p' },        { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .help = false };
	opterr = 0;
	optind = 0; /* main() may not be the first to parse */
	for (int option; (option = getopt_long(argc, argv, "+:c:t:r:ah", known, NULL)) != -1;) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 't': options->table = optarg; break;
		case 'r': options->rule = optarg; break;
		case 'a': options->all = true; break;
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
	if (!!options->config + !!options->table + options->all > 1)
		return usage_wrong("--config, --table and --all exclude each other: give one of them", "");
	if (options->prune && (options->config || options->table || options->rule || options->json || options->all))
		return usage_wrong("--prune goes with no other option", "");
	return true;
}

/* A table, as it was at a moment. */
struct shown {
	const struct options *options;
	const struct table_file *file;
	const struct policy *policy;     /* whose rules are shown; NULL: all */
	bool has_table;
	int error;                       /* why it has none */
	struct snapshot snapshot;
	size_t others;                   /* rules that are not the policy's */
};

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
		char *name = utf8_cleaned(options->rule);
		fprintf(to, "no rule %s in the table: no program has used it yet; or its name is another "
		            "('portshim status' lists those that were used)\n", name);
		free(name);
	}
	for (size_t i = 0; i < snapshot->rules; i++)
		if (snapshot->rule[i].cut)
			fprintf(to, "rule %s: the table has the first %u ranges of its set; ports taken from "
			            "outside are looked for in these\n", snapshot->rule[i].name, RULE_INTERVALS);
}

static void others_print(const struct shown *shown, FILE *to)
{
	if (shown->others && !shown->options->rule)
		fprintf(to, "%zu other rule%s of this table, without -c\n", shown->others, shown->others == 1 ? "" : "s");
}

static void text_print(const struct shown *shown, FILE *to)
{
	const struct snapshot *snapshot = &shown->snapshot;
	if (snapshot->rows) {
		rows_print(snapshot, to);
		putc('\n', to);
	}
	if (snapshot->rules) {
		rules_print(snapshot, to);
		putc('\n', to);
	}
	notes_print(snapshot, shown->options, to);
	fprintf(to, "table %s, %zu bytes; given %" PRIu64 ", asked %" PRIu64 ", swept %" PRIu64 ", audit lost %" PRIu64 "%s\n",
	        shown->file->shown, sizeof(struct table), snapshot->given, snapshot->asked, snapshot->swept,
	        snapshot->audit_lost,
	        shown->options->all && snapshot->error ? "; not checked against the kernel's sockets" : "");
	others_print(shown, to);
}

/* Cut to the width of a terminal, never elsewhere. */
static void text_show(const struct shown *shown)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	if (!memory) {
		text_print(shown, stdout);
		return;
	}
	text_print(shown, memory);
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

/* Where there is no table, all of it is 0. */
static void json_show(struct json *json, const struct shown *shown)
{
	const struct snapshot *snapshot = &shown->snapshot;
	json_open(json, NULL, '{');
	json_words(json, "table", shown->file->path[0] ? shown->file->path : NULL);
	json_number(json, "size", shown->has_table ? sizeof(struct table) : 0);
	json_bool(json, "checked", shown->has_table && !snapshot->error);
	json_number(json, "given", snapshot->given);
	json_number(json, "asked", snapshot->asked);
	json_number(json, "swept", snapshot->swept);
	json_number(json, "audit_lost", snapshot->audit_lost);
	json_number(json, "other_rules", shown->others);
	json_open(json, "rules", '[');
	for (size_t i = 0; i < snapshot->rules; i++)
		rule_json(json, &snapshot->rule[i]);
	json_close(json, ']');
	json_open(json, "ports", '[');
	for (size_t i = 0; i < snapshot->rows; i++)
		row_json(json, snapshot, &snapshot->row[i]);
	json_close(json, ']');
	json_close(json, '}');
}

/* ---------------------------------------------------------------------------------------------------- */

static void take(void *context)
{
	struct shown *shown = context;
	const struct table *table = table_file_look(shown->file, &shown->error);
	shown->has_table = table != NULL;
	if (!table)
		return;
	snapshot_take(&shown->snapshot, table, shown->options->rule);
	if (shown->policy)
		shown->others = snapshot_policy(&shown->snapshot, shown->policy);
	snapshot_who(&shown->snapshot, table);
	table_file_leave(table);
}

/* Root sees its own table, which is empty where the programs are others'. */
static void others_tell(const struct options *options)
{
	struct tables tables;
	if (geteuid() != 0 || options->json || options->table || options->config || options->rule)
		return;
	tables_find(&tables);
	size_t n = tables_of_others(&tables, 0);
	if (n)
		printf("%zu table%s of other users: portshim status -a\n", n, n == 1 ? "" : "s");
	tables_free(&tables);
}

static int one_show(const struct options *options, const struct table_file *file, const struct policy *policy)
{
	struct shown *shown = memory_zeroed(1, sizeof(*shown));
	struct json json = { .to = stdout };
	*shown = (struct shown){ .options = options, .file = file, .policy = policy };
	take(shown);
	int code = shown->error ? table_file_failed(file, shown->error) : EXIT_SUCCESS;
	if (shown->has_table)
		table_file_warn(file, shown->snapshot.error);
	if (!shown->error && options->json)
		json_show(&json, shown);
	else if (shown->has_table)
		text_show(shown);
	else if (!shown->error)
		puts(file->path[0] ? TABLE_FILE_NONE : "no table: the policy says 'table = none'");
	if (!shown->error)
		others_tell(options);
	snapshot_free(&shown->snapshot);
	free(shown);
	return code;
}

/* Of one policy, whose rules alone are shown. */
static int config_show(const struct options *options, struct table_file *file)
{
	struct policy_file loaded;
	int code = table_file_of_config(file, options->config, options->rule, "status", &loaded);
	if (code != EXIT_SUCCESS)
		return code;
	code = one_show(options, file, &loaded.policy);
	policy_file_free(&loaded);
	return code;
}

/* Those that this user may not look into, or that their users damage meanwhile, are passed over. */
static void all_show(const struct options *options, struct table_file *file)
{
	struct shown *shown = memory_zeroed(1, sizeof(*shown));
	struct json json = { .to = stdout };
	struct tables tables;
	bool any = false;
	tables_find(&tables);
	if (options->json) {
		json_open(&json, NULL, '{');
		json_open(&json, "tables", '[');
	}
	for (size_t i = 0; i < tables.n; i++) {
		*shown = (struct shown){ .options = options, .file = file };
		if (table_file_choose(file, tables.path[i], NULL) != EXIT_SUCCESS || !table_file_guarded(take, shown) ||
		    !shown->has_table)
			continue;
		if (any && !options->json)
			putchar('\n');
		if (options->json)
			json_show(&json, shown);
		else
			text_show(shown);
		any = true;
		snapshot_free(&shown->snapshot);
	}
	if (options->json) {
		json_close(&json, ']');
		json_close(&json, '}');
	} else if (!any) {
		puts(TABLE_FILE_NONE);
	}
	tables_free(&tables);
	free(shown);
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
	if (options.all) {
		all_show(&options, &file);
		return EXIT_SUCCESS;
	}
	if (options.config)
		return config_show(&options, &file);
	int code = table_file_find(&file, options.table, NULL);
	return code == EXIT_SUCCESS ? one_show(&options, &file, NULL) : code;
}
