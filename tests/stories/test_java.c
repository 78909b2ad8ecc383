/* test_java.c - Java programs, unchanged: sockets and channels of every kind, bound first or not, IPv6 for IPv4. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/world.h"

#define JAVA_RULE "[rule java]\nprogram = java\nports = 20000-20009\n"
#define TO_RULE "[rule java]\nto = 127.0.0.1:5000, [::1]:5000\nports = 20000-20009\n"

static const char source[] =
	"import java.net.*;\n"
	"import java.nio.ByteBuffer;\n"
	"import java.nio.channels.*;\n"
	"import java.net.http.*;\n"
	"public class Client {\n"
	"	static void talk(SocketChannel c) throws Exception {\n"
	"		c.write(ByteBuffer.wrap(new byte[] { 65 }));\n"
	"		c.read(ByteBuffer.allocate(1));\n"
	"		c.close();\n"
	"	}\n"
	"	static void talk(Socket s) throws Exception {\n"
	"		s.getOutputStream().write(65);\n"
	"		s.getInputStream().read();\n"
	"		s.close();\n"
	"	}\n"
	"	static void talk(DatagramSocket s, InetSocketAddress to) throws Exception {\n"
	"		DatagramPacket p = new DatagramPacket(new byte[1], 1, to);\n"
	"		s.send(p);\n"
	"		s.receive(p);\n"
	"		s.close();\n"
	"	}\n"
	"	static SocketChannel selected(InetSocketAddress to) throws Exception {\n"
	"		SocketChannel c = SocketChannel.open();\n"
	"		Selector selector = Selector.open();\n"
	"		c.configureBlocking(false);\n"
	"		SelectionKey key = c.register(selector, SelectionKey.OP_CONNECT);\n"
	"		for (boolean done = c.connect(to); !done; done = c.finishConnect())\n"
	"			selector.select();\n"
	"		key.cancel();\n"
	"		selector.close();\n"
	"		c.configureBlocking(true);\n"
	"		return c;\n"
	"	}\n"
	"	static void talk(AsynchronousSocketChannel c, InetSocketAddress to) throws Exception {\n"
	"		c.connect(to).get();\n"
	"		c.write(ByteBuffer.wrap(new byte[] { 65 })).get();\n"
	"		c.read(ByteBuffer.allocate(1)).get();\n"
	"		c.close();\n"
	"	}\n"
	"	static void talk(DatagramChannel c, InetSocketAddress to, boolean connected) throws Exception {\n"
	"		if (connected)\n"
	"			c.connect(to).write(ByteBuffer.wrap(new byte[] { 65 }));\n"
	"		else\n"
	"			c.send(ByteBuffer.wrap(new byte[] { 65 }), to);\n"
	"		c.receive(ByteBuffer.allocate(1));\n"
	"		c.close();\n"
	"	}\n"
	"	static void get(InetSocketAddress to) throws Exception {\n"
	"		HttpRequest r = HttpRequest.newBuilder(new URI(\"http\", null, to.getAddress().getHostAddress(), 5000,\n"
	"			\"/\", null, null)).version(HttpClient.Version.HTTP_1_1).build();\n"
	"		HttpClient.newHttpClient().send(r, HttpResponse.BodyHandlers.ofString());\n"
	"	}\n"
	"	public static void main(String[] args) throws Exception {\n"
	"		InetSocketAddress to = new InetSocketAddress(args[0], 5000);\n"
	"		InetSocketAddress from = new InetSocketAddress(args[0], 0);\n"
	"		for (int i = 1; i < args.length; i++)\n"
	"			switch (args[i]) {\n"
	"			case \"socket\": talk(new Socket(to.getAddress(), 5000)); break;\n"
	"			case \"bound-socket\": talk(new Socket(to.getAddress(), 5000, from.getAddress(), 0)); break;\n"
	"			case \"channel\": talk(SocketChannel.open(to)); break;\n"
	"			case \"bound-channel\":\n"
	"				SocketChannel c = SocketChannel.open().bind(from);\n"
	"				c.connect(to);\n"
	"				talk(c);\n"
	"				break;\n"
	"			case \"selected\": talk(selected(to)); break;\n"
	"			case \"async\": talk(AsynchronousSocketChannel.open(), to); break;\n"
	"			case \"bound-async\": talk(AsynchronousSocketChannel.open().bind(from), to); break;\n"
	"			case \"http\": get(to); break;\n"
	"			case \"datagram\": talk(new DatagramSocket(), to); break;\n"
	"			case \"bound-datagram\": talk(new DatagramSocket(from), to); break;\n"
	"			case \"datagram-channel\": talk(DatagramChannel.open(), to, false); break;\n"
	"			case \"connected-datagram-channel\": talk(DatagramChannel.open(), to, true); break;\n"
	"			}\n"
	"		System.out.println(\"done\");\n"
	"	}\n"
	"}\n";

TestSuite(java, .init = world_enter, .fini = world_leave);

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

/* -XX:TieredStopAtLevel=1: compiles less, so starts sooner. */
static void start(struct run *run, const char *option, const char *host, const char *const kinds[])
{
	const char *argv[16] = { "java", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", option,
		                 file_make("Client.java", source), host };

	for (int i = 0; kinds[i]; i++)
		argv[6 + i] = kinds[i];
	story_start(run, argv);
}

