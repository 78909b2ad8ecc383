/* test_birth.c - sockets whose ports are decided when they are made (tools/supervise/birth.h). */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/supervised.h"
#include "tests/lib/world.h"

#define KERNEL "[rule all]\nports = 40500-40509\nchoose = kernel\n"

static struct run run;
static int tcp, udp;

static void enter(void)
{
	net_own_for_all_users();
	net_set("net/ipv4/ip_local_port_range", "40000 49999");
	tcp = server_tcp("127.0.0.1", 5000);
	udp = server_udp("127.0.0.1", 5000);
}

static char folder[128]; /* a control group of the test's own; "": none */

static void leave(void)
{
	if (folder[0])
		rmdir(folder); /* where the test failed before it could do so */
}

TestSuite(birth, .init = enter, .fini = leave);

static bool is_ours(int port)
{
	return port >= 40500 && port <= 40509;
}

/* Runs a program under the supervisor; it has to end well. */
static void supervise(const char *policy, const char *const program[])
{
	const char *argv[16] = { built("portshim"), "run", "--supervise" };

	for (int i = 0; program[i]; i++)
		argv[3 + i] = program[i];
	run = (struct run){ .bare = true, .policy = policy };
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "status 0x%x %s%s", (unsigned int)run.status, run.out, run.err);
}

#define UNPRIVILEGED \
	"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", built("portshim"), "run", "--supervise"

/* Starts what begins so. */
static void start_unprivileged(const char *policy, const char *const argv[])
{
	shell("printf '%s' >/dev/shm/policy && chmod 644 /dev/shm/policy", policy);
	run = (struct run){ .bare = true, .env = { "PORTSHIM_CONF=/dev/shm/policy" } };
	run_start(&run, argv);
}

static void supervise_python(const char *policy, const char *code)
{
	supervise(policy, (const char *const[]){ PYTHON, "-c", code, NULL });
}

static void supervise_shell(const char *policy, const char *words)
{
	supervise(policy, (const char *const[]){ "bash", "-c", words, NULL });
}

/* --- the ports ----------------------------------------------------------------------------------------------------------- */

Test(birth, every_call_leaves_from_the_range)
{
	supervise(KERNEL, (const char *const[]){ built("tests/probes/act"), "socket 0 tcp4", "connect 0 127.0.0.1 5000",
	                                         "socket 1 udp4", "sendto 1 127.0.0.1 5000", "socket 2 udp6",
	                                         "sendmsg 2 ::ffff:127.0.0.1 5000", net_has_mptcp() ? "socket 3 mptcp4" : "socket 3 tcp4",
	                                         "connect 3 127.0.0.1 5000", NULL });
	for (int i = 0; i < 2; i++) {
		cr_expect(is_ours(server_accept(tcp, NULL)));
		cr_expect(is_ours(server_receive(udp)));
	}
}

/* Ten ports for each destination, and then the kernel's own errno. */
Test(birth, the_range_is_shared_between_destinations_and_ends)
{
	server_tcp("127.0.0.1", 5001);
	supervise_python(KERNEL,
	                 "import errno, socket\n"
	                 "kept = []\n"
	                 "def connect(port):\n"
	                 "    kept.append(socket.socket())\n"
	                 "    kept[-1].connect(('127.0.0.1', port))\n"
	                 "for port in 5000, 5001:\n"
	                 "    for i in range(10): connect(port)\n"
	                 "    try: connect(port)\n"
	                 "    except OSError as why: assert why.errno == errno.EADDRNOTAVAIL\n"
	                 "    else: assert False\n");
}

Test(birth, other_programs_and_protocols_are_let_alone)
{
	supervise("[rule nc]\nprogram = nc\nports = 40500-40509\nchoose = kernel\nprotocol = tcp\n",
	          (const char *const[]){ "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000; nc -z 127.0.0.1 5000; "
	                                 "echo x | nc -u -w 1 127.0.0.1 5000", NULL });
	int port = server_accept(tcp, NULL);
	cr_expect(port >= 40000 && !is_ours(port), "%d", port);
	cr_expect(is_ours(server_accept(tcp, NULL)));
	port = server_receive(udp);
	cr_expect(port >= 40000 && !is_ours(port), "%d", port);
}

