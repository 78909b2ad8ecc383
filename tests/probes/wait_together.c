/* wait_together.c - threads that wait for a port on one socket, until the one that is there comes free: the results of all. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 4

static struct sockaddr_in to = { .sin_family = AF_INET };
static int shared;

static int send_from(int fd)
{
	return sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1 ? 0 : -1;
}

static void *wait_for_port(void *result)
{
	*(int *)result = send_from(shared);
	return NULL;
}

int main(void)
{
	int holder = socket(AF_INET, SOCK_DGRAM, 0), result[THREADS];
	pthread_t thread[THREADS];

	to.sin_port = htons(5000);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	shared = socket(AF_INET, SOCK_DGRAM, 0);
	printf("holder %d\n", send_from(holder));
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, wait_for_port, &result[i]);
	/* Who is late needs no port any more: the result is the same. */
	usleep(100000);
	close(holder);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		printf("%d\n", result[i]);
	}
	return 0;
}
