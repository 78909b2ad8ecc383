/* test_export.c - `portshim export`: what it prints, that firewalls take it, and what they then let out. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/tools/packets.h"
#include "tests/tools/show.h"

TestSuite(export, .init = world_enter, .fini = world_leave, .timeout = 120);

/* A policy by whose names no quoting gets through, with all that is awkward to say. */
#define AWKWARD                                                                      \
	"[rule x\"; flush ruleset; \"'`$(id)`\\]\n"                                  \
	"user = 0, 1234\ngroup = 1234\nprogram = java\n"                             \
	"to = 10.20.0.0/16:1521, [2001:db8::/32]:443, *:53, 192.0.2.7:8000-8099, 10.20.1.0/24:1521\n" \
	"ports = 20000-20099, !20050\n"                                              \
	"[rule \xff\xfe<!-- & -->--]\nto = 192.0.2.9, 192.0.2.0/24\naction = deny\n"     \
	"[rule # \\]\ncall = connect\nports = 20200-20210\nexhausted = pass\n"       \
	"[rule ps]\naction = pass\nprotocol = udp\nto = *:53\n"                      \
	"[rule listens]\ncall = listen\nports = 20300\n"                             \
	"[rule source]\nsource = 2001:db8::5\nports = psid 6/8/52, linux\ncgroup = /none\n" \
	"[rule opens]\nprogram = curl\naction = pass\n"                              \
	"[rule lite]\nprotocol = udplite\nports = 20400\n"

static void load(const char *policy, const char *options)
{
	shell("%s export nft -c %s %s | nft -f -", built("portshim"), file_make("policy", policy), options);
}

static void ruleset(char *text, size_t size)
{
	static struct run run;

	run = (struct run){ .bare = true };
	run_program(&run, (const char *const[]){ "nft", "list", "ruleset", NULL });
	cr_assert(exited(&run, 0) && strlen(run.out) < size);
	strcpy(text, run.out);
}

#define EXPECT_WARNED(words) cr_expect(strstr(shown.err, words), "'%s' is not in\n%s", words, shown.err)

/* --- usage ----------------------------------------------------------------------------------------------- */

Test(export, usage)
{
	SHOW("export", "--help");
	EXPECT_DONE();
	EXPECT_HAS("Usage: portshim export nft|iptables|ip6tables|firewalld|sysctl|json");
	SHOW("export");
	EXPECT_SAID(2, "no format");
	SHOW("export", "nftables", "-p", "20000");
	EXPECT_SAID(2, "no such format: nftables");
	SHOW("export", "nft", "json");
	EXPECT_SAID(2, "one format at a time: json");
	SHOW("export", "nft", "-c", "x", "-p", "20000");
	EXPECT_SAID(2, "exclude each other");
	SHOW("export", "nft", "-p", "20000", "--rest", "allow");
	EXPECT_SAID(2, "--rest is reject, drop or accept");
	SHOW("export", "nft", "-p", "20000", "--remote");
	EXPECT_SAID(2, "--remote needs the hosts");
	SHOW("export", "nft", "-p", "20000", "--from=192.0.2.1");
	EXPECT_SAID(2, "--from is for --remote");
	SHOW("export", "nft", "-p", "20000", "--remote", "--from=192.0.2.1:80");
	EXPECT_SAID(2, "'192.0.2.1:80' is no host or network");
	SHOW("export", "nft", "-p", "20000", "--remote", "--from=192.0.2.1/24");
	EXPECT_SAID(2, "write 192.0.2.0/24");
	SHOW("export", "json", "-p", "20000", "--rest=drop");
	EXPECT_SAID(2, "not for json");
	SHOW("export", "firewalld", "-p", "20000", "--cgroup");
	EXPECT_SAID(2, "--cgroup is for nft");
	SHOW("export", "ip6tables", "-p", "20000", "--remote", "--from=192.0.2.1");
	EXPECT_SAID(1, "no host of --from has an address of IPv6");
}

