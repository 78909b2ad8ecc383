/* commands.h - the subcommands: a line here and a file NAME.c beside this one make one. */
#ifndef PORTSHIM_TOOLS_COMMANDS_H
#define PORTSHIM_TOOLS_COMMANDS_H

#include <stddef.h>

/* Name and what `portshim help` says of it, in the order of the help. */
#define COMMANDS(X)                                                        \
	X(run,     "start a program with its local ports under a policy")  \
	X(check,   "look for errors in a policy, and for what it meets")   \
	X(explain, "say which rule decides a call, and why")               \
	X(status,  "show who has which port, and how full each set is")    \
	X(top,     "the same, live")                                       \
	X(who,     "say who has a port now, and who had it then")          \
	X(stats,   "show what each rule has counted, also for monitoring") \
	X(report,  "draw how each set was used over time, and by whom")    \
	X(export,  "print the policy as firewall rules, sysctl or JSON")   \
	X(reload,  "have running programs take up a changed policy")       \
	X(doctor,  "say whether a program is or would be under portshim")  \
	X(help,    "list the subcommands, or show the usage of one")       \
	X(version, "print the version")

/* Gets its own name as argv[0]; returns the exit code. --help prints its usage on standard output. */
typedef int command_main(int argc, char **argv);

#define COMMAND_PROTOTYPE(name, words) command_main name##_main;
COMMANDS(COMMAND_PROTOTYPE)
#undef COMMAND_PROTOTYPE

struct command {
	const char *name;
	command_main *function;
	const char *words;
};

/* All of them, in the order of the help. */
const struct command *commands_all(size_t *n);
/* NULL: there is none of that name. */
const struct command *command_named(const char *name);

/* Behind `portshim complete`, which no help shows: candidates for the last of the words of a command line, for the shells'
 * completions. */
command_main complete_main;

/* What --mode= of `run` can be; NULL behind the last. */
extern const char *const run_modes[];

enum { EXIT_USAGE = 2 }; /* wrong usage or an invalid policy; `run` has codes of its own */

#endif
