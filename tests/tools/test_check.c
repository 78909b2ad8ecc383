/* test_check.c - `portshim check` in network namespaces whose settings the test makes. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/tools/show.h"

#define GOOD "[rule web]\nprotocol = tcp\nports = 20100-20199\n"

TestSuite(check, .init = world_enter, .fini = world_leave, .timeout = 120);

static void check(const char *text)
{
	SHOW("check", file_make("policy", text));
}

/* Nothing is said but the last line. */
static void expect_clean(const char *text, const char *summary)
{
	char line[512];
	check(text);
	cr_expect(exited(&shown, 0));
	cr_expect_str_empty(shown.err, "%s", shown.err);
	snprintf(line, sizeof(line), "%s: %s\n", file_path("policy"), summary);
	cr_expect_str_eq(shown.out, line);
}

/* A line of standard error: of this line of the policy (0: of none), with these words, and at its end the check's name. */
static bool has_advice(const char *kind, int line, const char *words, const char *name)
{
	char begin[400], end[64];
	int n = line ? snprintf(begin, sizeof(begin), "%s:%d: %s: ", file_path("policy"), line, kind) :
	               snprintf(begin, sizeof(begin), "%s: %s: ", file_path("policy"), kind);
	snprintf(end, sizeof(end), " [%s]", name);
	for (const char *at = shown.err; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		char copy[4096];
		snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(at, "\n"), at);
		size_t length = strlen(copy), tail = strlen(end);
		if (strncmp(copy, begin, (size_t)n) == 0 && strstr(copy, words) && length > tail &&
		    strcmp(copy + length - tail, end) == 0)
			return true;
	}
	return false;
}

#define EXPECT_WARNING(line, words, name)                                                                  \
	cr_expect(has_advice("warning", line, words, name), "no warning %d %s [%s] in\n%s", line, words, name, shown.err)
#define EXPECT_NO(name) cr_expect_not(strstr(shown.err, "[" name "]"), "%s", shown.err)

/* Nothing is in it yet: `run` says so as well. */
Test(check, a_policy_without_a_rule)
{
	check("");
	EXPECT_WARNING(0, "there is no rule in it", "no-rule");
	cr_expect(exited(&shown, 0) && strstr(shown.out, ": no rule, no port: no error, 1 warning\n"), "%s", shown.out);
}

/* What python3 says of an expression over the output, `check`. */
static void expect_json(const char *expression)
{
	char program[1024];
	FILE *file = fopen(file_path("check.json"), "we");
	cr_assert(file);
	cr_assert_geq(fputs(shown.out, file), 0);
	cr_assert_eq(fclose(file), 0);
	snprintf(program, sizeof(program), "import json\ncheck = json.load(open('%s'))\nassert %s, check\n",
	         file_path("check.json"), expression);
	show_run((const char *const[]){ PYTHON, "-c", program, NULL });
	cr_expect(exited(&shown, 0), "%s\n%s", expression, shown.err);
}

/* --- the command ------------------------------------------------------------------------------------------------- */

Test(check, a_good_policy)
{
	expect_clean(GOOD, "1 rule, 100 ports: no error, no warning");
	expect_clean("[rule b]\nprogram = b\naction = pass\n[rule a]\nports = 20100\n[portshim]\nlog = none\n",
	             "2 rules, 1 port: no error, no warning");
}

Test(check, errors_are_the_librarys_own)
{
	const char *policy = file_make("policy", "[rule a]\nports = 20000-19000\n\n[rule a]\nprt = 5\n");
	struct run run = { .bare = true };
	SHOW("check", policy);
	cr_expect(exited(&shown, 2));
	char *said = strdup(shown.err);
	EXPECT_HAS("policy: 4 errors, no warning\n");
	run_program(&run, (const char *const[]){ built("portshim"), "run", "-c", policy, "true", NULL });
	cr_expect(exited(&run, 125));
	cr_expect(strncmp(run.err, said, strlen(said)) == 0, "check:\n%srun:\n%s", said, run.err);
	free(said);
}