Test(export, a_broken_policy_prints_nothing)
{
	SHOW("export", "nft", "-c", file_make("policy", "[rule a]\nports = none\n"));
	cr_expect(exited(&shown, 2));
	cr_expect_str_empty(shown.out);
	EXPECT_WARNED("policy:2: error:");
}

/* An option may stand before the format. */
Test(export, words_in_any_order)
{
	SHOW("export", "-p", "20000-20009", "nft", "--rest=drop");
	EXPECT_DONE();
	EXPECT_HAS("elements = { 20000-20009 }");
	EXPECT_HAS("counter drop");
}

/* --- loading --------------------------------------------------------------------------------------------- */

/* Every format, for the host and for a router, with each of the three: taken by what it is for, as a whole. */
Test(export, awkward_policies_load)
{
	static const char *const rests[] = { "reject", "drop", "accept" };
	static const char *const wheres[] = { "", "--remote --from=192.0.2.0/24,2001:db8::/64,192.0.2.7" };
	const char *policy = file_make("policy", AWKWARD), *portshim = built("portshim");

	shell("nft add table inet mine");
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 2; j++) {
			shell("%s export nft -c %s --rest=%s %s | nft -f -", portshim, policy, rests[i], wheres[j]);
			for (int k = 0; k < 4; k++)
				shell("%s export %s -c %s --rest=%s %s | %s-%s-restore --noflush", portshim,
				      k % 2 ? "ip6tables" : "iptables", policy, rests[i], wheres[j],
				      k % 2 ? "ip6tables" : "iptables", k / 2 ? "legacy" : "nft");
		}
	shell("nft list table inet mine && test ! -e id"); /* no name has ended its quotes */
}

Test(export, firewalld_takes_it)
{
	static const char *const options[] = { "", "--rest=drop", "--rest=accept",
	                                       "--remote --from=192.0.2.0/24,2001:db8::/64,2001:db8::/32" };
	const char *policy = file_make("policy", AWKWARD), *folder = file_path("firewalld");

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		shell("mkdir -p %s/policies && cp /etc/firewalld/firewalld.conf %s &&"
		      "%s export firewalld -c %s %s >%s/policies/portshim.xml &&"
		      "firewall-offline-cmd --system-config=%s --check-config &&"
		      "python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' %s/policies/portshim.xml",
		      folder, folder, built("portshim"), policy, options[i], folder, folder, folder);
	SHOW("export", "firewalld", "-c", file_make("policy", "[rule a]\nto = 192.0.2.0/24:80\nports = 20000-20001\n"));
	EXPECT_HAS("<rule family=\"ipv4\" priority=\"-32766\"><destination address=\"192.0.2.0/24\"/>"
	           "<source-port port=\"20000-20001\" protocol=\"tcp\"/><accept/></rule>");
	EXPECT_HAS("<rule family=\"ipv4\" priority=\"-32765\"><destination address=\"192.0.2.0/24\"/>"
	           "<port port=\"80\" protocol=\"tcp\"/><reject/></rule>");
	EXPECT_WARNED("rule a: permits more than the policy: firewalld cannot ask for the ports of both ends");
}

static void daemon_begin(struct run *run, const char *const argv[])
{
	*run = (struct run){ .bare = true };
	run_start(run, argv);
}

static void daemon_end(struct run *run)
{
	kill(run->pid, SIGTERM);
	run_end(run);
}

