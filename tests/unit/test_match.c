/* test_match.c - which rule decides a call: conditions on the process, the call, the caller; file order; deferring. */
#include <stdlib.h>
#include <time.h>

#include "heard.h"

static const struct facts java = {
	.executable = "/usr/lib/jvm/bin/java",
	.started_as = "/opt/erp/bin/start",
	.command = "java -jar catalina.jar --port 80",
	.environment = "HOME=/root\0APP_ROLE=batch7\0EMPTY=\0APP_ROLE=second\0",
	.cgroup = "/user.slice\0/system.slice/erp.service\0",
};

static struct policy policy;
static struct view view;

static void make(const char *text, const struct facts *facts)
{
	policy = good_policy(text);
	cr_assert(view_make(&view, &policy, facts));
}

static void drop(void)
{
	view_free(&view);
	policy_free(&policy);
	cr_assert_null(view.arena.chunks);
}

/* Whether a rule with this line concerns a process with these facts. */
static void expect_live(const char *line, const struct facts *facts, bool wanted)
{
	char text[400];

	snprintf(text, sizeof(text), "[rule a]\nports = 1\n%s\n", line);
	make(text, facts);
	cr_expect_eq(view.n_live, wanted, "%s", line);
	drop();
}

Test(view, program)
{
	static const struct facts unknown = { "", "", "", "\0", "\0", false, 0 };

	expect_live("program = java", &java, true);
	expect_live("program = start", &java, true);
	expect_live("program = ja*", &java, true);
	expect_live("program = jav", &java, false);
	expect_live("program = bin", &java, false);
	expect_live("program = /usr/lib/jvm/bin/java", &java, true);
	expect_live("program = /usr/*", &java, true);
	expect_live("program = /opt/erp/bin/*", &java, true);
	expect_live("program = /usr/lib", &java, false);
	expect_live("program = */java", &java, true);
	expect_live("program = perl, /bin/*, java", &java, true);
	expect_live("program = perl, /bin/*", &java, false);
	expect_live("program = *", &unknown, false);
}

Test(view, command)
{
	expect_live("command = *catalina*", &java, true);
	expect_live("command = *--port 80", &java, true);
	expect_live("command = catalina*", &java, false);
	expect_live("command = x, java*", &java, true);
}

Test(view, cgroup)
{
	expect_live("cgroup = /system.slice/erp.service*", &java, true);
	expect_live("cgroup = /user.slice", &java, true);
	expect_live("cgroup = /system.slice", &java, false);
	expect_live("cgroup = /x, /system.slice/*", &java, true);
}

Test(view, env)
{
	expect_live("env = APP_ROLE=batch*", &java, true);
	expect_live("env = APP_ROLE=second", &java, false); /* getenv finds the first */
	expect_live("env = APP_ROL=*", &java, false);
	expect_live("env = ROLE=*", &java, false);
	expect_live("env = EMPTY=", &java, true);
	expect_live("env = EMPTY=*", &java, true);
	expect_live("env = HOME=", &java, false);
	expect_live("env = UNSET=*", &java, false);
	expect_live("env = UNSET=", &java, false);
	expect_live("env = UNSET=*, HOME=/r*", &java, true);
}

Test(view, all_kinds_of_condition_must_hold)
{
	expect_live("program = java\ncommand = *catalina*\nenv = HOME=*\ncgroup = /*", &java, true);
	expect_live("program = java\ncommand = *tomcat*", &java, false);
	expect_live("program = java\nenv = HOME=/home/*", &java, false);
	expect_live("program = perl\nenv = HOME=*", &java, false);
}

Test(view, knows_whether_identity_is_asked_for)
{
	make("[rule a]\nports = 1\nuser = 5\nprogram = other\n[rule b]\nports = 1\n", &java);
	cr_expect_not(view.asks_identity);
	drop();
	make("[rule a]\nports = 1\ngroup = 5\n[rule b]\nports = 1\n", &java);
	cr_expect(view.asks_identity);
	drop();
}

Test(view, rules_behind_one_that_decides_all_are_dropped)
{
	make("[rule a]\nports = 1\nto = *:53\n[rule b]\nports = 1\n[rule c]\nports = 2\n", &java);
	cr_assert_eq(view.n_live, 2);
	drop();
	make("[rule b]\nports = 1\nsource = 192.0.2.1\n[rule c]\nports = 2\n", &java);
	cr_assert_eq(view.n_live, 2);
	drop();
}

