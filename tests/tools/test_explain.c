/* test_explain.c - `portshim explain`: the rule that decides, why the others do not, and what is said of its ports. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/lib/supervised.h"
#include "tests/tools/show.h"

TestSuite(explain, .init = world_enter, .fini = world_leave, .timeout = 120);

#define ACT built("tests/probes/act")

/* What python3 says of an expression over the output, `e`; of its last call, `c`. */
static void expect_json(const char *expression)
{
	static char program[4096];
	FILE *file = fopen(file_path("explain.json"), "we");
	cr_assert(file);
	cr_assert_geq(fputs(shown.out, file), 0);
	cr_assert_eq(fclose(file), 0);
	snprintf(program, sizeof(program), "import json\ne = json.load(open('%s'))\nc = e['calls'][-1]\nassert %s, e\n",
	         file_path("explain.json"), expression);
	show_run((const char *const[]){ PYTHON, "-c", program, NULL });
	cr_expect(exited(&shown, 0), "%s\n%s", expression, shown.err);
}

static const char *policy(const char *text)
{
	return file_make("policy", text);
}

/* The output has these, in this order. */
static void expect_order(const char *const words[])
{
	const char *at = shown.out;
	for (size_t i = 0; words[i]; i++) {
		const char *found = strstr(at, words[i]);
		cr_assert(found, "'%s' is not, or not there, in\n%s%s", words[i], shown.out, shown.err);
		at = found + strlen(words[i]);
	}
}

#define EXPECT_ORDER(...) expect_order((const char *const[]){ __VA_ARGS__, NULL })

/* --- why not ---------------------------------------------------------------------------------------------- */

/* Each condition alone, and what is said where it does not hold for `cat one`, by user 0, tcp to 192.0.2.1:443. */
Test(explain, each_condition)
{
	static const struct { const char *line, *words; } conditions[] = {
		{ "program = wget, java", "program = wget, java: the program is /" },
		{ "command = *two*", "command = *two*: the command line is cat one" },
		{ "cgroup = /none/such", "cgroup = /none/such: it is in /" },
		{ "env = NO_SUCH=x*, LC_ALL=y*", "env = NO_SUCH=x*, LC_ALL=y*: NO_SUCH is not set, LC_ALL is 'C.UTF-8'" },
		{ "call = send, bind", "call = send, bind: the call is connect" },
		{ "protocol = udp", "protocol = udp: the protocol is tcp" },
		{ "family = ipv6", "family = ipv6: the call is of ipv4" },
		{ "source = 2001:db8::1", "source = [2001:db8::1]: the call is of ipv4" },
		{ "to = 10.0.0.0/8:1-99, *:80", "to = 10.0.0.0/8:1-99, *:80: 192.0.2.1:443 is in none of them" },
		{ "to = [2001:db8::]/32", "to = [2001:db8::]/32: the call is of ipv4" },
		{ "user = 4242", "user = 4242: the user is 0 (root)" },
		{ "group = 4242", "group = 4242: the group is 0 (root)" },
	};
	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
		char text[400];
		snprintf(text, sizeof(text), "[rule a]\n%s\nports = 20000\n[rule rest]\nports = 21000\n", conditions[i].line);
		SHOW("explain", "-c", policy(text), "tcp", "192.0.2.1:443", "cat", "one");
		cr_assert(exited(&shown, 0), "%s", shown.err);
		EXPECT_ORDER("rule a (", "policy:1): does not decide\n    ", conditions[i].words, "\nrule rest (", "policy:4): decides: ");
	}
}

Test(explain, all_conditions_that_do_not_hold_in_the_order_of_the_file)
{
	SHOW("explain", "-c", policy("[rule one]\nto = *:80\nprotocol = udp\nprogram = x\nports = 1\n[rule two]\nuser = 4242\nports = 2\n"
	                             "[rule three]\nports = 20000\n[rule four]\nports = 20001\n"),
	     "tcp", "192.0.2.1:443", "cat");
	EXPECT_DONE();
	EXPECT_ORDER("rule one (", "    program = x: ", "    protocol = udp: ", "    to = *:80: ", "rule two (", "    user = 4242: ",
	             "rule three (", "decides");
	EXPECT_LACKS("rule four");
}

/* Names and lists from elsewhere do not reach the terminal as they are, and are cut. */
Test(explain, odd_words)
{
	char many[2000] = "[rule a]\nto = ", *at = many + strlen(many);
	for (int i = 0; i < 50; i++)
		at += sprintf(at, "%s10.0.%d.0/24", i ? ",\n " : "", i);
	sprintf(at, "\nports = 1\n");
	SHOW("explain", "-c", policy("[rule a]\ncommand = x\nports = 1\n"), "tcp", "192.0.2.1:443", "cat", "\033[31m\n\377");
	EXPECT_DONE();
	EXPECT_HAS("the command line is cat ?[31m??");
	expect_no_control(shown.out);
	SHOW("explain", "-c", policy(many), "tcp", "192.0.2.1:443", "cat");
	EXPECT_DONE();
	EXPECT_HAS("10.0.7.0/24, ... (42 more): 192.0.2.1:443 is in none");
}

