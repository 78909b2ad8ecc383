/* test_stats.c - `portshim stats` over tables in files: figures, formats for monitoring, files that are whole or not there. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/tools/show.h"

TestSuite(stats, .init = world_enter, .fini = world_leave, .timeout = 120);

/* A rule with figures of its own; `id` tells those of one name apart. */
static struct table_rule *rule_make(struct table *table, const char *name, uint64_t id, uint16_t lo, uint16_t hi)
{
	const struct port_interval interval = { .lo = lo, .hi = hi };
	const struct rule rule = { .name = name, .id = id, .protocols = PROTOCOL_ANY,
	                           .ports = { &interval, 1, (uint32_t)(hi - lo) + 1, false } };
	struct table_rule *entry = rules_entry(table, rules_number(table, &rule));
	atomic_store(&entry->given, 100 * id);
	atomic_store(&entry->failures, 10 * id);
	atomic_store(&entry->waits, 3);
	atomic_store(&entry->retries, 4);
	atomic_store(&entry->denied, 5);
	rules_use(entry, id * 100 * SECOND);
	return entry;
}

static struct table *table_make(void)
{
	struct table *table = table_in_file(file_path("table"));
	rule_make(table, "web", 1, 20000, 20009);
	atomic_store(&table->asked, 6);
	atomic_store(&table->swept, 7);
	atomic_store(&table->audit_lost, 8);
	return table;
}

/* What python3 says of some lines; `text` is what is in `file`. */
static void expect_python(const char *file, const char *lines)
{
	char program[2048];
	snprintf(program, sizeof(program), "import json\ntext = open('%s').read()\n%s\n", file, lines);
	show_run((const char *const[]){ PYTHON, "-c", program, NULL });
	cr_expect(exited(&shown, 0), "%s\n%s", lines, shown.err);
}

