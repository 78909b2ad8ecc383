/* show.h - what the tests of `status` and `top` share: a table in a file, sockets that are in it, and the command. */
#ifndef PORTSHIM_TESTS_TOOLS_SHOW_H
#define PORTSHIM_TESTS_TOOLS_SHOW_H

#include <criterion/criterion.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/made_table.h"
#include "tests/lib/world.h"

static struct run shown;

/* `portshim WORD...`. */
#define SHOW(...) show_run((const char *const[]){ built("portshim"), __VA_ARGS__, NULL })

static inline void show_run(const char *const argv[])
{
	shown = (struct run){ .bare = true };
	run_program(&shown, argv);
}

#define EXPECT_HAS(words) cr_expect(strstr(shown.out, words), "'%s' is not in\n%s", words, shown.out)
#define EXPECT_LACKS(words) cr_expect_not(strstr(shown.out, words), "'%s' is in\n%s", words, shown.out)

/* The exit code; nothing on standard error. */
#define EXPECT_DONE() do {                                                              \
	cr_expect(exited(&shown, 0), "status %x", shown.status);                        \
	cr_expect_str_empty(shown.err, "%s", shown.err);                                \
} while (0)

/* The exit code, no output, and a part of what it said, in one line. */
#define EXPECT_SAID(code, words) do {                                                   \
	cr_expect(exited(&shown, code), "status %x", shown.status);                     \
	cr_expect_str_empty(shown.out, "%s", shown.out);                                \
	cr_expect(strncmp(shown.err, "portshim: ", 10) == 0, "%s", shown.err);          \
	cr_expect(strstr(shown.err, words), "'%s' is not in '%s'", words, shown.err);   \
} while (0)

/* Whether a line holds all of these words, in this order, with blanks between. */
static inline bool has_row(const char *const words[])
{
	for (const char *line = shown.out; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *at = line;
		size_t i = 0;
		while (words[i] && strncmp(at, words[i], strlen(words[i])) == 0) {
			at += strlen(words[i++]);
			if (*at != ' ' && *at != '\n')
				break;
			at += strspn(at, " ");
			if (!words[i])
				return true;
		}
	}
	return false;
}

#define EXPECT_ROW(...)                                                                 \
	cr_expect(has_row((const char *const[]){ __VA_ARGS__, NULL }), "%s\n%s", #__VA_ARGS__, shown.out)

/* A TCP socket on 127.0.0.1; `to` 0: it listens. */
static inline int tcp_socket(uint16_t port, uint16_t to)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	name.sin_port = htons(to);
	cr_assert_eq(to ? connect(fd, (struct sockaddr *)&name, sizeof(name)) : listen(fd, 8), 0);
	return fd;
}

/* No character that a terminal obeys (C0, DEL, C1) but the ends of lines. */
static inline void expect_no_control(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	for (; *at; at++) {
		cr_assert(*at >= 0x20 || *at == '\n', "byte %02x", *at);
		cr_assert_not(at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0, "U+00%02X", at[1]);
	}
	cr_expect_not(strchr(text, 0x7f));
}

#endif
