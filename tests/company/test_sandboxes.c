/* test_sandboxes.c - a kernel that says no to what the library needs: it does without, or refuses; never does a call
 * leave from elsewhere, and nothing hangs.
 *
 * The filters are there before the program is (container engines, service managers), so the library is not told. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/company.h"

#define TO "[rule r]\nto = 127.0.0.0/8\nports = 20000-20099\n"
#define WAITING "[rule r]\nports = 20000-20099\nexhausted = wait 200ms\nshare = never\n"
#define ALL_CAME 7

static const char *const steps[] = {
	"socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 udp4", "sendto 1 127.0.0.1 5000", "socket 2 tcp4",
	"bind 2 127.0.0.1 0", "connect 2 127.0.0.1 5001", "socket 3 tcp4", "connect 3 127.0.0.1 5001", "socket 4 udp4",
	"connect 4 127.0.0.1 5000", "write 4", "socket 6 udp4", "bind 6 127.0.0.1 0", "sendto 6 127.0.0.1 5000", "fork",
	"socket 5 tcp4", "connect 5 127.0.0.1 5000", NULL,
};

static const struct way {
	const char *policy;
	int lo, hi;
} ways[] = { { EARLY, 20000, 20099 }, { LATE, 40500, 40599 }, { TO, 20000, 20099 }, { WAITING, 20000, 20099 } };

#define WAYS 4

/* Runs the steps with these words before the program; how many of them had a port. */
static int run_with(struct run *run, const char *const before[], const struct way *way)
{
	*run = (struct run){ .bare = true, .policy = way->policy };
	company_meet();
	company_run(run, before, NULL, steps);
	cr_assert(exited(run, 0), "status 0x%x under\n%s%s%s", (unsigned int)run->status, way->policy, run->out,
	          run->err);
	return company_came(run, way->lo, way->hi);
}

static int forbidden(struct run *run, const char *kind, const char *answer, const struct way *way)
{
	char preload[600];
	const char *before[] = { built("tests/probes/forbid"), kind, answer, "/usr/bin/env", preload, NULL };

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", realpath(built("libportshim.so"), NULL));
	return run_with(run, before, way);
}

/* All calls have their ports, whatever the answer. */
static void does_without(const char *kind)
{
	static const char *const answers[] = { "EPERM", "EACCES", "ENOSYS" };
	static struct run run;

	for (int i = 0; i < 3; i++)
		for (int way = 0; way < WAYS; way++)
			cr_assert_eq(forbidden(&run, kind, answers[i], &ways[way]), ALL_CAME, "%s, %s, under\n%s%s%s",
			             kind, answers[i], ways[way].policy, run.out, run.err);
}

/* EDESTADDRREQ comes of a write to a socket whose connect was refused. */
static bool is_refusal(const char *words, const char *answer)
{
	return strncmp(words, answer, strlen(answer)) == 0 || strncmp(words, "EADDR", 5) == 0 ||
	       strncmp(words, "EAGAIN", 6) == 0 || strncmp(words, "EDESTADDRREQ", 12) == 0;
}

/* Calls that find no port fail: with the sandbox's own answer, or as they do when the ports are used up. */
static void refuses(const char *kind, const struct way *way, int come)
{
	static const char *const answers[] = { "EPERM", "ENOSYS" };
	static struct run run;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(forbidden(&run, kind, answers[i], way), come, "%s%s", run.out, run.err);
		for (const char *at = run.out; (at = strstr(at, "= -1 ")); at += 5)
			cr_assert(is_refusal(at + 5, answers[i]), "%s", run.out);
	}
}

#define WITHOUT(name, kind)                                                                                    \
	Test(filtered, name, .timeout = 120)                                                                   \
	{                                                                                                      \
		does_without(kind);                                                                            \
	}

WITHOUT(nothing, "nothing")
WITHOUT(netlink, "netlink")
WITHOUT(sockets_to_ask_with, "second-socket")
WITHOUT(making_the_table, "create")
WITHOUT(opening_the_table, "write")
WITHOUT(room_for_the_table, "allocate")
WITHOUT(shared_memory, "share-memory")
WITHOUT(unmapping, "unmap")
WITHOUT(pages_that_fork_wipes, "advise")
WITHOUT(random_bytes, "random")
WITHOUT(cookie_of_the_network, "cookie")
WITHOUT(asking_for_options, "ask-option")
WITHOUT(late_ports, "range")
WITHOUT(ports_put_off, "no-port")
WITHOUT(setting_options, "set-option")
WITHOUT(links, "links")
WITHOUT(sleeping, "sleep")
WITHOUT(flags, "flags")
WITHOUT(signals, "kill")