Test(view, of_no_rules)
{
	struct question question = { .calls = CALL_CONNECT, .protocol = PROTOCOL_TCP, .family = FAMILY_IPV4 };

	make("", &java);
	cr_assert_null(view_match(&view, &question));
	cr_assert_not(view_waits_for_destination(&view, &question));
	drop();
}

/* --- matching ---------------------------------------------------------------------------------- */

static struct question ask(uint8_t call, uint8_t protocol, const char *to, uint16_t port)
{
	struct question question = { .calls = call, .protocol = protocol, .family = FAMILY_IPV4 };

	if (to) {
		question.has_destination = true;
		question.destination.port = port;
		cr_assert(addr_parse(&question.destination.addr, to));
		question.family = question.destination.addr.family;
	}
	return question;
}

static const char *decided(struct question question)
{
	const struct rule *rule = view_match(&view, &question);

	return rule ? rule->name : "-";
}

Test(match, the_first_in_file_order)
{
	make("[rule x]\nprogram = perl\nports = 1\n[rule dns]\nports = 2\nto = *:53\n[rule udp]\nports = 3\nprotocol = udp\n"
	     "[rule rest]\naction = pass\n", &java);
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 53)), "dns");
	cr_expect_str_eq(decided(ask(CALL_SEND, PROTOCOL_UDP, "10.0.0.1", 53)), "dns");
	cr_expect_str_eq(decided(ask(CALL_SEND, PROTOCOL_UDP, "10.0.0.1", 54)), "udp");
	cr_expect_str_eq(decided(ask(CALL_BIND, PROTOCOL_UDP, NULL, 0)), "udp");
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 54)), "rest");
	cr_expect_str_eq(decided(ask(CALL_LISTEN, PROTOCOL_TCP, NULL, 0)), "rest");
	drop();
}

Test(match, call_protocol_family)
{
	make("[rule c]\nports = 1\ncall = connect, bind\n[rule six]\nports = 1\nfamily = ipv6\n[rule s]\nports = 1\nprotocol = sctp\n",
	     &java);
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 1)), "c");
	cr_expect_str_eq(decided(ask(CALL_SEND, PROTOCOL_UDP, "10.0.0.1", 1)), "-");
	cr_expect_str_eq(decided(ask(CALL_SEND, PROTOCOL_UDP, "2001:db8::1", 1)), "six");
	cr_expect_str_eq(decided(ask(CALL_SEND, PROTOCOL_UDP, "::ffff:10.0.0.1", 1)), "-");
	cr_expect_str_eq(decided(ask(CALL_SEND, PROTOCOL_SCTP, "10.0.0.1", 1)), "s");
	cr_expect_str_eq(decided(ask(CALL_SEND | CALL_BIND, PROTOCOL_UDP, "10.0.0.1", 1)), "c"); /* a deferred bind's */
	drop();
}

Test(match, to_needs_a_destination)
{
	make("[rule a]\nports = 1\nto = 0.0.0.0/0, [2001:db8::]/32:443\n", &java);
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 1)), "a");
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "2001:db8::1", 443)), "a");
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "2001:db8::1", 80)), "-");
	cr_expect_str_eq(decided(ask(CALL_BIND, PROTOCOL_TCP, NULL, 0)), "-");
	cr_expect_str_eq(decided(ask(CALL_LISTEN, PROTOCOL_TCP, NULL, 0)), "-");
	drop();
}

Test(match, a_source_of_another_family_does_not_match)
{
	make("[rule a]\nports = 1\nsource = 192.0.2.1\n[rule b]\nports = 1\nsource = 2001:db8::1\n", &java);
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 1)), "a");
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "2001:db8::2", 1)), "b");
	cr_expect_str_eq(decided(ask(CALL_BIND, PROTOCOL_TCP, NULL, 0)), "a");
	drop();
}

static const char *decided_for(uid_t user, gid_t group, const gid_t *groups, size_t n)
{
	struct question question = ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 1);
	struct identity identity = { user, group, groups, n };

	question.identity = &identity;
	return decided(question);
}

