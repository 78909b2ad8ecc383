/* keys.h - the keys of the format, in one table: name, section, kind of value, and the function that takes it. */
#ifndef PORTSHIM_CONFIG_KEYS_H
#define PORTSHIM_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "findings.h"
#include "policy.h"

enum section { SECTION_PORTSHIM = 1, SECTION_RULE = 2, SECTION_ANY = 3 };

/* In the order of the table. */
enum key_id {
	KEY_TABLE, KEY_LOG, KEY_LOG_TO, KEY_AUDIT,
	KEY_PROGRAM, KEY_COMMAND, KEY_USER, KEY_GROUP, KEY_CGROUP, KEY_ENV, KEY_CALL, KEY_PROTOCOL, KEY_FAMILY, KEY_TO,
	KEY_ACTION, KEY_PORTS, KEY_CHOOSE, KEY_SHARE, KEY_COOLDOWN, KEY_EXHAUSTED, KEY_EXPLICIT, KEY_SOURCE,
	KEYS
};

/* A word that a key knows as its value, or as the beginning of it. */
struct word {
	const char *name; /* NULL behind the last */
	int value;
};

/* One item of a list with the line it stands on, or a scalar's whole value. */
struct item {
	const char *words;
	int line;
};

struct taking;

struct key {
	const char *name;
	enum section section;
	bool list;
	const struct word *words; /* NULL: the key knows none */
	bool (*take)(struct taking *taking, const struct item *item, uint32_t n);
};

/* What the take functions work on: values go into `policy` or `rule`, memory that must stay comes from `arena`. */
struct taking {
	const struct policy_world *world;
	struct policy *policy;
	struct rule *rule;
	struct arena *arena, *scratch;
	struct findings *findings;
	const struct key *key;       /* the one being taken */
	struct ports_builder *ports; /* kept from rule to rule */
	bool no_memory;
};

/* All keys, KEYS of them, in the order in which they are documented. */
const struct key *keys_table(size_t *n);

/* The key of this name in a section (or any); NULL if there is none. */
const struct key *keys_find(enum section section, const char *name, size_t length);

/* Checks the items and stores what they say. False if they were refused: then errors have been given, or
 * taking->no_memory is set. */
bool keys_take(struct taking *taking, const struct key *key, const struct item *item, uint32_t n);

/* The take functions of the other files: identity.c. */
bool take_user(struct taking *taking, const struct item *item, uint32_t n);
bool take_group(struct taking *taking, const struct item *item, uint32_t n);

#endif