/* bind() itself: late ports for TCP need none. */
Test(filtered, binding, .timeout = 120)
{
	refuses("bind", &ways[0], 0);
	refuses("bind", &ways[1], 4);
	refuses("bind", &ways[2], 0);
}

/* Who may not ask the kernel about connections shares no early port: it fails as when the ports are used up. What was
 * closed behind libc's back is found out all the same. */
Test(filtered, nobody_to_ask, .timeout = 120)
{
	/* The last is what RestrictAddressFamilies= of systemd has them say. */
	static const char *const answers[] = { "EPERM", "ENOSYS", "EAFNOSUPPORT" };
	static const char *const shared[] = {
		"socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4", "connect 1 127.0.0.1 5001",
		"socket 2 udp4", "sendto 2 127.0.0.1 5000", "rawclose 2", "socket 3 udp4", "sendto 3 127.0.0.1 5000",
		NULL,
	};
	static struct run run;
	char preload[600];
	const char *before[] = { NULL, NULL, NULL, "/usr/bin/env", preload, NULL };

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", realpath(built("libportshim.so"), NULL));
	for (int i = 0; i < 4; i++) {
		before[0] = built("tests/probes/forbid");
		before[1] = i == 3 ? "nothing" : "netlink";
		before[2] = answers[i % 3];
		run = (struct run){ .bare = true, .policy = "[rule r]\nports = 20000\n" };
		company_meet();
		company_run(&run, before, NULL, shared);
		cr_assert_eq(port_of(&run, "name 0"), 20000, "%s", run.out);
		cr_assert_str_eq(result_of(&run, "connect 1 127.0.0.1 5001"), i == 3 ? "0" : "-1 EADDRNOTAVAIL", "%s",
		                 run.out);
		cr_assert_str_eq(result_of(&run, "sendto 3 127.0.0.1 5000"), "1", "%s", run.out);
		company_came(&run, 20000, 20000);
	}
}

/* Of a bind that was put off nobody can tell the address, then. */
Test(filtered, own_names, .timeout = 120)
{
	refuses("own-name", &ways[0], ALL_CAME);
	refuses("own-name", &ways[1], ALL_CAME);
	refuses("own-name", &ways[2], ALL_CAME - 2);
}

/* Who would be killed for these is not: none of them is made while ports are plenty. */
Test(filtered, deadly, .timeout = 120)
{
	static const char *const kinds[] = { "netlink", "second-socket", "sleep", "pending", "flags", "kill" };
	static struct run run;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (int way = 0; way < 3; way++)
			cr_assert_eq(forbidden(&run, kinds[i], "KILL", &ways[way]), ALL_CAME, "%s%s", run.out, run.err);
}

/* --- a poor world ------------------------------------------------------------------------------------------------ */

/* After lines of sh(1) that take something away, all calls have their ports in each of the ways. */
static void poor(const char *lines)
{
	static struct run run;
	char preload[600], script[300];
	const char *before[] = { "unshare", "-m", "/bin/sh", "-c", script, "sh", "/usr/bin/env", preload, NULL };

	snprintf(script, sizeof(script), "set -e; %s; exec \"$@\"", lines);
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", realpath(built("libportshim.so"), NULL));
	for (int way = 0; way < WAYS; way++)
		cr_assert_eq(run_with(&run, before, &ways[way]), ALL_CAME, "%s, under\n%s%s%s", lines, ways[way].policy,
		             run.out, run.err);
}

#define POOR(name, lines)                                                                                      \
	Test(poor, name, .timeout = 120)                                                                       \
	{                                                                                                      \
		poor(lines);                                                                                   \
	}

