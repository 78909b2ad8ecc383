/* figures.c - what a process has, by /proc/self. */
#define _GNU_SOURCE
#include "soak.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct shared *shared_map(int fd)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	return shared == MAP_FAILED ? NULL : shared;
}

/* Into memory of its own: nothing is allocated that would be counted. */
static const char *words_of(const char *path)
{
	static char words[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, length = 0;

	while (fd >= 0 && (n = read(fd, words + length, sizeof(words) - 1 - (size_t)length)) > 0)
		length += n;
	words[length] = '\0';
	if (fd >= 0)
		close(fd);
	return words;
}

void figures_take(struct figures *figures)
{
	const char *anonymous = strstr(words_of("/proc/self/status"), "RssAnon:");

	figures->anonymous_kib = anonymous ? strtol(anonymous + strlen("RssAnon:"), NULL, 10) : 0;
	figures->mappings = figures->descriptors = 0;
	for (const char *at = words_of("/proc/self/maps"); (at = strchr(at, '\n')); at++)
		figures->mappings++;
	for (int fd = 0; fd < 1024; fd++)
		figures->descriptors += fcntl(fd, F_GETFD) >= 0;
}
