/* test_report.c - `portshim report`: its figures against another count of the same lines, its picture and its page against what
 * reads them, hostile names, files that are whole or not there. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/tools/audit_made.h"
#include "tests/tools/show.h"

static void enter(void)
{
	world_enter();
	setenv("TZ", "UTC", 1);
}

TestSuite(report, .init = enter, .fini = world_leave, .timeout = 120);

#define XMLLINT "/usr/bin/xmllint"

static void expect_python(const char *lines, const char *name)
{
	char program[6000];
	snprintf(program, sizeof(program), "import json, os, re\nfolder = os.path.dirname('%s') + '/'\n"
	         "def text(name): return open(folder + name, encoding='utf-8').read()\n%s\n", file_path(name), lines);
	show_run((const char *const[]){ PYTHON, "-c", program, NULL });
	cr_expect(exited(&shown, 0), "%s\n%s", lines, shown.err);
}

/* The policy that the command finds by itself. */
static const char *usual_policy; /* NULL: there is none */

/* The figures as JSON in the file `report.json`: they may be more than a run keeps. */
static void figures(const char *options)
{
	char line[1024];
	snprintf(line, sizeof(line), "%s%s exec %s report --json %s >%s", usual_policy ? "PORTSHIM_CONF=" : "",
	         usual_policy ? usual_policy : "",
	         built("portshim"), options, file_path("report.json"));
	show_run((const char *const[]){ "/bin/sh", "-c", line, NULL });
	EXPECT_DONE();
}

/* What python3 says of them, `r`. */
static void expect_figures(const char *expression)
{
	char lines[1024];
	snprintf(lines, sizeof(lines), "r = json.loads(text('report.json'))\nassert %s, r", expression);
	expect_python(lines, "report.json");
}

static void expect_well_formed(const char *path)
{
	show_run((const char *const[]){ XMLLINT, "--noout", "--nonet", path, NULL });
	EXPECT_DONE();
}

/* ---- figures ----------------------------------------------------------------------------------------- */

/* `n` lines spread over `seconds`, not in order: of three rules, eleven programs, four users; each 17th is refused as well. */
static const char *many(const char *name, unsigned n, unsigned seconds)
{
	FILE *to = fopen(file_path(name), "we");
	cr_assert(to);
	for (unsigned i = 0; i < n; i++) {
		static const char *const rules[] = { "web", "db", "mail" };
		char when[40], program[32];
		unsigned at = (unsigned)((uint64_t)i * 7919 % seconds);
		snprintf(when, sizeof(when), "2026-11-%02uT%02u:%02u:%02u.%06uZ", 10 + at / 86400, at / 3600 % 24, at / 60 % 60, at % 60,
		         i % 1000000);
		snprintf(program, sizeof(program), "/usr/bin/p%u", i * 5 % 11);
		struct made line = { .time = when, .rule = rules[i % 7 % 3], .program = program, .user = 1 + i % 4,
		                     .port = 20000 + i * 31 % 977 };
		made_line(to, &line);
		line.event = "refused";
		if (i % 17 == 0)
			made_line(to, &line);
	}
	cr_assert_eq(fclose(to), 0);
	return file_path(name);
}

