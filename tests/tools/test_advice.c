/* test_advice.c - what `portshim check` says of a policy, on machines that the test makes up. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/heard.h"
#include "tools/check/advice.h"
#include "tools/check/implies.h"
#include "tools/check/sets.h"

/* --- a machine, a policy, and what comes of them ------------------------------------------------------------- */

static struct machine machine;
static struct advices found;

static int route_everywhere(const struct ip_addr *source, const struct ip_addr *to)
{
	return 0;
}

static int address_ours(const struct ip_addr *addr)
{
	return 0;
}

static void machine_make(void)
{
	machine.kernel.ephemeral = (struct port_range){ 32768, 60999 };
	machine.unprivileged = 1024;
	machine.takes_ranges = true;
	machine.route = route_everywhere;
	machine.address = address_ours;
}

TestSuite(advice, .init = machine_make, .timeout = 60);

static void reserve_now(uint16_t lo, uint16_t hi)
{
	for (uint32_t port = lo; port <= hi; port++)
		machine.kernel.reserved[port / 64] |= UINT64_C(1) << port % 64;
}

static void advise(const char *text)
{
	struct policy policy = good_policy(text);
	struct lines lines;
	const struct subject subject = { .policy = &policy, .lines = &lines, .machine = &machine, .found = &found };
	advice_free(&found);
	lines_read(&lines, text, strlen(text));
	check_rules(&subject);
	check_patterns(&subject);
	check_sets(&subject);
	check_taken(&subject);
	check_places(&subject);
	advice_sort(&found);
	lines_free(&lines);
	policy_free(&policy);
}

static void advice_show(void)
{
	for (size_t i = 0; i < found.n; i++)
		printf("%d: %s: %s; %s\n", found.advice[i].line, advice_check_word(found.advice[i].check), found.advice[i].words, found.advice[i].fix);
}

static void expect_none(const char *text)
{
	advise(text);
	advice_show();
	cr_expect_eq(found.n, 0, "nothing is wrong with\n%s", text);
}

/* Exactly one finding: of this kind, line and name, with these words in it. */
static void expect_kind(enum advice_kind kind, const char *text, int line, const char *check, const char *words)
{
	advise(text);
	advice_show();
	cr_assert_eq(found.n, 1, "one finding of\n%s", text);
	cr_expect_eq(found.advice[0].kind, kind);
	cr_expect_eq(found.advice[0].line, line, "line %d", found.advice[0].line);
	cr_expect_str_eq(advice_check_word(found.advice[0].check), check);
	cr_expect(strstr(found.advice[0].words, words), "'%s' in: %s", words, found.advice[0].words);
	cr_expect(found.advice[0].fix && found.advice[0].fix[0], "there is something to do");
	cr_expect(!strchr(found.advice[0].words, '\n') && !strchr(found.advice[0].fix, '\n'));
}

static void expect_warning(const char *text, int line, const char *check, const char *words)
{
	expect_kind(ADVICE_WARNING, text, line, check, words);
}

static void expect_note(const char *text, int line, const char *check, const char *words)
{
	expect_kind(ADVICE_NOTE, text, line, check, words);
}

/* --- the kernel's range ---------------------------------------------------------------------------------------- */

Test(advice, a_good_set_outside_of_the_range_is_worth_no_word)
{
	expect_none("[rule a]\nports = 20000-20099, !20050\n");
	expect_none("[rule a]\nprogram = curl\nto = 10.0.0.0/8:443\nprotocol = tcp\nports = 20000\ncooldown = 0\n");
}

Test(advice, a_policy_without_a_rule)
{
	expect_warning("", 0, "no-rule", "there is no rule in it: every call passes");
	expect_warning("[portshim]\nlog = none\n", 0, "no-rule", "there is no rule in it");
}

/* --- patterns that are like nothing ------------------------------------------------------------------------------ */

static void expect_unlike(const char *line, const char *words)
{
	char text[200];
	snprintf(text, sizeof(text), "[rule a]\nports = 20000\n%s\n", line);
	expect_warning(text, 3, "no-match", words);
}

