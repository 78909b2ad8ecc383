/* test_callers.c - whose rules decide: the program's that makes the call, as it is when it makes it. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/harness.h"

TestSuite(callers, .init = net_own_for_all_users);

static struct run run;
static int listener;

/* Runs a shell's words under the supervisor. */
static void supervise(const char *policy, const char *words)
{
	const char *const argv[] = { built("portshim"), "run", "--supervise", "bash", "-c", words, NULL };

	listener = server_tcp("127.0.0.1", 5000);
	run = (struct run){ .bare = true, .policy = policy };
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "status 0x%x %s%s", (unsigned int)run.status, run.out, run.err);
}

static void expect_port(int port)
{
	cr_expect_eq(server_accept(listener, NULL), port);
}

#define CALL "exec 3<>/dev/tcp/127.0.0.1/5000"

/* One process is two programs, one after the other, and the second has its own rules. */
Test(callers, a_program_after_exec_is_another)
{
	supervise("[rule shell]\nprogram = bash\nports = 20001\n[rule other]\nprogram = nc\nports = 20002\n",
	          CALL "; exec nc -z 127.0.0.1 5000");
	expect_port(20001);
	expect_port(20002);
}

/* What it was started as counts, too: a script's name, a link's. */
Test(callers, scripts_have_their_names)
{
	supervise("[rule a]\nprogram = first.sh\nports = 20001\n[rule b]\ncommand = *second.sh x*\nports = 20002\n",
	          "d=$(mktemp -d) && for s in first second; do printf '#!/bin/bash\\n" CALL "' >$d/$s.sh && "
	          "chmod +x $d/$s.sh && $d/$s.sh x || exit 1; done; rm -r $d");
	expect_port(20001);
	expect_port(20002);
}

Test(callers, the_environment_counts_as_exec_left_it)
{
	supervise("[rule a]\nenv = ROLE=one\nports = 20001\n[rule b]\nenv = ROLE=two\nports = 20002\n",
	          "ROLE=one bash -c '" CALL "'; ROLE=two bash -c 'export ROLE=one; " CALL "'");
	expect_port(20001);
	expect_port(20002);
}

/* The user is that of the moment of the call. */
Test(callers, users_and_groups)
{
	supervise("[rule root]\nuser = 0\nports = 20001\n[rule group]\ngroup = 7777\nports = 20003\n"
	          "[rule other]\nuser = 65534\nports = 20002\n",
	          CALL "; setpriv --reuid=65534 --clear-groups bash -c '" CALL "';"
	          "setpriv --reuid=65533 --groups=7776,7777 bash -c '" CALL "'");
	expect_port(20001);
	expect_port(20002);
	expect_port(20003);
}

/* A program that none of the rules concerns is let alone. */
Test(callers, others_are_let_alone)
{
	net_set("net/ipv4/ip_local_port_range", "40000 40009");
	supervise("[rule other]\nprogram = nothing\nports = 20002\n", CALL);
	cr_expect_geq(server_accept(listener, NULL), 40000);
}

/* The kernel's range of another network namespace is not known here, nor is the table for it: ports are bound. */
Test(callers, another_network_namespace)
{
	static const char words[] =
		"exec unshare --net bash -c 'ip link set lo up; python3 - <<END\n"
		"import socket\n"
		"server = socket.create_server((\"127.0.0.1\", 5001))\n"
		"for i in range(3):\n"
		"    client = socket.create_connection((\"127.0.0.1\", 5001))\n"
		"    print(server.accept()[1][1])\n"
		"END'";

	net_set("net/ipv4/ip_local_port_range", "40000 49999");
	supervise("[rule all]\nports = 41000-41002\n", words);
	for (int port = 41000, n = 0; port <= 41002; port++) {
		char line[16];

		snprintf(line, sizeof(line), "%d", port);
		n += printed(&run, line);
		cr_expect(n > 0 || port < 41002, "%s", run.out);
	}
	cr_expect_eq(strspn(run.out, "41023\n"), strlen(run.out), "%s", run.out);
}

/* A user namespace gives rights in itself alone. */
Test(callers, another_user_namespace)
{
	supervise("[rule all]\nports = 20001-20003\n", "exec setpriv --reuid=65534 --clear-groups unshare --user --map-root-user bash -c '" CALL "'");
	int port = server_accept(listener, NULL);
	cr_expect(port >= 20001 && port <= 20003, "%d", port);
}
