/* reach.h - whether portshim can reach a command: will the dynamic loader preload the library into it, and
 * will its network calls then go through libc?
 *
 * Theory of operation. The command is looked up as execvp(3) does it. From there the chain of "#!" lines is
 * followed as the kernel does it (and through env(1), which most scripts use) to the ELF file that runs in
 * the end; what that file says of itself decides. The verdict is for this process starting the command now:
 * the same setuid file is out of reach for one user and within reach for another.
 *
 * A verdict is a forecast. It errs towards REACH_YES: what is not known to be out of reach is not reported. */
#ifndef PORTSHIM_TOOLS_REACH_H
#define PORTSHIM_TOOLS_REACH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "tools/library.h"

enum reach_verdict {
	REACH_YES,
	/* the command does not start at all; `error` says why */
	REACH_NOT_FOUND,        /* no such file */
	REACH_NOT_EXECUTABLE,   /* a directory, no permission, an interpreter that leads round in a circle */
	REACH_NO_INTERPRETER,   /* the file is there, the script's interpreter or the loader it asks for is not */
	/* it starts, and portshim does not reach it */
	REACH_STATIC,
	REACH_STATIC_PIE,
	REACH_GO,               /* makes its system calls itself, whatever it is linked to */
	REACH_SETUID,           /* secure mode, because of another user, */
	REACH_SETGID,           /* another group, */
	REACH_CAPABILITIES,     /* or file capabilities */
	REACH_OTHER_LIBC,
	REACH_OTHER_MACHINE,    /* another ELF class, byte order or instruction set */
	REACH_OTHER_WORD,       /* of the other word size of this machine; in reach if there is a library for it: reach_extend() */
	REACH_UNKNOWN,          /* not readable for us (EACCES) or not sound (ENOEXEC): `error` */
};

struct reach {
	enum reach_verdict verdict;
	int error;                  /* an errno, or 0 */
	bool binary;                /* `path` is an ELF file and no script */
	char path[PATH_MAX];        /* the file that the command names; "" if not found */
	char interpreter[PATH_MAX]; /* the program that runs it if it is a script, else "" */
	char loader[PATH_MAX];      /* the dynamic loader that program asks for, else "" */
};

/* Fills *reach for `command`: a name to be searched in PATH, or a path (any word with a slash). */
void reach_find(struct reach *reach, const char *command);

/* Whether it runs with privileges that its user lacks (AT_SECURE). */
bool reach_is_privileged(const struct reach *reach);

/* A program of the other word size is in reach after all if that library is there for it too. Whether it is such a one. */
bool reach_extend(struct reach *reach, const struct library *library);

/* Whether it is one that no library reaches, but a supervisor would. */
bool reach_is_for_supervisor(const struct reach *reach);

/* What is the matter with it, as in "PATH is statically linked"; "" for REACH_YES. */
const char *reach_reason(const struct reach *reach);

/* Why the library will not act there and what can be done: one sentence that starts with the program's path,
 * without newline; "" for REACH_YES and for a command that does not start. Cut if it does not fit. */
void reach_words(const struct reach *reach, char *words, size_t size);

#endif
