/* way.h - what of a call's way into the kernel is decided by its rule and its kind alone.
 *
 * Asked by the calls themselves (decide.c, try.c, choice.c, assign.c) and by who explains beforehand what they will do. With
 * kernel_takes_late() they say how a port is taken: late, where the call shares and the kernel takes this port late; else
 * early, and then shared where the call shares and the processes have a table in common, exclusive where not. */
#ifndef PORTSHIM_SHIM_WAY_H
#define PORTSHIM_SHIM_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "config/policy.h"
#include "kernel.h"

/* Sends and listens that give no socket a port, whatever their arguments say. `call` is one bit of enum call, `flags` are
 * those of send(2). */
bool way_gives_none(uint8_t call, uint8_t protocol, int flags);

/* Whether a port that the rule gives to this call can serve connections to other destinations as well. */
bool way_shares(const struct rule *rule, const struct question *question);

/* Whether the kernel is handed the rule's whole set (choose = kernel), where the call can be late. */
bool way_kernel_picks(const struct rule *rule, const struct kernel *kernel);

/* What the call fails with when all ports are in use: what the kernel itself says when its ephemeral ports are used up. */
int way_used_up(uint8_t calls, uint8_t protocol);

#endif
