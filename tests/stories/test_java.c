/* test_java.c - Java programs, unchanged: sockets of both kinds of I/O, bound first or not, IPv6 sockets for IPv4. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>

#include "tests/lib/world.h"

#define JAVA_RULE "[rule java]\nprogram = java\nports = 20000-20009\n"
#define TO_RULE "[rule java]\nto = 127.0.0.1:5000, [::1]:5000\nports = 20000-20009\n"

static const char source[] =
	"import java.net.*;\n"
	"import java.nio.ByteBuffer;\n"
	"import java.nio.channels.*;\n"
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
	"			case \"datagram\": talk(new DatagramSocket(), to); break;\n"
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

/* The rule concerns every call, bind() too. */
ParameterizedTest(int *index, java, by_program)
{
	static const char *const kinds[] = { "socket", "bound-socket", "channel", "bound-channel", "datagram", NULL };
	const struct stack *stack = &stacks[*index];
	struct run run = { .policy = JAVA_RULE };
	int tcp = server_tcp(stack->host, 5000), udp = server_udp(stack->host, 5000), port;

	start(&run, stack->option, stack->host, kinds);
	for (int i = 0; i < 4; i++) {
		port = answer_tcp(tcp, "x");
		cr_expect(is_ours(port), "%s from port %d", kinds[i], port);
	}
	port = answer_udp(udp, "x");
	cr_expect(is_ours(port), "datagram from port %d", port);
	ends_well(&run);
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
