/* reserve.h - the sysctl.d(5) file by which the kernel keeps a policy's ports from other programs.
 *
 * A port in net.ipv4.ip_local_reserved_ports is never given by the kernel itself, neither to a connect() nor to a bind()
 * to port 0; who names it may bind it, as portshim does. The setting is one list, and who writes it replaces all of it
 * (Documentation/networking/ip-sysctl.rst), so what is reserved already has to stand in the file as well. */
#ifndef PORTSHIM_TOOLS_RESERVE_H
#define PORTSHIM_TOOLS_RESERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/policy.h"
#include "shim/kernel.h"

/* One write(2) of the setting takes no more bytes than this, and the rest needs a second one on the same descriptor
 * (measured, tests/platform/reserved.c; a page less one). systemd-sysctl and busybox go on, sysctl(8) of procps does not. */
#define RESERVE_ONE_WRITE 4095

/* Whether the rule's ports are such as are reserved: those that it names by number, and not where it leaves the choice to
 * the kernel, which gives no reserved port. */
bool reserve_means(const struct rule *rule, const struct port_interval *interval);

/* The ports to be reserved for `policy`, a bit each; how many they are. Of these *missing (unless NULL) are not in `now`. */
uint32_t reserve_wanted(const struct policy *policy, const struct kernel *now, uint64_t ports[65536 / 64],
                        uint32_t *missing);

/* Prints the file: comments that say what is in it and why, and the one line. `name`: what the policy is called. Where
 * there is nothing to reserve, comments only. False, the reason said on standard error and nothing printed, where no port
 * of ip_local_port_range would remain for other programs. */
bool reserve_print(FILE *to, const struct policy *policy, const char *name, const struct kernel *now);

#endif
