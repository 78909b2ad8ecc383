/* rcmd.c - rresvport(3) and rcmd(3), whose sockets libc makes, binds and connects inside itself.
 *
 * Theory of operation. No hook sees these calls of libc's, so where a process has rules, the work is done here: the
 * same steps, the same words on standard error, the same patience. Only the local port is asked of the policy first;
 * where that has no say, it is a reserved one (512 to 1023), as libc takes it.
 *
 * The conversation (rshd(8)): the client connects and sends the number of a port that it listens on, in decimal and
 * ended by a NUL; the server connects to that for the program's standard error, unless the number is missing. Then
 * the client sends three strings, each with its NUL: its own user, the one there, the command. The server answers a
 * NUL, and the program's output follows; or it answers anything else, and a line that says why not.
 *
 * Like libc's, this is for programs that wait: it resolves names, sleeps and is no function for a signal handler. */
#define _GNU_SOURCE
#include "rcmd.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "assign.h"
#include "bind.h"
#include "config/text.h"
#include "held.h"
#include "real.h"
#include "session.h"
#include "sock.h"

#define PATIENCE_MAX 16 /* seconds; the server refuses, and may be about to start */

bool rcmd_has_rules(void)
{
	int saved = errno;
	bool has = session_get()->calls != 0;

	errno = saved;
	return has;
}

/* --- standard error ------------------------------------------------------------------------------------ */

static void say(const char *before, const char *words, const char *after)
{
	int saved = errno;
	char buffer[512];
	struct text text = TEXT_OVER(buffer);

	text_add(&text, before);
	text_add(&text, words);
	text_add(&text, after);
	while (write(STDERR_FILENO, text.at, text.length) < 0 && errno == EINTR)
		;
	errno = saved;
}

static void say_error(const char *before)
{
	say(before, strerror(errno), "\n");
}

static void say_address(const char *before, const struct addrinfo *at, const char *after)
{
	int saved = errno;
	char address[64] = "";

	getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof(address), NULL, 0, NI_NUMERICHOST);
	say(before, address, after);
	errno = saved;
}

/* --- sockets --------------------------------------------------------------------------------------------- */

static int make_socket(int family)
{
	int fd;

	session_prepare();
	fd = real.socket(family, SOCK_STREAM, 0);
	sock_born(fd, family, SOCK_STREAM, 0);
	return fd;
}

/* As the hook of close() does; errno is kept. */
static void drop(int fd)
{
	struct lease lease = held_take(fd);
	int saved = errno;

	sock_forget(fd);
	real.close(fd);
	held_return(&lease);
	errno = saved;
}

/* libc's own choice of a port. */
static int take_reserved(int fd, union name *name, int *port)
{
	int error = bind_reserved(fd, name, port);

	if (error)
		errno = -error;
	return error ? -1 : 0;
}

static void name_any(union name *name, int family)
{
	static const struct ip_addr any;

	name_make(name, family == AF_INET6, &any);
}

static ssize_t finish_bind(const struct act *act)
{
	union name name;

	name_copy(&name, act->addr, act->len);
	return take_reserved(act->fd, &name, (int *)act->data);
}

int rcmd_bound_socket(int *port, sa_family_t family)
{
	union name name;
	uint16_t given = 0;
	struct act act = { .calls = CALL_BIND, .addr = &name.any, .given = &given, .finish = finish_bind, .data = port };

	if (family != AF_INET && family != AF_INET6) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	name_any(&name, family);
	act.len = name_length(&name);
	act.fd = make_socket(family);
	if (act.fd < 0)
		return -1;
	if (assign(&act) < 0) {
		drop(act.fd);
		if (errno == EADDRINUSE)
			errno = EAGAIN;
		return -1;
	}
	if (given)
		*port = given;
	return act.fd;
}

/* --- the connection ---------------------------------------------------------------------------------------- */

enum came { CAME_CONNECTED, CAME_IN_USE, CAME_NO_PORT, CAME_NOT };

/* One try: how far it has come. */
struct try {
	int *port;     /* the next of the reserved ones */
	bool reserved; /* the policy has no say: it is to be one of them */
	bool bound;    /* and was */
};