#define COUNT_AGAIN                                                                                                    \
	"from datetime import datetime, timezone\nfrom collections import Counter\n"                                    \
	"def at(t): return datetime.fromisoformat(t.replace('Z', '+00:00')).timestamp()\n"                              \
	"r = json.loads(text('report.json'))\n"                                                                        \
	"lines = [json.loads(l) for l in text('audit').splitlines()]\n"                                                \
	"lines = [l for l in lines if lo <= at(l['time']) < hi]\n"                                                      \
	"assert r['interval'] == interval and r['lines'] == len(lines) and r['passed_over'] == 0, r['interval']\n"      \
	"assert [x['rule'] for x in r['rules']] == sorted({l['rule'] for l in lines}) and len(r['rules']) == 3\n"        \
	"for x in r['rules']:\n"                                                                                       \
	"    own = [l for l in lines if l['rule'] == x['rule']]\n"                                                      \
	"    got = [l for l in own if l['event'] == 'assigned']\n"                                                      \
	"    assert x['assignments'] == len(got) and x['refused'] == len(own) - len(got) > 0\n"                         \
	"    assert x['different_ports'] == len({l['local_port'] for l in got})\n"                                      \
	"    assert {p['program']: p['assignments'] for p in x['programs']} == Counter(l['program'] for l in got)\n"    \
	"    assert {u['user']: u['assignments'] for u in x['users']} == Counter(l['user'] for l in got)\n"             \
	"    for names in (x['programs'], x['users']):\n"                                                               \
	"        assert names == sorted(names, key=lambda n: -n['assignments']), names\n"                               \
	"    assert x['other_programs'] == x['other_users'] == 0\n"                                                    \
	"    top = [p['program'] for p in x['programs'][:6]]\n"                                                        \
	"    per = {}\n"                                                                                               \
	"    for l in own: per.setdefault(int(at(l['time']) // interval * interval), []).append(l)\n"                   \
	"    assert len(x['intervals']) <= 200\n"                                                                      \
	"    for i in x['intervals']:\n"                                                                               \
	"        here = per.pop(int(at(i['time'])), [])\n"                                                             \
	"        good = [l for l in here if l['event'] == 'assigned']\n"                                               \
	"        assert (i['assignments'], i['refused']) == (len(good), len(here) - len(good)), i\n"                    \
	"        assert i['different_ports'] == len({l['local_port'] for l in good}), i\n"                              \
	"        by = [sum(l['program'] == p for l in good) for p in top]\n"                                           \
	"        assert i['programs'] == by + [len(good) - sum(by)], i\n"                                              \
	"    assert not per, per\n"                                                                                    \
	"    most = max(i['assignments'] for i in x['intervals'])\n"                                                   \
	"    assert x['busiest'] == next({'time': i['time'], 'assignments': most} for i in x['intervals'] if i['assignments'] == most)\n" \
	"    most = max(i['different_ports'] for i in x['intervals'])\n"                                               \
	"    assert x['fullest'] == next({'time': i['time'], 'different_ports': most} for i in x['intervals'] if i['different_ports'] == most)\n"

Test(report, figures_are_those_of_the_lines)
{
	static const struct { unsigned seconds; const char *interval; } spans[] = {
		{ 150, "1" }, { 3000, "30" }, { 86400, "900" }, { 20 * 86400, "21600" },
	};
	for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
		char options[300], lines[6000];
		snprintf(options, sizeof(options), "--audit %s", many("audit", 6000, spans[i].seconds));
		figures(options);
		snprintf(lines, sizeof(lines), "lo, hi, interval = 0, 1e12, %s\n" COUNT_AGAIN, spans[i].interval);
		expect_python(lines, "audit");
	}
}

Test(report, figures_of_a_time)
{
	char options[400];
	snprintf(options, sizeof(options), "--audit %s --from '2026-11-12 06:00' --to '2026-11-12 08:29'",
	         many("audit", 60000, 5 * 86400));
	figures(options);
	expect_python("lo, hi, interval = 1794463200, 1794472200, 60\n" COUNT_AGAIN
	              "assert r['from'] == '2026-11-12T06:00:00.000000Z' and r['to'] == '2026-11-12T08:29:59.999999Z', r['to']\n"
	              "assert len(r['rules'][0]['intervals']) == 150", "audit");
	expect_figures("r['lines'] + r['lines_of_other_times'] == 60000 + 60000 // 17 + 1 and r['lines_of_other_rules'] == 0");
	snprintf(options, sizeof(options), "--audit %s --from 2026-11-12 --to 2026-11-12 --rule=db", file_path("audit"));
	figures(options);
	expect_figures("[x['rule'] for x in r['rules']] == ['db'] and len(r['rules'][0]['intervals']) == 96");
}

