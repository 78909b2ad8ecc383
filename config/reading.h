/* reading.h - what lives while one policy is read, shared by the steps: sections.c, collect.c, policy.c. */
#ifndef PORTSHIM_CONFIG_READING_H
#define PORTSHIM_CONFIG_READING_H

#include "findings.h"
#include "keys.h"
#include "policy.h"
#include "whole.h"

/* Rules by name, so that a duplicate is found at once among thousands. */
#define BUCKETS 4096

/* A rule while the file is read: where it will stand in the policy is known only at the end. */
struct draft {
	struct rule rule;
	struct draft *after;     /* in file order */
	struct draft *in_bucket;
};

/* All that lives during one policy_read(); too large for a stack, so it lies in its own scratch arena. */
struct reading {
	struct taking taking;
	struct arena scratch;
	struct findings findings;
	struct policy policy;
	enum section section;      /* the one at hand; 0: none, or one of which nothing is known */
	bool before_any;           /* no section yet */
	int portshim_line;
	struct given given;        /* in the section at hand */
	struct draft *draft;       /* SECTION_RULE: its rule */
	struct draft *first, *last;
	uint32_t rules;
	const struct key *open;    /* the key whose lines are being collected; NULL: none, or none that counts */
	struct item *item;
	uint32_t items, room;
	bool bad_item;
	struct draft *bucket[BUCKETS];
};

/* sections.c: a section begins; the one before it ends, with the checks that need the whole of it. */
void reading_section(void *context, const char *name, bool good, int line);
void reading_section_end(struct reading *reading);

/* The rule of this name into the policy, unless the header was refused or the name is taken: then its keys are
 * still checked. */
void reading_rule(struct reading *reading, const char *name, bool good, int line);

/* collect.c: a line of a value, and a line that was refused. As read.h has it. */
void reading_value(void *context, const char *key, const char *value, int line, bool continued, bool more);
void reading_refused(void *context);

#endif
