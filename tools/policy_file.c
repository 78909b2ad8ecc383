/* policy_file.c - loads a policy with the library's own parser and prints what it finds. */
#define _GNU_SOURCE
#include "tools/policy_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/world.h"
#include "tools/message.h"
#include "tools/utf8.h"

void policy_file_print(const char *name, int line, const char *kind, enum paint paint, const char *words)
{
	char at[16] = "", *shown = utf8_cleaned(name), *clean = utf8_cleaned(words);
	if (line > 0)
		snprintf(at, sizeof(at), "%d:", line);
	fprintf(stderr, "%s:%s %s%s:%s %s\n", shown, at, paint_begin(stderr, paint), kind, paint_end(stderr), clean);
	free(clean);
	free(shown);
}

static void finding_print(void *context, enum severity severity, int line, const char *words)
{
	const struct policy_file *loaded = context;
	bool error = severity == SEVERITY_ERROR;
	policy_file_print(loaded->name, line, error ? "error" : "warning", error ? PAINT_ERROR : PAINT_WARNING, words);
}

static void finding_count(void *context, enum severity severity, int line, const char *words)
{
	struct policy_file *loaded = context;
	++*(severity == SEVERITY_ERROR ? &loaded->errors : &loaded->warnings);
	loaded->listener(loaded->context, severity, line, words);
}

static void error_print(struct policy_file *loaded, const char *words)
{
	finding_count(loaded, SEVERITY_ERROR, 0, words);
}

/* A pipe could be read now, but not again by the program that is to be under it. */
static bool is_regular(struct policy_file *loaded)
{
	struct stat status;
	if (stat(loaded->from.path, &status) < 0)
		error_print(loaded, locate_error_words(-errno));
	else if (!S_ISREG(status.st_mode))
		error_print(loaded, "not a regular file; each program reads the policy for itself, so put it in a file");
	else
		return true;
	return false;
}

static bool file_read(struct policy_file *loaded, const struct policy_world *world, const struct reader *reader)
{
	int error = 0;
	if (!is_regular(loaded))
		return false;
	loaded->text = trust_read(&loaded->arena, loaded->from.path, &loaded->length, &error, reader, finding_count, loaded);
	return loaded->text && policy_read(&loaded->policy, loaded->text, loaded->length, world, finding_count, loaded);
}

/* As in the library: where this program itself runs with privileges, no variable of the user's counts. */
static const char *variable(const char *name)
{
	return secure_getenv(name);
}

static void nothing_said(void)
{
	const char *config = variable("XDG_CONFIG_HOME"), *home = variable("HOME");
	char own[PATH_MAX] = "the user's own folder (HOME is not set)";
	if (config && config[0] != '\0')
		snprintf(own, sizeof(own), "%s/portshim/portshim.conf", config);
	else if (home && home[0] != '\0')
		snprintf(own, sizeof(own), "%s/.config/portshim/portshim.conf", home);
	say_error("no policy: neither PORTSHIM_PORTS nor PORTSHIM_CONF is set, and there is nothing at %s nor at "
	          "/etc/portshim.conf; write one there, or name a file (or ports, to portshim run)", own);
}

/* Fills `from` and `name`; false, with the reason said, if there is no policy. */
static bool choose(struct policy_file *loaded, const char *file, const char *ports)
{
	struct location *from = &loaded->from;
	if (file) {
		from->found = FOUND_FILE;
		loaded->name = file;
		if (snprintf(from->path, sizeof(from->path), "%s", file) < (int)sizeof(from->path))
			return true;
		error_print(loaded, strerror(ENAMETOOLONG));
		return false;
	}
	if (ports) {
		*from = (struct location){ .found = FOUND_PORTS, .ports = ports };
		loaded->name = "--ports";
		return true;
	}
	locate_policy(from, variable);
	if (from->found == FOUND_NOTHING)
		nothing_said();
	else if (from->found == FOUND_PORTS)
		loaded->name = "PORTSHIM_PORTS";
	else
		loaded->name = from->path[0] ? from->path : "PORTSHIM_CONF"; /* empty, or longer than a path can be */
	return from->found != FOUND_NOTHING;
}

bool policy_file_hear(struct policy_file *loaded, const char *file, const char *ports, const struct reader *reader,
                      policy_listener *listener, void *context)
{
	struct reader own = reader_here();
	own.looks = file != NULL;
	struct policy_world world = { .passwd = NULL };
	struct arena arena = { .chunks = NULL };
	struct port_range range;
	memset(loaded, 0, sizeof(*loaded));
	loaded->listener = listener;
	loaded->context = context;
	if (!choose(loaded, file, ports))
		return false;
	world_range(&range, &arena);
	world_read(&world, range, &arena);
	bool valid;
	if (loaded->from.found == FOUND_PORTS)
		valid = policy_from_ports(&loaded->policy, loaded->from.ports, &world, finding_count, loaded);
	else
		valid = file_read(loaded, &world, reader ? reader : &own);
	arena_free(&arena);
	if (!valid) {
		arena_free(&loaded->arena);
		loaded->text = NULL;
	}
	return valid;
}

bool policy_file_load(struct policy_file *loaded, const char *file, const char *ports, const struct reader *reader)
{
	static const struct reader owner = { .owner = true };
	return policy_file_hear(loaded, file, ports, reader || !file ? reader : &owner, finding_print, loaded);
}

bool policy_file_is_there(void)
{
	struct location found;
	locate_policy(&found, variable);
	return found.found == FOUND_FILE;
}

void policy_file_free(struct policy_file *loaded)
{
	policy_free(&loaded->policy);
	arena_free(&loaded->arena);
}
