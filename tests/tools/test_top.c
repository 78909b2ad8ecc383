/* test_top.c - `portshim top`, plain and on a terminal. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "tests/tools/show.h"
#include "tools/policy_file.h"

TestSuite(top, .init = world_enter, .fini = world_leave, .timeout = 120);

static unsigned occurrences(const char *words)
{
	unsigned n = 0;
	for (const char *at = shown.out; (at = strstr(at, words)) != NULL; at++)
		n++;
	return n;
}

Test(top, plain_pictures_one_after_the_other)
{
	struct table *table = table_in_file(file_path("table"));
	uint32_t rule = made_rule(table, "web", 0, PORTS(20000, 20099));
	made_claim(table, PROTOCOL_TCP, NULL, 20001, rule);
	tcp_socket(20050, 0);
	made_rule(table, "large", 0, PORTS(1024, 65535));
	SHOW("top", "-b", "-n", "2", "-d", "0.1", "-t", file_path("table"));
	EXPECT_DONE();
	cr_expect_eq(occurrences("portshim top "), 2);
	EXPECT_ROW("web", "100", "2", "98", "0", "0", "-", "0", "-", "0", "0", "1 port");
	EXPECT_ROW("web", "100", "2", "98", "0", "0", "0.0", "0", "0.0", "0", "0", "1 port");
	EXPECT_ROW("large", "64512", "2", "64510", "0", "0", "0.0", "0", "0.0", "0", "0", "162 ports");
	EXPECT_HAS("20000 .#................................................\n");
	EXPECT_HAS("20050 x.................................................\n");
	expect_no_control(shown.out);
	SHOW("top", "-n", "1", "-t", file_path("table"));
	cr_expect_eq(occurrences("portshim top "), 1);
}

Test(top, rates_are_those_since_the_picture_before)
{
	struct table *table = table_in_file(file_path("table"));
	struct table_rule *entry = rules_entry(table, made_rule(table, "web", 0, PORTS(20000, 20009)));
	const char *argv[] = { built("portshim"), "top", "-b", "-n", "2", "-d", "1", "-t", file_path("table"), NULL };
	shown = (struct run){ .bare = true };
	run_start(&shown, argv);
	for (struct pollfd out = { .fd = shown.out_fd, .events = POLLIN }; poll(&out, 1, DEADLINE_MS) == 0;)
		cr_assert_fail("no picture");
	atomic_store(&entry->given, 100);
	run_end(&shown);
	EXPECT_DONE();
	const char *row = strrchr(shown.out, 'w');
	cr_assert(row);
	double rate = 0;
	cr_expect_eq(sscanf(row, "web 10 0 10 0 100 %lf", &rate), 1, "%s", row);
	cr_expect(rate > 50 && rate <= 100, "%f", rate);
}

Test(top, without_a_table_it_waits_for_one)
{
	SHOW("top", "-b", "-n", "1");
	EXPECT_DONE();
	EXPECT_HAS("no table: ");
}

Test(top, the_rules_of_a_policy)
{
	char text[256];
	struct policy_file loaded;
	struct table *table = table_in_file(file_path("table"));
	made_rule(table, "other", 0, PORTS(20100, 20109));
	snprintf(text, sizeof(text), "[portshim]\ntable = %s\n[rule web]\nports = 20000-20009\n", file_path("table"));
	const char *config = file_make("policy", text);
	cr_assert(policy_file_load(&loaded, config, NULL, NULL));
	rules_number(table, &loaded.policy.rule[0]);
	policy_file_free(&loaded);
	SHOW("top", "-b", "-n", "1", "-c", config);
	EXPECT_DONE();
	EXPECT_ROW("web", "10", "0", "10");
	EXPECT_LACKS("\nother");
	EXPECT_HAS("\n1 other rule of this table, without -c\n");
}

Test(top, all_tables_at_once)
{
	static const char hint[] = "2 tables of other users: portshim top -a\n";
	made_rule(table_in_file("/dev/shm/portshim-1000-3." TABLE_VERSION), "mail", 0, PORTS(21000, 21009));
	made_rule(table_in_file("/dev/shm/portshim-1001-7b." TABLE_VERSION), "web", 0, PORTS(20000, 20009));
	SHOW("top", "-b", "-n", "1");
	EXPECT_DONE();
	EXPECT_HAS(hint);
	SHOW("top", "-b", "-n", "2", "-d", "0.1", "-a");
	EXPECT_DONE();
	cr_expect_eq(occurrences("portshim top "), 4);
	EXPECT_ROW("mail", "10", "0", "10", "0", "0", "0.0", "0", "0.0", "0", "0", "1 port");
	EXPECT_ROW("web", "10", "0", "10", "0", "0", "0.0", "0", "0.0", "0", "0", "1 port");
	EXPECT_LACKS(hint);
	SHOW("top", "-a", "-t", "x");
	EXPECT_SAID(2, "--config, --table and --all exclude each other");
}

Test(top, random_bytes_are_shown_as_words)
{
	struct table *table = table_in_file(file_path("table"));
	made_random(table, 3);
	SHOW("top", "-b", "-n", "1", "-t", file_path("table"));
	EXPECT_DONE();
	expect_no_control(shown.out);
}

Test(top, wrong_usage_is_2)
{
	static const char *const wrong[][2] = {
		{ "-n", "0" }, { "-n", "-1" }, { "-n", "x" }, { "-d", "0" }, { "-d", "nan" }, { "-d", "1x" },
		{ "-d", "1e99" }, { "-d", "" },
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		SHOW("top", wrong[i][0], wrong[i][1]);
		EXPECT_SAID(2, "see 'portshim top --help'");
	}
	SHOW("top", "x");
	EXPECT_SAID(2, "it takes no argument: x");
	SHOW("top", "-t", "x", "-c", "y");
	EXPECT_SAID(2, "exclude each other");
	SHOW("top", "-t", file_path("missing"));
	EXPECT_SAID(1, "no such file");
}

/* ---- on a terminal --------------------------------------------------------------------------------- */

