/* table.h - the table in shared memory through which processes steer clear of each other's ports.
 *
 * Theory of operation. The kernel decides whether a port is free; the table only spares processes from asking it in
 * vain, and remembers what the kernel does not: which rule gave a port, when, and where each algorithm stands. It is one
 * file for each user and network namespace (or the policy's PATH), of one size and one layout for 32 and 64 bits,
 * all zero when new. Nothing in it is trusted: every index read from it is masked, every loop over it is bounded, and
 * a port is never used because the table says so, only skipped, or tried first.
 *
 * A *cell* is one port towards one *peer*: a protocol with a destination, since a port carries one connection to each;
 * or a protocol alone, for ports that are somebody's exclusively. 64 neighbouring ports towards one peer are a
 * *block*. Blocks lie in buckets of eight, found by a hash of the peer plus the number of the block; `busy` has a bit for
 * each cell that is not free, and is a hint to find free ones with.
 *
 * The protocol. `word` of a cell is 0 where it is free, else a state, a nonce and an owner (process id, a piece of its
 * start time, its pid namespace). Each step is one compare-and-swap on the whole word, so nobody ever waits for
 * anybody, whoever is killed, stopped or forked between two steps:
 *
 *	FREE -> CLAIMED     by a process that is going to bind the port (the owner);
 *	CLAIMED -> HELD     by the owner, when the call that takes the port has returned;
 *	CLAIMED -> TAKEN    by the owner, when the kernel said that somebody has the port;
 *	CLAIMED -> FREE     by the owner, when the call failed for another reason;
 *	TAKEN -> CLAIMED    by who has found no free port and asks the kernel once more (where the process may ask nothing
 *	                    else, HELD -> CLAIMED too: bind() will say);
 *	HELD -> FREE        by the owner's close();
 *	HELD, TAKEN -> FREE by a sweep, if the kernel, asked later than the cell was last changed (`info`, which is written
 *	                    before the word), does not know such a socket;
 *	CLAIMED -> FREE     by a sweep, if the owner is dead, or the claim older than any call takes. Else a claim is never
 *	                    touched: between bind() and connect() the kernel cannot say what the port will be.
 *
 * The nonce makes a word that came back differ from what it was, so that a sweep that was stopped for an hour changes
 * nothing. So two processes never hold a claim to one cell at once, and that is all that sharing needs of the table:
 * between a look at the kernel and connect(), no other process of this table goes for the same 4-tuple.
 *
 * A block gets its name by a compare-and-swap of its tag from 0. Two blocks of one name can come to be, when two
 * processes name different blocks at once; so who has claimed a cell looks at the bucket again, and gives the claim
 * up unless the block has its name still and, looked at after that, no other has it. An idle block is renamed in three
 * steps (a mark over its tag, a look at all cells, the new name or the old one in the mark's place). The mark
 * keeps the name in it, so that the block is found as before; a claim takes it off. So a claim that was made meanwhile is
 * seen by one or the other, and a block keeps its name for as long as a cell is not free. A mark that was left behind is
 * in nobody's way.
 *
 * Where all blocks of a bucket are in use (ports to thousands of destinations at once), a claim is made in one of the
 * *spare* cells, by a hash of peer and port, and given up as soon as the port is taken: so two that find no room do not go
 * for one 4-tuple at once, but nothing is remembered. Who finds a spare cell of a dead process takes it over. (One who finds no
 * room and one who just got a block may still meet; connect() decides between them.)
 *
 * The time of a port's last use only grows. tests/model/ has the protocol as a model whose
 * every interleaving is checked. Each look at a word, a tag or an `info`, and each step, that this rests on is sequentially
 * consistent (C11, 7.17.3), so those interleavings are all that there are, on processors with a weaker order of memory
 * too; what is relaxed or acquired only is a hint, a figure, or is looked at again. */
#ifndef PORTSHIM_SHIM_TABLE_H
#define PORTSHIM_SHIM_TABLE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/policy.h"

/* Part of the file's name, and of what its first word says: tables of two versions live beside each other. (One may be named
 * at build time, so that a test has a library of another version.) */
#ifndef TABLE_VERSION
#define TABLE_VERSION "v2"
#endif

