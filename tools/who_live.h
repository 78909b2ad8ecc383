/* who_live.h - who has a port now: the rows of all tables of this network namespace and the kernel's list, joined. */
#ifndef PORTSHIM_TOOLS_WHO_LIVE_H
#define PORTSHIM_TOOLS_WHO_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/snapshot.h"
#include "tools/table_file.h"

struct live {
	struct row row;
	char rule[RULE_NAME_SIZE]; /* "": none */
	char *program;             /* path of the executable if this user may know, else as in the row; NULL: not known */
	int64_t since;             /* when.h; 0: not known */
};

struct live_list {
	struct live *live;
	size_t n, room;
	int error;                 /* as in struct snapshot */
};

/* Who has ports lo to hi. `file`: the table; with `others` the tables of other users here as well, as far as this user may
 * look into them. EXIT_SUCCESS, or the code to exit with, the reason said. */
int live_find(struct live_list *list, const struct table_file *file, bool others, uint16_t lo, uint16_t hi);

void live_free(struct live_list *list);

#endif
