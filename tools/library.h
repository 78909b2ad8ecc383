/* library.h - libportshim.so as `run` needs it: found, fit to be preloaded, and proved to be in;
 * for programs of both word sizes, if both are there. */
#ifndef PORTSHIM_TOOLS_LIBRARY_H
#define PORTSHIM_TOOLS_LIBRARY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct library {
	char path[PATH_MAX];    /* the file for programs of this one's word size */
	char other[PATH_MAX];   /* the file for those of the other, see sibling.h; "" if there is none beside it */
	char preload[PATH_MAX]; /* what stands for them in LD_PRELOAD */
};

/* Finds the library with no setting needed: beside this program's own file, else in LIBDIR, else in ../lib
 * from there; checks that it is a shared object for this machine and that LD_PRELOAD can name its path. False
 * with the reason said. */
bool library_find(struct library *library);

/* The value of LD_PRELOAD that has `path` and keeps what `present` (may be NULL) names: the library comes first, but behind
 * those whose own connections it would not see there, and is named once: two of them in one process would each want to
 * decide. To be freed; NULL when memory is out. */
char *library_preload_list(const char *path, const char *present);

/* Puts the library into LD_PRELOAD of this process's environment. False with the reason said. */
bool library_preload(const struct library *library);

/* Whether /etc/ld.so.preload names the library: then it is in every program, whoever starts it. */
bool library_is_everywhere(void);

/* Starts this program once more in the environment as it is now and asks it whether the library is in. False
 * with the loader's reason said; a warning where the library is of another version. */
bool library_prove(const struct library *library);

/* The same for the other word size: its loader, the one that a program asks for, is asked to list what it would load. Where
 * the kernel does not start such a loader, no such program starts either, and nothing is to be proved. */
bool library_prove_other(const struct library *library, const char *loader);

/* The argument that library_prove() starts this program with, and what main() then does: one line on
 * standard output if the library is loaded. */
#define LIBRARY_REPORT "--report-library"
int library_report(void);

#endif
