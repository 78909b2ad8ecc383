/* test_keys.c - each key of the format: what its values become, and what is said of bad ones. */
#include "config/keys.h"
#include "heard.h"

static struct policy with(const char *line)
{
	char text[600];

	snprintf(text, sizeof(text), "[rule a]\nports = 40000-40099\n%s\n", line);
	return good_policy(text);
}

/* As with(), where warnings are no matter. */
static struct policy with_warnings(const char *line)
{
	char text[600];
	struct policy policy;
	struct heard heard;

	snprintf(text, sizeof(text), "[rule a]\nports = 40000-40099\n%s\n", line);
	cr_assert(read_text(&policy, text, &heard), "%s", line);
	return policy;
}

static struct policy with_portshim(const char *line)
{
	char text[600];
	struct policy policy;
	struct heard heard;

	snprintf(text, sizeof(text), "[portshim]\n%s\n", line);
	cr_assert(read_text(&policy, text, &heard), "%s", line);
	return policy;
}

#define EXPECT_RULE(line, condition) do { \
	struct policy policy_ = with_warnings(line); \
	const struct rule *rule = &policy_.rule[0]; \
	cr_expect(condition, "%s", line); \
	policy_free(&policy_); \
} while (0)

#define EXPECT_POLICY(line, condition) do { \
	struct policy policy = with_portshim(line); \
	cr_expect(condition, "%s", line); \
	policy_free(&policy); \
} while (0)

static void expect_portshim_error(const char *line, const char *words)
{
	char text[600];

	snprintf(text, sizeof(text), "[portshim]\n%s\n", line);
	expect_error(text, 2, words);
}

Test(keys, the_table_is_whole)
{
	static const char *const names[KEYS] = { "table", "log", "log-to", "audit", "program", "command", "user", "group",
		"cgroup", "env", "call", "protocol", "family", "to", "action", "ports", "choose", "share", "cooldown", "exhausted",
		"explicit", "source" };
	size_t n;
	const struct key *keys = keys_table(&n);

	cr_assert_eq(n, KEYS);
	for (size_t i = 0; i < n; i++) {
		cr_assert_str_eq(keys[i].name, names[i]);
		cr_assert_eq(keys_find(keys[i].section, names[i], strlen(names[i])), &keys[i]);
		cr_assert_eq(keys_find(SECTION_ANY, names[i], strlen(names[i])), &keys[i]);
		cr_assert_null(keys_find(SECTION_ANY & ~keys[i].section, names[i], strlen(names[i])));
		cr_assert_null(keys_find(SECTION_ANY, names[i], strlen(names[i]) - 1));
	}
}

/* Every word that the table lists is accepted by its key; so what the manual takes from the table is true. */
Test(keys, every_word_of_the_table_is_accepted)
{
	size_t n;
	const struct key *keys = keys_table(&n);

	for (size_t i = 0; i < n; i++) {
		for (const struct word *word = keys[i].words; word && word->name; word++) {
			char line[100];
			struct policy policy;

			snprintf(line, sizeof(line), "%s = %s%s", keys[i].name, word->name, strcmp(word->name, "wait") ? "" : " 1s");
			if (i == KEY_ACTION)
				continue;
			policy = keys[i].section == SECTION_RULE ? with_warnings(line) : with_portshim(line);
			policy_free(&policy);
		}
	}
}

Test(keys, table)
{
	EXPECT_POLICY("table = auto", policy.table == TABLE_AUTO);
	EXPECT_POLICY("table = none", policy.table == TABLE_NONE);
	EXPECT_POLICY("table = /dev/shm/t", policy.table == TABLE_PATH && !strcmp(policy.table_path, "/dev/shm/t"));
	expect_portshim_error("table = nine", "did you mean 'none'?");
	expect_portshim_error("table = dev/shm/t", "begins with '/'");
}

Test(keys, log)
{
	EXPECT_POLICY("log = none", policy.log == LOG_LEVEL_NONE);
	EXPECT_POLICY("log = error", policy.log == LOG_LEVEL_ERROR);
	EXPECT_POLICY("log = warning", policy.log == LOG_LEVEL_WARNING);
	EXPECT_POLICY("log = info", policy.log == LOG_LEVEL_INFO);
	EXPECT_POLICY("log = debug", policy.log == LOG_LEVEL_DEBUG);
	expect_portshim_error("log = warn", "none, error, warning, info, debug");
	expect_portshim_error("log = errors", "did you mean 'error'?");
	expect_portshim_error("log = error, info", "is not known");
}