/* --- what is decided --------------------------------------------------------------------------------------- */

Test(explain, actions)
{
	const char *config = policy("[rule left]\nto = *:80\naction = pass\n[rule never]\nto = *:25\naction = deny\n"
	                            "[rule db]\nto = *:1521\nports = 20000-20009, !20005\n");
	SHOW("explain", "-c", config, "tcp", "192.0.2.1:80", "cat");
	EXPECT_HAS("rule left (");
	EXPECT_HAS("decides: the call is left alone");
	SHOW("explain", "-c", config, "tcp", "192.0.2.1:25", "cat");
	EXPECT_HAS("decides: the call is refused with EPERM");
	SHOW("explain", "-c", config, "tcp", "192.0.2.1:1521", "cat");
	EXPECT_ORDER("decides: a port of its set is assigned", "20000-20004, 20006-20009: 9 in all", "choose ", "random",
	             "exhausted", "connect() fails with EADDRNOTAVAIL");
	SHOW("explain", "-c", config, "tcp", "192.0.2.1:443", "cat");
	EXPECT_DONE();
	EXPECT_HAS("no rule concerns the call: the kernel chooses the port");
}

/* What the kernel itself says when its ports are used up, and what else `exhausted` can say. */
Test(explain, exhausted)
{
	const char *config = policy("[rule a]\nports = 20000\n");
	SHOW("explain", "-c", config, "udp", "192.0.2.1:53", "cat");
	EXPECT_HAS("connect() fails with EAGAIN");
	SHOW("explain", "-c", config, "--call=send", "udp", "192.0.2.1:53", "cat");
	EXPECT_HAS("send() fails with EAGAIN");
	SHOW("explain", "-c", config, "--call=bind", "tcp", "-", "cat");
	EXPECT_HAS("bind() fails with EADDRINUSE");
	SHOW("explain", "-c", config, "--call=listen", "tcp", "cat");
	EXPECT_HAS("listen() fails with EADDRINUSE");
	SHOW("explain", "-c", policy("[rule a]\nports = 20000\nexhausted = wait 2s\n"), "tcp", "192.0.2.1:53", "cat");
	EXPECT_HAS("connect() waits up to 2s for one, then fails with EADDRNOTAVAIL");
	SHOW("explain", "-c", policy("[rule a]\nports = 20000\nexhausted = pass\ncooldown = 30s\nsource = 192.0.2.10\nchoose = stable\n"),
	     "tcp", "192.0.2.1:53", "cat");
	EXPECT_HAS("exhausted  the kernel chooses another port");
	EXPECT_HAS("less than 30s ago goes last");
	EXPECT_HAS("bound to 192.0.2.10");
	EXPECT_HAS("stable: the same for the same program and destination");
}

Test(explain, a_bind_is_put_off)
{
	const char *config = policy("[rule six]\nto = [2001:db8::]/32\nports = 1\n[rule db]\nto = *:1521\nports = 20000\n"
	                            "[rule rest]\nports = 21000-21009\nexplicit = deny\n");
	SHOW("explain", "-c", config, "--call=bind", "tcp", "-", "cat");
	EXPECT_DONE();
	EXPECT_ORDER("bind(), tcp over ipv4;", "rule six", "to = [2001:db8::]/32: the call is of ipv4", "rule db",
	             "puts the port off: it has 'to'", "until ");
	EXPECT_LACKS("rule rest");
	SHOW("explain", "-c", config, "--call=bind", "tcp", "192.0.2.1:1521", "cat");
	EXPECT_ORDER("bind()", "rule db", "puts the port off", "connect()", "to 192.0.2.1:1521", "rule db", "decides");
	SHOW("explain", "-c", config, "--call=bind", "tcp", "192.0.2.1:80", "cat");
	EXPECT_ORDER("puts the port off", "connect()", "rule db", "does not decide", "rule rest", "decides");
	SHOW("explain", "-c", config, "--call=bind", "-6", "tcp", "--", "cat");
	EXPECT_ORDER("bind(), tcp over ipv6", "rule six", "puts the port off");
	SHOW("explain", "-c", policy("[rule later]\ncall = connect\nports = 20000\n"), "--call=bind", "tcp", "cat");
	EXPECT_HAS("puts the port off: it names the calls that have a destination");
	SHOW("explain", "-c", policy("[rule rest]\nports = 21000-21009\nexplicit = deny\n"), "--call=bind", "udp", "-", "cat");
	EXPECT_ORDER("rule rest", "decides", "early, exclusive: 10 ports, bind() to port 0", "10 that nobody uses",
	             "a port that the program names is refused with EPERM");
}

