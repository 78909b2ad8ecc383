/* top.c - `portshim top`: how full the rules' sets are, again and again. */
#define _GNU_SOURCE
#include <ctype.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/text.h"
#include "shim/clock.h"
#include "tools/commands.h"
#include "tools/frame.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/paint.h"
#include "tools/screen.h"
#include "tools/snapshot.h"
#include "tools/table_file.h"
#include "tools/tables.h"

#define DELAY_LEAST 0.1
#define DELAY_MOST 86400.0

struct options {
	const char *config, *table;
	uint64_t count;          /* 0: until the end */
	uint64_t delay;          /* ns */
	bool all, plain, help;
};

static void usage_print(void)
{
	fputs("Usage: portshim top [-b] [-n COUNT] [-d SECONDS] [-t FILE | -c FILE | --all]\n\n"
	      "Shows how full the set of each rule is, and how fast ports are given, until q is pressed.\n\n"
	      "  -b, --batch           print one picture after the other, as where standard output is no terminal\n"
	      "  -n, --count=COUNT     end after so many pictures\n"
	      "  -d, --delay=SECONDS   between two pictures, for example 0.5 (without: 2)\n"
	      "  -t, --table=FILE      the table (without -t and -c: the one of this user and network namespace,\n"
	      "                        or the one that the policy in the usual places says)\n"
	      "  -c, --config=FILE     the table that this policy says, and in it the rules of this policy\n"
	      "  -a, --all             all tables in /dev/shm that this user may read\n"
	      "  -h, --help            show this\n", stdout);
}

static bool usage_wrong(const char *words, const char *what)
{
	say_error("top: %s%s; see 'portshim top --help'", words, what);
	return false;
}

static bool count_read(struct options *options, const char *words)
{
	if (text_to_number(words, strlen(words), UINT32_MAX, &options->count) && options->count > 0)
		return true;
	return usage_wrong("--count must be a number from 1, not ", words);
}

/* strtod() would take blanks, signs, "inf" and "nan" as well. */
static bool delay_read(struct options *options, const char *words)
{
	char *end = NULL;
	double seconds = isdigit((unsigned char)words[0]) || words[0] == '.' ? strtod(words, &end) : 0;
	if (!end || *end != '\0' || !(seconds >= DELAY_LEAST && seconds <= DELAY_MOST))
		return usage_wrong("--delay must be seconds, from 0.1 to 86400, not ", words);
	options->delay = (uint64_t)(seconds * (double)SECOND);
	return true;
}

static bool option_take(struct options *options, int option, char **argv)
{
	switch (option) {
	case 'a': options->all = true; return true;
	case 'b': options->plain = true; return true;
	case 'c': options->config = optarg; return true;
	case 't': options->table = optarg; return true;
	case 'h': options->help = true; return true;
	case 'n': return count_read(options, optarg);
	case 'd': return delay_read(options, optarg);
	case ':': return usage_wrong("a value is missing after ", argv[optind - 1]);
	default: return usage_wrong("no such option: ", argv[optind > 1 ? optind - 1 : 1]);
	}
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "batch", no_argument, NULL, 'b' },        { "count", required_argument, NULL, 'n' },
		{ "delay", required_argument, NULL, 'd' },  { "table", required_argument, NULL, 't' },
		{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
		{ "all", no_argument, NULL, 'a' },          { NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .delay = 2 * SECOND };
	opterr = 0;
	optind = 0; /* main() may not be the first to parse */
	for (int option; (option = getopt_long(argc, argv, "+:abn:d:c:t:h", known, NULL)) != -1;)
		if (!option_take(options, option, argv))
			return false;
	if (options->help)
		return true;
	if (optind < argc)
		return usage_wrong("it takes no argument: ", argv[optind]);
	if (!!options->config + !!options->table + options->all > 1)
		return usage_wrong("--config, --table and --all exclude each other: give one of them", "");
	return true;
}

/* ---- pictures -------------------------------------------------------------------------------------- */

/* A table, as it was at the last look. */
struct looked {
	struct table_file file;
	const struct policy *policy;          /* whose rules are shown; NULL: all */
	struct snapshot snapshot;
	bool has_table;                       /* `snapshot` is of one */
	int error;                            /* why there is none */
	size_t others;                        /* rules that are not the policy's */
	struct counted counted[TABLE_RULES];  /* in the snapshot before; id 0: not there */
	bool has_counted;
	uint64_t ns;                          /* between the two */
};

