/* world.h - for the targets that make real calls: a network and a /dev/shm of their own, with servers on ports 5000 and 5001. */
#ifndef PORTSHIM_TESTS_FUZZ_WORLD_H
#define PORTSHIM_TESTS_FUZZ_WORLD_H

/* Ends the program where that cannot be had, or PORTSHIM_CONF does not name calls.conf. */
void world_make(void);

/* Takes and ends what connections there are. */
void world_hang_up(void);

#endif