Test(match, identity)
{
	static const gid_t groups[] = { 7, 50 };

	make("[rule both]\nports = 1\nuser = erp\ngroup = staff\n[rule user]\nports = 1\nuser = root, erp\n"
	     "[rule group]\nports = 1\ngroup = 8, 9\n", &java);
	cr_expect_str_eq(decided_for(1001, 50, NULL, 0), "both");
	cr_expect_str_eq(decided_for(1001, 1, groups, 2), "both");
	cr_expect_str_eq(decided_for(1001, 1, groups, 1), "user");
	cr_expect_str_eq(decided_for(0, 50, groups, 2), "user");
	cr_expect_str_eq(decided_for(5, 9, groups, 2), "group");
	cr_expect_str_eq(decided_for(5, 5, groups, 2), "-");
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 1)), "-"); /* nobody is known */
	drop();
}

/* --- why not ------------------------------------------------------------------------------------ */

/* Of the only rule, held against what java does. */
static unsigned int missed(const char *lines, struct question question)
{
	char text[400];
	unsigned int conditions;
	struct view all;

	snprintf(text, sizeof(text), "[rule a]\nports = 1\n%s", lines);
	make(text, &java);
	cr_assert(view_make(&all, &policy, NULL));
	cr_assert_eq(all.n_live, 1);
	conditions = rule_misses(&policy.rule[0], &java) | view_misses(&all, 0, &question);
	cr_expect_eq(conditions == 0, view_match(&view, &question) != NULL, "%s", lines);
	view_free(&all);
	drop();
	return conditions;
}

Test(why_not, each_condition)
{
	const struct question tcp = ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 443);

	cr_expect_eq(missed("", tcp), 0);
	cr_expect_eq(missed("program = perl\n", tcp), CONDITION_PROGRAM);
	cr_expect_eq(missed("command = perl*\n", tcp), CONDITION_COMMAND);
	cr_expect_eq(missed("cgroup = /other\n", tcp), CONDITION_CGROUP);
	cr_expect_eq(missed("env = HOME=/home/*\n", tcp), CONDITION_ENV);
	cr_expect_eq(missed("call = send, bind\n", tcp), CONDITION_CALL);
	cr_expect_eq(missed("protocol = udp\n", tcp), CONDITION_PROTOCOL);
	cr_expect_eq(missed("family = ipv6\n", tcp), CONDITION_FAMILY);
	cr_expect_eq(missed("source = 2001:db8::1\n", tcp), CONDITION_FAMILY);
	cr_expect_eq(missed("to = *:80\n", tcp), CONDITION_TO);
	cr_expect_eq(missed("to = [::1]:443\n", tcp), CONDITION_FAMILY | CONDITION_TO);
	cr_expect_eq(missed("user = erp\n", tcp), CONDITION_USER);
	cr_expect_eq(missed("group = staff\n", tcp), CONDITION_GROUP);
}

Test(why_not, all_of_them)
{
	cr_expect_eq(missed("program = perl\ncommand = x\ncgroup = /x\nenv = X=\ncall = send\nprotocol = udp\nfamily = ipv6\n"
	                    "to = [::1]:1\nuser = 5\ngroup = 5\n", ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 443)),
	             CONDITIONS_END - 1);
	cr_expect_eq(missed("to = *:80\n", ask(CALL_LISTEN, PROTOCOL_TCP, NULL, 0)), CONDITION_TO);
}

/* A rule that decides all hides those behind it from a process, not from who asks why. */
Test(why_not, rules_keep_their_places)
{
	const struct question tcp = ask(CALL_CONNECT, PROTOCOL_TCP, "10.0.0.1", 443);
	struct view all;

	make("[rule x]\nprogram = perl\nports = 1\n[rule a]\nports = 1\n[rule b]\nports = 1\nto = *:80\n", &java);
	cr_assert(view_make(&all, &policy, NULL));
	cr_assert_eq(all.n_live, 3);
	cr_expect_eq(view.n_live, 1);
	cr_expect_eq(view_misses(&all, 0, &tcp), 0);
	cr_expect_eq(view_misses(&all, 2, &tcp), CONDITION_TO);
	view_free(&all);
	drop();
}

/* --- deferring a bind() to port 0 -------------------------------------------------------------- */

static bool waits(const char *text, uint8_t protocol, uint8_t family, uid_t user)
{
	struct identity identity = { .user = user };
	struct question question = {
		.calls = CALL_BIND, .protocol = protocol, .family = family, .identity = &identity
	};
	bool answer;

	make(text, &java);
	answer = view_waits_for_destination(&view, &question);
	drop();
	return answer;
}

