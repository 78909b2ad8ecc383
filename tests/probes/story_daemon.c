/* story_daemon.c - a daemon that closes every descriptor it was started with, then connects four times to port 5000.
 *
 * `story_daemon range|loop|daemon`: by close_range(); one by one up to 65535; the same in a child of its own session,
 * with /dev/null as its first three. Else the sockets get the numbers from 0 on. They stay open to the end: a word that
 * anyone writes to "standard error" goes to the server. The exit code is 0, or the number of the connect that failed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void close_all(const char *how)
{
	if (strcmp(how, "range") == 0) {
		close_range(0, ~0U, 0);
		return;
	}
	for (int fd = 0; fd <= 65535; fd++)
		close(fd);
}

static void become_daemon(void)
{
	if (fork() != 0)
		_exit(0);
	setsid();
	close_all("loop");
	for (int i = 0; i < 3; i++)
		if (open("/dev/null", O_RDWR) != i)
			_exit(99);
}

/* Says one byte. */
static bool talk(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5000) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && write(fd, "x", 1) == 1;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (strcmp(how, "daemon") == 0)
		become_daemon();
	else
		close_all(how);
	for (int i = 1; i <= 4; i++)
		if (!talk())
			return i;
	return 0;
}
