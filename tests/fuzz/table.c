/* table.c - a table of any bytes, into which somebody writes while it is used: each port that is proposed is one of the rule's set, each
 * choice comes to an end, and what `portshim status` would show can be. The input is read as steps: choose a port by some
 * algorithm, go on with a claim, write a word or a stretch of the table. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "tests/fuzz/fuzz.h"

#include "shim/choice.h"
#include "shim/clock.h"
#include "shim/rules.h"
#include "tools/snapshot.h"

#define STEPS 64
#define LEASES 16

static const char *const spec[] = { "20000-20099, !20050", "1024-65535", "40000", "1-64, 30000-30063, 65535" };

enum { SETS = sizeof(spec) / sizeof(spec[0]), ALGORITHMS = CHOOSE_KERNEL + 1 };

static struct table *table;
static struct port_set set[SETS];
static struct kernel kernel = { .ephemeral = { 32768, 60999 } };
static struct lease lease[LEASES];
static const size_t words = sizeof(struct table) / 8;

static void make(void)
{
	static struct arena arena;
	char bytes[300];
	struct text why = TEXT_OVER(bytes);

	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HOLDS(table != MAP_FAILED);
	for (int i = 0; i < SETS; i++)
		HOLDS(ports_parse(&set[i], spec[i], kernel.ephemeral, &arena, &why));
}

/* As it is when it has been opened. */
static void begin(void)
{
	HOLDS(madvise(table, sizeof(*table), MADV_DONTNEED) == 0);
	memset(lease, 0, sizeof(lease));
	table->magic = TABLE_MAGIC;
	table->layout = TABLE_LAYOUT;
	table->key[0] = 1;
	table->key[1] = 2;
	table->ready = 1;
}

/* What the kernel says of the port, and what becomes of the claim to one that was given. */
static void decide(struct choice *choice, struct candidate *candidate, struct bytes *bytes)
{
	uint64_t verdict = bytes->left ? bytes_take(bytes, 1) : OUTCOME_GIVEN; /* or the whole set is walked each time */
	struct lease *kept = &lease[verdict >> 4];

	if (verdict % 4 != OUTCOME_GIVEN) {
		choice_heard(choice, candidate, verdict % 4);
		return;
	}
	choice_heard(choice, candidate, OUTCOME_GIVEN);
	*kept = candidate->lease;
	switch (verdict >> 2 & 3) {
	case 0: lease_hold(table, kept); break;
	case 1: lease_taken(table, kept); break;
	case 2: lease_drop(table, kept); break;
	case 3: break;
	}
	choice->left = 0;
}

static void choose(struct bytes *bytes)
{
	uint64_t kind = bytes_take(bytes, 1);
	struct rule rule = { .name = "r", .id = 7000 + kind, .choose = (enum choose)(kind % ALGORITHMS), .protocols = PROTOCOL_ANY,
		.cooldown_ms = kind & 8 ? 1000 : 0, .ports = set[kind >> 4 & 3] };
	struct endpoint to = { .addr = { .lo = 0x0a000000 + (bytes_take(bytes, 1) & 3), .family = FAMILY_IPV4 }, .port = 443 };
	struct peer peer;
	struct purpose purpose = { .rule = &rule, .kernel = &kernel, .to = &to, .program = 77, .table = table, .peer = &peer,
		.lets_kernel_pick = kind & 64, .comes_again = kind & 128 };
	struct choice choice;
	struct candidate candidate;
	uint32_t proposals = 0;

	peer_make(&peer, table, kind & 32 ? PROTOCOL_UDP : PROTOCOL_TCP, &to, NULL);
	purpose.number = rules_number(table, &rule);
	choice_begin(&choice, &purpose);
	while (choice_next(&choice, &candidate)) {
		HOLDS(candidate.lo <= candidate.hi && ports_contain(&rule.ports, candidate.lo) && ports_contain(&rule.ports, candidate.hi));
		HOLDS(++proposals <= 8 * rule.ports.count + 64);
		decide(&choice, &candidate, bytes);
	}
}

/* One word: anything, or another's; or many. */
static void write_to(struct bytes *bytes)
{
	uint64_t *all = (uint64_t *)table;
	uint64_t how = bytes_take(bytes, 1);
	size_t at = bytes_take(bytes, 3) % words, n = how & 1 ? 1 : bytes_take(bytes, 2) % (words - at);
	uint64_t value = how & 2 ? all[bytes_take(bytes, 3) % words] : bytes_take(bytes, how & 4 ? 1 : 8);

	for (size_t i = 0; i < n; i++)
		all[at + i] = how & 8 ? value * (i + 1) : value;
}

static void show(void)
{
	static struct snapshot shown;

	snapshot_take(&shown, table, NULL);
	HOLDS(shown.rules <= TABLE_RULES);
	for (size_t i = 0; i < shown.rules; i++)
		HOLDS(shown.rule[i].ports <= 65535 && shown.rule[i].in_use <= shown.rule[i].ports);
	for (size_t i = 0; i < shown.rows; i++)
		HOLDS(shown.row[i].state <= ROW_OUTSIDE && (shown.row[i].rule == NO_RULE || shown.row[i].rule < shown.rules));
	snapshot_free(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = { data, size };
	uint64_t looks;

	if (!table)
		make();
	begin();
	looks = bytes_take(&bytes, 1);
	for (int i = 0; i < STEPS && bytes.left; i++) {
		uint64_t step = bytes_take(&bytes, 1);

		switch (step % 4) {
		case 0: choose(&bytes); break;
		case 1: write_to(&bytes); break;
		case 2: lease_release(table, &lease[step >> 4]); break;
		case 3: lease_drop(table, &lease[step >> 4]); break;
		}
	}
	if (looks % 64 == 63) /* which takes longer than all else */
		show();
	return 0;
}
