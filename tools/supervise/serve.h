/* serve.h - taking notifications from the kernel and answering them.
 *
 * Theory of operation. Each of a few threads takes a notification, carries the call out and answers. The one that takes the
 * last free place of those who wait starts another, so that somebody always listens, even where calls wait for a port
 * (`exhausted = wait`) or standard error is slow; those who are too many end. Nothing is shared between two calls but what
 * client.h and hand.h keep. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_SERVE_H
#define PORTSHIM_TOOLS_SUPERVISE_SERVE_H

/* Serves `listener` for as long as this process lives. */
void serve(int listener, void *unused);

#endif