Test(explain, calls_that_give_no_port)
{
	const char *config = policy("[rule a]\nports = 20000\n");
	SHOW("explain", "-c", config, "--call=listen", "udp", "cat");
	EXPECT_DONE();
	EXPECT_HAS("gives no socket a port");
	SHOW("explain", "-c", config, "--call=send", "dccp", "192.0.2.1:53", "cat");
	EXPECT_HAS("gives no socket a port");
	SHOW("explain", "-c", config, "--call=send", "tcp", "192.0.2.1:53", "cat");
	EXPECT_ORDER("send() with MSG_FASTOPEN", "rule a", "decides");
}

/* --- ways ---------------------------------------------------------------------------------------------------- */

Test(explain, ways_of_each_port)
{
	net_set("net/ipv4/ip_local_reserved_ports", "40100-40102,40200");
	SHOW("explain", "-c", policy("[rule a]\nports = 500-501, 20000-20009, 40100-40109, 443\n"), "--user=4242", "tcp",
	     "127.0.0.1:20003", "cat");
	EXPECT_DONE();
	EXPECT_HAS("late, shared between destinations: 7 ports, the kernel takes one inside connect()");
	EXPECT_HAS("early, shared between destinations: 9 ports, bound before: outside of ip_local_port_range, 40000-40999");
	EXPECT_HAS("early, shared between destinations: 3 ports, bound before: in ip_local_reserved_ports");
	EXPECT_HAS("left out   1 port, the destination's own port, on this machine");
	EXPECT_HAS("left out   3 ports, below ip_unprivileged_port_start, 1024, without CAP_NET_BIND_SERVICE");
	EXPECT_HAS("19 towards 127.0.0.1:20003, 19 that nobody uses at all");
	SHOW("explain", "-p", "kernel", "tcp", "192.0.2.1:443", "cat");
	EXPECT_HAS("rule PORTSHIM_PORTS: decides");
	EXPECT_HAS("late, shared between destinations: 996 ports");
	EXPECT_HAS("left out   4 ports, in ip_local_reserved_ports, and the set has them by a range's name");
	SHOW("explain", "-p", "500-509", "tcp", "192.0.2.1:443", "cat");
	EXPECT_LACKS("left out");
}

Test(explain, ways_of_the_rule)
{
	SHOW("explain", "-c", policy("[portshim]\ntable = none\n[rule a]\nports = 20000-20009, 40000\n"), "tcp", "192.0.2.1:443", "cat");
	EXPECT_HAS("late, shared between destinations: 1 port,");
	EXPECT_HAS("early, exclusive: 10 ports, bound before: outside of ip_local_port_range, 40000-40999; no table in common");
	SHOW("explain", "-c", policy("[rule a]\nshare = never\nports = 20000-20009, 40000\n"), "tcp", "192.0.2.1:443", "cat");
	EXPECT_HAS("early, exclusive: 11 ports, share = never");
	SHOW("explain", "-c", policy("[rule a]\nchoose = kernel\nports = 40000-40009\n"), "tcp", "192.0.2.1:443", "cat");
	EXPECT_HAS("late, shared between destinations: 10 ports, the kernel is given the whole set");
	SHOW("explain", "-c", policy("[rule a]\nchoose = kernel\nports = 40000-40009\n"), "udp", "192.0.2.1:443", "cat");
	EXPECT_HAS("early, exclusive: 10 ports, the kernel does not arbitrate");
	EXPECT_HAS("kernel: the kernel cannot be handed the set for this call");
}

/* A kernel that has no IP_LOCAL_PORT_RANGE. */
Test(explain, an_old_kernel)
{
	const char *config = policy("[rule a]\nports = 40000-40009\n");
	show_run((const char *const[]){ built("tests/probes/forbid"), "range", "EPERM", built("portshim"), "explain", "-c", config, "tcp",
	                                "192.0.2.1:443", "cat", NULL });
	EXPECT_DONE();
	EXPECT_HAS("early, shared between destinations: 10 ports, bound before: the kernel has no IP_LOCAL_PORT_RANGE");
}

/* --- what is free -------------------------------------------------------------------------------------------- */

/* Against sockets that are really there: two connections to one destination, one to another, one of a program without
 * portshim, a listener, and one that is over. */
