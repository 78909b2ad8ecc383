/* test_table.c - a table that somebody else writes into: whatever he leaves there, and while he does it, no process crashes or
 * hangs, no port comes from outside the rule, and none is lost. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/lease.h"
#include "shim/owner.h"
#include "tests/lib/crowd.h"
#include "tests/lib/world.h"

#define TABLE "/dev/shm/team"
#define GROUP 2000
#define MEMBER 1001
#define PORTS 5
#define PAUSED "pause"

TestSuite(hostile_table, .init = world_enter, .fini = world_leave, .timeout = 200);

/* As the README says that a group's table is made. */
static void table_make(void)
{
	shell("install -m 0660 -g %d /dev/null " TABLE, GROUP);
}

/* What a member of the group maps: he may write anything. */
static struct table *table_map(void)
{
	int fd = open(TABLE, O_RDWR | O_CLOEXEC);
	struct table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	cr_assert(fd >= 0 && table != MAP_FAILED, "%s", strerror(errno));
	close(fd);
	return table;
}

/* --- what he leaves there --------------------------------------------------------------------------------------- */

static void fill(void *at, size_t size, uint64_t word)
{
	for (size_t i = 0; i < size / sizeof(word); i++)
		((volatile uint64_t *)at)[i] = word;
}

#define FILL(field, word) fill((void *)table->field, sizeof(table->field), word)

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed ^ *seed >> 29;
}

/* All cells, also those that are free: in this state, by this process, changed then. */
static void cells(struct table *table, enum cell_state state, uint32_t pid, uint64_t when)
{
	uint64_t word = (uint64_t)state << 62 | (owner_of(table, pid) & OWNER_MASK);

	for (size_t i = 0; i < sizeof(table->cell) / sizeof(struct table_cell); i++) {
		struct table_cell *cell = (struct table_cell *)table->cell + i;

		atomic_store(&cell->info, when);
		atomic_store(&cell->word, word);
	}
	FILL(busy, UINT64_MAX);
}

static void nothing(struct table *table) { (void)table; }
static void all_zero(struct table *table) { fill(table, sizeof(*table), 0); }
static void all_ones(struct table *table) { fill(table, sizeof(*table), UINT64_MAX); }
static void any_words(struct table *table)
{
	uint64_t seed = 1;

	for (size_t i = 0; i < sizeof(*table) / 8; i++)
		((volatile uint64_t *)table)[i] = next_random(&seed);
}
static void any_words_in_order(struct table *table)
{
	uint64_t key[2] = { table->key[0], table->key[1] }, netns = table->netns, boot[2] = { table->boot[0], table->boot[1] };

	any_words(table);
	table->magic = TABLE_MAGIC;
	table->layout = TABLE_LAYOUT;
	table->netns = netns;
	table->ready = 1;
	for (int i = 0; i < 2; i++) {
		table->boot[i] = boot[i];
		table->key[i] = key[i];
	}
}
static void other_version(struct table *table) { table->magic = 1; }
static void other_layout(struct table *table) { table->layout = 1; }
static void other_namespace(struct table *table) { table->netns ^= 1; }
static void other_boot(struct table *table) { table->boot[0] ^= 1; }
static void other_key(struct table *table) { table->key[0] ^= 1; }
static void not_ready(struct table *table) { table->ready = 0; }
static void reloaded(struct table *table) { table->generation = 77; }
static void torn(struct table *table) { table->audit_torn = UINT64_MAX; }
static void pid_namespaces(struct table *table) { fill((void *)table->namespaces, sizeof(table->namespaces), UINT64_MAX); }
static void swept_far_ahead(struct table *table)
{
	for (size_t i = 0; i < TABLE_SWEEPS; i++)
		table->sweep[i].again = UINT64_MAX;
}
static void strict_for_good(struct table *table)
{
	for (size_t i = 0; i < TABLE_SWEEPS; i++)
		table->strict[i].again = UINT64_MAX;
}
static void no_tags(struct table *table) { FILL(tag, 0); }
static void one_tag(struct table *table) { FILL(tag, table->tag[1]); }
static void marked_tags(struct table *table) { FILL(tag, UINT64_MAX >> 1); }
static void other_names(struct table *table) { FILL(name, 42); }
static void all_busy(struct table *table) { FILL(busy, UINT64_MAX); }
static void none_busy(struct table *table) { FILL(busy, 0); }
static void held_now(struct table *table) { cells(table, CELL_HELD, 1, clock_now()); }
static void held_in_future(struct table *table) { cells(table, CELL_HELD, 1, UINT64_MAX); }
static void held_long_ago(struct table *table) { cells(table, CELL_HELD, (uint32_t)getpid(), 0); }
static void taken_now(struct table *table) { cells(table, CELL_TAKEN, 1, clock_now()); }
static void taken_in_future(struct table *table) { cells(table, CELL_TAKEN, 1, UINT64_MAX); }
static void claimed_in_future(struct table *table) { cells(table, CELL_CLAIMED, (uint32_t)getpid(), UINT64_MAX); }
static void claimed_long_ago(struct table *table) { cells(table, CELL_CLAIMED, (uint32_t)getpid(), 0); }
static void claimed_by_the_dead(struct table *table)
{
	pid_t child = fork();
	siginfo_t about;

	if (child == 0)
		_exit(0);
	cr_assert_eq(waitid(P_PID, (id_t)child, &about, WEXITED | WNOWAIT), 0); /* it still has its number */
	cells(table, CELL_CLAIMED, (uint32_t)child, clock_now());
	cr_assert_eq(waitpid(child, NULL, 0), child);
}
static void spare_in_future(struct table *table)
{
	FILL(tag, UINT64_MAX);
	cells(table, CELL_HELD, 1, clock_now());
	fill((void *)table->spare, sizeof(table->spare), UINT64_MAX);
}
static void used_in_future(struct table *table) { FILL(used, UINT64_MAX); }
static void oldest_in_future(struct table *table)
{
	FILL(oldest, UINT64_MAX);
	FILL(eldest, UINT64_MAX);
}
static void rules_all_ones(struct table *table)
{
	for (size_t i = 0; i < TABLE_RULES; i++) {
		uint64_t id = table->rule[i].id;

		fill(&table->rule[i], sizeof(table->rule[i]), UINT64_MAX);
		table->rule[i].id = id;
	}
}
static void no_rules(struct table *table) { FILL(rule, 0); }
static void all_rules(struct table *table) { FILL(rule, 7); }

