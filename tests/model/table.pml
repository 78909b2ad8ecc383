/* table.pml - the protocol of the table in shared memory (shim/table.h), as a model for spin. tests/model/check.sh has
 * every interleaving of it checked, and that each of the mutants below is found to be wrong.
 *
 * One bucket of BLOCKS blocks, of PORTS cells each; TAGS names, each that of a peer and its PORTS ports; USERS
 * processes that claim, CHURNERS that give names to blocks in all ways there are, SWEEPS that ask the kernel. What one
 * process reads or writes of shared memory at once is one step (d_step), and nothing else is:
 *
 *	tag_find, tag_is_unique, block_rename,          inlines of the same names
 *	remove_twin, block_name_one, lease_claim
 *	lease_retry                                     lease_claim, which takes a refused cell as well
 *	lease_hold, lease_taken                         finish_claim
 *	lease_drop, lease_release                       steps of user()
 *	cell_free                                       the last step of look_at_cell
 *	owner_life                                      gone[]
 *	word                                            state, nonce and owner in a byte, never the same twice
 *	info                                            how often the kernel had been asked: all that is compared
 *	busy                                            a hint that may be wrong: an idle block is renamed, or is not
 *	mark                                            the name that the block had, with a number never used before
 *
 * The nonces of cells and marks are random numbers and counters there; here they differ for certain. Memory is
 * sequentially consistent. A process may be stopped for as long as it takes at each step, and DEATHS of them die.
 *
 * Checked: that two living processes never have a claim to the same port and peer; that nobody changes a living
 * process's claim; that a sweep frees the word that it judged and no other, and never a connection that there is; that
 * a block keeps its name while it has leases; that all processes come to their end whatever the others do (an end
 * that is not one is an error to spin); and at the end, that a sweep frees all cells, after which each port can be
 * claimed.
 *
 * Mutants, each with one thing wrong:
 *
 *	NO_CAS           a cell is read, then written
 *	NO_RECHECK       a claim does not look at the bucket again
 *	OWN_LAST         it looks at its own block last
 *	HIDING_MARK      the mark does not tell which name the block had
 *	NO_MARK          a block is renamed in one step, after a look at its cells
 *	NO_SCAN          it is renamed without that look
 *	SAME_MARK        all marks of one name are the same
 *	WAIT             a claim waits until the mark is off
 *	NO_NONCE         words of one state and owner are the same
 *	SWEEP_CLAIMS     a sweep frees claims, whoever's
 *	SWEEP_NOT_DEAD   it frees no claims
 *	SWEEP_ALL        it does not compare times
 *	INFO_FIRST       it reads the time before the word
 *	INFO_LATE        the time is written after the word
 *	NAME_EARLY       a sweep reads the name of a block before it asks the kernel
 *
 * LEAVE_MARK is right too: a claim in a marked block is given up, and the mark left to remove_twin. */

#ifndef BLOCKS
#define BLOCKS 2
#endif
#ifndef PORTS
#define PORTS 1
#endif
#ifndef TAGS
#define TAGS 2
#endif
#ifndef USERS
#define USERS 2
#endif
#ifndef USER_TAGS
#define USER_TAGS TAGS /* those that users take */
#endif
#ifndef ROUNDS
#define ROUNDS 1 /* claims of each user */
#endif
#ifndef CHURNERS
#define CHURNERS 0
#endif
#ifndef RENAMES
#define RENAMES 2 /* of each churner */
#endif
#ifndef SWEEPERS
#define SWEEPERS 0
#endif
#ifndef SWEEPS
#define SWEEPS 1 /* of each sweeper */
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef TRIES
#define TRIES 1
#endif

#ifndef FIRST_NAME
#define FIRST_NAME 0 /* of all blocks */
#endif

#define CELLS (BLOCKS * PORTS)
#define NONE 255

/* Words of cells: what they were claimed by (owner and nonce) does not change until they are free. */
#define CLAIMED 64
#define HELD 128
#define TAKEN 192
#define state_of(w) ((w) & 192)
#define owner_of(w) (((w) & 7) - 1)
#define lease_word(state) ((state) | nonce << 3 | (me + 1))

/* Tags. */
#define name_of(x) ((x) & 3)
#define is_mark(x) ((x) > 3)
#ifdef SAME_MARK
#define mark_of(x) (name_of(x) | 4)
#else
#define mark_of(x) (name_of(x) | (me + 1) << 2 | marks << 5)
#endif
#ifdef HIDING_MARK /* the mark does not tell which name the block had */
#define has_name(x, t) ((x) == (t))
#define name_back(x) (x)
#else
#define has_name(x, t) (name_of(x) == (t))
#define name_back(x) name_of(x)
#endif

