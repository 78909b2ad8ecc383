/* test_libc_inside.c - not covered: the calls that libc makes inside itself. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "past.h"
#include "tests/lib/name_server.h"

TestSuite(libc_inside, .init = world_enter, .fini = world_leave);

/* --- DNS ----------------------------------------------------------------------------------------------------- */

static const struct query {
	const char *how, *words;
	bool tcp;
} queries[] = {
	{ "getaddrinfo", "there.example", false },  { "gethostbyname", "there.example", false },
	{ "gethostbyaddr", "192.0.2.1", false },    { "getnameinfo", "192.0.2.1", false },
	{ "res_query", "there.example", false },    { "res_query-tcp", "there.example", true },
};

#define QUERIES (sizeof(queries) / sizeof(queries[0]))

ParameterizedTestParameters(libc_inside, dns_query_not_covered)
{
	static int index[QUERIES];

	for (size_t i = 0; i < QUERIES; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, QUERIES);
}

ParameterizedTest(int *index, libc_inside, dns_query_not_covered)
{
	static struct run run = { .policy = ALL };
	const struct query *query = &queries[*index];
	int udp = server_udp(NAME_SERVER, 53), tcp = server_tcp(NAME_SERVER, 53);

	name_server_set();
	escape_start(&run, query->how, query->words, "53");
	not_covered(query->how, query->tcp ? name_server_tcp(tcp) : name_server_udp(udp, false));
	escape_end(&run, query->how);
}

/* An answer that is cut short is asked for again on TCP. */
Test(libc_inside, dns_query_again_on_tcp_not_covered)
{
	static struct run run = { .policy = ALL };
	int udp = server_udp(NAME_SERVER, 53), tcp = server_tcp(NAME_SERVER, 53);

	name_server_set();
	escape_start(&run, "getaddrinfo", "there.example", "53");
	not_covered("getaddrinfo", name_server_udp(udp, true));
	not_covered("getaddrinfo, on TCP", name_server_tcp(tcp));
	escape_end(&run, "getaddrinfo");
}

