/* rule_words.h - a rule's conditions and ports in the words of the policy, and what they were held against.
 *
 * Each returns memory to be freed. Long lists and long words are cut, and what comes from elsewhere is made fit for a
 * terminal. */
#ifndef PORTSHIM_TOOLS_RULE_WORDS_H
#define PORTSHIM_TOOLS_RULE_WORDS_H

#include "config/keys.h"
#include "config/policy.h"

/* "program": the key of one condition. */
const char *condition_key(enum condition condition);

/* Why a condition does not hold: "program = wget: the program is /usr/bin/curl". */
char *condition_words(const struct rule *rule, enum condition condition, const struct facts *facts,
                      const struct question *question);

/* What a condition asks: "1000 (ann), 1001 (ben)" of `user = ann, 1001`. */
char *wanted_words(const struct rule *rule, enum condition condition);

/* "20000-20049, 20051-20099" */
char *ports_words(const struct port_set *set);

/* "192.0.2.1:443", "[2001:db8::1]:443" */
char *endpoint_words(const struct endpoint *endpoint);

/* "192.0.2.1", "[2001:db8::1]" */
char *address_words(const struct ip_addr *addr);

/* "0 (root)" */
char *user_words(uint32_t user);

/* The word of a key for a value, as keys.c has it: key_word(KEY_CHOOSE, CHOOSE_RANDOM) is "random". */
const char *key_word(enum key_id key, int value);

/* The value of a word; false, and *value unchanged, if the key knows none of that name. */
bool key_value(enum key_id key, const char *name, int *value);

#endif
