/* concern.h - which rules of a policy can decide calls of a program, in words. */
#ifndef PORTSHIM_TOOLS_CONCERN_H
#define PORTSHIM_TOOLS_CONCERN_H

#include <stdbool.h>

#include "config/policy.h"
#include "tools/subject.h"

struct concern {
	char *rules;   /* "erp, rest if it becomes user 1001 (ben)"; NULL: none can */
	char *why_not; /* of the first, "rule erp: program = wget: the program is /usr/bin/curl"; NULL: some can, or there is none */
};

/* By the program and by who it runs as; rules of others count for what may become those. False: memory is out. */
bool concern_find(struct concern *concern, const struct subject *subject, const struct policy *policy);
void concern_free(struct concern *concern);

#endif