Test(stats, a_line_for_each_rule)
{
	table_make();
	tcp_socket(20003, 0);
	SHOW("stats", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_ROW("RULE", "PORTS", "IN-USE", "USE%", "FREE", "COOLING", "ASSIGNED", "FAILURES", "WAITS", "RETRIES", "DENIED");
	EXPECT_ROW("web", "10", "1", "10.0", "9", "0", "100", "10", "3", "4", "5");
	EXPECT_HAS("assigned 100, asked 6, swept 7, audit lost 8\n");
}

Test(stats, json_has_the_same)
{
	table_make();
	SHOW("stats", "--json", "-t", file_path("table"), "-o", file_path("json"));
	EXPECT_DONE();
	cr_expect_str_empty(shown.out);
	expect_python(file_path("json"),
	              "t = json.loads(text)['tables'][0]\nr = t['rules'][0]\n"
	              "assert t['bytes'] > 6000000 and t['assignments'] == 100 and t['audit_lost'] == 8 and t['checked'], t\n"
	              "assert r == {'rule': 'web', 'ports': 10, 'in_use': 0, 'utilization': 0.0, 'free': 10, 'cooling': 0,"
	              " 'assignments': 100, 'failures': 10, 'waits': 3, 'retries': 4, 'denied': 5, 'complete': True}, r");
}

/* Of one name there is one line, and what it counts does not shrink when the policy is changed. */
Test(stats, rules_of_one_name_are_one)
{
	struct table *table = table_make();
	rule_make(table, "web", 2, 20005, 20019);
	tcp_socket(20018, 0);
	SHOW("stats", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_ROW("web", "15", "1", "6.6", "14", "0", "300", "30", "6", "8", "10");
	const struct endpoint to = local_endpoint(9, 443);
	made_claim(table, PROTOCOL_TCP, &to, 20001, rules_number(table, &(const struct rule){ .id = 1 }));
	SHOW("stats", "-t", file_path("table")); /* the older is used by a cell: both are shown by `status` */
	EXPECT_DONE();
	EXPECT_ROW("web", "20", "2", "10.0", "18", "0", "300", "30", "6", "8", "10");
}

/* What the table has given is one number: with a rule that was changed, for a rule that was asked for, in every command. */
Test(stats, a_table_has_given_the_same_everywhere)
{
	struct table *table = table_make();
	rule_make(table, "web", 2, 20005, 20019);
	rule_make(table, "db", 4, 20100, 20109);
	SHOW("stats", "-t", file_path("table"));
	EXPECT_HAS("; assigned 700, asked 6,");
	SHOW("stats", "-t", file_path("table"), "-r", "db");
	EXPECT_HAS("; assigned 700, asked 6,");
	SHOW("status", "-t", file_path("table"));
	EXPECT_HAS("; given 700, asked 6,");
	SHOW("status", "-t", file_path("table"), "-r", "db");
	EXPECT_HAS("; given 700, asked 6,");
	SHOW("top", "-b", "-n", "1", "-t", file_path("table"));
	EXPECT_HAS("  given 700  asked 6  ");
}

#define PARSE_OPENMETRICS                                                                                              \
	"from prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n"                    \
	"got = {s.name + str(sorted(s.labels.items())): s.value for m in read(text) for s in m.samples}\n"             \
	"kinds = {m.name: m.type for m in read(text)}\n"
#define PARSE_PROMETHEUS                                                                                               \
	"from prometheus_client.parser import text_string_to_metric_families as read\n"                                \
	"got = {s.name + str(sorted(s.labels.items())): s.value for m in read(text) for s in m.samples}\n"             \
	"kinds = {m.name: m.type for m in read(text)}\n"
#define FIND                                                                                                           \
	"import os\npath = os.path.dirname('%s')\n"                                                                    \
	"def of(name): return [v for k, v in got.items() if k.startswith(name + '[')]\n"

static void expect_figures(const char *parse)
{
	char lines[1800];
	snprintf(lines, sizeof(lines), "%s" FIND
	         "for name, value in (('assignments_total', 100), ('failures_total', 10), ('waits_total', 3),"
	         " ('retries_total', 4), ('denied_total', 5), ('ports', 10), ('ports_in_use', 1), ('ports_free', 9),"
	         " ('ports_cooling', 0), ('utilization_ratio', 0.1), ('kernel_questions_total', 6), ('sweeps_total', 7),"
	         " ('audit_lost_lines_total', 8), ('table_checked', 1)):\n"
	         "    assert of('portshim_' + name) == [value], (name, got)\n"
	         "assert of('portshim_table_bytes')[0] > 6000000\n", parse, file_path("metrics"));
	expect_python(file_path("metrics"), lines);
}

Test(stats, openmetrics_are_read_by_both_kinds_of_reader)
{
	table_make();
	tcp_socket(20003, 0);
	SHOW("stats", "--openmetrics", "-t", file_path("table"), "-o", file_path("metrics"));
	EXPECT_DONE();
	expect_figures(PARSE_OPENMETRICS "assert kinds['portshim_assignments'] == 'counter' and kinds['portshim_ports'] == 'gauge'\n"
	               "assert text.endswith('\\n# EOF\\n')\n");
	expect_figures(PARSE_PROMETHEUS);
}

Test(stats, the_older_format_has_its_types)
{
	table_make();
	tcp_socket(20003, 0);
	SHOW("stats", "--prometheus", "-t", file_path("table"), "-o", file_path("metrics"));
	EXPECT_DONE();
	expect_figures(PARSE_PROMETHEUS "assert kinds['portshim_assignments'] == 'counter', kinds\nassert 'EOF' not in text\n"
	               "assert 'untyped' not in kinds.values() and 'unknown' not in kinds.values(), kinds\n");
}

Test(stats, names_are_quoted)
{
	struct table *table = table_in_file(file_path("table"));
	rule_make(table, "a\"b\\c\nd {e=\"f\"}", 1, 20000, 20009);
	rule_make(table, "\xff\x1b[2J", 2, 20000, 20009);
	SHOW("stats", "--openmetrics", "-t", file_path("table"), "-o", file_path("metrics"));
	EXPECT_DONE();
	expect_python(file_path("metrics"), PARSE_OPENMETRICS
	              "rules = {s.labels.get('rule') for m in read(text) for s in m.samples}\n"
	              "assert rules == {'a\"b\\\\c?d {e=\"f\"}', '??[2J', None}, rules\n");
}

Test(stats, random_bytes_are_figures_too)
{
	made_random(table_in_file(file_path("table")), 4);
	SHOW("stats", "--openmetrics", "-t", file_path("table"), "-o", file_path("metrics"));
	EXPECT_DONE();
	expect_python(file_path("metrics"), PARSE_OPENMETRICS "assert len(got) > 5000, len(got)\n");
	SHOW("stats", "-t", file_path("table"));
	EXPECT_DONE();
	expect_no_control(shown.out);
}

/* Tables by the names of `table = auto`, in a /dev/shm of the test's own. */
Test(stats, all_tables_at_once)
{
	rule_make(table_in_file("/dev/shm/portshim-1000-3." TABLE_VERSION), "mail", 2, 21000, 21009);
	rule_make(table_in_file("/dev/shm/portshim-1001-7b." TABLE_VERSION), "web", 1, 20000, 20009);
	table_in_file("/dev/shm/portshim-team");
	table_in_file("/dev/shm/portshim-1000-3.v0");
	shell(": >/dev/shm/portshim-1002-3." TABLE_VERSION "; mkfifo /dev/shm/portshim-1003-3." TABLE_VERSION);
	SHOW("stats", "--all", "--openmetrics", "-o", file_path("metrics"));
	EXPECT_DONE();
	expect_python(file_path("metrics"), PARSE_OPENMETRICS
	              "rules = {(s.labels['rule'], s.labels['table']): s.value for m in read(text) for s in m.samples"
	              " if s.name == 'portshim_assignments_total'}\n"
	              "assert rules == {('mail', '/dev/shm/portshim-1000-3." TABLE_VERSION "'): 200.0,"
	              " ('web', '/dev/shm/portshim-1001-7b." TABLE_VERSION "'): 100.0}, rules\n");
	SHOW("stats", "-a");
	EXPECT_DONE();
	EXPECT_ROW("mail", "10", "0", "0.0", "10", "0", "200");
	EXPECT_ROW("web", "10", "0", "0.0", "10", "0", "100");
}

Test(stats, a_table_that_its_user_cuts_short_is_passed_over)
{
	rule_make(table_in_file("/dev/shm/portshim-1000-3." TABLE_VERSION), "mail", 2, 21000, 21009);
	rule_make(table_in_file("/dev/shm/portshim-1001-3." TABLE_VERSION), "web", 1, 20000, 20009);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Often a look finds it as long as it should be, and loses it then. */
		while (truncate("/dev/shm/portshim-1001-3." TABLE_VERSION, 4096) == 0)
			cr_assert_eq(truncate("/dev/shm/portshim-1001-3." TABLE_VERSION, sizeof(struct table)), 0);
		_exit(1);
	}
	for (int i = 0; i < 20; i++) {
		SHOW("stats", "--all");
		EXPECT_DONE();
		EXPECT_ROW("mail", "10", "0", "0.0", "10", "0", "200");
	}
	cr_assert_eq(kill(child, SIGKILL), 0);
	cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(stats, a_file_is_replaced_as_a_whole)
{
	struct stat before, after;
	char link_path[256];
	table_make();
	const char *path = file_make("metrics", "old\n");
	cr_assert_eq(chmod(path, 0640), 0);
	cr_assert_eq(stat(path, &before), 0);
	snprintf(link_path, sizeof(link_path), "%s", file_path("link"));
	cr_assert_eq(symlink(path, link_path), 0);
	SHOW("stats", "--openmetrics", "-t", file_path("table"), "-o", link_path);
	EXPECT_DONE();
	cr_assert_eq(stat(path, &after), 0);
	cr_expect_neq(before.st_ino, after.st_ino);
	cr_expect_eq(after.st_mode & 07777, 0640);
	cr_assert_eq(lstat(link_path, &after), 0);
	cr_expect(S_ISLNK(after.st_mode));
	shell("grep -q EOF %s && ! ls -A $(dirname %s) | grep '^\\.'", path, path);
}

Test(stats, where_it_cannot_be_written_the_old_one_stays)
{
	table_make();
	const char *path = file_make("metrics", "old\n");
	SHOW("stats", "-t", file_path("table"), "-o", "/nowhere/metrics");
	EXPECT_SAID(1, "/nowhere/metrics cannot be written: No such file or directory");
	SHOW("stats", "-t", file_path("table"), "-o", "/");
	EXPECT_SAID(1, "cannot be written: Is a directory");
	char command[600];
	snprintf(command, sizeof(command), "trap '' XFSZ; ulimit -f 0; exec %s stats --openmetrics -t %s -o %s 2>/dev/full",
	         built("portshim"), file_path("table"), path);
	show_run((const char *const[]){ "/bin/sh", "-c", command, NULL });
	cr_expect(exited(&shown, 1), "%x", shown.status);
	shell("grep -q old %s && ! ls -A $(dirname %s) | grep '^\\.'", path, path);
}

Test(stats, what_is_no_file_is_written_to)
{
	table_make();
	SHOW("stats", "-t", file_path("table"), "-o", "/dev/stdout");
	cr_expect(exited(&shown, 0));
	EXPECT_ROW("web", "10", "0", "0.0", "10");
	SHOW("stats", "-t", file_path("table"), "-o", "-");
	EXPECT_ROW("web", "10", "0", "0.0", "10");
	SHOW("stats", "-t", file_path("table"), "-o", "/dev/full");
	EXPECT_SAID(1, "/dev/full cannot be written: No space left on device");
}

Test(stats, no_table_is_no_failure)
{
	SHOW("stats");
	EXPECT_DONE();
	EXPECT_HAS("no table: ");
	SHOW("stats", "--openmetrics", "--all", "-o", file_path("metrics"));
	EXPECT_DONE();
	expect_python(file_path("metrics"), PARSE_OPENMETRICS "assert not got and text.endswith('# EOF\\n')\n");
}

Test(stats, wrong_usage_is_2)
{
	SHOW("stats", "x");
	EXPECT_SAID(2, "stats: it takes no argument: x; see 'portshim stats --help'");
	SHOW("stats", "--nonsense");
	EXPECT_SAID(2, "--nonsense");
	SHOW("stats", "-o");
	EXPECT_SAID(2, "a value is missing after -o");
	SHOW("stats", "-t", "x", "-a");
	EXPECT_SAID(2, "exclude each other");
	SHOW("stats", "--json", "--openmetrics");
	EXPECT_SAID(2, "exclude each other");
	SHOW("stats", "-t", file_path("missing"));
	EXPECT_SAID(1, "no such file");
}

Test(stats, one_rule)
{
	rule_make(table_make(), "db", 2, 21000, 21009);
	SHOW("stats", "-r", "db", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_ROW("db", "10", "0", "0.0", "10", "0", "200");
	EXPECT_LACKS("web");
	SHOW("stats", "-r", "bd", "-t", file_path("table"));
	EXPECT_DONE();
	EXPECT_HAS("no such rule");
}