struct top {
	const struct options *options;
	struct policy_file loaded;            /* with --config */
	struct looked **table;
	size_t n, room;
	size_t of_others;                     /* tables of other users, to be told to root */
	bool warned;
};

static struct looked *looked_add(struct top *top)
{
	top->table = memory_for_one(top->table, top->n, &top->room, sizeof(struct looked *));
	return top->table[top->n++] = memory_zeroed(1, sizeof(struct looked));
}

static void looked_free(struct looked *looked)
{
	snapshot_free(&looked->snapshot);
	free(looked);
}

static void counters_keep(struct looked *looked)
{
	memset(looked->counted, 0, sizeof(looked->counted));
	for (size_t i = 0; i < looked->snapshot.rules; i++) {
		const struct shown_rule *rule = &looked->snapshot.rule[i];
		looked->counted[rule->number] = (struct counted){ rule->id, rule->given, rule->failures };
	}
	looked->has_counted = looked->has_table;
}

static void take(void *context)
{
	struct looked *looked = context;
	const struct table *table = table_file_look(&looked->file, &looked->error);
	looked->has_table = table != NULL;
	if (table)
		snapshot_take(&looked->snapshot, table, NULL);
	if (table && looked->policy)
		looked->others = snapshot_policy(&looked->snapshot, looked->policy);
	table_file_leave(table);
}

/* A new snapshot; the table's file may have come, or be another, since the last one. 0 or -errno. */
static int look(struct looked *looked)
{
	uint64_t before = looked->snapshot.now;
	counters_keep(looked);
	snapshot_free(&looked->snapshot);
	if (!table_file_guarded(take, looked))
		return TABLE_FILE_CUT;
	if (looked->has_table)
		looked->ns = looked->snapshot.now - before;
	return looked->error;
}

static bool is_listed(const struct tables *tables, const char *path)
{
	for (size_t i = 0; i < tables->n; i++)
		if (strcmp(tables->path[i], path) == 0)
			return true;
	return false;
}

static bool is_known(const struct top *top, const char *path)
{
	for (size_t i = 0; i < top->n; i++)
		if (strcmp(top->table[i]->file.path, path) == 0)
			return true;
	return false;
}

/* Those that are there now, of which the old ones keep what they counted. New ones go last. */
static void all_find(struct top *top, const struct tables *tables)
{
	size_t kept = 0;
	for (size_t i = 0; i < top->n; i++) {
		if (is_listed(tables, top->table[i]->file.path))
			top->table[kept++] = top->table[i];
		else
			looked_free(top->table[i]);
	}
	top->n = kept;
	for (size_t i = 0; i < tables->n; i++) {
		if (is_known(top, tables->path[i]))
			continue;
		struct looked *looked = looked_add(top);
		if (table_file_choose(&looked->file, tables->path[i], NULL) != EXIT_SUCCESS)
			looked_free(top->table[--top->n]);
	}
}

/* 0 or -errno. Where all are shown, those that cannot be are passed over. */
static int look_at_all(struct top *top)
{
	struct tables tables;
	int error = 0;
	tables_find(&tables);
	if (top->options->all)
		all_find(top, &tables);
	else if (geteuid() == 0 && !top->options->table && !top->options->config)
		top->of_others = tables_of_others(&tables, 0);
	tables_free(&tables);
	for (size_t i = 0; i < top->n; i++) {
		int one = look(top->table[i]);
		if (one && top->options->all)
			top->table[i]->has_table = false;
		else
			error = one;
	}
	return error;
}

static void one_print(const struct looked *looked, struct screen_size size, bool colour, FILE *to)
{
	const struct frame frame = {
		.snapshot = &looked->snapshot,
		.table = looked->file.shown,
		.before = looked->has_counted ? looked->counted : NULL,
		.ns = looked->ns,
		.size = size,
		.colour = colour,
	};
	frame_print(&frame, to);
	if (looked->others)
		fprintf(to, "%zu other rule%s of this table, without -c\n", looked->others, looked->others == 1 ? "" : "s");
}