static const struct {
	const char *name;
	void (*leave)(struct table *table);
} left[] = {
#define LEFT(what) { #what, what }
	LEFT(nothing), LEFT(all_zero), LEFT(all_ones), LEFT(any_words), LEFT(any_words_in_order), LEFT(other_version), LEFT(other_layout),
	LEFT(other_namespace), LEFT(other_boot), LEFT(other_key), LEFT(not_ready), LEFT(reloaded), LEFT(torn), LEFT(pid_namespaces),
	LEFT(swept_far_ahead), LEFT(strict_for_good), LEFT(no_tags), LEFT(one_tag), LEFT(marked_tags), LEFT(other_names), LEFT(all_busy),
	LEFT(none_busy), LEFT(held_now), LEFT(held_in_future), LEFT(held_long_ago), LEFT(taken_now), LEFT(taken_in_future),
	LEFT(claimed_in_future), LEFT(claimed_long_ago), LEFT(claimed_by_the_dead), LEFT(spare_in_future), LEFT(used_in_future),
	LEFT(oldest_in_future), LEFT(rules_all_ones), LEFT(no_rules), LEFT(all_rules),
};
#define LEAVINGS (sizeof(left) / sizeof(left[0]))

static const struct way {
	const char *keys, *socket, *call;
	int first;
} ways[] = {
	{ "", "tcp4", "connect %d 127.0.0.1 5000", 20000 },
	{ "share = never\nchoose = least-recent\n", "tcp4", "connect %d 127.0.0.1 5000", 21000 },
	{ "choose = double-hash\n", "tcp4", "connect %d 127.0.0.1 5000", 40500 },
	{ "choose = sequential\ncooldown = 1m\n", "udp4", "sendto %d 127.0.0.1 5001", 22000 },
};

enum when {
	BEFORE,  /* the table is made */
	BETWEEN, /* one call before the words are there, the others after */
	AFTER    /* by a process that starts when they are there; one call too many finds no port */
};

