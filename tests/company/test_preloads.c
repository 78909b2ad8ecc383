/* test_preloads.c - other libraries in LD_PRELOAD, before ours and behind it. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/company.h"

/* In either order the story goes as with the other library alone, and so does all that no rule concerns. `opens`: the
 * other library keeps descriptors of its own, whose numbers then differ in scenes that show numbers. */
static void keeps(const char *pattern, bool opens, const char *variable, const char *second)
{
	const char *path = company_file(pattern);
	char preload[600];
	const char *env[] = { preload, variable, second, NULL };

	for (int first = 0; first < 2; first++) {
		snprintf(preload, sizeof(preload), first ? "LD_PRELOAD={}:%s" : "LD_PRELOAD=%s:{}", path);
		company_keep(env);
		company_same(env, "main", "tcp");
		company_same(env, "main", "udp-short");
		if (opens)
			continue;
		company_same(env, "constructor", NULL);
		company_same(env, "fork", NULL);
	}
}

#define NEIGHBOUR(name, pattern, opens, variable, second)                                                      \
	Test(preloads, name, .timeout = 120)                                                                   \
	{                                                                                                      \
		keeps("/usr/lib/*/" pattern, opens, variable, second);                                         \
	}

NEIGHBOUR(eatmydata, "libeatmydata.so.1", false, NULL, NULL)
NEIGHBOUR(jemalloc, "libjemalloc.so.2", false, NULL, NULL)
NEIGHBOUR(jemalloc_with_threads, "libjemalloc.so.2", false, "MALLOC_CONF=background_thread:true,tcache:false", NULL)
NEIGHBOUR(tcmalloc, "libtcmalloc_minimal.so.4", false, NULL, NULL)
NEIGHBOUR(tcmalloc_debug, "libtcmalloc_minimal_debug.so.4", false, NULL, NULL)
NEIGHBOUR(uid_wrapper, "libuid_wrapper.so", false, "UID_WRAPPER=1", "UID_WRAPPER_ROOT=1")
NEIGHBOUR(faketime, "faketime/libfaketime.so.1", true, "FAKETIME=2020-01-01 00:00:00", NULL)
NEIGHBOUR(faketime_with_locks, "faketime/libfaketimeMT.so.1", true, "FAKETIME=+10y x2", NULL)

/* All of them, and ours in their midst; but jemalloc and libfaketime do not bear each other. */
Test(preloads, everybody, .timeout = 120)
{
	char preload[2000];
	const char *env[] = { preload, "FAKETIME=2020-01-01 00:00:00", "UID_WRAPPER=1", "UID_WRAPPER_ROOT=1", NULL };

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s:%s:{}:%s:%s", company_file("/usr/lib/*/libeatmydata.so.1"),
	         company_file("/usr/lib/*/libtcmalloc_minimal.so.4"),
	         company_file("/usr/lib/*/faketime/libfaketime.so.1"), company_file("/usr/lib/*/libuid_wrapper.so"));
	company_keep(env);
}

/* A library that is at work before we are, after we are, and whenever somebody asks for memory. In the story are two
 * processes, and the parent alone comes to the end of main(). */
Test(preloads, eager, .timeout = 120)
{
	static struct run run;
	static const struct { const char *policy; int lo; } ways[] = { { EARLY, 20000 }, { LATE, 40500 } };
	char preload[1200];

	for (int i = 0; i < 4; i++) {
		const char *library = realpath(built("libportshim.so"), NULL);
		const char *eager = realpath(built("tests/company/eager.so"), NULL);
		int said = 0, lo = ways[i / 2].lo;

		snprintf(preload, sizeof(preload), "LD_PRELOAD=%s:%s", i % 2 ? library : eager,
		         i % 2 ? eager : library);
		run = (struct run){ .policy = ways[i / 2].policy, .env = { preload } };
		company_tell(&run, NULL, NULL);
		company_ours(&run, lo, lo + 99);
		for (const char *line = run.err, *end; *line; line = *end ? end + 1 : end, said++) {
			int port = 0;

			end = strchrnul(line, '\n');
			cr_assert(sscanf(line, "eager %d", &port) == 1 && port >= lo && port <= lo + 99, "%s", run.err);
		}
		cr_assert_geq(said, 2, "%s", run.err);
		cr_assert_geq(company_came(&run, lo, lo + 99), said - 2);
	}
}

/* --- clocks that lie ------------------------------------------------------------------------------------- */

static long real_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A program that waits for a port waits as long as the policy says, in everybody else's time. */
static void waits(const char *faketime)
{
	struct run run = { .policy = "[rule r]\nports = 20000\nexhausted = wait 300ms\n" };
	static const char *const steps[] = { "socket 0 udp4", "sendto 0 127.0.0.1 5000", "name 0", "socket 1 udp4",
	                                     "sendto 1 127.0.0.1 5000", NULL };
	char preload[2][600], *library = realpath(built("libportshim.so"), NULL);
	const char *path = company_file("/usr/lib/*/faketime/libfaketime.so.1");
	long began, took;

	snprintf(preload[0], sizeof(preload[0]), "LD_PRELOAD=%s:%s", library, path);
	snprintf(preload[1], sizeof(preload[1]), "LD_PRELOAD=%s:%s", path, library);
	for (int i = 0; i < 2; i++) {
		company_meet();
		run.env[0] = preload[i];
		run.env[1] = faketime;
		began = real_ms();
		company_run(&run, NULL, NULL, steps);
		took = real_ms() - began;
		cr_assert_eq(port_of(&run, "name 0"), 20000);
		cr_assert_str_eq(result_of(&run, "sendto 1 127.0.0.1 5000"), "-1 EAGAIN");
		cr_assert(took >= 300 && took < 10000, "%s: %ld ms", faketime, took);
	}
}

Test(clocks, stands_still)
{
	waits("FAKETIME=2020-01-01 00:00:00");
}

Test(clocks, slow)
{
	waits("FAKETIME=+0 x0.001");
}

Test(clocks, fast)
{
	waits("FAKETIME=+0 x1000");
}

/* A step at each look at it. */
Test(clocks, jumps)
{
	waits("FAKETIME=2020-01-01 00:00:00 i60.0");
}

/* What a process from another time gives back is not older, nor younger, to the others: of ten ports nine were in use
 * just now, and so the tenth comes first. */
Test(clocks, ports_of_another_time)
{
	static const char *const times[] = { "FAKETIME=+10y", "FAKETIME=-5s" };
	const char *one[] = { "socket 0 udp4", "sendto 0 127.0.0.1 5000", "name 0", NULL };
	const char *nine[28];
	char preload[600];
	int sum = 0;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s:%s", realpath(built("libportshim.so"), NULL),
	         company_file("/usr/lib/*/faketime/libfaketime.so.1"));
	for (int i = 0; i < 27; i++)
		nine[i] = i % 3 == 0 ? "socket 0 udp4" : i % 3 == 1 ? "sendto 0 127.0.0.1 5000" : "close 0";
	nine[27] = NULL;
	for (int i = 0; i < 2; i++) {
		struct run run = { .policy = "[rule r]\nports = 20000-20009\ncooldown = 30s\n",
		                   .env = { preload, times[i] } };

		company_meet();
		company_run(&run, NULL, NULL, nine);
		cr_assert(exited(&run, 0), "%s", run.err);
		sum = 0;
		for (int n = 0; n < 9; n++)
			sum += server_receive(company_udp());
		run.env[0] = run.env[1] = NULL;
		company_run(&run, NULL, NULL, one);
		cr_assert_eq(port_of(&run, "name 0"), 10 * 20000 + 45 - sum, "%s", times[i]);
	}
}
