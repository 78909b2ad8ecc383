/* fan.c - `fan COUNT LO HI PORT`: connects to so many addresses, 127.1.0.1 and on, and keeps what it has. Prints how many were
 * had, how many left from outside LO-HI, and how many found no port. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	int had = 0, outside = 0, no_port = 0, failed = 0;

	if (argc != 5)
		return 2;
	for (int i = 0; i < atoi(argv[1]); i++) {
		struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[4])) };
		socklen_t len = sizeof(name);
		int fd = socket(AF_INET, SOCK_STREAM, 0), port;

		name.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 65536 + (unsigned int)i);
		if (connect(fd, (struct sockaddr *)&name, len) < 0) {
			if (errno == EADDRNOTAVAIL)
				no_port++;
			else
				failed++;
			continue;
		}
		had++;
		getsockname(fd, (struct sockaddr *)&name, &len);
		port = ntohs(name.sin_port);
		outside += port < atoi(argv[2]) || port > atoi(argv[3]);
	}
	printf("had %d\noutside %d\nno port %d\nfailed %d\n", had, outside, no_port, failed);
	return 0;
}