/* Each time by ports of its own, so that connections of before are in nobody's way. */
static void use_all(const char *what, const struct way *way, struct table *table, void (*leave)(struct table *table), enum when when)
{
	static int round;
	const int first = way->first + 10 * round++;
	static struct run run;
	char policy[256], step[3 * (PORTS + 1) + 1][64];
	const char *argv[3 * (PORTS + 1) + 3] = { built("tests/probes/act") };
	size_t n = 1;
	bool seen[PORTS] = { false };

	snprintf(policy, sizeof(policy), "[portshim]\nlog = none\ntable = " TABLE "\n[rule r]\nports = %d-%d\n%s", first,
	         first + PORTS - 1, way->keys);
	for (int i = 0; i < PORTS + (when == AFTER); i++) {
		snprintf(step[3 * i], sizeof(step[0]), "socket %d %s", i, way->socket);
		snprintf(step[3 * i + 1], sizeof(step[0]), way->call, i);
		snprintf(step[3 * i + 2], sizeof(step[0]), "name %d", i);
		for (int j = 0; j < (i == PORTS ? 2 : 3); j++)
			argv[n++] = step[3 * i + j];
		if (i == 0 && when == BETWEEN)
			argv[n++] = PAUSED;
	}
	argv[n] = NULL;
	run = (struct run){ .policy = policy };
	if (when == AFTER)
		leave(table);
	run_start(&run, argv);
	if (when == BETWEEN) {
		run_until_paused(&run);
		leave(table);
		run_go_on(&run);
	}
	run_end(&run);
	cr_assert(exited(&run, 0), "%s: %x %s", what, (unsigned)run.status, run.err);
	for (int i = 0; i < PORTS; i++) {
		int port;

		cr_expect(result_of(&run, step[3 * i + 1])[0] != '-', "%s, %s at %d, call %d: %s", what, way->socket, first, i,
		          result_of(&run, step[3 * i + 1]));
		if (result_of(&run, step[3 * i + 1])[0] == '-')
			continue;
		port = port_of(&run, step[3 * i + 2]) - first;
		cr_assert(port >= 0 && port < PORTS && !seen[port], "%s, call %d: port %d", what, i, port + first);
		seen[port] = true;
	}
	if (when == AFTER)
		cr_expect(strncmp(result_of(&run, step[3 * PORTS + 1]), "-1 E", 4) == 0, "%s: %s", what,
		          result_of(&run, step[3 * PORTS + 1]));
}

ParameterizedTestParameters(hostile_table, whatever_is_left_there)
{
	static size_t index[LEAVINGS];

	for (size_t i = 0; i < LEAVINGS; i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, LEAVINGS);
}

ParameterizedTest(size_t *index, hostile_table, whatever_is_left_there)
{
	pid_t server = crowd_serve(5000, 5000, CLIENT_CLOSES);
	struct table *table;

	server_udp("127.0.0.1", 5001);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		table_make();
		use_all("first", &ways[i], NULL, nothing, BEFORE);
		table = table_map();
		use_all(left[*index].name, &ways[i], table, left[*index].leave, BETWEEN);
		use_all(left[*index].name, &ways[i], table, left[*index].leave, AFTER);
		munmap(table, sizeof(*table));
		cr_assert_eq(unlink(TABLE), 0);
	}
	crowd_end(server);
}

/* --- all the time ------------------------------------------------------------------------------------------------- */

static uint64_t somebody; /* an owner who lives */

/* Words that mean something, and such as do not. */
static uint64_t a_word(const struct table *table, uint64_t *seed)
{
	uint64_t random = next_random(seed);

	switch (random >> 8 & 7) {
	case 0: return 0;
	case 1: return UINT64_MAX;
	case 2: return clock_now();
	case 3: return (random & 3) << 62 | somebody;
	case 4: return atomic_load(&table->tag[random % TABLE_BLOCKS]);
	case 5: return table->generation + 1;
	default: return random;
	}
}

static void scribble(struct table *table, uint64_t *seed)
{
	uint64_t where = next_random(seed), busy;
	uint32_t block = (uint32_t)(where >> 8) % TABLE_BLOCKS;

	switch (where & 7) {
	case 0: /* anywhere, the first words too */
		((volatile uint64_t *)table)[(where >> 8) % (sizeof(*table) / 8)] = a_word(table, seed);
		break;
	case 1: /* the header */
		((volatile uint64_t *)table)[(where >> 8) % (offsetof(struct table, sweep) / 8)] = a_word(table, seed);
		break;
	case 2:
		table->rule[where >> 8 & 3].next = (uint32_t)a_word(table, seed);
		table->rule[where >> 8 & 3].released[where >> 16 & 1] = (uint32_t)a_word(table, seed);
		break;
	default: /* a block in use: its tag, its busy bits, its cells */
		for (uint32_t i = 0; i < TABLE_BLOCKS && !atomic_load(&table->tag[block]); i++)
			block = (block + 1) % TABLE_BLOCKS;
		busy = a_word(table, seed);
		if (where & 64)
			atomic_store(&table->busy[block], busy);
		if ((where & 96) == 96)
			atomic_store(&table->tag[block], a_word(table, seed));
		for (int i = 0; i < 8; i++) {
			struct table_cell *cell = &table_cells(table, block)[next_random(seed) % BLOCK_PORTS];

			atomic_store(&cell->info, a_word(table, seed));
			atomic_store(&cell->word, a_word(table, seed));
		}
	}
}

/* A member of the group, who is not the owner, writes until he is killed. How often, in *count. */
static pid_t member_start(_Atomic uint64_t *count)
{
	pid_t parent = getpid(), child = fork();

	if (child != 0)
		return child;
	if (setgroups(0, NULL) < 0 || setgid(GROUP) < 0 || setuid(MEMBER) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    getppid() != parent)
		_exit(1);
	int fd = open(TABLE, O_RDWR | O_CLOEXEC);
	struct table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED)
		_exit(1);
	somebody = owner_of(table, (uint32_t)parent) & OWNER_MASK;
	for (uint64_t seed = 3;; atomic_fetch_add(count, 1))
		scribble(table, &seed);
}

