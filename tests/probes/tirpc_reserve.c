/* tirpc_reserve.c - libtirpc's bindresvport_sa(): `tirpc_reserve tcp4|udp4|tcp6|udp6 null|any|ADDRESS` binds by it,
 * prints the result, and "name = PORT", and "told = PORT" where an address was given. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int bindresvport_sa(int fd, struct sockaddr *addr);

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

int main(int argc, char **argv)
{
	union name name = { .v6 = { 0 } };
	socklen_t len = sizeof(name);
	int family, fd, given;

	if (argc != 3)
		return 2;
	given = strcmp(argv[2], "null") != 0;
	family = strchr(argv[1], '6') ? AF_INET6 : AF_INET;
	fd = socket(family, argv[1][0] == 't' ? SOCK_STREAM : SOCK_DGRAM, 0);
	name.any.sa_family = (sa_family_t)family;
	if (given && strcmp(argv[2], "any") != 0)
		inet_pton(family, argv[2], family == AF_INET ? (void *)&name.v4.sin_addr : (void *)&name.v6.sin6_addr);
	if (bindresvport_sa(fd, given ? &name.any : NULL) < 0) {
		puts(strerrorname_np(errno));
		return 1;
	}
	puts("ok");
	if (given)
		printf("told = ? %d\n", ntohs(name.v4.sin_port)); /* at the same place in a sockaddr_in6 */
	getsockname(fd, &name.any, &len);
	printf("name = ? %d\n", ntohs(name.v4.sin_port));
	return 0;
}
