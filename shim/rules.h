/* rules.h - what the table keeps of each rule: counters, and where its algorithm stands. */
#ifndef PORTSHIM_SHIM_RULES_H
#define PORTSHIM_SHIM_RULES_H

#include "table.h"

/* The number of the rule's entry, made if there is none; 0 is never given out. Of more rules than there is room for,
 * the one that was used last longest ago gives way. */
uint32_t rules_number(struct table *table, const struct rule *rule);

/* Notes that the entry is in use at `now` (clock_now()). */
void rules_use(struct table_rule *entry, uint64_t now);

#define RULE_PROTOCOLS_SHIFT 11 /* in table_rule.about */

struct table_rule *rules_entry(struct table *table, uint32_t number);

/* What is counted for `portshim status`. */
enum rule_counter { RULE_GIVEN, RULE_FAILURES, RULE_WAITS, RULE_DENIED, RULE_RETRIES };

/* One more. Nothing without a table. */
void rules_count(struct table *table, uint32_t number, enum rule_counter counter);

/* The rule's name, cut to what is kept; "" for an entry that is not used. */
void rules_name(const struct table_rule *entry, char name[RULE_NAME_SIZE]);

/* The port that came back last, in a space of lease.h: it is not to be the next while another is free. */
void rules_note_last(struct table *table, uint32_t number, unsigned int space, uint16_t port);

#endif