#define TCP4 PROTOCOL_TCP, FAMILY_IPV4, 0

Test(waits, for_a_rule_with_to_that_comes_first)
{
	cr_expect(waits("[rule a]\nports = 1\nto = *:53\n[rule b]\nports = 2\n", TCP4));
	cr_expect(waits("[rule a]\nports = 1\nto = *:53\n", TCP4));
	cr_expect_not(waits("[rule b]\nports = 2\n[rule a]\nports = 1\nto = *:53\n", TCP4));
	cr_expect_not(waits("[rule b]\naction = pass\n[rule a]\nports = 1\nto = *:53\n", TCP4));
	cr_expect_not(waits("[rule b]\nports = 2\n", TCP4));
	cr_expect(waits("[rule b]\nports = 2\ncall = connect\n[rule a]\nports = 1\nto = *:53\n", TCP4)); /* decides no bind */
}

Test(waits, for_calls_that_may_follow_a_bind)
{
	cr_expect(waits("[rule a]\nports = 1\nto = *:53\ncall = connect\n", TCP4));
	cr_expect(waits("[rule a]\nports = 1\nto = *:53\ncall = send\n", TCP4));
	cr_expect(waits("[rule a]\nports = 1\nto = *:53\ncall = bind\n", TCP4));
}

Test(waits, only_for_what_could_match)
{
	cr_expect_not(waits("[rule a]\nports = 1\nto = *:53\nprotocol = udp\n", TCP4));
	cr_expect_not(waits("[rule a]\nports = 1\nto = [::1]:53\n", TCP4));
	cr_expect_not(waits("[rule a]\nports = 1\nto = *:53\nfamily = ipv6\n", TCP4));
	cr_expect_not(waits("[rule a]\nports = 1\nto = *:53\nsource = 2001:db8::1\n", TCP4));
	cr_expect_not(waits("[rule a]\nports = 1\nto = *:53\nuser = 5\n", TCP4));
	cr_expect(waits("[rule a]\nports = 1\nto = *:53\nuser = 0\n", TCP4));
	cr_expect_not(waits("[rule a]\nports = 1\nto = *:53\nprogram = perl\n", TCP4));
}

Test(waits, an_ipv6_socket_may_get_a_v4_mapped_destination)
{
	cr_expect(waits("[rule a]\nports = 1\nto = 10.0.0.1:53\n", PROTOCOL_TCP, FAMILY_IPV6, 0));
	cr_expect(waits("[rule a]\nports = 1\nto = [::1]:53\n", PROTOCOL_TCP, FAMILY_IPV6, 0));
	cr_expect(waits("[rule b]\nports = 1\nfamily = ipv4\n[rule a]\nports = 1\nto = *:53\n", PROTOCOL_TCP, FAMILY_IPV6, 0));
	cr_expect_not(waits("[rule b]\nports = 1\nfamily = ipv6\n[rule a]\nports = 1\nto = *:53\n", PROTOCOL_TCP, FAMILY_IPV6, 0));
}

/* --- many rules -------------------------------------------------------------------------------- */

static double microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

Test(match, among_ten_thousand_rules, .timeout = 20)
{
	char *text = malloc(10000 * 120), *at = text;
	double start;
	int n = 0;

	for (int i = 0; i < 10000; i++)
		at += sprintf(at, "[rule r%d]\nports = 1\nprogram = %s%d\nto = 10.%d.%d.0/24:443\n", i, i % 10 ? "p" : "java, p", i,
		              i / 256, i % 256);
	make(text, &java);
	cr_assert_eq(view.n_live, 1000);
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "10.39.6.9", 443)), "r9990");
	cr_expect_str_eq(decided(ask(CALL_CONNECT, PROTOCOL_TCP, "10.39.7.9", 443)), "-"); /* r9991 is another program's */
	start = microseconds();
	for (int i = 0; i < 1000; i++)
		n += *decided(ask(CALL_CONNECT, PROTOCOL_TCP, "10.255.0.1", 443)) == '-';
	cr_expect_eq(n, 1000);
	cr_expect_lt((microseconds() - start) / 1000, 200, "a walk through 1,000 live rules takes microseconds");
	drop();
	free(text);
}
