/* test_sweep.c - what a sweep frees and what it keeps: by the kernel's sockets, by times, by owners' lives. */
#define _GNU_SOURCE
#include "tests/unit/asking.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "shim/clock.h"
#include "shim/owner.h"
#include "shim/sweep.h"
#include "tests/unit/leases.h"

#define LO 20000 /* bound early */
#define HI 20127
#define LATE 40000 /* taken late */

static struct table *table;
static struct endpoint to, elsewhere;
static struct peer shared, exclusive;
static int server;

/* A table of the test's and its children's, and a destination with a server. */
static void begin(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	table = shared_table();
	server = server_tcp("127.0.0.1", 5000);
	to = endpoint("127.0.0.1", 5000);
	elsewhere = endpoint("127.0.0.1", 5001);
	peer_make(&shared, table, PROTOCOL_TCP, &to, NULL);
	peer_make(&exclusive, table, PROTOCOL_TCP, NULL, NULL);
}

TestSuite(sweep, .init = begin, .timeout = 120);

static struct lease held(const struct peer *peer, uint16_t port)
{
	struct lease lease = claimed(table, peer, port);

	lease_hold(table, &lease);
	return lease;
}

/* The cell looks as if it had been changed so long ago. */
static void age(const struct lease *lease, uint64_t ns)
{
	uint64_t info = cell_of(table, lease)->info;

	cell_of(table, lease)->info = cell_time(clock_now() - ns) | cell_rule(info);
}

static enum cell_state state_at(const struct lease *lease)
{
	return cell_state(cell_of(table, lease)->word);
}

/* A sweep of the peer that nothing forbids; what was found taken until now may be freed. */
static bool swept_ports(const struct peer *peer, uint16_t lo, uint16_t hi)
{
	sweep_heard(table, peer, clock_now(), true);
	return sweep_peer(table, peer, (struct port_range){ lo, hi }, kernel_now(), clock_now(), false) == SWEPT_FREE;
}

static bool swept(const struct peer *peer)
{
	return swept_ports(peer, LO, HI);
}

/* The lease of a child that has ended. */
static struct lease of_the_dead(const struct peer *peer, uint16_t port, bool hold)
{
	struct lease *lease = mmap(NULL, sizeof(*lease), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();

	if (child == 0) {
		enum claim saw = lease_claim(table, peer, port, 7, NULL, lease);

		if (hold)
			lease_hold(table, lease);
		_exit(saw != CLAIM_MADE);
	}
	cr_assert_eq(status_of(child), 0);
	return *lease;
}

/* --- held --------------------------------------------------------------------------------------------------- */

Test(sweep, held_is_freed_unless_there_is_a_socket)
{
	struct lease kept = held(&shared, 20000), freed = held(&shared, 20001), other = held(&shared, 20100);

	connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);
	connected_socket(SOCK_STREAM, "::ffff:127.0.0.1", 20100, "::ffff:127.0.0.1", 5000);
	cr_expect(swept(&shared));
	cr_expect_eq(cell_of(table, &kept)->word, kept.word);
	cr_expect_eq(cell_of(table, &other)->word, other.word);
	cr_expect_eq(cell_of(table, &freed)->word, 0);
	cr_expect_eq(table->freed, 1);
	cr_expect_eq(lease_busy(table, &shared, 19968), UINT64_C(1) << 32);
	expect_claim(table, &shared, 20001, CLAIM_MADE);
	cr_expect(!swept(&shared));
}

/* A shared port is held towards its destination; an exclusive one by any socket that has it. */
Test(sweep, whose_socket_it_is)
{
	struct lease mine = held(&shared, 20000), everybodys = held(&exclusive, 20000), idle = held(&exclusive, 20001);

	server_tcp("127.0.0.1", 5001);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5001);
	cr_expect(swept(&shared));
	cr_expect_eq(state_at(&mine), CELL_FREE);
	cr_expect(swept(&exclusive));
	cr_expect_eq(state_at(&everybodys), CELL_HELD);
	cr_expect_eq(state_at(&idle), CELL_FREE);
}

