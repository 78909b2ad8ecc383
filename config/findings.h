/* findings.h - what is found wrong in a policy, kept until it can be told in line order. */
#ifndef PORTSHIM_CONFIG_FINDINGS_H
#define PORTSHIM_CONFIG_FINDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "policy.h"
#include "text.h"

struct finding;

struct findings {
	policy_listener *listener;
	void *context;
	struct arena arena;
	struct finding *first, *last; /* in line order */
	uint32_t waiting;
	bool errors;
	struct text words;
	char bytes[480];
};

void findings_start(struct findings *findings, policy_listener *listener, void *context);

/* The text in which the next finding is put into words, empty. */
struct text *findings_words(struct findings *findings);

/* Keeps what stands in that text as a finding of this line. */
void findings_add(struct findings *findings, enum severity severity, int line);

/* findings_words() and findings_add() at once, for an error of fixed words. */
void findings_error(struct findings *findings, int line, const char *words);

/* Tells the listener all that waits, by line, and forgets it. */
void findings_flush(struct findings *findings);

#endif
