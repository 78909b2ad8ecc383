/* append.h - a line at the end of a file, inside somebody else's program.
 *
 * Whatever the file turns out to be, the program is to notice nothing: no signal (SIGPIPE of a pipe whose reader has gone,
 * SIGXFSZ at the limit on files, SIGTTOU of a terminal) and no wait, as far as the kernel can be told so: a network file
 * system that does not answer makes every write wait. No cancellation point; async-signal-safe. errno may change. */
#ifndef PORTSHIM_SHIM_APPEND_H
#define PORTSHIM_SHIM_APPEND_H

#include <stddef.h>

/* Writes the bytes to `fd`, in one write(2) unless the kernel takes a part of them only. 0 or -errno (-EFBIG: they would
 * pass RLIMIT_FSIZE, and none is written); how many came there in *done. */
int append_to(int fd, const char *bytes, size_t length, size_t *done);

/* The same at the end of the file `path`, which is made (0600) if there is none, opened for these bytes alone and never by
 * a symbolic link. */
int append_line(const char *path, const char *bytes, size_t length, size_t *done);

#endif