Test(advice, patterns_with_what_a_shell_takes_away)
{
	expect_unlike("program = \"curl\"", "rule a: program: nothing is like \"curl\": the quotes are a part of it");
	expect_unlike("program = curl, '/usr/bin/wget'", "nothing is like '/usr/bin/wget': the quotes");
	expect_unlike("command = \"*catalina*\"", "rule a: command: nothing is like \"*catalina*\": the quotes");
	expect_unlike("env = X=\"batch\"", "rule a: env: nothing is like X=\"batch\": the quotes");
	expect_unlike("program = ~/bin/erp", "nothing is like ~/bin/erp: '~' and variables are not expanded");
	expect_unlike("program = $HOME/bin/erp", "'~' and variables are not expanded");
	expect_unlike("program = bin/erp", "with a '/' it is held against the whole path");
	expect_unlike("program = ./erp", "with a '/' it is held against the whole path");
	expect_unlike("cgroup = system.slice/erp.service", "rule a: cgroup: nothing is like system.slice/erp.service: paths of cgroups begin "
	                                                   "with '/'");
	expect_unlike("cgroup = \"/system.slice/*\"", "the quotes are a part of it");
	expect_warning("[rule a]\nports = 20000\nprogram = curl,\n  \"wget\"\n", 4, "no-match", "\"wget\"");
	expect_none("[rule a]\nports = 20000\nprogram = curl, */erp, [ab]/x, ?opt/x, it's, o'clock*\ncommand = *\"x\"*, x\n"
	            "cgroup = /a, *b, ?c, [d]*\nenv = X=*, Y=a\"b\n");
}

Test(advice, a_set_in_the_kernels_range_is_to_be_reserved)
{
	const char *text = "[rule a]\nprotocol = tcp\nports = 32700-32867\n";
	expect_warning(text, 3, "ephemeral-overlap", "100 of 168 lie in the kernel's own range, 32768-60999");
	cr_expect(strstr(found.advice[0].fix, "sysctl -w net.ipv4.ip_local_reserved_ports=32700-32867,"), "%s", found.advice[0].fix);
	reserve_now(40000, 40009);
	advise(text);
	cr_expect(strstr(found.advice[0].fix, "reserved_ports=32700-32867,40000-40009,"), "%s", found.advice[0].fix);
	reserve_now(32768, 32867);
	expect_none(text);
}

/* Ranges that have a name are nobody's own, and where the kernel is to choose they must be its own. */
Test(advice, what_is_meant_to_lie_in_the_kernels_range_does)
{
	expect_none("[rule a]\nports = kernel\n");
	expect_none("[rule a]\nports = iana\n");
	expect_none("[rule a]\nports = 40000-40999\nchoose = kernel\n");
	machine.kernel.ephemeral = (struct port_range){ 1, 0 };
	expect_none("[rule a]\nports = 40000-40999\n");
}

Test(advice, the_kernels_range_is_not_reserved_away)
{
	expect_warning("[rule a]\nports = 20000-60000\n", 2, "ephemeral-overlap", "27233 of 40001");
	cr_expect(strstr(found.advice[0].fix, "would leave less than half"), "%s", found.advice[0].fix);
	cr_expect_not(strstr(found.advice[0].fix, "sysctl -w"));
}

Test(advice, a_long_list_is_left_to_fix)
{
	expect_warning("[rule a]\nports = psid 6/8/52\n", 2, "ephemeral-overlap", "lie in");
	cr_expect(strstr(found.advice[0].fix, "'portshim check --fix' prints how"), "%s", found.advice[0].fix);
}

Test(advice, named_ranges_lose_what_is_reserved)
{
	reserve_now(40000, 40099);
	expect_none("[rule a]\nports = linux\n");
	reserve_now(32768, 60998);
	expect_warning("[rule a]\nports = linux\nshare = destination\nprotocol = udp\n", 2, "reserved-ports",
	               "28231 of 28232 are in net.ipv4.ip_local_reserved_ports, and are left out where a range is given by name: "
	               "1 remains");
	reserve_now(60999, 60999);
	expect_warning("[rule a]\nports = linux\n", 2, "reserved-ports", "0 remain");
	expect_none("[rule a]\nports = 40000-40099\n");
}

