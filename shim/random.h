/* random.h - numbers that nobody outside the process can foretell, without a system call each.
 *
 * A keyed hash (SipHash-1-3; Aumasson and Bernstein, 2012) over a counter. The key comes from getrandom(2) once a
 * process and lies in a page that fork(2) wipes (MADV_WIPEONFORK), so that parent and child, which would
 * otherwise go on with one sequence, never propose the same ports in the same order. Async-signal-safe. */
#ifndef PORTSHIM_SHIM_RANDOM_H
#define PORTSHIM_SHIM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const void *data, size_t size);

/* Mixes a number: different ones stay different, and look alike no more (the finalizer of splitmix64, Steele and others,
 * 2014). No secret by itself. */
static inline uint64_t random_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t random_number(void);

/* 0 <= result < limit, for a limit of at most 2^32; the bias is below limit / 2^32. */
uint32_t random_below(uint32_t limit);

#endif