POOR(no_shared_memory, "mount -t tmpfs none /dev")
POOR(shared_memory_that_may_not_be_written, "mount -t tmpfs -o ro none /dev/shm")
POOR(shared_memory_that_is_full, "mount -t tmpfs -o size=64k none /dev/shm")
POOR(shared_memory_that_is_a_file, "mount -t tmpfs none /dev; : >/dev/shm")
POOR(shared_memory_of_another, "mount -t tmpfs -o uid=1000,mode=700 none /dev/shm")
POOR(shared_memory_without_programs, "mount -t tmpfs -o noexec,nosuid,nodev none /dev/shm")
POOR(no_sys, "mount -t tmpfs none /sys")
POOR(proc_that_hides, "mount -t proc -o hidepid=2 proc /proc")
POOR(no_proc, "mount -t tmpfs none /proc")
POOR(neither, "mount -t tmpfs none /dev; mount -t tmpfs none /proc")
POOR(no_files, "ulimit -f 0")
POOR(small_files, "ulimit -f 1000")
POOR(no_files_and_no_signal, "trap '' XFSZ; ulimit -f 0")
POOR(no_files_for_messages, "ulimit -f 0; export PORTSHIM_LOG=debug; exec 2>/dev/shm/messages")
POOR(small_stack, "ulimit -s 64")
POOR(no_locked_memory, "ulimit -l 0")

/* The command itself starts a program there, and proves that the library is in. */
Test(poor, command, .timeout = 120)
{
	static const char *const lines[] = {
		"ulimit -f 0", "ulimit -n 8", "mount -t tmpfs none /dev", "mount -t tmpfs -o ro none /dev/shm",
		"mount -t tmpfs -o size=64k none /dev/shm",
	};
	static struct run run;
	char script[200];
	const char *before[] = { "unshare", "-m", "/bin/sh", "-c", script, "sh", NULL, "run", "--", NULL };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(script, sizeof(script), "set -e; %s; exec \"$@\"", lines[i]);
		before[6] = built("portshim");
		cr_assert_gt(run_with(&run, before, &ways[0]), 0, "%s:\n%s%s", lines[i], run.out, run.err);
		cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	}
}

/* A log that has come to the limit: no message more, and no SIGXFSZ. */
Test(poor, no_room_in_the_log)
{
	static const char *const lines[] = { "ulimit -f 0", "head -c 511 /dev/zero >/dev/shm/log; ulimit -f 1" };
	static const struct way way = { "[portshim]\nlog = debug\nlog-to = /dev/shm/log\n" EARLY, 20000, 20099 };
	static struct run run;
	char preload[600], script[300];
	const char *before[] = { "/bin/sh", "-c", script, "sh", "/usr/bin/env", preload, NULL };

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", realpath(built("libportshim.so"), NULL));
	for (int i = 0; i < 2; i++) {
		snprintf(script, sizeof(script), "%s; exec \"$@\"", lines[i]);
		cr_assert_eq(run_with(&run, before, &way), ALL_CAME, "%s%s", run.out, run.err);
	}
}

/* From where the loader can map the library at all. What it cannot map leaves as it likes. */
static void memory_from(char limit, int from)
{
	static struct run run;
	char preload[600], script[100];
	const char *before[] = { "/bin/sh", "-c", script, "sh", "/usr/bin/env", preload, NULL };
	int loaded = 0;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", realpath(built("libportshim.so"), NULL));
	for (int size = from; size < from + 25000; size += 500) {
		run = (struct run){ .bare = true, .policy = EARLY };
		snprintf(script, sizeof(script), "ulimit -%c %d; exec \"$@\"", limit, size);
		company_meet();
		company_run(&run, before, NULL, steps);
		if (!exited(&run, 0) || strstr(run.err, "cannot be preloaded"))
			continue;
		loaded++;
		company_came(&run, 20000, 20099);
	}
	cr_assert_gt(loaded, 10);
}

Test(poor, address_space, .timeout = 120)
{
	memory_from('v', 4000);
}

/* Of private pages that can be written. */
Test(poor, data, .timeout = 120)
{
	memory_from('d', 200);
}

/* Descriptors: what is left when the program has its sockets. */
Test(poor, descriptors, .timeout = 120)
{
	static struct run run;
	char preload[600], script[100];
	const char *before[] = { "/bin/sh", "-c", script, "sh", "/usr/bin/env", preload, NULL };

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", realpath(built("libportshim.so"), NULL));
	for (int count = 4; count < 12; count++)
		for (int way = 0; way < WAYS; way++) {
			snprintf(script, sizeof(script), "ulimit -n %d; exec \"$@\"", count);
			cr_assert_gt(run_with(&run, before, &ways[way]), 0, "%d, under\n%s%s%s", count,
			             ways[way].policy, run.out, run.err);
			cr_assert_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
		}
}