struct terminal {
	int fd;
	pid_t pid;
	char text[1 << 16];
	size_t length;
};

static struct terminal terminal;

static void terminal_start(const char *const argv[])
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	terminal.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert(terminal.fd >= 0 && grantpt(terminal.fd) == 0 && unlockpt(terminal.fd) == 0);
	cr_assert_eq(ioctl(terminal.fd, TIOCSWINSZ, &size), 0);
	terminal.pid = fork();
	if (terminal.pid == 0) {
		setsid();
		int fd = open(ptsname(terminal.fd), O_RDWR); /* the first: it becomes the controlling one */
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		execv(argv[0], (char *const *)(size_t)argv);
		_exit(127);
	}
	cr_assert(terminal.pid > 0);
}

/* Reads until the words have come, from `from` on; where they end. */
static size_t terminal_until(const char *words, size_t from)
{
	for (const char *at; !(at = strstr(terminal.text + from, words));) {
		struct pollfd output = { .fd = terminal.fd, .events = POLLIN };
		cr_assert_eq(poll(&output, 1, DEADLINE_MS), 1, "'%s' does not come: %s", words, terminal.text + from);
		ssize_t length = read(terminal.fd, terminal.text + terminal.length,
		                      sizeof(terminal.text) - 1 - terminal.length);
		cr_assert(length > 0, "the end comes before '%s': %s", words, terminal.text + from);
		terminal.length += (size_t)length;
	}
	return (size_t)(strstr(terminal.text + from, words) - terminal.text) + strlen(words);
}

/* The terminal is as it was, and the exit code 0. */
static void terminal_end(size_t from)
{
	struct termios keys;
	int status;
	terminal_until("\033[?25h\033[?1049l", from);
	cr_assert_eq(waitpid(terminal.pid, &status, 0), terminal.pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	cr_expect_eq(tcgetattr(terminal.fd, &keys), 0);
	cr_expect(keys.c_lflag & ICANON && keys.c_lflag & ECHO);
}

static size_t top_start(void)
{
	struct table *table = table_in_file(file_path("table"));
	made_claim(table, PROTOCOL_TCP, NULL, 20001, made_rule(table, "web", 0, PORTS(20000, 20099)));
	terminal_start((const char *const[]){ built("portshim"), "top", "-d", "60", "-t", file_path("table"), NULL });
	terminal_until("\033[?1049h", 0);
	return terminal_until("\033[J", 0);
}

Test(top, q_gives_the_terminal_back)
{
	unsetenv("NO_COLOR");
	size_t at = top_start();
	cr_expect(strstr(terminal.text, "\033[0;1;32m#"), "%s", terminal.text);
	cr_assert_eq(write(terminal.fd, "q", 1), 1);
	terminal_end(at);
}

Test(top, a_signal_gives_the_terminal_back)
{
	setenv("NO_COLOR", "1", 1);
	size_t at = top_start();
	cr_expect(strstr(terminal.text, "20000 .#...."), "%s", terminal.text);
	cr_expect_not(strstr(terminal.text, "\033[0;"));
	kill(terminal.pid, SIGTERM);
	terminal_end(at);
}

Test(top, control_c_gives_the_terminal_back)
{
	size_t at = top_start();
	cr_assert_eq(write(terminal.fd, "\003", 1), 1);
	terminal_end(at);
}

Test(top, another_size_and_the_space_bar_draw_again)
{
	const struct winsize size = { .ws_row = 10, .ws_col = 30 };
	setenv("NO_COLOR", "1", 1);
	size_t at = top_start();
	cr_expect(strstr(terminal.text, "  FAILURES/S  "), "%s", terminal.text);
	cr_assert_eq(ioctl(terminal.fd, TIOCSWINSZ, &size), 0);
	size_t again = terminal_until("\033[J", at);
	cr_expect_not(strstr(terminal.text + at, "FAILURES/S"), "%s", terminal.text + at);
	cr_assert_eq(write(terminal.fd, " ", 1), 1);
	again = terminal_until("\033[J", again);
	cr_assert_eq(write(terminal.fd, "q", 1), 1);
	terminal_end(again);
}

Test(top, job_control_stops_it_and_goes_on)
{
	int status;
	size_t at = top_start();
	cr_assert_eq(write(terminal.fd, "\032", 1), 1);
	at = terminal_until("\033[?1049l", at);
	cr_assert_eq(waitpid(terminal.pid, &status, WUNTRACED), terminal.pid);
	cr_assert(WIFSTOPPED(status));
	kill(terminal.pid, SIGCONT);
	at = terminal_until("\033[?1049h", at);
	at = terminal_until("\033[J", at);
	cr_assert_eq(write(terminal.fd, "q", 1), 1);
	terminal_end(at);
}