/* firewalld itself, on a message bus of its own. */
Test(export, firewalld_does_it)
{
	static struct run bus, firewalld;
	char address[200], config[200];
	const char *folder = file_path("firewalld");

	wire_lay();
	int server = far_udp(FAR4, 5000), passed = far_udp(FAR4, 5001), passed6 = far_udp(FAR6, 5001);
	shell("mkdir -p %s/policies && cp /etc/firewalld/firewalld.conf %s && %s export firewalld -c %s >%s/policies/portshim.xml",
	      folder, folder, built("portshim"),
	      file_make("policy", "[rule a]\nto = 10.99.0.0/24\nprotocol = udp\nports = 20000-20009\n"
	                          "[rule b]\nto = *:5001\naction = pass\n[rule c]\nports = 20100\n"), folder);
	snprintf(address, sizeof(address), "unix:path=%s", file_path("bus"));
	snprintf(config, sizeof(config), "--system-config=%s", folder);
	daemon_begin(&bus, (const char *const[]){ "setpriv", "--pdeathsig", "KILL", "dbus-daemon", "--session", "--nofork",
	                                          "--nopidfile", "--address", address, NULL });
	shell("timeout 20 sh -c 'until test -S %s; do sleep 0.05; done'", file_path("bus"));
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	daemon_begin(&firewalld, (const char *const[]){ "setpriv", "--pdeathsig", "KILL", "firewalld", "--nofork", "--nopid",
	                                                "--log-target=console", config, NULL });
	shell("timeout 20 sh -c 'until firewall-cmd --state; do sleep 0.1; done' >/dev/null 2>&1");
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20000), LET_OUT);
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20010), REFUSED);
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20100), REFUSED, "rule a comes first");
	cr_expect_eq(attempt(passed, false, FAR4, 5001, 20010), REFUSED, "rule a comes first");
	cr_expect_eq(attempt(passed6, false, FAR6, 5001, 20010), LET_OUT);
	cr_expect_eq(attempt(server, false, FAR4, 5000, 0), REFUSED);
	daemon_end(&firewalld);
	daemon_end(&bus);
}

Test(export, loading_twice_is_loading_once)
{
	static char once[65536], twice[65536];

	load(AWKWARD, "");
	ruleset(once, sizeof(once));
	load(AWKWARD, "");
	ruleset(twice, sizeof(twice));
	cr_expect_str_eq(once, twice);
	cr_expect(strstr(once, "chain rules"));
	load("[rule a]\nports = 20000\n", "");
	ruleset(twice, sizeof(twice));
	cr_expect_not(strstr(twice, "20099"), "%s", twice);
}

/* 3,000 rules, one of them with 10,000 intervals. */
Test(export, thousands)
{
	const char *path = file_path("policy");
	FILE *file = fopen(path, "we");

	cr_assert(file);
	fputs("[rule many]\nto = 10.99.0.0/24\nports =", file);
	for (int port = 1000; port < 31000; port += 3)
		fprintf(file, " %d-%d%s", port, port + 1, port + 3 < 31000 ? (port % 5 ? "," : ",\n  ") : "\n");
	for (int i = 0; i < 3000; i++)
		fprintf(file, "[rule r%d]\nuser = %d\nto = 10.%d.%d.0/24:%d\nports = %d-%d\n", i, i, i / 200, i % 200, i + 1,
		        31000 + i, 31010 + i);
	fclose(file);
	shell("%s export nft -c %s | nft -f - && nft list set inet portshim r1_many | grep -q 30997-30998", built("portshim"),
	      path);
	shell("%s export iptables -c %s | iptables-nft-restore --noflush", built("portshim"), path);
}

/* --- what is said ------------------------------------------------------------------------------------------ */

Test(export, says_what_a_firewall_cannot_see)
{
	const char *policy = file_make("policy", AWKWARD "[rule group]\ngroup = 5\nports = 20500\n");

	SHOW("export", "nft", "-c", policy);
	cr_expect(exited(&shown, 0));
	EXPECT_WARNED("permits more than the policy: a firewall does not see program, command or env");
	EXPECT_WARNED("rule source: permits more than the policy: cgroup is not asked for");
	EXPECT_WARNED("rule # _: permits more than the policy: a packet does not show which call gave its port");
	EXPECT_WARNED("group: permits less than the policy: nftables sees only the effective group");
	EXPECT_WARNED("rule # _: permits less than the policy: with exhausted = pass");
	EXPECT_WARNED("rule opens: left out, as it would let out what the policy does not mean: a firewall does not see program");
	cr_expect_not(strstr(shown.err, "rule listens"), "%s", shown.err);
	EXPECT_HAS("# rule listens\n\t\t#   nothing to permit: what listens only answers");
	expect_no_control(shown.err);
	SHOW("export", "firewalld", "-c", policy);
	EXPECT_WARNED("this firewall does not see user, group or cgroup");
	EXPECT_WARNED("rule lite: permits less than the policy: this firewall cannot ask for the ports of its protocol");
	SHOW("export", "nft", "-c", file_make("policy", "[rule a]\nprogram = curl\naction = deny\n"));
	EXPECT_WARNED("rule a: left out, as it would refuse what the policy does not mean");
}