Test(advice, the_kernel_chooses_no_reserved_port)
{
	const char *text = "[rule a]\nports = 40000-40099\nchoose = kernel\n";
	expect_none(text);
	reserve_now(40000, 40009);
	expect_warning(text, 3, "kernel-choice", "never chooses the 10 of 100");
}

Test(advice, an_old_kernel_does_not_choose)
{
	machine.takes_ranges = false;
	expect_warning("[rule a]\nports = 40000-40099\nchoose = kernel\n", 3, "kernel-choice", "Linux 6.3");
	expect_none("[rule a]\nports = 20000-20099\nchoose = random\n");
}

Test(advice, ports_that_not_everybody_may_bind)
{
	expect_warning("[rule a]\nports = 1000-1099\n", 2, "privileged-ports", "24 of 100 are below 1024");
	expect_warning("[rule a]\nports = 1000-1099\nuser = 0, erp\n", 2, "privileged-ports", "76 remain");
	expect_none("[rule a]\nports = 1000-1099\nuser = root\n");
	machine.unprivileged = 0;
	expect_none("[rule a]\nports = 1000-1099\n");
}

/* --- sizes --------------------------------------------------------------------------------------------------- */

Test(advice, few_ports_where_each_must_wait_for_its_minute)
{
	expect_warning("[rule a]\nports = 20000-20009\nshare = never\n", 3, "few-ports",
	               "10 ports carry less than one new connection a second:");
	expect_warning("[portshim]\ntable = none\n[rule a]\nports = 20000\n", 4, "few-ports", "1 port carries less");
	expect_warning("[rule a]\nports = 40000-40009\nchoose = kernel\n", 2, "few-ports", "a second to each destination:");
	expect_none("[rule a]\nports = 20000-20059\nshare = never\n");
	expect_none("[rule a]\nports = 20000-20009\n");
	expect_none("[rule a]\nports = 20000-20009\nshare = never\nprotocol = udp\n");
	expect_none("[rule a]\nports = 20000-20009\nshare = never\ncall = listen, bind\n");
	machine.kernel.no_timestamps = true;
	expect_warning("[rule a]\nports = 20000-20009\n", 2, "few-ports", "to each destination");
}

Test(advice, a_cooldown_that_the_set_cannot_bear)
{
	expect_none("[rule a]\nports = 20000-20009\ncooldown = 10m\n");
	expect_warning("[rule a]\nports = 20000-20009\ncooldown = 1h\n", 3, "long-cooldown",
	               "10 ports are given again sooner from 11 new connections in 1h on");
	expect_warning("[rule a]\nports = 20000\ncooldown = 1500ms\n", 3, "long-cooldown", "does nothing for a single port");
	expect_none("[rule a]\nports = 40000-40099\nchoose = kernel\ncooldown = 24h\n");
}

Test(advice, sharing_where_destinations_are_rewritten)
{
	const char *text = "[rule a]\nports = 20000-20099\nshare = destination\n";
	expect_none(text);
	machine.rewrites = true;
	expect_warning(text, 3, "nat-sharing", "a port that is shared between them leaves as another");
	expect_warning("[rule a]\nports = 20000-20099\nto = 10.0.0.1:80-81\n", 2, "nat-sharing", "rewrites");
	expect_none("[rule a]\nports = 20000-20099\nshare = never\n");
	expect_none("[rule a]\nports = 20000-20099\nprotocol = udp\n");
	expect_none("[rule a]\nports = 20000-20099\nto = 10.0.0.1:80\nprotocol = tcp\n");
	expect_none("[rule a]\nports = 20000-20099\nto = [2001:db8::1]:80\nprotocol = tcp\n");
	expect_none("[rule a]\naction = pass\n");
}

/* --- rules against each other ------------------------------------------------------------------------------------ */

/* The second rule never decides, and that is all. */
static void expect_hidden(const char *first, const char *second)
{
	char text[1024];
	snprintf(text, sizeof(text), "[rule one]\nports = 20000-20099\nprotocol = tcp\n%s\n\n[rule two]\n"
	         "ports = 21000-21099\nprotocol = tcp\n%s\n", first, second);
	advise(text);
	advice_show();
	cr_assert_eq(found.n, 1, "hidden: %s | %s", first, second);
	cr_expect_eq(found.advice[0].check, CHECK_HIDDEN_RULE);
	cr_expect_str_eq(found.advice[0].rule, "two");
	cr_expect(strstr(found.advice[0].words, "rule two never decides: all that it matches is decided before, by rule one (line 1)"),
	          "%s", found.advice[0].words);
}