Test(keys, log_to)
{
	EXPECT_POLICY("log-to = stderr", policy.log_to == LOG_TO_STDERR);
	EXPECT_POLICY("log-to = syslog", policy.log_to == LOG_TO_SYSLOG);
	EXPECT_POLICY("log-to = /var/log/a b", policy.log_to == LOG_TO_PATH && !strcmp(policy.log_path, "/var/log/a b"));
	expect_portshim_error("log-to = stdrr", "did you mean 'stderr'?");
	expect_portshim_error("log-to = portshim.log", "begins with '/'");
}

Test(keys, audit)
{
	EXPECT_POLICY("audit = /var/log/a", !strcmp(policy.audit_path, "/var/log/a"));
	expect_portshim_error("audit = off", "absolute path");
}

Test(keys, patterns)
{
	EXPECT_RULE("program = /opt/*, java", rule->program.n == 2 && !strcmp(rule->program.item[0], "/opt/*"));
	EXPECT_RULE("command = *a b*", rule->command.n == 1 && !strcmp(rule->command.item[0], "*a b*"));
	EXPECT_RULE("cgroup = /system.slice/erp.service*", rule->cgroup.n == 1);
	EXPECT_RULE("env = APP_ROLE=batch*, X=", rule->env.n == 2 && !strcmp(rule->env.item[1], "X="));
	expect_key_error("program = [a", "']'");
	expect_key_error("command = a\\", "backslash");
	expect_key_error("cgroup = [z-a]", "reversed");
	expect_key_error("env = APP", "NAME=");
	expect_key_error("env = =x", "NAME=");
	expect_key_error("env = A B=x", "NAME=");
	expect_key_error("env = A=[x", "']'");
	expect_error("[rule a]\nports = 1\nprogram = a,\n b,\n c[\n", 5, "']'");
}

Test(keys, user_and_group)
{
	EXPECT_RULE("user = erp, 1002, root", rule->user.n == 3 && rule->user.item[0] == 1001 && rule->user.item[1] == 1002 &&
	            rule->user.item[2] == 0);
	EXPECT_RULE("group = staff, last", rule->group.n == 2 && rule->group.item[0] == 50 && rule->group.item[1] == 77);
	EXPECT_RULE("user = 4294967294", rule->user.item[0] == 4294967294);
	expect_key_error("user = nobdy", "'nobdy' is not in /etc/passwd; write the number");
	expect_key_error("user = er", "is not in /etc/passwd");
	expect_key_error("user = broken", "is not in /etc/passwd");
	expect_key_error("user = 4294967295", "is not in /etc/passwd");
	expect_key_error("user = -1", "is not in /etc/passwd");
	expect_key_error("group = wheel", "is not in /etc/group; write the number");
}

Test(keys, names_cannot_be_looked_up_without_the_files)
{
	static const char text[] = "[rule a]\nports = 1\nuser = root, 12\ngroup = root\n";
	struct policy_world world = { .kernel = { 1, 2 } };
	struct policy policy;
	struct heard heard = { 0 };

	cr_assert_not(policy_read(&policy, text, strlen(text), &world, hear, &heard));
	cr_assert_eq(heard.n, 2);
	cr_assert(strstr(heard.at[0].words, "without /etc/passwd") && strstr(heard.at[1].words, "without /etc/group"));
}

Test(keys, call)
{
	EXPECT_RULE("call = connect", rule->calls == CALL_CONNECT);
	EXPECT_RULE("call = send", rule->calls == CALL_SEND);
	EXPECT_RULE("call = bind", rule->calls == CALL_BIND);
	EXPECT_RULE("call = listen", rule->calls == CALL_LISTEN);
	EXPECT_RULE("call = connect, send, bind, listen", rule->calls == CALL_ANY);
	expect_key_error("call = conect", "did you mean 'connect'?");
	expect_key_error("call = accept", "write connect, send, bind, listen");
	expect_key_error("call = connect send", "separate the items");
}

