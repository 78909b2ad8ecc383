/* message.h - what the tool says to its user: what, where, the next step; once, in a line on standard error. */
#ifndef PORTSHIM_TOOLS_MESSAGE_H
#define PORTSHIM_TOOLS_MESSAGE_H

#include <stdio.h>

/* As printf(3), without the newline. stderr is unbuffered: glibc and musl write the line as a whole. */
#define say_error(format, ...) fprintf(stderr, "portshim: " format "\n", ##__VA_ARGS__)
#define say_warning(format, ...) fprintf(stderr, "portshim: warning: " format "\n", ##__VA_ARGS__)

#endif
