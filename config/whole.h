/* whole.h - what only a whole section can show to be wrong. */
#ifndef PORTSHIM_CONFIG_WHOLE_H
#define PORTSHIM_CONFIG_WHOLE_H

#include "keys.h"

/* How each key of a section came out: on which line (0: not given), and whether its value was accepted. */
struct given {
	int line[KEYS];
	bool good[KEYS];
	bool refused; /* some line was refused before its key was known */
};

/* Checks the keys of taking->rule against each other. Keys that were refused count as given and cause no error more. */
void whole_rule(struct taking *taking, const struct given *given);

#endif
