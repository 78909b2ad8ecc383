/* eager.c - a library that uses the network before main() and after it, and looks at descriptors whenever memory is
 * asked for: as caches, tracers and allocators do that are preloaded. Says "eager PORT" for each of its connections. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *old);
void *malloc(size_t size) SEEN;
void *calloc(size_t count, size_t size) SEEN;
void *realloc(void *old, size_t size) SEEN;
void free(void *old) SEEN;

/* Every one of these is a hook's. */
static void look(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	getsockname(fd, (struct sockaddr *)&name, &len);
	close(dup(fd));
	fcntl(fd, F_GETFD);
	close(fd);
	connect(-1, (struct sockaddr *)&name, sizeof(name));
}

void *malloc(size_t size)
{
	look();
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	look();
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	look();
	return __libc_realloc(old, size);
}

void free(void *old)
{
	if (old)
		look();
	__libc_free(old);
}

static void talk(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(5000) };
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM, 0), length;
	char line[32];

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&name, len) < 0 || getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		name.sin_port = 0;
	length = snprintf(line, sizeof(line), "eager %d\n", ntohs(name.sin_port));
	if (write(2, line, (size_t)length) == length)
		close(fd);
}

static __attribute__((constructor)) void before(void)
{
	talk();
}

static __attribute__((destructor)) void after(void)
{
	talk();
}
