/* ask.c - what sock_diag(7) answers about one connection and in a list: all that shim/ask.c relies on. */
#include "fact.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdint.h>

#define NOBODY 65534
#define ALL_STATES UINT32_MAX
#define TCP_BOUND 13 /* TCP_BOUND_INACTIVE, Linux 6.8 */

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

static char answer[1 << 16];

static int ask_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		broken("NETLINK_SOCK_DIAG");
	return fd;
}

static void question_send(int fd, const struct question *question)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(fd, question, sizeof(*question), 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		broken("a question");
}

static void address_put(__be32 words[4], const char *ip)
{
	inet_pton(strchr(ip, ':') ? AF_INET6 : AF_INET, ip, words);
}

/* The state that an exact question is answered with, as a word: "free" if there is no such connection. */
static const char *exact(const char *from, int port, const char *to, int to_port, int interface)
{
	static char word[32];
	struct question question = {
		.head = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		          .nlmsg_flags = NLM_F_REQUEST },
		.body = { .sdiag_family = strchr(from, ':') ? AF_INET6 : AF_INET, .sdiag_protocol = IPPROTO_TCP,
		          .idiag_states = ALL_STATES },
	};
	struct nlmsghdr *head = (void *)answer;
	int fd = ask_socket();
	long length;

	question.body.id.idiag_sport = htons((uint16_t)port);
	question.body.id.idiag_dport = htons((uint16_t)to_port);
	question.body.id.idiag_if = (uint32_t)interface;
	question.body.id.idiag_cookie[0] = question.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	address_put(question.body.id.idiag_src, from);
	address_put(question.body.id.idiag_dst, to);
	question_send(fd, &question);
	length = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	close(fd);
	if (length < (long)sizeof(*head))
		return "nothing at once";
	if (head->nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(head))->error == -ENOENT ? "free" : "error";
	snprintf(word, sizeof(word), "state %u", ((struct inet_diag_msg *)NLMSG_DATA(head))->idiag_state);
	return word;
}

/* A whole list. How many sockets with this local port it has, the last one's state, and with what the list ends. */
static int listed(int family, int protocol, uint32_t states, int port, int *state, int *end)
{
	const struct question question = {
		.head = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = (uint8_t)family, .sdiag_protocol = (uint8_t)protocol,
		          .idiag_states = states },
	};
	int fd = ask_socket(), n = 0;

	*state = 0;
	*end = 1;
	question_send(fd, &question);
	while (*end > 0) {
		long length = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);

		if (length < 0)
			broken("a part of a list that is there at once");
		for (struct nlmsghdr *head = (void *)answer; NLMSG_OK(head, length); head = NLMSG_NEXT(head, length)) {
			const struct inet_diag_msg *socket = NLMSG_DATA(head);

			if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) {
				*end = *(int *)NLMSG_DATA(head);
			} else if (ntohs(socket->id.idiag_sport) == port) {
				*state = socket->idiag_state;
				n++;
			}
		}
	}
	close(fd);
	return n;
}

static int count(int family, int protocol, int port)
{
	int state, end;

	return listed(family, protocol, ALL_STATES, port, &state, &end);
}

static int client(const char *kind, const char *from, int port, const char *to, int to_port)
{
	int fd = sock(kind);

	if (strcmp(do_bind(fd, from, port), "ok") != 0 || strcmp(do_connect(fd, to, to_port), "ok") != 0)
		broken("a connection");
	return fd;
}

static void one_connection(int server)
{
	int fd, listener;

	fact("exact: none", "free", "%s", exact("127.0.0.1", 30000, "127.0.0.1", ONE, 0));
	client("tcp4", "127.0.0.1", 30000, "127.0.0.1", ONE);
	accept4(server, NULL, NULL, SOCK_CLOEXEC);
	fact("exact: a connection, and the answer is there at once", "state 1", "%s",
	     exact("127.0.0.1", 30000, "127.0.0.1", ONE, 0));
	fact("exact: from the other side", "state 1", "%s", exact("127.0.0.1", ONE, "127.0.0.1", 30000, 0));
	fact("exact: another source", "free", "%s", exact("127.0.0.2", 30000, "127.0.0.1", ONE, 0));
	fact("exact: no source", "free", "%s", exact("0.0.0.0", 30000, "127.0.0.1", ONE, 0));
	client("tcp6", "::ffff:127.0.0.1", 30001, "::ffff:127.0.0.1", ONE);
	accept4(server, NULL, NULL, SOCK_CLOEXEC);
	fact("exact: v4-mapped, asked for as IPv4", "state 1", "%s", exact("127.0.0.1", 30001, "127.0.0.1", ONE, 0));
	client("tcp6", "::1", 30002, "::1", ONE);
	accept4(server, NULL, NULL, SOCK_CLOEXEC);
	fact("exact: IPv6", "state 1", "%s", exact("::1", 30002, "::1", ONE, 0));
	fd = sock("tcp4");
	do_bind(fd, "127.0.0.1", 30003);
	fact("exact: bound and no more is missed", "free", "%s", exact("127.0.0.1", 30003, "127.0.0.1", ONE, 0));
	listener = serve("tcp4", 30004);
	fact("exact: a listener on the port is a hit", "state 10", "%s",
	     exact("127.0.0.1", 30004, "127.0.0.1", ONE, 0));
	close(listener);
	leave_time_wait(client("tcp4", "127.0.0.1", 30005, "127.0.0.1", ONE), server);
	fact("exact: TIME_WAIT", "state 6", "%s", exact("127.0.0.1", 30005, "127.0.0.1", ONE, 0));
}