Test(birth, binds_are_what_they_were)
{
	supervise("[rule all]\nports = 40500-40501\nchoose = kernel\nexplicit = deny\n",
	          (const char *const[]){ built("tests/probes/act"), "socket 0 tcp4", "bind 0 127.0.0.1 0", "name 0",
	                                 "socket 1 tcp4", "bind 1 127.0.0.1 6000", "socket 2 tcp4", "listen 2", "name 2", NULL });
	cr_expect(is_ours(port_of(&run, "name 0")), "%s", run.out);
	cr_expect(is_ours(port_of(&run, "name 2")), "%s", run.out);
	cr_expect_str_eq(result_of(&run, "bind 1 127.0.0.1 6000"), "-1 EPERM");
}

/* Of 32-bit programs, and by socketcall(2), whose arguments are in memory. */
Test(birth, sockets_by_the_gate_of_32_bits)
{
	static const char *const calls[] = { "connect", "sendto", "sendmmsg", "socketcall-connect", "socketcall-sendmsg" };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const char *const argv[] = { built("portshim"), "run", "--supervise", built("tests/probes/gate32"), calls[i], "5000", NULL };

		run = (struct run){ .bare = true, .policy = KERNEL };
		run_program(&run, argv);
		if (exited(&run, 77))
			cr_skip_test("a kernel without 32-bit programs");
		cr_assert(exited(&run, 0), "%s: %s%s", calls[i], run.out, run.err);
		cr_expect(is_ours(strstr(calls[i], "connect") ? server_accept(tcp, NULL) : server_receive(udp)), "%s", calls[i]);
	}
}

/* As it may by the kernel without us; the usual way leaves such a port out. */
Test(birth, a_connection_may_meet_itself)
{
	static const struct {
		const char *choose, *result;
	} ways[] = { { "kernel", "0" }, { "kernel\nexhausted = wait 1ms", "-1 EADDRNOTAVAIL" }, { "random", "-1 EADDRNOTAVAIL" } };
	char policy[128];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(policy, sizeof(policy), "[rule all]\nports = 40500\nchoose = %s\n", ways[i].choose);
		supervise(policy, (const char *const[]){ built("tests/probes/act"), "socket 0 tcp4", "connect 0 127.0.0.1 40500", NULL });
		cr_expect_str_eq(result_of(&run, "connect 0 127.0.0.1 40500"), ways[i].result, "%s", policy);
	}
}

/* --- when it is the way ---------------------------------------------------------------------------------------------------- */

/* The front's only child. */
static pid_t supervisor(void)
{
	return only_child_of(run.pid);
}

/* What connect() and socket() come to when there is no supervisor any more, of a socket made before. */
static void expect_without_supervisor(const char *policy, const char *connect, const char *socket)
{
	const char *const argv[] = { built("portshim"), "run", "--supervise", built("tests/probes/act"), "socket 0 tcp4", "pause",
	                             "connect 0 127.0.0.1 5000", "socket 1 tcp4", "socket 2 unix", NULL };

	run = (struct run){ .bare = true, .policy = policy };
	run_start(&run, argv);
	run_until_paused(&run);
	kill(supervisor(), SIGKILL);
	run_go_on(&run);
	run_end(&run);
	cr_expect_str_eq(result_of(&run, "connect 0 127.0.0.1 5000"), connect, "%s%s", policy, run.out);
	cr_expect_eq(strcmp(result_of(&run, "socket 1 tcp4"), "-1 ENOSYS") == 0, strcmp(socket, "-1 ENOSYS") == 0, "%s%s", policy,
	             run.out);
	cr_expect_neq(result_of(&run, "socket 2 unix")[0], '-', "%s", run.out);
}

Test(birth, a_connection_is_no_affair_of_the_supervisors)
{
	expect_without_supervisor(KERNEL, "0", "-1 ENOSYS");
	cr_expect(is_ours(server_accept(tcp, NULL)));
}

Test(birth, policies_that_want_more_go_the_usual_way)
{
	static const char *const policies[] = {
		"[rule all]\nports = 40500-40509\n",
		KERNEL "share = never\n",
		KERNEL "exhausted = pass\n",
		KERNEL "exhausted = wait 1s\n",
		KERNEL "to = 127.0.0.1\n",
		KERNEL "user = 0\n",
		KERNEL "group = 0\n",
		KERNEL "source = 127.0.0.1\n",
		KERNEL "family = ipv4\n",
		KERNEL "call = connect, send\n",
		KERNEL "[rule other]\naction = pass\nprogram = other\n",
		"[portshim]\nlog = info\n" KERNEL,
		"[portshim]\naudit = /dev/null\n" KERNEL,
	};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		expect_without_supervisor(policies[i], "-1 ENOSYS", "0");
}

