/* calls.c - a program's calls, any of them with any addresses, messages and lengths, through the hooks; and in between words of the table
 * that somebody else has written. It must not crash or read a byte too much; a port that the library gives is of the policy
 * (calls.conf, which PORTSHIM_CONF has to name), whatever the table says; and nothing of it shows in what the program passed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/table.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

enum { SOCKETS = 6, CALLS = 48, FIRST = 20000, LAST = 20999 };

/* What this program has done to a socket, as far as its port is concerned. */
struct own {
	int fd;       /* -1: none */
	bool inet, named, lost; /* a port that it named itself; or one past the library: of a descriptor that was replaced */
};

static struct own own[SOCKETS];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	world_make();
	for (int i = 0; i < SOCKETS; i++)
		own[i].fd = -1;
	return 0;
}

/* --- pieces of calls ----------------------------------------------------------------------------------------- */

/* An address in memory of just its length, so that no byte behind it can be read unseen; NULL now and then. */
struct name {
	struct sockaddr *at;
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} kept; /* the same, to see that it was left alone */
};

static const char *const addresses[] = {
	"::1", "::", "::ffff:127.0.0.1", "::ffff:127.0.0.2", "2001:db8::1", "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.7", "0.0.0.0",
};

static uint16_t port_of(struct bytes *bytes)
{
	static const uint16_t ports[] = { 0, 5000, 5001, 53, 20000, 20310, 20650 };
	size_t which = bytes_take(bytes, 1) % 9;

	return which < 7 ? ports[which] : (uint16_t)bytes_take(bytes, 2);
}

static struct name name_of(struct bytes *bytes)
{
	struct name name = { .length = 0 };
	size_t which = bytes_take(bytes, 1), whole;

	if (which >= 250)
		return name;
	memset(&name.kept, 0, sizeof(name.kept));
	if (which % 10 < 5) {
		name.kept.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port_of(bytes)) };
		inet_pton(AF_INET6, addresses[which % 10], &name.kept.v6.sin6_addr);
		whole = sizeof(name.kept.v6);
	} else {
		name.kept.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port_of(bytes)) };
		inet_pton(AF_INET, addresses[which % 10], &name.kept.v4.sin_addr);
		whole = sizeof(name.kept.v4);
	}
	if (which >= 240)
		name.kept.any.sa_family = (sa_family_t)bytes_take(bytes, 1);
	name.length = which >= 220 ? (socklen_t)(bytes_take(bytes, 1) % (sizeof(name.kept.room) + 1)) : (socklen_t)whole;
	name.at = malloc(name.length ? name.length : 1);
	HOLDS(name.at);
	memcpy(name.at, &name.kept, name.length);
	return name;
}

static void name_end(struct name *name)
{
	HOLDS(!name->length || memcmp(name->at, &name->kept, name->length) == 0);
	free(name->at);
}

static bool names_port(const struct name *name)
{
	return name->length >= 4 && name->kept.v4.sin_port;
}

/* After a call that has given a port: it is of the policy, unless the program named it. */
static void has_right_port(const struct own *socket)
{
	struct sockaddr_in6 name = { 0 };
	socklen_t length = sizeof(name);
	int port;

	if (!socket->inet || socket->named || socket->lost)
		return;
	HOLDS(getsockname(socket->fd, (struct sockaddr *)&name, &length) == 0);
	port = ntohs(name.sin6_port);
	if (port < FIRST || port > LAST || port == 20650)
		fprintf(stderr, "calls: port %d\n", port);
	HOLDS(port >= FIRST && port <= LAST && port != 20650);
}

/* --- the calls ------------------------------------------------------------------------------------------------- */

static void make(struct own *socket_, struct bytes *bytes)
{
	static const int families[] = { AF_INET, AF_INET6, AF_INET, AF_INET6, AF_UNIX };
	size_t which = bytes_take(bytes, 1);
	int family = families[which % 5], type = which & 64 ? SOCK_DGRAM : SOCK_STREAM;

	if (socket_->fd >= 0)
		close(socket_->fd);
	*socket_ = (struct own){ .fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .inet = family != AF_UNIX };
}

static void do_bind(struct own *socket, struct bytes *bytes)
{
	struct name name = name_of(bytes);

	if (bind(socket->fd, name.at, name.length) == 0)
		socket->named = socket->named || names_port(&name);
	name_end(&name);
}

static void do_connect(struct own *socket, struct bytes *bytes)
{
	struct name name = name_of(bytes);
	int result = connect(socket->fd, name.at, name.length);

	if ((result == 0 || errno == EINPROGRESS) && name.length && name.kept.any.sa_family != AF_UNSPEC)
		has_right_port(socket);
	name_end(&name);
}

static void do_sendto(struct own *socket, struct bytes *bytes)
{
	struct name name = name_of(bytes);

	if (sendto(socket->fd, "hello", 5, MSG_DONTWAIT | MSG_NOSIGNAL, name.at, name.length) >= 0)
		has_right_port(socket);
	name_end(&name);
}

