/* test_audit.c - `audit = PATH`: a line for each port that is assigned, before it can be seen, and nothing of it in the
 * program. The lines are read by another reader of JSON, Python's. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/crowd.h"
#include "tests/lib/supervised.h"

#define AUDIT "audit = %s\n"
#define EARLY "[rule r]\nports = 20000-20099\n"
#define LATE "[rule r]\nports = 40500-40599\n"

TestSuite(audit, .init = world_enter, .fini = world_leave);

/* Reads the file of lines: each whole, with these keys in this order; then what is to hold of them (`a`; a line that is torn is
 * None, where argv[3] allows it). */
static const char check[] =
	"import json, sys, os, datetime\n"
	"KEYS = ['time', 'event', 'rule', 'pid', 'program', 'user', 'call', 'protocol', 'local_address',\n"
	"        'local_port', 'remote_address', 'remote_port']\n"
	"a = []\n"
	"raw = open(sys.argv[1], 'rb').read() if os.path.exists(sys.argv[1]) else b''\n"
	"torn = sys.argv[3] == 'torn'\n"
	"assert torn or raw == b'' or raw.endswith(b'\\n'), raw[-300:]\n"
	"for line in raw.splitlines():\n"
	"    try:\n"
	"        o = json.loads(line.decode('utf-8'))\n"
	"    except ValueError:\n"
	"        assert torn, line\n"
	"        a.append(None)\n"
	"        continue\n"
	"    assert list(o) == KEYS, o\n"
	"    assert len(o['time']) == 27, o\n"
	"    when = datetime.datetime.strptime(o['time'], '%Y-%m-%dT%H:%M:%S.%fZ').replace(tzinfo=datetime.timezone.utc)\n"
	"    age = datetime.datetime.now(datetime.timezone.utc) - when\n"
	"    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=5), o\n"
	"    assert o['event'] in ('assigned', 'refused'), o\n"
	"    a.append(o)\n"
	"assert eval(sys.argv[2]), (sys.argv[2], raw.decode('utf-8', 'replace'))\n";

static void lines_hold(const char *torn, const char *format, va_list list)
{
	static struct run run;
	char expression[2048];
	const char *argv[] = { PYTHON, file_make("check.py", check), file_path("audit"), expression, torn, NULL };

	cr_assert(vsnprintf(expression, sizeof(expression), format, list) < (int)sizeof(expression));
	run = (struct run){ .bare = true };
	run_program(&run, argv);
	cr_expect(exited(&run, 0), "%s", run.err);
}

static __attribute__((format(printf, 1, 2))) void expect(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	lines_hold("whole", format, list);
	va_end(list);
}

static __attribute__((format(printf, 1, 2))) void expect_of_torn(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	lines_hold("torn", format, list);
	va_end(list);
}

/* The policy with `audit` in it. One static buffer. */
static const char *audited(const char *rules)
{
	static char policy[512];

	snprintf(policy, sizeof(policy), "[portshim]\nlog = warning\n" AUDIT "%s", file_path("audit"), rules);
	return policy;
}

static void no_word(const struct run *run)
{
	cr_expect(exited(run, 0), "%x", run->status);
	cr_expect_str_empty(run->err, "%s", run->err);
	cr_expect_not(strstr(run->out, "errno changed"), "%s", run->out);
}

/* --- what stands there ---------------------------------------------------------------------------------------------- */

static void connects(const char *rules)
{
	struct run run = { .policy = audited(rules) };

	server_tcp("127.0.0.1", 5000);
	server_tcp("::1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp6", "connect 1 ::1 5000", "name 1",
	          "socket 2 tcp6", "connect 2 ::ffff:127.0.0.1 5000", "name 2", "socket 3 nbtcp4", "connect 3 127.0.0.1 5000",
	          "outcome 3", "name 3", "connect 3 127.0.0.1 5000", "socket 4 tcp4", "connect 4 127.0.0.1 5999", NULL);
	no_word(&run);
	expect("len(a) == 5 and all(o['event'] == 'assigned' and o['rule'] == 'r' and o['user'] == 0 and o['call'] == 'connect' and "
	       "o['protocol'] == 'tcp' for o in a)");
	expect("all(o['program'].endswith('tests/probes/act') and o['program'][0] == '/' and o['pid'] > 0 for o in a)");
	expect("[(o['local_address'], o['remote_address'], o['remote_port']) for o in a] == "
	       "[('127.0.0.1', '127.0.0.1', 5000), ('::1', '::1', 5000), ('127.0.0.1', '127.0.0.1', 5000), "
	       "('127.0.0.1', '127.0.0.1', 5000), ('127.0.0.1', '127.0.0.1', 5999)]");
	expect("[o['local_port'] for o in a[:4]] == [%d, %d, %d, %d]", port_of(&run, "name 0"), port_of(&run, "name 1"),
	       port_of(&run, "name 2"), port_of(&run, "name 3"));
}

