/* world.c - namespaces, the interface lo, two servers. */
#define _GNU_SOURCE
#include "tests/fuzz/world.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static int listeners[2];

static void write_to(const char *path, const char *words)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	HOLDS(fd >= 0 && write(fd, words, strlen(words)) == (ssize_t)strlen(words));
	close(fd);
}

static int listen_on(int port)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	HOLDS(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0 && listen(fd, 4096) == 0);
	return fd;
}

void world_make(void)
{
	struct ifreq interface = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	if (!getenv("PORTSHIM_CONF") || unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
		fprintf(stderr, "it takes PORTSHIM_CONF=tests/fuzz/calls.conf, and root\n");
		exit(2);
	}
	HOLDS(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL) == 0);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	HOLDS(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &interface) == 0);
	close(fd);
	write_to("/proc/sys/net/ipv4/ip_local_port_range", "20300 21999");
	listeners[0] = listen_on(5000);
	listeners[1] = listen_on(5001);
}

void world_hang_up(void)
{
	int fd;

	for (int i = 0; i < 2; i++)
		while ((fd = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC)) >= 0)
			close(fd);
}
