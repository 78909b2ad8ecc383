/* ftp.c - both sides of FTP, as far as fetching one file goes. */
#define _GNU_SOURCE
#include "ftp.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define LINE_MAX_LENGTH 512

/* A line without its end. False at the end of the connection. */
static bool read_line(int fd, char line[LINE_MAX_LENGTH])
{
	size_t n = 0;

	while (n < LINE_MAX_LENGTH - 1 && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n')
		n++;
	line[strcspn(line, "\r\n")] = '\0';
	return n > 0;
}

static void set_limit(int fd)
{
	const struct timeval limit = { DEADLINE_MS / 1000, 0 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static int connect_here(int port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "nobody listens on %d", port);
	set_limit(fd);
	return fd;
}

/* "h1,h2,h3,h4,p1,p2", as PORT and the answer to PASV have it. */
static int port_in_six(const char *words)
{
	int high = 0, low = 0;

	words += strcspn(words, "0123456789");
	cr_assert(sscanf(words, "%*d,%*d,%*d,%*d,%d,%d", &high, &low) == 2, "%s", words);
	return high << 8 | low;
}

/* --- the server ------------------------------------------------------------------------------------------------- */

struct session {
	int control, listener;
	struct ftp_seen seen;
};

static void say(const struct session *s, const char *words)
{
	cr_assert(dprintf(s->control, "%s\r\n", words) > 0);
}

static int data_connection(struct session *s)
{
	int fd;

	if (s->seen.active)
		return connect_here(s->seen.data);
	s->seen.data = server_accept(s->listener, &fd);
	close(s->listener);
	return fd;
}

static void send_file(struct session *s)
{
	int fd;

	say(s, "150 here it comes");
	fd = data_connection(s);
	cr_assert(send(fd, FTP_WORDS, strlen(FTP_WORDS), MSG_NOSIGNAL) == (ssize_t)strlen(FTP_WORDS));
	close(fd);
	say(s, "226 done");
}

static void go_passive(struct session *s, bool extended)
{
	char line[64];
	int port;

	s->seen.active = false;
	s->listener = server_tcp("127.0.0.1", 0);
	port = socket_port(s->listener);
	if (extended)
		snprintf(line, sizeof(line), "229 (|||%d|)", port);
	else
		snprintf(line, sizeof(line), "227 (127,0,0,1,%d,%d)", port >> 8, port & 255);
	say(s, line);
}

static void go_active(struct session *s, int port)
{
	s->seen.active = true;
	s->seen.data = port;
	say(s, "200 I will connect");
}

/* What a client asks before it fetches a file, and what it is told. */
static const char *small_talk(const char *line)
{
	static const char *const answers[][2] = {
		{ "USER", "331 and your password?" }, { "PASS", "230 come in" }, { "PWD", "257 \"/\"" },
		{ "SYST", "215 UNIX Type: L8" }, { "TYPE", "200 as you like" }, { "CWD", "250 you are there" },
		{ "SIZE", "213 12" }, { "MDTM", "213 20200101000000" }, { "NOOP", "200 still here" },
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strncasecmp(line, answers[i][0], strlen(answers[i][0])) == 0)
			return answers[i][1];
	return "502 not here";
}

static void obey(struct session *s, const char *line)
{
	if (strncasecmp(line, "EPSV", 4) == 0)
		go_passive(s, true);
	else if (strncasecmp(line, "PASV", 4) == 0)
		go_passive(s, false);
	else if (strncasecmp(line, "EPRT |1|127.0.0.1|", 18) == 0)
		go_active(s, atoi(line + 18));
	else if (strncasecmp(line, "PORT ", 5) == 0)
		go_active(s, port_in_six(line));
	else if (strncasecmp(line, "RETR", 4) == 0)
		send_file(s);
	else
		say(s, small_talk(line));
}

struct ftp_seen ftp_serve(int listener)
{
	struct session s = { .listener = -1 };
	char line[LINE_MAX_LENGTH];

	s.seen.control = server_accept(listener, &s.control);
	set_limit(s.control);
	say(&s, "220 speak");
	while (read_line(s.control, line) && strncasecmp(line, "QUIT", 4) != 0)
		obey(&s, line);
	dprintf(s.control, "221 bye\r\n");
	close(s.control);
	return s.seen;
}

/* --- the client ------------------------------------------------------------------------------------------------- */

/* The last line of the answer, which begins as expected. */
static const char *hear(int control, const char *expected)
{
	static char line[LINE_MAX_LENGTH];

	do
		cr_assert(read_line(control, line), "the server hung up before \"%s\"", expected);
	while (line[3] != ' ');
	cr_assert(strncmp(line, expected, strlen(expected)) == 0, "\"%s\", not \"%s\"", line, expected);
	return line;
}

static const char *ask(int control, const char *words, const char *expected)
{
	cr_assert(dprintf(control, "%s\r\n", words) > 0);
	return hear(control, expected);
}

static void check_file(int control, int data)
{
	char words[64] = "";

	set_limit(data);
	cr_expect(recv(data, words, sizeof(words) - 1, MSG_WAITALL) >= 0);
	cr_expect_str_eq(words, FTP_WORDS);
	close(data);
	hear(control, "226");
}

static int fetch_active(int control)
{
	int data, listener = server_tcp("127.0.0.1", 0), port = socket_port(listener);
	char line[64];

	snprintf(line, sizeof(line), "PORT 127,0,0,1,%d,%d", port >> 8, port & 255);
	ask(control, line, "200");
	cr_assert(dprintf(control, "RETR file\r\n") > 0);
	port = server_accept(listener, &data);
	hear(control, "1");
	check_file(control, data);
	close(listener);
	return port;
}

static int fetch_passive(int control)
{
	int port = port_in_six(strchr(ask(control, "PASV", "227"), '(')), data = connect_here(port);

	ask(control, "RETR file", "1");
	check_file(control, data);
	return port;
}

struct ftp_server_seen ftp_fetch(int port)
{
	struct ftp_server_seen seen;
	int control = connect_here(port);

	hear(control, "220");
	ask(control, "USER anonymous", "331");
	ask(control, "PASS nobody@", "230");
	ask(control, "TYPE I", "200");
	seen.active = fetch_active(control);
	seen.passive = fetch_passive(control);
	ask(control, "QUIT", "221");
	close(control);
	return seen;
}
