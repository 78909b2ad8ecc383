/* sibling.h - the library for programs of the other word size: 32-bit ones beside 64-bit ones.
 *
 * Theory of operation. LD_PRELOAD is inherited, and what is started may be of either word size. For "$LIB" in it each loader
 * puts a folder of its own (ld.so(8)): the one that it is in itself, less /usr. So BASE/$LIB/libportshim.so means the right
 * library to both, where both are below one BASE. Else a program of the other word size has none: its loader ignores what
 * LD_PRELOAD names, with a line on standard error. */
#ifndef PORTSHIM_TOOLS_SIBLING_H
#define PORTSHIM_TOOLS_SIBLING_H

#include <limits.h>
#include <stdbool.h>

#include "tools/elf_file.h"

/* The loader that programs of the other word size ask for; NULL where there is no other. */
extern const char *const sibling_loader;

/* Whether the file is for the other word size of this machine. */
bool sibling_is(const struct elf_file *elf);

/* Looks for the one beside `library`, a path without "$". If there is one: `preload` is what stands for both in LD_PRELOAD,
 * `path` the other's file, for programs that `sibling_loader` loads. False, and both empty, if there is none. */
bool sibling_find(const char *library, char preload[PATH_MAX], char path[PATH_MAX]);

/* Whether this loader, of a program of the other word size, puts the same for "$LIB" as `sibling_loader`. */
bool sibling_serves(const char *loader);

#endif
