/* test_policy.c - the frame of a policy: sections, names, errors of a whole file and of whole rules. */
#include <stdlib.h>
#include <sys/resource.h>

#include "config/locate.h"
#include "heard.h"

Test(policy, the_defaults)
{
	struct policy policy = good_policy("[rule a]\nports = 20000-20099\n");
	const struct rule *rule = &policy.rule[0];

	cr_assert_eq(policy.rules, 1);
	cr_assert_eq(policy.table, TABLE_AUTO);
	cr_assert_eq(policy.log, LOG_LEVEL_ERROR);
	cr_assert_eq(policy.log_to, LOG_TO_STDERR);
	cr_assert_null(policy.audit_path);
	cr_assert_not(policy.uses_kernel_range);
	cr_assert(policy.kernel.lo == 32768 && policy.kernel.hi == 60999);
	cr_assert_str_eq(rule->name, "a");
	cr_assert_eq(rule->line, 1);
	cr_assert(!rule->program.n && !rule->command.n && !rule->cgroup.n && !rule->env.n && !rule->user.n && !rule->group.n);
	cr_assert(rule->calls == CALL_ANY && rule->protocols == PROTOCOL_ANY && rule->families == FAMILY_ANY);
	cr_assert_eq(rule->n_to, 0);
	cr_assert_eq(rule->action, ACTION_ASSIGN);
	cr_assert_eq(rule->ports.count, 100);
	cr_assert_eq(rule->choose, CHOOSE_RANDOM);
	cr_assert_eq(rule->share, SHARE_DESTINATION);
	cr_assert_eq(rule->cooldown_ms, 0);
	cr_assert_eq(rule->exhausted, EXHAUSTED_FAIL);
	cr_assert_eq(rule->explicit_port, EXPLICIT_KEEP);
	cr_assert_eq(rule->source.family, 0);
	policy_free(&policy);
	cr_assert_null(policy.arena.chunks);
}

Test(policy, rules_in_file_order_with_their_lines)
{
	struct policy policy = good_policy("[rule one]\nports = 1\n\n[portshim]\n[rule  two words ]\nports = 2\n[ rule three ]\nports = 3\n");

	cr_assert_eq(policy.rules, 3);
	cr_assert_str_eq(policy.rule[0].name, "one");
	cr_assert_str_eq(policy.rule[1].name, "two words");
	cr_assert_eq(policy.rule[1].line, 5);
	cr_assert_str_eq(policy.rule[2].name, "three");
	cr_assert_eq(policy.rule[2].line, 7);
	policy_free(&policy);
}

Test(policy, nothing_of_the_file_is_needed_afterwards)
{
	char text[] = "[portshim]\nlog-to = /var/log/p\n[rule a]\nports = 1\nprogram = java, nc\nenv = A=b\nto = 10.0.0.1\n";
	struct policy policy = good_policy(text);

	memset(text, 'x', sizeof(text));
	cr_assert_str_eq(policy.log_path, "/var/log/p");
	cr_assert_str_eq(policy.rule[0].name, "a");
	cr_assert_str_eq(policy.rule[0].program.item[1], "nc");
	cr_assert_str_eq(policy.rule[0].env.item[0], "A=b");
	cr_assert_eq(policy.rule[0].to[0].net.lo, 0x0a000001);
	policy_free(&policy);
}

Test(policy, unknown_sections)
{
	expect_error("[rul a]\nports = 1\n", 1, "unknown section 'rul a'; did you mean 'rule'?");
	expect_error("[Rule a]\nports = 1\n", 1, "did you mean 'rule'?");
	expect_error("[portshm]\nlog = info\n", 1, "did you mean 'portshim'?");
	expect_error("[global]\nports = 1\nanything = goes\n", 1, "write [rule NAME] or [portshim]");
	expect_error("[portshim x]\nlog = info\n", 1, "unknown section");
	expect_error("[rule]\nports = 1\n", 1, "no name");
	expect_error("[rule  ]\nports = 1\n", 1, "no name");
	expect_error("[rulea]\nports = 1\n", 1, "did you mean 'rule'?");
}

Test(policy, names_and_the_portshim_section_are_given_once)
{
	expect_error("[rule a]\nports = 1\n[rule b]\nports = 1\n[rule a]\nports = 2\n", 5, "in line 1");
	expect_error("[rule a]\nports = 1\n[rule  a ]\nports = 2\n", 3, "in line 1");
	expect_error("[portshim]\nlog = info\n[rule b]\nports = 1\n[portshim]\nlog = info\n", 5, "in line 1");
	expect_error("[portshim]\n[portshim]\n", 2, "in line 1");
	struct policy policy = good_policy("[rule a]\nports = 1\n[rule A]\nports = 2\n");

	policy_free(&policy);
}