/* A reason is given once, however many rules have it. */
Test(export, names_a_few_rules)
{
	char policy[1000] = "";

	for (int i = 0; i < 9; i++)
		snprintf(policy + strlen(policy), sizeof(policy) - strlen(policy), "[rule r%d]\nprogram = x\nports = 2000%d\n", i, i);
	SHOW("export", "nft", "-c", file_make("policy", policy));
	cr_expect_str_eq(shown.err, "portshim: warning: rules r0, r1, r2, r3, r4 and 4 more: permits more than the policy: "
	                            "a firewall does not see program, command or env\n");
}

Test(export, nothing_is_said_of_what_can_be_seen)
{
	static const char *const formats[] = { "nft", "iptables", "ip6tables" };

	for (int i = 0; i < 3; i++) {
		SHOW("export", formats[i], "-c",
		     file_make("policy", "[rule a]\nuser = 0\nto = 192.0.2.0/24:80, [2001:db8::]:80\nports = 20000\n"
		                         "[rule b]\naction = deny\nto = 192.0.2.0/24, [2001:db8::]\n[rule c]\naction = pass\n"));
		EXPECT_DONE();
	}
}

Test(export, sysctl_is_one_line_that_can_be_set)
{
	const char *out = file_path("60-portshim.conf");

	net_set("net/ipv4/ip_local_reserved_ports", "8080");
	shell("%s export sysctl -p '20000-20099, !20050, 40000' >%s && /sbin/sysctl -q -p %s", built("portshim"), out, out);
	shell("test \"$(cat /proc/sys/net/ipv4/ip_local_reserved_ports)\" = 8080,20000-20049,20051-20099,40000");
	SHOW("export", "sysctl", "-p", "40000-40999");
	EXPECT_SAID(1, "nothing printed: to reserve the policy's ports would leave none");
}

Test(export, json_has_every_key)
{
	const char *policy = file_make(
		"policy", "[portshim]\ntable = none\nlog-to = /tmp/log\n[rule a]\nprogram = /bin/*, x\ncommand = *y\nuser = 5\n"
		          "group = 6, 7\ncgroup = /a\nenv = A=b\ncall = connect, bind\nprotocol = udp\nfamily = ipv6\n"
		          "to = [2001:db8::/32]:443, *:53\nports = 20000-20009, iana\nchoose = least-recent\nshare = never\n"
		          "cooldown = 30s\nexhausted = wait 5s\nexplicit = deny\nsource = 2001:db8::5\n"
		          "[rule b]\naction = pass\n");
	const char *program =
		"import json, sys\n"
		"p = json.load(sys.stdin)\n"
		"assert (p['table'], p['log'], p['log_to'], p['audit']) == ('none', 'error', '/tmp/log', None), p\n"
		"a, b = p['rules']\n"
		"assert a == {'rule': 'a', 'line': 4, 'program': ['/bin/*', 'x'], 'command': ['*y'], 'user': [5],\n"
		" 'group': [6, 7], 'cgroup': ['/a'], 'env': ['A=b'], 'call': ['connect', 'bind'], 'protocol': ['udp'],\n"
		" 'family': ['ipv6'], 'to': [{'address': '2001:db8::', 'prefix': 32, 'first_port': 443, 'last_port': 443},\n"
		" {'address': None, 'prefix': None, 'first_port': 53, 'last_port': 53}], 'action': 'assign',\n"
		" 'ports': [{'first': 20000, 'last': 20009, 'named': False}, {'first': 49152, 'last': 65535, 'named': True}],\n"
		" 'count': 16394, 'choose': 'least-recent', 'share': 'never', 'cooldown_ms': 30000, 'exhausted': 'wait',\n"
		" 'wait_ms': 5000, 'explicit': 'deny', 'source': '2001:db8::5'}, a\n"
		"assert b['action'] == 'pass' and 'ports' not in b and b['user'] == [] and len(b['call']) == 4, b\n";

	shell("%s export json -c %s | python3 %s", built("portshim"), policy, file_make("look.py", program));
	shell("%s export json -c %s | python3 -m json.tool", built("portshim"), file_make("policy", AWKWARD));
}

