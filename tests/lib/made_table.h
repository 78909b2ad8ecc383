/* made_table.h - tables made for a test, in memory or in a file, with rules of the test's own. */
#ifndef PORTSHIM_TESTS_MADE_TABLE_H
#define PORTSHIM_TESTS_MADE_TABLE_H

#include <criterion/criterion.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/lease.h"
#include "shim/rules.h"

/* Of no network namespace in particular. */
static inline void made_header(struct table *table)
{
	atomic_store(&table->magic, TABLE_MAGIC);
	atomic_store(&table->layout, TABLE_LAYOUT);
	atomic_store(&table->netns, 0);
	atomic_store(&table->key[0], 1);
	atomic_store(&table->key[1], 2);
	atomic_store(&table->ready, 1);
}

static inline struct table *made_mapping(int flags, int fd)
{
	struct table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, flags, fd, 0);
	cr_assert(table != MAP_FAILED);
	made_header(table);
	return table;
}

static inline struct table *table_in_memory(void)
{
	return made_mapping(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static inline struct table *table_in_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cr_assert(fd >= 0, "%s", path);
	cr_assert_eq(ftruncate(fd, sizeof(struct table)), 0);
	struct table *table = made_mapping(MAP_SHARED, fd);
	close(fd);
	return table;
}

/* The number of a rule's entry; the set is `intervals` intervals. */
static inline uint32_t made_rule(struct table *table, const char *name, uint64_t cooldown_ms,
                                 const struct port_interval *interval, uint32_t intervals)
{
	struct rule rule = {
		.name = name,
		.id = strlen(name) + (uint64_t)(unsigned char)name[0] * 1000,
		.protocols = PROTOCOL_ANY,
		.cooldown_ms = cooldown_ms,
		.ports = { .interval = interval, .intervals = intervals },
	};
	for (uint32_t i = 0; i < intervals; i++)
		rule.ports.count += (uint32_t)(interval[i].hi - interval[i].lo) + 1;
	return rules_number(table, &rule);
}

#define PORTS(from, to) (const struct port_interval[]){ { .lo = (from), .hi = (to) } }, 1

/* 127.0.0.N:PORT. */
static inline struct endpoint local_endpoint(uint8_t n, uint16_t port)
{
	return (struct endpoint){ .addr = { .lo = 0x7f000000U + n, .family = FAMILY_IPV4 }, .port = port };
}

/* A claim that must be made; `to` NULL: exclusive. */
static inline struct lease made_claim(struct table *table, uint8_t protocol, const struct endpoint *to, uint16_t port,
                                      uint32_t rule)
{
	struct peer peer;
	struct lease lease;
	peer_make(&peer, table, protocol, to, NULL);
	cr_assert_eq(lease_claim(table, &peer, port, rule, NULL, &lease), CLAIM_MADE);
	return lease;
}

static inline struct lease made_hold(struct table *table, uint8_t protocol, const struct endpoint *to, uint16_t port,
                                     uint32_t rule)
{
	struct lease lease = made_claim(table, protocol, to, port, rule);
	lease_hold(table, &lease);
	return lease;
}

/* Bytes that nobody chose but the seed, behind a header that is in order. */
static inline void made_random(struct table *table, uint64_t seed)
{
	uint64_t *word = (uint64_t *)table;
	for (size_t i = 0; i < sizeof(*table) / sizeof(*word); i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		word[i] = seed ^ seed >> 29;
	}
	made_header(table);
}

#endif
