/* sets.h - what a rule's set comes to on this kernel. */
#ifndef PORTSHIM_TOOLS_CHECK_SETS_H
#define PORTSHIM_TOOLS_CHECK_SETS_H

#include "config/policy.h"
#include "tools/check/machine.h"

/* Numbers of ports. */
struct set_figures {
	uint32_t ports;       /* in the set */
	uint32_t usable;      /* without those of named ranges that are reserved */
	uint32_t late;        /* of the usable ones: TCP takes them inside connect() */
	uint32_t late_named;  /* of those, by a range's name */
	uint32_t shared;      /* of the set: given by number, in the kernel's range, and not reserved */
	uint32_t reserved;    /* of the set: reserved */
	uint32_t privileged;  /* of the usable ones: below ip_unprivileged_port_start */
};

void set_figure(struct set_figures *figures, const struct rule *rule, const struct machine *machine);

#endif
