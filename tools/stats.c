/* stats.c - `portshim stats`: what each rule has counted, and how full its set is, for people and for monitoring. */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/columns.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/openmetrics.h"
#include "tools/out_file.h"
#include "tools/table_file.h"
#include "tools/tables.h"
#include "tools/utf8.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_OPENMETRICS, FORMAT_PROMETHEUS };

struct options {
	const char *config, *table, *rule, *output;
	enum format format;
	bool all, help;
};

static void usage_print(void)
{
	fputs("Usage: portshim stats [--json | --openmetrics | --prometheus] [-t FILE | -c FILE | --all] [-r RULE]\n"
	      "                      [-o FILE]\n\n"
	      "Shows what each rule has counted since the table was made, and how full its set is now.\n\n"
	      "  -t, --table=FILE    the table (without -t and -c: the one of this user and network namespace,\n"
	      "                      or the one that the policy in the usual places says)\n"
	      "  -c, --config=FILE   the table that this policy says\n"
	      "  -a, --all           all tables in /dev/shm that this user may read\n"
	      "  -r, --rule=RULE     this rule only\n"
	      "  -o, --output=FILE   write it there; the file is replaced as a whole\n"
	      "      --openmetrics   print OpenMetrics\n"
	      "      --prometheus    print Prometheus' text format 0.0.4, for node_exporter's textfile collector\n"
	      "      --json          print JSON\n"
	      "  -h, --help          show this\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("stats: %s%s; see 'portshim stats --help'", words, what);
	return false;
}

static bool format_take(struct options *options, enum format format)
{
	bool other = options->format != FORMAT_TEXT && options->format != format;
	options->format = format;
	return !other || usage_wrong("--json, --openmetrics and --prometheus exclude each other: give one of them", "");
}

static bool option_take(struct options *options, int option)
{
	switch (option) {
	case 'c': options->config = optarg; return true;
	case 't': options->table = optarg; return true;
	case 'r': options->rule = optarg; return true;
	case 'o': options->output = optarg; return true;
	case 'a': options->all = true; return true;
	case 'h': options->help = true; return true;
	default: return format_take(options, (enum format)(option - 1000));
	}
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' }, { "table", required_argument, NULL, 't' },
		{ "rule", required_argument, NULL, 'r' },   { "output", required_argument, NULL, 'o' },
		{ "all", no_argument, NULL, 'a' },          { "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 1000 + FORMAT_JSON },
		{ "openmetrics", no_argument, NULL, 1000 + FORMAT_OPENMETRICS },
		{ "prometheus", no_argument, NULL, 1000 + FORMAT_PROMETHEUS },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .help = false };
	opterr = 0;
	optind = 0;
	for (int option; (option = getopt_long(argc, argv, "+:c:t:r:o:ah", known, NULL)) != -1;) {
		if (option == ':')
			return usage_wrong("a value is missing after ", argv[optind - 1]);
		if (option == '?')
			return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
		if (!option_take(options, option))
			return false;
	}
	if (options->help)
		return true;
	if (optind < argc)
		return usage_wrong("it takes no argument: ", argv[optind]);
	if (!!options->config + !!options->table + options->all > 1)
		return usage_wrong("--config, --table and --all exclude each other: give one of them", "");
	return true;
}

/* ---- what is counted ----------------------------------------------------------------------------------- */

struct tables_counted {
	struct counted_table *table;
	size_t n, room;
};

struct look {
	const struct table_file *file;
	const char *rule;
	const struct table *table; /* NULL: there is none, or `error` */
	int error;
	struct snapshot *snapshot;
};

static void look(void *context)
{
	struct look *about = context;
	about->table = table_file_look(about->file, &about->error);
	if (!about->table)
		return;
	snapshot_take(about->snapshot, about->table, about->rule);
	snapshot_unite(about->snapshot, about->table);
}

static void keep(struct tables_counted *counted, const struct table_file *file, struct snapshot *snapshot)
{
	counted->table = memory_for_one(counted->table, counted->n, &counted->room, sizeof(*counted->table));
	counted->table[counted->n++] = (struct counted_table){
		.path = memory_words("%s", file->path), .shown = memory_words("%s", file->shown), .snapshot = snapshot,
	};
}

static int one_count(struct tables_counted *counted, const struct options *options, struct table_file *file)
{
	struct policy_file loaded;
	int code = options->config ? table_file_of_config(file, options->config, options->rule, "stats", &loaded)
	                           : table_file_find(file, options->table, NULL);
	if (code != EXIT_SUCCESS)
		return code;
	if (options->config)
		policy_file_free(&loaded);
	struct look about = { .file = file, .rule = options->rule, .snapshot = memory_zeroed(1, sizeof(struct snapshot)) };
	look(&about);
	if (!about.table) {
		free(about.snapshot);
		return about.error ? table_file_failed(file, about.error) : EXIT_SUCCESS;
	}
	table_file_warn(file, about.snapshot->error);
	keep(counted, file, about.snapshot);
	table_file_leave(about.table);
	return EXIT_SUCCESS;
}

/* Those that this user may not look into, or that their users damage meanwhile, are passed over. */
static void all_count(struct tables_counted *counted, const struct options *options, struct table_file *file)
{
	struct tables tables;
	tables_find(&tables);
	for (size_t i = 0; i < tables.n; i++) {
		if (table_file_choose(file, tables.path[i], NULL) != EXIT_SUCCESS)
			continue;
		struct look about = { .file = file, .rule = options->rule, .snapshot = memory_zeroed(1, sizeof(struct snapshot)) };
		if (table_file_guarded(look, &about) && about.table)
			keep(counted, file, about.snapshot);
		else
			free(about.snapshot);
		table_file_leave(about.table);
	}
	tables_free(&tables);
}

static void counted_free(struct tables_counted *counted)
{
	for (size_t i = 0; i < counted->n; i++) {
		free(counted->table[i].path);
		free(counted->table[i].shown);
		snapshot_free(counted->table[i].snapshot);
		free(counted->table[i].snapshot);
	}
	free(counted->table);
}

/* ---- shown ------------------------------------------------------------------------------------------- */

/* In thousandths. */
static unsigned part_in_use(const struct shown_rule *rule)
{
	return rule->ports ? (unsigned)(rule->in_use * UINT64_C(1000) / rule->ports) : 0;
}

static void table_print(const struct counted_table *table, FILE *to)
{
	static const struct column column[] = {
		{ "RULE", COLUMN_LEFT },      { "PORTS", COLUMN_RIGHT },    { "IN-USE", COLUMN_RIGHT },
		{ "USE%", COLUMN_RIGHT },     { "FREE", COLUMN_RIGHT },     { "COOLING", COLUMN_RIGHT },
		{ "ASSIGNED", COLUMN_RIGHT }, { "FAILURES", COLUMN_RIGHT }, { "WAITS", COLUMN_RIGHT },
		{ "RETRIES", COLUMN_RIGHT },  { "DENIED", COLUMN_RIGHT },
	};
	const struct snapshot *snapshot = table->snapshot;
	struct columns columns = COLUMNS_OF(column);
	for (size_t i = 0; i < snapshot->rules; i++) {
		const struct shown_rule *rule = &snapshot->rule[i];
		columns_add(&columns, "%s", rule->name[0] ? rule->name : "-");
		columns_add(&columns, "%" PRIu32, rule->ports);
		columns_add(&columns, "%" PRIu32, rule->in_use);
		columns_add(&columns, "%u.%u", part_in_use(rule) / 10, part_in_use(rule) % 10);
		columns_add(&columns, "%" PRIu32, rule->ports - rule->in_use);
		columns_add(&columns, "%" PRIu32, rule->cooling);
		const uint64_t counts[] = { rule->given, rule->failures, rule->waits, rule->retries, rule->denied };
		for (size_t j = 0; j < sizeof(counts) / sizeof(*counts); j++)
			columns_add(&columns, "%" PRIu64, counts[j]);
	}
	if (snapshot->rules) {
		columns_print(&columns, to);
		putc('\n', to);
	}
	fprintf(to, "table %s, %zu bytes; assigned %" PRIu64 ", asked %" PRIu64 ", swept %" PRIu64
	            ", audit lost %" PRIu64 "\n", table->shown, sizeof(struct table), snapshot->given, snapshot->asked,
	        snapshot->swept, snapshot->audit_lost);
}

static void text_print(const struct tables_counted *counted, const struct options *options, FILE *to)
{
	bool any = false;
	for (size_t i = 0; i < counted->n; i++) {
		if (i > 0)
			putc('\n', to);
		table_print(&counted->table[i], to);
		any |= counted->table[i].snapshot->rules > 0;
	}
	if (!counted->n)
		fputs(TABLE_FILE_NONE "\n", to);
	else if (options->rule && !any)
		fputs("no such rule in the table: no program has used it yet; or its name is another\n", to);
}

static void rule_json(struct json *json, const struct shown_rule *rule)
{
	json_open(json, NULL, '{');
	json_words(json, "rule", rule->name);
	json_number(json, "ports", rule->ports);
	json_number(json, "in_use", rule->in_use);
	json_thousandths(json, "utilization", part_in_use(rule));
	json_number(json, "free", rule->ports - rule->in_use);
	json_number(json, "cooling", rule->cooling);
	json_number(json, "assignments", rule->given);
	json_number(json, "failures", rule->failures);
	json_number(json, "waits", rule->waits);
	json_number(json, "retries", rule->retries);
	json_number(json, "denied", rule->denied);
	json_bool(json, "complete", !rule->cut);
	json_close(json, '}');
}

static void json_print(const struct tables_counted *counted, FILE *to)
{
	struct json json = { .to = to };
	json_open(&json, NULL, '{');
	json_open(&json, "tables", '[');
	for (size_t i = 0; i < counted->n; i++) {
		const struct snapshot *snapshot = counted->table[i].snapshot;
		json_open(&json, NULL, '{');
		json_words(&json, "table", counted->table[i].path);
		json_number(&json, "bytes", sizeof(struct table));
		json_bool(&json, "checked", !snapshot->error);
		json_number(&json, "assignments", snapshot->given);
		json_number(&json, "asked", snapshot->asked);
		json_number(&json, "swept", snapshot->swept);
		json_number(&json, "audit_lost", snapshot->audit_lost);
		json_open(&json, "rules", '[');
		for (size_t j = 0; j < snapshot->rules; j++)
			rule_json(&json, &snapshot->rule[j]);
		json_close(&json, ']');
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

static int counted_show(const struct tables_counted *counted, const struct options *options)
{
	struct out_file out;
	if (!out_begin(&out, options->output))
		return EXIT_FAILURE;
	switch (options->format) {
	case FORMAT_JSON: json_print(counted, out.to); break;
	case FORMAT_OPENMETRICS: metrics_print(counted->table, counted->n, METRICS_OPENMETRICS, out.to); break;
	case FORMAT_PROMETHEUS: metrics_print(counted->table, counted->n, METRICS_PROMETHEUS, out.to); break;
	default: text_print(counted, options, out.to); break;
	}
	return out_finish(&out, true) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int stats_main(int argc, char **argv)
{
	struct options options;
	static struct table_file file;
	struct tables_counted counted = { .n = 0 };
	int code = EXIT_SUCCESS;
	if (!options_read(&options, argc, argv))
		return EXIT_USAGE;
	if (options.help) {
		usage_print();
		return EXIT_SUCCESS;
	}
	if (options.all)
		all_count(&counted, &options, &file);
	else
		code = one_count(&counted, &options, &file);
	if (code == EXIT_SUCCESS)
		code = counted_show(&counted, &options);
	counted_free(&counted);
	return code;
}
