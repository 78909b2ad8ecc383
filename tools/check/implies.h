/* implies.h - whether what one rule asks for follows from what another asks for.
 *
 * Conservative: `true` is sure, `false` says nothing. Patterns are compared as words, or tried on words without wildcards. */
#ifndef PORTSHIM_TOOLS_CHECK_IMPLIES_H
#define PORTSHIM_TOOLS_CHECK_IMPLIES_H

#include <stdbool.h>

#include "config/policy.h"

/* Whether every process that `rule` concerns (program, command, cgroup, env, user, group) is one that `other` concerns. */
bool implies_process(const struct rule *rule, const struct rule *other);

/* Whether no process is concerned by both, as far as the names of their programs and users say. */
bool excludes_process(const struct rule *a, const struct rule *b);

/* Whether both ask the same of a process, word for word. */
bool same_process(const struct rule *a, const struct rule *b);

/* Whether every destination of this family that `target` covers is covered by `other`. */
bool implies_target(const struct target *target, const struct target *other, uint8_t family);

/* The families that a rule can match, its targets aside. */
uint8_t rule_families(const struct rule *rule);

/* The calls that a rule can match: a listen() has no destination. */
uint8_t rule_calls(const struct rule *rule);

/* Whether a pattern is the word itself. */
bool is_plain(const char *glob);

#endif
