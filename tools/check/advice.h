/* advice.h - what `portshim check` finds: errors of the policy, warnings and notes about it.
 *
 * Theory of operation. Data flows one way: a valid policy, where its words stand in the file (lines.h) and what the machine
 * says (machine.h) go into functions, one for each subject, which only add to a list of advice; check.c sorts it by line and
 * prints it. All but the last ask nothing themselves, so a test can tell them of any machine:
 *
 *   rules.c    the rules against each other: hidden ones, sets that overlap, UDP sockets between two rules;
 *   patterns.c a policy without rules, patterns that are like nothing;
 *   sets.c     each rule's set against the kernel's settings, and against what a set of that size can carry;
 *   taken.c    each rule's set against sockets, services and the table's counters;
 *   places.c   destinations and local addresses;
 *   files.c    programs and files that the policy names, and its own. */
#ifndef PORTSHIM_TOOLS_CHECK_ADVICE_H
#define PORTSHIM_TOOLS_CHECK_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/policy.h"
#include "tools/check/lines.h"
#include "tools/check/machine.h"

/* Notes are what somebody may want to know, and no reason to change anything: --strict leaves them alone. */
enum advice_kind { ADVICE_ERROR, ADVICE_WARNING, ADVICE_NOTE };

/* The checks by their stable names, which are words of portshim-check(1). */
#define ADVICE_CHECKS(X) \
	X(POLICY, "policy") X(HIDDEN_RULE, "hidden-rule") X(PORTS_OVERLAP, "ports-overlap") \
	X(UDP_FIRST_SEND, "udp-first-send") X(EPHEMERAL_OVERLAP, "ephemeral-overlap") \
	X(RESERVED_PORTS, "reserved-ports") X(KERNEL_CHOICE, "kernel-choice") \
	X(PRIVILEGED_PORTS, "privileged-ports") X(FEW_PORTS, "few-ports") X(LONG_COOLDOWN, "long-cooldown") \
	X(NAT_SHARING, "nat-sharing") X(HELD_PORTS, "held-ports") X(SERVICE_PORTS, "service-ports") \
	X(USED_UP, "used-up") X(NO_ROUTE, "no-route") X(NO_SOURCE, "no-source") X(NO_PROGRAM, "no-program") \
	X(NO_RULE, "no-rule") X(NO_MATCH, "no-match") \
	X(TABLE, "table") X(LOG_FILE, "log-file") X(AUDIT_FILE, "audit-file") X(POLICY_FILE, "policy-file")

#define ADVICE_ENTRY(name, word) CHECK_##name,
enum advice_check { ADVICE_CHECKS(ADVICE_ENTRY) ADVICE_CHECK_NAMES };
#undef ADVICE_ENTRY

const char *advice_check_word(enum advice_check check);

struct advice {
	enum advice_kind kind;
	int line;           /* 0: of no line */
	size_t number;      /* in the order in which they were found */
	enum advice_check check;
	char *rule;         /* NULL: of no rule */
	char *words;        /* what is the matter */
	char *fix;          /* what to do; NULL: the words say it */
};

struct advices {
	struct advice *advice;
	size_t n, room;
	size_t count[ADVICE_NOTE + 1];
};

/* All that a subject may look at. */
struct subject {
	const struct policy *policy;
	const struct lines *lines;
	const struct machine *machine;
	struct advices *found;
};

/* Adds one; words and fix are to be set by the caller, from memory_words(). `rule` NULL: of none. */
struct advice *advice_add(struct advices *found, enum advice_kind kind, int line, enum advice_check check,
                          const struct rule *rule);

/* By line, and within a line in the order in which they were found. */
void advice_sort(struct advices *found);
void advice_free(struct advices *found);

void check_rules(const struct subject *subject);
void check_patterns(const struct subject *subject);
void check_sets(const struct subject *subject);
void check_taken(const struct subject *subject);
void check_places(const struct subject *subject);
void check_files(const struct subject *subject, const char *policy_path);

#endif
