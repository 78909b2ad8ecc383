/* hold.c - holds connections open, as many as it is told to: what fills the pool.
 *
 * `hold ADDRESS PORT [LO]` reads numbers, one a line; brings the connections that it holds up to each of them, or to as
 * many as there are ports, and prints how many they are then. Ends with its input. With LO it binds them to LO,
 * LO + 1 ... */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool one_more(const struct sockaddr_in *to, int port)
{
	/* Nobody waits for what is left when this ends, and no TIME_WAIT stays behind. */
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0) {
		perror("hold: socket");
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if ((port == 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0) &&
	    connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
		return true;
	if (errno != EADDRNOTAVAIL && errno != EADDRINUSE)
		perror("hold: connect");
	close(fd);
	return false;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	long held = 0, wanted;
	int lo = argc > 3 ? atoi(argv[3]) : 0;

	if (argc < 3)
		return 2;
	inet_pton(AF_INET, argv[1], &to.sin_addr);
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	while (scanf("%ld", &wanted) == 1) {
		while (held < wanted && one_more(&to, lo ? lo + (int)held : 0))
			held++;
		printf("%ld\n", held);
		fflush(stdout);
	}
	return 0;
}