Test(birth, not_where_ports_are_reserved)
{
	net_set("net/ipv4/ip_local_reserved_ports", "40505");
	expect_without_supervisor(KERNEL, "-1 ENOSYS", "0");
}

/* One that nobody has asked about: it has no range. */
Test(birth, not_where_there_is_an_unbound_socket_before)
{
	char code[512];
	const char *const argv[] = { PYTHON, "-c", code, NULL };

	snprintf(code, sizeof(code),
	         "import socket, os\ns = socket.socket()\nos.set_inheritable(s.fileno(), True)\n"
	         "os.execv('%s', ['portshim', 'run', '--supervise', '%s', '-c',\n"
	         "'import socket; socket.socket(fileno=' + str(s.fileno()) + ').connect((\"127.0.0.1\", 5000))'])", built("portshim"),
	         PYTHON);
	run = (struct run){ .bare = true, .policy = KERNEL };
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_expect(is_ours(server_accept(tcp, NULL)));
}

/* Who changes the machine's range while programs run is told, and there are no sockets then. It is read again within a
 * second. */
Test(birth, a_range_that_holds_no_more)
{
	supervise_shell(KERNEL, "echo 30000 30999 >/proc/sys/net/ipv4/ip_local_port_range; while : >/dev/udp/127.0.0.1/5000; do :; done");
	cr_expect(strstr(run.err, "ip_local_port_range"), "%s", run.err);
	cr_expect(strstr(run.err, "Permission denied"), "%s", run.err);
}

/* --- the sockets are as the program's own ------------------------------------------------------------------------------------ */

static const char same_code[] =
	"import ctypes, fcntl, os, resource\n"
	"libc = ctypes.CDLL(None, use_errno=True)\n"
	"def socket(*what):\n"
	"    fd = libc.socket(*what)\n"
	"    return fd if fd >= 0 else os.strerror(ctypes.get_errno())\n"
	"for flags in 0, 0o4000, 0o2000000, 0o2004000:\n"
	"    for kind in 1, 2:\n"
	"        fd = socket(2, kind | flags, 0)\n"
	"        print(fd, fcntl.fcntl(fd, 1), fcntl.fcntl(fd, 3), os.fstat(fd).st_mode, os.fstat(fd).st_uid, os.fstat(fd).st_gid)\n"
	"for domain in 2, 10:\n"
	"    for kind in 0, 1, 2, 3, 4, 5, 6, 10, 1 | 8, 1 | 0o100, 1 | 1 << 30:\n"
	"        for protocol in -1, 0, 1, 6, 17, 33, 58, 132, 136, 255, 256, 262, 263:\n"
	"            fd = socket(domain, kind, protocol)\n"
	"            print(domain, kind, protocol, fd)\n"
	"            if type(fd) is int: os.close(fd)\n"
	"os.close(fd) if type(fd := socket(2, 2, 0)) is int else 0\n"
	"resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
	"print([socket(2, 1, 0) for i in range(20)])\n";

Test(birth, numbers_flags_and_errors_are_the_kernels)
{
	static struct run bare;
	const char *const argv[] = { PYTHON, "-c", same_code, NULL };

	bare = (struct run){ .bare = true };
	run_program(&bare, argv);
	cr_assert(exited(&bare, 0), "%s", bare.err);
	supervise_python(KERNEL, same_code);
	cr_expect_str_eq(run.out, bare.out);
	cr_expect_str_eq(run.err, "");
}

