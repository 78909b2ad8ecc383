/* read.h - from the bytes of a policy file to sections, keys and values, each with its line. */
#ifndef PORTSHIM_CONFIG_READ_H
#define PORTSHIM_CONFIG_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "findings.h"

/* Who hears what the lines say, in file order. Strings are NUL-terminated and live during the call. */
struct read_events {
	/* A section begins. `good` is false where its line was refused (and an error given): then `name` is what could
	 * be made out, and the lines that follow are still read, for their own errors. */
	void (*section)(void *context, const char *name, bool good, int line);
	/* One line of a value, without comment. `continued`: not the first; `more`: another one follows. */
	void (*value)(void *context, const char *key, const char *value, int line, bool continued, bool more);
	/* A line of the section was refused, and an error given: what it would have set is not known. */
	void (*refused)(void *context);
};

/* Reads `length` bytes with inih. Errors of lines as such go to `findings`, all others are the listener's to find. */
void read_lines(const char *bytes, size_t length, struct findings *findings, const struct read_events *events,
                void *context);

#endif