/* A program that resolves a name and then connects: only the connection is covered. */
Test(libc_inside, dns_query_of_curl_not_covered)
{
	const char *curl[] = { "curl", "-4", "-sS", "http://there.example:5000/", NULL };
	static struct run run = { .policy = ALL };
	int udp = server_udp(NAME_SERVER, 53), web = server_tcp(NAME_SERVER_ANSWER, 5000);

	name_server_set();
	story_start(&run, curl);
	not_covered("getaddrinfo in curl", name_server_udp(udp, false));
	covered("curl's connection", answer_tcp(web, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nhi\n"));
	run_end(&run);
	cr_expect_str_eq(run.out, "hi\n", "%s", run.err);
}

/* Not even a refusal reaches it. */
Test(libc_inside, dns_query_not_denied)
{
	static struct run run = { .policy = "[rule no]\nto = *:53\naction = deny\n" };
	int udp = server_udp(NAME_SERVER, 53);

	name_server_set();
	escape_start(&run, "getaddrinfo", "there.example", "53");
	not_covered("getaddrinfo under deny", name_server_udp(udp, false));
	escape_end(&run, "getaddrinfo");
}

/* --- remote commands and RPC --------------------------------------------------------------------------------- */

Test(libc_inside, rexec_not_covered)
{
	static struct run run = { .policy = ALL };
	int fd, server = server_tcp("127.0.0.1", 5000);

	escape_start(&run, "rexec", "127.0.0.1", PORT);
	not_covered("rexec()", server_accept(server, &fd));
	cr_expect(send(fd, "", 1, MSG_NOSIGNAL) == 1); /* granted */
	escape_end(&run, "rexec");
	close(fd);
}

/* The portmapper's answer, "port 0" (RFC 5531, RFC 1833). */
static int answer_portmapper(int fd)
{
	struct sockaddr_in client;
	socklen_t len = sizeof(client);
	uint32_t call[64], reply[7] = { 0 };
	ssize_t n = recvfrom(fd, call, sizeof(call), 0, (struct sockaddr *)&client, &len);

	cr_assert(n >= 40, "no RPC call");
	reply[0] = call[0];
	reply[1] = htonl(1);
	cr_assert(sendto(fd, reply, sizeof(reply), 0, (struct sockaddr *)&client, len) == sizeof(reply));
	return ntohs(client.sin_port);
}

static void rpc_start(struct run *run, const char *how, const char *port, bool nobody)
{
	const char *probe = built("tests/probes/escape");
	const char *argv[] = { "setpriv", "--reuid=65534", "--clear-groups", probe, how, "127.0.0.1", port, NULL };

	story_start(run, nobody ? argv : argv + 3);
}

static bool is_reserved(int port)
{
	return port >= 512 && port <= 1023;
}

/* As root they take a reserved port, else the kernel's: never the rule's. */
Test(libc_inside, rpc_clients_of_old_libc_not_covered)
{
	static struct run run = { .policy = ALL };
	int tcp = server_tcp("127.0.0.1", 5000), udp = server_udp("127.0.0.1", 111), port;

	rpc_start(&run, "clnttcp", PORT, false);
	port = server_accept(tcp, NULL);
	cr_expect(is_reserved(port), "clnttcp_create() of root is said to be not covered, and came from port %d", port);
	escape_end(&run, "clnttcp");
	rpc_start(&run, "clnttcp", PORT, true);
	not_covered("clnttcp_create() of nobody", server_accept(tcp, NULL));
	escape_end(&run, "clnttcp");
	rpc_start(&run, "pmap_getport", "111", false);
	port = answer_portmapper(udp);
	cr_expect(is_reserved(port), "pmap_getport() of root is said to be not covered, and came from port %d", port);
	escape_end(&run, "pmap_getport");
	rpc_start(&run, "pmap_getport", "111", true);
	not_covered("pmap_getport() of nobody", answer_portmapper(udp));
	escape_end(&run, "pmap_getport");
}

/* Who is told its port before there is a destination keeps it: a rule by destination comes too late. Without a
 * destination a rule gives the port itself. (Who is not told: tests/shim/test_reserved.c.) */
static void told_before(const char *how)
{
	static struct run to, all;
	int port, tcp = server_tcp("127.0.0.1", 5000);

	to = (struct run){ .policy = "[rule to]\nto = *:5000\nports = 20000-20009\n" };
	all = (struct run){ .policy = ALL };
	escape_start(&to, how, "127.0.0.1", PORT);
	port = server_accept(tcp, NULL);
	cr_expect(is_reserved(port), "%s() under a rule by destination is said to be not covered: port %d", how, port);
	escape_end(&to, how);
	escape_start(&all, how, "127.0.0.1", PORT);
	covered(how, server_accept(tcp, NULL));
	escape_end(&all, how);
}

Test(libc_inside, bindresvport_told_before_a_destination_not_covered)
{
	told_before("bindresvport");
}

Test(libc_inside, rresvport_before_a_destination_not_covered)
{
	told_before("rresvport");
}

/* --- syslog -------------------------------------------------------------------------------------------------- */

/* A /dev of our own, with a log in it. */
static int log_open(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	shell("mount -t tmpfs -o mode=755 none /dev && mknod -m 666 /dev/null c 1 3 && mkdir -m 1777 /dev/shm &&"
	      "mount -t tmpfs -o mode=1777 none /dev/shm");
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	return fd;
}

/* It has a socket, but no port: whatever the policy says, it is heard. */
Test(libc_inside, syslog_not_covered)
{
	static struct run run = { .policy = "[rule no]\naction = deny\n" };
	char heard[256] = "";
	int log = log_open();
	struct pollfd pollfd = { .fd = log, .events = POLLIN };

	escape_start(&run, "syslog", "words for the log", "0");
	cr_assert(poll(&pollfd, 1, DEADLINE_MS) == 1, "no message");
	cr_expect(recv(log, heard, sizeof(heard) - 1, 0) > 0 && strstr(heard, "words for the log"), "%s", heard);
	escape_end(&run, "syslog");
	close(log);
}