Test(audit, connects_early)
{
	connects(EARLY);
}

Test(audit, connects_late)
{
	connects(LATE);
}

Test(audit, connects_exclusive)
{
	connects(EARLY "share = never\n");
}

/* A UDP socket gets its port once, whatever it sends after that. */
Test(audit, datagrams)
{
	struct run run = { .policy = audited(EARLY) };

	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "sendto 0 127.0.0.1 10", "name 0", "socket 1 udp6",
	          "sendmsg 1 ::ffff:127.0.0.1 9", "socket 2 udp4", "sendmmsg 2 127.0.0.1 9", "socket 3 udplite4",
	          "connect 3 127.0.0.1 9", "sendto 3 127.0.0.1 9", NULL);
	no_word(&run);
	expect("[(o['call'], o['protocol'], o['local_address'], o['remote_address'], o['remote_port']) for o in a] == "
	       "[('send', 'udp', '127.0.0.1', '127.0.0.1', 9)] * 3 + [('connect', 'udplite', '127.0.0.1', '127.0.0.1', 9)]");
	expect("a[0]['local_port'] == %d", port_of(&run, "name 0"));
}

Test(audit, binds_and_listens)
{
	struct run run = { .policy = audited(EARLY "explicit = assign\n") };
	const char *last = net_has_mptcp() ? "socket 4 mptcp4" : "socket 4 tcp6"; /* it is tcp to a rule */

	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.1 0", "name 0", "socket 1 tcp6", "bind 1 :: 0", "name 1", "socket 2 tcp4",
	          "listen 2", "name 2", "socket 3 udp4", "bind 3 127.0.0.2 5353", "name 3", last, "listen 4", NULL);
	no_word(&run);
	expect("[(o['call'], o['protocol'], o['local_address']) for o in a] == [('bind', 'tcp', '127.0.0.1'), ('bind', 'tcp', None), "
	       "('listen', 'tcp', None), ('bind', 'udp', '127.0.0.2'), ('listen', 'tcp', None)]");
	expect("all(o['remote_address'] is None and o['remote_port'] is None for o in a)");
	expect("[o['local_port'] for o in a[:4]] == [%d, %d, %d, %d]", port_of(&run, "name 0"), port_of(&run, "name 1"),
	       port_of(&run, "name 2"), port_of(&run, "name 3"));
}

/* The address is the program's, or the rule's; the port comes with the destination. */
Test(audit, deferred_and_source)
{
	struct run run = { .policy = audited("[rule to]\nto = 127.0.0.1:5000\nports = 20000-20009\n"
	                                     "[rule from]\nsource = 127.0.0.7\nports = 40500-40509\n") };

	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 5001);
	run_steps(&run, "socket 0 tcp4", "bind 0 127.0.0.3 0", "connect 0 127.0.0.1 5000", "name 0", "socket 1 tcp4",
	          "connect 1 127.0.0.1 5001", "name 1", NULL);
	no_word(&run);
	expect("[(o['rule'], o['call'], o['local_address'], o['local_port']) for o in a] == [('to', 'connect', '127.0.0.3', %d), "
	       "('from', 'connect', '127.0.0.7', %d)]", port_of(&run, "name 0"), port_of(&run, "name 1"));
}

