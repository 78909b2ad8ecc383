/* real.h - the functions of the next library in the chain (libc's own, as a rule).
 *
 * Everything in shim/ and config/ that needs an interposed function calls it as real.NAME: a hook never
 * calls a hooked name. The pointers are never NULL: before the resolver has run they lead to functions that
 * run it, and while it runs, to raw system calls. */
#ifndef PORTSHIM_SHIM_REAL_H
#define PORTSHIM_SHIM_REAL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

struct real {
#define HOOK(result, name, parameters, arguments, raw) result(*name) parameters;
#include "hooks.def"
};

extern struct real real;

/* Whether libtirpc is among the libraries that the program was started with, whose bindresvport() is of both
 * families. */
bool real_has_libtirpc(void);

/* Finds the next definitions (dlsym, RTLD_NEXT). Called from the constructor; may be called again. */
void real_resolve(void);

/* For the supervisor: from here on each is the system call itself, whatever libraries there are (this one may be among
 * them, by /etc/ld.so.preload). */
void real_stay_raw(void);

#endif