/* Whether a word is still what it was. */
#ifdef NO_NONCE
#define is_still(now, was) (((now) & ~56) == ((was) & ~56))
#else
#define is_still(now, was) ((now) == (was))
#endif

byte tag[BLOCKS];
byte word[CELLS];
byte info[CELLS];
byte asked; /* how often the kernel was */

#define FOREIGN 7 /* somebody who does not use the table */
#define port_of(t, p) (((t) - 1) * PORTS + (p))
byte kernel[TAGS * PORTS]; /* who has the connection: a user and 1, FOREIGN, or 0 */
byte claim[TAGS * PORTS];  /* which living user has a claim; the protocol does not know */
#define PROCESSES (USERS + CHURNERS + SWEEPERS)
bool gone[PROCESSES + 2];
byte running = PROCESSES;
byte deaths = DEATHS;

#if DEATHS
#define STEP(...) if :: d_step { __VA_ARGS__ } :: atomic { deaths > 0 -> deaths--; goto leaving } fi
#else
#define STEP(...) d_step { __VA_ARGS__ }
#endif

#define IF(condition, ...) if :: condition -> __VA_ARGS__ :: else fi

/* What the kernel and the observer do when a process ends, of itself or not. */
inline leave()
{
	d_step {
		gone[me] = true;
		running--;
		i = 0;
		do
		:: i < TAGS * PORTS ->
			IF(claim[i] == me + 1, claim[i] = 0);
			IF(kernel[i] == me + 1, kernel[i] = 0);
			i++
		:: else -> break
		od;
		i = 0
	}
}

/* --- names ----------------------------------------------------------------------------------------- */

/* b: the first block of the name, or NONE. */
inline tag_find()
{
	b = NONE;
	i = 0;
	do
	:: i < BLOCKS && b == NONE ->
		STEP(IF(has_name(tag[i], t), b = i); i++)
	:: else -> break
	od;
	i = 0
}

/* ok: whether the block i was `old` and is `new`. */
inline block_rename(i, old, new)
{
	idle = true;
	c = 0;
#ifdef NO_MARK
	ok = true;
#else
	STEP(
		ok = tag[i] == old;
		IF(ok,
marks++; assert(marks < 8); mark = mark_of(old); tag[i] = mark)
	);
#endif
	if
	:: ok ->
#ifndef NO_SCAN
		do
		:: idle && c < PORTS -> STEP(idle = word[i * PORTS + c] == 0; c++)
		:: else -> break
		od;
		c = 0;
#endif
#ifdef NO_MARK
		STEP(ok = idle && tag[i] == old; IF(ok, tag[i] = new))
#else
		STEP(
			ok = tag[i] == mark;
			IF(ok, tag[i] = (idle -> new : name_back(old)));
			ok = ok && idle;
			mark = 0
		)
#endif
	:: else
	fi;
	idle = false
}

/* The last of those of the name that is idle loses it. */
inline remove_twin()
{
	n = BLOCKS;
	ok = false;
	do
	:: n > 0 && !ok ->
		n--;
		STEP(old = tag[n]);
		IF(has_name(old, t), block_rename(n, old, 0))
	:: else -> break
	od;
	n = 0;
	old = 0;
	ok = false
}

/* ok: whether a block was named: a new one, else an idle one. */
inline block_name_one()
{
	n = 0;
	ok = false;
	do
	:: n < BLOCKS && !ok -> STEP(ok = tag[n] == 0; IF(ok, tag[n] = t); n++)
	:: else -> break
	od;
	n = 0;
	do
	:: n < BLOCKS && !ok ->
		STEP(old = tag[n]);
		if
		:: block_rename(n, old, t)
		:: !is_mark(old) && me < PROCESSES
		fi;
		n++
	:: else -> break
	od;
	n = 0;
	old = 0
}

/* --- leases ---------------------------------------------------------------------------------------- */

/* ok: whether block b has the name and no other has it. Its own is looked at first, and a mark taken off it: later
 * marks come from processes that see the claim. So two claims in two blocks see each other, or one of them sees that
 * it lost its block. */
