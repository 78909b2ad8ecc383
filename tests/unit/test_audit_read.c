/* test_audit_read.c - lines of the audit file: whole ones, those that were cut short, foreign ones, hostile ones. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/policy.h"
#include "tools/audit_read.h"
#include "tools/when.h"

TestSuite(audit_read, .timeout = 120);

#define STAMP "2026-11-25T04:30:12.123456Z"
#define MOMENT INT64_C(1795581012123456)
#define LINE(port) "{\"time\":\"" STAMP "\",\"event\":\"assigned\",\"rule\":\"web\",\"pid\":123,"                 \
	"\"program\":\"/usr/bin/curl\",\"user\":1000,\"call\":\"connect\",\"protocol\":\"tcp\","                   \
	"\"local_address\":\"10.20.0.1\",\"local_port\":" #port ",\"remote_address\":\"10.20.0.5\","               \
	"\"remote_port\":443}"

static struct audit_reader reader;
static struct audit_entry entry;

static void begin(const char *bytes, size_t length)
{
	int fd = memfd_create("audit", MFD_CLOEXEC);
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, bytes, length), (ssize_t)length);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	audit_begin(&reader, fd);
}

static void end(void)
{
	cr_expect_eq(audit_next(&reader, &entry), 0);
	audit_end(&reader);
	close(reader.fd);
}

/* The ports of all entries, "20000 20001 ", and how many pieces were none. */
static void expect_ports(const char *text, const char *ports, uint64_t foreign)
{
	char seen[256] = "";
	size_t length = 0;
	begin(text, strlen(text));
	while (audit_next(&reader, &entry) == 1 && length < sizeof(seen) - 8)
		length += (size_t)snprintf(seen + length, sizeof(seen) - length, "%u ", entry.port);
	cr_expect_str_eq(seen, ports, "'%s' of %s", seen, text);
	cr_expect_eq(reader.foreign, foreign, "%d foreign in %s", (int)reader.foreign, text);
	end();
}

Test(audit_read, a_line_is_an_entry)
{
	begin(LINE(20017) "\n", strlen(LINE(20017) "\n"));
	cr_assert_eq(audit_next(&reader, &entry), 1);
	cr_expect_eq(entry.moment, MOMENT);
	cr_expect_eq(entry.event, AUDIT_ASSIGNED);
	cr_expect_str_eq(entry.rule, "web");
	cr_expect_str_eq(entry.program, "/usr/bin/curl");
	cr_expect_str_eq(entry.local, "10.20.0.1");
	cr_expect_str_eq(entry.remote, "10.20.0.5");
	cr_expect_eq(entry.pid, 123);
	cr_expect_eq(entry.user, 1000);
	cr_expect_eq(entry.port, 20017);
	cr_expect_eq(entry.remote_port, 443);
	cr_expect_eq(entry.protocol, PROTOCOL_TCP);
	cr_expect_eq(entry.call, CALL_CONNECT);
	end();
}

Test(audit_read, keys_may_come_in_any_order_and_others_may_be_added)
{
	static const char line[] = " { \"remote_port\" : null , \"later\":{\"a\":[1,{\"b\":\"}\\\"\"}]}, \"local_port\": 7,"
		"\"call\":\"listen\",\"remote_address\":null,\"local_address\":null,\"protocol\":\"mptcp\",\"x\":[],\"y\":-1.5e3,"
		"\"z\":true,\"event\":\"refused\",\"time\":\"2026-11-25T05:30:12.123456+01:00\"}\r\n";
	begin(line, strlen(line));
	cr_assert_eq(audit_next(&reader, &entry), 1);
	cr_expect_eq(entry.moment, MOMENT);
	cr_expect_eq(entry.event, AUDIT_REFUSED);
	cr_expect_eq(entry.port, 7);
	cr_expect_eq(entry.call, CALL_LISTEN);
	cr_expect_eq(entry.protocol, 0);
	cr_expect_null(entry.local);
	cr_expect_null(entry.remote);
	cr_expect_eq(entry.remote_port, 0);
	cr_expect_eq(entry.user, UINT32_MAX);
	cr_expect_str_empty(entry.rule);
	cr_expect_str_empty(entry.program);
	cr_expect_eq(reader.foreign, 0);
	end();
}