Test(keys, protocol)
{
	EXPECT_RULE("protocol = tcp", rule->protocols == PROTOCOL_TCP);
	EXPECT_RULE("protocol = mptcp", rule->protocols == PROTOCOL_TCP);
	EXPECT_RULE("protocol = udp", rule->protocols == PROTOCOL_UDP);
	EXPECT_RULE("protocol = sctp, dccp", rule->protocols == (PROTOCOL_SCTP | PROTOCOL_DCCP));
	EXPECT_RULE("protocol = udplite", rule->protocols == PROTOCOL_UDPLITE);
	expect_key_error("protocol = icmp", "write tcp");
	expect_key_error("protocol = TCP", "did you mean 'tcp'?");
}

Test(keys, family)
{
	EXPECT_RULE("family = ipv4", rule->families == FAMILY_IPV4);
	EXPECT_RULE("family = ipv6", rule->families == FAMILY_IPV6);
	EXPECT_RULE("family = ipv6, ipv4", rule->families == FAMILY_ANY);
	expect_key_error("family = inet", "write ipv4, ipv6");
	expect_key_error("family = ip4", "did you mean 'ipv4'?");
}

Test(keys, to)
{
	EXPECT_RULE("to = 10.20.0.0/16:1521, [2001:db8::/32]:443, *:53", rule->n_to == 3 && rule->to[0].port_lo == 1521 &&
	            rule->to[1].net.family == FAMILY_IPV6 && rule->to[2].net.family == 0);
	expect_key_error("to = 10.20.0.1/16", "to: '10.20.0.1/16' has bits set beyond its prefix; write 10.20.0.0/16");
	expect_key_error("to = localhost", "names are not resolved");
}

Test(keys, ports)
{
	EXPECT_RULE("program = x", rule->ports.count == 100);
	expect_error("[rule a]\nports = 1,\n 2,\n linx\n", 4, "ports: 'linx' names no range; did you mean 'linux'?");
	expect_error("[rule a]\nports = 1, !1\n", 2, "empty");
	expect_error("[rule a]\nports = 20000 20010\n", 2, "ports: '20000 20010' has a blank in it; separate the items of a list by commas");
	expect_error("[rule a]\nports = 20000-20010 !20005\n", 2, "separate the items of a list by commas");
	expect_error("[rule a]\nports = 1 - 2 - 3\n", 2, "range");
}

Test(keys, action)
{
	struct policy policy = good_policy("[rule a]\naction = pass\n[rule b]\naction = deny\n[rule c]\nports = 1\naction = assign\n");

	cr_assert(policy.rule[0].action == ACTION_PASS && policy.rule[1].action == ACTION_DENY &&
	          policy.rule[2].action == ACTION_ASSIGN);
	policy_free(&policy);
	expect_key_error("action = block", "write assign, pass, deny");
}

Test(keys, choose)
{
	EXPECT_RULE("choose = random", rule->choose == CHOOSE_RANDOM);
	EXPECT_RULE("choose = hash", rule->choose == CHOOSE_HASH);
	EXPECT_RULE("choose = double-hash", rule->choose == CHOOSE_DOUBLE_HASH);
	EXPECT_RULE("choose = random-increments", rule->choose == CHOOSE_RANDOM_INCREMENTS);
	EXPECT_RULE("choose = sequential", rule->choose == CHOOSE_SEQUENTIAL);
	EXPECT_RULE("choose = least-recent", rule->choose == CHOOSE_LEAST_RECENT);
	EXPECT_RULE("choose = stable", rule->choose == CHOOSE_STABLE);
	EXPECT_RULE("choose = kernel", rule->choose == CHOOSE_KERNEL);
	expect_key_error("choose = randon", "did you mean 'random'?");
	expect_key_error("choose = round-robin", "least-recent");
}

Test(keys, share)
{
	EXPECT_RULE("share = destination", rule->share == SHARE_DESTINATION);
	EXPECT_RULE("share = never", rule->share == SHARE_NEVER);
	expect_key_error("share = no", "write destination, never");
}

Test(keys, cooldown)
{
	EXPECT_RULE("cooldown = 0", rule->cooldown_ms == 0);
	EXPECT_RULE("cooldown = 0s", rule->cooldown_ms == 0);
	EXPECT_RULE("cooldown = 500ms", rule->cooldown_ms == 500);
	EXPECT_RULE("cooldown = 30s", rule->cooldown_ms == 30000);
	EXPECT_RULE("cooldown = 2m", rule->cooldown_ms == 120000);
	EXPECT_RULE("cooldown = 1h", rule->cooldown_ms == 3600000);
	EXPECT_RULE("cooldown = 1000000000h", rule->cooldown_ms == 3600000000000000);
	expect_key_error("cooldown = 30", "no unit; write");
	expect_key_error("cooldown = 30 s", "blank before its unit");
	expect_key_error("cooldown = 1d", "unit that is not known");
	expect_key_error("cooldown = s", "no duration");
	expect_key_error("cooldown = -1s", "no duration");
	expect_key_error("cooldown = 1.5s", "unit that is not known");
	expect_key_error("cooldown = 99999999999999999999s", "no duration");
}