static void by_interface(int server)
{
	int lo = (int)if_nametoindex("lo"), fd = sock("tcp4");

	do_bind(fd, "127.0.0.1", 30010);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0)
		broken("SO_BINDTODEVICE");
	do_connect(fd, "127.0.0.1", ONE);
	accept4(server, NULL, NULL, SOCK_CLOEXEC);
	fact("interface: of a bound socket", "state 1", "%s", exact("127.0.0.1", 30010, "127.0.0.1", ONE, lo));
	fact("interface: a bound socket is not in the way of others", "free", "%s",
	     exact("127.0.0.1", 30010, "127.0.0.1", ONE, 0));
	fact("interface: an unbound socket is", "state 1", "%s", exact("127.0.0.1", 30000, "127.0.0.1", ONE, lo));
}

/* A process of no privileges asks about another user's connection. */
static void another_user(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(2);
		_exit(strcmp(exact("127.0.0.1", 30000, "127.0.0.1", ONE, 0), "state 1") != 0 ||
		      count(AF_INET, IPPROTO_TCP, 30000) != 1);
	}
	waitpid(child, &status, 0);
	if (status == 2 << 8)
		note("another user", "this process may not become one");
	else
		fact("another user's sockets are seen", "yes", "%s", status == 0 ? "yes" : "no");
}

static void lists(void)
{
	int state, end, n;

	see("IPv4 %d", count(AF_INET, IPPROTO_TCP, 30000));
	see("IPv6 %d", count(AF_INET6, IPPROTO_TCP, 30000));
	seen("list: a connection", "IPv4 1, IPv6 0");
	see("IPv4 %d", count(AF_INET, IPPROTO_TCP, 30001));
	see("IPv6 %d", count(AF_INET6, IPPROTO_TCP, 30001));
	seen("list: a v4-mapped connection is IPv6's", "IPv4 0, IPv6 1");
	n = listed(AF_INET, IPPROTO_TCP, ALL_STATES, 30005, &state, &end);
	fact("list: TIME_WAIT", "1 of state 6, end 0", "%d of state %d, end %d", n, state, end);
	n = listed(AF_INET, IPPROTO_TCP, ALL_STATES, 30003, &state, &end);
	if (n == 0) {
		note("list: bound and no more", "not told of (before Linux 6.8)");
	} else {
		fact("list: bound and no more is told of as closed", "1 of state 7", "%d of state %d", n, state);
		n = listed(AF_INET, IPPROTO_TCP, ALL_STATES & ~(1u << TCP_BOUND), 30003, &state, &end);
		fact("list: and must be asked for as state 13", "0", "%d", n);
	}
}

static void list_udp(void)
{
	int bound = sock("udp4"), state, end, n;

	do_bind(bound, "127.0.0.1", 30020);
	client("udp4", "127.0.0.1", 30021, "127.0.0.1", 9);
	n = listed(AF_INET, IPPROTO_UDP, ALL_STATES, 30020, &state, &end);
	fact("list: UDP, bound", "1 of state 7", "%d of state %d", n, state);
	n = listed(AF_INET, IPPROTO_UDP, ALL_STATES, 30021, &state, &end);
	fact("list: UDP, connected", "1 of state 1", "%d of state %d", n, state);
}

/* A list of a protocol that there is none of: the errno stands in the message that ends it. */
static void list_of_nothing(void)
{
	int state, end, n = listed(AF_INET, 253, ALL_STATES, 30000, &state, &end);

	fact("list: of an unknown protocol ends with an errno", "0, ENOENT", "%d, %s", n,
	     end == -ENOENT ? "ENOENT" : errno_word(-end));
}

int main(void)
{
	int server;

	fact_begin();
	server = serve("tcp6", ONE);
	one_connection(server);
	by_interface(server);
	another_user();
	lists();
	list_udp();
	list_of_nothing();
	return fact_end();
}