inline tag_is_unique()
{
#ifdef NO_RECHECK
	STEP(ok = true; note_claim())
#else
#ifndef OWN_LAST
#ifdef WAIT
	!is_mark(tag[b]);
#endif
	STEP(old = tag[b]; ok = has_name(old, t));
	#ifdef LEAVE_MARK
	ok = ok && old == t;
#endif
	IF(ok && old != t, STEP(ok = tag[b] == old; IF(ok, tag[b] = t)));
	old = 0;
	i = 0;
	do
	:: ok && i < BLOCKS ->
		STEP(
			ok = i == b || !has_name(tag[i], t);
			i++;
			IF(ok && i == BLOCKS, note_claim())
		)
	:: else -> break
	od;
	i = 0
#else
	n = 0;
	i = 0;
	do
	:: i < BLOCKS -> STEP(n = n + has_name(tag[i], t); i++)
	:: else -> break
	od;
	i = 0;
	ok = false;
	IF(n == 1, STEP(ok = tag[b] == t; IF(ok, note_claim())));
	n = 0
#endif
#endif
}

/* For the observer: the claim is made, with the step that this is part of. */
inline note_claim()
{
	assert(claim[port_of(t, p)] == 0);
	claim[port_of(t, p)] = me + 1
}

inline end_claim()
{
	assert(word[b * PORTS + p] == lease_word(CLAIMED));
	assert(claim[port_of(t, p)] == me + 1);
	assert(name_of(tag[b]) == t);
	claim[port_of(t, p)] = 0
}

/* b: the block of the claim, or NONE where the port is not free or there is no room. */
inline lease_claim()
{
	tries = 0;
	b = NONE;
	do
	:: tries < TRIES || me > PROCESSES && tries < BLOCKS + 1 ->
		tries++;
		tag_find();
		if
		:: b == NONE ->
			block_name_one();
			if
			:: ok -> tag_find()
			:: else
			fi
		:: else
		fi;
		ok = false;
		if
		:: b == NONE -> break
		:: else
		fi;
#ifdef NO_CAS
		STEP(ok = word[b * PORTS + p] == 0);
		IF(ok, STEP(nonce++; word[b * PORTS + p] = lease_word(CLAIMED)));
#else
		STEP(
			ok = word[b * PORTS + p] == 0 || state_of(word[b * PORTS + p]) == TAKEN;
			IF(ok, nonce++; assert(nonce < 8); word[b * PORTS + p] = lease_word(CLAIMED))
		);
#endif
		if
		:: !ok -> b = NONE; break
		:: else
		fi;
		tag_is_unique();
		if
		:: ok -> break
		:: else
		fi;
		STEP(
			assert(word[b * PORTS + p] == lease_word(CLAIMED));
			word[b * PORTS + p] = 0;
			b = NONE
		);
		remove_twin()
	:: else -> break
	od;
	tries = 0;
	ok = false
}

inline finish_claim(state)
{
#if SWEEPERS
#ifdef INFO_LATE
	STEP(time = asked);
	STEP(end_claim(); word[b * PORTS + p] = lease_word(state));
	STEP(info[b * PORTS + p] = time);
#else
	STEP(time = asked);
	STEP(info[b * PORTS + p] = time);
	STEP(end_claim(); word[b * PORTS + p] = lease_word(state));
#endif
	time = 0
#else
	STEP(end_claim(); word[b * PORTS + p] = lease_word(state))
#endif
}

proctype user(byte me)
{
	byte rounds, tries, nonce, marks, b, t, p, i, c, n, old, mark, time;
	bool ok, idle;

	do
	:: rounds < ROUNDS ->
		rounds++;
		select(t : 1 .. (me == 0 -> 1 : USER_TAGS)); /* all names are alike */
		select(p : 0 .. PORTS - 1);
		lease_claim();
		if
		:: b == NONE
		:: b != NONE -> /* the call fails: lease_drop */
			STEP(end_claim(); word[b * PORTS + p] = 0)
#if !SWEEPERS
		:: b != NONE -> finish_claim(HELD)
#else
		:: b != NONE -> /* the call takes the port, or the kernel says that it is taken */
			STEP(ok = kernel[port_of(t, p)] == 0; IF(ok, kernel[port_of(t, p)] = me + 1));
			if
			:: ok ->
				finish_claim(HELD);
				if
				:: true /* stays open */
				:: STEP(kernel[port_of(t, p)] = 0) /* is closed out of sight */
				:: STEP(kernel[port_of(t, p)] = 0); /* close() */
					STEP(old = word[b * PORTS + p]);
					IF(is_still(old, lease_word(HELD)),
					   STEP(IF(word[b * PORTS + p] == old, word[b * PORTS + p] = 0)));
					old = 0
				fi
			:: else -> finish_claim(TAKEN)
			fi
#endif
		fi;
		b = 0;
		t = 0;
		p = 0;
		ok = false
	:: else -> break
	od;
leaving:
	skip;
	leave()
}

