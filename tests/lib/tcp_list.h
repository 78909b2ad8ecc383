/* tcp_list.h - the kernel's list of TCP sockets, as /proc/net/tcp and tcp6 have it. For suites and probes. */
#ifndef PORTSHIM_TESTS_TCP_LIST_H
#define PORTSHIM_TESTS_TCP_LIST_H

#include <stdbool.h>
#include <stdio.h>

struct tcp_entry {
	unsigned int local, remote; /* ports */
	unsigned int state;         /* of netinet/tcp.h */
};

/* The next one of an open file; false at its end. */
static inline bool tcp_next(FILE *file, struct tcp_entry *entry)
{
	char line[512];

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " %*[^:]: %*[^:]:%x %*[^:]:%x %x", &entry->local, &entry->remote, &entry->state) == 3)
			return true;
	return false;
}

#endif