#define BLOCK_PORTS 64u
#define BUCKET_BLOCKS 8u
#define TABLE_BUCKETS 512u
#define TABLE_BLOCKS (TABLE_BUCKETS * BUCKET_BLOCKS)
#define GROUP_PORTS 2048u
#define TABLE_SPARES 16384u
#define TABLE_RULES 1024u
#define TABLE_NAMESPACES 256u
#define TABLE_SWEEPS 256u
#define TABLE_SPACES 3u          /* TCP, UDP, all others: each numbers its ports on its own */
#define RULE_NAME_SIZE 56u
#define RULE_INTERVALS 16u
#define DOUBLE_HASH_COUNTERS 16u /* RFC 6056, 3.3.4: the size of its table */

typedef _Atomic uint64_t word64;
typedef _Atomic uint32_t word32;

struct table_cell {
	alignas(8) word64 word;
	word64 info; /* when it was last changed (clock_now(), low bits cut), and the number of its rule */
};

/* What a tag is the hash of; written by everybody who uses the block, with the same words. */
struct table_name {
	alignas(8) word64 to[2];
	word64 source[2];
	word64 rest; /* ports, protocol and families */
};

/* What is kept of a rule: for its algorithm and for `portshim status`. */
struct table_rule {
	alignas(64) word64 id; /* struct rule; 0: not used */
	word64 used;           /* when last, within a minute */
	word64 cooldown;       /* ms */
	word64 name[RULE_NAME_SIZE / 8];
	word32 interval[RULE_INTERVALS]; /* lo << 16 | hi; the first of them */
	word32 ports;          /* in the set */
	word32 about;          /* enum choose | enum share << 8 | bits of enum protocol << 11 | intervals << 16 */
	alignas(64) word64 given;
	word64 failures, waits, denied;
	word64 retries;        /* ports that were proposed and refused, by the kernel or by another's claim */
	word32 released[TABLE_SPACES]; /* the port that came back last */
	word32 next;           /* RFC 6056: next_ephemeral; least-recent: where it found the last */
	word32 table[DOUBLE_HASH_COUNTERS];
};

struct table_sweep {
	alignas(8) word64 peer;
	word64 again; /* asked for this peer; not again before then */
};

struct table {
	alignas(64) word64 magic;
	word64 layout;
	word64 boot[2];      /* /proc/sys/kernel/random/boot_id */
	word64 netns;        /* SO_NETNS_COOKIE, or an inode number */
	word64 key[2];       /* of all hashes */
	word64 ready;        /* the key is complete */
	word64 asked, swept; /* exact questions to the kernel; sweeps */
	word64 generation;   /* of the policy: who finds another than at its reading reads it again */
	word64 audit_lost;   /* lines for `audit` that could not be written */
	word64 audit_torn;   /* one of them came to a part of a line: the next begins on a line of its own */
	word64 freed;        /* cells that were freed by sweeps, and hints: who finds it grown looks again */
	alignas(64) word32 namespaces[TABLE_NAMESPACES]; /* inodes of pid namespaces; [0] is none */
	alignas(64) struct table_sweep sweep[TABLE_SWEEPS];
	struct table_sweep strict[TABLE_SWEEPS]; /* peers that no connection in TIME_WAIT can be taken over from, until then */
	alignas(64) word64 tag[TABLE_BLOCKS];
	alignas(64) word64 busy[TABLE_BLOCKS];
	struct table_name name[TABLE_BLOCKS];
	alignas(64) struct table_cell cell[BUCKET_BLOCKS][TABLE_BUCKETS][BLOCK_PORTS]; /* table_cells() */
	struct table_cell spare[TABLE_SPARES];
	word64 used[TABLE_SPACES][65536];              /* when a port was last given or came back */
	word64 oldest[TABLE_SPACES][65536 / BLOCK_PORTS]; /* not above the least of 64 of them */
	word64 eldest[TABLE_SPACES][65536 / GROUP_PORTS]; /* not above the least of 32 of those */
	struct table_rule rule[TABLE_RULES];
};

#define TABLE_MAGIC (UINT64_C(0x00656c6261747370) | (uint64_t)(unsigned char)TABLE_VERSION[1] << 56) /* "pstable2" */
#define TABLE_LAYOUT                                                                                            \
	((uint64_t)sizeof(struct table) << 32 ^ (uint64_t)offsetof(struct table, cell) << 8 ^                   \
	 (uint64_t)offsetof(struct table, rule) ^ (uint64_t)sizeof(struct table_rule) << 48)