/* The size of a set is the policy's; ports that it no longer has are told. */
Test(report, sets_of_the_policy)
{
	char policy[400], options[300];
	AUDIT("audit", { .port = 20000 }, { .port = 20001 }, { .port = 20001 }, { .port = 30000 }, { .rule = "gone", .port = 7 });
	snprintf(policy, sizeof(policy), "[portshim]\ntable = none\naudit = %s\n[rule first]\nports = 1-3\n[rule web]\nports = 20000-20003\n"
	         "[rule no]\nprogram = x\naction = deny\n", file_path("audit"));
	snprintf(options, sizeof(options), "-c %s", file_make("policy", policy));
	figures(options);
	expect_figures("[(x['rule'], x['ports'], x['different_ports'], x['outside_set'], x['now']) for x in r['rules']] =="
	               " [('web', 4, 3, 1, None), ('gone', None, 1, None, None)] and r['idle'] == ['first'] and r['table'] is None"
	               " and r['now'] is None");
	SHOW("report", "-c", file_path("policy"), "-o", "-");
	EXPECT_DONE();
	EXPECT_HAS("ports that are not in the set (now): 1");
	EXPECT_HAS("3 (75.0 % of the set)");
	EXPECT_HAS(">4 in the set<");
	EXPECT_HAS("Rules of the policy of whose use nothing is known in this time: first.");
}

/* ---- files -------------------------------------------------------------------------------------------- */

Test(report, rotated_files_are_one)
{
	char policy[300], options[300];
	AUDIT("audit", { .time = "2026-11-25T12:00:00Z" });
	AUDIT("audit.1", { .time = "2026-11-25T11:00:00Z" }, { .time = "2026-11-25T11:30:00Z" });
	AUDIT("audit-20261124", { .time = "2026-11-24T12:00:00Z" });
	snprintf(policy, sizeof(policy), "[portshim]\ntable = none\naudit = %s\n[rule web]\nports = 20000-20003\n", file_path("audit"));
	snprintf(options, sizeof(options), "-c %s", file_make("policy", policy));
	figures(options);
	expect_figures("r['rules'][0]['assignments'] == 4 and len(r['audit']) == 3 and r['from'] == '2026-11-24T12:00:00.000000Z'");
	snprintf(options, sizeof(options), "--audit %s --audit %s", file_path("audit"), file_path("audit.1"));
	figures(options);
	expect_figures("r['rules'][0]['assignments'] == 3 and r['from'] == '2026-11-25T11:00:00.000000Z'");
}

Test(report, a_pipe_is_read_once)
{
	char line[600];
	many("audit", 5000, 86400);
	snprintf(line, sizeof(line), "cat %s | %s report --json --audit /dev/stdin >%s", file_path("audit"), built("portshim"),
	         file_path("report.json"));
	show_run((const char *const[]){ "/bin/sh", "-c", line, NULL });
	EXPECT_DONE();
	expect_python("lo, hi, interval = 0, 1e12, 900\n" COUNT_AGAIN, "audit");
}

Test(report, picture_and_figures_in_one)
{
	SHOW("report", "--audit", many("audit", 500, 3600), "--json", "-o", file_path("report.svg"));
	EXPECT_DONE();
	EXPECT_HAS("\"lines\": 530");
	expect_well_formed(file_path("report.svg"));
}

