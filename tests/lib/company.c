/* company.c - a story for the library in company. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <ctype.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "company.h"

#define WORDS_MAX 64
#define VARIABLES 6

static const char *const story[] = {
	"socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 udp4", "sendto 1 127.0.0.1 5000", "name 1",
	"socket 2 tcp4", "bind 2 127.0.0.1 0", "connect 2 127.0.0.1 5001", "name 2", "socket 3 tcp4",
	"set 3 reuseaddr 1", "bind 3 127.0.0.1 6000", "listen 3", "socket 4 tcp4", "connect 4 127.0.0.1 6000",
	"accept 3 5", "peer 5", "name 5", "close 5", "close 4", "close 0", "fork", "socket 6 tcp4",
	"connect 6 127.0.0.1 5000", "name 6", NULL,
};

static int tcp, other_tcp, udp;

void company_meet(void)
{
	net_own();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	tcp = server_tcp("127.0.0.1", 5000);
	other_tcp = server_tcp("127.0.0.1", 5001);
	udp = server_udp("127.0.0.1", 5000);
}

int company_udp(void)
{
	return udp;
}

void company_run(struct run *run, const char *const before[], const char *probe, const char *const steps[])
{
	const char *argv[WORDS_MAX];
	size_t n = 0;

	for (; before && before[n]; n++)
		argv[n] = before[n];
	argv[n++] = probe ? probe : built("tests/probes/act");
	for (size_t i = 0; n < WORDS_MAX && (argv[n] = steps[i]); i++)
		n++;
	cr_assert_lt(n, WORDS_MAX);
	run_program(run, argv);
}

void company_tell(struct run *run, const char *const before[], const char *probe)
{
	company_meet();
	company_run(run, before, probe, story);
}

static void is_of(const struct run *run, int port, int lo, int hi)
{
	cr_assert(port >= lo && port <= hi, "port %d in\n%s%s", port, run->out, run->err);
}

void company_ours(const struct run *run, int lo, int hi)
{
	static const char *const steps[] = { "name 0", "name 1", "name 2", "peer 5", "name 6" };

	cr_assert(exited(run, 0), "status 0x%x\n%s%s", (unsigned int)run->status, run->out, run->err);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		is_of(run, port_of(run, steps[i]), lo, hi);
	is_of(run, server_accept(tcp, NULL), lo, hi);
	is_of(run, server_accept(tcp, NULL), lo, hi);
	is_of(run, server_accept(other_tcp, NULL), lo, hi);
	is_of(run, server_receive(udp), lo, hi);
	cr_assert_eq(port_of(run, "name 5"), 6000);
}

static bool is_waiting(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

int company_came(const struct run *run, int lo, int hi)
{
	int count = 0;

	for (; is_waiting(tcp); count++)
		is_of(run, server_accept(tcp, NULL), lo, hi);
	for (; is_waiting(other_tcp); count++)
		is_of(run, server_accept(other_tcp, NULL), lo, hi);
	for (; is_waiting(udp); count++)
		is_of(run, server_receive(udp), lo, hi);
	return count;
}

/* A copy in which ports that the kernel or a rule chose are the word "PORT". */
static char *without_ports(const char *words)
{
	char *copy = malloc(strlen(words) * 2 + 1), *to = copy;

	cr_assert_not_null(copy);
	for (const char *line = words, *next; *line; line = next) {
		size_t length = strcspn(line, "\n"), number = length;
		int port;

		next = line + length + (line[length] != '\0');
		while (number > 0 && isdigit((unsigned char)line[number - 1]))
			number--;
		port = atoi(line + number);
		if ((strncmp(line, "name ", 5) == 0 || strncmp(line, "peer ", 5) == 0) && port > 0 && port != 6000)
			to += sprintf(to, "%.*sPORT\n", (int)number, line);
		else
			to += sprintf(to, "%.*s\n", (int)length, line);
	}
	*to = '\0';
	return copy;
}

void company_like(const struct run *bare, const struct run *run)
{
	char *one = without_ports(bare->out), *other = without_ports(run->out);

	cr_assert_str_eq(one, other);
	cr_assert_str_eq(bare->err, run->err);
	cr_assert_eq(bare->status, run->status, "0x%x, bare 0x%x", (unsigned int)run->status,
	             (unsigned int)bare->status);
	free(one);
	free(other);
}

/* The variables with the library's path in place of {}, or nothing. */
static void set_variables(struct run *run, const char *const env[], const char *extra)
{
	static char text[2][VARIABLES][512];
	int at = 0;

	for (; env[at] && at < VARIABLES; at++) {
		const char *mark = strstr(env[at], "{}");
		char *to = text[run->bare][at];

		if (mark)
			snprintf(to, sizeof(text[0][0]), "%.*s%s%s", (int)(mark - env[at]), env[at],
			         run->bare ? "" : realpath(built("libportshim.so"), NULL), mark + 2);
		else
			snprintf(to, sizeof(text[0][0]), "%s", env[at]);
		run->env[at] = to;
	}
	cr_assert(!env[at], "too many variables");
	run->env[at] = extra;
}

void company_keep(const char *const env[])
{
	static struct run bare, early, late;

	bare = (struct run){ .bare = true };
	set_variables(&bare, env, NULL);
	company_tell(&bare, NULL, NULL);
	cr_assert(exited(&bare, 0), "%s", bare.err);
	early = (struct run){ .policy = EARLY };
	set_variables(&early, env, NULL);
	company_tell(&early, NULL, NULL);
	company_ours(&early, 20000, 20099);
	company_like(&bare, &early);
	late = (struct run){ .policy = LATE };
	set_variables(&late, env, NULL);
	company_tell(&late, NULL, NULL);
	company_ours(&late, 40500, 40599);
	company_like(&bare, &late);
}

void company_same(const char *const env[], const char *role, const char *scene)
{
	static struct run bare, run;
	const char *argv[] = { built("tests/probes/same"), role, scene, NULL };
	char as[64];

	snprintf(as, sizeof(as), "SAME_ROLE=%s", role);
	bare = (struct run){ .bare = true };
	run = (struct run){ .policy = ELSEWHERE };
	set_variables(&bare, env, as);
	set_variables(&run, env, as);
	net_own();
	run_program(&bare, argv);
	net_own();
	run_program(&run, argv);
	cr_assert(bare.out_length > 200, "%s%s", bare.out, bare.err);
	cr_assert_str_eq(bare.out, run.out, "%s %s: not the same", role, scene ? scene : "");
	cr_assert_eq(bare.status, run.status);
}

const char *company_file(const char *pattern)
{
	static char path[4][512];
	static int next;
	char *to = path[next++ % 4];
	glob_t found;

	cr_assert(glob(pattern, 0, NULL, &found) == 0, "%s: not installed (make deps)", pattern);
	snprintf(to, sizeof(path[0]), "%s", found.gl_pathv[0]);
	globfree(&found);
	return to;
}