/* Names blocks as if claims came to nothing: from none, to another, to none. */
proctype churner(byte me)
{
	byte rounds, marks, t, i, c, n, old, mark;
	bool ok, idle;

	do
	:: rounds < RENAMES ->
		rounds++;
		select(n : 0 .. BLOCKS - 1);
		select(t : 0 .. TAGS);
		if
		:: t > 0 -> STEP(IF(tag[n] == 0, tag[n] = t))
		:: true ->
			STEP(old = tag[n]);
			IF(old != 0, block_rename(n, old, t));
			old = 0
		fi;
		n = 0;
		t = 0;
		ok = false
	:: else -> break
	od;
leaving:
	skip;
	leave()
}

/* --- sweeps ---------------------------------------------------------------------------------------- */

/* Cell c of block b, which has the name t. `known`: of which ports the kernel knows a connection. */
inline look_at_cell()
{
#ifdef INFO_FIRST
	STEP(time = info[b * PORTS + c]);
#endif
	STEP(old = word[b * PORTS + c]);
	ok = false;
	if
	:: state_of(old) == CLAIMED ->
#ifdef SWEEP_CLAIMS
		ok = true
#else
#ifndef SWEEP_NOT_DEAD
		STEP(ok = gone[owner_of(old)])
#endif
#endif
	:: state_of(old) >= HELD && t != 0 && !(known >> port_of(t, c) & 1) ->
#ifndef INFO_FIRST
		STEP(time = info[b * PORTS + c]);
#endif
#ifdef SWEEP_ALL
		ok = true
#else
		ok = time < now
#endif
	:: else
	fi;
	time = 0;
	IF(ok, STEP(
		IF(is_still(word[b * PORTS + c], old),
			assert(word[b * PORTS + c] == old);
			assert(state_of(old) != CLAIMED || gone[owner_of(old)]);
			assert(state_of(old) != HELD || kernel[port_of(t, c)] != owner_of(old) + 1);
			assert(state_of(old) == CLAIMED || name_of(tag[b]) == t);
			word[b * PORTS + c] = 0
		)
	));
	old = 0;
	ok = false
}

#ifdef HIDING_MARK
#define name_to_sweep(x) (is_mark(x) -> 0 : (x))
#else
#define name_to_sweep(x) name_of(x)
#endif

proctype sweeper(byte me)
{
	byte rounds, now, known, b, t, i, c, old, time;
	bool ok;

	do
	:: rounds < SWEEPS ->
		rounds++;
#ifdef NAME_EARLY
		STEP(t = name_to_sweep(tag[0]));
#endif
		STEP(asked++; now = asked);
		do
		:: i < TAGS * PORTS -> STEP(known = known | (kernel[i] != 0) << i; i++)
		:: else -> break
		od;
		i = 0;
		do
		:: b < BLOCKS ->
#ifdef NAME_EARLY
			IF(b > 0, STEP(t = name_to_sweep(tag[b])));
#else
			STEP(t = name_to_sweep(tag[b]));
#endif
			do
			:: c < PORTS -> look_at_cell(); c++
			:: else -> break
			od;
			c = 0;
			t = 0;
			b++
		:: else -> break
		od;
		b = 0;
		now = 0;
		known = 0
	:: else -> break
	od;
leaving:
	skip;
	leave()
}

/* --- the end --------------------------------------------------------------------------------------- */

/* When nobody is there any more, each port can be claimed. */
proctype claims_all(byte me)
{
	byte tries, nonce, marks, b, t, p, i, c, n, old, mark;
	bool ok, idle;

	t = 1;
	do
	:: t <= TAGS ->
		marks = 0;
		lease_claim();
		assert(b != NONE);
		STEP(end_claim(); word[b * PORTS + p] = 0);
		t++
	:: else -> break
	od;
leaving:
	skip;
	leave()
}

init
{
	byte i;

	d_step {
		do
		:: i < BLOCKS -> tag[i] = FIRST_NAME; i++
		:: else -> break
		od;
		i = 0
	};
#if SWEEPERS
	if
	:: kernel[0] = FOREIGN
	:: true
	fi;
#endif
	atomic {
		do
		:: i < USERS -> run user(i); i++
		:: i >= USERS && i < USERS + CHURNERS -> run churner(i); i++
		:: i >= USERS + CHURNERS && i < PROCESSES -> run sweeper(i); i++
		:: else -> break
		od;
		i = 0
	};
	running == 0;
	d_step {
		deaths = 0;
		kernel[0] = 0;
		running = 2
	};
	run sweeper(PROCESSES);
	running == 1;
	do
	:: i < CELLS -> assert(word[i] == 0); i++
	:: else -> break
	od;
	run claims_all(PROCESSES + 1);
	running == 0
}
