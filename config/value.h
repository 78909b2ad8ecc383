/* value.h - what the keys' functions share. All give an error and return false where the words are refused. */
#ifndef PORTSHIM_CONFIG_VALUE_H
#define PORTSHIM_CONFIG_VALUE_H

#include "keys.h"

/* The text of a finding, begun with "KEY: 'WORDS' " (or "KEY: " where `words` is NULL); findings_add() makes it one. */
struct text *value_complain(struct taking *taking, const char *words);

/* "KEY: 'ITEM' WORDS" as an error of the item's line; always false. */
bool value_refuse(struct taking *taking, const struct item *item, const char *words);

/* Whether there is a blank in it: in a list of words and names a comma is missing then. */
bool value_has_blank(const struct item *item);

/* A copy in the policy; NULL (and taking->no_memory) when memory is out. */
const char *value_keep(struct taking *taking, const char *words);

/* One word of the key's into *value. */
bool value_word(struct taking *taking, const struct item *item, int *value);

/* Several, each of them a bit. */
bool value_bits(struct taking *taking, const struct item *item, uint32_t n, uint8_t *bits);

/* A word of the key's into *value, or an absolute path: then `path_value`, and the path into *path. */
bool value_word_or_path(struct taking *taking, const struct item *item, int path_value, int *value, const char **path);

/* The items as a list in the policy, each checked with value_is_glob or value_is_env. */
bool value_strings(struct taking *taking, const struct item *item, uint32_t n, struct string_list *list,
                   bool (*check)(struct taking *taking, const struct item *item));
bool value_is_glob(struct taking *taking, const struct item *item);
bool value_is_env(struct taking *taking, const struct item *item);

/* "0", "500ms", "30s", "2m", "1h" in milliseconds; NULL, or what is wrong and what to write instead. */
const char *value_duration(const char *words, uint64_t *ms);

#endif
