/* help_text.h - what a command's --help says of its options and arguments, for programs that must know them.
 *
 * The text is the one place where they are listed: completions are read from it, and the tests hold the man pages
 * against it. Its form, which every command keeps:
 *
 *	Usage: portshim NAME [OPTION...] [-c FILE | -p PORTS] [--] COMMAND [ARGUMENT...]
 *	       portshim NAME another|form [FILE]
 *
 *	  -c, --config=FILE   words
 *	                      and further words */
#ifndef PORTSHIM_TOOLS_HELP_TEXT_H
#define PORTSHIM_TOOLS_HELP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct help_option {
	char letter;        /* -c; 0: none */
	char name[32];      /* --config; "": none */
	char value[32];     /* FILE; "": it takes none */
	char words[120];    /* the first line of them */
};

enum { HELP_ARGUMENTS_MAX = 8 };

/* The arguments of one line of the usage, in their order; those that are options are left out. */
struct help_usage {
	char argument[HELP_ARGUMENTS_MAX][96]; /* "COMMAND", "nft|json" */
	size_t arguments;
	bool repeats;       /* the last may stand again and again */
};

struct help {
	struct help_option *option;
	size_t options, options_room;
	struct help_usage *usage;
	size_t usages, usages_room;
};

void help_read(struct help *help, const char *text);
void help_free(struct help *help);

/* NULL: there is no such option. */
const struct help_option *help_named(const struct help *help, const char *name, size_t length);
const struct help_option *help_lettered(const struct help *help, char letter);

#endif