static void expect_seen(const char *first, const char *second)
{
	char text[1024];
	snprintf(text, sizeof(text), "[rule one]\nports = 20000-20099\nprotocol = tcp\n%s\n\n[rule two]\n"
	         "ports = 21000-21099\nprotocol = tcp\n%s\n", first, second);
	expect_none(text);
}

Test(advice, a_rule_that_an_earlier_one_hides)
{
	expect_hidden("", "");
	expect_hidden("", "program = curl\nuser = 0\ncommand = x*\ncgroup = /a\nenv = A=b\nto = 10.0.0.1");
	expect_hidden("program = curl, wget", "program = wget");
	expect_hidden("program = c*", "program = /usr/bin/curl");
	expect_hidden("program = /usr/*", "program = /usr/bin/curl");
	expect_hidden("program = *", "program = java");
	expect_hidden("program = java", "program = /opt/jre/java, java");
	expect_hidden("command = *", "command = a?");
	expect_hidden("env = A=*", "env = A=b");
	expect_hidden("user = 0, erp", "user = erp");
	expect_hidden("group = 5, 6", "group = 6");
	expect_hidden("to = 10.0.0.0/8:1-1000", "to = 10.1.0.0/16:443, 10.2.3.4:80-90");
	expect_hidden("to = *:443", "to = [2001:db8::/32]:443, *:443");
	expect_hidden("to = 0.0.0.0/0, [::]/0", "to = *");
	expect_hidden("to = *", "call = connect, send");
	expect_hidden("call = connect, send", "to = 10.0.0.1");
	expect_hidden("family = ipv4", "to = 10.0.0.1");
	expect_hidden("family = ipv6", "source = 2001:db8::1");
}

Test(advice, rules_that_no_earlier_one_hides)
{
	expect_seen("program = curl", "");
	expect_seen("program = curl", "program = wget");
	expect_seen("program = curl", "program = c*");
	expect_seen("program = /usr/bin/curl", "program = curl");
	expect_seen("program = curl", "program = curl, wget");
	expect_seen("command = a", "command = a*");
	expect_seen("command = *", "");
	expect_seen("env = A=b", "env = B=b");
	expect_seen("env = A=b", "env = A=*");
	expect_seen("user = 0", "user = 1");
	expect_seen("user = 0", "group = 0");
	expect_seen("cgroup = /a", "cgroup = /b");
	expect_seen("to = 10.0.0.0/8:443", "to = 10.0.0.0/7");
	expect_seen("to = 10.0.0.0/8:443", "to = 10.0.0.1:80");
	expect_seen("to = 10.0.0.0/8", "to = 10.0.0.1, 11.0.0.1");
	expect_seen("to = 0.0.0.0/0", "to = *");
	expect_seen("to = *", "");
	expect_seen("to = *", "call = listen");
	expect_seen("call = connect", "call = connect, bind");
	expect_seen("family = ipv4", "");
	expect_seen("source = 10.0.0.1", "to = *:443");
	expect_seen("call = bind", "to = *:443");
}

Test(advice, a_rule_that_earlier_ones_hide_together)
{
	expect_warning("[rule t]\nprotocol = tcp\nports = 20000-20099\n[rule u]\nprotocol = udp\nports = 20100-20199\n"
	               "[rule x]\nprogram = x\nports = 5000\nprotocol = sctp\n"
	               "[rule b]\nprotocol = tcp, udp\nports = 20200-20299\n", 11, "hidden-rule",
	               "by rule t (line 1), u (line 4)");
	expect_warning("[rule t]\nprotocol = tcp\nto = 10.0.0.0/8\nports = 20000-20099\n"
	               "[rule u]\nprotocol = tcp\nto = [fd00::/8]\nports = 20100-20199\n"
	               "[rule b]\nprotocol = tcp\nto = [fd00:1::/32], 10.9.0.0/16\nports = 20200-20299\n", 9, "hidden-rule",
	               "by rule t (line 1), u (line 5)");
	expect_none("[rule t]\nprotocol = tcp\nports = 20000-20099\n[rule u]\nprotocol = udp\nports = 20100-20199\n"
	            "[rule b]\nports = 20200-20299\n");
}