static void do_sendmsg(struct own *socket, struct bytes *bytes)
{
	struct name name = name_of(bytes);
	size_t pieces = bytes_take(bytes, 1) % 4, control = bytes_take(bytes, 1) % 64;
	unsigned int count = (unsigned int)bytes_take(bytes, 1) % 4;
	struct iovec piece[3] = { { (char[]){ "he" }, 2 }, { (char[]){ "llo" }, 3 }, { NULL, 0 } };
	char *more = malloc(control ? control : 1);
	struct mmsghdr message[3];

	HOLDS(more);
	for (size_t i = 0; i < control; i++)
		more[i] = (char)bytes_take(bytes, 1);
	for (int i = 0; i < 3; i++)
		message[i] = (struct mmsghdr){ .msg_hdr = { name.at, name.length, piece, pieces, control ? more : NULL, control, 0 } };
	if (count == 3)
		sendmsg(socket->fd, NULL, MSG_NOSIGNAL);
	else if (count ? sendmmsg(socket->fd, message, count, MSG_NOSIGNAL) > 0 : sendmsg(socket->fd, &message[0].msg_hdr, MSG_NOSIGNAL) >= 0)
		has_right_port(socket);
	free(more);
	name_end(&name);
}

static void do_option(struct own *socket, struct bytes *bytes)
{
	static const struct { int level, name; } options[] = {
		{ SOL_SOCKET, SO_REUSEADDR }, { SOL_SOCKET, SO_REUSEPORT }, { IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */ },
		{ IPPROTO_IPV6, IPV6_V6ONLY }, { SOL_SOCKET, SO_BINDTODEVICE }, { IPPROTO_IP, IP_FREEBIND },
	};
	size_t which = bytes_take(bytes, 1), length = bytes_take(bytes, 1) % 9;
	char *value = malloc(length ? length : 1);
	socklen_t room = (socklen_t)length;

	HOLDS(value);
	for (size_t i = 0; i < length; i++)
		value[i] = (char)bytes_take(bytes, 1);
	if (which & 128)
		getsockopt(socket->fd, options[which % 6].level, options[which % 6].name, value, &room);
	else
		setsockopt(socket->fd, options[which % 6].level, options[which % 6].name, value, room);
	free(value);
}

static void do_name(struct own *socket, struct bytes *bytes)
{
	socklen_t length = (socklen_t)(bytes_take(bytes, 1) % 40), room = length;
	char *name = malloc(length ? length : 1);

	HOLDS(name);
	getsockname(socket->fd, (struct sockaddr *)name, &room);
	free(name);
}

/* A second descriptor, over one of the others or of its own. */
static void do_dup(struct own *socket, struct bytes *bytes)
{
	struct own *other = &own[bytes_take(bytes, 1) % SOCKETS];

	if (other == socket || other->fd < 0)
		return;
	HOLDS(dup2(socket->fd, other->fd) == other->fd);
	other->inet = socket->inet;
	other->named = other->lost = socket->named = socket->lost = true;
}

/* Any word of the table, but where the file begins: what is not a table of this version is not looked at at all. */
static void scribble(struct bytes *bytes)
{
	struct table *table = table_made();
	size_t at = bytes_take(bytes, 4) % ((sizeof(*table) - 64) / 8) * 8 + 64;

	if (table && table_is_shared(table))
		memcpy((char *)table + at, &(uint64_t){ bytes_take(bytes, 8) }, 8);
}

static void step(struct own *socket, struct bytes *bytes)
{
	switch (bytes_take(bytes, 1) % 12) {
	case 0: make(socket, bytes); break;
	case 1: do_bind(socket, bytes); break;
	case 2: case 3: do_connect(socket, bytes); break;
	case 4: do_sendto(socket, bytes); break;
	case 5: do_sendmsg(socket, bytes); break;
	case 6: HOLDS(listen(socket->fd, (int)bytes_take(bytes, 1)) != 0 || !socket->inet || (has_right_port(socket), true)); break;
	case 7: do_option(socket, bytes); break;
	case 8: do_name(socket, bytes); break;
	case 9: do_dup(socket, bytes); break;
	case 10: shutdown(socket->fd, SHUT_RDWR); break;
	case 11: scribble(bytes); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = { data, size };

	for (int i = 0; i < CALLS && bytes.left; i++) {
		struct own *socket = &own[bytes_take(&bytes, 1) % SOCKETS];

		if (socket->fd < 0)
			make(socket, &bytes);
		else
			step(socket, &bytes);
	}
	for (int i = 0; i < SOCKETS; i++) {
		if (own[i].fd >= 0)
			close(own[i].fd);
		own[i].fd = -1;
	}
	world_hang_up();
	return 0;
}