Test(sweep, sockets_without_a_destination)
{
	struct lease bound = held(&exclusive, 20000), listening = held(&exclusive, 20001);
	struct lease shadow = held(&shared, 20001);

	bound_socket(SOCK_STREAM, "127.0.0.1", 20000);
	server_tcp("0.0.0.0", 20001);
	cr_expect(!swept(&exclusive));
	cr_expect_eq(state_at(&bound), CELL_HELD);
	cr_expect_eq(state_at(&listening), CELL_HELD);
	cr_expect(!swept(&shared), "a listener keeps its port from sharers");
	cr_expect_eq(state_at(&shadow), CELL_HELD);
}

Test(sweep, udp)
{
	struct peer udp, udp_shared;
	struct lease kept, freed, tcp, connected;

	peer_make(&udp, table, PROTOCOL_UDP, NULL, NULL);
	peer_make(&udp_shared, table, PROTOCOL_UDP, &to, NULL);
	kept = held(&udp, 20000);
	freed = held(&udp, 20001);
	tcp = held(&exclusive, 20001);
	connected = held(&udp_shared, 20002);
	bound_socket(SOCK_DGRAM, "127.0.0.1", 20000);
	connected_socket(SOCK_DGRAM, "127.0.0.1", 20002, "127.0.0.1", 5000);
	bound_socket(SOCK_STREAM, "127.0.0.1", 20001);
	cr_expect(swept(&udp));
	cr_expect(!swept(&udp_shared));
	cr_expect_eq(state_at(&kept), CELL_HELD);
	cr_expect_eq(state_at(&freed), CELL_FREE);
	cr_expect_eq(state_at(&tcp), CELL_HELD);
	cr_expect_eq(state_at(&connected), CELL_HELD);
}

/* A lease with a source address is borne out by a socket at that address, or at all. */
Test(sweep, sources)
{
	const struct endpoint one = endpoint("127.0.0.2", 0), other = endpoint("127.0.0.3", 0);
	struct peer at_one, at_other;
	struct lease kept[2], freed;

	peer_make(&at_one, table, PROTOCOL_TCP, NULL, &one.addr);
	peer_make(&at_other, table, PROTOCOL_TCP, NULL, &other.addr);
	kept[0] = held(&at_one, 20000);
	freed = held(&at_other, 20000);
	kept[1] = held(&at_other, 20001);
	bound_socket(SOCK_STREAM, "127.0.0.2", 20000);
	server_tcp("0.0.0.0", 20001);
	cr_expect(!swept(&at_one));
	cr_expect(swept(&at_other));
	cr_expect_eq(state_at(&kept[0]), CELL_HELD);
	cr_expect_eq(state_at(&kept[1]), CELL_HELD);
	cr_expect_eq(state_at(&freed), CELL_FREE);
}

/* Only ports within the bounds are asked for: of others in the same block nothing is known. */
Test(sweep, ports_beyond_the_bounds_stay)
{
	struct lease below = held(&shared, 20009), in = held(&shared, 20010), above = held(&shared, 20020);

	connected_socket(SOCK_STREAM, "127.0.0.1", 20009, "127.0.0.1", 5000);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20020, "127.0.0.1", 5000);
	cr_expect(swept_ports(&shared, 20010, 20019));
	cr_expect_eq(state_at(&in), CELL_FREE);
	cr_expect_eq(state_at(&below), CELL_HELD, "below: it has a socket");
	cr_expect_eq(state_at(&above), CELL_HELD, "above: it has a socket");
}

/* The whole range of ports, and a block that ends it. */
Test(sweep, the_highest_ports)
{
	struct lease kept = held(&shared, 65535), freed = held(&shared, 65534), low = held(&shared, 1);

	connected_socket(SOCK_STREAM, "127.0.0.1", 65535, "127.0.0.1", 5000);
	cr_expect(swept_ports(&shared, 1, 65535));
	cr_expect_eq(state_at(&kept), CELL_HELD);
	cr_expect_eq(state_at(&freed), CELL_FREE);
	cr_expect_eq(state_at(&low), CELL_FREE);
}

/* --- taken, claimed ----------------------------------------------------------------------------------------- */