static void expect_free(const char *set, const char *first, int ports)
{
	struct run run = { .policy = NULL };
	char text[200], words[200];
	int port[3], distinct;
	snprintf(text, sizeof(text), "[rule a]\nports = %s\n", set);
	run.policy = text;
	const char *config = policy(text);
	run_start_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4", "connect 1 127.0.0.1 5000", "name 1",
	                "socket 2 tcp4", "connect 2 127.0.0.1 6000", "name 2", "pause", NULL);
	run_until_paused(&run);
	port[0] = port_of(&run, "name 0");
	port[1] = port_of(&run, "name 1");
	port[2] = port_of(&run, "name 2");
	distinct = 2 + (port[2] != port[0] && port[2] != port[1]);
	SHOW("explain", "-c", config, "tcp", "127.0.0.1:5000", "cat");
	EXPECT_DONE();
	snprintf(words, sizeof(words), "free       %d towards 127.0.0.1:5000, %d that nobody uses at all", ports - 2, ports - distinct);
	EXPECT_HAS(words);
	SHOW("explain", "-c", config, "tcp", "127.0.0.1:6000", "cat");
	snprintf(words, sizeof(words), "free       %d towards 127.0.0.1:6000, %d that nobody uses at all", ports - 1, ports - distinct);
	EXPECT_HAS(words);
	/* a listener is in everybody's way */
	int other = atoi(first);
	while (other == port[0] || other == port[1] || other == port[2])
		other++;
	int listener = server_tcp("127.0.0.1", other);
	SHOW("explain", "-c", config, "tcp", "127.0.0.1:6000", "cat");
	snprintf(words, sizeof(words), "free       %d towards 127.0.0.1:6000, %d that nobody uses at all", ports - 2, ports - distinct - 1);
	EXPECT_HAS(words);
	close(listener);
	run_go_on(&run);
	run_end(&run);
}

Test(explain, free_ports_early)
{
	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 6000);
	expect_free("20000-20009", "20000", 10);
}

Test(explain, free_ports_late)
{
	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 6000);
	expect_free("40500-40509", "40500", 10);
}

Test(explain, free_ports_of_others)
{
	const char *config = policy("[rule a]\nports = 20000-20009\n");
	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 6000);
	tcp_socket(20004, 5000); /* without portshim: whether others may share it is not known */
	SHOW("explain", "-c", config, "tcp", "127.0.0.1:6000", "cat");
	EXPECT_HAS("free       9 towards 127.0.0.1:6000, 9 that nobody uses at all");
	close(tcp_socket(20005, 6000)); /* over, and taken over */
	SHOW("explain", "-c", config, "tcp", "127.0.0.1:6000", "cat");
	EXPECT_HAS("free       9 towards 127.0.0.1:6000, 8 that nobody uses at all");
	server_udp("127.0.0.1", 20000);
	SHOW("explain", "-c", config, "udp", "127.0.0.1:6000", "cat");
	EXPECT_HAS("free       9 that nobody uses");
	SHOW("explain", "-c", config, "--call=bind", "tcp", "-", "cat");
	EXPECT_HAS("free       8 that nobody uses");
}

/* A socket that has its port to itself by the table has it towards everybody. */
Test(explain, free_ports_that_are_held_as_a_whole)
{
	struct run run = { .policy = "[rule a]\nports = 20000-20009\nshare = never\n" };
	server_tcp("127.0.0.1", 5000);
	run_start_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "pause", NULL);
	run_until_paused(&run);
	SHOW("explain", "-c", policy("[rule a]\nports = 20000-20009\n"), "tcp", "127.0.0.1:6000", "cat");
	EXPECT_HAS("free       9 towards 127.0.0.1:6000, 9 that nobody uses at all");
	run_go_on(&run);
	run_end(&run);
}

/* --- who ------------------------------------------------------------------------------------------------------ */

Test(explain, assumptions)
{
	const char *config = policy("[rule a]\nuser = nobody\ncgroup = /erp/*\nenv = ROLE=batch*\ngroup = 77\nports = 20000\n");
	SHOW("explain", "-c", config, "tcp", "192.0.2.1:443", "cat");
	EXPECT_HAS("no rule concerns");
	SHOW("explain", "-c", config, "--user=nobody", "--cgroup=/erp/x", "--env=ROLE=other", "--env", "ROLE=batch7", "--group=77", "tcp",
	     "192.0.2.1:443", "cat");
	EXPECT_DONE();
	EXPECT_HAS("decides: a port");
	EXPECT_HAS("user 65534 (nobody)");
	SHOW("explain", "-c", config, "--user=65534", "--cgroup=/other", "tcp", "192.0.2.1:443", "cat");
	EXPECT_ORDER("cgroup = /erp/*: it is in /other", "ROLE is not set", "group = 77: the group is 65534 (nogroup)");
	SHOW("explain", "--env", "PORTSHIM_PORTS=20000-20003", "tcp", "192.0.2.1:443", "cat");
	EXPECT_HAS("20000-20003: 4 in all");
}

Test(explain, a_script_is_run_by_its_interpreter)
{
	const char *script = file_make("script", "#!/bin/sh\nexit 0\n");
	cr_assert_eq(chmod(script, 0755), 0);
	SHOW("explain", "-c", policy("[rule a]\nprogram = perl\nports = 1\n[rule b]\nprogram = script\ncommand = */sh *script yes\nports = 20000\n"),
	     "tcp", "192.0.2.1:443", script, "yes");
	EXPECT_DONE();
	EXPECT_ORDER("program = perl: the program is /", "(started as /", "script)", "rule b", "decides");
}

