/* test_valgrind.c - every subcommand on real input under valgrind(1): no read or write where it may not, nothing read that was
 * never written, no memory that nobody has any more.
 *
 * `run` comes as far as valgrind lets it: for that /proc/self/exe is another file, and it does not know seccomp(2). */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/world.h"

#define FOUND 99 /* the exit code then */

TestSuite(valgrind, .init = world_enter, .fini = world_leave, .timeout = 300);

static struct run held;

/* A program that holds a port of each protocol, in a table and with an audit of their own, and one that has ended. */
static void begin(void)
{
	static char policy[512];
	struct run run = { .policy = policy };

	snprintf(policy, sizeof(policy),
	         "[portshim]\ntable = %s\naudit = %s\n"
	         "[rule web]\nprogram = act\nports = 20000-20015, !20003\ncooldown = 2m\n"
	         "[rule other]\nprogram = nobody\nuser = root\nto = 10.0.0.0/8:443, [2001:db8::]/32:53\nports = 21000-21099\n",
	         file_path("table"), file_path("audit"));
	file_make("policy", policy);
	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "close 0", NULL);
	cr_assert(exited(&run, 0), "%s", run.err);
	held = (struct run){ .policy = policy };
	run_start_steps(&held, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 udp4", "sendto 1 127.0.0.1 5001", "pause", NULL);
	run_until_paused(&held);
}

static void end(void)
{
	run_go_on(&held);
	run_end(&held);
}

/* `portshim WORDS`, which sh(1) splits; C is the policy, T the table, A the audit, PID the program that holds the ports. */
static void look(int code, const char *words)
{
	static struct run run;
	char line[4096];
	const char *argv[] = { "/bin/sh", "-c", line, NULL };

	snprintf(line, sizeof(line),
	         "C='%s' T='%s' A='%s' D='%s' PID=%d; exec valgrind --quiet --error-exitcode=%d --leak-check=full "
	         "--errors-for-leak-kinds=definite --show-leak-kinds=definite --log-file='%s' '%s' %s",
	         file_path("policy"), file_path("table"), file_path("audit"), file_path(""), held.pid, FOUND, file_path("log"),
	         built("portshim"), words);
	run = (struct run){ .bare = true };
	run_program(&run, argv);
	if (exited(&run, FOUND))
		shell("cat '%s' >&2; false", file_path("log"));
	cr_expect(exited(&run, code), "%s: status %x\n%s%s", words, run.status, run.out, run.err);
}

static void look_at(const char *const lines[])
{
	for (; *lines; lines++)
		look(0, *lines);
}

Test(valgrind, a_policy)
{
	static const char *const lines[] = {
		"check -q portshim.conf.example", "check --json portshim.conf.example", "check \"$C\"",
		"explain -c \"$C\" tcp 127.0.0.1:5000 -- sh", "explain --json -c portshim.conf.example udp '[2001:db8::1]:53' curl",
		"explain -c \"$C\" --pid=$PID tcp 10.1.2.3:443", NULL,
	};

	begin();
	look_at(lines);
	end();
}

Test(valgrind, a_policy_with_errors)
{
	begin();
	file_make("broken", "[portshim]\ntable = auto\ntable = none\nlgo = error\n[rule a]\nports = 20100-20000\nto = 10.0.0.0/33:1, "
	          "[2001:db8::/200]:9\nchoose = fastest\n[rule a]\n[rle b]\nports = 1-2-3, !x\nuser = nobody-of-that-name\nprogram = [\n"
	          "ports = 5\nfamily = ipx\nwait = 5\n[rule c\n = 5\nports\n");
	look(2, "check \"$D/broken\"");
	look(2, "check --json \"$D/broken\"");
	look(2, "export nft -c \"$D/broken\"");
	look(125, "run -c \"$D/broken\" true");
	look(2, "check \"$D/none\"");
	look(2, "chekc");
	end();
}

Test(valgrind, a_firewall)
{
	static const char *const lines[] = {
		"export nft -c \"$C\"", "export iptables -c \"$C\"", "export ip6tables -c \"$C\"", "export firewalld -c \"$C\"",
		"export sysctl -c \"$C\"", "export json -c \"$C\"",
		"export nft --remote --from=192.0.2.7,2001:db8::/64 --rest=drop -c portshim.conf.example", NULL,
	};

	begin();
	look_at(lines);
	end();
}

Test(valgrind, who_has_what)
{
	static const char *const lines[] = {
		"status -c \"$C\"", "status --json -t \"$T\"", "status --all", "stats -c \"$C\"", "stats --openmetrics -t \"$T\"",
		"stats --prometheus -c \"$C\" -o \"$D/metrics\"", "top -b -n 1 -c \"$C\"", "who 20000-20015 -c \"$C\"",
		"who --json 20000-20015 --at 'now' -c \"$C\"", "report -o \"$D/report.html\" -c \"$C\"",
		"report -o \"$D/report.svg\" -c \"$C\"", "report --json -c \"$C\"", NULL,
	};

	begin();
	look_at(lines);
	end();
}

Test(valgrind, a_program)
{
	static const char *const lines[] = {
		"doctor $PID", "doctor --json -c \"$C\" $PID",
		"reload -c \"$C\"", "reload --json -c \"$C\"", "status --prune", "help", "help run", "version", NULL,
	};

	begin();
	look_at(lines);
	look(127, "run -c \"$C\" /nonexistent");
	look(125, "run --mode=supervise -p 20000-20099 true");
	end();
}