/* Bound and connected at once: the socket has its port, or is to get it here, or the policy has no say. */
static ssize_t finish_connect(const struct act *act)
{
	struct try *try = (struct try *)act->data;
	struct sock sock;
	union name name;

	try->reserved = sock_know(act->fd, &sock) && sock.state == SOCK_UNBOUND;
	if (try->reserved) {
		name_any(&name, act->addr->sa_family);
		if (take_reserved(act->fd, &name, try->port) < 0)
			return -1;
		try->bound = true;
	}
	return real.connect(act->fd, act->addr, act->len);
}

/* Connects to one address; the socket in *fd. errno says why not. */
static enum came connect_to(const struct addrinfo *at, int *port, int *fd)
{
	struct try try = { .port = port };
	struct act act = {
		.calls = CALL_CONNECT | CALL_BIND, .addr = at->ai_addr, .len = at->ai_addrlen, .finish = finish_connect,
		.data = &try,
	};

	act.fd = make_socket(at->ai_family);
	if (act.fd < 0)
		return CAME_NO_PORT;
	real.fcntl(act.fd, F_SETOWN, (void *)(intptr_t)getpid());
	*fd = act.fd;
	if (assign(&act) == 0)
		return CAME_CONNECTED;
	drop(act.fd);
	if (errno == EADDRINUSE && try.bound)
		return CAME_IN_USE;
	if (errno == EADDRINUSE && !try.reserved)
		errno = EAGAIN; /* the rule's ports are used up */
	return try.reserved ? (try.bound ? CAME_NOT : CAME_NO_PORT) : errno == EAGAIN ? CAME_NO_PORT : CAME_NOT;
}

static void say_no_port(void)
{
	if (errno == EAGAIN)
		say("rcmd: socket: ", "All ports in use", "\n");
	else
		say_error("rcmd: socket: ");
}

/* From address to address, and once more from the first while somebody refuses. The socket, or -1 after a message. */
static int connect_to_one(const struct addrinfo *first, const struct addrinfo **at, int *port, const char *host)
{
	bool refused = false;
	unsigned int pause = 1;
	int fd = -1;

	*at = first;
	for (;;) {
		enum came came = connect_to(*at, port, &fd);

		if (came == CAME_CONNECTED)
			return fd;
		if (came == CAME_IN_USE) {
			--*port;
			continue;
		}
		if (came == CAME_NO_PORT) {
			say_no_port();
			return -1;
		}
		refused |= errno == ECONNREFUSED;
		if ((*at)->ai_next) {
			say_address("connect to address ", *at, ": ");
			say_error("");
			*at = (*at)->ai_next;
			say_address("Trying ", *at, "...\n");
		} else if (refused && pause <= PATIENCE_MAX) {
			sleep(pause);
			pause *= 2;
			*at = first;
			refused = false;
		} else {
			say(host ? host : "(null)", ": ", "");
			say_error("");
			return -1;
		}
	}
}

/* --- the conversation -------------------------------------------------------------------------------------- */

/* Waits for the server's own connection. False, after a message, where it goes on without one. */
static bool wait_for_server(int fd, int listener)
{
	struct pollfd pollfds[2] = { { .fd = fd, .events = POLLIN }, { .fd = listener, .events = POLLIN } };

	errno = 0;
	if (poll(pollfds, 2, -1) >= 1 && pollfds[1].revents & POLLIN)
		return true;
	if (errno != 0)
		say_error("rcmd: poll (setting up stderr): ");
	else
		say("poll: ", "protocol failure in circuit setup", "\n");
	return false;
}

/* Its connection, and the port that it comes from. */
static int accept_server(int listener, uint16_t *port)
{
	union name name = { .v6 = { 0 } };
	socklen_t len = sizeof(name);
	int fd;

	do
		fd = real.accept(listener, &name.any, &len);
	while (fd < 0 && errno == EINTR);
	sock_forget(fd);
	*port = name_port(&name.any);
	return fd;
}

static bool send_port(int fd, int port)
{
	char digits[16];
	struct text text = TEXT_OVER(digits);

	text_add_number(&text, (uint64_t)port);
	if (write(fd, text.at, text.length + 1) == (ssize_t)text.length + 1)
		return true;
	say_error("rcmd: write (setting up stderr): ");
	return false;
}