/* Nobody knows the port before the kernel has picked it: the line has the one that it picked. */
Test(audit, the_kernels_choice)
{
	struct run run = { .policy = audited("[rule r]\nports = 40500-40599\nchoose = kernel\n") };

	server_tcp("127.0.0.1", 5000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "name 0", "socket 1 nbtcp4", "connect 1 127.0.0.1 5000",
	          "outcome 1", "name 1", "socket 2 udp4", "sendto 2 127.0.0.1 9", "name 2", NULL);
	no_word(&run);
	cr_expect_str_eq(result_of(&run, "connect 1 127.0.0.1 5000"), "-1 EINPROGRESS");
	expect("[o['local_port'] for o in a] == [%d, %d, %d]", port_of(&run, "name 0"), port_of(&run, "name 1"),
	       port_of(&run, "name 2"));
}

Test(audit, no_line_where_no_port_is_assigned)
{
	struct run run = { .policy = audited("[rule p]\nto = *:5000\naction = pass\n[rule d]\nto = *:5001\naction = deny\n"
	                                     "[rule one]\nto = *:5002\nports = 20000\nexhausted = pass\n"
	                                     "[rule rest]\nprotocol = tcp\nports = 20100\n") };

	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 5002);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 tcp4", "connect 1 127.0.0.1 5001", "socket 2 tcp4",
	          "bind 2 127.0.0.1 5353", "socket 3 udp4", "sendto 3 127.0.0.1 9", "socket 4 tcp4", "connect 4 127.0.0.1 5002",
	          "socket 5 tcp4", "connect 5 127.0.0.1 5002", NULL);
	cr_expect_str_eq(result_of(&run, "connect 5 127.0.0.1 5002"), "0");
	expect("[(o['rule'], o['local_port']) for o in a] == [('one', 20000)]");
}

/* What no name of a program or of a rule can do to a line. */
Test(audit, names_that_break_nothing)
{
	char path[512];
	const char *argv[] = { path, "socket 0 udp4", "sendto 0 127.0.0.1 9", NULL };
	struct run run = { .policy = audited("[rule \"b\\\\\xc3\xbc\xff]\nports = 20000-20009\n") };

	snprintf(path, sizeof(path), "%s", file_path("act \"q\"\n{\"time\":\\ \xff\xc3\xbc\x1b"));
	shell("cp '%s' '%s'", built("tests/probes/act"), path);
	run_program(&run, argv);
	no_word(&run);
	expect("a[0]['program'].endswith('/act \"q\"\\n{\"time\":\\\\ \\ufffd\\u00fc\\x1b') and a[0]['rule'] == '\"b\\\\\\\\\\u00fc\\ufffd'");
	shell("test $(grep -c '{\"time\":' %s) = 1", file_path("audit"));
}

/* A path as long as the kernel has them, of bytes that take the most in JSON. */
Test(audit, a_long_path)
{
	static char path[4096], line[4096 + 128];
	const char *argv[] = { "/bin/sh", "-c", line, NULL };
	struct run run = { .policy = audited(EARLY) };
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t length = (size_t)snprintf(path, sizeof(path), "%s", file_path("long"));

	shell("mkdir %s && cp %s %s/", path, built("tests/probes/act"), file_path("."));
	cr_assert_eq(chdir(path), 0);
	while (length + 202 < sizeof(path)) {
		char name[200];

		memset(name, 1, sizeof(name) - 1);
		name[sizeof(name) - 1] = '\0';
		cr_assert(mkdir(name, 0700) == 0 && chdir(name) == 0);
		length += (size_t)snprintf(path + length, sizeof(path) - length, "/%s", name);
	}
	cr_assert_eq(link(file_path("act"), "a"), 0);
	cr_assert_eq(fchdir(here), 0);
	snprintf(line, sizeof(line), "cd '%s' && exec ./a 'socket 0 udp4' 'sendto 0 127.0.0.1 9'", path);
	run_program(&run, argv);
	no_word(&run);
	expect("len(a) == 1 and a[0]['program'].endswith('\\x01/a') and len(a[0]['program']) == %zu", length + 2);
}

/* --- when ---------------------------------------------------------------------------------------------------------- */

/* Whether the file comes to have so many lines, within the deadline. */
static bool comes_to(int lines)
{
	const struct timespec moment = { 0, 5 * 1000 * 1000 };
	int n = 0;

	for (int left = DEADLINE_MS / 5; left > 0 && n < lines; left--) {
		FILE *file = fopen(file_path("audit"), "re");

		n = 0;
		for (int c; file && (c = getc(file)) != EOF;)
			n += c == '\n';
		if (file)
			fclose(file);
		nanosleep(&moment, NULL);
	}
	return n >= lines;
}

