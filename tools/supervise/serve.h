/* serve.h - taking notifications from the kernel and answering them.
 *
 * Theory of operation. Each of a few threads takes a notification, carries the call out and answers. The last of those who
 * wait for one, when it has got it, calls another to wait, so that somebody always listens, even where calls wait for a port
 * (`exhausted = wait`) or standard error is slow. Those who are too many rest until they are called: did they wait as well,
 * each notification would wake them all. Nothing is shared between two calls but what client.h and hand.h keep. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_SERVE_H
#define PORTSHIM_TOOLS_SUPERVISE_SERVE_H

/* Serves `listener` for as long as this process lives. */
void serve(int listener, void *unused);

#endif
