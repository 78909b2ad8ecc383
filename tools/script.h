/* script.h - which program runs a script: the first line, read as the kernel and env(1) do. */
#ifndef PORTSHIM_TOOLS_SCRIPT_H
#define PORTSHIM_TOOLS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

enum { SCRIPT_HEAD = 256 }; /* bytes the kernel looks at (BINPRM_BUF_SIZE since Linux 5.1) */

struct script_line {
	char interpreter[SCRIPT_HEAD + 1];
	char argument[SCRIPT_HEAD + 1];   /* the rest of the line, one argument; "": none */
};

/* Reads "#!interpreter argument" from the first bytes of a file (at most SCRIPT_HEAD). False if there is no
 * such line, or one that the kernel refuses (execvp(3) then gives the file to /bin/sh). */
bool script_read(struct script_line *line, const char *head, size_t length);

/* The program that `env ARGUMENT` starts, where a script's line says so: the argument itself, or with -S the
 * first word that is neither an option nor an assignment. False where it names none, or where only env(1)
 * can tell (a ${VARIABLE}). */
bool script_env_program(const char *argument, char *program, size_t size);

#endif