/* --- what is let out --------------------------------------------------------------------------------------- */

/* Ports of a range given by name are let out but for those that are reserved. */
Test(export, reserved_ports_of_a_named_range)
{
	net_set("net/ipv4/ip_local_reserved_ports", "40005");
	SHOW("export", "nft", "-p", "kernel");
	EXPECT_HAS("elements = { 40000-40004, 40006-40999 }");
	SHOW("export", "nft", "-p", "40000-40999");
	EXPECT_HAS("elements = { 40000-40999 }");
}

/* By nft the effective group counts, by iptables each; a group besides is said to be shut out (above). */
Test(export, groups)
{
	wire_lay();
	int server = far_udp(FAR4, 5000);
	load("[rule a]\ngroup = 77\nports = 20000\n", "");
	cr_expect_eq(attempt_as(1234, 77, 5, server, false, FAR4, 5000, 20000), LET_OUT);
	cr_expect_eq(attempt_as(1234, 5, 77, server, false, FAR4, 5000, 20000), REFUSED);
	shell("nft flush ruleset");
	shell("%s export iptables -c %s | iptables-nft-restore --noflush", built("portshim"), file_path("policy"));
	cr_expect_eq(attempt_as(1234, 77, 5, server, false, FAR4, 5000, 20000), LET_OUT);
	cr_expect_eq(attempt_as(1234, 5, 77, server, false, FAR4, 5000, 20000), LET_OUT);
	cr_expect_eq(attempt_as(1234, 5, 6, server, false, FAR4, 5000, 20000), REFUSED);
}

/* What no rule concerns is left alone, but for the policy's own ports; what a rule concerns has to fit it. */
Test(export, the_rest_is_accepted)
{
	wire_lay();
	int udp = far_udp(FAR4, 5000), tcp = far_tcp(FAR4, 5000);
	load("[rule a]\nuser = 1234\nprotocol = udp\nports = 20000-20009\n", "--rest=accept");
	cr_expect_eq(attempt_as(1234, 1, 1, udp, false, FAR4, 5000, 20000), LET_OUT);
	cr_expect_eq(attempt_as(1234, 1, 1, udp, false, FAR4, 5000, 0), REFUSED);
	cr_expect_eq(attempt_as(4321, 1, 1, udp, false, FAR4, 5000, 0), LET_OUT);
	cr_expect_eq(attempt_as(4321, 1, 1, udp, false, FAR4, 5000, 20009), REFUSED);
	cr_expect_eq(attempt_as(4321, 1, 1, tcp, true, FAR4, 5000, 20009), LET_OUT);
}

Test(export, source_addresses)
{
	wire_lay();
	int server = far_udp(FAR4, 5000);
	load("[rule a]\nsource = " NEAR4 "\nports = 20000\n", "");
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20000), LET_OUT);
	load("[rule a]\nsource = 10.99.0.7\nports = 20000\n", "");
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20000), REFUSED);
}

/* A rule that asks for more than a firewall sees lets its ports out, and leaves others to the rules behind it. */
Test(export, unseen_conditions_close_nothing)
{
	wire_lay();
	int server = far_udp(FAR4, 5000);
	load("[rule java]\nprogram = java\nports = 20000\n[rule all]\nports = 20001\n", "");
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20000), LET_OUT);
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20001), LET_OUT);
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20002), REFUSED);
}