Test(check, errors_as_json)
{
	SHOW("check", "--json", file_make("policy", "[rule a]\nports = 20000-19000\n[rule b]\nports = 1\nprt = 5\n"));
	cr_expect(exited(&shown, 2));
	cr_expect_str_empty(shown.err);
	expect_json("not check['valid'] and [e['line'] for e in check['errors']] == [2, 5] and check['warnings'] == [] and "
	            "check['rules'] == [] and check['file'].endswith('policy') and check['errors'][0]['check'] == 'policy'");
}

Test(check, a_file_that_cannot_be_read_is_an_error)
{
	SHOW("check", file_path("missing"));
	cr_expect(exited(&shown, 2));
	cr_expect(strstr(shown.err, "missing: error: "), "%s", shown.err);
	SHOW("check", "/dev/null");
	cr_expect(exited(&shown, 2));
	cr_expect(strstr(shown.err, "not a regular file"), "%s", shown.err);
}

/* A path is whatever its user has made of it. */
Test(check, a_path_does_not_reach_the_terminal_as_it_is)
{
	SHOW("check", file_make("a\033[2J\xc2\x9b" "2J\n\xff", "[rule a]\nports = oops\n"));
	cr_expect(exited(&shown, 2));
	cr_expect(strstr(shown.err, "/a?[2J?2J??:2: error: "), "%s", shown.err);
	expect_no_control(shown.err);
	EXPECT_HAS("/a?[2J?2J??: 1 error, no warning\n");
	expect_no_control(shown.out);
	SHOW("check", file_path("b\033[2J"), "c\033[2J");
	expect_no_control(shown.err);
}

static void check_found(const char *variable)
{
	static char home[300];
	snprintf(home, sizeof(home), "HOME=%s", file_path("home"));
	shown = (struct run){ .bare = true, .env = { home, variable } };
	run_program(&shown, (const char *const[]){ built("portshim"), "check", NULL });
}

Test(check, without_a_file_it_is_the_one_that_the_library_would_find)
{
	char variable[300];
	check_found(NULL);
	EXPECT_SAID(2, "no policy");
	shell("mkdir -p %s", file_path("home/.config/portshim"));
	file_make("home/.config/portshim/portshim.conf", GOOD);
	check_found(NULL);
	EXPECT_DONE();
	EXPECT_HAS("home/.config/portshim/portshim.conf: 1 rule, 100 ports: no error, no warning\n");
	snprintf(variable, sizeof(variable), "PORTSHIM_CONF=%s", file_make("other", "[rule a]\nports = x\n"));
	check_found(variable);
	cr_expect(exited(&shown, 2));
	EXPECT_HAS("other: 1 error, no warning");
	check_found("PORTSHIM_PORTS=40000-40009");
	cr_expect(exited(&shown, 0));
	cr_expect(strncmp(shown.err, "PORTSHIM_PORTS: warning: ", 25) == 0, "%s", shown.err);
	cr_expect_str_eq(shown.out, "PORTSHIM_PORTS: 1 rule, 10 ports: no error, 1 warning\n");
}

Test(check, strict_makes_warnings_a_failure)
{
	const char *bad = file_make("policy", "[rule a]\nports = 40000-40009\n");
	SHOW("check", bad);
	cr_expect(exited(&shown, 0));
	SHOW("check", bad, "--strict");
	cr_expect(exited(&shown, 1));
	SHOW("check", "--strict", file_make("good", GOOD));
	cr_expect(exited(&shown, 0));
	shell("mount --bind %s /etc/services", file_make("services", "some 20105/tcp\n"));
	SHOW("check", "--strict", file_make("good", GOOD));
	cr_expect(exited(&shown, 0));
	cr_expect(strstr(shown.err, "note: rule web: ports: /etc/services has names for 20105 (some)"), "%s", shown.err);
	SHOW("check", "-q", file_make("good", GOOD));
	EXPECT_DONE();
	cr_expect_str_empty(shown.out);
}

Test(check, wrong_usage_is_2)
{
	SHOW("check", "--nonsense");
	EXPECT_SAID(2, "no such option: --nonsense");
	SHOW("check", "one", "two");
	EXPECT_SAID(2, "it takes one file: two");
	SHOW("check", "--fix", "--json");
	EXPECT_SAID(2, "exclude each other");
	SHOW("check", "--help");
	EXPECT_DONE();
	EXPECT_HAS("Usage: portshim check");
	SHOW("help", "check");
	EXPECT_HAS("--strict");
}