Test(report, nothing_is_left_half)
{
	char line[400];
	const char *audit = AUDIT("audit", { .port = 20000 });
	SHOW("report", "--audit", audit, "-o", file_path("there/is/none.svg"));
	EXPECT_SAID(1, "none.svg cannot be written: No such file or directory");
	file_make("old.svg", "old");
	snprintf(line, sizeof(line), "ulimit -f 1; trap '' XFSZ; exec %s report --audit %s -o %s", built("portshim"), audit,
	         file_path("old.svg"));
	show_run((const char *const[]){ "/bin/sh", "-c", line, NULL });
	EXPECT_SAID(1, "old.svg cannot be written: File too large");
	expect_python("assert text('old.svg') == 'old' and sorted(os.listdir(folder)) == ['audit', 'old.svg'], os.listdir(folder)", "old.svg");
	SHOW("report", "--audit", audit, "-o", file_path("old.svg"));
	EXPECT_DONE();
	expect_well_formed(file_path("old.svg"));
	SHOW("report", "--audit", audit, "-o", "-");
	EXPECT_DONE();
	cr_expect_eq(strncmp(shown.out, "<?xml", 5), 0);
	SHOW("report", "--audit", audit, "-o", "-", "--html");
	EXPECT_DONE();
	cr_expect_eq(strncmp(shown.out, "<!DOCTYPE html>", 15), 0);
}

/* For the same lines the same bytes. */
Test(report, the_same_again)
{
	static char first[65536];
	const char *audit = many("audit", 3000, 7200);
	SHOW("report", "--audit", audit, "-o", "-", "--rule", "db");
	EXPECT_DONE();
	strcpy(first, shown.out);
	SHOW("report", "--audit", audit, "-o", "-", "--rule", "db");
	EXPECT_DONE();
	cr_expect_str_eq(shown.out, first);
}

Test(report, large_files_take_little_memory)
{
	char line[600];
	many("audit", 300000, 19 * 86400);
	snprintf(line, sizeof(line), "ulimit -v 60000; exec %s report --audit %s -o %s", built("portshim"), file_path("audit"),
	         file_path("report.html"));
	show_run((const char *const[]){ "/bin/sh", "-c", line, NULL });
	EXPECT_DONE();
	expect_python("assert '300,000 assigned, 17,648 refused' in text('report.html')", "report.html");
}

/* ---- the picture and the page ------------------------------------------------------------------------ */

/* What a browser would make of it: no script, no event, no address; each text within the picture. */
#define HARMLESS                                                                                                       \
	"import xml.etree.ElementTree as tree\n"                                                                       \
	"def harmless(root):\n"                                                                                        \
	"    for e in root.iter():\n"                                                                                  \
	"        assert e.tag.split('}')[-1] in ('svg', 'title', 'style', 'rect', 'path', 'g', 'text'), e.tag\n"       \
	"        for key, value in e.attrib.items():\n"                                                                \
	"            assert not key.startswith('on') and 'href' not in key and 'url(' not in value, (key, value)\n"    \
	"        if e.tag.endswith('}style'): assert 'url' not in e.text and '@import' not in e.text\n"                \
	"        if e.tag.endswith('}text'):\n"                                                                        \
	"            assert 0 <= float(e.get('x')) <= 960 and float(e.get('y')) > 0\n"

Test(report, the_picture_stands_alone)
{
	SHOW("report", "--audit", many("audit", 5000, 86400), "-o", file_path("report.svg"));
	EXPECT_DONE();
	expect_well_formed(file_path("report.svg"));
	expect_python(HARMLESS
	              "root = tree.fromstring(text('report.svg'))\nharmless(root)\n"
	              "assert root.get('role') == 'img' and 'Use of local ports' in root.get('aria-label')\n"
	              "svg = '{http://www.w3.org/2000/svg}'\n"
	              "assert root.find(svg + 'title').text.startswith('Use of local ports, 2026-11-10 00:00 to 2026-11-10 23:59 (UTC)')\n"
	              "assert 'prefers-color-scheme:dark' in root.find(svg + 'style').text\n"
	              "panels = root.findall(svg + 'g')\nassert len(panels) == 3\n"
	              "for p in panels:\n"
	              "    layers = [e.get('class') for e in p.iter(svg + 'path') if re.fullmatch('c[0-5o]', e.get('class'))]\n"
	              "    assert len(layers) == 7 and len(set(layers)) == 7 and layers[0] == 'co', layers\n"
	              "    hover = [e for e in p.iter(svg + 'rect') if e.get('class') == 'h']\n"
	              "    assert len(hover) == 96 and all(' assigned, ' in e.find(svg + 'title').text for e in hover)\n"
	              "    words = [''.join(e.itertext()) for e in p.iter(svg + 'text')]\n"
	              "    assert any(w.startswith('5 others') for w in words) and '12:00' in words and '2026-11-10' in words, words\n",
	              "report.svg");
}

