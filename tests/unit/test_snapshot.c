/* test_snapshot.c - what `portshim status` makes of a table and of a list of sockets that the test chose. */
#include <criterion/criterion.h>

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "shim/clock.h"
#include "tests/lib/made_table.h"
#include "tools/map.h"
#include "tools/snapshot.h"

enum { TCP_BOUND_ONLY = 13 };

static struct snapshot shown;
static const struct sockets nothing;

static void forget(void)
{
	snapshot_free(&shown);
}

TestSuite(snapshot, .fini = forget, .timeout = 60);

/* A socket of the kernel's; `to` NULL: it has no destination. */
static struct asked socket_at(uint8_t state, uint16_t port, const struct endpoint *to)
{
	struct asked asked = { .protocol = PROTOCOL_TCP, .state = state, .inode = 4026531000U + port };
	asked.local = to ? local_endpoint(1, port) : (struct endpoint){ .addr.family = FAMILY_IPV4, .port = port };
	if (to)
		asked.remote = *to;
	if (state == TCP_TIME_WAIT)
		asked.inode = 0;
	return asked;
}

#define LIST(...) (const struct sockets){                                               \
		.socket = (struct asked[]){ __VA_ARGS__ },                              \
		.n = sizeof((struct asked[]){ __VA_ARGS__ }) / sizeof(struct asked) }

static void show(const struct table *table, struct sockets sockets, const char *rule)
{
	struct cells cells;
	forget();
	cells_look(&cells, table);
	cells_look_again(&cells, table);
	sockets_sort(&sockets);
	snapshot_make(&shown, table, &cells, &sockets, &sockets, rule);
	cells_free(&cells);
}

/* The only row. */
static const struct row *only(void)
{
	cr_assert_eq(shown.rows, 1, "%zu rows", shown.rows);
	return &shown.row[0];
}

#define EXPECT_FIGURES(index, ports_, in_use_, cooling_) do {                                  \
	const struct shown_rule *rule_ = &shown.rule[index];                                   \
	cr_assert_lt((size_t)(index), shown.rules);                                            \
	cr_expect_eq(rule_->ports, ports_, "%u ports", rule_->ports);                          \
	cr_expect_eq(rule_->in_use, in_use_, "%u in use", rule_->in_use);                      \
	cr_expect_eq(rule_->cooling, cooling_, "%u cooling", rule_->cooling);                  \
} while (0)

Test(snapshot, an_empty_table_has_nothing)
{
	show(table_in_memory(), nothing, NULL);
	cr_expect_eq(shown.rows, 0);
	cr_expect_eq(shown.rules, 0);
}