static void ends_well(struct run *run)
{
	run_end(run);
	cr_assert(exited(run, 0), "%s", run->err);
	cr_assert_str_eq(run->out, "done\n");
	cr_assert_str_empty(run->err);
}

struct stack {
	const char *option, *host;
};

static const struct stack stacks[] = {
	{ "-Djava.net.preferIPv4Stack=false", "127.0.0.1" }, /* IPv6 sockets, mapped addresses */
	{ "-Djava.net.preferIPv4Stack=false", "::1" },
	{ "-Djava.net.preferIPv4Stack=true", "127.0.0.1" },
};

static struct criterion_test_params indices(void)
{
	static int index[3] = { 0, 1, 2 };

	return cr_make_param_array(int, index, 3);
}

ParameterizedTestParameters(java, by_program)
{
	return indices();
}

static void is_seen(const struct stack *stack, const char *policy, const char *const streams[],
                    const char *const datagrams[])
{
	struct run run = { .policy = policy };
	const char *kinds[10];
	int tcp = server_tcp(stack->host, 5000), udp = server_udp(stack->host, 5000), port, n = 0;

	for (int i = 0; streams[i]; i++)
		kinds[n++] = streams[i];
	for (int i = 0; datagrams[i]; i++)
		kinds[n++] = datagrams[i];
	kinds[n] = NULL;
	start(&run, stack->option, stack->host, kinds);
	for (int i = 0; streams[i]; i++) {
		port = answer_tcp(tcp, strcmp(streams[i], "http") == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" : "x");
		cr_expect(is_ours(port), "%s from port %d", streams[i], port);
	}
	for (int i = 0; datagrams[i]; i++) {
		port = answer_udp(udp, "x");
		cr_expect(is_ours(port), "%s from port %d", datagrams[i], port);
	}
	ends_well(&run);
}

/* The rule concerns every call, bind() too. */
ParameterizedTest(int *index, java, by_program)
{
	static const char *const streams[] = { "socket", "bound-socket", "channel", "bound-channel", NULL };
	static const char *const datagrams[] = { "datagram", NULL };

	is_seen(&stacks[*index], JAVA_RULE, streams, datagrams);
}

ParameterizedTestParameters(java, further)
{
	return indices();
}

/* Selectors, asynchronous channels, the HTTP client, datagrams of both kinds. */
ParameterizedTest(int *index, java, further)
{
	static const char *const streams[] = { "selected", "async", "bound-async", "http", NULL };
	static const char *const datagrams[] = { "bound-datagram", "datagram-channel", "connected-datagram-channel", NULL };

	is_seen(&stacks[*index], TO_RULE, streams, datagrams);
}

ParameterizedTestParameters(java, by_destination)
{
	return indices();
}

ParameterizedTest(int *index, java, by_destination)
{
	static const char *const kinds[] = { "socket", "channel", NULL };
	const struct stack *stack = &stacks[*index];
	struct run run = { .policy = TO_RULE };
	int tcp = server_tcp(stack->host, 5000);

	start(&run, stack->option, stack->host, kinds);
	for (int i = 0; i < 2; i++) {
		int port = answer_tcp(tcp, "x");

		cr_expect(is_ours(port), "%s from port %d", kinds[i], port);
	}
	ends_well(&run);
}

ParameterizedTestParameters(java, by_destination_bound_first)
{
	return indices();
}

/* Java binds its address, asks for the port that it got, and connects: the rule of the destination still decides. */
ParameterizedTest(int *index, java, by_destination_bound_first)
{
	static const char *const kinds[] = { "bound-socket", "bound-channel", NULL };
	const struct stack *stack = &stacks[*index];
	struct run run = { .policy = TO_RULE };
	int tcp = server_tcp(stack->host, 5000);

	start(&run, stack->option, stack->host, kinds);
	for (int i = 0; i < 2; i++) {
		int port = answer_tcp(tcp, "x");

		cr_expect(is_ours(port), "%s from port %d", kinds[i], port);
	}
	ends_well(&run);
}

Test(java, bare)
{
	static const char *const kinds[] = { "socket", "bound-socket", "channel", "bound-channel", NULL };
	struct run run = { .policy = JAVA_RULE, .bare = true };
	int tcp = server_tcp("127.0.0.1", 5000);

	start(&run, stacks[0].option, "127.0.0.1", kinds);
	for (int i = 0; i < 4; i++)
		cr_expect(is_ephemeral(answer_tcp(tcp, "x")), "%s", kinds[i]);
	ends_well(&run);
}
