/* world.h - what a policy needs of the machine it is read on: the kernel's range, users and groups. */
#ifndef PORTSHIM_CONFIG_WORLD_H
#define PORTSHIM_CONFIG_WORLD_H

#include <stdbool.h>

#include "arena.h"
#include "policy.h"

/* net.ipv4.ip_local_port_range as it is now (ip(7)); false, and 1-0, where /proc does not tell. `arena` is scratch. */
bool world_range(struct port_range *range, struct arena *arena);

/* The rest, in `arena`, with `range` as it was read. Where it could not be (lo > hi), the kernel's own default stands for
 * it: 32768-60999. */
void world_read(struct policy_world *world, struct port_range range, struct arena *arena);

#endif
