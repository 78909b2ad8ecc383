/* tables.h - the tables of all users and network namespaces, as far as this user may look into them. */
#ifndef PORTSHIM_TOOLS_TABLES_H
#define PORTSHIM_TOOLS_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct tables {
	char **path;   /* by name */
	size_t n, room;
};

/* Files in /dev/shm that `table = auto` stands for, of this version. Those that policies name elsewhere are not found. */
void tables_find(struct tables *tables);
/* How many of them are of other users than this. */
size_t tables_of_others(const struct tables *tables, uint32_t user);
void tables_free(struct tables *tables);

#endif
