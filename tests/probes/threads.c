/* threads.c - `threads COUNT PORT`: so many threads make their first network call at the same moment. Prints each one's
 * local port. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static pthread_barrier_t barrier;
static int server_port;

static void *connect_once(void *unused)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)server_port) };
	socklen_t len = sizeof(name);
	int fd;

	(void)unused;
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pthread_barrier_wait(&barrier);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&name, len) < 0 || getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%d\n", ntohs(name.sin_port));
	return NULL;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[1]) : 0;
	pthread_t thread[64];

	if (count < 1 || count > 64)
		return 2;
	server_port = atoi(argv[2]);
	pthread_barrier_init(&barrier, NULL, (unsigned int)count);
	for (int i = 0; i < count; i++)
		pthread_create(&thread[i], NULL, connect_once, NULL);
	for (int i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