Test(sweep, taken)
{
	struct lease gone = claimed(table, &shared, 20000), there = claimed(table, &shared, 20001), now, copy[3];
	uint64_t since;

	copy[0] = gone;
	copy[1] = there;
	connected_socket(SOCK_STREAM, "127.0.0.1", 20001, "127.0.0.1", 5000);
	lease_taken(table, &gone);
	lease_taken(table, &there);
	age(&copy[0], MILLISECOND);
	age(&copy[1], MILLISECOND);
	since = clock_now() - MILLISECOND / 2;
	now = claimed(table, &shared, 20002);
	copy[2] = now;
	lease_taken(table, &now);
	cr_expect_eq(sweep_peer(table, &shared, (struct port_range){ LO, HI }, kernel_now(), since, false), SWEPT_FREE);
	cr_expect_eq(state_at(&copy[0]), CELL_FREE);
	cr_expect_eq(state_at(&copy[1]), CELL_TAKEN);
	cr_expect_eq(state_at(&copy[2]), CELL_TAKEN, "found taken since");
	cr_expect(swept(&shared));
	cr_expect_eq(state_at(&copy[2]), CELL_FREE);
}

Test(sweep, claims)
{
	struct lease alive = claimed(table, &shared, 20000), dead = of_the_dead(&shared, 20001, false);
	struct lease unknown = claimed(table, &shared, 20002), forgotten = claimed(table, &shared, 20003);
	const uint64_t no_namespace = ~(UINT64_C(0xff) << 22);

	cell_of(table, &unknown)->word &= no_namespace;
	cell_of(table, &forgotten)->word &= no_namespace;
	age(&alive, LEASE_FORGOTTEN - 20 * SECOND);
	age(&unknown, LEASE_FORGOTTEN - 20 * SECOND);
	age(&forgotten, LEASE_FORGOTTEN + 20 * SECOND);
	cr_expect(swept(&shared));
	cr_expect_eq(cell_of(table, &alive)->word, alive.word);
	cr_expect_eq(state_at(&dead), CELL_FREE);
	cr_expect_eq(state_at(&unknown), CELL_CLAIMED, "its owner may live");
	cr_expect_eq(state_at(&forgotten), CELL_FREE);
}

/* --- times --------------------------------------------------------------------------------------------------- */

Test(sweep, time_wait)
{
	struct lease early, alone, late;

	leave_in_time_wait(connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000), server);
	leave_in_time_wait(connected_socket(SOCK_STREAM, "127.0.0.1", LATE, "127.0.0.1", 5000), server);
	early = held(&shared, 20000);
	alone = held(&exclusive, 20000);
	late = held(&shared, LATE);
	cr_expect(swept(&shared), "an early bind takes it over");
	cr_expect_eq(state_at(&early), CELL_FREE);
	cr_expect(!swept(&exclusive));
	cr_expect_eq(state_at(&alone), CELL_HELD);
	cr_expect(!swept_ports(&shared, LATE, LATE + 9), "the kernel wants a second");
	cr_expect_eq(state_at(&late), CELL_HELD);
	age(&late, 2 * SECOND);
	cr_expect(swept_ports(&shared, LATE, LATE + 9));
	cr_expect_eq(state_at(&late), CELL_FREE);
}

/* Claims and holds one port over and over, without a socket: a sweep that began before the claim must not free it. Each
 * counts itself before it asks. */
static int hold_and_look(_Atomic uint32_t *looks, atomic_bool *stop)
{
	alarm(60);
	while (!atomic_load(stop)) {
		uint64_t before = table->swept;
		struct lease lease;

		if (lease_claim(table, &shared, 20000, 7, NULL, &lease) != CLAIM_MADE)
			return 1;
		lease_hold(table, &lease);
		for (int i = 0; i < 200 && atomic_load(&cell_of(table, &lease)->word) == lease.word; i++)
			;
		if (!cell_free(table, block_of(&lease), 20000 % BLOCK_PORTS, lease.word) && table->swept == before)
			return 2;
		atomic_fetch_add(looks, 1);
	}
	return 0;
}

static bool lives(pid_t child)
{
	siginfo_t about = { .si_pid = 0 };

	return waitid(P_PID, (id_t)child, &about, WEXITED | WNOHANG | WNOWAIT) == 0 && about.si_pid == 0;
}

