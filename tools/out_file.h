/* out_file.h - a file that is there as a whole or not at all. */
#ifndef PORTSHIM_TOOLS_OUT_FILE_H
#define PORTSHIM_TOOLS_OUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

struct out_file {
	FILE *to;          /* written to by the caller */
	const char *named; /* as the user named it */
	char *path;        /* the file itself, if `named` is a link */
	char *temporary;   /* beside it until it is whole; NULL: written to directly (standard output, a pipe, a device) */
};

/* Begins to write what is to become the file `path`; NULL and "-" are standard output. False, with the reason said, if it cannot
 * be. */
bool out_begin(struct out_file *out, const char *path);

/* Puts it in its place, where whoever reads the old one goes on with that. With `whole` false, or where it could not be written
 * as a whole (said), the old file stays and nothing is left behind. Whether it is in its place. */
bool out_finish(struct out_file *out, bool whole);

#endif
