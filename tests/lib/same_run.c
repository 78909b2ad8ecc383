/* same_run.c - plays the probe `same` with and without the library, and compares. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/same_run.h"

struct way {
	const char *name, *policy;
	int lo, hi; /* where the ports must be; 0: anywhere */
};

static const struct way ways[] = {
	{ "no rule", "[rule other]\nprogram = /nonexistent/program\nports = 20000-20999\n", 0, 0 },
	{ "elsewhere", "[rule other]\nto = 203.0.113.0/24\nports = 20000-20999\n", 0, 0 },
	{ "early", "[rule all]\nports = 20000-20999\n", 20000, 20999 },
	{ "late", "[rule all]\nports = 40000-40999\n", 40000, 40999 },
	{ "early, not shared", "[rule all]\nports = 20000-20999\nshare = never\n", 20000, 20999 },
	{ "late, not shared", "[rule all]\nports = 40000-40999\nshare = never\n", 40000, 40999 },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* In a network of its own each time: nothing is left of the run before. */
static void play(struct run *run, const struct same *same, const struct way *way, const char *role, const char *scene)
{
	static char environment[64];
	const char *argv[] = { built(same->probe), role, scene, NULL };

	snprintf(environment, sizeof(environment), "SAME_ROLE=%s", role);
	*run = (struct run){
		.bare = !way, .library = same->library, .policy = way ? way->policy : NULL, .env = { environment },
	};
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 48999");
	run_program(run, argv);
	cr_assert(exited(run, 0), "%s, %s: status 0x%x\n%s%s", scene ? scene : role, way ? way->name : "bare",
	          (unsigned int)run->status, run->out, run->err);
	cr_assert(run->out_length + 1 < sizeof(run->out), "%s %s prints too much", role, scene ? scene : "");
}

static bool ends_with(const char *line, size_t length, const char *words)
{
	size_t n = strlen(words);

	return length >= n && memcmp(line + length - n, words, n) == 0;
}

/* What a supervisor sets on a socket it cannot hide from getsockopt(2): SO_REUSEADDR, IP_BIND_ADDRESS_NO_PORT and
 * IP_LOCAL_PORT_RANGE. And a connect() whose time is up (SO_SNDTIMEO) was begun by another one, the supervisor's. Whether two
 * lines differ in nothing else. */
static bool same_but_for_marks(const char *one, size_t length, const char *other, size_t other_length)
{
	static const char *const marks[] = { ":   no port ", ":   range ", ":   read back ", ", reuse " };

	if (!getenv("PORTSHIM_TEST_MODE"))
		return false;
	if (ends_with(one, length, "= -1 EINPROGRESS") && ends_with(other, other_length, "= -1 EALREADY"))
		return true;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		const char *mark = memmem(one, length, marks[i], strlen(marks[i]));
		size_t before = mark ? (size_t)(mark - one) + strlen(marks[i]) : 0;

		if (!mark || before > other_length || memcmp(one, other, before) != 0)
			continue;
		return i < 3 || (length == other_length && memcmp(one + before + 3, other + before + 3, length - before - 3) == 0);
	}
	return false;
}

/* Whether two lines say the same. A port that bind() named stays with a socket where the kernel takes its own back (after
 * a call that failed, and a disconnect). Unless no rule can match, a name may have one or not. */
static bool same_line(const char *one, size_t length, const char *other, size_t other_length, bool ruled)
{
	const char *name = memmem(one, length, ":   name ", 9), *space;

	if (ruled && name) {
		length = (size_t)((const char *)memrchr(one, ' ', length) - one);
		space = memrchr(other, ' ', other_length);
		other_length = space ? (size_t)(space - other) : 0;
	}
	return (length == other_length && memcmp(one, other, length) == 0) ||
	       (ruled && same_but_for_marks(one, length, other, other_length));
}

static void compare(const struct run *bare, const struct run *run, const char *role, const struct way *way)
{
	bool ruled = way != &ways[0];
	const char *one = bare->out, *other = run->out;

	while (*one || *other) {
		size_t length = strcspn(one, "\n"), other_length = strcspn(other, "\n");

		cr_assert(same_line(one, length, other, other_length, ruled),
		          "%s, %s:\n--- bare\n%.600s\n--- with the library\n%.600s", role, way->name, one, other);
		one += length + (one[length] != '\0');
		other += other_length + (other[other_length] != '\0');
	}
}

static void look_at_ports(const struct run *run, const struct way *way, const char *role)
{
	for (const char *line = run->err, *end; *line; line = *end ? end + 1 : end) {
		int port;

		end = strchrnul(line, '\n');
		cr_assert(sscanf(line, "port %d", &port) == 1, "%s, %s: on stderr: %s", role, way->name, line);
		cr_assert(way->lo == 0 || (port >= way->lo && port <= way->hi), "%s, %s: port %d", role, way->name, port);
	}
}

void is_the_same(const struct same *same, const char *role, const char *scene)
{
	static struct run bare, run;

	play(&bare, same, NULL, role, scene);
	cr_assert(bare.out_length > 200, "%s: %s", role, bare.out);
	for (size_t i = 0; i < WAYS; i++) {
		play(&run, same, &ways[i], role, scene);
		compare(&bare, &run, scene ? scene : role, &ways[i]);
		/* A send that fails leaves a datagram socket with a port of the kernel's; these scenes have no such. */
		if (scene && (strncmp(scene, "tcp", 3) == 0 || strcmp(scene, "mptcp") == 0 || strcmp(scene, "options") == 0))
			look_at_ports(&run, &ways[i], scene ? scene : role);
	}
}