Test(advice, sets_that_overlap)
{
	expect_warning("[rule a]\nprogram = a\nports = 20000-20099\n[rule b]\nprogram = b\nports = 20050-20149, 20010\n", 6,
	               "ports-overlap", "20010, 20050-20099 are also given by rule a (line 1)");
	expect_warning("[rule a]\nprogram = a\nports = 20000\n[rule b]\nprogram = b\nports = 20001\n"
	               "[rule c]\nprogram = c\nports = 20000-20001\n", 9, "ports-overlap", "by rule a (line 1), b (line 4)");
	expect_warning("[rule a]\nprogram = a\nports = 20000\n[rule b]\nprogram = b\nports = 20000\nprotocol = tcp\n", 6,
	               "ports-overlap", "20000 is also given by");
	expect_none("[rule a]\nprogram = a\nports = 20000\nprotocol = tcp\n[rule b]\nprogram = b\nports = 20000\nprotocol = udp\n");
	expect_none("[rule a]\nprogram = a\nports = iana\n[rule b]\nprogram = b\nports = iana\n");
}

/* Two rules of one program that name one set have one pool on purpose. */
Test(advice, one_program_has_one_pool)
{
	expect_none("[rule a]\nprogram = a\nprotocol = tcp\nto = *:80\nports = 20000-20099\nchoose = stable\n"
	            "[rule b]\nprogram = a\nprotocol = tcp\nports = 20000-20099\n");
}

Test(advice, an_unconnected_udp_socket_between_two_rules)
{
	expect_warning("[rule dns]\nprotocol = udp\nto = *:53\nports = 20000-20099\n[rule rest]\nports = 21000-21099\n", 3,
	               "udp-first-send", "under rule rest (line 5)");
	expect_warning("[rule dns]\nprotocol = udp\nto = *:53\nports = 20000-20099\n"
	               "[rule ntp]\nprotocol = udp\nto = *:123\naction = pass\n", 3, "udp-first-send", "under rule ntp");
	expect_note("[rule dns]\nto = *:53\nports = 20000-20099\n[rule rest]\nports = 21000-21099\n", 2, "udp-first-send",
	            "keeps the port of its first datagram");
	expect_none("[rule dns]\nprotocol = tcp\nto = *:53\nports = 20000-20099\n[rule rest]\nports = 21000-21099\n");
	expect_none("[rule dns]\nprotocol = udp\nto = *:53\nports = 20000-20099\n[rule rest]\naction = deny\n");
	expect_none("[rule dns]\nprotocol = udp\nto = *:53\nports = 20000-20099\n[rule rest]\nports = 20000-20099\n");
	expect_none("[rule dns]\nprotocol = udp\nto = *:53\nports = 20000-20099\nprogram = a\n"
	            "[rule rest]\nports = 21000-21099\nprogram = b\n");
	expect_none("[rule dns]\nprotocol = udp\nto = *:53\nports = 20000-20099\nuser = 1\n"
	            "[rule rest]\nports = 21000-21099\nuser = 2\n");
	expect_none("[rule dns]\nprotocol = udp\ncall = connect\nto = *:53\nports = 20000-20099\n[rule rest]\nports = 21000-21099\n");
	expect_none("[rule a]\nto = *:53\nports = 20000-20099\nprogram = /opt/*\n[rule b]\nports = 21000-21099\nprogram = b\n");
}

/* --- who has the ports ------------------------------------------------------------------------------------------- */

