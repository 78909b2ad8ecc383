/* report.h - what is logged of assignments, refusals and sets that are used up. */
#ifndef PORTSHIM_SHIM_REPORT_H
#define PORTSHIM_SHIM_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/policy.h"

/* "tcp" ..., for one bit of enum protocol. */
const char *report_protocol(uint8_t protocol);

/* At `log = info`: "rule R: tcp port 20017 to 192.0.2.1:443 (late)". errno is kept. */
void report_assigned(const struct rule *rule, const struct question *question, uint16_t port, bool late);

/* At `log = info`: the rule refuses the call. */
void report_denied(const struct rule *rule, const struct question *question);

/* At `log = warning`: no port of the rule's could be had; `forbidden` of them need a capability. */
void report_used_up(const struct rule *rule, const struct question *question, uint32_t forbidden);

#endif
