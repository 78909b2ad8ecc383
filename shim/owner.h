/* owner.h - who claims a port in the table: a process, so that others can tell whether it still lives.
 *
 * A process id alone is reused and means something else in another pid namespace; so an owner is the id, 16 bits of
 * the start time that /proc/PID/stat shows, and the number that the table has for the pid namespace. */
#ifndef PORTSHIM_SHIM_OWNER_H
#define PORTSHIM_SHIM_OWNER_H

#include <stdint.h>

#include "table.h"

#define OWNER_BITS 46
#define OWNER_MASK ((UINT64_C(1) << OWNER_BITS) - 1)

enum owner_life { OWNER_ALIVE, OWNER_DEAD, OWNER_UNKNOWN };

/* This process. Asked of the kernel once, and again in a child of fork(). Async-signal-safe; errno may change. */
uint64_t owner_self(struct table *table);

/* Another process, for which a supervisor makes claims. */
uint64_t owner_of(struct table *table, uint32_t pid);

/* True once in each process, for whoever comes first: a child of fork() or clone() is another. */
bool owner_is_new(void);

/* UNKNOWN: of a pid namespace that is not ours, or of one who could not tell who he is. In doubt about a process that
 * is there: ALIVE. */
enum owner_life owner_life(const struct table *table, uint64_t owner);

uint32_t owner_pid(uint64_t owner);

/* Whether the process id means something here. */
bool owner_is_here(const struct table *table, uint64_t owner);

#endif