/* The bars are as high as their numbers: of each interval the layers stand above each other. */
Test(report, bars_are_as_high_as_their_numbers)
{
	const char *audit = AUDIT("audit", { .program = "/bin/a" }, { .program = "/bin/a" }, { .program = "/bin/a" }, { .program = "/bin/b" },
	                          { .time = "2026-11-25T10:42:01Z", .program = "/bin/b", .port = 20001 },
	                          { .time = "2026-11-25T10:42:01Z", .program = "/bin/a" });
	SHOW("report", "--audit", audit, "-o", "-");
	EXPECT_DONE();
	/* 110 for 4: b's layer from the ground up to 4 and 2, then a's before it, up to 3 and 1; different ports: 1 and 2 of 2 */
	file_make("report.svg", shown.out);
	expect_python("def heights(c): return re.findall('v-([0-9.]+)', re.search('class=\"%s\" d=\"(M[^\"]*)' % c, svg)[1])\n"
	              "svg = text('report.svg')\n"
	              "assert heights('c1') == ['110.00', '55.00'] and heights('c0') == ['82.50', '27.50'], svg\n"
	              "assert heights('d') == ['31.00', '62.00'], svg", "report.svg");
}

/* Its tables have what the JSON has; its pictures are harmless. */
Test(report, the_page_has_the_figures)
{
	char options[300];
	SHOW("report", "--audit", many("audit", 5000, 86400), "-o", file_path("report.html"));
	EXPECT_DONE();
	snprintf(options, sizeof(options), "--audit %s", file_path("audit"));
	figures(options);
	expect_python(HARMLESS
	              "page, r = text('report.html'), json.loads(text('report.json'))\n"
	              "parts = page.split('<section')[1:]\nassert len(parts) == len(r['rules']) + 1\n"
	              "def number(w): return int(w.replace(',', ''))\n"
	              "for part, x in zip(parts, r['rules']):\n"
	              "    svg = part[part.index('<svg'):part.index('</svg>') + 6]\n"
	              "    root = tree.fromstring(svg.replace('<svg ', '<svg xmlns=\"http://www.w3.org/2000/svg\" '))\n"
	              "    harmless(root)\n"
	              "    assert root.get('role') == 'img' and root.get('aria-label').endswith(' ' + x['rule'])\n"
	              "    rows = re.findall('<tr><td class=\"p\">(.*?)</td><td class=\"r\">(.*?)</td><td class=\"r\">(.*?) %</td></tr>', part)\n"
	              "    assert {n: number(c) for n, c, _ in rows if n[0] == '/'} =="
	              " {p['program']: p['assignments'] for p in x['programs']}, rows\n"
	              "    assert [number(c) for n, c, _ in rows if n[0] != '/'] == [u['assignments'] for u in x['users']], rows\n"
	              "    assert 198 < sum(float(p) for _, _, p in rows) <= 200, rows\n"
	              "    times = re.findall('<tr><td>2026-11-10 (..:..)</td><td class=\"r\">(.*?)</td><td class=\"r\">(.*?)</td>', part)\n"
	              "    assert times == [(i['time'][11:16], str(i['assignments']), str(i['different_ports'])) for i in x['intervals']], times\n",
	              "report.html");
}