Test(check, json)
{
	SHOW("check", "--json", file_make("policy", "[rule a]\nports = 40000-40009\n[rule b]\nprogram = \"\xff\n"
	                                  "action = pass\n[rule c\xff]\nports = kernel\n"));
	EXPECT_DONE();
	expect_json("check['valid'] and check['errors'] == [] and check['notes'] == [] and "
	            "[(w['line'], w['rule'], w['check']) for w in check['warnings'] if w['check'] != 'hidden-rule'] == "
	            "[(2, 'a', 'ephemeral-overlap')] and 'sysctl -w' in check['warnings'][0]['fix'] and "
	            "[(r['action'], r['ports'], r['late'], r['early']) for r in check['rules']] == "
	            "[('assign', 10, 10, 0), ('pass', 0, 0, 0), ('assign', 1000, 1000, 0)]");
}

/* A fresh namespace has no routes; all else about the example is good. */
Test(check, the_example_is_good)
{
	shell("cp portshim.conf.example %s", file_path("example"));
	SHOW("check", "--json", file_path("example"));
	EXPECT_DONE();
	expect_json("check['valid'] and {w['check'] for w in check['warnings']} == {'no-route'} and len(check['rules']) == 8");
}

/* --- the kernel --------------------------------------------------------------------------------------------------- */

/* Made again when it has taken effect it has the same line, or the ports were lost at the next start. */
Test(check, fix_reserves_the_ports)
{
	const char *policy = file_make("policy", "[rule a]\nports = 40100-40199\n");
	net_set("net/ipv4/ip_local_reserved_ports", "40001,40190-40200");
	SHOW("check", policy);
	EXPECT_WARNING(2, "90 of 100 lie in the kernel's own range, 40000-40999", "ephemeral-overlap");
	EXPECT_WARNING(2, "sysctl -w net.ipv4.ip_local_reserved_ports=40001,40100-40200", "ephemeral-overlap");
	SHOW("check", "--fix", policy);
	cr_expect(exited(&shown, 0));
	EXPECT_HAS("\nnet.ipv4.ip_local_reserved_ports = 40001,40100-40200\n");
	EXPECT_LACKS("warning");
	cr_expect(strstr(shown.err, "[ephemeral-overlap]") && strstr(shown.err, "1 warning\n"), "%s", shown.err);
	shell("%s check -q --fix %s 2>/dev/null >%s && sysctl -p %s", built("portshim"), policy, file_path("60-portshim.conf"),
	      file_path("60-portshim.conf"));
	SHOW("check", "--fix", policy);
	EXPECT_HAS("\nnet.ipv4.ip_local_reserved_ports = 40001,40100-40200\n");
	EXPECT_NO("ephemeral-overlap");
	shell("[ \"$(cat /proc/sys/net/ipv4/ip_local_reserved_ports)\" = 40001,40100-40200 ]");
}

Test(check, fix_leaves_the_kernel_some_ports)
{
	SHOW("check", "--fix", file_make("policy", "[rule a]\nports = 30000-50000\n"));
	cr_expect(exited(&shown, 1));
	cr_expect_str_empty(shown.out);
	cr_expect(strstr(shown.err, "would leave none of ip_local_port_range"), "%s", shown.err);
	EXPECT_WARNING(2, "1000 of 20001", "ephemeral-overlap");
	EXPECT_WARNING(2, "would leave less than half", "ephemeral-overlap");
}

Test(check, fix_on_a_full_disk_is_a_failure)
{
	shell("%s check --fix %s >/dev/full 2>%s; [ $? = 1 ]", built("portshim"), file_make("policy", GOOD), file_path("err"));
}

