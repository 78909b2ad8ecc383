/* hooks.h - how a hook is written.
 *
 * It is compiled under a name of its own and given the interposed one by an assembler label, so that libc's prototypes,
 * with their transparent unions, need not be matched. No function of this library calls a hooked name; the build checks
 * the symbols. errno is libc's where a call fails, and untouched where it succeeds. */
#ifndef PORTSHIM_SHIM_HOOKS_H
#define PORTSHIM_SHIM_HOOKS_H

#include "real.h"

#define EXPORT(label) __asm__(label) __attribute__((visibility("default")))

/* Another name of a hook of the same file: one of those that only 32-bit programs call, if they have _TIME_BITS=64. */
#ifdef TIME64_NAMES
#define ALSO_BY_TIME64(label, of)                                                                              \
	extern __typeof__(hook_##of) hook_##of##_time64 __asm__(label)                                         \
		__attribute__((alias(#of), visibility("default")))
#endif

#endif