Test(keys, exhausted)
{
	EXPECT_RULE("exhausted = fail", rule->exhausted == EXHAUSTED_FAIL);
	EXPECT_RULE("exhausted = pass", rule->exhausted == EXHAUSTED_PASS);
	EXPECT_RULE("exhausted = wait 5s", rule->exhausted == EXHAUSTED_WAIT && rule->wait_ms == 5000);
	EXPECT_RULE("exhausted = wait \t 250ms", rule->exhausted == EXHAUSTED_WAIT && rule->wait_ms == 250);
	expect_key_error("exhausted = wait", "wait 5s");
	expect_key_error("exhausted = wait 0", "no time");
	expect_key_error("exhausted = wait 5", "no unit");
	expect_key_error("exhausted = wait forever", "no duration");
	expect_key_error("exhausted = wait5s", "did you mean 'wait'?");
	expect_key_error("exhausted = block", "write fail, pass, wait");
}

Test(keys, explicit)
{
	EXPECT_RULE("explicit = keep", rule->explicit_port == EXPLICIT_KEEP);
	EXPECT_RULE("explicit = assign", rule->explicit_port == EXPLICIT_ASSIGN);
	EXPECT_RULE("explicit = deny", rule->explicit_port == EXPLICIT_DENY);
	expect_key_error("explicit = asign", "did you mean 'assign'?");
	expect_finding("[rule a]\nports = 1\nto = *:53\nexplicit = deny\n", SEVERITY_WARNING, 4, "does nothing");
	expect_finding("[rule a]\nports = 1\ncall = connect\nexplicit = assign\n", SEVERITY_WARNING, 4, "does nothing");
}

Test(keys, source)
{
	EXPECT_RULE("source = 192.0.2.10", rule->source.family == FAMILY_IPV4 && rule->source.lo == 0xc000020a);
	expect_key_error("source = fe80::1", "link-local");
	EXPECT_RULE("source = 2001:db8::10", rule->source.family == FAMILY_IPV6 && rule->source.lo == 0x10);
	EXPECT_RULE("source = ::ffff:192.0.2.10", rule->source.family == FAMILY_IPV4);
	expect_key_error("source = 192.0.2.0/24", "is no address");
	expect_key_error("source = [2001:db8::10]", "is no address");
	expect_key_error("source = eth0", "is no address");
	expect_key_error("source = 0.0.0.0", "any address");
	expect_key_error("source = ::", "any address");
}

Test(keys, everything_together)
{
	struct policy policy = with("program = a\ncommand = b\nuser = erp\ngroup = staff\ncgroup = /c\nenv = D=e\ncall = connect\n"
	                            "protocol = tcp\nfamily = ipv4\nto = 10.0.0.0/8\naction = assign\nchoose = random\n"
	                            "share = never\ncooldown = 0\nexhausted = wait 5s\nexplicit = keep\nsource = 192.0.2.10");

	policy_free(&policy);
}

/* Where words and names have a blank between them, the comma is missing. */
Test(keys, a_list_wants_commas)
{
	static const char *const lines[] = { "call = connect sendto", "protocol = tcp udp", "family = ipv4\tipv6", "user = root daemon",
		"group = root adm" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[120];

		snprintf(text, sizeof(text), "[rule a]\nports = 1\n%s\n", lines[i]);
		expect_error(text, 3, "has a blank in it; separate the items of a list by commas, as in a, b");
	}
	expect_error("[rule a]\nports = 1\nchoose = least recent\n", 3, "did you mean 'least-recent'?"); /* is no list */
}

Test(keys, a_duration_has_no_blank)
{
	expect_error("[rule a]\nports = 1\ncooldown = 5 s\n", 3, "cooldown: '5 s' has a blank before its unit; write it without the blank");
	expect_error("[rule a]\nports = 1\nexhausted = wait 5 s\n", 3, "'wait 5 s' has a blank before its unit; write it without the blank");
}
