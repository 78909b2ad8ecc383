/* test_debuggers.c - programs that are watched: by valgrind, strace, ltrace and gdb. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/company.h"
#include "tests/lib/world.h"

/* The watcher is preloaded with the library, as its program is; it makes no call that a rule concerns. */
static void watched(const char *const watcher[], const char *policy, int lo, int hi)
{
	static struct run bare, run;

	bare = (struct run){ .bare = true };
	company_tell(&bare, NULL, NULL);
	run = (struct run){ .policy = policy };
	company_tell(&run, watcher, NULL);
	company_ours(&run, lo, hi);
	company_like(&bare, &run);
}

/* --- valgrind ------------------------------------------------------------------------------------------------ */

/* -q: silence unless there is something to find fault with. */
static const char *const memcheck[] = {
	"valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
	"--errors-for-leak-kinds=definite,indirect,possible", "--child-silent-after-fork=no", NULL,
};

Test(valgrind, story, .timeout = 120)
{
	watched(memcheck, EARLY, 20000, 20099);
	watched(memcheck, LATE, 40500, 40599);
	watched(memcheck, "[rule r]\nports = 20000-20099\nchoose = least-recent\ncooldown = 1s\nexhausted = wait 1s\n",
	        20000, 20099);
}

/* Ports that are shared, asked for, used up and swept. */
Test(valgrind, used_up, .timeout = 120)
{
	static const char *const steps[] = {
		"socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5001", "name 1",
		"socket 2 tcp4", "connect 2 127.0.0.1 5000", "socket 3 udp6", "connect 3 ::1 5000", "socket 4 udp4",
		"sendmmsg 4 127.0.0.1 5000", "pass 4 5", "dup 1 6", "close 6", "socket 7 tcp4", "bind 7 127.0.0.1 0",
		"listen 7", NULL,
	};
	static struct run run;

	run = (struct run){ .policy = "[rule r]\nports = 20000\n" };
	company_meet();
	company_run(&run, memcheck, NULL, steps);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_assert_str_eq(run.err, "");
	cr_assert_eq(port_of(&run, "name 1"), 20000);
	cr_assert_str_eq(result_of(&run, "connect 2 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
}

/* All scenes, also those with pointers that are no addresses, as without the library: what memcheck says of the
 * program's own faults is its own affair. */
Test(valgrind, same, .timeout = 120)
{
	static struct run bare, run;
	const char *argv[] = { "valgrind", "-q", "--log-file=/dev/null", built("tests/probes/same"), "main", "tcp",
	                       NULL };

	bare = (struct run){ .bare = true };
	run = (struct run){ .policy = ELSEWHERE };
	net_own();
	run_program(&bare, argv);
	net_own();
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_assert_str_eq(run.out, bare.out);
}

/* --- tracers -------------------------------------------------------------------------------------------------- */

Test(tracers, strace)
{
	static const char *const all[] = { "strace", "-f", "-o", "/dev/null", NULL };
	/* A filter of strace's own lets the calls that it does not ask for pass at full speed. */
	static const char *const filtered[] = { "strace", "-f", "--seccomp-bpf", "-e", "trace=connect", "-o",
	                                        "/dev/null", NULL };

	watched(all, EARLY, 20000, 20099);
	watched(filtered, EARLY, 20000, 20099);
	watched(all, LATE, 40500, 40599);
}

/* Faults that strace makes: the call that gives a port fails as the kernel's would, and the next port is tried. */
Test(tracers, strace_injects)
{
	static const char *const strace[] = { "strace", "-e", "trace=bind", "-e", "inject=bind:error=EADDRINUSE:when=1",
	                                      "-o", "/dev/null", NULL };
	static const char *const steps[] = { "socket 0 udp4", "sendto 0 127.0.0.1 5000", "name 0", NULL };
	static struct run run;

	run = (struct run){ .policy = "[rule r]\nports = 20000-20001\n" };
	company_meet();
	company_run(&run, strace, NULL, steps);
	cr_assert_str_eq(result_of(&run, "sendto 0 127.0.0.1 5000"), "1");
	cr_assert(port_of(&run, "name 0") == 20000 || port_of(&run, "name 0") == 20001, "%s", run.out);
}

Test(tracers, ltrace)
{
	static const char *const ltrace[] = { "ltrace", "-f", "-S", "-o", "/dev/null", NULL };

	watched(ltrace, EARLY, 20000, 20099);
}

/* --- gdb ------------------------------------------------------------------------------------------------------- */

/* Breakpoints in the hooks, calls made by hand in the stopped program, and on. gdb itself is not preloaded. */
Test(gdb, stops_calls_and_goes_on, .timeout = 120)
{
	static struct run run;
	char preload[600];
	const char *argv[] = {
		"gdb", "-q", "-nx", "-batch", "-ex", "set confirm off", "-ex", "set debuginfod enabled off", "-ex",
		preload, "-ex", "set breakpoint pending on", "-ex", "set detach-on-fork on", "-ex", "break bind", "-ex",
		"run", "-ex", "bt 2", "-ex", "print (char *)((char *(*)(void))portshim_version)()", "-ex",
		"print ((int (*)(int,int,int))socket)(2,2,0)", "-ex", "print ((int (*)(int,int))listen)(-1,1)", "-ex",
		"delete", "-ex", "continue", "--args", built("tests/probes/act"), "socket 2 tcp4", "bind 2 127.0.0.1 0",
		"name 2", "connect 2 127.0.0.1 5001", "socket 0 udp4", "sendto 0 127.0.0.1 5000", "name 0", NULL,
	};

	snprintf(preload, sizeof(preload), "set environment LD_PRELOAD %s", realpath(built("libportshim.so"), NULL));
	run = (struct run){ .policy = EARLY, .env = { "LD_PRELOAD", "SHELL=/bin/sh" } };
	company_meet();
	run_program(&run, argv);
	cr_assert_not_null(strstr(run.out, "Breakpoint 1"), "%s%s", run.out, run.err);
	cr_assert_not_null(strstr(run.out, "at shim/hooks"), "%s%s", run.out, run.err);
	cr_assert_not_null(strstr(run.out, "= -1"), "%s%s", run.out, run.err);
	cr_assert_not_null(strstr(run.out, "exited normally"), "%s%s", run.out, run.err);
	cr_assert(port_of(&run, "name 2") >= 20000 && port_of(&run, "name 2") <= 20099, "%s", run.out);
	cr_assert(port_of(&run, "name 0") >= 20000 && port_of(&run, "name 0") <= 20099, "%s", run.out);
}

/* A process that runs already is taken hold of in the middle, looked at and let go. */
Test(gdb, attaches)
{
	static struct run run, gdb;
	char pid[16];
	const char *argv[] = {
		"gdb", "-q", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-p", pid, "-ex",
		"print ((int (*)(int,int,int))socket)(2,1,0)", "-ex",
		"print (char *)((char *(*)(void))portshim_version)()", "-ex", "detach", NULL,
	};

	company_meet();
	run = (struct run){ .policy = EARLY };
	run_start_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 5000", "name 0", "pause", "sendto 0 127.0.0.1 5000",
	                "socket 1 tcp4", "connect 1 127.0.0.1 5000", "name 1", NULL);
	run_until_paused(&run);
	snprintf(pid, sizeof(pid), "%d", (int)run.pid);
	gdb = (struct run){ .bare = true };
	run_program(&gdb, argv);
	run_go_on(&run);
	run_end(&run);
	cr_assert_not_null(strstr(gdb.out, "detached"), "%s%s", gdb.out, gdb.err);
	cr_assert(exited(&run, 0));
	cr_assert(port_of(&run, "name 1") >= 20000 && port_of(&run, "name 1") <= 20099, "%s", run.out);
}