Test(explain, how_it_is_reached)
{
	const char *config = policy("[rule a]\nports = 20000\n");
	SHOW("explain", "-c", config, "tcp", "192.0.2.1:443", "cat");
	EXPECT_HAS("\nportshim run preloads the library into /");
	SHOW("explain", "-c", config, "tcp", "192.0.2.1:443", built("tests/probes/static_hello"));
	EXPECT_HAS("is statically linked: portshim run supervises it\n");
}

/* A process has its policy, its user and its network namespace. */
Test(explain, processes)
{
	struct run run = { .policy = "[rule a]\nuser = 0\nports = 1\n[rule mine]\nprogram = act\nenv = ROLE=x\nports = 20000-20009\n",
	                   .env = { "ROLE=x" } };
	struct run bare = { .bare = true };
	char pid[32], words[64];
	server_tcp("127.0.0.1", 5000);
	run_start_steps(&run, "setuid 4242", "socket 0 tcp4", "connect 0 127.0.0.1 5000", "pause", NULL);
	run_until_paused(&run);
	run_start_steps(&bare, "pause", NULL);
	run_until_paused(&bare);
	snprintf(pid, sizeof(pid), "--pid=%d", run.pid);
	snprintf(words, sizeof(words), "libportshim.so is in process %d\n", run.pid);
	for (int i = 0; i < 2; i++) {
		SHOW("explain", pid, "tcp", "127.0.0.1:5000");
		EXPECT_DONE();
		EXPECT_ORDER("user 4242\n", "rule a (", "user = 0 (root): the user is 4242", "rule mine (", "decides",
		             "free       9 towards 127.0.0.1:5000, 9 that nobody uses at all", words);
		net_own(); /* the second time it is looked at from elsewhere */
	}
	snprintf(pid, sizeof(pid), "--pid=%d", bare.pid);
	SHOW("explain", "-p", "20000", pid, "tcp", "127.0.0.1:5000");
	EXPECT_HAS("is not under portshim");
	run_go_on(&run);
	run_end(&run);
	run_go_on(&bare);
	run_end(&bare);
}

/* The policy of a supervised process is its supervisor's, which only that one knows. */
Test(explain, a_supervised_process)
{
	struct run run = { .policy = "[rule mine]\nports = 20000\n" };
	char pid[32];
	setenv("PORTSHIM_TEST_MODE", "supervise", 1);
	run_start_steps(&run, "pause", NULL);
	run_until_paused(&run);
	snprintf(pid, sizeof(pid), "--pid=%d", program_of(&run));
	SHOW("explain", pid, "tcp", "127.0.0.1:5000");
	EXPECT_SAID(2, "has the policy of its supervisor");
	SHOW("explain", "-p", "20000", pid, "tcp", "127.0.0.1:5000");
	EXPECT_DONE();
	EXPECT_HAS("is supervised by portshim, process ");
	run_go_on(&run);
	run_end(&run);
}

/* --- destinations -------------------------------------------------------------------------------------------- */

Test(explain, destinations)
{
	const char *config = policy("[rule a]\nto = 127.0.0.0/8:80, [::1]:80\nports = 20000\n");
	SHOW("explain", "-c", config, "tcp", "[::ffff:127.0.0.1]:80", "cat");
	EXPECT_ORDER("tcp over ipv4, to 127.0.0.1:80", "decides");
	SHOW("explain", "-c", config, "tcp", "0.0.0.0:80", "cat");
	EXPECT_ORDER("to 127.0.0.1:80", "decides");
	SHOW("explain", "-c", config, "tcp", "[::]:80", "cat");
	EXPECT_ORDER("tcp over ipv6, to [::1]:80", "decides");
	SHOW("explain", "-c", config, "tcp", "localhost:80", "cat");
	EXPECT_DONE();
	EXPECT_HAS("to 127.0.0.1:80");
	SHOW("explain", "-c", config, "mptcp", "127.0.0.1:81", "--", "cat");
	EXPECT_HAS("tcp over ipv4, to 127.0.0.1:81");
}

Test(explain, json)
{
	SHOW("explain", "--json", "-c", policy("[rule \"a\"]\nprogram = x\nports = 1\n[rule b]\nports = 20000-20009, 40000\n"), "tcp",
	     "127.0.0.1:5000", "cat");
	EXPECT_DONE();
	expect_json("len(e['calls']) == 1 and e['user'] == 0 and c['rule'] == 'b' and c['line'] == 4 and c['decision'] == 'assign' and "
	            "c['missed'][0]['rule'] == '\"a\"' and c['missed'][0]['conditions'][0]['condition'] == 'program' and "
	            "c['assign']['count'] == 11 and [w['way'] for w in c['assign']['ways']] == ['late', 'early'] and "
	            "c['assign']['free'] == {'towards': 11, 'whole': 11} and c['assign']['errno'] == 'EADDRNOTAVAIL'");
	SHOW("explain", "--json", "--call=bind", "-c", policy("[rule b]\nto = *:1\nports = 20000\n"), "tcp", "127.0.0.1:5000", "cat");
	EXPECT_DONE();
	expect_json("[x['decision'] for x in e['calls']] == ['put-off', 'none'] and c['rule'] is None and e['calls'][0]['destination'] is None");
}