/* As firewalls and routes see it. Routes for one user are forbidden here. */
Test(birth, the_user_is_the_programs)
{
	shell("ip rule del pref 0 && ip rule add pref 9 lookup local && ip rule add pref 5 uidrange 65534-65534 prohibit");
	supervise_shell(KERNEL, "exec 3<>/dev/tcp/127.0.0.1/5000 && "
	                "! setpriv --reuid=65534 --regid=65533 --clear-groups bash -c 'exec 3<>/dev/tcp/127.0.0.1/5000' && "
	                "setpriv --reuid=65532 --regid=65533 --clear-groups bash -c 'exec 3<>/dev/tcp/127.0.0.1/5000; "
	                "stat -L -c %u:%g /dev/fd/3' && exec 4<>/dev/tcp/127.0.0.1/5000");
	for (int i = 0; i < 3; i++)
		cr_expect(is_ours(server_accept(tcp, NULL)));
	cr_expect(nobody_came(tcp));
	cr_expect(printed(&run, "65532:65533"), "%s", run.out);
	cr_expect(strstr(run.err, "Permission denied"), "%s", run.err);
}

static const char *cgroup_mount(void)
{
	return access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
}

Test(birth, the_control_group_is_the_programs)
{
	char words[512], seen[64];

	snprintf(folder, sizeof(folder), "%s/portshim-birth-%d", cgroup_mount(), getpid());
	if (mkdir(folder, 0755) < 0)
		cr_skip_test("no cgroup v2 of one's own");
	snprintf(words, sizeof(words), "echo $$ >%s/cgroup.procs && exec 3<>/dev/tcp/127.0.0.1/5000 && ss -tn --cgroup dport = 5000",
	         folder);
	supervise_shell(KERNEL, words);
	cr_expect_eq(rmdir(folder), 0, "%s is in use: %m", folder);
	snprintf(seen, sizeof(seen), "cgroup:/portshim-birth-%d", getpid());
	cr_expect(strstr(run.out, seen), "%s", run.out);
	cr_expect(is_ours(server_accept(tcp, NULL)));
}

static pid_t program(void)
{
	return only_child_of(only_child_of(run.pid));
}

/* Root has put the program where its supervisor's user may put nobody. */
Test(birth, a_control_group_that_cannot_be_entered)
{
	const char *const argv[] = { UNPRIVILEGED, built("tests/probes/act"), "pause", "socket 0 tcp4", "connect 0 127.0.0.1 5000",
	                             "socket 1 tcp4", NULL };

	snprintf(folder, sizeof(folder), "%s/portshim-birth-%d", cgroup_mount(), getpid());
	if (mkdir(folder, 0755) < 0)
		cr_skip_test("no cgroup v2 of one's own");
	start_unprivileged("[portshim]\nlog = warning\n" KERNEL, argv);
	run_until_paused(&run);
	shell("echo %d >%s/cgroup.procs", program(), folder);
	run_go_on(&run);
	run_end(&run);
	cr_expect_eq(rmdir(folder), 0, "%s is in use: %m", folder);
	cr_expect(is_ours(server_accept(tcp, NULL)));
	cr_assert(strstr(run.err, "control group"), "%s", run.err);
	cr_expect_not(strstr(strstr(run.err, "control group") + 1, "control group"), "%s", run.err);
}

/* --- elsewhere --------------------------------------------------------------------------------------------------------------- */

#define MEET \
	"ip link set lo up; " PYTHON " - <<END\n" \
	"import socket\n" \
	"server = socket.create_server((\"127.0.0.1\", 5001))\n" \
	"client = socket.create_connection((\"127.0.0.1\", 5001))\n" \
	"print(server.accept()[1][1])\n" \
	"END"

Test(birth, in_another_network_namespace)
{
	server_tcp("127.0.0.1", 5001); /* so that there can be no other here */
	supervise_shell(KERNEL, "exec unshare --net bash -c '" MEET "'");
	cr_expect(is_ours(atoi(run.out)), "%s", run.out);
}

/* Its range is not that of here. */
Test(birth, in_another_network_namespace_with_another_range)
{
	supervise_shell(KERNEL, "! unshare --net bash -c 'echo 30000 30999 >/proc/sys/net/ipv4/ip_local_port_range; " MEET "'");
	cr_expect(strstr(run.err, "ip_local_port_range"), "%s", run.err);
	cr_expect_str_empty(run.out);
}

Test(birth, in_a_namespace_of_a_user_without_rights)
{
	const char *const argv[] = { UNPRIVILEGED, "unshare", "--user", "--map-root-user", "--net", "bash", "-c", MEET, NULL };

	server_tcp("127.0.0.1", 5001);
	start_unprivileged(KERNEL, argv);
	run_end(&run);
	cr_expect(is_ours(atoi(run.out)), "%s%s", run.out, run.err);
}