/* DHCP, loopback and other protocols are none of the policy's business; other programs are refused. */
Test(export, what_is_not_judged)
{
	wire_lay();
	int dhcp = far_udp(FAR4, 67), dhcp6 = far_udp(FAR6, 547), here = server_tcp("127.0.0.1", 5000);
	int own = server_udp(NEAR4, 5000), there = far_udp(FAR4, 5000);
	load("[rule a]\nuser = 1234\nports = 20000\n", "");
	cr_expect_eq(attempt(dhcp, false, FAR4, 67, 68), LET_OUT);
	cr_expect_eq(attempt(dhcp6, false, FAR6, 547, 546), LET_OUT);
	cr_expect_eq(attempt(dhcp, false, FAR4, 67, 0), REFUSED);
	cr_expect_eq(attempt(here, true, "127.0.0.1", 5000, 0), LET_OUT);
	cr_expect_eq(attempt(own, false, NEAR4, 5000, 0), LET_OUT);
	cr_expect_eq(attempt(there, false, FAR4, 5000, 0), REFUSED);
	shell("busybox ping -c 1 -W 5 " FAR4 " && busybox ping6 -c 1 -W 5 " FAR6);
}

/* --- what was there before, and what comes in ---------------------------------------------------------------- */

static int near_port;

static int connected_to(const char *address, uint16_t port)
{
	union name name;
	socklen_t length = name_of(&name, address, port);
	int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0 && connect(fd, &name.any, length) == 0, "%m");
	return fd;
}

static int from_far;

static void far_connects(void)
{
	from_far = connected_to(NEAR4, (uint16_t)near_port);
}

static void expect_talk(int from, int to)
{
	char byte = 0;

	cr_assert_eq(send(from, "a", 1, MSG_NOSIGNAL), 1, "%m");
	struct pollfd pollfd = { .fd = to, .events = POLLIN };
	cr_assert_eq(poll(&pollfd, 1, DEADLINE_MS), 1);
	cr_assert_eq(recv(to, &byte, 1, 0), 1);
	cr_expect_eq(byte, 'a');
}

/* Both ends of what was there speak first once the rules are loaded; what comes in later is answered. */
static void goes_on(const char *load_line)
{
	wire_lay();
	near_port = 8000;
	int far = far_tcp(FAR4, 5000), near = server_tcp("0.0.0.0", near_port), far_end, near_end, near_new;
	int out = connected_to(FAR4, 5000);
	server_accept(far, &far_end);
	far_do(far_connects);
	server_accept(near, &near_end);

	shell("%s", load_line);
	expect_talk(out, far_end);
	expect_talk(near_end, from_far);
	expect_talk(far_end, out);
	cr_expect_eq(attempt(far, true, FAR4, 5000, 0), REFUSED, "the rules are not in force");
	far_do(far_connects);
	server_accept(near, &near_new);
	expect_talk(near_new, from_far);
}

Test(export, connections_go_on_nft)
{
	char line[512];

	snprintf(line, sizeof(line), "%s export nft -p 20000 | nft -f -", built("portshim"));
	goes_on(line);
}

Test(export, connections_go_on_iptables)
{
	char line[512];

	snprintf(line, sizeof(line), "%s export iptables -p 20000 | iptables-nft-restore -n", built("portshim"));
	goes_on(line);
}

static int far_client;

static void far_client_make(void)
{
	far_client = server_udp(FAR4, 6000);
}

/* A UDP server answers from its port. */
Test(export, datagrams_are_answered)
{
	union name name;
	socklen_t length = sizeof(name);
	char byte;

	wire_lay();
	int near = server_udp(NEAR4, 8000);
	load("[rule a]\nports = 20000\n", "");
	far_do(far_client_make);
	length = name_of(&name, NEAR4, 8000);
	cr_assert_eq(sendto(far_client, "a", 1, 0, &name.any, length), 1);
	struct pollfd pollfd = { .fd = near, .events = POLLIN };
	cr_assert_eq(poll(&pollfd, 1, DEADLINE_MS), 1);
	cr_assert_eq(recvfrom(near, &byte, 1, 0, &name.any, &length), 1);
	cr_expect_eq(sendto(near, "b", 1, 0, &name.any, length), 1, "%m");
	cr_expect_eq(arrived(far_client, false, 8000), LET_OUT);
	length = name_of(&name, FAR4, 6001);
	cr_expect_eq(sendto(near, "b", 1, 0, &name.any, length), -1, "nobody has come from there");
}