Test(check, settings_of_this_namespace)
{
	check("[rule a]\nports = 40000-40009\nchoose = kernel\nexhausted = pass\n");
	EXPECT_WARNING(2, "10 ports carry less than one new connection a second to each destination", "few-ports");
	EXPECT_NO("kernel-choice");
	net_set("net/ipv4/ip_local_reserved_ports", "40003");
	check("[rule a]\nports = 40000-40009\nchoose = kernel\n");
	EXPECT_WARNING(3, "the 1 of 10", "kernel-choice");
	check("[rule a]\nports = 1000-1023\n");
	EXPECT_WARNING(2, "24 of 24 are below 1024", "privileged-ports");
	net_set("net/ipv4/ip_unprivileged_port_start", "1010");
	check("[rule a]\nports = 1000-1023\n");
	EXPECT_WARNING(2, "10 of 24 are below 1010", "privileged-ports");
	net_set("net/ipv4/ip_unprivileged_port_start", "0");
	check("[rule a]\nports = 1000-1023\n");
	EXPECT_NO("privileged-ports");
}

static void expect_rewriting(const char *rules, bool rewrites)
{
	shell("nft flush ruleset; %s", rules);
	check(GOOD);
	if (rewrites)
		EXPECT_WARNING(3, "rewrites destinations", "nat-sharing");
	else
		EXPECT_NO("nat-sharing");
}

/* Only rules that connections of this host itself come to: `output`, and what it leads to. */
Test(check, nat_that_makes_one_destination_of_two)
{
	expect_rewriting("nft add table ip t", false);
	expect_rewriting("nft 'table inet t { chain o { type nat hook output priority -100; ip daddr 10.0.0.1 dnat ip to 127.0.0.1; }; }'",
	                 true);
	expect_rewriting("nft 'table ip t { chain o { type nat hook output priority -100; tcp dport 80 redirect to :8080; }; }'", true);
	expect_rewriting("nft 'table ip t { chain o { type nat hook output priority -100; tcp dport 80 counter; }; "
	                 "chain p { type nat hook prerouting priority -100; tcp dport 80 dnat to 10.0.0.1; }; }'", false);
	expect_rewriting("nft 'table ip t { chain q { tcp dport 80 dnat to 10.0.0.1; }; chain r { goto q; }; "
	                 "chain o { type nat hook output priority -100; jump r; }; }'", true);
	expect_rewriting("nft 'table ip t { chain q { tcp dport 80 dnat to 10.0.0.1; }; "
	                 "chain o { type nat hook output priority -100; tcp dport vmap { 80 : jump q }; }; }'", true);
	expect_rewriting("nft 'table ip t { chain q { tcp dport 80 dnat to 10.0.0.1; }; chain r { tcp dport 80 counter; }; "
	                 "chain o { type nat hook output priority -100; jump r; }; }'", false);
	expect_rewriting("nft 'table ip t { chain o { type nat hook output priority -100; tcp dport 80 snat to 10.0.0.1; }; }' || :",
	                 false);
	expect_rewriting("iptables-nft -t nat -A OUTPUT -p tcp -d 10.9.9.9 -j DNAT --to 127.0.0.1:80", true);
	expect_rewriting("iptables-nft -t nat -A OUTPUT -p tcp --dport 81 -j REDIRECT --to-ports 80", true);
	expect_rewriting("iptables-nft -t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 80", false);
	shell("nft flush ruleset");
}

/* --- ports in use --------------------------------------------------------------------------------------------------- */

Test(check, ports_that_other_programs_hold)
{
	char who[64];
	int tcp = tcp_socket(20101, 0), udp = server_udp("::1", 20102);
	snprintf(who, sizeof(who), "20101/tcp on 127.0.0.1 (test_check, process %d)", getpid());
	check(GOOD);
	EXPECT_WARNING(3, who, "held-ports");
	cr_expect(strstr(shown.err, "1 of 100 is held"), "%s", shown.err);
	check("[rule web]\nports = 20100-20199\n");
	EXPECT_WARNING(2, "20102/udp on [::1]", "held-ports");
	check("[rule web]\nports = 20102-20199\nprotocol = tcp\n");
	EXPECT_NO("held-ports");
	close(udp);
	close(tcp);
	check(GOOD);
	EXPECT_NO("held-ports");
}

/* Its own are no finding: neither those in the table, nor where there is none. */
static void expect_own(const char *policy)
{
	struct run run = { .policy = policy };
	run_start_steps(&run, "socket 0 tcp4", "listen 0", "name 0", "pause", NULL);
	run_until_paused(&run);
	cr_expect(port_of(&run, "name 0") / 100 == 201, "%s", run.out);
	check(policy);
	EXPECT_NO("held-ports");
	run_go_on(&run);
	run_end(&run);
}

