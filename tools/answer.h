/* answer.h - what `portshim who` answers: who has ports now, joined with who was assigned them. */
#ifndef PORTSHIM_TOOLS_ANSWER_H
#define PORTSHIM_TOOLS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/evidence.h"
#include "tools/had.h"
#include "tools/who_live.h"

struct answer {
	const struct live *live; /* who has it now; NULL: not known to have it still */
	const struct had *had;   /* how it came to it; NULL: the audit does not say */
};

struct answers {
	struct answer *answer;   /* those who have a port now, then those who had one, the newest first */
	size_t n, room;
	size_t more;             /* who had one too, and are above the number that was asked for */
};

struct asked_about {
	const char *ports;       /* as the user wrote it */
	const struct span *at;   /* NULL: now */
	const struct had_list *had;
	const struct evidence *evidence;
};

/* `live` and `had` must outlive it. Where a moment is asked for (`at`, else NULL), who came to the port later is none; who came to
 * it in the doubt behind that moment goes last. */
void answers_make(struct answers *answers, const struct live_list *live, const struct had_list *had,
                  const struct span *at);

void answers_print(const struct answers *answers, const struct asked_about *about, FILE *to);
void answers_json(const struct answers *answers, const struct asked_about *about, FILE *to);

void answers_free(struct answers *answers);

#endif
