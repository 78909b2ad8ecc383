/* audit.h - `audit = PATH`: a line of JSON for each port that is assigned.
 *
 * Theory of operation. A line is written when the port is decided on and before the packet that shows it can leave: on the
 * early way behind bind() and before the program's own call, on the late way, where the kernel takes the port inside connect(),
 * before that. So a connection that hangs and is killed is in the file. Where the kernel then refuses the port (EADDRNOTAVAIL),
 * a second line takes the first back ("refused"); between processes of one table that is rare, since each claims a port before
 * it says so. Only where the kernel itself picks the port from a range (`choose = kernel`) the line comes behind connect(): nobody
 * knows the port before.
 *
 * The file is opened for each line (append.h), so that it can be renamed at any time. What cannot be written is counted in the
 * table, and the program's call goes on. A line that came in a part only (the disk is full) stays; whoever of the table writes next
 * begins on a line of its own. No line has `{"time":` but at its begin. */
#ifndef PORTSHIM_SHIM_AUDIT_H
#define PORTSHIM_SHIM_AUDIT_H

#include "attempt.h"

enum audit_event {
	AUDIT_ASSIGNED,
	AUDIT_REFUSED, /* the kernel refused a port that a line said was assigned: it was never used */
};

bool audit_is_on(void);

/* Writes the line where the policy has `audit`: rule, call and destination are those of the attempt. Async-signal-safe, no
 * cancellation point; errno is kept. */
void audit(struct attempt *a, enum audit_event event, uint16_t port);

#endif
