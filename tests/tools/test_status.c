/* test_status.c - `portshim status` over tables in files, with sockets of the test's own in them. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/tools/show.h"
#include "tools/policy_file.h"

TestSuite(status, .init = world_enter, .fini = world_leave, .timeout = 120);

#define NO_TABLE "no table: no program under portshim has used the network here\n"

/* What python3 says of an expression over the output, `status`. */
static void expect_json(const char *expression)
{
	char program[512];
	FILE *file = fopen(file_path("status.json"), "we");
	cr_assert(file);
	cr_assert_geq(fputs(shown.out, file), 0);
	cr_assert_eq(fclose(file), 0);
	snprintf(program, sizeof(program), "import json\nstatus = json.load(open('%s'))\nassert %s, status\n",
	         file_path("status.json"), expression);
	show_run((const char *const[]){ PYTHON, "-c", program, NULL });
	cr_expect(exited(&shown, 0), "%s\n%s", expression, shown.err);
}

Test(status, no_table_is_no_failure)
{
	SHOW("status");
	EXPECT_DONE();
	cr_expect_str_eq(shown.out, NO_TABLE);
	SHOW("status", "--json");
	EXPECT_DONE();
	expect_json("status['rules'] == [] and status['ports'] == [] and status['size'] == 0");
}

Test(status, the_policy_says_which_table)
{
	char policy[512];
	snprintf(policy, sizeof(policy), "[portshim]\ntable = %s\n[rule a]\nports = 20000\n", file_path("table"));
	const char *config = file_make("policy", policy);
	SHOW("status", "-c", config);
	cr_expect(exited(&shown, 0));
	cr_expect_str_eq(shown.out, NO_TABLE);
	made_rule(table_in_file(file_path("table")), "web", 0, PORTS(20000, 20009));
	SHOW("status", "-c", config);
	cr_expect(exited(&shown, 0));
	EXPECT_HAS("\n1 other rule of this table, without -c\n");
	SHOW("status", "-c", file_make("none", "[portshim]\ntable = none\n[rule a]\nports = 20000\n"));
	EXPECT_HAS("table = none");
	SHOW("status", "-c", file_make("broken", "[rule a]\nports = none\n"));
	cr_expect(exited(&shown, 2));
	cr_expect(strstr(shown.err, "--table=FILE"), "%s", shown.err);
}