Test(sweep, what_is_held_after_it_began_stays)
{
	struct { _Atomic uint32_t looks; atomic_bool stop; } *both = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	                                                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t end = clock_now() + 30 * SECOND;
	pid_t child;
	int sweeps = 0;

	for (uint16_t port = 20001; port <= 20127; port++)
		connected_socket(SOCK_STREAM, "127.0.0.1", port, "127.0.0.1", 5000);
	child = fork();
	if (child == 0)
		_exit(hold_and_look(&both->looks, &both->stop));
	while ((sweeps < 800 || both->looks < 2000) && lives(child) && clock_now() < end) {
		swept(&shared);
		sweeps++;
	}
	atomic_store(&both->stop, true);
	cr_expect_eq(status_of(child), 0);
	cr_expect(both->looks >= 2000, "%u looks, %d sweeps", both->looks, sweeps);
}

Test(sweep, a_time_to_come_is_nobodys)
{
	struct lease lease = held(&shared, 20000);

	cell_of(table, &lease)->info = cell_time(clock_now() + 3600 * SECOND) | 7;
	cr_expect(swept(&shared));
	cr_expect_eq(state_at(&lease), CELL_FREE);
}

/* --- hints ----------------------------------------------------------------------------------------------------- */

Test(sweep, busy_bits_that_outlived_their_cells_go)
{
	struct lease kept = held(&shared, 20000);
	uint32_t block = block_of(&kept);

	connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);
	table->busy[block] = UINT64_MAX;
	swept(&shared);
	cr_expect_eq(table->busy[block], UINT64_C(1) << 32);
}

/* --- all of a protocol ------------------------------------------------------------------------------------------ */

Test(sweep, protocol)
{
	const struct endpoint other = endpoint("192.0.2.1", 80), source = endpoint("127.0.0.1", 0);
	struct peer far, udp, here;
	struct lease kept[4], freed[3], of_udp;
	uint64_t began;
	pid_t child;

	peer_make(&far, table, PROTOCOL_TCP, &other, NULL);
	peer_make(&udp, table, PROTOCOL_UDP, NULL, NULL);
	peer_make(&here, table, PROTOCOL_TCP, &to, &source.addr);
	kept[0] = held(&shared, 20000);
	kept[1] = held(&exclusive, 20000);
	kept[2] = held(&here, 20000);
	kept[3] = claimed(table, &far, 20000);
	freed[0] = held(&far, 20001);
	freed[1] = held(&exclusive, 60000);
	freed[2] = of_the_dead(&shared, 1, false);
	of_udp = held(&udp, 20001);
	connected_socket(SOCK_STREAM, "127.0.0.1", 20000, "127.0.0.1", 5000);
	child = fork(); /* one process does so ten times a second at most */
	if (child == 0)
		_exit(sweep_protocol(table, PROTOCOL_TCP, kernel_now()) != SWEPT_FREE);
	cr_expect_eq(status_of(child), 0);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(cell_of(table, &kept[i])->word, kept[i].word, "kept %d", i);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(state_at(&freed[i]), CELL_FREE, "freed %d", i);
	cr_expect_eq(state_at(&of_udp), CELL_HELD);
	began = clock_now();
	cr_expect_eq(sweep_protocol(table, PROTOCOL_UDP, kernel_now()), SWEPT_FREE);
	cr_expect_eq(state_at(&of_udp), CELL_FREE);
	of_udp = held(&udp, 20001);
	cr_expect(sweep_protocol(table, PROTOCOL_UDP, kernel_now()) == SWEPT_NOT || clock_now() - began > 100 * MILLISECOND);
}

/* A block that somebody was killed over: whose it is, is not to be known. */
Test(sweep, blocks_without_a_name)
{
	struct lease lease = held(&shared, 20000), dead = of_the_dead(&shared, 20001, false);

	table->name[block_of(&lease)].to[1] = 42;
	sweep_protocol(table, PROTOCOL_TCP, kernel_now());
	cr_expect_eq(state_at(&dead), CELL_FREE);
	cr_expect_eq(cell_of(table, &lease)->word, lease.word);
}

