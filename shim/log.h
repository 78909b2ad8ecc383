/* log.h - what the library says, where the policy's `log` and `log-to` send it.
 *
 * The library is a guest: unless asked it says nothing but that a policy is broken. Standard error is written to
 * only while descriptor 2 is still what it was when the program started; a daemon that has put a file or
 * a socket of its own there is left in peace, and so is a program of inetd's, whose client is there. A message is one
 * write(2), so that lines of several processes do not mix. Async-signal-safe. */
#ifndef PORTSHIM_SHIM_LOG_H
#define PORTSHIM_SHIM_LOG_H

#include <stdbool.h>

#include "config/policy.h"
#include "config/text.h"

/* Remembers what descriptor 2 is. Called from the constructor, or with the first session if that comes before; does
 * nothing the second time. */
void log_start(void);

/* Takes level and target over; `path` must stay. LOG_LEVEL_ERROR to standard error until then. */
void log_configure(enum log_level level, enum log_target target, const char *path);

bool log_wants(enum log_level level);

/* Begins a message: "portshim: PROGRAM[PID]: ". Finish it with log_send(). */
void log_begin(struct text *text);
void log_send(enum log_level level, struct text *text);

#endif
