/* status.h - what /proc/PID/status says of a thread. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_STATUS_H
#define PORTSHIM_TOOLS_SUPERVISE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#define STATUS_ROOM 8192

struct status {
	char text[STATUS_ROOM];
};

/* False where it is gone. */
bool status_read(struct status *status, uint32_t tid);

/* The words behind "NAME:" in its line; "" if there is none. */
const char *status_words(const struct status *status, const char *name);

/* The number there, in the base that this field has. */
uint64_t status_number(const struct status *status, const char *name, int base);

/* One of the four numbers of "Uid" or "Gid". */
enum status_id { STATUS_REAL, STATUS_EFFECTIVE, STATUS_SAVED, STATUS_FILE_SYSTEM };
uint32_t status_id(const struct status *status, const char *name, enum status_id which);

#endif
