/* netns_cookie.c - SO_NETNS_COOKIE tells network namespaces apart, and for good; the inode number does not. */
#include "fact.h"

#include <stdint.h>
#include <sys/stat.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

#define NAMESPACES 50

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0) {
		if (errno == ENOPROTOOPT)
			lacks("SO_NETNS_COOKIE");
		broken("SO_NETNS_COOKIE");
	}
	return cookie;
}

static uint64_t cookie_here(void)
{
	int fd = sock("udp4");
	uint64_t cookie = cookie_of(fd);

	close(fd);
	return cookie;
}

static ino_t inode_here(void)
{
	struct stat about;

	if (stat("/proc/self/ns/net", &about) < 0)
		broken("/proc/self/ns/net");
	return about.st_ino;
}

/* Every kind of socket, a socket that accept() made, and one that a child asks. */
static void one_namespace(uint64_t cookie)
{
	static const char *const kinds[] = { "tcp4", "tcp6", "udp4", "udp6", "mptcp4" };
	int server = serve("tcp4", ONE), client = sock("tcp4"), accepted, status, differ = 0;
	pid_t child;

	for (int i = 0; i < 5; i++) {
		int fd = sock(kinds[i]);

		differ += fd >= 0 && cookie_of(fd) != cookie;
	}
	fact("same for all kinds of sockets", "0 differ", "%d differ", differ);
	do_connect(client, "127.0.0.1", ONE);
	accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	fact("same for an accepted socket", "yes", "%s", cookie_of(accepted) == cookie ? "yes" : "no");
	child = fork();
	if (child == 0)
		_exit(cookie_here() == cookie && cookie_of(client) == cookie ? 0 : 1);
	waitpid(child, &status, 0);
	fact("same in a child", "yes", "%s", status == 0 ? "yes" : "no");
}

int main(void)
{
	static uint64_t seen_cookie[NAMESPACES + 1];
	static ino_t seen_inode[NAMESPACES + 1];
	int repeated = 0, inodes = 0, old;

	fact_begin();
	old = sock("tcp4");
	seen_cookie[0] = cookie_here();
	seen_inode[0] = inode_here();
	fact("not zero", "yes", "%s", seen_cookie[0] ? "yes" : "no");
	one_namespace(seen_cookie[0]);
	for (int i = 1; i <= NAMESPACES; i++) {
		/* Each is gone when the next is there: nothing else is in it. */
		if (unshare(CLONE_NEWNET) < 0)
			broken("unshare");
		seen_cookie[i] = cookie_here();
		seen_inode[i] = inode_here();
		for (int j = 0; j < i; j++) {
			repeated += seen_cookie[j] == seen_cookie[i];
			inodes += seen_inode[j] == seen_inode[i];
		}
	}
	fact("differs between 50 namespaces, gone or not", "0 repeated", "%d repeated", repeated);
	fact("stays with the socket", "yes", "%s", cookie_of(old) == seen_cookie[0] ? "yes" : "no");
	note("inode numbers", "%d pairs of these namespaces have the same", inodes);
	return fact_end();
}
