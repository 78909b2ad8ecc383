/* remote.c - rcmd(3) and rresvport(3), of which libc does all inside itself: `remote HOW ARGUMENT...` prints what
 * came of it.
 *
 * rcmd HOST PORT both|one        a command there, with or without the second connection, for standard error
 * rcmd4|rcmd6|rcmdany HOST ...   the same by rcmd_af()
 * bad-family                     rcmd_af() and rresvport_af() of a family that they do not have
 * rresvport START, rresvport6 START
 * nobody HOW ...                 the same as user 65534 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void say_result(const char *what, int result)
{
	if (result < 0)
		printf("%s = -1 %s\n", what, strerrorname_np(errno));
	else
		printf("%s = ok\n", what);
}

static void copy_out(const char *what, int fd)
{
	char text[256];
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		printf("%s: %.*s", what, (int)n, text);
	close(fd);
}

static int call(const char *how, char **host, const char *port, int *error_fd)
{
	unsigned short number = htons((unsigned short)atoi(port));
	sa_family_t family = strcmp(how, "rcmd4") == 0 ? AF_INET : strcmp(how, "rcmd6") == 0 ? AF_INET6 : AF_UNSPEC;

	if (strcmp(how, "rcmd") == 0)
		return rcmd(host, number, "me", "you", "a command", error_fd);
	return rcmd_af(host, number, "me", "you", "a command", error_fd, family);
}

static int run_remote(const char *how, char **argv)
{
	char *host = argv[0];
	int error_fd = -1, fd = call(how, &host, argv[1], strcmp(argv[2], "both") == 0 ? &error_fd : NULL);

	if (fd < 0) {
		printf("%s = -1\n", how);
		return 1;
	}
	printf("%s = ok, host %s\n", how, host ? host : "none");
	copy_out("out", fd);
	if (error_fd >= 0)
		copy_out("err", error_fd);
	return 0;
}

static int reserve(int port, int family)
{
	struct sockaddr_in6 name;
	socklen_t len = sizeof(name);
	int fd = family == AF_INET ? rresvport(&port) : rresvport_af(&port, AF_INET6);

	say_result("rresvport", fd);
	if (fd < 0)
		return 1;
	getsockname(fd, (struct sockaddr *)&name, &len);
	printf("name = ? %d\n", ntohs(name.sin6_port)); /* at the same place in a sockaddr_in */
	printf("told = ? %d\n", port);
	say_result("listen", listen(fd, 1));
	return 0;
}

static int bad_family(void)
{
	char name[] = "127.0.0.1", *host = name;
	int port = 1000;

	say_result("rcmd_af", rcmd_af(&host, htons(9), "", "", "", NULL, AF_UNIX));
	say_result("rresvport_af", rresvport_af(&port, AF_UNIX));
	return 0;
}

int main(int argc, char **argv)
{
	int at = 1;

	if (argc > 2 && strcmp(argv[1], "nobody") == 0 && setuid(65534) == 0)
		at = 2;
	if (argc == at + 4 && strncmp(argv[at], "rcmd", 4) == 0)
		return run_remote(argv[at], argv + at + 1);
	if (argc == at + 2 && strncmp(argv[at], "rresvport", 9) == 0)
		return reserve(atoi(argv[at + 1]), strcmp(argv[at], "rresvport") == 0 ? AF_INET : AF_INET6);
	return argc == at + 1 ? bad_family() : 2;
}