/* One of each kind, of which the kernel knows: the test itself has the sockets. */
Test(status, rows_are_held_against_the_kernel)
{
	struct table *table = table_in_file(file_path("table"));
	uint32_t rule = made_rule(table, "web", 0, PORTS(20000, 20009));
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", getpid());
	prctl(PR_SET_NAME, "some\033thing");
	tcp_socket(30000, 0);
	const struct endpoint to = local_endpoint(1, 30000);
	made_hold(table, PROTOCOL_TCP, &to, 20000, rule);
	tcp_socket(20000, 30000);
	made_hold(table, PROTOCOL_TCP, NULL, 20001, rule);
	tcp_socket(20001, 0);
	made_claim(table, PROTOCOL_TCP, &to, 20002, rule);
	made_hold(table, PROTOCOL_TCP, &to, 20003, rule);
	tcp_socket(20004, 0);
	close(tcp_socket(20005, 20004)); /* its other end is not accepted yet, and does not close */
	SHOW("status", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_ROW("web", "tcp", "127.0.0.1:20000", "127.0.0.1:30000", "held", "ESTAB", pid, "some?thing");
	EXPECT_ROW("web", "tcp", "127.0.0.1:20001", "*", "held", "LISTEN", pid, "some?thing");
	EXPECT_ROW("web", "tcp", "20002", "127.0.0.1:30000", "claimed", "-", pid, "some?thing");
	EXPECT_ROW("web", "tcp", "20003", "127.0.0.1:30000", "stale", "-", pid, "some?thing");
	EXPECT_ROW("web", "tcp", "127.0.0.1:20004", "*", "outside", "LISTEN", pid, "some?thing", "-");
	EXPECT_ROW("web", "tcp", "127.0.0.1:20005", "127.0.0.1:20004", "time-wait");
	EXPECT_ROW("web", "10", "5", "5", "0", "0", "0", "0", "0", "0");
	SHOW("status", "--json", "-t", file_path("table"));
	EXPECT_DONE();
	expect_json("status['checked'] and status['rules'][0]['free'] == 5 and "
	            "[p['state'] for p in status['ports'] if p['port'] == 20003] == ['stale'] and "
	            "status['ports'][0]['address'] == '127.0.0.1' and status['ports'][0]['since'] < 60 and "
	            "status['ports'][0]['destination'] == '127.0.0.1:30000'");
}

Test(status, one_rule)
{
	struct table *table = table_in_file(file_path("table"));
	made_hold(table, PROTOCOL_UDP, NULL, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	made_hold(table, PROTOCOL_UDP, NULL, 21000, made_rule(table, "db", 0, PORTS(21000, 21009)));
	SHOW("status", "-r", "db", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_ROW("db", "udp", "21000", "*", "stale");
	EXPECT_LACKS("web");
	SHOW("status", "-r", "bd", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_HAS("no rule bd");
}

Test(status, counters_are_shown)
{
	struct table *table = table_in_file(file_path("table"));
	struct table_rule *entry = rules_entry(table, made_rule(table, "a name that is longer than others, by far",
	                                                        0, PORTS(20000, 20009)));
	atomic_store(&entry->given, UINT64_C(12345678901));
	atomic_store(&entry->failures, 7);
	atomic_store(&entry->waits, 8);
	atomic_store(&entry->retries, 14);
	atomic_store(&entry->denied, 9);
	atomic_store(&table->asked, 11);
	atomic_store(&table->swept, 12);
	atomic_store(&table->audit_lost, 13);
	SHOW("status", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_ROW("a name that is longer than others, by far", "10", "0", "10", "0", "12345678901", "7", "8", "14", "9");
	EXPECT_HAS("given 12345678901, asked 11, swept 12, audit lost 13\n");
	SHOW("status", "--json", "-t", file_path("table"));
	expect_json("status['given'] == 12345678901 and status['asked'] == 11 and status['swept'] == 12 and "
	            "status['audit_lost'] == 13 and status['rules'][0]['retries'] == 14");
}

/* With -c what its rules have, as they are in it now; another's of the same name is another. */
Test(status, the_rules_of_a_policy)
{
	char text[512];
	struct policy_file loaded;
	struct table *table = table_in_file(file_path("table"));
	made_hold(table, PROTOCOL_UDP, NULL, 20105, made_rule(table, "other", 0, PORTS(20100, 20109)));
	made_hold(table, PROTOCOL_UDP, NULL, 20205, made_rule(table, "web", 0, PORTS(20200, 20209)));
	tcp_socket(20003, 0);
	made_rule(table, "all", 0, PORTS(20000, 20999));
	snprintf(text, sizeof(text), "[portshim]\ntable = %s\n[rule web]\nports = 20000-20009\n[rule new]\nports = 20010\n",
	         file_path("table"));
	const char *config = file_make("policy", text);
	cr_assert(policy_file_load(&loaded, config, NULL, NULL));
	made_hold(table, PROTOCOL_UDP, NULL, 20005, rules_number(table, &loaded.policy.rule[0]));
	policy_file_free(&loaded);
	SHOW("status", "-c", config);
	EXPECT_DONE();
	EXPECT_ROW("web", "udp", "20005", "*", "stale");
	EXPECT_ROW("web", "tcp", "127.0.0.1:20003", "*", "outside");
	EXPECT_ROW("web", "10", "1", "9");
	EXPECT_LACKS("\nother ");
	EXPECT_LACKS("20205");
	EXPECT_HAS("\n3 other rules of this table, without -c\n");
	SHOW("status", "-c", config, "--json");
	expect_json("[r['rule'] for r in status['rules']] == ['web'] and sorted(p['port'] for p in status['ports']) == [20003, 20005] and "
	            "status['other_rules'] == 3");
	SHOW("status", "-t", file_path("table"));
	EXPECT_ROW("other", "udp", "20105", "*", "stale");
	EXPECT_LACKS("without -c");
}

Test(status, a_rule_that_the_policy_does_not_have)
{
	static const char *const commands[] = { "status", "stats" };
	const char *config = file_make("policy", "[rule web]\nports = 20000\n[rule db]\nports = 20001\n");
	for (size_t i = 0; i < 2; i++) {
		SHOW(commands[i], "-c", config, "-r", "wbe");
		EXPECT_SAID(2, ": no rule wbe in ");
		EXPECT_SAID(2, "policy; its rules: web, db\n");
		SHOW(commands[i], "-c", config, "-r", "db");
		EXPECT_DONE();
	}
}

Test(status, all_tables_at_once)
{
	static const char hint[] = "\n2 tables of other users: portshim status -a\n";
	made_rule(table_in_file("/dev/shm/portshim-1000-3." TABLE_VERSION), "mail", 0, PORTS(21000, 21009));
	made_rule(table_in_file("/dev/shm/portshim-1001-7b." TABLE_VERSION), "web", 0, PORTS(20000, 20009));
	table_in_file("/dev/shm/portshim-team");
	SHOW("status");
	EXPECT_DONE();
	EXPECT_HAS(NO_TABLE "2 tables of other users: portshim status -a\n");
	SHOW("status", "-a");
	EXPECT_DONE();
	EXPECT_ROW("mail", "10", "0", "10");
	EXPECT_ROW("web", "10", "0", "10");
	EXPECT_HAS("\ntable /dev/shm/portshim-1000-3." TABLE_VERSION ", ");
	EXPECT_HAS("\ntable /dev/shm/portshim-1001-7b." TABLE_VERSION ", ");
	EXPECT_LACKS("team");
	EXPECT_LACKS(hint);
	SHOW("status", "--all", "--json", "-r", "web");
	expect_json("[[r['rule'] for r in t['rules']] for t in status['tables']] == [[], ['web']]");
	table_in_file("/dev/shm/portshim-0-3." TABLE_VERSION);
	SHOW("status", "-t", "/dev/shm/portshim-0-3." TABLE_VERSION);
	EXPECT_DONE();
	EXPECT_LACKS(hint);
	SHOW("status", "-a", "-t", "x");
	EXPECT_SAID(2, "--config, --table and --all exclude each other");
}

Test(status, wrong_usage_is_2)
{
	SHOW("status", "x");
	EXPECT_SAID(2, "status: it takes no argument: x; see 'portshim status --help'");
	SHOW("status", "--nonsense");
	EXPECT_SAID(2, "--nonsense");
	SHOW("status", "-t");
	EXPECT_SAID(2, "a value is missing after -t");
	SHOW("status", "-t", "x", "-c", "y");
	EXPECT_SAID(2, "exclude each other");
}

Test(status, a_table_that_cannot_be_shown_is_1)
{
	char path[256];
	SHOW("status", "-t", file_path("missing"));
	EXPECT_SAID(1, "no such file");
	SHOW("status", "-t", file_make("short", "x"));
	EXPECT_SAID(1, "not a table of this version");
	SHOW("status", "-t", "/tmp");
	EXPECT_SAID(1, "not a regular file");
	snprintf(path, sizeof(path), "%s", file_path("table"));
	table_in_file(path);
	cr_assert_eq(chmod(path, 0666), 0);
	SHOW("status", "-t", path);
	EXPECT_SAID(1, "all may write");
	cr_assert_eq(symlink(path, file_path("link")), 0);
	SHOW("status", "-t", file_path("link"));
	EXPECT_SAID(1, "symbolic link");
	SHOW("status", "-t", file_path("esc\033[2Jape"));
	EXPECT_SAID(1, "esc?[2Jape");
}

/* What is not there yet of a table (reload makes its header alone) takes memory when it is looked at: where that is used up comes
 * SIGBUS, as from a file that its user makes shorter. */
Test(status, a_table_that_there_is_no_memory_for)
{
	static const char words[] = "cannot be shown: its file was made shorter, or there was no memory for it, while it was looked at; try "
	                            "again\n";
	char policy[256], *table = strdup(file_path("small/table"));
	shell("mkdir %s && mount -t tmpfs -o size=8k none %s", file_path("small"), file_path("small"));
	table_in_file(table);
	shell("! head -c 9000 /dev/zero 2>/dev/null >%s", file_path("small/full"));
	snprintf(policy, sizeof(policy), "[portshim]\ntable = %s\n[rule a]\nports = 20000\n", table);
	file_make("policy", policy);
	SHOW("status", "-t", table);
	EXPECT_SAID(1, words);
	SHOW("stats", "-t", table);
	EXPECT_SAID(1, words);
	SHOW("top", "-n", "1", "-t", table);
	EXPECT_SAID(1, words);
	SHOW("who", "20000", "-t", table);
	EXPECT_SAID(1, words);
	SHOW("explain", "-c", file_path("policy"), "tcp", "127.0.0.1:1", "cat");
	cr_expect(exited(&shown, 1) && strstr(shown.err, words), "%x\n%s", shown.status, shown.err);
	SHOW("check", file_path("policy"));
	cr_expect(exited(&shown, 1) && strstr(shown.err, words), "%x\n%s", shown.status, shown.err);
	shell("umount -l %s", file_path("small"));
	free(table);
}

Test(status, the_table_of_another_network_is_shown_unchecked)
{
	struct table *table = table_in_file(file_path("table"));
	atomic_store(&table->netns, UINT64_MAX);
	made_hold(table, PROTOCOL_UDP, NULL, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	SHOW("status", "-t", file_path("table"));
	cr_expect(exited(&shown, 0));
	EXPECT_ROW("web", "udp", "20000", "*", "held", "-");
	cr_expect(strstr(shown.err, "another network namespace"), "%s", shown.err);
}

/* From here on this process and its children may not ask for sockets. */
static void forbid_netlink(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };
	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), 0);
}

Test(status, a_kernel_that_tells_nothing_is_a_warning)
{
	struct table *table = table_in_file(file_path("table"));
	made_hold(table, PROTOCOL_UDP, NULL, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	forbid_netlink();
	SHOW("status", "-t", file_path("table"));
	cr_expect(exited(&shown, 0));
	EXPECT_ROW("web", "udp", "20000", "*", "held", "-");
	cr_expect(strncmp(shown.err, "portshim: warning: the kernel does not tell", 43) == 0, "%s", shown.err);
	cr_expect_eq(strchr(shown.err, '\n')[1], '\0');
}

Test(status, random_bytes_are_no_table)
{
	struct table *table = table_in_file(file_path("table"));
	made_random(table, 1);
	atomic_store(&table->magic, 12345);
	SHOW("status", "-t", file_path("table"));
	EXPECT_SAID(1, "not a table");
}

Test(status, random_bytes_behind_a_header_are_shown_as_words)
{
	struct table *table = table_in_file(file_path("table"));
	made_random(table, 2);
	SHOW("status", "-t", file_path("table"));
	EXPECT_DONE();
	expect_no_control(shown.out);
	cr_expect_gt(shown.out_length, 60000);
	SHOW("status", "--json", "-t", file_path("table"));
	EXPECT_DONE();
	expect_no_control(shown.out);
	shell("%s status --json -t %s | " PYTHON " -m json.tool >%s", built("portshim"), file_path("table"),
	      file_path("json"));
}
