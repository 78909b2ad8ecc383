/* test_start.c - `portshim run` where no process, thread or descriptor is left: the program is started and has its ports, or it is not
 * started and that is said in one line; never is it started without. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/crowd.h"

#define POLICY "[rule r]\nports = 20000-20099\n"

static pid_t servers;

static void enter(void)
{
	net_own_for_all_users();
	net_set("net/ipv4/ip_local_port_range", "40000 40999");
	servers = crowd_serve(5000, 5000, CLIENT_CLOSES);
}

static void leave(void)
{
	crowd_end(servers);
}

TestSuite(start, .init = enter, .fini = leave, .timeout = 120);

static int lines_of(const char *text)
{
	int n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* True if the program was started. `limit` is an option of prlimit(1), for a user who has no other process, nor any other suite. */
static bool start(const char *mode, const char *limit, const char *reason)
{
	static struct run run;
	char option[32];
	const char *argv[] = { "setpriv", "--reuid=51117", "--regid=51117", "--clear-groups", "prlimit", limit, built("portshim"), "run", option,
	                       "--", built("tests/probes/act"), "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", NULL };

	snprintf(option, sizeof(option), "--mode=%s", mode);
	run = (struct run){ .bare = true, .policy = POLICY };
	run_program(&run, argv);
	if (exited(&run, 0)) {
		cr_assert(port_of(&run, "name 0") >= 20000 && port_of(&run, "name 0") <= 20099, "%s %s: %s%s", mode, limit, run.out, run.err);
		cr_assert_str_empty(run.err);
		return true;
	}
	cr_assert(exited(&run, 125), "%s %s: status 0x%x\n%s%s", mode, limit, (unsigned int)run.status, run.out, run.err);
	cr_assert_str_empty(run.out, "%s %s: %s", mode, limit, run.out);
	cr_assert(strncmp(run.err, "portshim: ", 10) == 0 && strstr(run.err, reason) && lines_of(run.err) == 1, "%s %s: %s", mode, limit,
	          run.err);
	return false;
}

/* From nearly nothing to enough. */
static void from(const char *option, int least, int most, const char *reason)
{
	static const char *const modes[] = { "preload", "supervise" };

	for (int i = 0; i < 2; i++) {
		bool started = false, refused = false;

		for (int n = least; n <= most; n++) {
			char limit[32];
			bool now;

			snprintf(limit, sizeof(limit), "%s=%d", option, n);
			now = start(modes[i], limit, reason);
			cr_assert(now || !started, "%s: with %s it did, with less it did not hinder", modes[i], limit);
			started |= now;
			refused |= !now;
		}
		cr_assert(started && refused, "%s, %s: from the least to the most it is the same", modes[i], option);
	}
}

Test(start, processes)
{
	from("--nproc", 1, 6, "Resource temporarily unavailable");
}

Test(start, descriptors)
{
	from("--nofile", 4, 16, "Too many open files");
}
