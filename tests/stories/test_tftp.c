/* test_tftp.c - TFTP, where both sides have ports of their own choice: the client's, and the one that the server
 * takes for each transfer (RFC 1350, 4). Both are the rule's. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/world.h"

#define POLICY "[rule tftp]\nprotocol = udp\nports = 20000-20009\n"
#define OPCODE_READ 1
#define OPCODE_DATA 3
#define OPCODE_ACKNOWLEDGED 4
#define WORDS "hello there\n"

TestSuite(tftp, .init = world_enter, .fini = world_leave);

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

/* The next packet; its operation, the port that it came from. */
static int receive(int fd, char *packet, size_t size, struct sockaddr_in *from)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	socklen_t len = sizeof(*from);
	ssize_t n;

	cr_assert(poll(&pollfd, 1, DEADLINE_MS) == 1, "no packet");
	n = recvfrom(fd, packet, size - 1, 0, (struct sockaddr *)from, &len);
	cr_assert(n >= 4);
	packet[n] = '\0';
	return packet[1];
}

static void send_packet(int fd, const char *packet, size_t size, const struct sockaddr_in *to)
{
	cr_assert(sendto(fd, packet, size, 0, (const struct sockaddr *)to, sizeof(*to)) == (ssize_t)size);
}

/* --- clients, the test is the server --------------------------------------------------------------------- */

/* Serves one file of one block. The client's port. */
static int serve(int listener)
{
	static const char block[] = "\0\3\0\1" WORDS;
	struct sockaddr_in client, again;
	int fd = server_udp("127.0.0.1", 0);
	char packet[600];

	cr_expect_eq(receive(listener, packet, sizeof(packet), &client), OPCODE_READ);
	send_packet(fd, block, sizeof(block) - 1, &client);
	cr_expect_eq(receive(fd, packet, sizeof(packet), &again), OPCODE_ACKNOWLEDGED);
	cr_expect_eq(again.sin_port, client.sin_port);
	close(fd);
	return ntohs(client.sin_port);
}

static const char *const clients[][6] = {
	{ "sh", "-c", "exec tftp 127.0.0.1 -c get file /dev/stdout" },
	{ "curl", "-sS", "tftp://127.0.0.1/file" },
};

ParameterizedTestParameters(tftp, client)
{
	static int index[2] = { 0, 1 };

	return cr_make_param_array(int, index, 2);
}

ParameterizedTest(int *index, tftp, client)
{
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	const char *const *argv = clients[*index];
	int port, listener = server_udp("127.0.0.1", 69);

	story_start(&bare, argv);
	port = serve(listener);
	run_end(&bare);
	cr_assert(is_ephemeral(port), "bare, from port %d", port);
	cr_assert_str_eq(bare.out, WORDS, "%s%s", bare.out, bare.err);
	story_start(&run, argv);
	port = serve(listener);
	run_end(&run);
	cr_expect(is_ours(port), "from port %d", port);
	story_same(argv[0], &bare, &run);
}

/* --- a server, the test is the client ---------------------------------------------------------------------- */

static void server_start(struct run *server)
{
	static char folder[256];
	const char *argv[] = { "in.tftpd", "-L", "--address", "127.0.0.1:69", "-s", folder, NULL };

	strcpy(folder, file_path("files"));
	shell("ip address add " NEAR4 "/24 dev lo"); /* it looks its address up, and loopback alone counts for none */
	shell("chmod 755 %s && mkdir -p %s && printf 'hello there\\n' >%s/file && chmod -R a+rX %s", file_path("."),
	      folder, folder, folder);
	daemon_start_udp(server, argv, 69);
}

/* Asks for the file. Where the transfer comes from. */
static struct sockaddr_in ask(int fd)
{
	static const char request[] = "\0\1file\0octet";
	const struct sockaddr_in server = {
		.sin_family = AF_INET, .sin_port = htons(69), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in from;
	char packet[600];

	send_packet(fd, request, sizeof(request), &server);
	cr_assert_eq(receive(fd, packet, sizeof(packet), &from), OPCODE_DATA, "%s", packet + 4);
	cr_expect_str_eq(packet + 4, WORDS);
	return from;
}

static void acknowledge(int fd, const struct sockaddr_in *server)
{
	send_packet(fd, "\0\4\0\1", 4, server);
}

static void two_transfers(int port[2])
{
	int one = server_udp("127.0.0.1", 0), two = server_udp("127.0.0.1", 0);
	struct sockaddr_in first = ask(one), second = ask(two);

	acknowledge(one, &first);
	acknowledge(two, &second);
	port[0] = ntohs(first.sin_port);
	port[1] = ntohs(second.sin_port);
	close(one);
	close(two);
}

/* Two transfers at once have a port each. */
Test(tftp, server)
{
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	int port[2];

	server_start(&bare);
	two_transfers(port);
	cr_assert(is_ephemeral(port[0]) && is_ephemeral(port[1]) && port[0] != port[1], "bare, %d and %d", port[0], port[1]);
	daemon_stop(&bare);
	shell("ip address del " NEAR4 "/24 dev lo");
	server_start(&run);
	two_transfers(port);
	cr_expect(is_ours(port[0]) && is_ours(port[1]) && port[0] != port[1], "%d and %d", port[0], port[1]);
	daemon_stop(&run);
	story_same("in.tftpd", &bare, &run);
}

/* --- both, through a firewall that knows nothing of TFTP ---------------------------------------------------- */

Test(tftp, through_a_firewall)
{
	const char *argv[] = { "curl", "-sS", "--max-time", "2", "tftp://127.0.0.1/file", NULL };
	static struct run server = { .policy = POLICY }, bare = { .bare = true }, run = { .policy = POLICY };

	shell("nft 'add table ip t; add chain ip t c { type filter hook output priority 0; };"
	      "add rule ip t c udp sport != { 69, 20000-20009 } drop'");
	server_start(&server);
	story_run(&bare, argv);
	cr_expect(!exited(&bare, 0), "the firewall lets everything pass");
	story_run(&run, argv);
	cr_expect(exited(&run, 0), "%s", run.err);
	cr_expect_str_eq(run.out, WORDS);
	daemon_stop(&server);
}
