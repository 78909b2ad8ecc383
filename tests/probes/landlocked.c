/* landlocked.c - puts itself under Landlock's rules, which allow no TCP connection (or, with "bind", no bind), then connects
 * to 127.0.0.1 PORT, blocking and not; or binds port PORT. Prints what came of it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIND_TCP UINT64_C(1)    /* LANDLOCK_ACCESS_NET_BIND_TCP, Linux 6.7 */
#define CONNECT_TCP UINT64_C(2)

static int restrict_to_nothing(uint64_t handled)
{
	uint64_t attribute[2] = { 0, handled }; /* files, network */
	int rules = (int)syscall(SYS_landlock_create_ruleset, attribute, sizeof(attribute), 0);

	if (rules < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_landlock_restrict_self, rules, 0);
}

static void tell(const char *what, int result)
{
	printf("%s %s\n", what, result == 0 ? "done" : strerrorname_np(errno));
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int waiting = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (argc < 3)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	if (restrict_to_nothing(strcmp(argv[1], "bind") == 0 ? BIND_TCP : CONNECT_TCP) < 0)
		return 3;
	if (strcmp(argv[1], "bind") == 0) {
		tell("bind", bind(waiting, (struct sockaddr *)&to, sizeof(to)));
		return 0;
	}
	tell("blocking", connect(waiting, (struct sockaddr *)&to, sizeof(to)));
	tell("other", connect(other, (struct sockaddr *)&to, sizeof(to)));
	return 0;
}
