/* by_name.c - a client that gets its functions in another way than by the loader's ordinary binding.
 *
 * `by_name WAY PORT`: connects to 127.0.0.1 and prints the result. The ways: `default` and `next` (dlsym), `version`
 * (dlvsym), `handle` (dlsym in libc itself), `bound` (a reference to the first version), `space` (dlmopen: a libc of its
 * own), `pointer` (an initialised pointer in the data). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_VERSION "GLIBC_2.2.5" /* of x86-64; others begin later */

typedef __typeof__(connect) connect_fn;
typedef __typeof__(socket) socket_fn;

struct client {
	socket_fn *socket;
	connect_fn *connect;
};

static struct client by_pointer = { socket, connect };

#ifdef __x86_64__
connect_fn first_connect;
__asm__(".symver first_connect, connect@" FIRST_VERSION);
#endif

static struct client found(void *handle)
{
	struct client client;

	*(void **)&client.socket = dlsym(handle, "socket");
	*(void **)&client.connect = dlsym(handle, "connect");
	return client;
}

static struct client client_of(const char *way)
{
	struct client client = { NULL, NULL };

	if (strcmp(way, "default") == 0)
		return found(RTLD_DEFAULT);
	if (strcmp(way, "next") == 0)
		return found(RTLD_NEXT);
	if (strcmp(way, "handle") == 0)
		return found(dlopen("libc.so.6", RTLD_NOW));
	if (strcmp(way, "space") == 0)
		return found(dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW));
	if (strcmp(way, "pointer") == 0)
		return by_pointer;
#ifdef __x86_64__
	client.socket = socket;
	if (strcmp(way, "bound") == 0)
		client.connect = first_connect;
	if (strcmp(way, "version") == 0)
		*(void **)&client.connect = dlvsym(RTLD_DEFAULT, "connect", FIRST_VERSION);
#endif
	return client;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct client client = client_of(argc > 2 ? argv[1] : "");
	int fd;

	if (!client.socket || !client.connect)
		return 3;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = client.socket(AF_INET, SOCK_STREAM, 0);
	printf("%d\n", client.connect(fd, (struct sockaddr *)&to, sizeof(to)));
	return 0;
}
