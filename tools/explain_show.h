/* explain_show.h - an explanation, told to people and to programs. */
#ifndef PORTSHIM_TOOLS_EXPLAIN_SHOW_H
#define PORTSHIM_TOOLS_EXPLAIN_SHOW_H

#include "tools/explanation.h"
#include "tools/json.h"
#include "tools/subject.h"

struct told {
	const struct subject *subject;
	const char *policy;  /* what messages call it */
	bool counted;        /* what is free could be looked at from here */
};

void explanation_print(const struct explanation *explanation, const struct told *told);
void explanation_json(struct json *json, const struct explanation *explanation, const struct told *told);

#endif