static void hangs_and_is_killed(const char *rules)
{
	struct run run = { .policy = audited(rules) };
	int listener = server_tcp("127.0.0.1", 5000), port;

	queue_fill(listener);
	run_start_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	port = queue_wait_for_attempt(5000);
	kill(run.pid, SIGKILL);
	run_end(&run);
	expect("[(o['event'], o['local_port'], o['remote_port']) for o in a] == [('assigned', %d, 5000)]", port);
}

Test(audit, a_connection_that_hangs_early)
{
	hangs_and_is_killed(EARLY);
}

Test(audit, a_connection_that_hangs_late)
{
	hangs_and_is_killed(LATE);
}

/* The kernel refuses a late port behind its line; the next is had. */
Test(audit, refused_late)
{
	struct run run = { .policy = audited("[rule r]\nports = 40500-40501\nchoose = sequential\n") };

	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 40500);
	server_tcp("127.0.0.1", 40501);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	cr_expect_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "-1 EADDRNOTAVAIL");
	if (!net_takes_late()) { /* as in taken_early */
		expect("a == []");
		return;
	}
	expect("len(a) >= 4 and len(a) %% 2 == 0 and {o['local_port'] for o in a} == {40500, 40501}");
	expect("all([o['event'] for o in a[i:i + 2]] == ['assigned', 'refused'] and a[i]['local_port'] == a[i + 1]['local_port'] "
	       "for i in range(0, len(a), 2))");
}

/* An early port that bind() finds taken was never said to be assigned. */
Test(audit, taken_early)
{
	struct run run = { .policy = audited("[rule r]\nports = 20000-20001\n") };

	server_tcp("127.0.0.1", 5000);
	server_tcp("127.0.0.1", 20000);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", NULL);
	no_word(&run);
	expect("[(o['event'], o['local_port']) for o in a] == [('assigned', 20001)]");
}

static pid_t far_server;

static void serve_without_timestamps(void)
{
	net_set("net/ipv4/tcp_timestamps", "0");
	far_server = crowd_serve(5000, 5000, CLIENT_CLOSES);
}

/* A connection in TIME_WAIT that cannot be taken over shows in connect() alone: the line is taken back. */
Test(audit, refused_early)
{
	static struct run run;
	const char *argv[22] = { built("tests/probes/act") };
	int n = 1, refused = 0;

	wire_lay();
	far_do(serve_without_timestamps);
	while (n < 19) {
		argv[n++] = "socket 0 tcp4";
		argv[n++] = "connect 0 " FAR4 " 5000";
		argv[n++] = "end 0";
	}
	run = (struct run){ .policy = audited("[rule r]\nports = 20000-20009\nchoose = stable\n") };
	run_program(&run, argv);
	crowd_end(far_server);
	for (const char *at = run.out; (at = strstr(at, "EADDRNOTAVAIL")); at++)
		refused++;
	cr_assert_eq(refused, 1, "%s", run.out);
	expect("[o['event'] for o in a].count('refused') == 1 and [o['event'] for o in a].count('assigned') == 6");
	expect("all(o['event'] == 'assigned' or o['local_port'] == a[i - 1]['local_port'] for i, o in enumerate(a))");
}

/* --- who ----------------------------------------------------------------------------------------------------------- */

Test(audit, children)
{
	const char *argv[] = { built("tests/probes/vforks"), built("tests/probes/act"), "socket 0 udp4", "sendto 0 127.0.0.1 9", NULL };
	struct run run = { .policy = audited(EARLY) };

	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "fork", "socket 1 udp4", "sendto 1 127.0.0.1 9", NULL);
	no_word(&run);
	expect("len(a) == 2 and a[0]['pid'] != a[1]['pid'] and a[0]['program'] == a[1]['program']");
	run_program(&run, argv);
	no_word(&run);
	/* The child of vfork() and what it becomes have one number. */
	expect("len(a) == 4 and a[2]['pid'] == a[3]['pid'] and a[2]['program'].endswith('/vforks') and a[3]['program'].endswith('/act')");
}

