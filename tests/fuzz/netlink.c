/* netlink.c - any bytes as the kernel's answer to a question about sockets: one connection's state, and a part of a list. The functions that
 * read them are ask.c's own, so that is compiled in here. */
#include "shim/ask.c"

#include "tests/fuzz/fuzz.h"

struct heard {
	const struct ask_what *what;
	unsigned int sockets;
};

static void hear(void *context, const struct asked *socket)
{
	struct heard *heard = context;

	heard->sockets++;
	HOLDS(socket->protocol == heard->what->protocol);
	HOLDS(socket->local.port >= heard->what->ports.lo && socket->local.port <= heard->what->ports.hi);
	HOLDS(socket->local.addr.family == FAMILY_IPV4 || socket->local.addr.family == FAMILY_IPV6);
	HOLDS(socket->local.addr.family == FAMILY_IPV6 || (!socket->local.addr.hi && socket->local.addr.lo <= UINT32_MAX));
	HOLDS(!heard->what->to || goes_to(socket, heard->what->to) || socket->state == TCP_LISTEN);
}

/* As recvfrom(2) leaves it: aligned, and of that length, so that a byte beyond it is found. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = { data, size };
	struct endpoint to = { .port = (uint16_t)bytes_take(&bytes, 2) };
	struct ask_what what = { .protocol = PROTOCOL_TCP, .ports = { 1, 65535 } };
	struct heard heard = { .what = &what };
	uint8_t about = (uint8_t)bytes_take(&bytes, 1);
	char *answer = malloc(bytes.left ? bytes.left : 1);
	int done;

	HOLDS(answer);
	if (bytes.left)
		memcpy(answer, bytes.at, bytes.left);
	to.addr = (struct ip_addr){ .lo = bytes_take(&bytes, 4), .family = FAMILY_IPV4 };
	what.to = about & 1 ? &to : NULL;
	what.ports.lo = about & 2 ? 20000 : 1;
	done = read_part(&what, answer, size < 3 ? 0 : size - 3, hear, &heard);
	HOLDS(done <= 1 && heard.sockets <= size / sizeof(struct inet_diag_msg));
	HOLDS(read_answer(answer, size < 3 ? 0 : (int)(size - 3)) <= TUPLE_UNKNOWN);
	free(answer);
	return 0;
}