/* --- refused --------------------------------------------------------------------------------------------------- */

Test(explain, refusals)
{
	const char *config = policy("[rule a]\nports = 20000\n");
	static const struct { const char *words[6], *said; } wrong[] = {
		{ { NULL }, "no protocol" },
		{ { "ip", "192.0.2.1:443", "cat" }, "the protocol must be tcp, udp, sctp, dccp or udplite, not ip" },
		{ { "tcp" }, "no destination" },
		{ { "tcp", "192.0.2.1:443" }, "no command" },
		{ { "tcp", "192.0.2.1", "cat" }, "no address and port" },
		{ { "tcp", "192.0.2.1:0", "cat" }, "no address and port" },
		{ { "tcp", "192.0.2.1:65536", "cat" }, "no address and port" },
		{ { "tcp", "::1:80", "cat" }, "no address and port" },
		{ { "tcp", "[]:80", "cat" }, "no address and port" },
		{ { "tcp", "-", "cat" }, "no address and port" },
		{ { "--call=listen", "tcp", "192.0.2.1:80", "cat" }, "a listen() has no destination" },
		{ { "--call=accept", "tcp", "192.0.2.1:80", "cat" }, "--call must be connect, send, bind or listen, not accept" },
		{ { "--pid=0", "tcp", "192.0.2.1:80" }, "--pid must be the number of a process" },
		{ { "--pid=1", "tcp", "192.0.2.1:80", "cat" }, "exclude each other" },
		{ { "--env=X", "tcp", "192.0.2.1:80", "cat" }, "--env must be NAME=VALUE" },
		{ { "--user=no-such-user", "tcp", "192.0.2.1:80", "cat" }, "there is no user no-such-user" },
		{ { "--group=no-such-group", "tcp", "192.0.2.1:80", "cat" }, "there is no group no-such-group" },
		{ { "--ports=1", "tcp", "192.0.2.1:80", "cat" }, "exclude each other" },
		{ { "--nonsense" }, "no such option: --nonsense" },
		{ { "tcp", "[fe80::zz]:80", "cat" }, "write its address" },
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const char *argv[10] = { built("portshim"), "explain", "-c", config };
		for (size_t j = 0; wrong[i].words[j]; j++)
			argv[4 + j] = wrong[i].words[j];
		show_run(argv);
		EXPECT_SAID(2, wrong[i].said);
	}
	SHOW("explain", "tcp", "192.0.2.1:80", "cat");
	EXPECT_SAID(2, "no policy");
	SHOW("explain", "-c", policy("[rule a]\nports = none\n"), "tcp", "192.0.2.1:80", "cat");
	cr_expect(exited(&shown, 2) && strstr(shown.err, "policy:2: error:"), "%s", shown.err);
	SHOW("explain", "-c", config, "--pid=2147483646", "tcp", "192.0.2.1:80");
	EXPECT_SAID(1, "there is no process 2147483646");
	SHOW("explain", "-p", "1", "tcp", "192.0.2.1:80", "no-such-program");
	EXPECT_SAID(1, "no-such-program cannot be executed: No such file");
	SHOW("explain", "--help");
	cr_expect(exited(&shown, 0) && strstr(shown.out, "Usage: portshim explain"), "%s", shown.out);
}

/* --- many --------------------------------------------------------------------------------------------------- */

Test(explain, five_thousand_rules)
{
	struct timespec start, end;
	FILE *file = fopen(file_path("many"), "we");
	for (int i = 0; i < 5000; i++) {
		fprintf(file, "[rule r%d]\nports = %d\nto = 10.0.0.0/8:1", i, 1024 + i);
		for (int j = 2; j < 12; j++)
			fprintf(file, ", 10.%d.%d.0/24:%d", i % 256, j, j);
		fputs("\n", file);
	}
	fprintf(file, "[rule last]\nports = 20000\n");
	fclose(file);
	clock_gettime(CLOCK_MONOTONIC, &start);
	SHOW("explain", "-c", file_path("many"), "tcp", "192.0.2.1:443", "cat");
	clock_gettime(CLOCK_MONOTONIC, &end);
	cr_expect(exited(&shown, 0), "%x %s", shown.status, shown.err);
	cr_expect_lt(end.tv_sec - start.tv_sec, 20);
}

/* --- against the library itself -------------------------------------------------------------------------------- */