/* Another user, who may write there, and another root, where the path leads elsewhere. */
Test(audit, another_user_and_another_root)
{
	struct run run = { .policy = audited(EARLY) };
	char chroot_step[300];

	snprintf(chroot_step, sizeof(chroot_step), "chroot %s", file_path("root"));
	shell("chmod 0711 %s && mkdir -p %s/tmp && install -m 0622 /dev/null %s", file_path("."), file_path("root"), file_path("audit"));
	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "setuid 1000", "socket 1 udp4", "sendto 1 127.0.0.1 9", NULL);
	no_word(&run);
	expect("[o['user'] for o in a] == [0, 1000]");
	run.policy = audited(EARLY);
	run_steps(&run, "socket 0 udp4", chroot_step, "sendto 0 127.0.0.1 9", "sendto 0 127.0.0.1 9", NULL);
	cr_expect(exited(&run, 0));
	cr_expect(strstr(run.err, "audit: there is no such folder; lines are lost"), "%s", run.err);
	expect("len(a) == 2");
}

static void crowd_with(const char *rules, const char *lo, const char *hi)
{
	const char *argv[] = { built("tests/probes/swarm"), "eof", "8", "1", "200", lo, hi, "5000", "5001", NULL };
	struct run run = { .policy = audited(rules) };
	pid_t server = crowd_serve(5000, 5001, SERVER_CLOSES);

	run_program(&run, argv);
	crowd_end(server);
	cr_assert_eq(crowd_count(&run, "had"), 1600, "%s%s", run.out, run.err);
	expect("[o['event'] for o in a].count('assigned') - [o['event'] for o in a].count('refused') == 1600 and "
	       "len({o['pid'] for o in a}) == 8 and all(%s <= o['local_port'] <= %s for o in a)", lo, hi);
}

Test(audit, eight_processes_early)
{
	crowd_with("[rule r]\nports = 20000-20999\n", "20000", "20999");
}

Test(audit, eight_processes_late)
{
	crowd_with("[rule r]\nports = 40100-40899\n", "40100", "40899");
}

/* --- what can go wrong with the file ----------------------------------------------------------------------------------- */

static uint64_t lost(void)
{
	static struct run run;
	const char *argv[] = { built("portshim"), "status", "--json", NULL };
	const char *at;

	run = (struct run){ .bare = true };
	run_program(&run, argv);
	at = strstr(run.out, "\"audit_lost\": ");
	cr_assert(at, "%s%s", run.out, run.err);
	return strtoull(at + 14, NULL, 10);
}

/* Two calls that go on, two lines that are lost, one warning. */
static void loses(const char *path, const char *words)
{
	char policy[512];
	struct run run = { .policy = policy };
	uint64_t before;

	server_tcp("127.0.0.1", 5000);
	shell("LD_PRELOAD=%s PORTSHIM_PORTS=20500 %s 'socket 0 udp4' 'sendto 0 127.0.0.1 9'", realpath(built("libportshim.so"), NULL),
	      built("tests/probes/act"));
	before = lost();
	snprintf(policy, sizeof(policy), "[portshim]\nlog = warning\n" AUDIT EARLY, path);
	run_steps(&run, "socket 0 tcp4", "connect 0 127.0.0.1 5000", "socket 1 nbtcp4", "connect 1 127.0.0.1 5000", NULL);
	cr_expect_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), "0");
	cr_expect_str_eq(result_of(&run, "connect 1 127.0.0.1 5000"), "-1 EINPROGRESS");
	cr_expect(exited(&run, 0), "%x", run.status);
	cr_expect(strstr(run.err, words), "%s", run.err);
	cr_expect(strchr(run.err, '\n') == run.err + strlen(run.err) - 1, "%s", run.err);
	cr_expect_eq(lost(), before + 2);
}

Test(audit, missing_folder)
{
	loses(file_path("none/audit"), "audit: there is no such folder; lines are lost, and counted in 'portshim status': /");
}

Test(audit, a_folder)
{
	loses(file_path("."), "audit: cannot be written");
}

Test(audit, symbolic_link)
{
	cr_assert_eq(symlink("/dev/null", file_path("audit")), 0);
	loses(file_path("audit"), "audit: a symbolic link");
}