Test(policy, keys_are_given_once_in_a_section)
{
	expect_error("[rule a]\nports = 1\nprogram = a\nports = 2\n", 4, "in line 2; write one list");
	expect_error("[rule a]\nports = 1\nshare = never\nshare = never\n", 4, "in line 3; leave one");
	expect_error("[rule a]\nports = 1,\n  2\nports = 2,\n  3\n", 4, "in line 2");
	expect_error("[portshim]\nlog = info\nlog = debug\n", 3, "in line 2");
	struct policy policy = good_policy("[rule a]\nports = 1\n[rule b]\nports = 2\n");

	policy_free(&policy);
}

Test(policy, unknown_keys)
{
	expect_error("[rule a]\nport = 1\n", 2, "unknown key 'port'; did you mean 'ports'?");
	expect_error("[rule a]\nports = 1\nPorts = 1\n", 3, "did you mean 'ports'?");
	expect_error("[rule a]\nports = 1\nexclusive = yes\n", 3, "unknown key 'exclusive'; did you mean 'share'?");
	expect_error("[rule a]\nports = 1\nDest_inat = x\n", 3, "unknown key 'Dest_inat'; a rule has program, command, user, group, "
	             "cgroup, env, call, protocol, family, to, action, ports, choose, share, cooldown, exhausted, explicit, source");
	expect_error("[portshim]\nport-range = 1\n", 2, "unknown key 'port-range'; [portshim] has table, log, log-to, audit");
	expect_error("[rule a]\nports = 1\nlog = info\n", 3, "write it in [portshim]");
	expect_error("[portshim]\nports = 1\n", 2, "write it in a [rule NAME]");
	expect_error("[portshim]\ntabel = none\n", 2, "did you mean 'table'?");
}

/* What other tools call it. */
Test(policy, keys_by_other_names)
{
	static const char *const names[][2] = {
		{ "proto", "protocol" }, { "dest", "to" }, { "destination", "to" }, { "dport", "to" }, { "sport", "ports" },
		{ "uid", "user" }, { "gid", "group" }, { "cmd", "command" }, { "port_range", "ports" }, { "PORT-RANGE", "ports" },
		{ "exe", "program" }, { "src", "source" }, { "timeout", "exhausted" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[100], words[100];

		snprintf(text, sizeof(text), "[rule a]\nports = 1\n%s = 1\n", names[i][0]);
		snprintf(words, sizeof(words), "unknown key '%s'; did you mean '%s'?", names[i][0], names[i][1]);
		expect_error(text, 3, words);
	}
	expect_error("[portshim]\nlog_level = info\n", 2, "unknown key 'log_level'; did you mean 'log'?");
	expect_error("[portshim]\nlogfile = /x\n", 2, "unknown key 'logfile'; did you mean 'log-to'?");
}

Test(policy, assign_needs_ports)
{
	expect_error("[rule a]\n", 1, "ports");
	expect_error("\n[rule a]\nprogram = x\naction = assign\n", 2, "ports");
	expect_error("[rule a]\nports = 0\n", 2, "port 0"); /* and not that there are none */
	expect_error("[rule a]\nports\n", 2, "no '='");
	expect_error("[rule a]\naction = asign\n", 2, "did you mean 'assign'?");
}

Test(policy, pass_and_deny_give_no_port)
{
	static const char *const keys[] = { "ports = 1", "choose = random", "share = never", "cooldown = 0", "exhausted = fail",
		"explicit = keep", "source = 192.0.2.1" };
	struct policy policy;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char text[200];

		snprintf(text, sizeof(text), "[rule a]\n%s\naction = pass\n", keys[i]);
		expect_error(text, 2, "does nothing where action = pass");
		snprintf(text, sizeof(text), "[rule a]\naction = deny\n%s\n", keys[i]);
		expect_error(text, 3, "does nothing where action = deny");
	}
	policy = good_policy("[rule a]\naction = pass\nprogram = x\nto = *:53\n[rule b]\naction = deny\n");
	cr_assert(policy.rule[0].action == ACTION_PASS && policy.rule[1].action == ACTION_DENY);
	cr_assert_eq(policy.rule[0].ports.count, 0);
	policy_free(&policy);
}