/* Names that would be markup, that XML forbids, or that are longer than the picture is wide. */
static const char *hostile(void)
{
	char longest[4001];
	memset(longest, 'W', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	return AUDIT("audit", { .rule = "</title><script>alert(1)</script>", .program = "/tmp/<img src=x onerror=alert(1)>" },
	             { .rule = "a\\\"b'&amp;&", .program = "/bin/\\u001b[31m\\u0007\\u202e\\ufffe\\uffff" },
	             { .rule = "\xff\xc3(", .program = "/bin/\xed\xa0\x80" }, { .rule = longest, .program = longest },
	             { .rule = "", .program = "" }, { .rule = "]]>", .program = "--><!--" });
}

Test(report, hostile_names)
{
	SHOW("report", "--audit", hostile(), "-o", file_path("report.svg"));
	EXPECT_DONE();
	expect_well_formed(file_path("report.svg"));
	expect_python(HARMLESS "harmless(tree.fromstring(text('report.svg')))\n"
	              "assert not re.search('[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202e\\ufffe\\uffff]', text('report.svg'))\n"
	              "for t in re.findall('<text[^>]*>([^<]*)<', text('report.svg')): assert len(t) < 200, t", "report.svg");
	SHOW("report", "--audit", file_path("audit"), "-o", file_path("report.html"));
	EXPECT_DONE();
	expect_python("from html.parser import HTMLParser\n"
	              "class P(HTMLParser):\n"
	              "    def handle_starttag(self, tag, attrs):\n"
	              "        assert tag not in ('script', 'img', 'b', 'link', 'iframe') and not any(k.startswith('on') or k in"
	              " ('href', 'src') for k, v in attrs), (tag, attrs)\n"
	              "P(convert_charrefs=True).feed(text('report.html'))", "report.html");
	SHOW("report", "--audit", file_path("audit"), "--json");
	EXPECT_DONE();
	expect_no_control(shown.out);
	EXPECT_HAS("\"</title><script>alert(1)</script>\"");
}

/* ---- the present ------------------------------------------------------------------------------------- */

/* Without an audit that is all there is. */
Test(report, the_present_alone)
{
	char options[300];
	struct table *table = table_in_file(file_path("table"));
	const struct endpoint to = local_endpoint(1, 30000);
	tcp_socket(30000, 0);
	uint32_t rule = made_rule(table, "web<b>", 0, PORTS(20000, 20009));
	made_hold(table, PROTOCOL_TCP, &to, 20000, rule);
	made_hold(table, PROTOCOL_TCP, &to, 20001, rule);
	atomic_store(&rules_entry(table, rule)->failures, 12);
	made_rule(table, "db", 0, PORTS(21000, 21004));
	tcp_socket(20000, 30000);
	tcp_socket(20001, 30000);
	tcp_socket(20005, 30000); /* without the table */
	snprintf(options, sizeof(options), "-t %s", file_path("table"));
	figures(options);
	expect_figures("[(x['rule'], x['ports'], x['now']['in_use'], x['now']['failures'], x['now']['others']) for x in r['rules']] =="
	               " [('db', 5, 0, 0, 0), ('web<b>', 10, 3, 12, 1)] and r['from'] is None and r['audit'] == [] and r['checked']"
	               " and [p['ports'] for p in r['rules'][1]['now']['programs']] == [2]"
	               " and r['rules'][1]['now']['programs'][0]['program'].endswith('/test_report')");
	SHOW("report", "-t", file_path("table"), "-o", file_path("report.svg"));
	EXPECT_DONE();
	expect_well_formed(file_path("report.svg"));
	expect_python(HARMLESS "svg = text('report.svg')\nharmless(tree.fromstring(svg))\n"
	              "assert '3 of 10 ports in use (30.0 %), 0 cooling; since the table was made 12 calls failed' in svg\n"
	              "assert 'There is no audit, so what was used over time is not known' in svg\n"
	              "assert 'over time: not known: there is no audit' in svg\n"
	              "assert 'test_repo\u2026 2<title>' in svg", "report.svg");
	SHOW("report", "-t", file_path("table"), "-o", file_path("report.html"), "-r", "web<b>");
	EXPECT_DONE();
	expect_python("page = text('report.html')\nassert page.count('<svg') == 1 and 'TIME-WAIT and others' in page", "report.html");
}

/* A file that is named has nothing to do with the policy and the table that are here, unless they are named as well. */
Test(report, a_file_of_another_machine)
{
	char options[600];
	struct table *table = table_in_file(file_path("table"));
	made_rule(table, "web", 0, PORTS(20000, 20009));
	AUDIT("audit", { .port = 20000 });
	snprintf(options, sizeof(options), "[portshim]\ntable = %s\n[rule web]\nports = 20000-20006\n", file_path("table"));
	usual_policy = file_make("policy", options);
	figures("");
	expect_figures("r['table'] is not None and r['rules'][0]['now']['ports'] == 10 and r['audit'] == []");
	usual_policy = file_path("policy");
	snprintf(options, sizeof(options), "--audit %s", file_path("audit"));
	figures(options);
	expect_figures("r['table'] is None and r['rules'][0]['ports'] is None and r['rules'][0]['now'] is None");
	snprintf(options, sizeof(options), "--audit %s -c %s", file_path("audit"), file_path("policy"));
	figures(options);
	expect_figures("r['rules'][0]['ports'] == 7 and r['rules'][0]['now']['ports'] == 10");
	usual_policy = file_make("policy", "[rule");
	snprintf(options, sizeof(options), "--audit %s", file_path("audit"));
	figures(options); /* nor does a policy that is broken */
	expect_figures("r['rules'][0]['assignments'] == 1");
}

/* Traffic of programs under the library, by its own audit. */
Test(report, traffic)
{
	static struct run run;
	char policy[600], options[300];
	tcp_socket(30000, 0);
	tcp_socket(30001, 0);
	snprintf(policy, sizeof(policy), "[portshim]\ntable = %s\naudit = %s\n[rule one]\nto = *:30001\nports = 21000-21004\n"
	         "[rule web]\ncall = connect\nports = 20000-20019\n[rule never]\nports = 1-2\nto = *:1\n", file_path("table"),
	         file_path("audit"));
	run = (struct run){ .policy = policy };
	story_run(&run, (const char *const[]){ PYTHON, "-c", "import socket\n"
	          "held = [socket.create_connection(('127.0.0.1', 30000 + (i % 4 == 0))) for i in range(8)]\n"
	          "assert len({s.getsockname()[1] for s in held}) == 8", NULL });
	cr_assert(exited(&run, 0), "%s", run.err);
	run = (struct run){ .policy = policy };
	story_run(&run, (const char *const[]){ "/usr/bin/perl", "-MIO::Socket::INET", "-e",
	          "IO::Socket::INET->new(PeerAddr => '127.0.0.1:30000') or die", NULL });
	cr_assert(exited(&run, 0), "%s", run.err);
	snprintf(options, sizeof(options), "-c %s", file_make("policy", policy));
	figures(options);
	expect_figures("[(x['rule'], x['assignments'], x['ports'], x['outside_set']) for x in r['rules']] =="
	               " [('one', 2, 5, 0), ('web', 7, 20, 0)] and r['idle'] == ['never']"
	               " and [p['assignments'] for p in r['rules'][1]['programs']] == [6, 1]"
	               " and 'python' in r['rules'][1]['programs'][0]['program'] and 'perl' in r['rules'][1]['programs'][1]['program']"
	               " and r['rules'][1]['users'] == [{'user': 0, 'assignments': 7}] and r['passed_over'] == 0"
	               " and r['rules'][0]['different_ports'] == 2 and r['rules'][1]['now']['ports'] == 20");
	SHOW("report", "-c", file_path("policy"), "-o", file_path("report.svg"));
	EXPECT_DONE();
	expect_well_formed(file_path("report.svg"));
}

/* ---- what cannot be --------------------------------------------------------------------------------------- */

Test(report, nothing_to_show)
{
	char policy[300];
	SHOW("report", "-o", file_path("report.svg"));
	EXPECT_SAID(1, "nothing to show: there is no policy that says where the audit is, and no table; name it with --config, or the audit "
	            "itself with --audit");
	snprintf(policy, sizeof(policy), "[portshim]\ntable = none\n[rule web]\nports = 1\n");
	SHOW("report", "-o", file_path("report.svg"), "-c", file_make("policy", policy));
	EXPECT_SAID(1, "keeps no audit, and there is no table; put 'audit = PATH' into its section [portshim]");
	snprintf(policy, sizeof(policy), "[portshim]\ntable = none\naudit = %s\n[rule web]\nports = 1\n", file_path("audit"));
	SHOW("report", "-o", file_path("report.svg"), "-c", file_make("policy", policy));
	EXPECT_SAID(1, "nothing to show: there is no audit yet, nor a table");
	file_make("audit", "");
	SHOW("report", "-o", file_path("report.svg"), "-c", file_path("policy"));
	EXPECT_SAID(1, "nothing to show: the audit has no assignment yet");
	AUDIT("audit", { .port = 1 });
	SHOW("report", "-o", file_path("report.svg"), "-c", file_path("policy"), "--from", "2026-11-26");
	EXPECT_SAID(1, "nothing to show: the audit's assignments are from 2026-11-25 10:42:00.000000+00:00 to 2026-11-25 10:42:00.000000+00:00,"
	            " none of the time asked for");
	SHOW("report", "-o", file_path("report.svg"), "-c", file_path("policy"), "-r", "other");
	EXPECT_SAID(1, "no assignment of a rule of that name in the audit or the table: other");
	cr_expect_neq(access(file_path("report.svg"), F_OK), 0);
	SHOW("report", "-o", file_path("report.svg"), "--audit", file_path("none"));
	EXPECT_SAID(1, "none cannot be read: No such file or directory");
	file_make("audit", "nonsense\n");
	SHOW("report", "--json", "--audit", file_path("audit"));
	cr_expect(exited(&shown, 1));
	cr_expect(strstr(shown.err, "no line in it is one of an audit"), "%s", shown.err);
}

Test(report, wrong_usage)
{
	SHOW("report");
	EXPECT_SAID(2, "no file to write to; name one, as in 'portshim report -o report.svg'");
	SHOW("report", "-o", "report.png");
	EXPECT_SAID(2, "the name must end with .svg (a picture) or .html (a page with tables): report.png");
	SHOW("report", "-o", ".svg");
	EXPECT_SAID(2, "the name must end with .svg");
	SHOW("report", "-o", "report.svg", "--html");
	EXPECT_SAID(2, "--html writes a page, and this is the name of a picture: report.svg");
	SHOW("report", "--html", "--json");
	EXPECT_SAID(2, "--html needs -o");
	SHOW("report", "-o", "-", "--json");
	EXPECT_SAID(2, "--json and '-o -' both mean standard output");
	SHOW("report", "-o", "report.svg", "--from", "soon");
	EXPECT_SAID(2, "no time; write it as 2026-11-25T10:42:07Z");
	SHOW("report", "-o", "report.svg", "--to", "soon");
	EXPECT_SAID(2, "or '10 minutes ago': soon");
	SHOW("report", "-o", "report.svg", "--from", "2026-11-26", "--to", "2026-11-25");
	EXPECT_SAID(2, "--from is later than --to: 2026-11-26");
	SHOW("report", "-o", "report.svg", "web");
	EXPECT_SAID(2, "it takes no argument: web");
	SHOW("report", "-o");
	EXPECT_SAID(2, "a value is missing after -o");
	SHOW("report", "--png");
	EXPECT_SAID(2, "no such option: --png");
	cr_expect_neq(access("report.svg", F_OK), 0);
}
