/* test_loader.c - the dynamic loader's own ways: all bound at once, watched, told to talk; the library named twice. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/company.h"
#include "tests/lib/world.h"

Test(loader, bind_now)
{
	const char *env[] = { "LD_PRELOAD={}", "LD_BIND_NOW=1", NULL };

	company_keep(env);
}

/* All that the loader has to say, one file for each process. */
Test(loader, debug)
{
	static struct run run;
	char output[600];

	world_enter();
	snprintf(output, sizeof(output), "LD_DEBUG_OUTPUT=%s", file_path("said"));
	run = (struct run){ .policy = EARLY, .env = { "LD_DEBUG=all", output } };
	company_tell(&run, NULL, NULL);
	company_ours(&run, 20000, 20099);
	cr_assert_str_eq(run.err, "");
	shell("grep -q 'symbol=connect.*libportshim' '%s'.*", file_path("said"));
	world_leave();
}

/* An auditor that watches each binding, each call through a PLT and each return. */
Test(loader, audit)
{
	static struct run run;
	char auditor[600], output[600], path[500];
	int bindings = 0, calls = 0, returns = 0;
	FILE *told;

	world_enter();
	snprintf(path, sizeof(path), "%s", file_path("audit"));
	snprintf(auditor, sizeof(auditor), "LD_AUDIT=%s", realpath(built("tests/company/audit.so"), NULL));
	snprintf(output, sizeof(output), "AUDIT_OUTPUT=%s", path);
	run = (struct run){ .policy = EARLY, .env = { auditor, output } };
	company_tell(&run, NULL, built("tests/company/lazy/act"));
	company_ours(&run, 20000, 20099);
	cr_assert_str_eq(run.err, "");
	told = fopen(path, "re");
	cr_assert(told && fscanf(told, "%d %d %d", &bindings, &calls, &returns) == 3);
	fclose(told);
	cr_assert_geq(bindings, 8); /* socket, connect, sendto, bind, listen, accept, getsockname, close ... */
#ifdef __x86_64__
	cr_assert_geq(calls, 15);
	cr_assert_geq(returns, calls - 1);
#endif
	world_leave();
}

/* --- named twice ------------------------------------------------------------------------------------------- */

static int copies_in(const char *preload)
{
	struct run run = { .bare = true, .env = { preload, "LD_DEBUG=libs" } };
	const char *argv[] = { "/bin/true", NULL };
	int count = 0;

	run_program(&run, argv);
	for (const char *at = run.err; (at = strstr(at, "calling init: ")); at++)
		count += memmem(at, strcspn(at, "\n"), "portshim", 8) != NULL;
	return count;
}

/* With `explicit` a second copy would refuse, or change, the port that the first has chosen. */
static void twice(const char *second, int copies)
{
	static const char *const policies[] = {
		EARLY, LATE, EARLY "explicit = deny\n", EARLY "explicit = assign\n",
		"[rule r]\nports = 20000-20099\nshare = never\n",
	};
	static const char *const steps[] = {
		"socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 udp4", "sendto 1 127.0.0.1 5000",
		"name 1", "socket 2 tcp4", "bind 2 127.0.0.1 0", "connect 2 127.0.0.1 5001", "name 2",
		"get 0 reuseaddr", NULL,
	};
	static struct run run;
	char preload[1200];

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s:%s", realpath(built("libportshim.so"), NULL), second);
	cr_assert_eq(copies_in(preload), copies);
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		int lo = i == 1 ? 40500 : 20000;

		run = (struct run){ .policy = policies[i], .env = { preload } };
		company_meet();
		company_run(&run, NULL, NULL, steps);
		cr_assert(exited(&run, 0), "%s", run.err);
		cr_assert_null(strstr(run.out, "= -1"), "%s", run.out);
		cr_assert_str_eq(run.err, "");
		for (int n = 0; n < 3; n++) {
			char step[16];

			snprintf(step, sizeof(step), "name %d", n);
			cr_assert(port_of(&run, step) >= lo && port_of(&run, step) < lo + 100, "%s%s", policies[i],
			          run.out);
		}
		cr_assert_str_eq(result_of(&run, "get 0 reuseaddr"), "0");
	}
}

Test(named_twice, by_one_path)
{
	twice(realpath(built("libportshim.so"), NULL), 1);
}

Test(named_twice, by_a_link)
{
	world_enter();
	shell("ln -s '%s' '%s'", realpath(built("libportshim.so"), NULL), file_path("link.so"));
	twice(file_path("link.so"), 1);
	world_leave();
}

/* Two copies of the file are two libraries in one process. */
Test(named_twice, a_copy)
{
	world_enter();
	shell("cp '%s' '%s'", built("libportshim.so"), file_path("portshim-copy.so"));
	twice(file_path("portshim-copy.so"), 2);
	world_leave();
}

/* As many ports as connections: the second copy takes none of its own. */
Test(named_twice, a_copy_takes_no_port)
{
	static const char *const steps[] = {
		"socket 0 udp4", "sendto 0 127.0.0.1 5000", "socket 1 udp4", "sendto 1 127.0.0.1 5000", "socket 2 udp4",
		"sendto 2 127.0.0.1 5000", "close 0", "socket 0 udp4", "sendto 0 127.0.0.1 5000", "name 0", NULL,
	};
	static struct run run;
	char preload[1200];

	world_enter();
	shell("cp '%s' '%s'", built("libportshim.so"), file_path("portshim-copy.so"));
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s:%s", realpath(built("libportshim.so"), NULL),
	         file_path("portshim-copy.so"));
	run = (struct run){ .policy = "[rule r]\nports = 20000-20001\nexplicit = assign\n", .env = { preload } };
	company_meet();
	company_run(&run, NULL, NULL, steps);
	cr_assert_str_eq(result_of(&run, "sendto 1 127.0.0.1 5000"), "1");
	cr_assert_str_eq(result_of(&run, "sendto 2 127.0.0.1 5000"), "-1 EAGAIN");
	cr_assert_str_eq(result_of(&run, "sendto 0 127.0.0.1 5000"), "1");
	world_leave();
}