Test(policy, choose_kernel_needs_a_set_without_holes_in_its_range)
{
	struct policy policy = good_policy("[rule a]\nports = 40000-40099\nchoose = kernel\n");

	cr_assert(policy.rule[0].choose == CHOOSE_KERNEL && policy.uses_kernel_range);
	policy_free(&policy);
	expect_error("[rule a]\nports = 20000-20099\nchoose = kernel\n", 3, "32768-60999");
	expect_error("[rule a]\nchoose = kernel\nports = 40000-40099, !40050\n", 2, "without holes");
	expect_error("[rule a]\nchoose = kernel\nports = 60000-61000\n", 2, "without holes");
	expect_error("[rule a]\nchoose = kernel\nports = 61000-60000\n", 3, "reversed");
}

Test(policy, knows_whether_the_kernels_range_matters)
{
	struct policy policy = good_policy("[rule a]\nports = 1\n[rule b]\nports = kernel\n");

	cr_assert(policy.uses_kernel_range);
	policy_free(&policy);
}

Test(policy, families_must_meet)
{
	struct policy policy;

	expect_error("[rule a]\nports = 1\nsource = 192.0.2.1\nfamily = ipv6\n", 3, "'family'");
	expect_error("[rule a]\nports = 1\nsource = 2001:db8::1\nto = 10.0.0.1\n", 3, "'to'");
	expect_error("[rule a]\nports = 1\nfamily = ipv6\nto = 10.0.0.1, 10.0.0.2\n", 4, "never matches");
	expect_error("[rule a]\nports = 1\nfamily = ipv6\nto = 10.0.0.1/8\n", 4, "write 10.0.0.0/8");
	policy = good_policy("[rule a]\nports = 1\nsource = 192.0.2.1\nto = 10.0.0.1, [2001:db8::1]\nfamily = ipv4\n");
	policy_free(&policy);
	policy = good_policy("[rule a]\nports = 1\nsource = 2001:db8::1\nto = *:53\n");
	policy_free(&policy);
}

Test(policy, listen_has_no_destination)
{
	struct policy policy;

	expect_error("[rule a]\nports = 1\ncall = listen\nto = 10.0.0.1\n", 4, "listen()");
	policy = good_policy("[rule a]\nports = 1\ncall = bind\nto = 10.0.0.1\n"); /* a deferred bind gets one */
	policy_free(&policy);
	policy = good_policy("[rule a]\nports = 1\ncall = listen, connect\nto = 10.0.0.1\n");
	policy_free(&policy);
}

Test(policy, says_nothing_of_what_is_in_order)
{
	struct policy policy;

	policy = good_policy("[portshim]\naudit = /var/log/x\n");
	policy_free(&policy);
	policy = good_policy("[portshim]\ntable = /dev/shm/x\n[rule a]\nports = 1\nchoose = hash\ncooldown = 30s\n");
	policy_free(&policy);
}

static const char many[] =
	"early = 1\n"                         /*  1 */
	"[portshim]\n"
	"log = loud\n"                        /*  3 */
	"[rule a]\n"
	"ports = 20099-20000\n"               /*  5 */
	"call = connct\n"                     /*  6 */
	"program = ok,\n"
	"   [bad,\n"                          /*  8 */
	"   good\n"
	"protocol = tcp : udp\n"              /* 10 */
	"no equals sign\n"                    /* 11 */
	"[rule b]\n"                          /* 12: no ports */
	"to = 10.0.0.1/8,\n"                  /* 13 */
	"  localhost\n"                       /* 14 */
	"[rule a]\n"                          /* 15 */
	"ports = 1\n"
	"source = here\n"                     /* 17 */
	"[rule c\n"                           /* 18 */
	"ports = 1\n"
	"[rule d]\n"
	"action = deny\n"
	"ports = 0\n"                         /* 22 twice: the value, and the key under deny */
	"user = nobody-here\n";               /* 23 */

Test(policy, all_errors_of_a_file_are_told_in_line_order)
{
	static const int lines[] = { 1, 3, 5, 6, 8, 10, 11, 12, 13, 14, 15, 17, 18, 22, 22, 23 };
	int n = sizeof(lines) / sizeof(lines[0]);
	struct policy policy;
	struct heard heard;

	cr_assert_not(read_text(&policy, many, &heard));
	if (heard.n != n)
		heard_print(many, &heard);
	cr_assert_eq(heard.n, n);
	for (int i = 0; i < n; i++)
		cr_expect_eq(heard.at[i].line, lines[i], "finding %d: line %d, not %d: %s", i, lines[i], heard.at[i].line,
		             heard.at[i].words);
	cr_assert_null(policy.arena.chunks, "nothing is kept");
	cr_assert_eq(policy.rules, 0);
}

