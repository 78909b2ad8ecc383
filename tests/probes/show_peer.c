/* show_peer.c - an HTTP server on loopback that answers with the port that its client came from. Prints its own port.
 * `show_peer COUNT`: ends after so many requests. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in name = { .sin_family = AF_INET }, peer;
	socklen_t len = sizeof(name), peer_len = sizeof(peer);
	int listener = socket(AF_INET, SOCK_STREAM, 0), requests = argc > 1 ? atoi(argv[1]) : 1;

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&name, len) < 0 || listen(listener, 8) < 0 ||
	    getsockname(listener, (struct sockaddr *)&name, &len) < 0) {
		perror("show_peer");
		return 1;
	}
	printf("%d\n", ntohs(name.sin_port));
	fflush(stdout);
	while (requests-- > 0) {
		char request[4096], answer[256];
		int length, fd = accept(listener, (struct sockaddr *)&peer, &peer_len);

		if (fd < 0 || read(fd, request, sizeof(request)) < 0)
			return 1;
		length = snprintf(answer, sizeof(answer), "HTTP/1.0 200 OK\r\n\r\n%d\n", ntohs(peer.sin_port));
		if (write(fd, answer, (size_t)length) != length)
			return 1;
		close(fd);
	}
	return 0;
}