#define CASES 300

static uint32_t seed = 20261125;

/* Numerical Recipes' generator; its low bits are poor. */
static uint32_t dice(uint32_t sides)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % sides;
}

static const char *one_of(const char *const words[], uint32_t n)
{
	return words[dice(n)];
}

#define ONE_OF(...) one_of((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* A rule's set is its own, so that a port tells the rule; half of them are late. */
static int set_of(uint32_t rule, bool late)
{
	return (late ? 40000 : 20000) + (int)rule * 10;
}

static char *add_condition(char *at)
{
	switch (dice(9)) {
	case 0: return at + sprintf(at, "program = %s\n", ONE_OF("act", "/nowhere/*", "other, *act*"));
	case 1: return at + sprintf(at, "command = %s\n", ONE_OF("*socket 0*", "*no such step*"));
	case 2: return at + sprintf(at, "env = %s\n", ONE_OF("ROLE=a*", "ROLE=b*", "NONE=*, ROLE=a1"));
	case 3: return at + sprintf(at, "user = %s\n", ONE_OF("0", "4242", "0, 4242"));
	case 4: return at + sprintf(at, "group = %s\n", ONE_OF("0", "4242"));
	case 5: return at + sprintf(at, "call = %s\n", ONE_OF("connect", "send", "bind", "listen", "connect, send", "bind, listen"));
	case 6: return at + sprintf(at, "protocol = %s\n", ONE_OF("tcp", "udp", "udp, sctp"));
	case 7: return at + sprintf(at, "family = %s\n", ONE_OF("ipv4", "ipv6"));
	default: return at + sprintf(at, "share = never\n");
	}
}

/* Keys may not stand twice, nor contradict each other: a policy that is refused is thrown away. */
static char *add_rule(char *at, uint32_t rule)
{
	const char *action = ONE_OF("assign", "assign", "assign", "pass", "deny");
	char *begin = at;
	at += sprintf(at, "[rule r%u]\naction = %s\n", rule, action);
	if (action[0] == 'a')
		at += sprintf(at, "ports = %d-%d\n", set_of(rule, rule % 2), set_of(rule, rule % 2) + 9);
	if (dice(2))
		at += sprintf(at, "to = %s\n", ONE_OF("127.0.0.0/8", "127.0.0.1:5000", "[::1]:5000", "*:5000-5999", "*:7000, [::1]",
		                                      "127.0.0.2"));
	for (uint32_t n = dice(3); n > 0; n--) {
		char *before = at;
		at = add_condition(at);
		char key[16];
		snprintf(key, sizeof(key), "\n%.*s =", (int)strcspn(before, " "), before);
		char saved = *before;
		*before = '\0';
		bool twice = strstr(begin, key) != NULL;
		*before = saved;
		if (twice || (action[0] != 'a' && strncmp(before, "share", 5) == 0))
			*(at = before) = '\0';
	}
	return at;
}

/* What is done with a socket, for explain and for the probe. */
struct doing {
	const char *kind, *protocol, *call, *destination; /* of explain */
	const char *bind, *step;                          /* of act; NULL: none */
	const char *way;                                  /* --ipv6 where nothing else says so */
};

static const struct doing doings[] = {
	{ "tcp4", "tcp", "connect", "127.0.0.1:5000", NULL, "connect 0 127.0.0.1 5000", NULL },
	{ "tcp4", "tcp", "connect", "127.0.0.2:7000", NULL, "connect 0 127.0.0.2 7000", NULL },
	{ "tcp6", "tcp", "connect", "[::1]:5000", NULL, "connect 0 ::1 5000", NULL },
	{ "tcp6", "tcp", "connect", "[::ffff:127.0.0.1]:5000", NULL, "connect 0 ::ffff:127.0.0.1 5000", NULL },
	{ "tcp4", "tcp", "send", "127.0.0.1:5000", NULL, "sendto 0 127.0.0.1 5000 fastopen", NULL },
	{ "udp4", "udp", "connect", "127.0.0.2:7000", NULL, "connect 0 127.0.0.2 7000", NULL },
	{ "udp4", "udp", "send", "127.0.0.1:5000", NULL, "sendto 0 127.0.0.1 5000", NULL },
	{ "udp6", "udp", "send", "[::1]:5000", NULL, "sendto 0 ::1 5000", NULL },
	{ "tcp4", "tcp", "bind", "127.0.0.1:5000", "bind 0 127.0.0.1 0", "connect 0 127.0.0.1 5000", NULL },
	{ "tcp6", "tcp", "bind", "[::1]:5000", "bind 0 ::1 0", "connect 0 ::1 5000", NULL },
	{ "udp4", "udp", "bind", "127.0.0.1:5000", "bind 0 127.0.0.1 0", "connect 0 127.0.0.1 5000", NULL },
	{ "tcp4", "tcp", "listen", "-", NULL, "listen 0", NULL },
	{ "tcp6", "tcp", "listen", "-", NULL, "listen 0", "--ipv6" },
	{ "udp4", "udp", "listen", "-", NULL, "listen 0", NULL },
};

