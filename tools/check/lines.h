/* lines.h - where the keys of a valid policy stand in its file, and the items of its lists. */
#ifndef PORTSHIM_TOOLS_CHECK_LINES_H
#define PORTSHIM_TOOLS_CHECK_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "config/keys.h"

struct lines {
	int portshim[KEYS];      /* of [portshim]; 0: not given */
	int (*rule)[KEYS];       /* of each rule, in file order */
	size_t rules, room;
	struct item_line *item;  /* of `to` and of lists of patterns: items that are advised on one by one */
	size_t items, items_room;
};

struct item_line {
	uint32_t rule, index;
	enum key_id key;
	int line;
};

/* Reads a text once more of which policy_read() found nothing wrong. NULL: there is none; then every line is 0. */
void lines_read(struct lines *lines, const char *text, size_t length);
void lines_free(struct lines *lines);

/* The key's line in the rule of that number; where it is not given, that of `otherwise`, the rule's first one. */
int lines_of(const struct lines *lines, size_t rule, enum key_id key, int otherwise);

/* That of the item of that index in the key's list. */
int lines_of_item(const struct lines *lines, size_t rule, enum key_id key, uint32_t index, int otherwise);

#endif