Test(check, ports_that_the_policy_gave)
{
	expect_own("[rule web]\nports = 20100-20199\n");
	expect_own("[portshim]\ntable = none\n[rule web]\nports = 20100-20199\n");
}

Test(check, a_set_that_was_used_up)
{
	char text[512];
	struct policy policy;
	const struct policy_world world = { .kernel = { 40000, 40999 } };
	snprintf(text, sizeof(text), "[portshim]\ntable = %s\n%s", file_path("table"), GOOD);
	cr_assert(policy_read(&policy, text, strlen(text), &world, NULL, NULL));
	struct table *table = table_in_file(file_path("table"));
	struct table_rule *entry = rules_entry(table, rules_number(table, &policy.rule[0]));
	check(text);
	EXPECT_NO("used-up");
	atomic_store(&entry->failures, 7);
	atomic_store(&entry->given, 100);
	check(text);
	EXPECT_WARNING(5, "7 calls found no free port", "used-up");
	policy_free(&policy);
}

/* --- places --------------------------------------------------------------------------------------------------------- */

Test(check, destinations_without_a_route)
{
	const char *text = "[rule a]\nports = 20000\nprotocol = tcp\nto = 10.99.0.2:443,\n 10.50.0.0/16, [fd00:99::2]\n";
	check(text);
	EXPECT_WARNING(4, "to: 10.99.0.2/32: no route leads there", "no-route");
	EXPECT_WARNING(5, "to: 10.50.0.0/16: no route leads there", "no-route");
	EXPECT_WARNING(5, "to: [fd00:99::2]/128: no route leads there", "no-route");
	wire_lay();
	shell("ip route add blackhole 10.50.0.0/16");
	check(text);
	EXPECT_WARNING(5, "to: 10.50.0.0/16: the route there is of type 'blackhole'", "no-route");
	cr_expect_not(strstr(shown.err, "99"), "%s", shown.err);
	shell("ip route add 10.50.7.0/24 via " FAR4);
	check(text);
	EXPECT_NO("no-route");
	net_set("net/ipv6/conf/all/disable_ipv6", "1");
	check(text);
	EXPECT_WARNING(5, "[fd00:99::2]/128: this machine has no address to go there from", "no-route");
}

Test(check, a_source_that_no_interface_has)
{
	check("[rule a]\nports = 20000\nsource = 10.99.0.1\n");
	EXPECT_WARNING(3, "no interface has the address 10.99.0.1", "no-source");
	wire_lay();
	check("[rule a]\nports = 20000\nsource = 10.99.0.1\n");
	EXPECT_NO("no-source");
	check("[rule a]\nports = 20000\nsource = fd00:99::1\n");
	EXPECT_NO("no-source");
}

Test(check, programs_that_are_not_there)
{
	check("[rule a]\nports = 20000\nprogram = curl, /bin/*,\n  /no/such/program, /bin/sh,\n  /usr/bin\n");
	EXPECT_WARNING(4, "there is no /no/such/program", "no-program");
	EXPECT_WARNING(5, "/usr/bin is no file; write /usr/bin/*", "no-program");
	cr_expect_not(strstr(shown.err, "/bin/sh"), "%s", shown.err);
}

static void expect_file(const char *key, const char *path, const char *words, const char *name)
{
	char text[1024];
	snprintf(text, sizeof(text), "[portshim]\nlog = none\n%s = %s\n%s", key, path, GOOD);
	check(text);
	if (words)
		EXPECT_WARNING(3, words, name);
	else
		cr_expect_not(strstr(shown.err, "cannot be"), "%s", shown.err);
}

Test(check, files_to_be_written)
{
	expect_file("audit", "/no/such/audit", "cannot be written, nor made in its folder: No such file", "audit-file");
	expect_file("audit", "/proc", "is a folder", "audit-file");
	expect_file("audit", file_path("audit"), NULL, NULL);
	expect_file("audit", "/proc/version", NULL, NULL); /* root may write there, says access(2) */
	shell("mount -t tmpfs -o ro none /mnt");
	expect_file("audit", "/mnt/audit", "Read-only file system", "audit-file");
	expect_file("log-to", "/no/such/log", "log-to: /no/such/log cannot be written", "log-file");
	expect_file("log-to", file_path("log"), NULL, NULL);
}