struct expected {
	char decision[32], rule[32];
	bool put_off, late;
};

/* The first value of a key from there on; "" for null. */
static void words_of(const char *json, const char *key, char words[32])
{
	char quoted[40];
	snprintf(quoted, sizeof(quoted), "\"%s\": \"", key);
	const char *found = strstr(json, quoted);
	snprintf(words, 32, "%.*s", found ? (int)strcspn(found + strlen(quoted), "\"") : 0, found ? found + strlen(quoted) : "");
}

/* Where explain says that the bind is decided at once, nothing is done behind it. */
static struct expected explained(const struct doing *doing, const char *config, bool other_user, const char *const act[])
{
	const char *argv[24] = { built("portshim"), "explain", "--json", "-c", config, "--env=ROLE=a1", "--call", doing->call };
	struct expected expected = { .late = false };
	int n = 8;
	if (doing->way)
		argv[n++] = doing->way;
	if (other_user)
		argv[n++] = "--user=4242";
	argv[n++] = doing->protocol;
	argv[n++] = doing->destination;
	argv[n++] = "--";
	for (int i = 0; act[i]; i++)
		argv[n++] = act[i];
	show_run(argv);
	if (exited(&shown, 2))
		return expected; /* the policy contradicts itself */
	cr_assert(exited(&shown, 0), "%s", shown.err);
	expected.put_off = strstr(shown.out, "\"decision\": \"put-off\"") != NULL;
	const char *last = shown.out;
	for (const char *at = shown.out; (at = strstr(at, "\"decision\": ")) != NULL; at++)
		last = at;
	words_of(last, "decision", expected.decision);
	words_of(last, "rule", expected.rule);
	expected.late = strstr(last, "\"way\": \"late\"") != NULL;
	return expected;
}

/* What the library did, by what it says at log = info, against what was said of it. */
static void compare(const struct run *run, const struct doing *doing, const struct expected *expected)
{
	char words[64];
	const char *step = doing->bind && !expected->put_off ? doing->bind : doing->step;
	bool refused = strstr(result_of(run, step), "EPERM") != NULL;
	snprintf(words, sizeof(words), ": rule %s: ", expected->rule);
	if (strcmp(expected->decision, "assign") == 0) {
		const char *said = strstr(run->err, words);
		cr_assert(said && strstr(said, " port "), "not '%s' but '%s'\n%s", words, run->err, run->policy);
		int port = atoi(strstr(said, " port ") + 6);
		int rule = atoi(expected->rule + 1), set = set_of((uint32_t)rule, rule % 2);
		cr_expect(port >= set && port < set + 10, "%d\n%s", port, run->policy);
		cr_expect_eq(strstr(said, "(late)") != NULL, expected->late, "%s\n%s", said, run->policy);
	} else {
		cr_expect_null(strstr(run->err, " port "), "%s: %s\n%s", expected->decision, run->err, run->policy);
	}
	cr_expect_eq(refused, strcmp(expected->decision, "deny") == 0, "%s: %s\n%s", expected->decision, run->out, run->policy);
}

/* A policy and a call by the dice: what is explained is what happens. */
Test(explain, what_it_says_is_what_the_library_does)
{
	int decided[4] = { 0 };
	for (int i = 0; i < CASES; i++) {
		const struct doing *doing = &doings[dice(sizeof(doings) / sizeof(*doings))];
		char text[2000], *at = text;
		bool other_user = dice(4) == 0;
		struct run run = { .policy = text, .env = { "ROLE=a1", "PORTSHIM_LOG=info" } };
		for (uint32_t rule = 0, rules = 2 + dice(6); rule < rules; rule++)
			at = add_rule(at, rule);
		char socket[32];
		snprintf(socket, sizeof(socket), "socket 0 %s", doing->kind);
		const char *act[8] = { ACT, other_user ? "setuid 4242" : "sleep 0", socket };
		int n = 3;
		if (doing->bind)
			act[n++] = doing->bind;
		act[n++] = doing->step;
		struct expected expected = explained(doing, file_make("policy", text), other_user, act);
		if (!expected.decision[0])
			continue;
		if (doing->bind && !expected.put_off)
			act[4] = NULL;
		run_program(&run, act);
		cr_assert(exited(&run, 0), "%s", run.err);
		compare(&run, doing, &expected);
		decided[expected.decision[0] == 'a' ? 0 : expected.decision[0] == 'p' ? 1 : expected.decision[0] == 'd' ? 2 : 3]++;
	}
	for (int i = 0; i < 4; i++) /* each was among them, so that the test means something */
		cr_expect_gt(decided[i], 2, "%d of kind %d", decided[i], i);
}