Test(audit, pipe_without_reader)
{
	cr_assert_eq(mkfifo(file_path("audit"), 0600), 0);
	loses(file_path("audit"), "audit: a pipe that nobody reads");
}

Test(audit, device_that_is_full)
{
	loses("/dev/full", "audit: no room for it");
}

Test(audit, read_only)
{
	cr_assert_eq(mkdir(file_path("folder"), 0700), 0);
	cr_assert_eq(mount("none", file_path("folder"), "tmpfs", MS_RDONLY, "size=64k"), 0);
	loses(file_path("folder/audit"), "audit: cannot be written");
	umount(file_path("folder"));
}

/* A file of root's alone, and another user. */
Test(audit, not_permitted)
{
	struct run run = { .policy = audited(EARLY) };

	shell("chmod 0711 %s && install -m 0600 /dev/null %s", file_path("."), file_path("audit"));
	run_steps(&run, "setuid 1000", "socket 0 udp4", "sendto 0 127.0.0.1 9", NULL);
	cr_expect_str_eq(result_of(&run, "sendto 0 127.0.0.1 9"), "1");
	cr_expect(strstr(run.err, "audit: may not be written by this user"), "%s", run.err);
	expect("a == []");
}

Test(audit, no_descriptor)
{
	struct run run = { .policy = audited(EARLY) };

	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "socket 1 udp4", "limit", "sendto 1 127.0.0.1 9", "unlimit",
	          "socket 2 udp4", "sendto 2 127.0.0.1 9", NULL);
	cr_expect_str_eq(result_of(&run, "sendto 1 127.0.0.1 9"), "1");
	cr_expect(strstr(run.err, "audit: there is no descriptor left"), "%s", run.err);
	cr_expect_eq(lost(), 1);
	expect("len(a) == 2");
}

/* A program that has begun to shut itself off may be killed for opening a file: it is not tried. */
Test(audit, sandboxed)
{
	struct run run = { .policy = audited(EARLY) };

	run_steps(&run, "socket 0 udp4", "no-new-privileges", "sendto 0 127.0.0.1 9", NULL);
	cr_expect_str_eq(result_of(&run, "sendto 0 127.0.0.1 9"), "1");
	cr_expect_eq(lost(), 1);
	expect("a == []");
}

