/* prune.h - removing tables that outlived their network namespaces. */
#ifndef PORTSHIM_TOOLS_PRUNE_H
#define PORTSHIM_TOOLS_PRUNE_H

#include <stdbool.h>

/* A table goes at the next boot, a network namespace whenever it likes: where namespaces come and go and /dev/shm is shared,
 * tables of 6.6 MB each would fill it. So where this user has more than a few, those that are older than ten minutes and
 * that no process has mapped, as far as this user can see, are removed. One that is removed in error is made anew by the
 * next process; who has it goes on with it. Says nothing: what fails is left to another time. */
void prune_tables(void);

/* The same where it was asked for, however few there are, for root those of all users; each that was removed is named on
 * standard output. False with the reason said. */
bool prune_now(void);

#endif