Test(snapshot, held_is_what_the_kernel_has_too)
{
	struct table *table = table_in_memory();
	const struct endpoint to = local_endpoint(9, 443);
	made_hold(table, PROTOCOL_TCP, &to, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	show(table, LIST(socket_at(TCP_ESTABLISHED, 20000, &to)), NULL);
	const struct row *row = only();
	cr_expect_eq(row->state, ROW_HELD);
	cr_expect_eq(row->socket, TCP_ESTABLISHED);
	cr_expect_eq(row->protocol, PROTOCOL_TCP);
	cr_expect_eq(row->local.port, 20000);
	cr_expect_eq(row->local.addr.lo, 0x7f000001);
	cr_expect_eq(row->to.port, 443);
	cr_expect_eq(row->to.addr.lo, 0x7f000009);
	cr_expect_str_eq(shown.rule[row->rule].name, "web");
	cr_expect(row->since_known && row->since_ms < 10000);
	EXPECT_FIGURES(0, 10, 1, 0);
}

/* A rule for TCP has nothing to do with datagrams on the same ports. */
Test(snapshot, other_protocols_are_not_the_rules)
{
	struct table *table = table_in_memory();
	const struct endpoint to = local_endpoint(9, 443);
	uint32_t number = made_rule(table, "web", 0, PORTS(20000, 20009));
	struct asked datagram = socket_at(TCP_CLOSE, 20003, NULL);
	atomic_store(&table->rule[number].about, 1u << 16 | PROTOCOL_TCP << RULE_PROTOCOLS_SHIFT);
	datagram.protocol = PROTOCOL_UDP;
	show(table, LIST(datagram, socket_at(TCP_ESTABLISHED, 20000, &to)), NULL);
	cr_expect_eq(only()->protocol, PROTOCOL_TCP);
	EXPECT_FIGURES(0, 10, 1, 0);
}

/* An edited rule is another entry: the old one is not shown beside it, unless something still is its. */
Test(snapshot, a_rule_that_was_changed_is_shown_once)
{
	struct table *table = table_in_memory();
	const struct port_interval interval = { .lo = 20000, .hi = 20009 };
	struct rule rule = { .name = "web", .id = 7, .protocols = PROTOCOL_ANY, .ports = { &interval, 1, 10, false } };
	uint32_t old = rules_number(table, &rule), changed;
	rules_use(rules_entry(table, old), SECOND);
	rule.id = 8;
	changed = rules_number(table, &rule);
	rules_use(rules_entry(table, changed), 100 * SECOND);
	show(table, nothing, NULL);
	cr_assert_eq(shown.rules, 1);
	cr_expect_eq(shown.rule[0].number, changed);
	made_claim(table, PROTOCOL_UDP, NULL, 20001, old);
	show(table, nothing, NULL);
	cr_expect_eq(shown.rules, 2);
}

Test(snapshot, held_without_a_socket_is_stale)
{
	struct table *table = table_in_memory();
	const struct endpoint to = local_endpoint(9, 443), other = local_endpoint(9, 444);
	made_hold(table, PROTOCOL_TCP, &to, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	show(table, nothing, NULL);
	cr_expect_eq(only()->state, ROW_STALE);
	cr_expect_eq(only()->socket, 0);
	EXPECT_FIGURES(0, 10, 0, 0);
	show(table, LIST(socket_at(TCP_ESTABLISHED, 20000, &other)), NULL);
	cr_assert_eq(shown.rows, 2);
	cr_expect_eq(shown.row[0].state, ROW_STALE);
	cr_expect_eq(shown.row[1].state, ROW_OUTSIDE);
	cr_expect_eq(shown.row[1].to.port, 444);
	EXPECT_FIGURES(0, 10, 1, 0);
}

Test(snapshot, of_what_the_kernel_does_not_tell_nothing_is_stale)
{
	struct table *table = table_in_memory();
	made_hold(table, PROTOCOL_SCTP, NULL, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	show(table, (struct sockets){ .unknown = PROTOCOL_SCTP }, NULL);
	cr_expect_eq(only()->state, ROW_HELD);
	cr_expect_eq(shown.error, 0);
	show(table, (struct sockets){ .unknown = PROTOCOL_ANY, .error = -1 }, NULL);
	cr_expect_eq(shown.error, -1);
}

Test(snapshot, claimed_is_in_use)
{
	struct table *table = table_in_memory();
	const struct endpoint to = local_endpoint(9, 443);
	made_claim(table, PROTOCOL_TCP, &to, 20003, made_rule(table, "web", 0, PORTS(20000, 20009)));
	show(table, nothing, NULL);
	cr_expect_eq(only()->state, ROW_CLAIMED);
	EXPECT_FIGURES(0, 10, 1, 0);
	show(table, LIST(socket_at(TCP_BOUND_ONLY, 20003, NULL)), NULL); /* between bind() and connect() */
	cr_expect_eq(only()->state, ROW_CLAIMED);
	cr_expect_eq(only()->socket, TCP_BOUND_ONLY);
}

Test(snapshot, a_claim_of_the_dead_is_stale)
{
	struct table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(table != MAP_FAILED);
	made_header(table);
	uint32_t rule = made_rule(table, "web", 0, PORTS(20000, 20009));
	pid_t child = fork();
	if (child == 0) {
		made_claim(table, PROTOCOL_TCP, NULL, 20003, rule);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
	show(table, nothing, NULL);
	cr_expect_eq(only()->state, ROW_STALE);
	snapshot_who(&shown, table);
	cr_expect_eq(only()->pid, (uint32_t)child);
	cr_expect_str_empty(only()->program);
}

Test(snapshot, taken_is_shown_when_the_kernel_says_so)
{
	struct table *table = table_in_memory();
	struct lease lease = made_claim(table, PROTOCOL_TCP, NULL, 20003,
	                                made_rule(table, "web", 0, PORTS(20000, 20009)));
	lease_taken(table, &lease);
	show(table, nothing, NULL);
	cr_expect_eq(shown.rows, 0);
	show(table, LIST(socket_at(TCP_LISTEN, 20003, NULL)), NULL);
	cr_expect_eq(only()->state, ROW_OUTSIDE);
}

Test(snapshot, outside_are_sockets_in_a_set_without_a_cell)
{
	struct table *table = table_in_memory();
	made_rule(table, "web", 0, PORTS(20000, 20009));
	show(table, LIST(socket_at(TCP_LISTEN, 20009, NULL), socket_at(TCP_LISTEN, 20010, NULL)), NULL);
	const struct row *row = only();
	cr_expect_eq(row->state, ROW_OUTSIDE);
	cr_expect_eq(row->local.port, 20009);
	cr_expect_eq(row->socket, TCP_LISTEN);
	cr_expect_eq(row->to.addr.family, 0);
	cr_expect_not(row->since_known);
	EXPECT_FIGURES(0, 10, 1, 0);
}

Test(snapshot, time_wait_with_and_without_a_cell)
{
	struct table *table = table_in_memory();
	const struct endpoint to = local_endpoint(9, 443);
	uint32_t rule = made_rule(table, "web", 0, PORTS(20000, 20009));
	made_hold(table, PROTOCOL_TCP, NULL, 20000, rule);
	struct asked orphan = socket_at(TCP_FIN_WAIT2, 20002, &to);
	orphan.inode = 0;
	show(table, LIST(socket_at(TCP_TIME_WAIT, 20000, &to), socket_at(TCP_TIME_WAIT, 20001, &to), orphan), NULL);
	cr_assert_eq(shown.rows, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_eq(shown.row[i].state, ROW_TIME_WAIT);
		cr_expect_eq(shown.row[i].to.port, 443);
	}
	EXPECT_FIGURES(0, 10, 3, 0);
}

Test(snapshot, an_exclusive_cell_has_all_sockets_of_its_port)
{
	struct table *table = table_in_memory();
	const struct endpoint client = local_endpoint(9, 50000);
	made_hold(table, PROTOCOL_TCP, NULL, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	show(table, LIST(socket_at(TCP_TIME_WAIT, 20000, &client), socket_at(TCP_ESTABLISHED, 20000, &client),
	                 socket_at(TCP_LISTEN, 20000, NULL)), NULL);
	cr_expect_eq(only()->state, ROW_HELD);
	cr_expect_eq(only()->socket, TCP_LISTEN);
	EXPECT_FIGURES(0, 10, 1, 0);
}

Test(snapshot, one_port_to_two_destinations_is_one_port_in_use)
{
	struct table *table = table_in_memory();
	const struct endpoint one = local_endpoint(9, 443), other = local_endpoint(8, 443);
	uint32_t rule = made_rule(table, "web", 0, PORTS(20000, 20009));
	made_hold(table, PROTOCOL_TCP, &one, 20000, rule);
	made_hold(table, PROTOCOL_TCP, &other, 20000, rule);
	show(table, LIST(socket_at(TCP_ESTABLISHED, 20000, &one), socket_at(TCP_ESTABLISHED, 20000, &other)), NULL);
	cr_expect_eq(shown.rows, 2);
	EXPECT_FIGURES(0, 10, 1, 0);
}

Test(snapshot, cooling_are_ports_that_came_back_within_the_cooldown)
{
	struct table *table = table_in_memory();
	const struct endpoint to = local_endpoint(9, 443);
	uint32_t rule = made_rule(table, "web", 60000, PORTS(20000, 20009));
	made_rule(table, "db", 0, PORTS(20000, 20009));
	struct lease lease = made_hold(table, PROTOCOL_TCP, &to, 20000, rule);
	lease_release(table, &lease);
	made_hold(table, PROTOCOL_TCP, &to, 20001, rule);
	lease_touch(table, PROTOCOL_UDP, 20002, clock_now() + 3600 * SECOND); /* nonsense is not negative */
	lease_touch(table, PROTOCOL_TCP, 20003, clock_now() - clock_now() / 2);
	show(table, LIST(socket_at(TCP_ESTABLISHED, 20001, &to)), NULL);
	cr_expect_str_eq(shown.rule[0].name, "db");
	EXPECT_FIGURES(0, 10, 1, 0);
	EXPECT_FIGURES(1, 10, 1, clock_now() / 2 < 60 * SECOND ? 3U : 2U);
}

/* What the first look saw and the second did not is neither stale nor somebody else's. */
Test(snapshot, what_comes_and_goes_meanwhile_is_no_finding)
{
	struct table *table = table_in_memory();
	const struct endpoint to = local_endpoint(9, 443);
	uint32_t rule = made_rule(table, "web", 0, PORTS(20000, 20009));
	struct lease going = made_hold(table, PROTOCOL_TCP, &to, 20000, rule);
	struct lease kept = made_hold(table, PROTOCOL_TCP, &to, 20005, rule);
	struct lease held = made_claim(table, PROTOCOL_TCP, &to, 20006, rule);
	const struct sockets sockets = LIST(socket_at(TCP_ESTABLISHED, 20000, &to),
	                                    socket_at(TCP_ESTABLISHED, 20005, &to),
	                                    socket_at(TCP_ESTABLISHED, 20007, &to));
	struct cells cells;
	cells_look(&cells, table);
	lease_release(table, &going);
	made_hold(table, PROTOCOL_TCP, &to, 20001, rule);
	lease_hold(table, &held);
	cells_look_again(&cells, table);
	snapshot_make(&shown, table, &cells, &sockets, &nothing, NULL); /* 20007 came and went between the looks */
	cells_free(&cells);
	cr_expect(kept.cell);
	cr_assert_eq(shown.rows, 3);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(shown.row[i].state, ROW_HELD);
	cr_expect_eq(shown.row[0].local.port, 20001);
}

Test(snapshot, one_rule_alone)
{
	struct table *table = table_in_memory();
	made_hold(table, PROTOCOL_TCP, NULL, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	made_hold(table, PROTOCOL_TCP, NULL, 20005, made_rule(table, "db", 0, PORTS(20005, 20009)));
	show(table, LIST(socket_at(TCP_LISTEN, 20000, NULL), socket_at(TCP_LISTEN, 20005, NULL),
	                 socket_at(TCP_LISTEN, 20006, NULL)), "web");
	cr_assert_eq(shown.rules, 1);
	cr_expect_str_eq(shown.rule[0].name, "web");
	EXPECT_FIGURES(0, 10, 3, 0);
	cr_assert_eq(shown.rows, 2);
	cr_expect_eq(shown.row[0].state, ROW_HELD);
	cr_expect_eq(shown.row[1].state, ROW_OUTSIDE);
	show(table, nothing, "nobody");
	cr_expect_eq(shown.rules + shown.rows, 0);
}

Test(snapshot, a_set_of_more_ranges_than_are_kept)
{
	struct table *table = table_in_memory();
	struct port_interval interval[20] = { { .lo = 0 } };
	for (uint16_t i = 0; i < 20; i++)
		interval[i].lo = interval[i].hi = (uint16_t)(20000 + 10 * i);
	uint32_t rule = made_rule(table, "web", 0, interval, 20);
	made_hold(table, PROTOCOL_TCP, NULL, 20190, rule);
	show(table, LIST(socket_at(TCP_LISTEN, 20190, NULL), socket_at(TCP_LISTEN, 20150, NULL)), NULL);
	cr_expect(shown.rule[0].cut);
	EXPECT_FIGURES(0, 20, 2, 0);
}

Test(snapshot, random_bytes_give_figures_that_can_be)
{
	struct table *table = table_in_memory();
	for (uint64_t seed = 1; seed < 6; seed++) {
		made_random(table, seed);
		show(table, LIST(socket_at(TCP_LISTEN, 20000, NULL)), NULL);
		cr_expect_leq(shown.rules, TABLE_RULES);
		for (size_t i = 0; i < shown.rules; i++) {
			const struct shown_rule *rule = &shown.rule[i];
			cr_expect_leq(rule->ports, 65535);
			cr_expect_leq(rule->in_use, rule->ports);
			for (const char *at = rule->name; *at; at++)
				cr_expect((unsigned char)*at >= 0x20 && *at != 0x7f);
		}
		snapshot_who(&shown, table);
	}
}

/* ---- maps ------------------------------------------------------------------------------------------ */

static const char *map_of(size_t room)
{
	static char cells[128];
	struct map map;
	map_make(&map, &shown, &shown.rule[0], room);
	cr_expect_leq(map.n, room);
	cr_expect_eq(strlen(map.cell), map.n);
	snprintf(cells, sizeof(cells), "%s", map.cell);
	map_free(&map);
	return cells;
}

Test(snapshot, a_map_has_a_character_for_each_port)
{
	struct table *table = table_in_memory();
	const struct endpoint to = local_endpoint(9, 443);
	uint32_t rule = made_rule(table, "web", 60000, (const struct port_interval[]){ { .lo = 20000, .hi = 20003 },
	                                                                             { .lo = 20008, .hi = 20009 } }, 2);
	made_hold(table, PROTOCOL_TCP, &to, 20000, rule);
	made_claim(table, PROTOCOL_TCP, &to, 20001, rule);
	lease_touch(table, PROTOCOL_TCP, 20003, clock_now());
	show(table, LIST(socket_at(TCP_ESTABLISHED, 20000, &to), socket_at(TCP_LISTEN, 20008, NULL),
	                 socket_at(TCP_TIME_WAIT, 20009, &to)), NULL);
	cr_expect_str_eq(map_of(100), "##.~x~");
	cr_expect_str_eq(map_of(3), "#~x");
	cr_expect_str_eq(map_of(1), "+"); /* four of six */
}

Test(snapshot, a_map_is_full_when_all_is_in_use_and_free_when_nothing_is)
{
	struct table *table = table_in_memory();
	uint32_t rule = made_rule(table, "web", 0, PORTS(1024, 65535));
	show(table, nothing, NULL);
	cr_expect_str_eq(map_of(4), "....");
	for (uint16_t port = 1024; port < 1024 + 63 * 64; port++)
		made_claim(table, PROTOCOL_TCP, NULL, port, rule);
	show(table, nothing, NULL);
	cr_expect_str_eq(map_of(16), "#...............");
	made_claim(table, PROTOCOL_TCP, NULL, 65535, rule);
	show(table, nothing, NULL);
	cr_expect_str_eq(map_of(16), "#..............:");
}
