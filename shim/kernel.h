/* kernel.h - what the kernel's settings say now of local ports, read at most once a second.
 *
 * Theory of operation. Which way a TCP port is taken (bind.h) depends on net.ipv4.ip_local_port_range and
 * ip_local_reserved_ports. Reading them costs some 10 us, so a reading holds for a second. A reading is an immutable
 * object behind an atomic pointer; a changed one replaces it, and the old stays mapped, since another thread may be
 * using it (8 KiB for each change that an administrator makes). Nothing here waits for anything: of several threads
 * one reads again, the others go on with what is there. */
#ifndef PORTSHIM_SHIM_KERNEL_H
#define PORTSHIM_SHIM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "config/ports.h"

struct kernel {
	struct port_range ephemeral; /* ip_local_port_range; 1..0 where it cannot be read */
	bool no_timestamps;          /* tcp_timestamps = 0: then no connection in TIME_WAIT is taken over */
	uint64_t reserved[65536 / 64]; /* ip_local_reserved_ports, a bit for each port */
};

/* What was read last, however long ago; read now if nothing was. Never NULL. Async-signal-safe; errno may change. */
const struct kernel *kernel_known(void);

/* The same, no older than a second: for who is about to rely on it. Programs whose ports are all outside the range never
 * come here, and so may shut themselves off from /proc. */
const struct kernel *kernel_now(void);

/* Reads them into *kernel, of zeros, for who is in another network namespace for a moment. False where they cannot be read. */
bool kernel_read(struct kernel *kernel);

bool kernel_reserves(const struct kernel *kernel, uint16_t port);

/* Whether the kernel can be told to take this port inside connect() (IP_LOCAL_PORT_RANGE): the late way. */
bool kernel_takes_late(const struct kernel *kernel, uint16_t port);

/* No port is taken late from here on: setsockopt said that it has no IP_LOCAL_PORT_RANGE (before Linux 6.3), what is read
 * here need not be what holds for a socket, or the settings may not be read again. */
void kernel_forgo_late(void);

/* The process shuts itself off: from here on it may be killed for opening files or odd sockets. Nothing is asked any more
 * that can be done without. */
void kernel_forgo_questions(void);
bool kernel_may_be_asked(void);

#endif