#define CROWD 4
#define EACH 400

Test(hostile_table, written_into_all_the_time)
{
	static struct run run[3];
	static const char *const words[3][4] = { { "20000", "20063", "5000", "5001" }, { "20100", "20163", "5002", "5002" },
	                                         { "40500", "40563", "5003", "5003" } };
	_Atomic uint64_t *count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t server = crowd_serve(5000, 5003, SERVER_RESETS), member;

	table_make();
	for (int i = 0; i < 3; i++) {
		const char *argv[] = { built("tests/probes/swarm"), "eof", "4", "2", "200", words[i][0], words[i][1], words[i][2],
		                       words[i][3], NULL };
		run[i] = (struct run){
			.policy = "[portshim]\nlog = none\ntable = " TABLE "\n"
			          "[rule early]\nto = *:5000-5001\nports = 20000-20063\nchoose = hash\n"
			          "[rule alone]\nto = *:5002\nports = 20100-20163\nshare = never\nchoose = least-recent\ncooldown = 1s\n"
			          "[rule late]\nto = *:5003\nports = 40500-40563\nchoose = stable\n" };
		if (i == 0) /* there are words to be changed */
			run_steps(&run[i], "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
		run_start(&run[i], argv);
	}
	member = member_start(count);
	for (int i = 0; i < 3; i++) {
		run_end(&run[i]);
		cr_expect(exited(&run[i], 0), "%d: %x %s", i, (unsigned)run[i].status, run[i].err);
		cr_expect_eq(crowd_count(&run[i], "outside"), 0, "%s", run[i].out);
		cr_expect_eq(crowd_count(&run[i], "failed"), 0, "%s", run[i].out);
		cr_expect_eq(crowd_count(&run[i], "had") + crowd_count(&run[i], "no port"), CROWD * EACH, "%s", run[i].out);
		cr_expect_gt(crowd_count(&run[i], "had"), 0);
	}
	cr_expect(atomic_load(count) > 1000, "%llu", (unsigned long long)atomic_load(count));
	crowd_end(member);
	crowd_end(server);
}

/* --- whose file it is ------------------------------------------------------------------------------------------------ */

/* A table may have a second name, in the folder of a chroot; an empty file that has one may be anything of its owner's. */
Test(hostile_table, is_not_made_of_a_file_with_another_name)
{
	static struct run run = { .policy = "[portshim]\nlog = warning\ntable = " TABLE "\n[rule r]\nports = 20000-20009\n" };
	struct stat about;

	server_tcp("127.0.0.1", 5000);
	shell(": >/dev/shm/roots && ln /dev/shm/roots " TABLE);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_expect(port_of(&run, "name 0") >= 20000 && port_of(&run, "name 0") <= 20009);
	cr_expect(strstr(run.err, "table " TABLE ": a file with another name (a hard link); remove it, or name another"), "%s", run.err);
	cr_assert_eq(stat("/dev/shm/roots", &about), 0);
	cr_expect_eq(about.st_size, 0);
	shell("rm /dev/shm/roots");
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_expect_str_empty(run.err);
	shell("ln " TABLE " /dev/shm/other");
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL);
	cr_expect_str_empty(run.err);
}

/* --- what he can do ------------------------------------------------------------------------------------------------- */

/* Stated in SECURITY.md: a file that is made shorter while it is mapped ends who looks at it. Only who may write to it can. */
Test(hostile_table, made_shorter_by_a_member_ends_a_process)
{
	static struct run run = { .policy = "[portshim]\ntable = " TABLE "\n[rule r]\nports = 20000-20009\n" };

	table_make();
	server_tcp("127.0.0.1", 5000);
	run_start_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", PAUSED, "socket 1 tcp4", "connect 1 127.0.0.1 5000", NULL);
	run_until_paused(&run);
	shell("setpriv --reuid=%d --regid=%d --clear-groups truncate -s 0 " TABLE, MEMBER, GROUP);
	run_go_on(&run);
	run_end(&run);
	cr_expect(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGBUS, "%x", (unsigned)run.status);
}

/* Nobody else: not by the table of one user, nor by one that is shared. */
Test(hostile_table, is_out_of_strangers_reach)
{
	static struct run run = { .policy = "[rule r]\nports = 20000-20009\n" };

	server_tcp("127.0.0.1", 5000);
	table_make();
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	shell("for table in /dev/shm/portshim-0-* " TABLE "; do test -f $table || exit 1; "
	      "! setpriv --reuid=1002 --regid=1002 --clear-groups sh -c \": <$table || : >>$table || truncate -s 0 $table || "
	      "rm -f $table || mv $table $table.away || ln $table $table.other\" 2>/dev/null || exit 1; done");
}