static size_t shown_count(const struct top *top)
{
	size_t n = 0;
	for (size_t i = 0; i < top->n; i++)
		n += top->table[i]->has_table;
	return n;
}

/* The lines that there are are shared by the tables. */
static void picture_print(const struct top *top, struct screen_size size, bool colour, FILE *to)
{
	size_t n = shown_count(top);
	bool has_note = top->of_others || (top->n && top->table[0]->others);
	if (n && size.lines > 1)
		size.lines = (size.lines - has_note) / (unsigned)n;
	for (size_t i = 0; i < top->n; i++)
		if (top->table[i]->has_table)
			one_print(top->table[i], size, colour, to);
	if (!n)
		fputs(top->options->all || top->table[0]->file.path[0] ? TABLE_FILE_NONE "\n" :
		      "no table: the policy says 'table = none'\n", to);
	if (top->of_others)
		fprintf(to, "%zu table%s of other users: portshim top -a\n", top->of_others, top->of_others == 1 ? "" : "s");
}

/* A picture under the other. Standard output that cannot be written ends it; main() says so. 0 or -errno. */
static int run_plain(struct top *top)
{
	const struct screen_size no_limit = { 0, 0 };
	const struct timespec delay = { (time_t)(top->options->delay / SECOND),
	                                (long)(top->options->delay % SECOND) };
	for (uint64_t done = 0;;) {
		int error = look_at_all(top);
		if (error)
			return error;
		if (!top->warned && !top->options->all)
			table_file_warn(&top->table[0]->file, top->table[0]->snapshot.error);
		top->warned |= shown_count(top) > 0;
		picture_print(top, no_limit, false, stdout);
		if (fflush(stdout) != 0 || ++done == top->options->count)
			return 0;
		nanosleep(&delay, NULL);
		putc('\n', stdout);
	}
}

static void screen_picture(const struct top *top)
{
	struct screen_size size = screen_size(STDOUT_FILENO);
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);
	if (!memory)
		return;
	picture_print(top, size, paint_is_wanted(), memory);
	fclose(memory);
	screen_show(text, size);
	free(text);
}

/* Waits for the next picture's time; draws the same again where the terminal has got another size. False at the end. */
static bool screen_pause(const struct top *top, uint64_t until)
{
	for (;;) {
		char key = 0;
		switch (screen_wait(until, &key)) {
		case SCREEN_END: return false;
		case SCREEN_TIME: return true;
		case SCREEN_RESIZED: screen_picture(top); break;
		case SCREEN_KEY:
			if (key == 'q' || key == 'Q')
				return false;
			if (key == ' ' || key == '\n')
				return true;
			break;
		}
	}
}

/* 0 or -errno, to be said when the terminal is as it was. */
static int run_on_screen(struct top *top)
{
	int error = look_at_all(top);
	if (error)
		return error;
	screen_enter();
	for (uint64_t done = 0; !error; error = look_at_all(top)) {
		screen_picture(top);
		if (ferror(stdout) || ++done == top->options->count ||
		    !screen_pause(top, clock_now() + top->options->delay))
			break;
	}
	screen_leave();
	return error;
}

static int show(struct top *top)
{
	int error = top->options->plain || !isatty(STDOUT_FILENO) ? run_plain(top) : run_on_screen(top);
	return error ? table_file_failed(&top->table[0]->file, error) : EXIT_SUCCESS;
}

static int top_run(struct top *top)
{
	const struct options *options = top->options;
	if (options->all)
		return show(top);
	struct looked *looked = looked_add(top);
	int code = options->config ? table_file_of_config(&looked->file, options->config, NULL, "top", &top->loaded)
	                           : table_file_find(&looked->file, options->table, NULL);
	if (code != EXIT_SUCCESS)
		return code;
	looked->policy = options->config ? &top->loaded.policy : NULL;
	code = show(top);
	if (options->config)
		policy_file_free(&top->loaded);
	return code;
}

int top_main(int argc, char **argv)
{
	struct options options;
	if (!options_read(&options, argc, argv))
		return EXIT_USAGE;
	if (options.help) {
		usage_print();
		return EXIT_SUCCESS;
	}
	struct top top = { .options = &options };
	int code = top_run(&top);
	for (size_t i = 0; i < top.n; i++)
		looked_free(top.table[i]);
	free(top.table);
	return code;
}
