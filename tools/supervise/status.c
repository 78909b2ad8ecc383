/* status.c - reading /proc/PID/status, proc(5). */
#include "tools/supervise/status.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool status_read(struct status *status, uint32_t tid)
{
	char path[40];
	size_t length = 0;
	ssize_t n = 0;

	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && length + 1 < sizeof(status->text) &&
	       (n = read(fd, status->text + length, sizeof(status->text) - 1 - length)) > 0)
		length += (size_t)n;
	if (fd >= 0)
		close(fd);
	status->text[length] = '\0';
	return length > 0 && n >= 0;
}

const char *status_words(const struct status *status, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = status->text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1;
	}
	return "";
}

uint64_t status_number(const struct status *status, const char *name, int base)
{
	return strtoull(status_words(status, name), NULL, base);
}

uint32_t status_id(const struct status *status, const char *name, enum status_id which)
{
	const char *words = status_words(status, name);
	uint32_t number = 0;
	char *end;

	for (unsigned int i = 0; i <= which; i++, words = end)
		number = (uint32_t)strtoul(words, &end, 10);
	return number;
}