Test(check, tables_that_cannot_be_had)
{
	char path[256];
	expect_file("table", "/no/such/table", "cannot be made: No such file", "table");
	expect_file("table", file_path("table"), NULL, NULL);
	expect_file("table", file_make("empty", ""), NULL, NULL);
	expect_file("table", file_make("other", "x"), "it is no table of this version", "table");
	expect_file("table", "/tmp", "it is no regular file", "table");
	snprintf(path, sizeof(path), "%s", file_path("all"));
	table_in_file(path);
	expect_file("table", path, NULL, NULL);
	cr_assert_eq(chmod(path, 0666), 0);
	expect_file("table", path, "all may write to it", "table");
	cr_assert_eq(chmod(path, 0600), 0);
	cr_assert_eq(chown(path, 1, 1), 0);
	expect_file("table", path, "another user's", "table");
	cr_assert_eq(symlink(path, file_path("link")), 0);
	expect_file("table", file_path("link"), "symbolic link", "table");
	shell("umount /dev/shm && mount -t tmpfs -o ro none /dev/shm");
	expect_file("table", "auto", "a file in /dev/shm cannot be made: Read-only file system", "table");
	expect_file("table", "none", NULL, NULL);
}

/* /etc of the test's own, so that the machine's stays as it is. */
Test(check, the_policys_own_rights)
{
	shell("mount -t tmpfs none /mnt && cp -a /etc/. /mnt && mount --bind /mnt /etc && "
	      "printf '[rule a]\\nports = 20000\\n' >/etc/portshim.conf && chmod 644 /etc/portshim.conf");
	SHOW("check");
	EXPECT_DONE();
	cr_assert_eq(chmod("/etc/portshim.conf", 0600), 0);
	SHOW("check");
	cr_expect(strstr(shown.err, "portshim.conf: warning: other users may not read this file") &&
	          strstr(shown.err, "chmod a+r /etc/portshim.conf [policy-file]"), "%s", shown.err);
	cr_assert_eq(chmod("/etc/portshim.conf", 0666), 0);
	SHOW("check");
	cr_expect(exited(&shown, 2) && strstr(shown.err, "error: all users may write"), "%s", shown.err);
	cr_assert_eq(chmod("/etc/portshim.conf", 0664), 0);
	cr_assert_eq(chown("/etc/portshim.conf", 1000, 50), 0);
	SHOW("check", "/etc/portshim.conf");
	cr_expect(exited(&shown, 0) && strstr(shown.err, "the group 50 may write") && strstr(shown.err, "the user 1000's"), "%s", shown.err);
	check("[rule a]\nports = 20000\n");
	EXPECT_NO("policy-file");
	cr_assert_eq(chmod(file_path("policy"), 0602), 0);
	SHOW("check", file_path("policy"));
	EXPECT_WARNING(0, "all users may write", "policy-file");
}

/* --- odd things ----------------------------------------------------------------------------------------------------- */

/* An ordinary user is told what may be known. */
Test(check, as_another_user)
{
	tcp_socket(20101, 0);
	const char *policy = file_make("policy", GOOD);
	cr_assert_eq(chmod(policy, 0644), 0);
	shell("chmod 755 %s", file_path(""));
	show_run((const char *const[]){ "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
	                                built("portshim"), "check", policy, NULL });
	cr_expect(exited(&shown, 0), "%s", shown.err);
	EXPECT_WARNING(3, "20101/tcp on 127.0.0.1 (a process of user 0)", "held-ports");
}

/* The settings cannot be read: what depends on them is not said. */
Test(check, without_proc)
{
	const char *policy = file_make("policy", "[rule a]\nports = 40000-40009\n");
	shell("mount -t tmpfs none /proc/sys");
	SHOW("check", policy);
	cr_expect(exited(&shown, 0), "%s", shown.err);
	EXPECT_NO("ephemeral-overlap");
}
