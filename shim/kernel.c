/* kernel.c - reading the kernel's settings. */
#define _GNU_SOURCE
#include "kernel.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "config/arena.h"
#include "config/locate.h"
#include "config/world.h"
#include "clock.h"

#define TIMESTAMPS_FILE "/proc/sys/net/ipv4/tcp_timestamps"
#define RESERVED_FILE "/proc/sys/net/ipv4/ip_local_reserved_ports"

/* Until the settings could be read, every port is taken early: that is right whatever they say. */
static const struct kernel unknown = { .ephemeral = { .lo = 1, .hi = 0 } };
static _Atomic(const struct kernel *) current = &unknown;
static _Atomic uint64_t read_again_at; /* CLOCK_MONOTONIC, ns */
static atomic_bool looked; /* at least one reading has ended */
static atomic_bool no_late, no_questions;

/* The next decimal number at or after *at, or -1 at the end. */
static int32_t next_number(const char **at)
{
	int32_t number = 0;

	while (**at && (**at < '0' || **at > '9'))
		++*at;
	if (!**at)
		return -1;
	for (; **at >= '0' && **at <= '9'; ++*at)
		number = number < 65536 ? number * 10 + (**at - '0') : 65536;
	return number;
}

/* "8080,9148-9150": numbers and ranges, as the kernel prints them. */
static void parse_reserved(struct kernel *kernel, const char *words)
{
	for (int32_t lo, hi; (lo = next_number(&words)) >= 0;) {
		hi = *words == '-' ? next_number(&words) : lo;
		for (int32_t port = lo; port <= hi && port <= 65535; port++)
			kernel->reserved[port / 64] |= UINT64_C(1) << port % 64;
	}
}

bool kernel_read(struct kernel *kernel)
{
	struct arena arena = { 0 };
	size_t length;
	int error;
	bool known = world_range(&kernel->ephemeral, &arena);
	const char *words = locate_read(&arena, RESERVED_FILE, &length, &error);

	if (words)
		parse_reserved(kernel, words);
	words = locate_read(&arena, TIMESTAMPS_FILE, &length, &error);
	kernel->no_timestamps = words && words[0] == '0';
	arena_free(&arena);
	return known;
}

static bool same(const struct kernel *a, const struct kernel *b)
{
	return a->no_timestamps == b->no_timestamps && a->ephemeral.lo == b->ephemeral.lo && a->ephemeral.hi == b->ephemeral.hi &&
	       memcmp(a->reserved, b->reserved, sizeof(a->reserved)) == 0;
}

/* Reads the settings; what is new is published, unless somebody else just did. */
static void renew(const struct kernel *old)
{
	struct kernel *kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (kernel == MAP_FAILED)
		return;
	if (!kernel_read(kernel) || same(kernel, old) ||
	    !atomic_compare_exchange_strong(&current, &old, kernel))
		munmap(kernel, sizeof(*kernel));
}

const struct kernel *kernel_known(void)
{
	if (!atomic_load_explicit(&looked, memory_order_acquire))
		return kernel_now();
	return atomic_load_explicit(&current, memory_order_acquire);
}

const struct kernel *kernel_now(void)
{
	const struct kernel *kernel = atomic_load_explicit(&current, memory_order_acquire);
	uint64_t again = atomic_load_explicit(&read_again_at, memory_order_relaxed);
	uint64_t now = clock_read(CLOCK_MONOTONIC_COARSE);

	if (!clock_is_due(now, again, SECOND) && atomic_load_explicit(&looked, memory_order_relaxed))
		return kernel;
	/* One thread reads; before the first reading has ended, all do. */
	if (atomic_compare_exchange_strong(&read_again_at, &again, now + SECOND) ||
	    !atomic_load_explicit(&looked, memory_order_relaxed)) {
		renew(kernel);
		atomic_store_explicit(&looked, true, memory_order_release);
	}
	return atomic_load_explicit(&current, memory_order_acquire);
}

bool kernel_reserves(const struct kernel *kernel, uint16_t port)
{
	return kernel->reserved[port / 64] >> port % 64 & 1;
}

bool kernel_takes_late(const struct kernel *kernel, uint16_t port)
{
	return port >= kernel->ephemeral.lo && port <= kernel->ephemeral.hi && !kernel_reserves(kernel, port) &&
	       !atomic_load_explicit(&no_late, memory_order_relaxed);
}

void kernel_forgo_late(void)
{
	atomic_store_explicit(&no_late, true, memory_order_relaxed);
}

void kernel_forgo_questions(void)
{
	kernel_forgo_late();
	atomic_store_explicit(&no_questions, true, memory_order_relaxed);
}

bool kernel_may_be_asked(void)
{
	return !atomic_load_explicit(&no_questions, memory_order_relaxed);
}