/* --- how often ---------------------------------------------------------------------------------------------------- */

Test(sweep, one_in_vain_is_not_repeated_at_once)
{
	struct table_sweep *slot = &table->sweep[shared.id % TABLE_SWEEPS];
	const struct port_range ports = { LO, HI };
	uint64_t before = clock_now(), after, count;

	cr_expect_eq(sweep_peer(table, &shared, ports, kernel_now(), clock_now(), false), SWEPT_IN_VAIN);
	after = clock_now();
	cr_expect_eq(table->swept, 1);
	cr_expect_eq(slot->peer, shared.id);
	cr_expect(slot->again > before && slot->again <= after + 4 * (after - before));
	/* What it noted is honoured, for its peer. */
	slot->again = clock_now() + 5 * SECOND;
	cr_expect_eq(sweep_peer(table, &shared, ports, kernel_now(), clock_now(), false), SWEPT_NOT);
	cr_expect_eq(table->swept, 1, "the kernel was asked");
	sweep_peer(table, &exclusive, ports, kernel_now(), clock_now(), false);
	cr_expect_eq(table->swept, 2);
	/* A time that nobody could have written is not. */
	slot->peer = shared.id;
	slot->again = clock_now() + 3600 * SECOND;
	sweep_peer(table, &shared, ports, kernel_now(), clock_now(), false);
	cr_expect_eq(table->swept, 3);
	/* Who had a port lets others sweep; who tried all in vain, does not. */
	sweep_heard(table, &shared, clock_now(), true);
	sweep_peer(table, &shared, ports, kernel_now(), clock_now(), false);
	cr_expect_eq(table->swept, 4);
	sweep_heard(table, &shared, clock_now() - SECOND, false);
	count = table->swept;
	cr_expect_eq(sweep_peer(table, &shared, ports, kernel_now(), clock_now(), false), SWEPT_NOT);
	cr_expect_eq(table->swept, count);
}

/* --- when the kernel cannot be asked ------------------------------------------------------------------------------ */

struct cells_of_both { struct lease alive[2], dead[2], taken, fresh; };

static struct cells_of_both some_cells(void)
{
	struct cells_of_both some = {
		.alive = { held(&shared, 20000), claimed(table, &shared, 20001) },
		.dead = { of_the_dead(&shared, 20002, true), of_the_dead(&shared, 20003, false) },
		.taken = claimed(table, &shared, 20004),
		.fresh = claimed(table, &shared, 20005),
	};
	struct lease copy = some.taken;

	lease_taken(table, &copy);
	copy = some.fresh;
	lease_taken(table, &copy);
	age(&some.alive[0], 3600 * SECOND);
	age(&some.taken, 2 * SECOND);
	return some;
}

static void expect_by_life(const struct cells_of_both *some)
{
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(cell_of(table, &some->alive[i])->word, some->alive[i].word, "alive %d", i);
		cr_expect_eq(state_at(&some->dead[i]), CELL_FREE, "dead %d", i);
	}
	cr_expect_eq(state_at(&some->taken), CELL_FREE);
	cr_expect_eq(state_at(&some->fresh), CELL_TAKEN);
}

/* The process may make no netlink sockets, as in many a sandbox. */
static void forbid_netlink(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

Test(sweep, in_a_sandbox_owners_decide)
{
	struct cells_of_both some = some_cells();
	uint64_t before;

	forbid_netlink();
	cr_assert(socket(AF_NETLINK, SOCK_RAW, 4) < 0);
	before = clock_now();
	cr_expect(swept(&shared));
	expect_by_life(&some);
	cr_expect_gt(table->sweep[shared.id % TABLE_SWEEPS].again, before + SECOND, "it is put off for longer");
}

Test(sweep, without_descriptors_owners_decide)
{
	struct cells_of_both some = some_cells();
	const struct kernel *kernel = kernel_now();
	struct rlimit limit = descriptors_none();

	age(&some.alive[1], LEASE_FORGOTTEN - 20 * SECOND);
	sweep_peer(table, &shared, (struct port_range){ LO, HI }, kernel, clock_now(), false);
	descriptors_again(limit);
	expect_by_life(&some);
}