Test(policy, thousands_of_errors_are_all_told)
{
	size_t n = 20000;
	char *text = malloc(n * 2 + 1);
	struct policy policy;
	struct heard heard;

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * 2, "x\n", 3);
	cr_assert_not(read_text(&policy, text, &heard));
	cr_assert_eq(heard.n, (int)n);
	free(text);
}

Test(policy, from_ports)
{
	struct policy policy;
	struct heard heard = { 0 };

	cr_assert(policy_from_ports(&policy, "20000-20099, !20050", &test_world, hear, &heard));
	cr_assert(policy.rules == 1 && policy.rule[0].ports.count == 99 && policy.rule[0].line == 0);
	cr_assert(policy.rule[0].calls == CALL_ANY && policy.rule[0].action == ACTION_ASSIGN);
	cr_assert(policy.log == LOG_LEVEL_ERROR && policy.rule[0].exhausted == EXHAUSTED_FAIL && !policy.uses_kernel_range);
	policy_free(&policy);
	cr_assert(policy_from_ports(&policy, "kernel", &test_world, hear, &heard) && policy.uses_kernel_range);
	policy_free(&policy);
	cr_assert_eq(heard.n, 0);
	cr_assert_not(policy_from_ports(&policy, "20099-20000", &test_world, hear, &heard));
	cr_assert(heard.n == 1 && heard.at[0].line == 0 && strstr(heard.at[0].words, "write 20000-20099"));
	cr_assert_not(policy_from_ports(&policy, "", &test_world, hear, &heard));
	cr_assert_eq(heard.n, 2);
	cr_assert_not(policy_from_ports(&policy, "1\n2", &test_world, hear, &heard)); /* hear() asks for one line */
}

/* A file of `rules` rules in the caller's memory. */
static char *many_rules(int rules)
{
	char *text = malloc((size_t)rules * 160 + 1), *at = text;

	for (int i = 0; i < rules; i++)
		at += sprintf(at, "[rule r%d]\nprogram = /opt/app%d/*, app%d\nto = 10.%d.%d.0/24:443\nports = %d-%d, !%d\n", i, i, i,
		              i / 256, i % 256, 1024 + i, 1024 + i + 99, 1024 + i + 50);
	return text;
}

Test(policy, ten_thousand_rules, .timeout = 20)
{
	char *text = many_rules(10000);
	struct policy policy = good_policy(text);

	cr_assert_eq(policy.rules, 10000);
	for (uint32_t i = 0; i < 10000; i++) {
		cr_assert_eq(policy.rule[i].line, (int)i * 4 + 1);
		cr_assert_eq(policy.rule[i].ports.count, 99);
		cr_assert_not(ports_contain(&policy.rule[i].ports, (uint16_t)(1024 + i + 50)));
	}
	policy_free(&policy);
	free(text);
}

/* With less memory than is needed, at any point: an error, nothing kept, no crash. */
Test(policy, says_when_memory_is_out, .timeout = 30)
{
	char *text = many_rules(3000);
	int refused = 0;
	struct rlimit limit, less;
	struct arena sample = { NULL };
	size_t length;
	int error;
	const char *statm = locate_read(&sample, "/proc/self/statm", &length, &error);
	rlim_t now = (rlim_t)strtoul(statm, NULL, 10) * 4096;

	getrlimit(RLIMIT_AS, &limit);
	for (rlim_t room = 0; room < 5 << 20; room += 60 << 10) {
		struct policy policy;
		struct heard heard = { 0 };
		bool good;

		less = limit;
		less.rlim_cur = now + room;
		if (now + room > limit.rlim_cur)
			cr_skip_test("address space is limited already");
		setrlimit(RLIMIT_AS, &less);
		good = policy_read(&policy, text, strlen(text), &test_world, hear, &heard);
		setrlimit(RLIMIT_AS, &limit);
		refused += !good;
		cr_assert(good ? heard.n == 0 : heard.n == 1 && strstr(heard.at[0].words, "out of memory") != NULL);
		cr_assert(good ? policy.rules == 3000 : policy.arena.chunks == NULL);
		policy_free(&policy);
	}
	cr_assert_gt(refused, 5);
	arena_free(&sample);
	free(text);
}
