/* machine_systemd.h - what machine.c does besides where process 1 is systemd: a control group of its own, a container's
 * limits, and word when all is up. */
#ifndef PORTSHIM_TESTS_MACHINE_SYSTEMD_H
#define PORTSHIM_TESTS_MACHINE_SYSTEMD_H

#include <stdbool.h>

/* Before the machine starts: makes PLACE/groups, where the control groups are. A socket at PLACE/root/notify that
 * systemd tells when all is up. */
int systemd_prepare(const char *place);
/* In process 1: into a control group of its own, and with no way to change this machine's kernel. */
void systemd_contain(const char *place);
/* Becomes systemd, in the machine's root. */
void systemd_become(void);
/* Whether it said that all is up, within the deadline. */
bool systemd_is_up(int notify);
/* When all processes have ended: takes the control groups away. */
void systemd_clear(const char *place);

#endif
