/* pools.c - the rules of the soak: every way to give a port, wide pools and such as are always full. */
#include "soak.h"

#include <stdio.h>
#include <string.h>

const struct pool pools[] = {
	/* The first two decide before any with a destination could. */
	{ .name = "binders", .keys = "program = " BINDER "\ncall = bind", .server = 5014, .kind = KIND_UDP, .lo = 20800, .hi = 20831,
	  .binders = true },
	{ .name = "listeners", .keys = "call = listen\nchoose = least-recent", .kind = KIND_LISTEN, .lo = 20900, .hi = 20931 },
	{ .name = "early", .keys = "choose = random", .server = 5001, .lo = 20000, .hi = 20063 },
	{ .name = "late", .keys = "choose = double-hash", .server = 5002, .lo = 40100, .hi = 40163 },
	{ .name = "alone", .keys = "share = never\nchoose = least-recent\ncooldown = 100ms", .server = 5003, .lo = 20100, .hi = 20163 },
	{ .name = "small", .keys = "choose = hash", .server = 5004, .lo = 20200, .hi = 20207 },
	{ .name = "waiting", .keys = "choose = sequential\nexhausted = wait 200ms", .server = 5005, .lo = 20210, .hi = 20217 },
	{ .name = "stable", .keys = "choose = stable", .server = 5006, .lo = 20300, .hi = 20363 },
	{ .name = "kernel", .keys = "choose = kernel", .server = 5007, .lo = 40200, .hi = 40263 },
	{ .name = "holed", .keys = "choose = random-increments", .server = 5008, .lo = 20400, .hi = 20449, .hole = 20410 },
	{ .name = "moved", .keys = "choose = random", .server = 5009, .lo = 20500, .hi = 20563, .other_lo = 20600, .other_hi = 20663 },
	{ .name = "datagrams", .keys = "choose = random", .server = 5010, .kind = KIND_UDP, .lo = 20700, .hi = 20763 },
	{ .name = "late-datagrams", .keys = "choose = least-recent", .server = 5011, .kind = KIND_UDP, .lo = 40300, .hi = 40331 },
	{ .name = "few-datagrams", .keys = "choose = hash", .server = 5012, .kind = KIND_UDP, .lo = 20770, .hi = 20777 },
	{ .name = "moved-datagrams", .keys = "choose = sequential", .server = 5013, .kind = KIND_UDP, .lo = 21000, .hi = 21063,
	  .other_lo = 21100, .other_hi = 21163 },
};

const int n_pools = sizeof(pools) / sizeof(pools[0]);

bool pool_has(const struct pool *pool, int port)
{
	return (port >= pool->lo && port <= pool->hi && port != pool->hole) ||
	       (pool->other_lo && port >= pool->other_lo && port <= pool->other_hi);
}

int pool_size(const struct pool *pool)
{
	return pool->hi - pool->lo + 1 - (pool->hole != 0);
}

void pools_policy(char *to, size_t size, bool other)
{
	size_t length = (size_t)snprintf(to, size, "[portshim]\nlog = error\n");

	for (int i = 0; i < n_pools; i++) {
		const struct pool *pool = &pools[i];
		bool moves = other && pool->other_lo;
		char to_server[64] = "", hole[32] = "";

		if (pool->server && !pool->binders)
			snprintf(to_server, sizeof(to_server), "protocol = %s\nto = *:%d\n", pool->kind == KIND_TCP ? "tcp" : "udp",
			         pool->server);
		if (pool->hole)
			snprintf(hole, sizeof(hole), ", !%d", pool->hole);
		length += (size_t)snprintf(to + length, size - length, "[rule %s]\n%sports = %d-%d%s\n%s\n", pool->name, to_server,
		                           moves ? pool->other_lo : pool->lo, moves ? pool->other_hi : pool->hi, hole, pool->keys);
	}
}