_Static_assert(sizeof(word64) == 8 && sizeof(word32) == 4, "the layout is the same everywhere");
_Static_assert(sizeof(struct table_cell) == 16 && sizeof(struct table_name) == 40, "the layout is the same everywhere");
_Static_assert(sizeof(struct table_rule) == 320 && offsetof(struct table_rule, given) == 192 &&
               offsetof(struct table_rule, released) == 232 && offsetof(struct table_rule, table) == 248,
               "the layout is the same everywhere");
_Static_assert(offsetof(struct table, ready) == 56 && offsetof(struct table, generation) == 80 &&
               offsetof(struct table, audit_lost) == 88 && offsetof(struct table, audit_torn) == 96 &&
               offsetof(struct table, freed) == 104 &&
               offsetof(struct table, namespaces) == 128 &&
               offsetof(struct table, sweep) == 1152 && offsetof(struct table, strict) == 5248 &&
               offsetof(struct table, tag) == 9344 && offsetof(struct table, busy) == 42112 &&
               offsetof(struct table, name) == 74880 && offsetof(struct table, cell) == 238720 &&
               offsetof(struct table, spare) == 4433024 && offsetof(struct table, used) == 4695168 &&
               offsetof(struct table, oldest) == 6268032 && offsetof(struct table, eldest) == 6292608 &&
               offsetof(struct table, rule) == 6293376 && sizeof(struct table) == 6621056,
               "the layout is the same everywhere; another one needs another TABLE_VERSION");

/* The cells of a block. Blocks of a bucket lie far from each other, so that those of neighbouring ports, which are in
 * neighbouring buckets, lie together: a process touches few pages. */
static inline struct table_cell *table_cells(const struct table *table, uint32_t block)
{
	return (struct table_cell *)table->cell[block % BUCKET_BLOCKS][block / BUCKET_BLOCKS % TABLE_BUCKETS];
}

/* The table for the network namespace of `fd`, a socket: the shared one; one of its own where that cannot be had (`table =
 * none`, /dev/shm missing or full, a file that is not ours or of another shape), so that the algorithms have somewhere to keep
 * their state; NULL where there is no memory, or for now no descriptor, or where the socket is in another network namespace
 * than the one that the process began with (`foreign`: it came from elsewhere, so that must be asked, at the cost of a system
 * call).
 * Async-signal-safe, no cancellation point; errno may change. */
struct table *table_get(const struct policy *policy, int fd, bool foreign);

/* From here on sockets of this process may be of several network namespaces. */
void table_doubt(void);

/* `fd` is a socket that this process made. If it is in another network namespace than those before fork() or clone() were,
 * nothing that is known of that one holds any more: neither the table nor the kernel's settings. */
void table_check_home(int fd);

/* The table that table_get() returned first, or NULL. */
struct table *table_made(void);

/* Whether other processes see it too. */
bool table_is_shared(const struct table *table);

/* Whether two words of `netns` are known to be of two network namespaces. One process may have the cookie where another, an
 * emulated one, has but the inode number: of these nothing is known. */
bool table_netns_differs(uint64_t one, uint64_t other);

/* The file that `auto` stands for, for a user and the network namespace of `fd`. False if the kernel does not say. */
bool table_path(struct text *path, uint32_t user, int fd);

/* The generation of the table that table_get() would map for this policy, read from its file; 0 where there is no such table.
 * Async-signal-safe, no cancellation point; errno may change. */
uint64_t table_generation(const struct policy *policy, int fd);

/* Raises the generation of the table in the file `path`, which is made if there is none (`named`: the policy names it, else it
 * is that of table_path()), for the network namespace of `socket`. The generation; 0 with -errno in *error, as table_look() has
 * them; -EXDEV: it is another namespace's. For the tools. */
uint64_t table_announce(const char *path, bool named, int socket, int *error);

/* Maps the table in the file `path`, which must be there and complete, to be looked at. NULL with -errno in *error:
 * -ENOENT, -EACCES, -EPERM (others can write to it), -EPROTO (no table of this version). For the tools. */
const struct table *table_look(const char *path, int *error);

#endif