/* The reader of a pipe gets the lines; one that does not read stops nobody; one that goes kills nobody. */
Test(audit, pipe_with_a_reader)
{
	static char words[1 << 17];
	const char *argv[] = { built("tests/probes/swarm"), "eof", "1", "1", "400", "20000", "20999", "5000", NULL };
	struct run run = { .policy = audited("[rule r]\nports = 20000-20999\n") };
	pid_t server = crowd_serve(5000, 5000, SERVER_CLOSES);
	int reader;
	ssize_t n;

	cr_assert_eq(mkfifo(file_path("audit"), 0600), 0);
	reader = open(file_path("audit"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(reader, 0);
	run_program(&run, argv);
	cr_assert_eq(crowd_count(&run, "had"), 400, "%s%s", run.out, run.err);
	n = read(reader, words, sizeof(words) - 1);
	cr_expect_geq(n, 60000);
	cr_expect_eq(words[n - 1], '\n');
	cr_expect_gt(lost(), 0);
	close(reader);
	run = (struct run){ .policy = audited("[rule r]\nports = 20000-20999\n") };
	run_program(&run, argv);
	crowd_end(server);
	cr_expect(exited(&run, 0), "%x", run.status);
	cr_assert_eq(crowd_count(&run, "had"), 400, "%s%s", run.out, run.err);
}

/* Renamed while the program runs: the next line makes a new file. */
Test(audit, rotation)
{
	struct run run = { .policy = audited(EARLY) };

	run_start_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "name 0", "pause", "socket 1 udp4", "sendto 1 127.0.0.1 9",
	                "name 1", NULL);
	run_until_paused(&run);
	cr_assert(comes_to(1));
	cr_assert_eq(rename(file_path("audit"), file_path("audit.1")), 0);
	run_go_on(&run);
	run_end(&run);
	no_word(&run);
	expect("[o['local_port'] for o in a] == [%d]", port_of(&run, "name 1"));
	cr_assert_eq(rename(file_path("audit.1"), file_path("audit")), 0);
	expect("[o['local_port'] for o in a] == [%d]", port_of(&run, "name 0"));
	shell("test $(stat -c %%a %s) = 600", file_path("audit"));
}

/* Lines until there is no room for the last; then there is room again. What was torn costs no line behind it. */
Test(audit, full_disk)
{
	const char *argv[] = { built("tests/probes/swarm"), "eof", "2", "1", "60", "20000", "20999", "5000", NULL };
	struct run run = { .policy = NULL };
	char policy[512];
	pid_t server = crowd_serve(5000, 5000, SERVER_CLOSES);

	cr_assert_eq(mkdir(file_path("folder"), 0700), 0);
	cr_assert_eq(mount("none", file_path("folder"), "tmpfs", 0, "size=16k"), 0);
	cr_assert_eq(symlink("folder/audit", file_path("audit")), 0); /* for who reads it */
	file_make("folder/ballast", "x");
	snprintf(policy, sizeof(policy), "[portshim]\n" AUDIT "[rule r]\nports = 20000-20999\n", file_path("folder/audit"));
	run.policy = policy;
	run_program(&run, argv);
	cr_expect(exited(&run, 0), "%x", run.status);
	cr_assert_eq(crowd_count(&run, "had"), 120, "%s%s", run.out, run.err);
	cr_expect_gt(lost(), 0);
	expect_of_torn("a.count(None) == 1 and a[-1] is None and len(a) + %d == 121", (int)lost());
	cr_assert_eq(unlink(file_path("folder/ballast")), 0);
	run.policy = policy;
	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", "socket 1 udp4", "sendto 1 127.0.0.1 9", NULL);
	no_word(&run);
	crowd_end(server);
	expect_of_torn("a.count(None) == 1 and a[-3] is None and [o['protocol'] for o in a[-2:]] == ['udp', 'udp']");
	umount(file_path("folder"));
}

/* RLIMIT_FSIZE: a line that would pass it is not begun, and SIGXFSZ ends nobody. */
Test(audit, limit_on_files)
{
	char line[1024];
	const char *argv[] = { "/bin/sh", "-c", line, NULL };
	struct run run = { .policy = audited(EARLY) };

	/* 1,024 bytes, and a table made before. */
	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", NULL);
	snprintf(line, sizeof(line), "ulimit -f 2 && exec %s 'socket 0 udp4' 'sendto 0 127.0.0.1 9' 'socket 1 udp4' "
	         "'sendto 1 127.0.0.1 9' 'socket 2 udp4' 'sendto 2 127.0.0.1 9' 'socket 3 udp4' 'sendto 3 127.0.0.1 9'",
	         realpath(built("tests/probes/act"), NULL));
	run = (struct run){ .policy = audited(EARLY) };
	run_program(&run, argv);
	cr_expect(exited(&run, 0), "%x", run.status);
	cr_expect_str_eq(result_of(&run, "sendto 3 127.0.0.1 9"), "1");
	cr_expect(strstr(run.err, "RLIMIT_FSIZE"), "%s", run.err);
	/* How many lines fit depends on how long the path of the program is. */
	snprintf(line, sizeof(line), "2 <= len(a) < 5 and len(a) + %u == 5", (unsigned int)lost());
	expect(line);
}

/* Several write up to the limit at once: whoever comes behind another's line gets no signal either. */
Test(audit, limit_on_files_in_a_crowd)
{
	char line[512];
	const char *argv[] = { "/bin/sh", "-c", line, NULL };
	struct run run = { .policy = audited(EARLY) };
	pid_t server = crowd_serve(5000, 5000, SERVER_CLOSES);

	run_steps(&run, "socket 0 udp4", "sendto 0 127.0.0.1 9", NULL);
	snprintf(line, sizeof(line), "ulimit -f 60 && exec %s eof 8 1 40 20000 20099 5000",
	         realpath(built("tests/probes/swarm"), NULL));
	run = (struct run){ .policy = audited(EARLY) };
	run_program(&run, argv);
	crowd_end(server);
	cr_expect(exited(&run, 0), "%x", run.status);
	cr_expect_eq(crowd_count(&run, "had"), 320, "%s%s", run.out, run.err);
	expect_of_torn("a.count(None) <= 1 and len(a) > 50");
}
