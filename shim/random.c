/* random.c - the process's own source of random numbers. */
#define _GNU_SOURCE
#include "random.h"

#include <endian.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "own_page.h"

/* All zero again in a child of fork(). */
struct source {
	_Atomic uint64_t key[2];
	_Atomic uint64_t counter;
	_Atomic uint32_t seeded;
};

static struct source fallback; /* where no page can be had: a child's copy is the same, and its numbers differ by its pid */

static inline uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint64_t siphash(const uint64_t key[2], const void *data, size_t size)
{
	const unsigned char *at = data;
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575u,
		key[1] ^ 0x646f72616e646f6du,
		key[0] ^ 0x6c7967656e657261u,
		key[1] ^ 0x7465646279746573u,
	};
	uint64_t last = (uint64_t)size << 56;

	for (; size >= 8; at += 8, size -= 8) {
		uint64_t word;

		memcpy(&word, at, sizeof(word));
		sip_word(v, le64toh(word));
	}
	for (size_t i = 0; i < size; i++)
		last |= (uint64_t)at[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* getrandom through syscall(): libc's function is a cancellation point, and bind() is not. Early in a boot the
 * kernel may have no entropy yet; then the 16 bytes that exec was given and the clock must do. */
static void seed(struct source *s)
{
	uint64_t key[2] = { 0, 0 };

	if (syscall(SYS_getrandom, key, sizeof(key), GRND_NONBLOCK) != sizeof(key)) {
		const void *given = (const void *)getauxval(AT_RANDOM);
		struct timespec now;

		if (given)
			memcpy(key, given, sizeof(key));
		clock_gettime(CLOCK_MONOTONIC, &now);
		key[0] ^= (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec;
		key[1] ^= (uint64_t)getpid();
	}
	atomic_store_explicit(&s->key[0], key[0], memory_order_relaxed);
	atomic_store_explicit(&s->key[1], key[1], memory_order_relaxed);
	atomic_store_explicit(&s->seeded, 1, memory_order_release);
}

static struct source *source_get(void)
{
	static void *_Atomic source;
	struct source *page = own_page(&source, sizeof(struct source));

	return page ? page : &fallback;
}

uint64_t random_number(void)
{
	struct source *s = source_get();
	uint64_t key[2], count;

	if (!atomic_load_explicit(&s->seeded, memory_order_acquire))
		seed(s);
	key[0] = atomic_load_explicit(&s->key[0], memory_order_relaxed);
	key[1] = atomic_load_explicit(&s->key[1], memory_order_relaxed);
	if (s == &fallback)
		key[1] ^= (uint64_t)getpid();
	count = atomic_fetch_add_explicit(&s->counter, 1, memory_order_relaxed);
	return siphash(key, &count, sizeof(count));
}

uint32_t random_below(uint32_t limit)
{
	return (uint32_t)((random_number() >> 32) * limit >> 32);
}
