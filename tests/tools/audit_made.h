/* audit_made.h - audit files that a test makes, line by line. */
#ifndef PORTSHIM_TESTS_TOOLS_AUDIT_MADE_H
#define PORTSHIM_TESTS_TOOLS_AUDIT_MADE_H

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "tests/lib/world.h"

/* A line. What is left out is as in made_line(); NOWHERE stands for null. */
struct made {
	const char *time, *event, *rule, *program, *call, *protocol, *local, *remote;
	unsigned pid, user, port, remote_port;
};
#define NOWHERE ""

static inline void made_words(FILE *to, const char *key, const char *words, const char *otherwise)
{
	words = words ? words : otherwise;
	if (*words)
		fprintf(to, "\"%s\":\"%s\",", key, words);
	else
		fprintf(to, "\"%s\":null,", key);
}

static inline void made_line(FILE *to, const struct made *line)
{
	putc('{', to);
	made_words(to, "time", line->time, "2026-11-25T10:42:00.000000Z");
	made_words(to, "event", line->event, "assigned");
	made_words(to, "rule", line->rule, "web");
	fprintf(to, "\"pid\":%u,", line->pid ? line->pid : 100);
	made_words(to, "program", line->program, "/usr/bin/curl");
	fprintf(to, "\"user\":%u,", line->user ? line->user : 4000001);
	made_words(to, "call", line->call, "connect");
	made_words(to, "protocol", line->protocol, "tcp");
	made_words(to, "local_address", line->local, "10.20.0.1");
	fprintf(to, "\"local_port\":%u,", line->port ? line->port : 20000);
	made_words(to, "remote_address", line->remote, "10.20.0.5");
	if (line->remote && !*line->remote)
		fprintf(to, "\"remote_port\":null}\n");
	else
		fprintf(to, "\"remote_port\":%u}\n", line->remote_port ? line->remote_port : 443);
}

/* The file's path, as file_path() has it. */
static inline const char *made_audit(const char *name, const struct made line[], size_t n)
{
	FILE *to = fopen(file_path(name), "we");
	cr_assert(to);
	for (size_t i = 0; i < n; i++)
		made_line(to, &line[i]);
	cr_assert_eq(fclose(to), 0);
	return file_path(name);
}

#define AUDIT(name, ...)                                                                                                \
	made_audit(name, (const struct made[]){ __VA_ARGS__ }, sizeof((const struct made[]){ __VA_ARGS__ }) / sizeof(struct made))

#endif
