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

#define DELAY_LEAST 0.1
#define DELAY_MOST 86400.0

struct options {
	const char *config, *table;
	uint64_t count;          /* 0: until the end */
	uint64_t delay;          /* ns */
	bool plain, help;
};

static void usage_print(void)
{
	fputs("Usage: portshim top [-b] [-n COUNT] [-d SECONDS] [-t FILE | -c FILE]\n\n"
	      "Shows how full the set of each rule is, and how fast ports are given, until q is pressed.\n\n"
	      "  -b, --batch           print one picture after the other, as where standard output is no terminal\n"
	      "  -n, --count=COUNT     end after so many pictures\n"
	      "  -d, --delay=SECONDS   between two pictures, for example 0.5 (without: 2)\n"
	      "  -t, --table=FILE      the table (without -t and -c: the one of this user and network namespace,\n"
	      "                        or the one that the policy in the usual places says)\n"
	      "  -c, --config=FILE     the table that this policy says\n"
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
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .delay = 2 * SECOND };
	opterr = 0;
	optind = 0; /* main() may not be the first to parse */
	for (int option; (option = getopt_long(argc, argv, "+:bn:d:c:t:h", known, NULL)) != -1;)
		if (!option_take(options, option, argv))
			return false;
	if (options->help)
		return true;
	if (optind < argc)
		return usage_wrong("it takes no argument: ", argv[optind]);
	if (options->config && options->table)
		return usage_wrong("--config and --table exclude each other: give one of them", "");
	return true;
}

/* ---- pictures -------------------------------------------------------------------------------------- */

struct top {
	const struct options *options;
	struct table_file file;
	struct snapshot snapshot;
	bool has_table;                       /* `snapshot` is of one */
	int error;                            /* why there is none */
	struct counted counted[TABLE_RULES];  /* in the snapshot before; id 0: not there */
	bool has_counted;
	uint64_t ns;                          /* between the two */
	bool warned;
};

static void counters_keep(struct top *top)
{
	memset(top->counted, 0, sizeof(top->counted));
	for (size_t i = 0; i < top->snapshot.rules; i++) {
		const struct shown_rule *rule = &top->snapshot.rule[i];
		top->counted[rule->number] = (struct counted){ rule->id, rule->given, rule->failures };
	}
	top->has_counted = top->has_table;
}

static void take(void *context)
{
	struct top *top = context;
	const struct table *table = table_file_look(&top->file, &top->error);
	top->has_table = table != NULL;
	if (table)
		snapshot_take(&top->snapshot, table, NULL);
	table_file_leave(table);
}

/* A new snapshot; the table's file may have come, or be another, since the last one. 0 or -errno. */
static int look(struct top *top)
{
	uint64_t before = top->snapshot.now;
	counters_keep(top);
	snapshot_free(&top->snapshot);
	if (!table_file_guarded(take, top))
		return TABLE_FILE_CUT;
	if (top->has_table)
		top->ns = top->snapshot.now - before;
	return top->error;
}

static void picture_print(const struct top *top, struct screen_size size, bool colour, FILE *to)
{
	const struct frame frame = {
		.snapshot = &top->snapshot,
		.table = top->file.shown,
		.before = top->has_counted ? top->counted : NULL,
		.ns = top->ns,
		.size = size,
		.colour = colour,
	};
	if (top->has_table)
		frame_print(&frame, to);
	else
		fputs(top->file.path[0] ? TABLE_FILE_NONE "\n" : "no table: the policy says 'table = none'\n", to);
}

/* A picture under the other. Standard output that cannot be written ends it; main() says so. 0 or -errno. */
static int run_plain(struct top *top)
{
	const struct screen_size no_limit = { 0, 0 };
	const struct timespec delay = { (time_t)(top->options->delay / SECOND),
	                                (long)(top->options->delay % SECOND) };
	for (uint64_t done = 0;;) {
		int error = look(top);
		if (error)
			return error;
		if (!top->warned)
			table_file_warn(&top->file, top->snapshot.error);
		top->warned |= top->has_table;
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
	int error = look(top);
	if (error)
		return error;
	screen_enter();
	for (uint64_t done = 0; !error; error = look(top)) {
		screen_picture(top);
		if (ferror(stdout) || ++done == top->options->count ||
		    !screen_pause(top, clock_now() + top->options->delay))
			break;
	}
	screen_leave();
	return error;
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
	struct top *top = memory_zeroed(1, sizeof(*top));
	top->options = &options;
	int code = table_file_find(&top->file, options.table, options.config);
	if (code == EXIT_SUCCESS) {
		int error = options.plain || !isatty(STDOUT_FILENO) ? run_plain(top) : run_on_screen(top);
		if (error)
			code = table_file_failed(&top->file, error);
	}
	snapshot_free(&top->snapshot);
	free(top);
	return code;
}