static void expect_program(const char *json, const char *words)
{
	char line[512];
	int length = snprintf(line, sizeof(line), "{\"program\":\"%s\",\"time\":\"" STAMP "\",\"event\":\"assigned\","
	                      "\"local_port\":1}", json);
	begin(line, (size_t)length);
	cr_assert_eq(audit_next(&reader, &entry), 1, "%s", json);
	cr_expect_str_eq(entry.program, words, "%s", json);
	end();
}

Test(audit_read, strings_are_unescaped)
{
	expect_program("/a\\\"b\\\\c\\/d", "/a\"b\\c/d");
	expect_program("\\b\\f\\n\\r\\t", "\b\f\n\r\t");
	expect_program("\\u0041\\u00e4\\u20AC\\ud83d\\ude00", "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	expect_program("\\ud83d!\\ude00", "\xef\xbf\xbd!\xef\xbf\xbd");
	expect_program("a\\u0000b", "a?b");
	expect_program("\\u12", "?12");
	expect_program("\\uGGGGx", "?GGGGx");
	expect_program("\\x", "?");
	expect_program("{\\\"time\\\":1}", "{\"time\":1}");
	expect_program("", "");
}

/* A NUL in the file does not end the words before it is looked at. */
Test(audit_read, a_nul_is_a_character_like_others)
{
	static const char line[] = "{\"rule\":\"a\0b\",\"time\":\"" STAMP "\",\"event\":\"assigned\",\"local_port\":1}\0\n" LINE(2);
	begin(line, sizeof(line) - 1);
	cr_assert_eq(audit_next(&reader, &entry), 1);
	cr_expect_str_eq(entry.rule, "a?b");
	cr_assert_eq(audit_next(&reader, &entry), 1);
	cr_expect_eq(entry.port, 2);
	cr_expect_eq(reader.foreign, 1);
	end();
}

Test(audit_read, what_is_no_entry_is_counted_and_passed_over)
{
	expect_ports("", "", 0);
	expect_ports("\n\n \r\n", "", 0);
	expect_ports("Nov 25 10:42:07 host kernel: {\"x\":1}\n" LINE(1) "\n", "1 ", 1);
	expect_ports("{}\n[]\n\"\"\n" LINE(1) "\n", "1 ", 3);
	expect_ports("{\"time\":\"" STAMP "\",\"event\":\"assigned\"}\n" LINE(1), "1 ", 1);
	expect_ports("{\"time\":\"" STAMP "\",\"event\":\"assigned\",\"local_port\":0}\n" LINE(1), "1 ", 1);
	expect_ports("{\"time\":\"" STAMP "\",\"event\":\"assigned\",\"local_port\":65536}\n" LINE(1), "1 ", 1);
	expect_ports("{\"time\":\"" STAMP "\",\"event\":\"assigned\",\"local_port\":\"5\"}\n" LINE(1), "1 ", 1);
	expect_ports("{\"time\":\"yesterday\",\"event\":\"assigned\",\"local_port\":5}\n" LINE(1), "1 ", 1);
	expect_ports("{\"time\":\"" STAMP "\",\"event\":\"other\",\"local_port\":5}\n" LINE(1), "1 ", 1);
}

/* Wherever it was cut, the lines before and behind it are read. */
Test(audit_read, a_line_that_was_cut_short_costs_itself_alone)
{
	static const char whole[] = LINE(20017);
	char text[2048];
	for (int cut = 1; cut < (int)strlen(whole); cut++) {
		snprintf(text, sizeof(text), LINE(1) "\n%.*s\n" LINE(2) "\n", cut, whole);
		expect_ports(text, "1 2 ", 1);
		snprintf(text, sizeof(text), LINE(1) "\n%.*s" LINE(2) "\n" LINE(3), cut, whole);
		expect_ports(text, "1 2 3 ", 1);
		snprintf(text, sizeof(text), LINE(1) "\n%s\n" LINE(2) "\n", whole + cut);
		expect_ports(text, "1 2 ", 1);
		snprintf(text, sizeof(text), LINE(1) "\n%.*s", cut, whole);
		expect_ports(text, "1 ", 1);
	}
	expect_ports(LINE(1) LINE(2) LINE(3) "\n", "1 2 3 ", 0);
}

/* Each takes time that grows with its length, and no more; and the next line is read. */
Test(audit_read, hostile_lines_are_passed_over)
{
	static const char *const repeated[] = { "{", "{\"", "{\"a\":", "[", "\"", "\\", "{\"a\":{\"", "{\"a\":[1,", "{\"a\":1}", "," };
	size_t room = 8 << 20;
	char *text = malloc(room + sizeof(LINE(1)) + 1);
	cr_assert(text);
	for (size_t i = 0; i < sizeof(repeated) / sizeof(*repeated); i++)
		for (size_t length = AUDIT_LINE_MAX - 100; length <= room; length *= 130) {
			size_t at = 0;
			for (size_t step = strlen(repeated[i]); at + step < length; at += step)
				memcpy(text + at, repeated[i], step);
			at += (size_t)sprintf(text + at, "\n" LINE(1));
			begin(text, at);
			cr_assert_eq(audit_next(&reader, &entry), 1, "%s", repeated[i]);
			cr_expect_eq(entry.port, 1);
			cr_expect_gt(reader.foreign, 0);
			end();
		}
	free(text);
}

Test(audit_read, lines_as_long_as_can_be_are_read_and_longer_ones_are_not)
{
	static const char head[] = "{\"time\":\"" STAMP "\",\"event\":\"assigned\",\"local_port\":1,\"program\":\"", tail[] = "\"}\n";
	for (int over = -1; over <= 1; over++) {
		size_t fill = AUDIT_LINE_MAX - (sizeof(head) - 1) - (sizeof(tail) - 2) + (size_t)over;
		char *text = malloc(AUDIT_LINE_MAX + 2048);
		cr_assert(text);
		memcpy(text, head, sizeof(head) - 1);
		memset(text + sizeof(head) - 1, 'x', fill);
		strcpy(text + sizeof(head) - 1 + fill, "\"}\n" LINE(2) "\n");
		expect_ports(text, over > 0 ? "2 " : "1 2 ", over > 0);
		free(text);
	}
}

/* Many lines, that come in pieces as a pipe has them. */
Test(audit_read, a_pipe_is_read_as_a_file_is)
{
	int end_of[2];
	uint64_t n = 0, sum = 0;
	cr_assert_eq(pipe(end_of), 0);
	if (fork() == 0) {
		close(end_of[0]);
		for (int i = 1; i <= 20000; i++)
			dprintf(end_of[1], "{\"time\":\"" STAMP "\",\"event\":\"assigned\",\"local_port\":%d}\n", i);
		_exit(0);
	}
	close(end_of[1]);
	audit_begin(&reader, end_of[0]);
	for (; audit_next(&reader, &entry) == 1; n++)
		sum += entry.port;
	cr_expect_eq(n, 20000);
	cr_expect_eq(sum, UINT64_C(200010000));
	cr_expect_eq(reader.foreign, 0);
	audit_end(&reader);
}

Test(audit_read, what_cannot_be_read_is_an_error)
{
	audit_begin(&reader, -1);
	cr_expect_lt(audit_next(&reader, &entry), 0);
	audit_end(&reader);
}

/* Bytes that nobody chose, and a line behind them. */
Test(audit_read, random_bytes_do_no_harm)
{
	static char text[300000];
	srand(7);
	for (int round = 0; round < 20; round++) {
		static const char alphabet[] = "{}[]\",:\\u0123456789abcdef\n\xff \"\"{{";
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		memcpy(text + sizeof(text) - sizeof(LINE(9)) - 1, "\n" LINE(9), sizeof(LINE(9)));
		text[sizeof(text) - 1] = '\n';
		uint16_t last = 0;
		begin(text, sizeof(text));
		while (audit_next(&reader, &entry) == 1)
			last = entry.port;
		cr_expect_eq(last, 9);
		end();
	}
}