/* --- control groups ------------------------------------------------------------------------------------------ */

#define GROUPS "/sys/fs/cgroup"

static char group[64];

static void groups_enter(void)
{
	world_enter();
	cr_assert(mount("portshim", GROUPS, "cgroup2", 0, NULL) == 0, "%m"); /* the namespace of mounts is the test's own */
	snprintf(group, sizeof(group), "portshim-test-%d", getpid());
	shell("mkdir " GROUPS "/%s " GROUPS "/%s/below", group, group);
}

static void groups_leave(void)
{
	shell("rmdir " GROUPS "/%s/below " GROUPS "/%s", group, group);
	world_leave();
}

TestSuite(export_cgroup, .init = groups_enter, .fini = groups_leave, .timeout = 60);

/* The whole test would be moved: so a process of its own. */
static enum outcome attempt_in(const char *below, int server, uint16_t port)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		char path[200];
		snprintf(path, sizeof(path), GROUPS "/%s%s/cgroup.procs", group, below);
		FILE *file = fopen(path, "we");
		if (!file || fputs("0", file) == EOF || fclose(file) != 0)
			_exit(NEITHER);
		_exit((int)attempt(server, false, FAR4, 5000, port));
	}
	cr_assert(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return (enum outcome)WEXITSTATUS(status);
}

static void group_is_asked_for(int server)
{
	cr_expect_eq(attempt_in("", server, 20000), LET_OUT);
	cr_expect_eq(attempt_in("/below", server, 20000), LET_OUT);
	cr_expect_eq(attempt_in("", server, 20001), REFUSED);
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20000), REFUSED);
}

Test(export_cgroup, are_asked_for)
{
	char policy[200];

	wire_lay();
	int server = far_udp(FAR4, 5000);
	snprintf(policy, sizeof(policy), "[rule a]\ncgroup = /%s\nports = 20000\n", group);
	load(policy, "");
	cr_expect_eq(attempt(server, false, FAR4, 5000, 20000), LET_OUT, "not asked for without --cgroup");
	load(policy, "--cgroup");
	group_is_asked_for(server);
	shell("nft flush ruleset");
	shell("%s export iptables --cgroup -c %s | iptables-nft-restore -n", built("portshim"), file_path("policy"));
	group_is_asked_for(server);
}

/* Why --cgroup is no default: a group of the same name that is made later is another. */
Test(export_cgroup, a_group_made_anew_is_another)
{
	char policy[200];

	wire_lay();
	int server = far_udp(FAR4, 5000);
	snprintf(policy, sizeof(policy), "[rule a]\ncgroup = /%s/below\nports = 20000\n", group);
	load(policy, "--cgroup");
	cr_expect_eq(attempt_in("/below", server, 20000), LET_OUT);
	shell("rmdir " GROUPS "/%s/below && mkdir " GROUPS "/%s/below", group, group);
	cr_expect_eq(attempt_in("/below", server, 20000), REFUSED);
	load(policy, "--cgroup");
	cr_expect_eq(attempt_in("/below", server, 20000), LET_OUT);
}

Test(export_cgroup, patterns_and_absent_groups_are_said)
{
	char policy[300];

	snprintf(policy, sizeof(policy), "[rule a]\ncgroup = /%s*\nports = 20000\n[rule b]\ncgroup = /%s, /absent\nports = 20001\n",
	         group, group);
	SHOW("export", "nft", "--cgroup", "-c", file_make("policy", policy));
	cr_expect(exited(&shown, 0));
	EXPECT_WARNED("rules a, b: permits more than the policy: cgroup has a pattern, or a group that is not there now");
	EXPECT_LACKS("cgroupv2");
}
