/* ring.c - programs that ask for a ring. */
#include "tools/supervise/ring.h"

#include <errno.h>

#include "shim/log.h"

int ring_refuse(struct client *client)
{
	char words[256];
	struct text text = { .at = words, .size = sizeof(words) };

	if (log_wants(LOG_LEVEL_WARNING) && client_is_told(client, TOLD_NO_RING)) {
		log_begin(&text);
		text_add(&text, "io_uring is kept from it (ENOSYS): what is done that way would not be seen here");
		log_send(LOG_LEVEL_WARNING, &text);
	}
	return -ENOSYS;
}
