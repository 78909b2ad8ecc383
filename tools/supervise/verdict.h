/* verdict.h - what becomes of a notified call. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_VERDICT_H
#define PORTSHIM_TOOLS_SUPERVISE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct verdict {
	bool answered;  /* its caller has the result already (birth.h) */
	bool go_on;     /* the call is the kernel's; else its result is: */
	int64_t value;
	int error;      /* 0 or -errno */
};

#endif
