/* vforks.c - makes a network call in a child of vfork(2), which then becomes another program: `vforks COMMAND ARGUMENT...` */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5000) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), status = 1;
	pid_t child;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	child = argc > 1 ? vfork() : -1;
	if (child == 0) {
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			execvp(argv[1], argv + 1);
		_exit(126);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 124;
}
