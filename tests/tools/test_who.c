/* test_who.c - `portshim who`: who has a port, by tables and the kernel; who had it, by files of an audit. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/tools/audit_made.h"
#include "tests/tools/show.h"

static void enter(void)
{
	world_enter();
	setenv("TZ", "UTC", 1);
}

TestSuite(who, .init = enter, .fini = world_leave, .timeout = 120);

static unsigned lines_with(const char *words)
{
	unsigned n = 0;
	for (const char *at = shown.out; (at = strstr(at, words)) != NULL; at += strlen(words))
		n++;
	return n;
}

/* What python3 says of the output, `who`. */
static void expect_json(const char *expression)
{
	char program[1024];
	FILE *file = fopen(file_path("who.json"), "we");
	cr_assert(file);
	cr_assert_geq(fputs(shown.out, file), 0);
	cr_assert_eq(fclose(file), 0);
	snprintf(program, sizeof(program), "import json\nwho = json.load(open('%s'))\nassert %s, who\n", file_path("who.json"),
	         expression);
	show_run((const char *const[]){ PYTHON, "-c", program, NULL });
	cr_expect(exited(&shown, 0), "%s\n%s", expression, shown.err);
}

/* ---- now --------------------------------------------------------------------------------------------- */

Test(who, has_it_now)
{
	char pid[16], self[256] = "";
	struct table *table = table_in_file(file_path("table"));
	const struct endpoint to = local_endpoint(1, 30000);
	snprintf(pid, sizeof(pid), "%d", getpid());
	cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	tcp_socket(30000, 0);
	made_hold(table, PROTOCOL_TCP, &to, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	tcp_socket(20000, 30000);
	SHOW("who", "20000", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_HAS(" tcp    127.0.0.1:20000  127.0.0.1:30000  held  -     ");
	EXPECT_HAS(pid);
	EXPECT_HAS(self);
	EXPECT_HAS(" root ");
	EXPECT_HAS("  web\n");
	SHOW("who", "20000", "-t", file_path("table"), "--json");
	EXPECT_DONE();
	expect_json("len(who['answers']) == 1 and who['answers'][0]['now'] == 'held' and who['answers'][0]['rule'] == 'web' and "
	            "who['answers'][0]['socket'] == 'ESTAB' and who['answers'][0]['user'] == 0 and "
	            "who['answers'][0]['remote_port'] == 30000 and not who['answers'][0]['audited'] and who['from'] is None");
	SHOW("who", "20001", "-t", file_path("table"));
	cr_expect(exited(&shown, 1), "%x", shown.status);
	EXPECT_HAS("nobody has port 20001: no socket has it, and there is no audit");
	cr_expect_str_empty(shown.err);
}

/* The kernel knows of ports that no rule has, and where there is no table. */
Test(who, a_port_of_no_rule)
{
	tcp_socket(30000, 0);
	SHOW("who", "30000");
	EXPECT_DONE();
	EXPECT_HAS(" tcp    127.0.0.1:30000  *            outside  -");
	SHOW("who", "30000", "--proto", "udp");
	cr_expect(exited(&shown, 1));
	SHOW("who", "29999-30000", "-p", "tcp");
	EXPECT_DONE();
	cr_expect_eq(lines_with(":30000 "), 1);
}

/* root, who has no table here, learns the rule from the table of the user whose program it is. */
Test(who, tables_of_other_users_are_looked_into)
{
	struct table *table = table_in_file("/dev/shm/portshim-1000-3." TABLE_VERSION);
	made_hold(table, PROTOCOL_TCP, NULL, 20000, made_rule(table, "erp", 0, PORTS(20000, 20009)));
	made_rule(table_in_file("/dev/shm/portshim-1001-3." TABLE_VERSION), "other", 0, PORTS(20000, 20009));
	shell("mkfifo /dev/shm/portshim-1002-3." TABLE_VERSION);
	tcp_socket(20000, 0);
	SHOW("who", "20000");
	EXPECT_DONE();
	cr_expect_eq(lines_with(":20000 "), 1, "%s", shown.out);
	EXPECT_HAS(" held ");
	EXPECT_HAS("  erp\n");
	SHOW("who", "20000", "-t", "/dev/shm/portshim-1001-3." TABLE_VERSION);
	EXPECT_HAS(" outside ");
	EXPECT_HAS("  other\n");
}

/* What the table alone has, nobody has. */
Test(who, had_it_by_the_table)
{
	struct table *table = table_in_file(file_path("table"));
	made_hold(table, PROTOCOL_UDP, NULL, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	SHOW("who", "20000", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_HAS(" stale ");
	EXPECT_HAS("\nstale: had the port by the table, and the kernel has no such socket now; when it gave the port back is not known\n"
	           "there is no audit: what is shown is who has it now, and who had it last by the table\n");
}

Test(who, a_destination_that_is_none)
{
	SHOW("who", "20000", "--to", "example.org:80");
	EXPECT_SAID(2, "who: no destination: 'example.org:80' is not an address; write the address itself, since names are not resolved; see 'portshim");
}

/* ---- then -------------------------------------------------------------------------------------------- */

#define AT "2026-11-25T10:42:30Z"

/* Of each destination the last that was before; what came long after is nobody's business. */
Test(who, had_it_then)
{
	const char *audit = AUDIT("audit", { .pid = 101 }, { .pid = 102, .time = "2026-11-25T10:42:10.5Z" },
	                          { .pid = 103, .remote = "10.20.0.6" }, { .pid = 104, .port = 20001 },
	                          { .pid = 105, .time = "2026-11-25T10:42:40Z" });
	SHOW("who", "20000", "--at", AT, "--audit", audit);
	EXPECT_DONE();
	cr_expect_eq(lines_with("/usr/bin/curl"), 2, "%s", shown.out);
	EXPECT_HAS(" 19.5s  2026-11-25 10:42:10.500000+00:00  tcp    10.20.0.1:20000  10.20.0.5:443  ?    connect  102  4000001  ");
	EXPECT_HAS(" 30.0s  2026-11-25 10:42:00.000000+00:00  tcp    10.20.0.1:20000  10.20.0.6:443  ?    connect  103  4000001  ");
	EXPECT_HAS("when it did is not known\n");
	SHOW("who", "20000", "--at", AT, "--audit", audit, "--to", "10.20.0.6:443", "--json");
	EXPECT_DONE();
	expect_json("[a['pid'] for a in who['answers']] == [103] and who['answers'][0]['time'] == '2026-11-25T10:42:00.000000Z' and "
	            "who['answers'][0]['now'] is None and who['answers'][0]['audited'] and who['lines'] == 5 and "
	            "who['from'] == '2026-11-25T10:42:30.000000Z' and who['to'] == '2026-11-25T10:42:30.999999Z'");
	SHOW("who", "20000-20001", "--at", AT, "--audit", audit, "--json");
	expect_json("[a['pid'] for a in who['answers']] == [102, 104, 103] or [a['pid'] for a in who['answers']] == [102, 103, 104]");
	SHOW("who", "20002", "--at", AT, "--audit", audit);
	cr_expect(exited(&shown, 1));
	EXPECT_HAS("nobody is known to have had port 20002 then");
	SHOW("who", "20000", "--at", "2026-11-25T10:41:30Z", "--audit", audit);
	cr_expect(exited(&shown, 1));
}

/* Clocks differ: what came shortly after can be it, and does not yet show that those before were gone. */
Test(who, clocks_may_differ)
{
	const char *audit = AUDIT("audit", { .pid = 101 }, { .pid = 102, .time = "2026-11-25T10:42:32Z" });
	SHOW("who", "20000", "--at", AT, "--audit", audit);
	EXPECT_DONE();
	EXPECT_HAS(" after  2026-11-25 10:42:32");
	cr_expect_eq(lines_with("/usr/bin/curl"), 2);
	SHOW("who", "20000", "--at", AT, "--audit", audit, "--skew", "0");
	cr_expect_eq(lines_with("/usr/bin/curl"), 1, "%s", shown.out);
	SHOW("who", "20000", "--at", "2026-11-25T10:42:31.5Z", "--audit", audit, "--skew", "3600", "--json");
	expect_json("[a['pid'] for a in who['answers']] == [101, 102]");
	SHOW("who", "20000", "--at", "2026-11-25T10:42:33Z", "--audit", audit, "--skew", "1", "--json");
	expect_json("[a['pid'] for a in who['answers']] == [102]");
	/* A minute is as good as it says. */
	SHOW("who", "20000", "--at", "2026-11-25T10:42Z", "--audit", audit, "--skew", "0", "--json");
	expect_json("[a['pid'] for a in who['answers']] == [102, 101]");
}

Test(who, what_the_kernel_refused_was_never_had)
{
	const char *audit = AUDIT("audit", { .pid = 101 }, { .pid = 102, .time = "2026-11-25T10:42:10Z" },
	                          { .pid = 102, .time = "2026-11-25T10:42:11Z", .event = "refused" },
	                          { .pid = 103, .time = "2026-11-25T10:42:12Z", .event = "refused" });
	SHOW("who", "20000", "--at", AT, "--audit", audit, "--json");
	expect_json("[a['pid'] for a in who['answers']] == [101]");
	SHOW("who", "20000", "--audit", audit, "--json");
	expect_json("[a['pid'] for a in who['answers']] == [101]");
}

/* A socket that listens, or sends to anybody, has its port for itself. */
Test(who, a_port_that_somebody_needs_alone_was_free)
{
	const char *audit = AUDIT("audit", { .pid = 101 }, { .pid = 102, .remote = "10.20.0.6" },
	                          { .pid = 103, .time = "2026-11-25T10:42:05Z", .call = "listen", .remote = NOWHERE },
	                          { .pid = 104, .time = "2026-11-25T10:42:05Z", .protocol = "udp", .call = "send" },
	                          { .pid = 105, .time = "2026-11-25T10:42:05Z", .local = "10.20.0.2" });
	SHOW("who", "20000", "--at", AT, "--audit", audit, "--json");
	expect_json("sorted(a['pid'] for a in who['answers']) == [103, 104, 105]");
	audit = AUDIT("audit", { .pid = 103, .call = "bind", .remote = NOWHERE },
	              { .pid = 101, .time = "2026-11-25T10:42:05Z" });
	SHOW("who", "20000", "--at", AT, "--audit", audit, "--json");
	expect_json("sorted(a['pid'] for a in who['answers']) == [101]");
}

Test(who, without_a_time_the_last_are_shown)
{
	struct made line[40];
	char pids[40][40];
	for (unsigned i = 0; i < 40; i++) {
		snprintf(pids[i], sizeof(pids[i]), "2026-11-25T10:42:%02uZ", i);
		line[i] = (struct made){ .pid = 100 + i, .time = pids[i] };
	}
	const char *audit = made_audit("audit", line, 40);
	SHOW("who", "20000", "--audit", audit);
	EXPECT_DONE();
	cr_expect_eq(lines_with("/usr/bin/curl"), 10);
	EXPECT_HAS("connect  139  4000001  /usr/bin/curl  web\n");
	EXPECT_LACKS("connect  129");
	SHOW("who", "20000", "--audit", audit, "-n", "2", "--json");
	expect_json("[a['pid'] for a in who['answers']] == [139, 138]");
	SHOW("who", "20000", "--audit", audit, "-n", "0");
	cr_expect(exited(&shown, 1));
}

/* More than can be kept: those that no longer matter are let go on the way. */
Test(who, large_files_are_read_in_little_memory)
{
	char line[1024];
	FILE *to = fopen(file_path("audit"), "we");
	cr_assert(to);
	for (unsigned i = 0; i < 300000; i++) {
		char remote[32], when[40];
		snprintf(remote, sizeof(remote), "10.%u.%u.%u", i % 3, i / 3 % 100, i / 300 % 2);
		snprintf(when, sizeof(when), "2026-11-25T%02u:%02u:%02uZ", i / 36000, i / 600 % 60, i / 10 % 60);
		made_line(to, &(struct made){ .pid = i + 1, .time = when, .remote = remote });
	}
	cr_assert_eq(fclose(to), 0);
	snprintf(line, sizeof(line), "ulimit -v 60000; exec %s who 20000 --json -n 1000000 --at 2026-11-25T09:00:00Z --audit %s",
	         built("portshim"), file_path("audit"));
	show_run((const char *const[]){ "/bin/sh", "-c", line, NULL });
	cr_expect(exited(&shown, 0), "%s", shown.err);
	cr_expect_str_empty(shown.err);
	cr_expect(strstr(shown.out, "\"lines\": 300000"));
	snprintf(line, sizeof(line), "%s who 20000 --json -n 1000000 --at 2026-11-25T09:00:00Z --audit %s >%s",
	         built("portshim"), file_path("audit"), file_path("answer"));
	show_run((const char *const[]){ "/bin/sh", "-c", line, NULL });
	snprintf(line, sizeof(line), "import json\n"
	         "last = {}\n"
	         "for text in open('%s'):\n    l = json.loads(text)\n"
	         "    if l['time'] <= '2026-11-25T09:00:02Z': last[l['remote_address']] = l['pid']\n"
	         "got = [a['pid'] for a in json.load(open('%s'))['answers']]\n"
	         "assert len(last) == 600 and set(last.values()) <= set(got), (len(last), len(got))\n"
	         "assert len(got) < 660, len(got)\n", file_path("audit"), file_path("answer"));
	show_run((const char *const[]){ PYTHON, "-c", line, NULL });
	cr_expect(exited(&shown, 0), "%s", shown.err);
}

/* ---- both -------------------------------------------------------------------------------------------- */

static const char *seconds_ago(int seconds)
{
	static char words[2][40];
	static int next;
	struct tm parts;
	time_t then = time(NULL) - seconds;
	char *at = words[next++ % 2];
	cr_assert(gmtime_r(&then, &parts));
	strftime(at, sizeof(words[0]), "%Y-%m-%dT%H:%M:%SZ", &parts);
	return at;
}

/* Who has it still had it then for sure. */
Test(who, the_audit_and_the_table_are_joined)
{
	struct table *table = table_in_file(file_path("table"));
	const struct endpoint to = local_endpoint(1, 30000);
	unsigned pid = (unsigned)getpid();
	tcp_socket(30000, 0);
	made_hold(table, PROTOCOL_TCP, &to, 20000, made_rule(table, "web", 0, PORTS(20000, 20009)));
	tcp_socket(20000, 30000);
	const char *audit = AUDIT("audit", { .pid = 101, .time = seconds_ago(20), .remote = "127.0.0.1", .remote_port = 30000 },
	                          { .pid = pid, .time = seconds_ago(10), .local = NOWHERE, .remote = "127.0.0.1", .remote_port = 30000 });
	SHOW("who", "20000", "-t", file_path("table"), "--audit", audit, "--json");
	EXPECT_DONE();
	expect_json("[(a['now'], a['audited'], a['call']) for a in who['answers']] == [('held', True, 'connect'), (None, True, 'connect')]"
	            " and who['answers'][0]['pid'] != 101 and who['answers'][0]['local_address'] == '127.0.0.1'");
	SHOW("who", "20000", "-t", file_path("table"), "--audit", audit, "--at", "now");
	EXPECT_DONE();
	EXPECT_HAS("  held  connect  ");
	/* What the living came to later they did not have then. */
	SHOW("who", "20000", "-t", file_path("table"), "--audit", audit, "--at", "15 seconds ago", "--skew", "1", "--json");
	EXPECT_DONE();
	expect_json("[(a['now'], a['pid']) for a in who['answers']] == [(None, 101)]");
}

/* What the library itself writes. */
Test(who, an_audit_of_the_librarys_own)
{
	static struct run run;
	char policy[600], port[16];
	snprintf(policy, sizeof(policy), "[portshim]\ntable = %s\naudit = %s\n[rule web]\nports = 20000-20099\n",
	         file_path("table"), file_path("audit"));
	run = (struct run){ .policy = policy };
	tcp_socket(30000, 0);
	story_run(&run, (const char *const[]){ PYTHON, "-c", "import socket\n"
	          "print(socket.create_connection(('127.0.0.1', 30000)).getsockname()[1])", NULL });
	cr_assert(exited(&run, 0), "%s", run.err);
	snprintf(port, sizeof(port), "%.*s", (int)strcspn(run.out, "\n") % 8, run.out);
	SHOW("who", port, "-t", file_path("table"), "--audit", file_path("audit"), "--at", "now", "--json");
	EXPECT_DONE();
	expect_json("[(a['rule'], a['call'], a['remote_port'], a['user'], 'python' in a['program'], a['audited'])"
	            " for a in who['answers']] == [('web', 'connect', 30000, 0, True, True)] and who['passed_over'] == 0");
}

/* ---- files ------------------------------------------------------------------------------------------- */

static const char *policy_with(const char *audit)
{
	char text[600];
	snprintf(text, sizeof(text), "[portshim]\ntable = none\naudit = %s\n[rule web]\nports = 20000-20009\n", audit);
	return file_make("policy", text);
}

/* Warnings about the audit are none of this. */
static void show_by_policy(const char *json)
{
	SHOW("who", "20000", "-c", policy_with(file_path("audit")), json);
}

Test(who, what_a_rotation_left_is_read_too)
{
	AUDIT("audit", { .pid = 103, .time = "2026-11-25T12:00:00Z" });
	AUDIT("audit.1", { .pid = 102, .time = "2026-11-25T11:00:00Z" });
	AUDIT("audit.2", { .pid = 101, .time = "2026-11-25T10:00:00Z" });
	AUDIT("audit.10", { .pid = 100, .time = "2026-11-25T09:00:00Z" });
	AUDIT("audit-20261124", { .pid = 99, .time = "2026-11-24T09:00:00Z" });
	AUDIT("audit.old", { .pid = 1 });
	AUDIT("audit.1x", { .pid = 1 });
	AUDIT("audits.1", { .pid = 1 });
	show_by_policy("--json");
	cr_expect(exited(&shown, 0));
	expect_json("[a['pid'] for a in who['answers']] == [103, 102, 101, 100, 99] and "
	            "[f[f.rindex('/') + 1:] for f in who['audit']] == ['audit-20261124', 'audit.10', 'audit.2', 'audit.1', 'audit']");
	file_make("audit.3.gz", "");
	show_by_policy("--json");
	cr_expect(strstr(shown.err, "audit.3.gz is compressed, and left out"), "%s", shown.err);
}

/* Who may write to the audit's folder may put anything there: nobody waits for a pipe, none is emptied, no link is followed. */
Test(who, what_is_no_file_is_left_alone)
{
	char byte;
	AUDIT("elsewhere", { .pid = 104 });
	AUDIT("audit.2", { .pid = 101 });
	cr_assert_eq(mkfifo(file_path("audit.1"), 0600), 0);
	cr_assert_eq(symlink(file_path("elsewhere"), file_path("audit.3")), 0);
	show_by_policy("--json");
	cr_expect(exited(&shown, 0), "%x", shown.status);
	expect_json("[a['pid'] for a in who['answers']] == [101]");
	cr_assert_eq(mkfifo(file_path("audit"), 0600), 0);
	int pipe = open(file_path("audit"), O_RDWR | O_CLOEXEC);
	cr_assert(pipe >= 0 && write(pipe, "x", 1) == 1);
	show_by_policy("--json");
	cr_expect(exited(&shown, 0), "%x", shown.status);
	cr_expect(strstr(shown.err, "/audit cannot be read, and is left out: no regular file"), "%s", shown.err);
	cr_expect(strstr(shown.err, "audit.3 cannot be read, and is left out: a symbolic link"), "%s", shown.err);
	cr_expect(read(pipe, &byte, 1) == 1 && byte == 'x');
	close(pipe);
}

Test(who, an_audit_that_is_not_there_yet_is_none)
{
	show_by_policy("--json");
	cr_expect(exited(&shown, 1));
	expect_json("who['audit'] == [] and who['answers'] == []");
	SHOW("who", "20000", "--audit", file_path("missing"));
	EXPECT_SAID(1, "missing cannot be read: No such file or directory");
	SHOW("who", "20000", "--audit", "/tmp");
	EXPECT_SAID(1, "cannot be read: Is a directory");
}

Test(who, pipes_are_read)
{
	char line[1024];
	const char *audit = AUDIT("audit", { .pid = 101 });
	snprintf(line, sizeof(line), "gzip %s; zcat %s.gz | %s who 20000 --audit /dev/stdin", audit, audit, built("portshim"));
	show_run((const char *const[]){ "/bin/sh", "-c", line, NULL });
	EXPECT_DONE();
	EXPECT_HAS("connect  101  4000001  /usr/bin/curl  web\n");
	SHOW("who", "20000", "--audit", file_path("audit.gz"));
	cr_expect(exited(&shown, 1));
	cr_expect(strstr(shown.err, "is it compressed?"), "%s", shown.err);
}

/* Cut short, foreign, with words that a terminal obeys. */
Test(who, odd_lines_do_no_harm)
{
	const char *audit = AUDIT("audit", { .pid = 101, .program = "/bin/\\u001b[2J\\u00e4\\n\\\"x\\\"" },
	                          { .pid = 102, .rule = "\xff\x1b[31m", .remote = "\\u001b\\u0007" },
	                          { .pid = 103, .program = "\xc2\x9b" "2J", .rule = "\\u009b" "2J", .remote = "\\u007f" });
	shell("printf '%%s' '{\"time\":\"2026-11-25T10:42' >>%s; printf 'hello\\n' >>%s", audit, audit);
	SHOW("who", "20000", "--audit", audit);
	cr_expect(exited(&shown, 0));
	expect_no_control(shown.out);
	EXPECT_HAS("/bin/?[2J\xc3\xa4?\"x\"");
	cr_expect(strstr(shown.err, "passed over 1 line that is cut short or not of an audit"), "%s", shown.err);
	SHOW("who", "20000", "--audit", audit, "--json");
	expect_no_control(shown.out);
	expect_json("sorted(a['program'] for a in who['answers'])[0] == '/bin/\\x1b[2J\\xe4\\n\"x\"' and who['passed_over'] == 1");
}

Test(who, wrong_usage_is_2)
{
	static const struct { const char *words[4], *said; } wrong[] = {
		{ { NULL }, "no port; name one" },
		{ { "0" }, "no port from 1 to 65535, nor FIRST-LAST: 0" },
		{ { "65536" }, "65536" },
		{ { "http" }, "http" },
		{ { "2-1" }, "2-1" },
		{ { "-5" }, "no such option" },
		{ { "20000", "20001" }, "it takes one port" },
		{ { "20000", "--at", "soon" }, "no time; write it as" },
		{ { "20000", "--at", "" }, "no time" },
		{ { "20000", "--skew", "x" }, "--skew is a number of seconds" },
		{ { "20000", "-n", "-1" }, "--count is a number" },
		{ { "20000", "-p", "icmp" }, "no such protocol: icmp" },
		{ { "20000", "--to", "nowhere" }, "no destination" },
		{ { "20000", "--nonsense" }, "--nonsense" },
		{ { "20000", "--at" }, "a value is missing after --at" },
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const char *const *words = wrong[i].words;
		show_run((const char *const[]){ built("portshim"), "who", words[0], words[1], words[2], NULL });
		EXPECT_SAID(2, wrong[i].said);
		EXPECT_SAID(2, "see 'portshim who --help'");
	}
	SHOW("who", "20000", "-c", file_make("broken", "[rule a]\nports = none\n"));
	cr_expect(exited(&shown, 2));
	cr_expect(strstr(shown.err, "--audit=FILE"), "%s", shown.err);
	SHOW("who", "20000", "-t", file_path("missing"));
	EXPECT_SAID(1, "no such file");
}