Test(advice, ports_that_somebody_holds)
{
	static const struct held_port held[] = {
		{ .port = 20001, .protocol = PROTOCOL_TCP, .addr = { .lo = 0x7f000001, .family = FAMILY_IPV4 }, .user = 33 },
		{ .port = 20002, .protocol = PROTOCOL_TCP, .pid = 17, .program = "java" },
		{ .port = 20002, .protocol = PROTOCOL_TCP, .pid = 17, .program = "java", .addr = { .family = FAMILY_IPV6 } },
		{ .port = 20003, .protocol = PROTOCOL_UDP, .pid = 18, .program = "named" },
	};
	machine.held = held;
	machine.n_held = 4;
	expect_warning("[rule a]\nprotocol = tcp\nports = 20000-20009\n", 3, "held-ports",
	               "2 of 10 are held by programs that are not under portshim, as far as this user may know: 20001/tcp on 127.0.0.1 (a process of user 33), "
	               "20002/tcp (java, process 17)");
	expect_warning("[rule a]\nprotocol = udp\nports = 20000-20009\n", 3, "held-ports",
	               "1 of 10 is held by programs that are not under portshim: 20003/udp (named, process 18)");
	expect_none("[rule a]\nports = 20000, 20004-20099\n");
}

Test(advice, ports_that_services_have_names_for)
{
	static const struct service service[] = {
		{ 20001, PROTOCOL_TCP, "one" }, { 20002, PROTOCOL_TCP, "two" }, { 20003, PROTOCOL_TCP, "three" },
		{ 20004, PROTOCOL_UDP, "four" }, { 20005, PROTOCOL_TCP, "five" }, { 20006, PROTOCOL_TCP, "six" },
		{ 20007, PROTOCOL_TCP, "seven" }, { 20008, PROTOCOL_TCP, "eight" }, { 50000, PROTOCOL_TCP, "nine" },
	};
	machine.service = service;
	machine.services = 9;
	expect_note("[rule a]\nprotocol = tcp\nports = 20000-20009\n", 3, "service-ports",
	            "20001 (one), 20002 (two), 20003 (three), 20005 (five), 20006 (six) and 2 more");
	expect_none("[rule a]\nprotocol = tcp\nports = iana, 20000\n");
}

Test(advice, a_set_that_was_used_up)
{
	const char *text = "[rule a]\nports = 20000-20009\n[rule b]\nprogram = b\nports = 21000\n";
	struct policy policy = good_policy("[rule a]\nports = 20000-20009\n");
	const struct tally tally[] = { { policy.rule[0].id, 100, 7 }, { policy.rule[0].id + 1, 1, 1 } };
	policy_free(&policy);
	machine.tally = tally;
	machine.tallies = 2;
	advise(text);
	advice_show();
	cr_assert_eq(found.n, 2); /* rule b is hidden */
	cr_expect_eq(found.advice[0].check, CHECK_USED_UP);
	cr_expect_eq(found.advice[0].line, 2);
	cr_expect(strstr(found.advice[0].words, "7 calls found no free port since the table was made, beside 100 that did"));
}

/* --- places ------------------------------------------------------------------------------------------------------ */

static int route_nowhere(const struct ip_addr *source, const struct ip_addr *to)
{
	return -ENETUNREACH;
}

static int route_to_some(const struct ip_addr *source, const struct ip_addr *to)
{
	return to->family == FAMILY_IPV6 ? -EADDRNOTAVAIL : to->lo == 0x0a010001 ? 0 : -EINVAL;
}

Test(advice, destinations_without_a_route)
{
	machine.route = route_nowhere;
	expect_warning("[rule a]\nports = 20000\nprotocol = tcp\nto = *:53,\n     *,\n     10.1.0.0/16\n", 6, "no-route",
	               "rule a: to: 10.1.0.0/16: no route leads there now");
	expect_none("[rule a]\nports = 20000\nprotocol = tcp\nto = *:53, [fe80::/10], 0.0.0.0/0\n");
	expect_none("[rule a]\naction = deny\nto = 10.0.0.1\n");
	machine.route = route_to_some;
	expect_none("[rule a]\nports = 20000\nprotocol = tcp\nto = 10.1.0.1\n");
	expect_none("[rule a]\nports = 20000\nprotocol = tcp\nto = 10.1.0.0/16\n");
	expect_warning("[rule a]\nports = 20000\nprotocol = tcp\nto = 10.1.0.2\n", 4, "no-route", "'blackhole'");
	expect_warning("[rule a]\nports = 20000\nprotocol = tcp\nto = [fd00::1]\n", 4, "no-route", "no address to go there from");
}