/* The connection for standard error, or -1. A server has a reserved port; who has none is somebody else. */
static int open_error_channel(int fd, sa_family_t family, int *port)
{
	int listener = rcmd_bound_socket(port, family), channel = -1;
	uint16_t from;

	if (listener < 0)
		return -1;
	real.listen(listener, 1);
	if (send_port(fd, *port) && wait_for_server(fd, listener)) {
		channel = accept_server(listener, &from);
		if (channel < 0) {
			say_error("rcmd: accept: ");
		} else if (from < BIND_RESERVED_FIRST || from > BIND_RESERVED_LAST) {
			say("socket: ", "protocol failure in circuit setup", "\n");
			drop(channel);
			channel = -1;
		}
	}
	drop(listener);
	return channel;
}

/* Relays the line that says why not. */
static void relay_refusal(int fd)
{
	char byte;

	while (read(fd, &byte, 1) == 1)
		if (write(STDERR_FILENO, &byte, 1) != 1 || byte == '\n')
			break;
}

static bool is_granted(int fd, const struct rcmd *rcmd, const char *host)
{
	struct iovec words[3] = {
		{ (void *)rcmd->local_user, strlen(rcmd->local_user) + 1 },
		{ (void *)rcmd->remote_user, strlen(rcmd->remote_user) + 1 },
		{ (void *)rcmd->command, strlen(rcmd->command) + 1 },
	};
	char answer = 0;
	ssize_t n;

	while (writev(fd, words, 3) < 0 && errno == EINTR)
		;
	do
		n = read(fd, &answer, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1 && answer != 0)
		relay_refusal(fd);
	if (n == 1)
		return answer == 0;
	say("rcmd: ", host ? host : "(null)", n == 0 ? ": short read" : ": ");
	if (n < 0)
		say_error("");
	return false;
}

static int converse(const struct rcmd *rcmd, int fd, sa_family_t family, int *port, const char *host, int *error_fd)
{
	bool granted;

	if (!error_fd) {
		if (write(fd, "", 1) == 1 && is_granted(fd, rcmd, host))
			return fd;
		drop(fd);
		return -1;
	}
	*error_fd = open_error_channel(fd, family, port);
	granted = *error_fd >= 0 && is_granted(fd, rcmd, host);
	if (granted)
		return fd;
	if (*error_fd >= 0)
		drop(*error_fd);
	drop(fd);
	return -1;
}

/* --- rcmd --------------------------------------------------------------------------------------------------- */

/* The addresses, with the host's full name, or NULL after a message. */
static struct addrinfo *resolve(const struct rcmd *rcmd, const char *host)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_family = rcmd->family, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char digits[16];
	struct text port = TEXT_OVER(digits);
	int error;

	text_add_number(&port, ntohs(rcmd->port));
	error = getaddrinfo(host, port.at, &hints, &found);
	if (!error)
		return found;
	if (error == EAI_NONAME && host)
		say(host, ": Unknown host", "\n");
	else
		say("rcmd: getaddrinfo: ", gai_strerror(error), "\n");
	return NULL;
}

/* As libc does, in memory that the next call uses again. */
static char *full_name(const struct addrinfo *found)
{
	static char name[NI_MAXHOST];

	if (!found->ai_canonname)
		return NULL;
	strncpy(name, found->ai_canonname, sizeof(name) - 1);
	return name;
}

int rcmd_run(const struct rcmd *rcmd, char **host, int *error_fd)
{
	const struct addrinfo *at;
	struct addrinfo *found;
	int fd, port = BIND_RESERVED_LAST;
	sigset_t urgent, before;

	if (rcmd->family != AF_INET && rcmd->family != AF_INET6 && rcmd->family != AF_UNSPEC) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	found = resolve(rcmd, *host);
	if (!found)
		return -1;
	*host = full_name(found);
	sigemptyset(&urgent);
	sigaddset(&urgent, SIGURG);
	sigprocmask(SIG_BLOCK, &urgent, &before);
	fd = connect_to_one(found, &at, &port, *host);
	port--;
	if (fd >= 0)
		fd = converse(rcmd, fd, (sa_family_t)at->ai_family, &port, *host, error_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	freeaddrinfo(found);
	return fd;
}