Test(advice, a_route_into_a_part_of_the_network_is_one)
{
	const struct target routed = {
		.net = { .lo = 0x0a630000, .family = FAMILY_IPV4 }, .mask_lo = 0xffff0000, .port_hi = 65535,
	};
	machine.route = route_nowhere;
	machine.routed = &routed;
	machine.n_routed = 1;
	expect_none("[rule a]\nports = 20000\nprotocol = tcp\nto = 10.0.0.0/8:443\n");
	expect_warning("[rule a]\nports = 20000\nprotocol = tcp\nto = 10.98.0.0/16\n", 4, "no-route", "no route");
}

static int address_of_others(const struct ip_addr *addr)
{
	return -EADDRNOTAVAIL;
}

Test(advice, a_source_that_is_not_ours)
{
	machine.address = address_of_others;
	expect_warning("[rule a]\nports = 20000\nsource = 192.0.2.1\n", 3, "no-source", "no interface has the address 192.0.2.1");
}

/* --- figures and lines -------------------------------------------------------------------------------- */

Test(advice, figures_of_a_set)
{
	struct policy policy = good_policy("[rule a]\nports = 1000-1099, linux, 40000-40009, 61000-61009\n");
	struct set_figures figures;
	reserve_now(40000, 40019);
	set_figure(&figures, &policy.rule[0], &machine);
	cr_expect_eq(figures.ports, 100 + 28232 + 10);
	cr_expect_eq(figures.usable, figures.ports - 10);
	cr_expect_eq(figures.late, 28232 - 20);
	cr_expect_eq(figures.shared, 0);
	cr_expect_eq(figures.privileged, 24);
	cr_expect_eq(figures.reserved, 20);
	machine.takes_ranges = false;
	set_figure(&figures, &policy.rule[0], &machine);
	cr_expect_eq(figures.late, 0);
	policy_free(&policy);
}

Test(advice, lines_of_keys_and_items)
{
	const char *text = "; c\n[ portshim ]\nlog = info ; x\n[rule  two words ]\nto = 10.0.0.1, 10.0.0.2,\n  ; comment\n\n"
	                   "  10.0.0.3\n program = a,b,\n  c\nports = 1\n[rule portshim]\nports = 2\n";
	struct lines lines;
	lines_read(&lines, text, strlen(text));
	cr_expect_eq(lines.rules, 2);
	cr_expect_eq(lines.portshim[KEY_LOG], 3);
	cr_expect_eq(lines_of(&lines, 0, KEY_TO, 4), 5);
	cr_expect_eq(lines_of(&lines, 0, KEY_USER, 4), 4);
	cr_expect_eq(lines_of(&lines, 1, KEY_PORTS, 0), 13);
	cr_expect_eq(lines_of_item(&lines, 0, KEY_TO, 1, 0), 5);
	cr_expect_eq(lines_of_item(&lines, 0, KEY_TO, 2, 0), 8);
	cr_expect_eq(lines_of_item(&lines, 0, KEY_PROGRAM, 1, 0), 9);
	cr_expect_eq(lines_of_item(&lines, 0, KEY_PROGRAM, 2, 0), 10);
	cr_expect_eq(lines_of_item(&lines, 1, KEY_TO, 0, 77), 77);
	lines_free(&lines);
	lines_read(&lines, NULL, 0);
	cr_expect_eq(lines_of(&lines, 0, KEY_TO, 0), 0);
	lines_free(&lines);
}

/* Thousands of rules are no reason to wait. */
Test(advice, many_rules, .timeout = 10)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	for (int i = 0; i < 1000; i++) {
		fprintf(to, "[rule %d]\nprotocol = tcp\nports = %d-%d\nto = ", i, 1024 + i * 30, 1053 + i * 30);
		for (int j = 0; j < 20; j++)
			fprintf(to, "%s10.%d.%d.0/24:443", j ? ",\n  " : "", (i * 20 + j) / 256, (i * 20 + j) % 256);
		fputs("\n", to);
	}
	fclose(to);
	expect_none(text);
	free(text);
}
